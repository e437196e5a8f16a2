/* picture_files.c - see picture_files.h: the list, and what is done with it. */
#include "metrics/sources/picture_files.h"

#include "metrics/sources/sources.h"
#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/data/image_decode.h"
#include "model/formats/lmdb.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_FILES = 20000000 };

static const struct picture_place *place_of(const char *path)
{
	if (lmdb_is(path))
		return &picture_lmdb;
	if (io_is_dir(path))
		return &picture_folder;
	return picture_zip_is(path) ? &picture_zip : picture_tar_is(path) ? &picture_tar : NULL;
}

bool picture_files_is(const char *path)
{
	return place_of(path) != NULL;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct picture_file *)a)->name, ((const struct picture_file *)b)->name);
}

/* In order of name, and no name twice. */
static int sort(const struct picture_files *p, struct picture_file *v, int64_t n, struct err *e)
{
	if (n)
		qsort(v, (size_t)n, sizeof *v, by_name);
	for (int64_t i = 1; i < n; i++)
		if (strcmp(v[i - 1].name, v[i].name) == 0) {
			SCOPED(free) char *item = picture_item(p, v[i].name);
			return err_set(e, "%s: two members have this name, and which is meant is not known", item);
		}
	return 0;
}

static void note(struct picture_files *p)
{
	int64_t at_top = 0;
	for (int64_t i = 0; i < p->n; i++)
		at_top += !strchr(p->v[i].name, '/');
	if (at_top && at_top < p->n) {
		picture_spell(&p->notes, p->path);
		str_addf(
			&p->notes,
			": %lld image%s at its top and %lld in sub-folders, all taken, as clean-fid does (pytorch-fid takes those "
			"at the top)\n",
			(long long)at_top, str_plural(at_top), (long long)(p->n - at_top));
	}
	if (!p->n_left_out)
		return;
	SCOPED(free) char *item = picture_item(p, p->left_out);
	int64_t more = p->n_left_out - 1;
	if (!more)
		str_addf(&p->notes, "%s: not an image, left out\n", item);
	else
		str_addf(&p->notes, "%s and %lld more file%s: not images, left out\n", item, (long long)more, str_plural(more));
}

static int list(struct picture_files *p, struct err *e)
{
	if (p->place->list(p, e) || sort(p, p->v, p->n, e) || sort(p, p->labels, p->n_labels, e))
		return -1;
	if (p->n > MAX_FILES)
		return err_set(e, "%s: more than %d pictures", p->path, MAX_FILES);
	if (!p->n && p->packed) {
		SCOPED(free) char *item = picture_item(p, p->packed);
		return err_set(e,
		               "%s: no images in it, but archives or files of arrays such as %s, which are not looked into: "
		               "unpack it, and the archives in it, and name a folder or one of the files",
		               p->path, item);
	}
	if (!p->n && p->left_out) {
		SCOPED(free) char *item = picture_item(p, p->left_out);
		return err_set(e, "%s: no images in it, but files such as %s", p->path, item);
	}
	note(p);
	return 0;
}

int picture_files_open(struct picture_files **out, const char *path, struct err *e)
{
	SCOPED(picture_files) struct picture_files *p = xcalloc(1, sizeof *p);
	p->place = place_of(path);
	p->path = xstrdup(path);
	if (!p->place)
		return err_set(e, "%s: not a folder, zip, tar or LMDB database", path);
	if (list(p, e))
		return -1;
	*out = p;
	p = NULL;
	return 0;
}

int picture_files_read(struct picture_files *p, int64_t i, struct image_u8 *im, struct err *e)
{
	const struct picture_file *f = &p->v[i];
	SCOPED(free) char *item = picture_item(p, f->name);
	SCOPED(str) struct str bytes = { 0 };
	if (p->place->read(p, f->at, f->size, f->name, &bytes, SOURCE_MAX_FILE, item, e))
		return -1;
	return image_u8_decode(im, (const uint8_t *)bytes.data, bytes.len, item, e);
}

int picture_files_labels(struct str *out, struct picture_files *p, const char *folder, size_t max, struct err *e)
{
	SCOPED(free) char *name = xstrfmt("%s%s", folder, PICTURE_LABELS), *item = picture_item(p, name);
	for (int64_t i = 0; i < p->n_labels; i++)
		if (strcmp(p->labels[i].name, name) == 0)
			return p->place->read(p, p->labels[i].at, p->labels[i].size, name, out, max, item, e);
	return 1;
}

static void free_names(struct picture_file *v, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		free(v[i].name);
	free(v);
}

void picture_files_free(struct picture_files *p)
{
	if (!p)
		return;
	if (p->self)
		p->place->close(p);
	free_names(p->v, p->n);
	free_names(p->labels, p->n_labels);
	str_release(&p->notes);
	free(p->left_out);
	free(p->packed);
	free(p->path);
	free(p);
}

void scoped_picture_files(struct picture_files **p)
{
	picture_files_free(*p);
}
