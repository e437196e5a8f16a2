/* picture_folder.c - the files below a folder (picture_files.h). */
#define _GNU_SOURCE
#include "metrics/sources/picture_place.h"

#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/data/image_decode.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A folder on the way down. */
struct step {
	const struct step *up;
	dev_t dev;
	ino_t ino;
};

/* The names in a folder, sorted, so that of several faults always the same one is told. */
static int names_in(char ***names, int64_t *n, const char *folder, struct err *e)
{
	DIR *dir = opendir(folder);
	int64_t cap = 0;
	*names = NULL;
	*n = 0;
	if (!dir)
		return err_set(e, "%s: cannot open: %s", folder, strerror(errno));
	for (const struct dirent *d; (d = readdir(dir));)
		if (d->d_name[0] != '.')
			VEC_PUSH(*names, *n, cap) = xstrdup(d->d_name);
	(void)closedir(dir);
	if (*n)
		qsort(*names, (size_t)*n, sizeof **names, str_order);
	return 0;
}

static int head_of(uint8_t head[IMAGE_HEAD], size_t *n, const char *path, const char *item, struct err *e)
{
	SCOPED(file) FILE *f = fopen(path, "rbe");
	if (!f)
		return err_set(e, "%s: cannot open: %s", item, strerror(errno));
	*n = fread(head, 1, IMAGE_HEAD, f);
	return ferror(f) ? err_set(e, "%s: cannot read: %s", item, strerror(errno)) : 0;
}

static int meet_file(struct picture_files *p, const char *name, const char *path, const char *item, struct err *e)
{
	int verdict = picture_judge(p, name, e);
	uint8_t head[IMAGE_HEAD];
	size_t n = 0;
	bool yes = verdict == PICTURE_YES;
	if (verdict < 0)
		return -1;
	if (picture_is_labels(name))
		picture_add_labels(p, name, 0, 0);
	if (verdict == PICTURE_LOOK && (head_of(head, &n, path, item, e) || picture_look(p, &yes, name, head, n, e)))
		return -1;
	if (yes)
		picture_add(p, name, 0, 0);
	return 0;
}

static int walk(struct picture_files *p, const char *below, const struct step *up, struct err *e);

static int meet(struct picture_files *p, const char *name, const struct step *up, struct err *e)
{
	struct stat st;
	SCOPED(free) char *path = xstrfmt("%s/%s", p->path, name), *item = picture_item(p, name);
	if (stat(path, &st))
		return err_set(e, "%s: cannot open: %s", item, strerror(errno));
	if (S_ISREG(st.st_mode))
		return meet_file(p, name, path, item, e);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, "%s: not a regular file", item);
	SCOPED(free) char *deeper = xstrfmt("%s/", name);
	int verdict = picture_judge(p, deeper, e); /* hidden, too deep? */
	if (verdict < 0 || verdict == PICTURE_HIDDEN)
		return verdict < 0 ? -1 : 0;
	struct step here = { up, st.st_dev, st.st_ino };
	for (const struct step *s = up; s; s = s->up)
		if (s->dev == here.dev && s->ino == here.ino)
			return err_set(e, "%s: a link back to a folder that it lies in", item);
	return walk(p, deeper, &here, e);
}

static int walk(struct picture_files *p, const char *below, const struct step *up, struct err *e)
{
	SCOPED(free) char *folder = xstrfmt("%s/%s", p->path, below);
	char **names;
	int64_t n;
	int rc = names_in(&names, &n, folder, e);
	for (int64_t i = 0; i < n; i++) {
		SCOPED(free) char *name = xstrfmt("%s%s", below, names[i]);
		rc = rc ? rc : meet(p, name, up, e);
		free(names[i]);
	}
	free(names);
	return rc;
}

static int folder_list(struct picture_files *p, struct err *e)
{
	struct stat st;
	if (stat(p->path, &st))
		return err_set(e, "%s: cannot open: %s", p->path, strerror(errno));
	return walk(p, "", &(struct step){ NULL, st.st_dev, st.st_ino }, e);
}

static int folder_read(struct picture_files *p, int64_t at, int64_t size, const char *file, struct str *out, size_t max,
                       const char *name, struct err *e)
{
	(void)at;
	(void)size;
	(void)name; /* io_read's messages name the file */
	SCOPED(free) char *path = xstrfmt("%s/%s", p->path, file);
	return io_read(out, path, max, e);
}

const struct picture_place picture_folder = {
	.text = "a folder of pictures", .between = "/", .list = folder_list, .read = folder_read
};
