/* labelled_batches.c - files of arrays with labels: guided-diffusion's batches, and the downsampled ImageNet's, as
 * .npz or as the pickles of its Python version, and BigGAN-PyTorch's HDF5 files (labelled.h). Their pictures are a
 * source's (metrics/sources/). */
#define _GNU_SOURCE
#include "harness/import/labelled.h"

#include "metrics/sources/class_labels.h"
#include "model/base/mem.h"
#include "model/formats/arrays.h"

#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct batch {
	char *path;
	struct source *pictures;
};
struct batches {
	struct batch *v;
	int n, cap;
};

static bool ends_in(const char *name, const char *ending)
{
	size_t n = strlen(name), m = strlen(ending);
	return n > m && strcmp(name + n - m, ending) == 0;
}

/* train_data_batch_7 or val_data, with or without .npz */
static bool is_batch_of(const char *name, enum data_split split)
{
	return (ends_in(name, ".npz") || !strchr(name, '.')) &&
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

static bool file_is(const char *path)
{
	uint8_t head[16] = { 0 };
	SCOPED(file) FILE *f = io_is_special(path) ? NULL : fopen(path, "rbe");
	size_t n = f ? fread(head, 1, sizeof head, f) : 0;
	SCOPED(source) struct source *s = xcalloc(1, sizeof *s);
	*s = (struct source){ .kind = &source_arrays, .path = xstrdup(path) };
	return n && s->kind->is(s, head, n);
}

static bool batches_is(const char *path)
{
	if (!io_is_dir(path))
		return ends_in(path, ".npz") || file_is(path);
	DIR *dir = opendir(path);
	bool found = false;
	for (const struct dirent *d; dir && !found && (d = readdir(dir));)
		found = is_batch_of(d->d_name, SPLIT_TRAIN) || is_batch_of(d->d_name, SPLIT_TEST);
	if (dir)
		(void)closedir(dir);
	return found;
}

/* Of each batch, which must be shaped as those before. */
static int open_pictures(struct batches *b, struct batch *v, struct err *e)
{
	SCOPED(image_u8) struct image_u8 im = { 0 };
	const struct source *first = b->v[0].pictures;
	if (source_open(&v->pictures, v->path, e) || source_read(v->pictures, 0, &im, e))
		return -1;
	if (first && (im.h != first->h || im.w != first->w || im.c != first->c))
		return err_set(e, "%s: images of %dx%dx%d: differs from the batches before it, of %dx%dx%d", v->path, im.h,
		               im.w, im.c, first->h, first->w, first->c);
	return 0;
}

static int add_labels(struct labelled *l, const struct batch *v, struct err *e)
{
	SCOPED(arrays) struct arrays *a = NULL;
	SCOPED(class_labels) struct class_labels labels = { 0 };
	int64_t first = l->n, n = v->pictures->n;
	l->labels = xrealloc(l->labels, (size_t)(first + n + 1), sizeof *l->labels);
	memset(l->labels + first, 0, (size_t)(n + 1) * sizeof *l->labels);
	l->n += n;
	if (l->rule == LABELS_NONE)
		return 0;
	if (arrays_open(&a, v->path, e) || class_labels_of_arrays(&labels, a, n, e))
		return -1;
	for (int64_t i = 0; i < labels.n; i++)
		if (labelled_set(l, first + i, labels.of[i], e))
			return err_in(e, "%s", v->path);
	return 0;
}

static int batches_open(struct labelled *l, struct err *e)
{
	struct batches *b = l->self = xcalloc(1, sizeof *b);
	list(b, l);
	for (int i = 0; i < b->n; i++) {
		labelled_reads(l, b->v[i].path);
		if (open_pictures(b, &b->v[i], e) || add_labels(l, &b->v[i], e))
			return -1;
	}
	return 0;
}

static int batches_read(struct labelled *l, int64_t i, struct image_u8 *im, struct err *e)
{
	const struct batches *b = l->self;
	int k = 0;
	while (i >= b->v[k].pictures->n)
		i -= b->v[k++].pictures->n;
	return source_read(b->v[k].pictures, i, im, e);
}

static void batches_close(struct labelled *l)
{
	struct batches *b = l->self;
	for (int i = 0; i < b->n; i++) {
		source_free(b->v[i].pictures);
		free(b->v[i].path);
	}
	free(b->v);
	free(b);
}

const struct labelled_kind labelled_batches = {
	"arrays", batches_is, batches_open, batches_read, false, batches_close
};
