/* labelled_files.c - folders and zips of PNG and JPEG files with labels (labelled.h). */
#define _GNU_SOURCE
#include "harness/import/labelled.h"

#include "metrics/sources/sources.h"
#include "model/formats/zip_members.h"
#include "model/base/mem.h"
#include "model/data/label_file.h"
#include "model/data/image_decode.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 16, FILES_MAX = 20000000 };
#define LABELS_MAX_BYTES ((size_t)1 << 30)

/* A picture by its name below the place (or below train/ in it), and where it is in a zip. */
struct picture {
	char *name;
	int64_t member;
};
struct pictures {
	struct picture *v;
	int64_t n, cap;
	struct zip_members *zip; /* NULL: a folder */
	char *root;              /* "train/", or "" when the place has no splits */
};

static bool is_picture(const char *name)
{
	static const char *const endings[] = { ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp" };
	const char *dot = strrchr(name, '.'), *slash = strrchr(name, '/');
	if (!dot || (slash ? slash[1] : name[0]) == '.')
		return false;
	for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
		if (strcasecmp(dot, endings[i]) == 0)
			return true;
	return false;
}

static bool files_is(const char *path)
{
	if (io_is_dir(path))
		return true;
	SCOPED(file) FILE *f = fopen(path, "rbe");
	char head[4] = { 0 };
	return f && fread(head, 1, 4, f) == 4 && memcmp(head, "PK", 2) == 0;
}

/* ---- listing --------------------------------------------------------------------------------- */

static int walk(struct pictures *p, const char *folder, const char *below, int depth, struct err *e)
{
	SCOPED(free) char *full = xstrfmt("%s/%s", folder, below);
	DIR *dir = depth < MAX_DEPTH ? opendir(full) : NULL;
	if (!dir)
		return err_set(e, "%s: %s", full, depth < MAX_DEPTH ? strerror(errno) : "nested too deep");
	int rc = 0;
	for (const struct dirent *d; !rc && (d = readdir(dir));) {
		if (d->d_name[0] == '.')
			continue;
		SCOPED(free) char *name = xstrfmt("%s%s", below, d->d_name), *path = xstrfmt("%s/%s", folder, name);
		if (is_picture(name)) {
			VEC_PUSH(p->v, p->n, p->cap) = (struct picture){ xstrdup(name), -1 };
			rc = p->n > FILES_MAX ? err_set(e, "%s: more than %d files", folder, FILES_MAX) : 0;
		} else if (io_is_dir(path)) {
			SCOPED(free) char *deeper = xstrfmt("%s/", name);
			rc = walk(p, folder, deeper, depth + 1, e);
		}
	}
	(void)closedir(dir);
	return rc;
}

static int list_zip(struct pictures *p, const struct labelled *l, struct err *e)
{
	if (zip_members_open(&p->zip, l->path, e))
		return -1;
	for (int64_t i = 0; i < zip_members_count(p->zip); i++) {
		const char *name = zip_members_name(p->zip, i);
		if (is_picture(name))
			VEC_PUSH(p->v, p->n, p->cap) = (struct picture){ xstrdup(name), i };
	}
	return 0;
}

static bool begins(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* Keeps the split's pictures, with names below its folder. A place without such folders is all training set. */
static void keep_split(struct pictures *p, enum data_split split)
{
	static const char *const folders[][3] = {
		[SPLIT_TRAIN] = { "train/", NULL, NULL }, [SPLIT_TEST] = { "test/", "val/", "validation/" }
	};
	bool has_splits = false;
	const char *root = NULL;
	for (int s = 0; s < 2; s++)
		for (int k = 0; k < 3 && folders[s][k]; k++)
			for (int64_t i = 0; i < p->n; i++)
				if (begins(p->v[i].name, folders[s][k])) {
					has_splits = true;
					if (s == (int)split && !root)
						root = folders[s][k];
					break;
				}
	p->root = xstrdup(root ? root : "");
	int64_t n = 0;
	for (int64_t i = 0; i < p->n; i++) {
		bool kept = has_splits ? root && begins(p->v[i].name, root) : split == SPLIT_TRAIN;
		if (!kept) {
			free(p->v[i].name);
			continue;
		}
		memmove(p->v[i].name, p->v[i].name + strlen(p->root), strlen(p->v[i].name) - strlen(p->root) + 1);
		p->v[n++] = p->v[i];
	}
	p->n = n;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct picture *)a)->name, ((const struct picture *)b)->name);
}

/* ---- labels ---------------------------------------------------------------------------------- */

/* Bytes of dataset.json of this split; 1 when there is none. */
static int read_label_file(struct str *out, struct pictures *p, const struct labelled *l, struct err *e)
{
	SCOPED(free)
	char *name = xstrfmt("%sdataset.json", p->root), *path = xstrfmt("%s%s%s", l->path, p->zip ? ":" : "/", name);
	if (!p->zip)
		return io_exists(path) ? io_read(out, path, LABELS_MAX_BYTES, e) : 1;
	for (int64_t i = 0; i < zip_members_count(p->zip); i++)
		if (strcmp(zip_members_name(p->zip, i), name) == 0)
			return zip_members_read(p->zip, i, out, LABELS_MAX_BYTES, path, e);
	return 1;
}

