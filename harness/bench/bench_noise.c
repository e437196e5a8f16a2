/* bench_noise.c - see bench_noise.h. */
#include "harness/bench/bench_noise.h"

#include "model/base/mem.h"
#include "model/base/rng.h"
#include "model/data/image_png.h"

#include <stdlib.h>

void bench_noise(uint8_t *px, int i, int above)
{
	for (int k = 0; k < BENCH_NOISE_BYTES; k++)
		px[k] = (uint8_t)((float)above *
		                  rng_uniform(1, RNG_SYNTHETIC, 0, (uint64_t)i * BENCH_NOISE_BYTES + (uint64_t)k));
}

int bench_noise_write(const char *folder, int n, int above, struct err *e)
{
	uint8_t px[BENCH_NOISE_BYTES];
	for (int i = 0; i < n; i++) {
		SCOPED(free) char *path = xstrfmt("%s/%04d.png", folder, i);
		bench_noise(px, i, above);
		if (image_png_write(path, px, BENCH_NOISE_SIDE, BENCH_NOISE_SIDE, 3, e))
			return -1;
	}
	return 0;
}
