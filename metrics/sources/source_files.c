/* source_files.c - the pictures in a folder, a zip or a tar (picture_files.h) as a source. */
#include "metrics/sources/sources.h"

#include "metrics/sources/picture_files.h"
#include "model/base/mem.h"

static bool files_is(const char *path, const uint8_t *head, size_t n)
{
	(void)head;
	(void)n;
	return picture_files_is(path);
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

static void files_close(struct source *s)
{
	picture_files_free(s->self);
}

const struct source_kind source_files = {
	.name = "files",
	.text = "a folder, zip or tar of pictures",
	.is = files_is,
	.open = files_open,
	.read = files_read,
	.parallel = true,
	.item = files_item,
	.close = files_close,
};
