/* bench_pictures.c - see bench_pictures.h. One PNG in memory, decoded again and again by the reader that scores use, so
 * no disk is measured. */
#include "harness/bench/bench_pictures.h"

#include "model/base/mem.h"
#include "model/base/progress.h"
#include "model/base/cpu.h"
#include "model/data/image_ahead.h"
#include "model/data/image_png.h"

#include <stdlib.h>

enum { BATCH = 64 };

/* Neither flat nor noise: a slope with some grain. */
static int make_png(struct str *out, int side, struct err *e)
{
	SCOPED(free) uint8_t *px = xmalloc((size_t)side * (size_t)side * 3);
	uint32_t grain = 1;
	for (int i = 0; i < side * side * 3; i++) {
		grain = grain * 1664525u + 1013904223u;
		px[i] = (uint8_t)(i / 3 % side * 160 / side + i / 3 / side * 80 / side + (int)(grain >> 28));
	}
	return image_png_encode(out, px, side, side, 3, "a picture of the benchmark", e);
}

static int decode(void *ctx, int64_t i, struct image_u8 *im, struct err *e)
{
	const struct str *png = ctx;
	(void)i;
	return image_png_decode(im, (const uint8_t *)png->data, png->len, "a picture of the benchmark", e);
}

/* Pictures per second. */
static int measure(double *rate, struct str *png, bool parallel, double seconds, struct err *e)
{
	SCOPED(image_ahead)
	struct image_ahead *a = image_ahead_new(&(struct image_maker){ decode, png, parallel }, 0, INT64_MAX, BATCH);
	const struct image_u8 *images;
	double start = monotonic_s(), now = start;
	int64_t done = 0;
	int n;
	while (now - start < seconds) {
		if (image_ahead_next(a, &images, &n, e))
			return -1;
		done += n;
		now = monotonic_s();
	}
	*rate = (double)done / (now - start);
	return 0;
}

int bench_pictures(json_t *out, double seconds, struct err *e)
{
	static const int sides[] = { 32, 64, 256 };
	for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
		SCOPED(str) struct str png = { 0 };
		SCOPED(free) char *name = xstrfmt("PNG %dx%d", sides[i], sides[i]);
		double one, all;
		if (make_png(&png, sides[i], e) || measure(&one, &png, false, seconds / 2, e) ||
		    measure(&all, &png, true, seconds / 2, e))
			return -1;
		(void)json_array_append_new(out, json_pack("{s:s, s:i, s:f, s:f, s:f}", "config", name, "threads",
		                                           cpu_threads(), "images_per_s", all, "one_thread_images_per_s", one,
		                                           "share_of_ceiling", all / (one * cpu_threads())));
	}
	return 0;
}
