/* sources.c - see sources.h: finding the kind, and the checks that all kinds share. */
#define _GNU_SOURCE
#include "metrics/sources/sources.h"

#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/base/unread.h"
#include "model/data/image_ahead.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Asked in this order; the order matters only for files whose first bytes fit two rows. */
static const struct source_kind *const kinds[] = {
	&source_cifar,
	&source_arrays,
	&source_files,
	&source_idx,
};

int source_open(struct source **out, const char *path, struct err *e)
{
	uint8_t head[32] = { 0 };
	size_t n = 0;
	if (!io_exists(path))
		return err_set(e, "%s: no such file or folder", path);
	if (io_is_special(path))
		return err_set(e, "%s: neither a regular file nor a folder", path);
	if (!io_is_dir(path)) {
		SCOPED(file) FILE *f = fopen(path, "rbe");
		if (!f)
			return err_set(e, "%s: cannot open: %s", path, strerror(errno));
		n = fread(head, 1, sizeof head, f);
		if (n == 0)
			return err_set(e, "%s: empty file", path);
	}
	if (unread_refuse(path, e))
		return -1;
	SCOPED(source) struct source *s = xcalloc(1, sizeof *s);
	s->path = xstrdup(path);
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		if (!kinds[i]->is(s, head, n))
			continue;
		s->kind = kinds[i];
		if (s->kind->open(s, e))
			return -1;
		if (s->n == 0)
			return err_set(e, "%s: contains no images (read as %s)", path, s->kind->text);
		*out = s;
		s = NULL;
		return 0;
	}
	return err_set(e, "%s: not a folder, zip, tar, LMDB, .npz, .npy, HDF5, pickle, IDX or CIFAR-10 file of images",
	               path);
}

/* Does picture i match those before it? */
static int accept_size(struct source *s, int64_t i, const struct image_u8 *im, struct err *e)
{
	bool small = im->h < 2 || im->w < 2;
	if (!small && s->h && (s->mixed_sizes || (im->h == s->h && im->w == s->w && im->c == s->c)))
		return 0;
	SCOPED(free) char *name = source_item(s, i);
	if (small)
		return err_set(e, "%s: an image of %d x %d pixels is too small to measure", name, im->w, im->h);
	if (s->h)
		return err_set(e,
		               "%s: %d x %d pixels, but the images before it are %d x %d: all images of a source must have one "
		               "size; give --mixed-sizes to resize each by itself, as clean-fid and pytorch-fid do",
		               name, im->w, im->h, s->w, s->h);
	s->h = im->h;
	s->w = im->w;
	s->c = im->c;
	return 0;
}

int source_read(struct source *s, int64_t i, struct image_u8 *im, struct err *e)
{
	REQUIRE(i >= 0 && i < s->n);
	return s->kind->read(s, i, im, e) ? -1 : accept_size(s, i, im, e);
}

struct source_ahead {
	struct source *s;
	struct image_ahead *images;
	int64_t n;
};

static int make_picture(void *ctx, int64_t i, struct image_u8 *im, struct err *e)
{
	struct source *s = ctx;
	return s->kind->read(s, i, im, e);
}

struct source_ahead *source_ahead_new(struct source *s, int64_t n, int batch)
{
	REQUIRE(n <= s->n);
	struct source_ahead *a = xcalloc(1, sizeof *a);
	*a = (struct source_ahead){
		s, image_ahead_new(&(struct image_maker){ make_picture, s, s->kind->parallel }, 0, n, batch), 0
	};
	return a;
}

int source_ahead_next(struct source_ahead *a, const struct image_u8 **images, int *n, struct err *e)
{
	int rc = image_ahead_next(a->images, images, n, e);
	for (int k = 0; k < *n; k++, a->n++)
		if (accept_size(a->s, a->n, &(*images)[k], e))
			return -1;
	return rc;
}

void source_ahead_free(struct source_ahead *a)
{
	if (a)
		image_ahead_free(a->images);
	free(a);
}

void scoped_source_ahead(struct source_ahead **a)
{
	source_ahead_free(*a);
}

void source_free(struct source *s)
{
	if (!s)
		return;
	if (s->self)
		s->kind->close(s);
	str_release(&s->notes);
	free(s->path);
	free(s);
}

void scoped_source(struct source **s)
{
	source_free(*s);
}
