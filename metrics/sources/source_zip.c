/* source_zip.c - a zip of PNG and JPEG files at any depth, sorted by name. */
#include "metrics/sources/sources.h"

#include "model/base/mem.h"
#include "model/formats/zip_members.h"
#include "model/data/image_decode.h"

#include <stdlib.h>
#include <string.h>

struct member {
	const char *name;
	int64_t index;
};
struct zip_source {
	struct zip_members *zip;
	struct member *members;
	int64_t n, cap;
};

static bool zip_is(const char *path, const uint8_t *head, size_t n)
{
	(void)path;
	return n >= 4 && head[0] == 'P' && head[1] == 'K' &&
	       ((head[2] == 3 && head[3] == 4) || (head[2] == 5 && head[3] == 6));
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct member *)a)->name, ((const struct member *)b)->name);
}

static int images_open(struct source *s, struct err *e)
{
	struct zip_source *z = s->self = xcalloc(1, sizeof *z);
	if (zip_members_open(&z->zip, s->path, e))
		return -1;
	int64_t n_left_out = 0;
	const char *left_out = NULL;
	for (int64_t i = 0; i < zip_members_count(z->zip); i++) {
		const char *name = zip_members_name(z->zip, i);
		enum source_name verdict = source_judge_name(name);
		if (verdict == SOURCE_REFUSE)
			return err_set(e, "%s: member '%s': only PNG and JPEG images are read; convert it to PNG", s->path, name);
		if (verdict == SOURCE_IMAGE)
			VEC_PUSH(z->members, z->n, z->cap) = (struct member){ name, i };
		else if (verdict == SOURCE_SKIP_WITH_NOTE && n_left_out++ == 0)
			left_out = name;
	}
	if (n_left_out == 1)
		str_addf(&s->notes, "%s: member '%s' is not an image, left out\n", s->path, left_out);
	else if (n_left_out)
		str_addf(&s->notes, "%s: %lld members such as '%s' are not images, left out\n", s->path, (long long)n_left_out,
		         left_out);
	if (z->n)
		qsort(z->members, (size_t)z->n, sizeof *z->members, by_name);
	s->n = z->n;
	return 0;
}

static void images_item(const struct source *s, int64_t i, struct str *out)
{
	const struct zip_source *z = s->self;
	str_addf(out, "%s:%s", s->path, z->members[i].name);
}

static int images_read(struct source *s, int64_t i, struct image_u8 *im, struct err *e)
{
	const struct zip_source *z = s->self;
	SCOPED(free) char *name = source_item(s, i);
	SCOPED(str) struct str file = { 0 };
	if (zip_members_read(z->zip, z->members[i].index, &file, SOURCE_MAX_FILE, name, e))
		return -1;
	return image_u8_decode(im, (const uint8_t *)file.data, file.len, name, e);
}

static void images_close(struct source *s)
{
	struct zip_source *z = s->self;
	free(z->members);
	zip_members_free(z->zip);
	free(z);
}

const struct source_kind source_zip = {
	.name = "zip",
	.text = "a zip of PNG and JPEG files",
	.is = zip_is,
	.open = images_open,
	.read = images_read,
	.parallel = true,
	.item = images_item,
	.close = images_close,
};
