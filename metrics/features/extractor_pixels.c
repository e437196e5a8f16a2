/* extractor_pixels.c - see extractor_pixels.h. Cell (i, j) covers rows [i*h/8, (i+1)*h/8) rounded outwards to at least
 * one row, so pictures of any size have features. */
#include "metrics/features/extractor_pixels.h"

#include "model/base/mem.h"
#include "model/graph/backend.h"

#include <stdlib.h>
#include <string.h>

static void cell_range(int *from, int *to, int i, int n)
{
	*from = i * n / EXTRACTOR_PIXELS_SIDE;
	*to = (i + 1) * n / EXTRACTOR_PIXELS_SIDE;
	if (*to <= *from)
		*to = *from + 1;
}

static float cell_mean(const struct image_u8 *im, int i, int j, int c)
{
	int y0, y1, x0, x1;
	int64_t sum = 0;
	cell_range(&y0, &y1, i, im->h);
	cell_range(&x0, &x1, j, im->w);
	for (int y = y0; y < y1; y++)
		for (int x = x0; x < x1; x++)
			sum += im->px[((int64_t)y * im->w + x) * im->c + (im->c == 3 ? c : 0)];
	return (float)((double)sum / (255.0 * (y1 - y0) * (x1 - x0)));
}

static int pixels_features(struct extractor *x, float *features, float *logits, float *spatial,
                           const struct image_u8 *images, int n, struct err *e)
{
	(void)logits;
	(void)spatial;
	(void)e;
	enum { SIDE = EXTRACTOR_PIXELS_SIDE };
	for (int k = 0; k < n; k++)
		for (int i = 0; i < SIDE; i++)
			for (int j = 0; j < SIDE; j++)
				for (int c = 0; c < 3; c++)
					features[(size_t)k * (size_t)x->dim + (size_t)((i * SIDE + j) * 3 + c)] = cell_mean(&images[k], i,
					                                                                                    j, c);
	return 0;
}

static int all_pixels_features(struct extractor *x, float *features, float *logits, float *spatial,
                               const struct image_u8 *images, int n, struct err *e)
{
	(void)logits;
	(void)spatial;
	const struct extractor_options *o = x->self;
	for (int k = 0; k < n; k++) {
		const struct image_u8 *im = &images[k];
		if (im->h != o->h || im->w != o->w || im->c != o->c)
			return err_set(e, "a picture of %dx%dx%d: the features are all values of %dx%dx%d", im->h, im->w, im->c,
			               o->h, o->w, o->c);
		for (int i = 0; i < x->dim; i++)
			*features++ = (float)im->px[i] / 255;
	}
	return 0;
}

static void pixels_free(struct extractor *x)
{
	free(x->self);
	free(x);
}

static int refuse_options(const char *name, const struct extractor_options *o, struct err *e)
{
	if (o->weights)
		return err_code(e, EXIT_USAGE, "%s: the extractor '%s' has no weights", o->weights, name);
	if (o->bf16 || (o->resize && strcmp(o->resize, "none") != 0))
		return err_code(e, EXIT_USAGE, "the extractor '%s' has neither bf16 nor a resize", name);
	return 0;
}

static struct extractor *new_extractor(const char *name, const struct extractor_options *o, int dim)
{
	struct extractor *x = xcalloc(1, sizeof *x);
	*x = (struct extractor){ .name = name,
		                     .resize = "none",
		                     .numerics = dtype_name(DTYPE_FP32),
		                     .dim = dim,
		                     .batch = o->batch ? o->batch : 64,
		                     .free = pixels_free };
	return x;
}

int extractor_pixels_open(struct extractor **out, const struct extractor_options *o, struct err *e)
{
	if (refuse_options("pixels", o, e))
		return -1;
	*out = new_extractor("pixels", o, EXTRACTOR_PIXELS_DIM);
	(*out)->features = pixels_features;
	return 0;
}

int extractor_all_pixels_open(struct extractor **out, const struct extractor_options *o, struct err *e)
{
	int64_t dim = (int64_t)o->h * o->w * o->c;
	if (refuse_options("all-pixels", o, e))
		return -1;
	if (o->mixed_sizes)
		return err_code(e, EXIT_USAGE,
		                "the extractor 'all-pixels' counts every pixel, so it takes pictures of one size: leave "
		                "--mixed-sizes out");
	if (dim < 1 || dim > EXTRACTOR_ALL_PIXELS_MOST)
		return err_code(e, EXIT_USAGE, "the extractor 'all-pixels' takes pictures of at most %d values, not %dx%dx%d",
		                EXTRACTOR_ALL_PIXELS_MOST, o->h, o->w, o->c);
	*out = new_extractor("all-pixels", o, (int)dim);
	(*out)->features = all_pixels_features;
	struct extractor_options *self = xmalloc(sizeof *self);
	*self = *o;
	(*out)->self = self;
	return 0;
}
