/* source_zip.c - a zip of PNG and JPEG files at any depth, sorted by name. Nothing is ever extracted, and yet a member
 * whose name would leave the folder it is unpacked in is refused: such an archive is not what it says it is. */
#include "sources.h"

#include "model/base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <zip.h>

#define ZIP_MAX_MEMBERS 20000000

struct member { char *name; zip_uint64_t index; };
struct zip_source { zip_t *zip; struct member *members; int64_t n, cap; uint8_t *bytes; size_t room; };

static bool zip_is(const char *path, const uint8_t *head, size_t n)
{
	(void)path;
	return n >= 4 && head[0] == 'P' && head[1] == 'K' && ((head[2] == 3 && head[3] == 4) || (head[2] == 5 && head[3] == 6));
}

/* Absolute, with a drive or a backslash, or with a ".." component. */
static bool escapes(const char *name)
{
	if (name[0] == '/' || strchr(name, '\\') || strchr(name, ':'))
		return true;
	for (const char *p = name; p; p = strchr(p, '/') ? strchr(p, '/') + 1 : NULL)
		if (strncmp(p, "..", 2) == 0 && (p[2] == '/' || p[2] == '\0'))
			return true;
	return false;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct member *)a)->name, ((const struct member *)b)->name);
}

static int images_open(struct source *s, struct err *e)
{
	int code = 0;
	zip_t *zip = zip_open(s->path, ZIP_RDONLY, &code);
	if (!zip) {
		zip_error_t why;
		zip_error_init_with_code(&why, code);
		(void)err_set(e, "%s: not readable as zip: %s", s->path, zip_error_strerror(&why));
		zip_error_fini(&why);
		return -1;
	}
	struct zip_source *z = s->self = xcalloc(1, sizeof *z);
	z->zip = zip;
	zip_int64_t n = zip_get_num_entries(zip, 0);
	if (n > ZIP_MAX_MEMBERS)
		return err_set(e, "%s: %lld members", s->path, (long long)n);
	int64_t n_left_out = 0;
	const char *left_out = NULL;
	for (zip_int64_t i = 0; i < n; i++) {
		const char *name = zip_get_name(zip, (zip_uint64_t)i, 0);
		if (!name)
			return err_set(e, "%s: member %lld has no readable name", s->path, (long long)i);
		if (escapes(name))
			return err_set(e, "%s: member '%s' points outside the archive; refused", s->path, name);
		enum source_name verdict = source_judge_name(name);
		if (verdict == SOURCE_REFUSE)
			return err_set(e, "%s: member '%s': only PNG and JPEG images are read; convert it to PNG", s->path, name);
		if (verdict == SOURCE_IMAGE)
			VEC_PUSH(z->members, z->n, z->cap) = (struct member){ xstrdup(name), (zip_uint64_t)i };
		else if (verdict == SOURCE_SKIP_WITH_NOTE && n_left_out++ == 0)
			left_out = name;
	}
	if (n_left_out)
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
	struct zip_source *z = s->self;
	SCOPED(free) char *name = source_item(s, i);
	zip_stat_t st;
	if (zip_stat_index(z->zip, z->members[i].index, 0, &st) || !(st.valid & ZIP_STAT_SIZE))
		return err_set(e, "%s: its size is not recorded", name);
	if (st.size > SOURCE_MAX_FILE)
		return err_set(e, "%s: larger than %zu bytes", name, SOURCE_MAX_FILE);
	if (st.size > z->room) {
		free(z->bytes);
		z->bytes = xmalloc((size_t)st.size);
		z->room = (size_t)st.size;
	}
	zip_file_t *f = zip_fopen_index(z->zip, z->members[i].index, 0);
	if (!f)
		return err_set(e, "%s: cannot open: %s", name, zip_strerror(z->zip));
	size_t n = 0;
	zip_int64_t got = 0;
	while (n < st.size && (got = zip_fread(f, z->bytes + n, st.size - n)) > 0)
		n += (size_t)got;
	/* One more read makes libzip compare the checksum. */
	uint8_t extra;
	if (got >= 0 && n == st.size)
		got = zip_fread(f, &extra, 1);
	if (got < 0)
		(void)err_set(e, "%s: damaged: %s", name, zip_file_strerror(f));
	(void)zip_fclose(f);
	if (got < 0)
		return -1;
	if (n < st.size || got > 0)
		return err_set(e, "%s: not of the size that the archive records", name);
	return image_u8_decode(im, z->bytes, n, name, e);
}

static void images_close(struct source *s)
{
	struct zip_source *z = s->self;
	for (int64_t i = 0; i < z->n; i++)
		free(z->members[i].name);
	free(z->members);
	free(z->bytes);
	zip_discard(z->zip);
	free(z);
}

const struct source_kind source_zip = {
	.name = "zip", .text = "a zip of PNG and JPEG files", .is = zip_is, .open = images_open, .read = images_read,
	.item = images_item, .close = images_close,
};
