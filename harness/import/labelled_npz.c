/* labelled_npz.c - .npz batches of pictures with labels: guided-diffusion's and the downsampled ImageNet's
 * (labelled.h). */
#define _GNU_SOURCE
#include "harness/import/labelled.h"

#include "model/formats/npz.h"
#include "model/base/mem.h"

#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct batch {
	char *path;
	int64_t n;
};
struct batches {
	struct batch *v;
	int n, cap, open; /* open: which one the stream reads, -1 = none */
	struct npz *z;
	struct npz_stream *stream;
	int64_t at; /* next image of the stream */
	int side_h, side_w, channels;
	bool planes;
	uint8_t *record; /* one image as planes */
};

static bool ends_in(const char *name, const char *ending)
{
	size_t n = strlen(name), m = strlen(ending);
	return n > m && strcmp(name + n - m, ending) == 0;
}

static bool is_batch_of(const char *name, enum data_split split)
{
	return ends_in(name, ".npz") &&
	       strncmp(name, split == SPLIT_TRAIN ? "train_data" : "val_data", split == SPLIT_TRAIN ? 10 : 8) == 0;
}

static int64_t number_in(const char *path)
{
	const char *slash = strrchr(path, '/'),
			   *p = (slash ? slash + 1 : path) + strcspn(slash ? slash + 1 : path, "0123456789");
	return strtol(p, NULL, 10);
}

/* train_data_batch_2 before train_data_batch_10 */
static int by_number(const void *a, const void *b)
{
	const char *x = ((const struct batch *)a)->path, *y = ((const struct batch *)b)->path;
	int64_t i = number_in(x), j = number_in(y);
	return i != j ? (i > j) - (i < j) : strcmp(x, y);
}

static void list(struct batches *b, const struct labelled *l)
{
	if (!io_is_dir(l->path)) {
		const char *slash = strrchr(l->path, '/'), *base = slash ? slash + 1 : l->path;
		bool other = is_batch_of(base, l->split == SPLIT_TRAIN ? SPLIT_TEST : SPLIT_TRAIN);
		if (!other && (l->split == SPLIT_TRAIN || is_batch_of(base, SPLIT_TEST)))
			VEC_PUSH(b->v, b->n, b->cap) = (struct batch){ .path = xstrdup(l->path) };
		return;
	}
	DIR *dir = opendir(l->path);
	for (const struct dirent *d; dir && (d = readdir(dir));)
		if (is_batch_of(d->d_name, l->split))
			VEC_PUSH(b->v, b->n, b->cap) = (struct batch){ .path = xstrfmt("%s/%s", l->path, d->d_name) };
	if (dir)
		(void)closedir(dir);
	if (b->n)
		qsort(b->v, (size_t)b->n, sizeof *b->v, by_number);
}

static bool npz_place_is(const char *path)
{
	if (!io_is_dir(path))
		return ends_in(path, ".npz");
	DIR *dir = opendir(path);
	bool found = false;
	for (const struct dirent *d; dir && !found && (d = readdir(dir));)
		found = is_batch_of(d->d_name, SPLIT_TRAIN) || is_batch_of(d->d_name, SPLIT_TEST);
	if (dir)
		(void)closedir(dir);
	return found;
}

static const char *image_key(struct npz *z)
{
	static const char *const keys[] = { "data", "arr_0", "images" };
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (npz_has(z, keys[i]))
			return keys[i];
	return NULL;
}

/* Shape of one batch's images, which must be that of the batches before. */
static int shape_of(struct batches *b, struct npz *z, const char *path, int64_t *n, struct err *e)
{
	const char *key = image_key(z);
	struct npy_info info;
	char text[128];
	if (!key)
		return err_set(e, "%s: contains no array data, arr_0 or images", path);
	if (npz_info(&info, z, key, e))
		return -1;
	npy_describe(text, &info);
	int h = 0, w = 0, c = 0;
	bool planes = info.n_dims == 2;
	if (planes) {
		int side = info.dims[1] > 0 && info.dims[1] <= 3 * 4096 * 4096 ? (int)lround(sqrt((double)info.dims[1] / 3))
		                                                               : 0;
		h = w = (int64_t)3 * side * side == info.dims[1] ? side : 0;
		c = 3;
	} else if (info.n_dims == 4 && info.dims[1] <= 4096 && info.dims[2] <= 4096 &&
	           (info.dims[3] == 1 || info.dims[3] == 3)) {
		h = (int)info.dims[1], w = (int)info.dims[2], c = (int)info.dims[3];
	}
	if (info.kind != NPY_UINT || info.item != 1 || h < 1 || w < 1)
		return err_set(e, "%s:%s: %s: images must be uint8, N,H,W,C or N rows of 3 square planes", path, key, text);
	if (b->side_h && (h != b->side_h || w != b->side_w || c != b->channels || planes != b->planes))
		return err_set(e, "%s:%s: %s: differs from the batches before it", path, key, text);
	b->side_h = h, b->side_w = w, b->channels = c, b->planes = planes;
	*n = info.dims[0];
	return 0;
}

