/* safetensors_write.c - the deterministic, atomic writer of safetensors.h. */
#include "model/formats/safetensors.h"

#include "model/base/mem.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define HASH_CHUNK ((size_t)1 << 20) /* hash a piece while it is in cache, then write it */

static int payload_order(const void *a, const void *b)
{
	const struct st_tensor *x = *(const struct st_tensor *const *)a, *y = *(const struct st_tensor *const *)b;
	size_t p = st_dtype_size(x->dtype), q = st_dtype_size(y->dtype);
	return p != q ? (p > q ? -1 : 1) : strcmp(x->name, y->name);
}

static int key_order(const void *a, const void *b)
{
	return strcmp((*(const struct st_meta *const *)a)->key, (*(const struct st_meta *const *)b)->key);
}

/* Text that is not UTF-8 has no JSON form; it comes from our callers, so it is their mistake. */
static json_t *text(const char *s)
{
	json_t *t = json_string(s);
	if (!t)
		BUG("not UTF-8: %s", s);
	return t;
}

static void add_metadata(json_t *header, const struct st_meta *meta, size_t n_meta)
{
	SCOPED(free) const struct st_meta **order = xcalloc(n_meta, sizeof *order);
	for (size_t i = 0; i < n_meta; i++)
		order[i] = &meta[i];
	qsort(order, n_meta, sizeof *order, key_order);
	json_t *object = json_object();
	for (size_t i = 0; i < n_meta; i++)
		REQUIRE(json_object_set_new(object, order[i]->key, text(order[i]->value)) == 0);
	REQUIRE(json_object_size(object) == n_meta);
	REQUIRE(json_object_set_new(header, "__metadata__", object) == 0);
}

static void add_tensor(json_t *header, const struct st_tensor *t, size_t begin)
{
	json_t *entry = json_object(), *shape = json_array(), *offsets = json_array();
	for (int i = 0; i < t->n_dims; i++)
		REQUIRE(json_array_append_new(shape, json_integer(t->dims[i])) == 0);
	REQUIRE(json_array_append_new(offsets, json_integer((json_int_t)begin)) == 0);
	REQUIRE(json_array_append_new(offsets, json_integer((json_int_t)(begin + st_bytes(t)))) == 0);
	REQUIRE(json_object_set_new(entry, "dtype", text(st_dtype_name(t->dtype))) == 0);
	REQUIRE(json_object_set_new(entry, "shape", shape) == 0);
	REQUIRE(json_object_set_new(entry, "data_offsets", offsets) == 0);
	REQUIRE(json_object_set_new(header, t->name, entry) == 0);
}

/* The 8-byte length and the JSON, padded with spaces so that the payload begins on a multiple of 8. */
static void build_header(struct str *out, const struct st_tensor *const *order, size_t n, const struct st_meta *meta,
                         size_t n_meta)
{
	json_t *header = json_object();
	if (n_meta)
		add_metadata(header, meta, n_meta);
	size_t at = 0;
	for (size_t i = 0; i < n; i++) {
		if (json_object_get(header, order[i]->name))
			BUG("two tensors named %s", order[i]->name);
		add_tensor(header, order[i], at);
		at += st_bytes(order[i]);
	}
	SCOPED(free) char *json = json_dumps(header, JSON_COMPACT);
	json_decref(header);
	REQUIRE(json);
	size_t len = (strlen(json) + 7) / 8 * 8;
	for (int i = 0; i < 8; i++)
		str_addc(out, (char)(unsigned char)((uint64_t)len >> 8 * i));
	str_add(out, json);
	while (out->len < 8 + len)
		str_addc(out, ' ');
}

static int write_payload(struct io_atomic *f, struct sha256 *sha, const struct st_tensor *t, struct err *e)
{
	const unsigned char *p = t->data;
	for (size_t left = st_bytes(t); left;) {
		size_t n = left < HASH_CHUNK ? left : HASH_CHUNK;
		if (sha)
			sha256_add(sha, p, n);
		if (io_atomic_write(f, p, n, e))
			return -1;
		p += n;
		left -= n;
	}
	return 0;
}

/* Heap: the tensors in payload order. */
static const struct st_tensor **in_payload_order(const struct st_tensor *tensors, size_t n)
{
	const struct st_tensor **order = xcalloc(n, sizeof *order);
	for (size_t i = 0; i < n; i++)
		order[i] = &tensors[i];
	qsort(order, n, sizeof *order, payload_order);
	return order;
}

void safetensors_hash(char sha256[SHA256_HEX], const struct st_tensor *tensors, size_t n)
{
	SCOPED(free) const struct st_tensor **order = in_payload_order(tensors, n);
	struct sha256 sha;
	sha256_init(&sha);
	for (size_t i = 0; i < n; i++)
		sha256_add(&sha, order[i]->data, st_bytes(order[i]));
	sha256_hex(sha256, &sha);
}

int safetensors_write(const char *path, const struct st_tensor *tensors, size_t n, const struct st_meta *meta,
                      size_t n_meta, char sha256[SHA256_HEX], struct err *e)
{
	SCOPED(free) const struct st_tensor **order = in_payload_order(tensors, n);
	SCOPED(str) struct str header = { 0 };
	build_header(&header, order, n, meta, n_meta);

	struct io_atomic f;
	if (io_atomic_open(&f, path, e) || io_atomic_write(&f, header.data, header.len, e))
		return -1;
	struct sha256 sha;
	sha256_init(&sha);
	for (size_t i = 0; i < n; i++)
		if (write_payload(&f, sha256 ? &sha : NULL, order[i], e))
			return -1;
	if (io_atomic_commit(&f, e))
		return -1;
	if (sha256)
		sha256_hex(sha256, &sha);
	return 0;
}
