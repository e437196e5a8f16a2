/* mutate_zip.c - zip archives taken apart by libzip and written again, with checksums and sizes that fit, or with one
 * field of a header or of the directory that does not; see mutate.h. */
#include "tests/fuzz/mutate.h"

#include <stdlib.h>
#include <string.h>
#include <zip.h>
#include <zlib.h>

enum { PARTS_MAX = 32, PART_BYTES = 1 << 16, FIELDS_OF_PART = 36, FIELDS_AT_END = 16 };

struct part {
	struct str name, data;
	bool deflated;
};
struct parts {
	struct part v[PARTS_MAX];
	size_t n;
};

static void parts_release(struct parts *p)
{
	for (size_t i = 0; i < p->n; i++) {
		str_release(&p->v[i].name);
		str_release(&p->v[i].data);
	}
}

static void read_part(struct part *part, zip_t *zip, zip_uint64_t i)
{
	zip_stat_t st;
	char buf[4096];
	zip_int64_t got;
	zip_file_t *f = zip_fopen_index(zip, i, 0);
	const char *name = zip_get_name(zip, i, ZIP_FL_ENC_RAW);
	str_add(&part->name, name ? name : "");
	part->deflated = zip_stat_index(zip, i, 0, &st) == 0 && st.valid & ZIP_STAT_COMP_METHOD && st.comp_method;
	while (f && part->data.len < PART_BYTES && (got = zip_fread(f, buf, sizeof buf)) > 0)
		str_addn(&part->data, buf, (size_t)got);
	if (f)
		(void)zip_fclose(f);
}

static bool parts_read(struct parts *p, const void *bytes, size_t n)
{
	zip_source_t *source = zip_source_buffer_create(bytes, n, 0, NULL);
	zip_t *zip = source ? zip_open_from_source(source, ZIP_RDONLY, NULL) : NULL;
	if (!zip) {
		zip_source_free(source);
		return false;
	}
	zip_int64_t entries = zip_get_num_entries(zip, 0);
	for (zip_int64_t i = 0; i < entries && p->n < PARTS_MAX; i++)
		read_part(&p->v[p->n++], zip, (zip_uint64_t)i);
	zip_discard(zip);
	return p->n > 0;
}

/* --- writing: PKWARE's APPNOTE.TXT, 4.3 and 4.5.3 --- */

struct writer {
	struct str *out;
	bool zip64;
	uint32_t field, wrong; /* numbers written; the one that is replaced by `value` */
	uint64_t value;
};

static void put(struct writer *w, uint64_t v, int bytes)
{
	if (w->field++ == w->wrong)
		v = w->value;
	for (int i = 0; i < bytes; i++)
		str_addc(w->out, (char)(uint8_t)(v >> 8 * i));
}

