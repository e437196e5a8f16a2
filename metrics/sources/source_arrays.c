/* source_arrays.c - pictures in arrays: .npz batches (`arr_0`, as guided-diffusion writes them), IDX (MNIST
 * and descendants, .gz too), CIFAR-10 binary files and the folder they come in. */
#define _GNU_SOURCE
#include "metrics/sources/sources.h"

#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/data/cifar.h"
#include "model/data/idx.h"
#include "model/formats/npz.h"

#include <stdlib.h>
#include <string.h>

/* ---- .npz ------------------------------------------------------------------------------------------------------- */

struct npz_images {
	struct npz *z;
	struct npz_stream *stream;
	int64_t at;
	int h, w, c;
	const char *key;
};

static bool npz_is(const char *path, const uint8_t *head, size_t n)
{
	struct npz *z;
	if (n < 4 || memcmp(head, "PK\3\4", 4) != 0 || npz_open(&z, path, NULL))
		return false;
	bool found = false;
	for (int i = 0; i < npz_count(z) && !found; i++)
		found = npz_name(z, i) != NULL;
	npz_free(z);
	return found;
}

static int npz_images_open(struct source *s, struct err *e)
{
	struct npz_images *x = s->self = xcalloc(1, sizeof *x);
	if (npz_open(&x->z, s->path, e))
		return -1;
	static const char *const keys[] = { "arr_0", "images" };
	for (size_t i = 0; i < 2 && !x->key; i++)
		x->key = npz_has(x->z, keys[i]) ? keys[i] : NULL;
	if (!x->key)
		return err_set(e, "%s: contains no array 'arr_0' of images (%s)", s->path,
		               npz_has(x->z, "mu") ? "it holds statistics"
		                                   : "keys other than arr_0 and images are not looked at");
	struct npy_info info;
	if (npz_info(&info, x->z, x->key, e))
		return -1;
	char text[128];
	npy_describe(text, &info);
	if (info.kind != NPY_UINT || info.item != 1)
		return err_set(e, "%s:%s: %s: images must be uint8, so that the rounding is the generator's own", s->path,
		               x->key, text);
	if (info.n_dims == 4 && info.dims[3] != 1 && info.dims[3] != 3 && (info.dims[1] == 1 || info.dims[1] == 3))
		return err_set(e, "%s:%s: %s is in the order N,C,H,W; transpose it to N,H,W,C", s->path, x->key, text);
	if (info.n_dims < 3 || info.n_dims > 4 || (info.n_dims == 4 && info.dims[3] != 1 && info.dims[3] != 3))
		return err_set(e, "%s:%s: %s: images are N,H,W,C with C of 1 or 3, or N,H,W", s->path, x->key, text);
	if (info.count && image_u8_check(info.dims[1], info.dims[2], s->path, e))
		return -1;
	x->h = (int)info.dims[1];
	x->w = (int)info.dims[2];
	x->c = info.n_dims == 4 ? (int)info.dims[3] : 1;
	s->n = info.count ? info.dims[0] : 0;
	return 0;
}

static void npz_images_item(const struct source *s, int64_t i, struct str *out)
{
	str_addf(out, "%s[%lld]", s->path, (long long)i);
}

static int npz_images_read(struct source *s, int64_t i, struct image_u8 *im, struct err *e)
{
	struct npz_images *x = s->self;
	if (!x->stream || i < x->at) {
		npz_stream_free(x->stream);
		x->stream = NULL;
		x->at = 0;
		if (npz_stream_open(&x->stream, x->z, x->key, e))
			return -1;
	}
	if (image_u8_shape(im, x->h, x->w, x->c, s->path, e))
		return -1;
	for (; x->at <= i; x->at++)
		if (npz_stream_read(x->stream, im->px, (size_t)x->h * (size_t)x->w * (size_t)x->c, e))
			return -1;
	return 0;
}

static void npz_images_close(struct source *s)
{
	struct npz_images *x = s->self;
	npz_stream_free(x->stream);
	npz_free(x->z);
	free(x);
}

const struct source_kind source_npz = {
	.name = "npz",
	.text = "an .npz of uint8 images",
	.is = npz_is,
	.open = npz_images_open,
	.read = npz_images_read,
	.item = npz_images_item,
	.close = npz_images_close,
};

/* ---- IDX -------------------------------------------------------------------------------------------------------- */

static bool idx_source_is(const char *path, const uint8_t *head, size_t n)
{
	size_t len = strlen(path);
	bool gzip = n >= 2 && head[0] == 0x1f && head[1] == 0x8b;
	return idx_is(head, n) || (gzip && len > 3 && strcmp(path + len - 3, ".gz") == 0);
}

static int idx_source_open(struct source *s, struct err *e)
{
	struct idx *x = s->self = xcalloc(1, sizeof *x);
	if (idx_open_images(x, s->path, e))
		return -1;
	s->n = x->dims[0];
	return image_u8_check(x->dims[1], x->dims[2], s->path, e);
}

static int idx_source_read(struct source *s, int64_t i, struct image_u8 *im, struct err *e)
{
	return idx_image(im, s->self, i, s->path, e);
}

static void idx_source_close(struct source *s)
{
	idx_release(s->self);
	free(s->self);
}

const struct source_kind source_idx = {
	.name = "idx",
	.text = "an IDX file",
	.is = idx_source_is,
	.open = idx_source_open,
	.read = idx_source_read,
	.item = npz_images_item,
	.close = idx_source_close,
};

/* ---- CIFAR-10 --------------------------------------------------------------------------------------------------- */

static bool cifar_source_is(const char *path, const uint8_t *head, size_t n)
{
	(void)head;
	(void)n;
	if (!io_is_dir(path)) {
		size_t len = strlen(path);
		return len > 4 && strcmp(path + len - 4, ".bin") == 0;
	}
	SCOPED(free) char *first = cifar_batch_path(path, SPLIT_TRAIN, 0);
	return io_exists(first);
}

/* A folder means the training set: all of its files. */
static int cifar_source_open(struct source *s, struct err *e)
{
	struct cifar *c = s->self = xcalloc(1, sizeof *c);
	if (io_is_dir(s->path) ? cifar_open_split(c, s->path, SPLIT_TRAIN, e) : cifar_open(c, s->path, e))
		return -1;
	s->n = c->n;
	return 0;
}

static void cifar_item(const struct source *s, int64_t i, struct str *out)
{
	const struct cifar_batch *b = cifar_batch_of(s->self, &i);
	str_addf(out, "%s[%lld]", b->path, (long long)i);
}

static int cifar_source_read(struct source *s, int64_t i, struct image_u8 *im, struct err *e)
{
	return cifar_image(im, s->self, i, e);
}

static void cifar_close(struct source *s)
{
	cifar_release(s->self);
	free(s->self);
}

const struct source_kind source_cifar = {
	.name = "cifar",
	.text = "CIFAR-10 in binary form",
	.is = cifar_source_is,
	.open = cifar_source_open,
	.read = cifar_source_read,
	.item = cifar_item,
	.close = cifar_close,
};
