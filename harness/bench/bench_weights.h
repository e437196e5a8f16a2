/* bench_weights.h - random weights that look like a published file: speed does not depend on their values, as long as
 * what flows through the network is neither zero nor infinite. */
#ifndef ABLATE_BENCH_WEIGHTS_H
#define ABLATE_BENCH_WEIGHTS_H

#include "model/base/mem.h"
#include "model/formats/safetensors.h"

/* One tensor of a network's list, as inception_weight() and its like give it; false after the last. */
typedef bool bench_weight(const void *ctx, int i, char name[96], int *n_dims, int64_t dims[ST_MAX_DIMS]);

/* All of them: products and convolutions normal with variance 2 / fan-in; vectors 1 where they scale (also a running
 * variance), else 0. st starts zeroed; its tensors' data are the arena's. */
void bench_weights_make(struct safetensors *st, struct arena *arena, bench_weight *list, const void *ctx);
void bench_weights_release(struct safetensors *st); /* the arena lives on */
/* The weights of Inception v3 (2015). */
void bench_weights_inception(struct safetensors *st, struct arena *arena);

#endif
