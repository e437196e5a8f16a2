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

static void pixels_free(struct extractor *x)
{
	free(x);
}

int extractor_pixels_open(struct extractor **out, const struct extractor_options *o, struct err *e)
{
	if (o->weights)
		return err_code(e, EXIT_USAGE, "%s: the extractor 'pixels' has no weights", o->weights);
	if (o->bf16 || (o->resize && strcmp(o->resize, "none") != 0))
		return err_code(e, EXIT_USAGE, "the extractor 'pixels' has neither bf16 nor a resize");
	struct extractor *x = xcalloc(1, sizeof *x);
	*x = (struct extractor){ .name = "pixels",
		                     .resize = "none",
		                     .numerics = dtype_name(DTYPE_FP32),
		                     .dim = EXTRACTOR_PIXELS_DIM,
		                     .batch = o->batch ? o->batch : 64,
		                     .features = pixels_features,
		                     .free = pixels_free };
	*out = x;
	return 0;
}
