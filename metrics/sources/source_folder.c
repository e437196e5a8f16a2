/* source_folder.c - a folder of PNG and JPEG files: not recursive, lower-case extensions, sorted by name, which is
 * what pytorch-fid reads. A file of another kind is left out with a note; a format that pytorch-fid would read and we
 * do not is an error, because leaving it out would change the number. */
#define _GNU_SOURCE
#include "metrics/sources/sources.h"

#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/base/str.h"
#include "model/data/image_decode.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct folder {
	char **names;
	int64_t n, cap;
};

static bool folder_is(const char *path, const uint8_t *head, size_t n)
{
	(void)head;
	(void)n;
	return io_is_dir(path);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int folder_open(struct source *s, struct err *e)
{
	DIR *dir = opendir(s->path);
	if (!dir)
		return err_set(e, "%s: cannot open: %s", s->path, strerror(errno));
	struct folder *f = s->self = xcalloc(1, sizeof *f);
	int64_t n_folders = 0, n_left_out = 0, n_refused = 0;
	SCOPED(free) char *left_out = NULL; /* the first by name, so that the text does not depend on the file system */
	SCOPED(free) char *refused = NULL;
	const struct dirent *entry;
	while ((entry = readdir(dir))) {
		SCOPED(free) char *full = xstrfmt("%s/%s", s->path, entry->d_name);
		if (entry->d_name[0] == '.')
			continue;
		if (io_is_dir(full)) {
			n_folders++;
			continue;
		}
		enum source_name verdict = source_judge_name(entry->d_name);
		char **first = verdict == SOURCE_REFUSE ? &refused : &left_out;
		if (verdict == SOURCE_IMAGE) {
			VEC_PUSH(f->names, f->n, f->cap) = xstrdup(entry->d_name);
			continue;
		}
		n_left_out += verdict == SOURCE_SKIP_WITH_NOTE;
		n_refused += verdict == SOURCE_REFUSE;
		if (verdict != SOURCE_SKIP_QUIETLY && (!*first || strcmp(entry->d_name, *first) < 0)) {
			free(*first);
			*first = xstrdup(entry->d_name);
		}
	}
	(void)closedir(dir);
	if (n_refused)
		return err_set(e, "%s/%s: only PNG and JPEG images are read; convert it to PNG", s->path, refused);
	if (n_left_out == 1)
		str_addf(&s->notes, "%s/%s: not an image, left out\n", s->path, left_out);
	else if (n_left_out > 1)
		str_addf(&s->notes, "%s/%s and %lld more file%s: not images, left out\n", s->path, left_out,
		         (long long)n_left_out - 1, str_plural(n_left_out - 1));
	if (f->n == 0 && n_folders)
		return err_set(e, "%s: no images in it, only %lld sub-folders, which are not searched", s->path,
		               (long long)n_folders);
	if (f->n == 0 && left_out)
		return err_set(e, "%s: no images in it, but files such as %s", s->path, left_out);
	if (f->n)
		qsort(f->names, (size_t)f->n, sizeof *f->names, by_name);
	s->n = f->n;
	return 0;
}

static void folder_item(const struct source *s, int64_t i, struct str *out)
{
	const struct folder *f = s->self;
	str_addf(out, "%s/%s", s->path, f->names[i]);
}

static int folder_read(struct source *s, int64_t i, struct image_u8 *im, struct err *e)
{
	SCOPED(free) char *path = source_item(s, i);
	SCOPED(str) struct str file = { 0 };
	if (io_is_special(path))
		return err_set(e, "%s: not a regular file", path);
	if (io_read(&file, path, SOURCE_MAX_FILE, e))
		return -1;
	return image_u8_decode(im, (const uint8_t *)file.data, file.len, path, e);
}

static void folder_close(struct source *s)
{
	struct folder *f = s->self;
	for (int64_t i = 0; i < f->n; i++)
		free(f->names[i]);
	free(f->names);
	free(f);
}

const struct source_kind source_folder = {
	.name = "folder",
	.text = "a folder of PNG and JPEG files",
	.is = folder_is,
	.open = folder_open,
	.read = folder_read,
	.parallel = true,
	.item = folder_item,
	.close = folder_close,
};
