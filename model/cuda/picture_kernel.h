/* picture_kernel.h - pictures as a network's input on a CUDA device. See struct picture_job of backend.h. */
#ifndef ABLATE_PICTURE_KERNEL_H
#define ABLATE_PICTURE_KERNEL_H

#include "model/cuda/cuda.h"

void cuda_pictures(struct backend *b, const struct picture_job *job);

#endif
