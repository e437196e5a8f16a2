/* cuda_nccl.h - NCCL, fenced: averages over the processes that train one cell together, each with a device of its own,
 * by a stream beside the back end's, so that a sum is sent while the backward pass continues.
 *
 * The library is opened when a team is joined and never otherwise: `libnccl.so.2` (or what ABLATE_NCCL names; see
 * model/cuda/nvidia.c). The emulation's twin is tests/cuda_emu/emu_nccl.cc. */
#ifndef ABLATE_CUDA_NCCL_H
#define ABLATE_CUDA_NCCL_H

#include "model/cuda/cuda.h"

struct cuda_team;
/* Made by one process, passed to the others by other means. */
MUST_CHECK int cuda_team_name(char name[TEAM_NAME_BYTES], struct err *e);
/* Waits for all. */
MUST_CHECK int cuda_team_join(struct cuda_team **out, const char name[TEAM_NAME_BYTES], int rank, int size,
                              struct err *e);
/* values[n] on the device = their mean over the team, in the order of `stream`. Failures: cu->failed. */
void cuda_team_mean(struct cuda *cu, struct cuda_team *t, float *values, size_t n, cudaStream_t stream);
/* lost: the device answers no more, so nothing is waited for. Accepts NULL. */
void cuda_team_leave(struct cuda_team *t, bool lost);

#endif
