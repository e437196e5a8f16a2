/* picture_zip.c - the files in a zip (picture_files.h). */
#include "metrics/sources/picture_place.h"

#include "model/base/mem.h"
#include "model/data/image_decode.h"
#include "model/formats/zip_members.h"

#include <stdio.h>
#include <string.h>

bool picture_zip_is(const char *path)
{
	SCOPED(file) FILE *f = fopen(path, "rbe");
	char head[4] = { 0 };
	return f && fread(head, 1, 4, f) == 4 && (memcmp(head, "PK\3\4", 4) == 0 || memcmp(head, "PK\5\6", 4) == 0);
}

static int meet(struct picture_files *p, int64_t i, struct err *e)
{
	const char *name = zip_members_name(p->self, i);
	size_t n = strlen(name);
	if (n == 0 || name[n - 1] == '/')
		return 0;
	int verdict = picture_judge(p, name, e);
	bool yes = verdict == PICTURE_YES;
	if (verdict < 0)
		return -1;
	if (verdict != PICTURE_HIDDEN && picture_is_labels(name))
		picture_add_labels(p, name, i, 0);
	if (verdict == PICTURE_LOOK) {
		SCOPED(free) char *item = picture_item(p, name);
		uint8_t head[IMAGE_HEAD];
		int got = zip_members_head(p->self, i, head, sizeof head, item, e);
		if (got < 0 || picture_look(p, &yes, name, head, (size_t)got, e))
			return -1;
	}
	if (yes)
		picture_add(p, name, i, 0);
	return 0;
}

static int zip_list(struct picture_files *p, struct err *e)
{
	struct zip_members *z;
	if (zip_members_open(&z, p->path, e))
		return -1;
	p->self = z;
	for (int64_t i = 0; i < zip_members_count(z); i++)
		if (meet(p, i, e))
			return -1;
	return 0;
}

static int zip_read(struct picture_files *p, int64_t at, int64_t size, const char *file, struct str *out, size_t max,
                    const char *name, struct err *e)
{
	(void)size;
	(void)file;
	return zip_members_read(p->self, at, out, max, name, e);
}

static void zip_close_members(struct picture_files *p)
{
	zip_members_free(p->self);
}

const struct picture_place picture_zip = {
	.text = "a zip of pictures", .between = ":", .list = zip_list, .read = zip_read, .close = zip_close_members
};
