/* image_resize.c - see image_resize.h. The arithmetic follows Pillow's Resample.c (8 bits per channel). */
#include "model/data/image_resize.h"

#include "model/base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PRECISION = 32 - 8 - 2 };

static double box(double x)
{
	return x > -0.5 && x <= 0.5 ? 1 : 0;
}

static double bicubic(double x)
{
	const double a = -0.5;
	x = fabs(x);
	if (x < 1)
		return ((a + 2) * x - (a + 3)) * x * x + 1;
	return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

static const struct {
	double (*at)(double x), support;
} filters[] = { [FILTER_BOX] = { box, 0.5 }, [FILTER_BICUBIC] = { bicubic, 2 } };

/* Which inputs make output i, and with what weights: first[i], count[i], weights[i * widest]. */
struct taps {
	int *first, *count, widest;
	int32_t *weights;
};

static void taps_release(struct taps *t)
{
	free(t->first);
	free(t->count);
	free(t->weights);
}

static struct taps taps_of(int in, int out, enum image_filter filter)
{
	double scale = (double)in / out, stretch = scale > 1 ? scale : 1, support = filters[filter].support * stretch;
	struct taps t = { .first = xcalloc((size_t)out, sizeof *t.first),
		              .count = xcalloc((size_t)out, sizeof *t.count),
		              .widest = (int)ceil(support) * 2 + 1 };
	t.weights = xcalloc((size_t)out * (size_t)t.widest, sizeof *t.weights);
	SCOPED(free) double *w = xcalloc((size_t)t.widest, sizeof *w);
	for (int i = 0; i < out; i++) {
		double centre = (i + 0.5) * scale, sum = 0;
		int from = (int)(centre - support + 0.5), to = (int)(centre + support + 0.5);
		from = from < 0 ? 0 : from;
		to = to > in ? in : to;
		for (int k = 0; k < to - from; k++)
			sum += w[k] = filters[filter].at((k + from - centre + 0.5) / stretch);
		for (int k = 0; k < to - from; k++) {
			double x = (sum != 0 ? w[k] / sum : w[k]) * (1 << PRECISION);
			t.weights[i * t.widest + k] = (int32_t)(x < 0 ? x - 0.5 : x + 0.5);
		}
		t.first[i] = from;
		t.count[i] = to - from;
	}
	return t;
}

static uint8_t clip(int32_t sum)
{
	int32_t v = sum >> PRECISION;
	return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

/* Output i of a line of values `step` apart. */
static uint8_t tap(const uint8_t *line, size_t step, const struct taps *t, int i)
{
	int32_t sum = 1 << (PRECISION - 1);
	const int32_t *w = t->weights + (size_t)i * (size_t)t->widest;
	const uint8_t *from = line + (size_t)t->first[i] * step;
	for (int k = 0; k < t->count[i]; k++)
		sum += from[(size_t)k * step] * w[k];
	return clip(sum);
}

int image_u8_resize(struct image_u8 *im, int h, int w, enum image_filter filter, const char *name, struct err *e)
{
	struct image_u8 wide = { 0 }, out = { 0 };
	size_t c = (size_t)im->c;
	if (h == im->h && w == im->w)
		return 0;
	if (image_u8_shape(&wide, im->h, w, im->c, name, e) || image_u8_shape(&out, h, w, im->c, name, e)) {
		image_u8_release(&wide);
		return -1;
	}
	struct taps across = taps_of(im->w, w, filter), down = taps_of(im->h, h, filter);
	size_t in_row = (size_t)im->w * c, row = (size_t)w * c;
	for (int y = 0; y < im->h; y++)
		for (int x = 0; x < w; x++)
			for (size_t k = 0; k < c; k++) {
				const uint8_t *line = im->px + (size_t)y * in_row + k;
				wide.px[(size_t)y * row + (size_t)x * c + k] = w == im->w ? line[(size_t)x * c]
				                                                          : tap(line, c, &across, x);
			}
	for (int y = 0; y < h; y++)
		for (size_t k = 0; k < row; k++)
			out.px[(size_t)y * row + k] = h == im->h ? wide.px[(size_t)y * row + k] : tap(wide.px + k, row, &down, y);
	taps_release(&across);
	taps_release(&down);
	image_u8_release(&wide);
	image_u8_release(im);
	*im = out;
	return 0;
}

static void cut(struct image_u8 *im, int top, int left, int side)
{
	size_t c = (size_t)im->c, row = (size_t)side * c;
	for (int y = 0; y < side; y++)
		memmove(im->px + (size_t)y * row, im->px + ((size_t)(top + y) * (size_t)im->w + (size_t)left) * c, row);
	im->h = im->w = side;
}

/* Python's round(): halves to the even number. */
static int round_even(double x)
{
	return (int)nearbyint(x);
}

int image_u8_centre_crop(struct image_u8 *im, int side, const char *name, struct err *e)
{
	if (im->h == side && im->w == side)
		return 0;
	while ((im->h < im->w ? im->h : im->w) >= 2 * side)
		if (image_u8_resize(im, im->h / 2, im->w / 2, FILTER_BOX, name, e))
			return -1;
	double scale = (double)side / (im->h < im->w ? im->h : im->w);
	int h = round_even(im->h * scale), w = round_even(im->w * scale);
	if (image_u8_resize(im, h, w, FILTER_BICUBIC, name, e))
		return -1;
	cut(im, (h - side) / 2, (w - side) / 2, side);
	return 0;
}