static int add_labels(struct labelled *l, struct npz *z, const char *path, int64_t n, struct err *e)
{
	const char *key = npz_has(z, "labels") ? "labels" : npz_has(z, "arr_1") ? "arr_1" : NULL;
	int64_t first = l->n;
	l->labels = xrealloc(l->labels, (size_t)(first + n + 1), sizeof *l->labels);
	memset(l->labels + first, 0, (size_t)(n + 1) * sizeof *l->labels);
	l->n += n;
	if (!key || l->rule == LABELS_NONE)
		return 0;
	struct npy_info info;
	SCOPED(free) double *labels = NULL;
	if (npz_doubles(&labels, &info, z, key, n, e))
		return -1;
	if (info.count != n)
		return err_set(e, "%s: %" PRId64 " labels for %" PRId64 " images", path, info.count, n);
	int from = npz_has(z, "data") ? 1 : 0; /* the downsampled ImageNet counts its classes from 1 */
	for (int64_t i = 0; i < n; i++) {
		if (labels[i] != floor(labels[i]) || fabs(labels[i]) > 1e9)
			return err_set(e, "%s: label %" PRId64 " is not an integer", path, i);
		if (labelled_set(l, first + i, (int64_t)labels[i] - from, e))
			return err_in(e, "%s", path);
	}
	return 0;
}

static int npz_place_open(struct labelled *l, struct err *e)
{
	struct batches *b = l->self = xcalloc(1, sizeof *b);
	b->open = -1;
	list(b, l);
	for (int i = 0; i < b->n; i++) {
		SCOPED(npz) struct npz *z = NULL;
		labelled_reads(l, b->v[i].path);
		if (npz_open(&z, b->v[i].path, e) || shape_of(b, z, b->v[i].path, &b->v[i].n, e) ||
		    add_labels(l, z, b->v[i].path, b->v[i].n, e))
			return -1;
	}
	b->record = xcalloc((size_t)b->side_h * (size_t)b->side_w + 1, 3);
	return 0;
}

static void close_stream(struct batches *b)
{
	npz_stream_free(b->stream);
	npz_free(b->z);
	b->stream = NULL;
	b->z = NULL;
	b->open = -1;
}

/* The stream at image i of batch k; a compressed array is read from its start again when asked to go back. */
static int seek(struct batches *b, int k, int64_t i, struct err *e)
{
	size_t size = (size_t)b->side_h * (size_t)b->side_w * (size_t)b->channels;
	if (b->open != k || i < b->at) {
		close_stream(b);
		if (npz_open(&b->z, b->v[k].path, e) || npz_stream_open(&b->stream, b->z, image_key(b->z), e))
			return -1;
		b->open = k;
		b->at = 0;
	}
	for (; b->at <= i; b->at++)
		if (npz_stream_read(b->stream, b->record, size, e))
			return -1;
	return 0;
}

static int npz_place_read(struct labelled *l, int64_t i, struct image_u8 *im, struct err *e)
{
	struct batches *b = l->self;
	int k = 0;
	while (i >= b->v[k].n)
		i -= b->v[k++].n;
	if (image_u8_shape(im, b->side_h, b->side_w, b->channels, l->path, e) || seek(b, k, i, e))
		return -1;
	size_t plane = (size_t)im->h * (size_t)im->w;
	if (!b->planes)
		memcpy(im->px, b->record, plane * (size_t)im->c);
	for (size_t p = 0; b->planes && p < plane; p++)
		for (size_t c = 0; c < 3; c++)
			im->px[3 * p + c] = b->record[c * plane + p];
	return 0;
}

static void npz_place_close(struct labelled *l)
{
	struct batches *b = l->self;
	close_stream(b);
	for (int i = 0; i < b->n; i++)
		free(b->v[i].path);
	free(b->v);
	free(b->record);
	free(b);
}

const struct labelled_kind labelled_npz = {
	".npz", npz_place_is, npz_place_open, npz_place_read, false, npz_place_close
};
