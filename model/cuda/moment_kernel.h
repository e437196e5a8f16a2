/* moment_kernel.h - mean and scatter of feature vectors on a CUDA device. See struct fold_job of backend.h. */
#ifndef ABLATE_MOMENT_KERNEL_H
#define ABLATE_MOMENT_KERNEL_H

#include "model/cuda/cuda.h"

void cuda_fold(struct backend *b, const struct fold_job *job);

#endif
