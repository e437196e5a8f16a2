/* step_kernels.h - what surrounds the graph in a training step on a CUDA device: the batch, the sums over
 * micro-batches and the update. See backend.h. */
#ifndef ABLATE_STEP_KERNELS_H
#define ABLATE_STEP_KERNELS_H

#include "model/cuda/cuda.h"

void cuda_batch(struct backend *b, const struct batch_job *job);
void cuda_add_part(struct backend *b, const struct part_job *job);
void cuda_settle(struct backend *b, struct step_status *status, const float *loss);
void cuda_update(struct backend *b, const struct update_job *job);
void cuda_follow(struct backend *b, const struct follow_job *job);
void cuda_round(struct backend *b, void *low, const float *values, size_t n);
/* One of the plugin's kernels, to ask a card whether it can run them. */
const void *cuda_a_kernel(void);

#endif
