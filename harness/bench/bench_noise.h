/* bench_noise.h - pictures of noise for measurements: no two alike, the same in every run. */
#ifndef ABLATE_BENCH_NOISE_H
#define ABLATE_BENCH_NOISE_H

#include "model/base/err.h"
#include "model/data/image_u8.h"

enum { BENCH_NOISE_SIDE = 32, BENCH_NOISE_BYTES = BENCH_NOISE_SIDE * BENCH_NOISE_SIDE * 3 };

/* px[BENCH_NOISE_BYTES] of picture i: bytes from 0 to below `above` (256: all). */
void bench_noise(uint8_t *px, int i, int above);
/* The same as FOLDER/0000.png and so on, n of them. */
MUST_CHECK int bench_noise_write(const char *folder, int n, int above, struct err *e);

#endif
