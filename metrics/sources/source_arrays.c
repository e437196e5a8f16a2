/* source_arrays.c - pictures in the arrays of a file (model/formats/arrays.h): batches N,H,W,C as guided-diffusion
 * (`arr_0`) and score_sde (`samples`) write them, planes N,3,H,W as BigGAN-PyTorch's HDF5 files have them (`imgs`), and
 * flat rows of planes (`data`) as the Python versions of CIFAR-10 and of ImageNet at 64x64 do. */
#define _GNU_SOURCE
#include "metrics/sources/class_labels.h"

#include "model/base/mem.h"
#include "model/formats/arrays.h"

#include <stdlib.h>
#include <string.h>

struct array_images {
	struct arrays *a;
	const char *key;
	int h, w, c;
	uint8_t *planes; /* of one picture; NULL: arrays are interleaved as pictures are */
};

#define PLANES "imgs" /* the one key whose arrays may be N,C,H,W */

static bool is_rows(const struct npy_info *info)
{
	return info->kind == NPY_UINT && info->item == 1 && info->n_dims == 2;
}

const char *source_array_key(const struct arrays *a)
{
	static const char *const keys[] = { "arr_0", "images", "samples", PLANES };
	struct npy_info info;
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (arrays_has(a, keys[i]))
			return keys[i];
	if (!arrays_info(&info, a, "data", NULL) && is_rows(&info))
		return "data";
	return !arrays_info(&info, a, "", NULL) && !(info.kind == NPY_FLOAT && info.n_dims == 2) ? "" : NULL;
}

/* A zip may hold pictures as files: then it has no arrays. */
static bool arrays_source_is(struct source *s, const uint8_t *head, size_t n)
{
	struct arrays *a = NULL;
	if (!arrays_is(head, n) || (head[0] == 'P' && arrays_open(&a, s->path, NULL)))
		return false;
	struct array_images *x = s->self = xcalloc(1, sizeof *x);
	x->a = a;
	return true;
}

/* Side of the square pictures whose three planes make a row of n bytes; 0: none. */
static int side_of(int64_t n)
{
	int64_t side = 1;
	while (side < 4096 && 3 * side * side < n)
		side++;
	return 3 * side * side == n ? (int)side : 0;
}

static int shape_of_rows(struct array_images *x, const struct npy_info *info, const char *place, struct err *e)
{
	char text[128];
	x->h = x->w = side_of(info->dims[1]);
	x->c = 3;
	if (!x->h)
		return err_set(e, "%s: %s: rows are no square pictures of three planes", place, npy_describe(text, info));
	x->planes = xmalloc((size_t)info->dims[1]);
	return 0;
}

static int shape_of_planes(struct array_images *x, const struct npy_info *info, const char *place, struct err *e)
{
	if (info->count && image_u8_check(info->dims[2], info->dims[3], place, e))
		return -1;
	x->c = (int)info->dims[1];
	x->h = (int)info->dims[2];
	x->w = (int)info->dims[3];
	x->planes = xmalloc((size_t)x->c * (size_t)x->h * (size_t)x->w + 1);
	return 0;
}

static int shape_of_batch(struct array_images *x, const struct npy_info *info, const char *place, struct err *e)
{
	char text[128];
	npy_describe(text, info);
	if (info->kind != NPY_UINT || info->item != 1)
		return err_set(e, "%s: %s: images must be uint8, so that the rounding is the generator's own", place, text);
	bool planes = info->n_dims == 4 && info->dims[3] != 1 && info->dims[3] != 3 &&
	              (info->dims[1] == 1 || info->dims[1] == 3);
	if (planes && strcmp(x->key, PLANES) == 0)
		return shape_of_planes(x, info, place, e);
	if (planes)
		return err_set(e, "%s: %s is in the order N,C,H,W; transpose it to N,H,W,C", place, text);
	if (info->n_dims == 3 && (info->dims[2] == 3 || info->dims[2] == 4) && info->dims[1] > info->dims[2])
		return err_set(e, "%s: %s looks like one picture, H,W,C; a set of pictures is N,H,W,C, or N,H,W of grey ones",
		               place, text);
	if (info->n_dims == 4 && info->dims[3] == 4)
		return err_set(e, "%s: %s has alpha, which is not read from arrays; save [..., :3]", place, text);
	if (info->n_dims < 3 || info->n_dims > 4 || (info->n_dims == 4 && info->dims[3] != 1 && info->dims[3] != 3))
		return err_set(e, "%s: %s: images are N,H,W,C with C of 1 or 3, or N,H,W", place, text);
	if (info->count && image_u8_check(info->dims[1], info->dims[2], place, e))
		return -1;
	x->h = (int)info->dims[1];
	x->w = (int)info->dims[2];
	x->c = info->n_dims == 4 ? (int)info->dims[3] : 1;
	return 0;
}

static int arrays_source_open(struct source *s, struct err *e)
{
	struct array_images *x = s->self;
	struct npy_info info;
	if (!x->a && arrays_open(&x->a, s->path, e))
		return -1;
	x->key = source_array_key(x->a);
	if (!x->key) {
		SCOPED(str) struct str held = { 0 };
		arrays_list(&held, x->a);
		return err_set(e,
		               "%s: holds no pictures: it is %s of %s; pictures are a uint8 array arr_0, images, samples or "
		               "imgs of shape N,H,W,C (imgs also N,C,H,W), or data of N rows",
		               s->path, x->a->kind->text, str_text(&held));
	}
	SCOPED(free) char *place = arrays_place(x->a, x->key);
	if (arrays_info(&info, x->a, x->key, e))
		return -1;
	if (info.fortran)
		return err_set(e, "%s: array in Fortran order; save it with numpy.ascontiguousarray", place);
	bool rows = strcmp(x->key, "data") == 0;
	if (rows ? shape_of_rows(x, &info, place, e) : shape_of_batch(x, &info, place, e))
		return -1;
	s->n = info.count ? info.dims[0] : 0;
	return 0;
}

void source_item_of_array(const struct source *s, int64_t i, struct str *out)
{
	str_addf(out, "%s[%lld]", s->path, (long long)i);
}

static int arrays_source_read(struct source *s, int64_t i, struct image_u8 *im, struct err *e)
{
	struct array_images *x = s->self;
	size_t plane = (size_t)x->h * (size_t)x->w, size = plane * (size_t)x->c;
	if (image_u8_shape(im, x->h, x->w, x->c, s->path, e) ||
	    arrays_read(x->a, x->key, (uint64_t)i * size, x->planes ? x->planes : im->px, size, e))
		return -1;
	size_t channels = (size_t)x->c;
	for (size_t k = 0; x->planes && k < plane; k++)
		for (size_t c = 0; c < channels; c++)
			im->px[channels * k + c] = x->planes[c * plane + k];
	return 0;
}

static int arrays_source_labels(struct class_labels *out, struct source *s, struct err *e)
{
	struct array_images *x = s->self;
	return class_labels_of_arrays(out, x->a, s->n, e);
}

static void arrays_source_close(struct source *s)
{
	struct array_images *x = s->self;
	arrays_free(x->a);
	free(x->planes);
	free(x);
}

const struct source_kind source_arrays = {
	.name = "arrays",
	.text = "a file of arrays of uint8 images",
	.is = arrays_source_is,
	.open = arrays_source_open,
	.read = arrays_source_read,
	.item = source_item_of_array,
	.labels = arrays_source_labels,
	.close = arrays_source_close,
};