static void deflate_into(struct str *out, const struct str *data)
{
	z_stream z = { 0 };
	if (deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		abort();
	uLong room = deflateBound(&z, (uLong)data->len);
	SCOPED(free) uint8_t *buf = xmalloc(room);
	z.next_in = (uint8_t *)data->data;
	z.avail_in = (uInt)data->len;
	z.next_out = buf;
	z.avail_out = (uInt)room;
	if (deflate(&z, Z_FINISH) != Z_STREAM_END)
		abort();
	str_addn(out, buf, z.total_out);
	(void)deflateEnd(&z);
}

/* What the local header and the directory's have in common; offset < 0: the local one. */
static void put_header(struct writer *w, const struct part *part, size_t packed, int64_t offset)
{
	bool central = offset >= 0;
	put(w, 20, 2);
	put(w, 0, 2);
	put(w, part->deflated ? 8 : 0, 2);
	put(w, 0, 2);
	put(w, 1 << 5 | 1, 2);
	put(w, crc32(0, (const uint8_t *)str_text(&part->data), (uInt)part->data.len), 4);
	put(w, w->zip64 ? UINT32_MAX : packed, 4);
	put(w, w->zip64 ? UINT32_MAX : part->data.len, 4);
	put(w, part->name.len, 2);
	put(w, w->zip64 ? central ? 28 : 20 : 0, 2); /* extra field */
	if (central) {
		put(w, 0, 2); /* comment, disk, attributes */
		put(w, 0, 2);
		put(w, 0, 2);
		put(w, 0, 4);
		put(w, w->zip64 ? UINT32_MAX : (uint64_t)offset, 4);
	}
	str_addn(w->out, str_text(&part->name), part->name.len);
	if (w->zip64) {
		put(w, 1, 2);
		put(w, central ? 24 : 16, 2);
		put(w, part->data.len, 8);
		put(w, packed, 8);
		if (central)
			put(w, (uint64_t)offset, 8);
	}
}

static void put_end(struct writer *w, size_t n, size_t at)
{
	size_t end = w->out->len, bytes = end - at;
	if (w->zip64) {
		put(w, 0x06064b50, 4);
		put(w, 44, 8);
		put(w, 45, 2);
		put(w, 45, 2);
		put(w, 0, 8); /* disks */
		put(w, n, 8);
		put(w, n, 8);
		put(w, bytes, 8);
		put(w, at, 8);
		put(w, 0x07064b50, 4); /* and where that record is */
		put(w, 0, 4);
		put(w, end, 8);
		put(w, 1, 4);
	}
	put(w, 0x06054b50, 4);
	put(w, 0, 4);
	put(w, w->zip64 ? UINT16_MAX : n, 2);
	put(w, w->zip64 ? UINT16_MAX : n, 2);
	put(w, w->zip64 ? UINT32_MAX : bytes, 4);
	put(w, w->zip64 ? UINT32_MAX : at, 4);
	put(w, 0, 2);
}

static void parts_write(struct writer *w, const struct parts *p)
{
	size_t at[PARTS_MAX], packed[PARTS_MAX];
	for (size_t i = 0; i < p->n; i++) {
		SCOPED(str) struct str data = { 0 };
		const struct part *part = &p->v[i];
		if (part->deflated)
			deflate_into(&data, &part->data);
		else
			str_addn(&data, str_text(&part->data), part->data.len);
		at[i] = w->out->len;
		packed[i] = data.len;
		put(w, 0x04034b50, 4);
		put_header(w, part, data.len, -1);
		str_addn(w->out, str_text(&data), data.len);
	}
	size_t directory = w->out->len;
	for (size_t i = 0; i < p->n; i++) {
		put(w, 0x02014b50, 4);
		put(w, 20, 2);
		put_header(w, &p->v[i], packed[i], (int64_t)at[i]);
	}
	put_end(w, p->n, directory);
}

static void copy_part(struct parts *p, const struct part *from)
{
	if (p->n == PARTS_MAX)
		return;
	struct part *to = &p->v[p->n++];
	str_addn(&to->name, str_text(&from->name), from->name.len);
	str_addn(&to->data, str_text(&from->data), from->data.len);
	to->deflated = from->deflated;
}

bool mutate_zip(struct str *out, const void *bytes, size_t n, struct dice *d, struct words names,
                mutate_member_fn *member)
{
	struct parts p = { .n = 0 };
	if (!parts_read(&p, bytes, n)) {
		parts_release(&p);
		return false;
	}
	struct part *part = &p.v[dice_below(d, (uint32_t)p.n)];
	struct writer w = { .out = out, .zip64 = dice_one_in(d, 8), .wrong = UINT32_MAX };
	switch (dice_below(d, 12)) {
	case 0: part->deflated = !part->deflated; break;
	case 1: copy_part(&p, part); break;
	case 2:
		if (dice_one_in(d, 2)) {
			str_release(&part->name);
			str_add(&part->name, dice_word(d, names));
		} else {
			mutate_bytes(&part->name);
		}
		break;
	case 3:
		w.wrong = dice_below(d, (uint32_t)p.n * FIELDS_OF_PART + FIELDS_AT_END);
		w.value = (uint64_t)dice_number(d);
		break;
	default: member(&part->data, str_text(&part->name), d);
	}
	parts_write(&w, &p);
	parts_release(&p);
	return true;
}