static int labels_of_file(struct labelled *l, const struct str *text, struct err *e)
{
	struct pictures *p = l->self;
	struct label_file f;
	SCOPED(free) char *path = xstrfmt("%s: %sdataset.json", l->path, p->root);
	if (label_file_parse(&f, str_text(text), text->len, path, e))
		return -1;
	int rc = 0;
	for (int64_t i = 0; i < p->n && !rc && f.n; i++) {
		int label = label_file_find(&f, p->v[i].name);
		rc = label < 0 ? err_set(e, "%s: no label for %s", path, p->v[i].name) : labelled_set(l, i, label, e);
	}
	label_file_release(&f);
	return rc;
}

/* The part of a name that gives the class: the folder, or what stands before "_". Length; 0 = none. */
static size_t class_part(const char *name, enum label_rule rule)
{
	const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name;
	if (rule == LABELS_FOLDER)
		return slash ? (size_t)(slash - name) : 0;
	const char *line = strchr(base, '_');
	return line ? (size_t)(line - name) : 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int labels_of_names(struct labelled *l, enum label_rule rule, struct err *e)
{
	struct pictures *p = l->self;
	char **classes = NULL;
	int64_t n = 0, cap = 0, kept = 0;
	int rc = 0;
	for (int64_t i = 0; i < p->n; i++) {
		size_t len = class_part(p->v[i].name, rule);
		if (n == 0 || strlen(classes[n - 1]) != len || strncmp(classes[n - 1], p->v[i].name, len) != 0)
			VEC_PUSH(classes, n, cap) = xstrndup(p->v[i].name, len);
	}
	if (n)
		qsort(classes, (size_t)n, sizeof *classes, by_text);
	for (int64_t i = 0; i < n; i++) {
		if (kept && strcmp(classes[kept - 1], classes[i]) == 0)
			free(classes[i]);
		else
			classes[kept++] = classes[i];
	}
	for (int64_t i = 0; i < p->n && !rc; i++) {
		SCOPED(free) char *name = xstrndup(p->v[i].name, class_part(p->v[i].name, rule));
		char *key = name, **found = bsearch(&key, classes, (size_t)kept, sizeof *classes, by_text);
		rc = labelled_set(l, i, found - classes, e);
	}
	for (int64_t i = 0; i < kept; i++)
		free(classes[i]);
	free(classes);
	return rc;
}

/* Folders that EDM's tool creates only to keep folders small say nothing about classes: 00000/img00000000.png. */
static bool is_bucket(const char *name)
{
	size_t digits = strspn(name, "0123456789");
	return digits == 5 && begins(name + digits, "/img");
}

static bool has_class_folders(const struct pictures *p)
{
	for (int64_t i = 0; i < p->n; i++)
		if (!strchr(p->v[i].name, '/') || is_bucket(p->v[i].name))
			return false;
	return true;
}

static int find_labels(struct labelled *l, struct err *e)
{
	struct pictures *p = l->self;
	SCOPED(str) struct str text = { 0 };
	int absent = 1;
	if (l->rule == LABELS_AUTO || l->rule == LABELS_JSON)
		absent = read_label_file(&text, p, l, e);
	if (absent < 0)
		return -1;
	if (!absent)
		return labels_of_file(l, &text, e);
	if (l->rule == LABELS_JSON)
		return err_set(e, "%s: contains no %sdataset.json", l->path, p->root);
	if (l->rule == LABELS_FOLDER || l->rule == LABELS_PREFIX)
		return labels_of_names(l, l->rule, e);
	return l->rule == LABELS_AUTO && has_class_folders(p) ? labels_of_names(l, LABELS_FOLDER, e) : 0;
}

/* ---- the kind -------------------------------------------------------------------------------- */

static int files_open(struct labelled *l, struct err *e)
{
	struct pictures *p = l->self = xcalloc(1, sizeof *p);
	if (io_is_dir(l->path) ? walk(p, l->path, "", 0, e) : list_zip(p, l, e))
		return -1;
	bool any = p->n > 0;
	keep_split(p, l->split);
	if (!any)
		return err_set(e, "%s: contains no PNG or JPEG images", l->path);
	l->labels = xcalloc((size_t)p->n + 1, sizeof *l->labels);
	l->n = p->n;
	if (p->n == 0)
		return 0;
	qsort(p->v, (size_t)p->n, sizeof *p->v, by_name);
	for (int64_t i = 0; i < p->n && !p->zip; i++) {
		SCOPED(free) char *path = xstrfmt("%s/%s%s", l->path, p->root, p->v[i].name);
		labelled_reads(l, path);
	}
	return find_labels(l, e);
}

static int files_read(struct labelled *l, int64_t i, struct image_u8 *im, struct err *e)
{
	const struct pictures *p = l->self;
	SCOPED(free) char *name = xstrfmt("%s%s%s%s", l->path, p->zip ? ":" : "/", p->root, p->v[i].name);
	SCOPED(str) struct str file = { 0 };
	if (p->zip ? zip_members_read(p->zip, p->v[i].member, &file, SOURCE_MAX_FILE, name, e)
	           : io_read(&file, name, SOURCE_MAX_FILE, e))
		return -1;
	return image_u8_decode(im, (const uint8_t *)file.data, file.len, name, e);
}

static void files_close(struct labelled *l)
{
	struct pictures *p = l->self;
	for (int64_t i = 0; i < p->n; i++)
		free(p->v[i].name);
	free(p->v);
	free(p->root);
	zip_members_free(p->zip);
	free(p);
}

const struct labelled_kind labelled_files = { "files", files_is, files_open, files_read, true, files_close };
