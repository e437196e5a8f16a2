/* labelled_files.c - folders, zips and tars of pictures with labels, and LMDB databases without (labelled.h). Which
 * files are pictures is said by metrics/sources/picture_files.h. */
#include "harness/import/labelled.h"

#include "metrics/sources/class_labels.h"
#include "metrics/sources/picture_files.h"
#include "model/base/mem.h"
#include "model/data/label_file.h"

#include <stdlib.h>
#include <string.h>

/* A picture by its name below the place (or below train/ in it), and which one of the place it is. */
struct picture {
	const char *name;
	int64_t at;
};
struct pictures {
	struct picture *v; /* those of the split */
	int64_t n;
	struct picture_files *files;
	char *root; /* "train/", or "" when the place has no splits */
};

static bool begins(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* The folders of each split, by the names that they have in published sets. */
static const struct {
	const char *name;
	enum data_split split;
} split_folders[] = {
	{ "train/", SPLIT_TRAIN }, { "test/", SPLIT_TEST }, { "val/", SPLIT_TEST }, { "validation/", SPLIT_TEST }
};
enum { N_FOLDERS = sizeof split_folders / sizeof *split_folders };

/* Which of them a picture lies in; -1 = none. */
static int folder_of(const char *name)
{
	for (int k = 0; k < N_FOLDERS; k++)
		if (begins(name, split_folders[k].name))
			return k;
	return -1;
}

/* Length of "set/" where everything lies in one folder, as archives are mostly packed: what counts is what is in it. 0
 * where there is none, where it is a split, or where labels lie beside it. */
static size_t common_folder(const struct picture_files *f)
{
	const char *slash = strchr(f->v[0].name, '/');
	size_t n = slash ? (size_t)(slash - f->v[0].name) + 1 : 0;
	if (!n || folder_of(f->v[0].name) >= 0)
		return 0;
	for (int64_t i = 1; i < f->n; i++)
		if (strncmp(f->v[i].name, f->v[0].name, n) != 0)
			return 0;
	for (int64_t i = 0; i < f->n_labels; i++)
		if (strncmp(f->labels[i].name, f->v[0].name, n) != 0)
			return 0;
	return n;
}

/* The split's folder: -1 where the place has no splits at all, N_FOLDERS where it has only the other one. *outside: a
 * picture that lies in none, or -1. */
static int find_folder(int *folder, int64_t *outside, const struct picture_files *f, size_t top, enum data_split split,
                       struct err *e)
{
	bool any = false;
	*folder = -1;
	*outside = -1;
	for (int64_t i = 0; i < f->n; i++) {
		int k = folder_of(f->v[i].name + top);
		any |= k >= 0;
		if (k < 0 && *outside < 0)
			*outside = i;
		if (k < 0 || split_folders[k].split != split || k == *folder)
			continue;
		if (*folder >= 0)
			return err_set(e, "%s: images in %s and in %s: which are the test set? Move the others elsewhere", f->path,
			               split_folders[*folder].name, split_folders[k].name);
		*folder = k;
	}
	if (any && *folder < 0)
		*folder = N_FOLDERS;
	return 0;
}

/* Keeps the split's pictures, with names below its folder. A place without such folders is all training set; where
 * there are some, a picture in none of them is an error, not left out. */
static int keep_split(struct pictures *p, enum data_split split, struct err *e)
{
	const struct picture_files *f = p->files;
	size_t top = common_folder(f);
	int64_t outside;
	int folder;
	if (find_folder(&folder, &outside, f, top, split, e))
		return -1;
	if (folder >= 0 && outside >= 0) {
		SCOPED(free) char *item = picture_item(f, f->v[outside].name);
		return err_set(e, "%s: in none of the folders train, test, val and validation, which the place has", item);
	}
	p->root = xstrfmt("%.*s%s", (int)top, f->v[0].name,
	                  folder >= 0 && folder < N_FOLDERS ? split_folders[folder].name : "");
	p->v = xcalloc((size_t)f->n + 1, sizeof *p->v);
	for (int64_t i = 0; i < f->n; i++)
		if (folder < 0 ? split == SPLIT_TRAIN : folder_of(f->v[i].name + top) == folder)
			p->v[p->n++] = (struct picture){ f->v[i].name + strlen(p->root), i };
	return 0;
}

/* ---- labels ---------------------------------------------------------------------------------- */

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

static int labels_of_names(struct labelled *l, enum label_rule rule, struct err *e)
{
	struct pictures *p = l->self;
	SCOPED(class_labels) struct class_labels classes = { 0 };
	char **name = xmalloc(sizeof *name * (size_t)(p->n + 1));
	for (int64_t i = 0; i < p->n; i++)
		name[i] = xstrndup(p->v[i].name, class_part(p->v[i].name, rule));
	class_labels_of_names(&classes, name, p->n);
	int rc = 0;
	for (int64_t i = 0; i < p->n && !rc; i++)
		rc = labelled_set(l, i, classes.of[i], e);
	return rc;
}

static bool has_class_folders(const struct pictures *p)
{
	for (int64_t i = 0; i < p->n; i++)
		if (!class_folder_in(p->v[i].name))
			return false;
	return true;
}

static int find_labels(struct labelled *l, struct err *e)
{
	struct pictures *p = l->self;
	SCOPED(str) struct str text = { 0 };
	int absent = 1;
	if (l->rule == LABELS_AUTO || l->rule == LABELS_JSON)
		absent = picture_files_labels(&text, p->files, p->root, PICTURE_LABELS_MAX, e);
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
	if (picture_files_open(&p->files, l->path, e))
		return -1;
	if (p->files->n == 0)
		return err_set(e, "%s: contains no images (read as %s)", l->path, p->files->place->text);
	str_add(&l->notes, str_text(&p->files->notes));
	if (keep_split(p, l->split, e))
		return -1;
	l->labels = xcalloc((size_t)p->n + 1, sizeof *l->labels);
	l->n = p->n;
	if (p->n == 0)
		return 0;
	for (int64_t i = 0; i < p->n && p->files->place == &picture_folder; i++) {
		SCOPED(free) char *path = xstrfmt("%s/%s%s", l->path, p->root, p->v[i].name);
		labelled_reads(l, path);
	}
	return find_labels(l, e);
}

static int files_read(struct labelled *l, int64_t i, struct image_u8 *im, struct err *e)
{
	const struct pictures *p = l->self;
	return picture_files_read(p->files, p->v[i].at, im, e);
}

static void files_close(struct labelled *l)
{
	struct pictures *p = l->self;
	picture_files_free(p->files);
	free(p->v);
	free(p->root);
	free(p);
}

const struct labelled_kind labelled_files = { "files", picture_files_is, files_open, files_read, true, files_close };
