/* bench_train.h - the speed of a training step on this machine: images/s, GFLOP/s, and the share of the ceiling that
 * oneDNN's own matrix product reaches in the same run. */
#ifndef ABLATE_BENCH_TRAIN_H
#define ABLATE_BENCH_TRAIN_H

#include "model/base/err.h"

#include <jansson.h>

/* Appends one object per configuration to `out` (an array). which: NULL = "a" and "b"; else "a", "b" or a preset's name
 * with `batch` images. seconds: time spent per configuration. */
MUST_CHECK int bench_train(json_t *out, const char *which, int batch, double seconds, struct err *e);
/* GFLOP/s of a 2048^3 float matrix product, best of a few. */
double bench_gemm_ceiling(void);

#endif
