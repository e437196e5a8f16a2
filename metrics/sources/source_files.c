/* source_files.c - the pictures in a folder, a zip, a tar or an LMDB database (picture_files.h) as a source. */
#include "metrics/sources/class_labels.h"
#include "metrics/sources/picture_files.h"
#include "model/base/mem.h"
#include "model/data/label_file.h"

#include <string.h>

static bool files_is(struct source *s, const uint8_t *head, size_t n)
{
	(void)head;
	(void)n;
	return picture_files_is(s->path);
}

static int files_open(struct source *s, struct err *e)
{
	struct picture_files *p;
	if (picture_files_open(&p, s->path, e))
		return -1;
	s->self = p;
	s->n = p->n;
	str_add(&s->notes, str_text(&p->notes));
	return 0;
}

static int files_read(struct source *s, int64_t i, struct image_u8 *im, struct err *e)
{
	return picture_files_read(s->self, i, im, e);
}

static void files_item(const struct source *s, int64_t i, struct str *out)
{
	const struct picture_files *p = s->self;
	SCOPED(free) char *item = picture_item(p, p->v[i].name);
	str_add(out, item);
}

/* ---- classes ---------------------------------------------------------------------------------------------------- */

/* Length of "set/" or "set/train/" in which all pictures lie, each still in a folder below it, as archives are packed:
 * what names a class is what comes after. 0: there is none. */
static size_t common_folders(const struct picture_files *p)
{
	for (size_t at = 0;;) {
		const char *first = p->v[0].name, *slash = strchr(first + at, '/');
		size_t next = slash ? (size_t)(slash - first) + 1 : 0;
		for (int64_t i = 0; next && i < p->n; i++)
			if (strncmp(p->v[i].name, first, next) != 0 || !strchr(p->v[i].name + next, '/'))
				next = 0;
		if (!next)
			return at;
		at = next;
	}
}

static int labels_of_json(struct class_labels *out, const struct picture_files *p, const char *folder,
                          const struct str *text, struct err *e)
{
	struct label_file f;
	SCOPED(free) char *name = xstrfmt("%s" PICTURE_LABELS, folder), *item = picture_item(p, name);
	if (label_file_parse(&f, str_text(text), text->len, item, e))
		return -1;
	int rc = 0;
	if (f.n)
		class_labels_init(out, p->n);
	for (int64_t i = 0; i < out->n && !rc; i++) {
		out->of[i] = label_file_find(&f, p->v[i].name + strlen(folder));
		rc = out->of[i] < 0 ? err_set(e, "%s: no label for %s", item, p->v[i].name + strlen(folder)) : 0;
	}
	label_file_release(&f);
	return rc;
}

static int files_labels(struct class_labels *out, struct source *s, struct err *e)
{
	struct picture_files *p = s->self;
	SCOPED(str) struct str text = { 0 };
	size_t common = common_folders(p);
	SCOPED(free) char *folder = xstrndup(p->v[0].name, common);
	/* beside the pictures' common folders, or in the deepest of them */
	int absent = picture_files_labels(&text, p, "", PICTURE_LABELS_MAX, e);
	if (absent == 0)
		return labels_of_json(out, p, "", &text, e);
	if (absent > 0 && common)
		absent = picture_files_labels(&text, p, folder, PICTURE_LABELS_MAX, e);
	if (absent <= 0)
		return absent < 0 ? -1 : labels_of_json(out, p, folder, &text, e);
	for (int64_t i = 0; i < p->n; i++)
		if (!class_folder_in(p->v[i].name + common))
			return 0;
	char **name = xmalloc(sizeof *name * (size_t)p->n);
	for (int64_t i = 0; i < p->n; i++) {
		const char *below = p->v[i].name + common;
		SCOPED(free) char *class = xstrndup(below, (size_t)(strrchr(below, '/') - below));
		SCOPED(str) struct str spelled = { 0 };
		picture_spell(&spelled, class);
		name[i] = str_detach(&spelled);
	}
	class_labels_of_names(out, name, p->n);
	return 0;
}

static void files_close(struct source *s)
{
	picture_files_free(s->self);
}

const struct source_kind source_files = {
	.name = "files",
	.text = "a folder, zip, tar or LMDB database of pictures",
	.is = files_is,
	.open = files_open,
	.read = files_read,
	.parallel = true,
	.item = files_item,
	.labels = files_labels,
	.close = files_close,
};
