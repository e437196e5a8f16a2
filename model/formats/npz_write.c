/* npz_write.c - writing .npz: a zip of stored members with the date set to 1980-01-01, so that equal arrays give equal
 * bytes. Arrays of 4 GiB and more are refused (zip64 is not written). */
#include "model/formats/npz.h"

#include "model/base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

int npz_create(struct npz_writer *out, const char *path, struct err *e)
{
	*out = (struct npz_writer){ 0 };
	return io_atomic_open(&out->file, path, e);
}

static void put(struct str *s, uint64_t v, int bytes)
{
	for (int i = 0; i < bytes; i++)
		str_addc(s, (char)(uint8_t)(v >> (8 * i)));
}

/* The fields that the local and the central header share. */
static void put_common(struct str *s, uint32_t crc, uint64_t size, size_t name_len)
{
	put(s, 20, 2);         /* version needed */
	put(s, 0, 2);          /* flags */
	put(s, 0, 2);          /* stored */
	put(s, 0, 2);          /* time */
	put(s, 1 << 5 | 1, 2); /* date */
	put(s, crc, 4);
	put(s, size, 4);
	put(s, size, 4);
	put(s, name_len, 2);
	put(s, 0, 2); /* extra field */
}

static uint32_t crc_of(uint32_t crc, const void *data, size_t n)
{
	const uint8_t *p = data;
	while (n) {
		uInt k = n < 1u << 30 ? (uInt)n : 1u << 30;
		crc = (uint32_t)crc32(crc, p, k);
		p += k;
		n -= k;
	}
	return crc;
}

static size_t item_of(const char *descr)
{
	long item = strtol(descr + 2, NULL, 10);
	REQUIRE(item > 0);
	return (size_t)item;
}

int npz_add(struct npz_writer *w, const char *key, const char *descr, const int64_t *dims, int n_dims, const void *data,
            struct err *e)
{
	SCOPED(str) struct str front = { 0 }, head = { 0 };
	SCOPED(free) char *member = xstrfmt("%s.npy", key);
	npy_header(&head, descr, dims, n_dims);
	size_t n = item_of(descr);
	for (int i = 0; i < n_dims; i++)
		n *= (size_t)dims[i];
	uint64_t size = (uint64_t)n + head.len;
	if (w->at + size > 0xffff0000u) {
		(void)err_set(e, "%s: larger than 4 GiB, which a plain zip cannot hold", w->file.path);
		npz_abort(w);
		return -1;
	}
	uint32_t crc = crc_of(crc_of(0, head.data, head.len), data, n);
	put(&front, 0x04034b50, 4);
	put_common(&front, crc, size, strlen(member));
	str_add(&front, member);
	put(&w->central, 0x02014b50, 4);
	put(&w->central, 20, 2);
	put_common(&w->central, crc, size, strlen(member));
	put(&w->central, 0, 2); /* comment */
	put(&w->central, 0, 2); /* disk */
	put(&w->central, 0, 2); /* internal attributes */
	put(&w->central, 0, 4); /* external attributes */
	put(&w->central, w->at, 4);
	str_add(&w->central, member);
	if (io_atomic_write(&w->file, front.data, front.len, e) || io_atomic_write(&w->file, head.data, head.len, e) ||
	    io_atomic_write(&w->file, data, n, e)) {
		npz_abort(w);
		return -1;
	}
	w->at += front.len + size;
	w->n++;
	return 0;
}

int npz_add_text(struct npz_writer *w, const char *key, const char *text, struct err *e)
{
	char descr[32];
	(void)snprintf(descr, sizeof descr, "|S%zu", strlen(text) ? strlen(text) : 1);
	return npz_add(w, key, descr, NULL, 0, text, e);
}

int npz_commit(struct npz_writer *w, struct err *e)
{
	uint64_t central_at = w->at, central_n = w->central.len;
	put(&w->central, 0x06054b50, 4);
	put(&w->central, 0, 4); /* disks */
	put(&w->central, (uint64_t)w->n, 2);
	put(&w->central, (uint64_t)w->n, 2);
	put(&w->central, central_n, 4);
	put(&w->central, central_at, 4);
	put(&w->central, 0, 2);
	int r = io_atomic_write(&w->file, w->central.data, w->central.len, e) || io_atomic_commit(&w->file, e) ? -1 : 0;
	npz_abort(w);
	return r;
}

void npz_abort(struct npz_writer *w)
{
	io_atomic_abort(&w->file);
	str_release(&w->central);
}
