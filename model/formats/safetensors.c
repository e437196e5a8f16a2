/* safetensors.c - reading: header to checked tensors; see safetensors.h. Writing is in safetensors_write.c. */
#define _GNU_SOURCE
#include "model/formats/safetensors.h"

#include "model/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADER_MAX   ((size_t)32 << 20) /* 32 MiB: some 200,000 tensors */
#define NAME_LEN_MAX 1024

struct safetensors_own {
	struct arena arena;
	void *map; /* NULL when the caller owns the bytes */
	size_t map_bytes;
};

static const struct {
	const char *name;
	size_t size;
} dtypes[ST_N_DTYPES] = {
	[ST_F64] = { "F64", 8 }, [ST_I64] = { "I64", 8 },   [ST_F32] = { "F32", 4 },
	[ST_F16] = { "F16", 2 }, [ST_BF16] = { "BF16", 2 }, [ST_U8] = { "U8", 1 },
};

const char *st_dtype_name(enum st_dtype dtype)
{
	return dtypes[dtype].name;
}

size_t st_dtype_size(enum st_dtype dtype)
{
	return dtypes[dtype].size;
}

size_t st_count(const struct st_tensor *t)
{
	size_t n = 1;
	for (int i = 0; i < t->n_dims; i++)
		n *= (size_t)t->dims[i];
	return n;
}

size_t st_bytes(const struct st_tensor *t)
{
	return st_count(t) * st_dtype_size(t->dtype);
}

char *st_shape_text(char *buf, const struct st_tensor *t)
{
	size_t len = (size_t)snprintf(buf, 192, "[");
	for (int i = 0; i < t->n_dims; i++)
		len += (size_t)snprintf(buf + len, 192 - len, "%s%lld", i ? ", " : "", (long long)t->dims[i]);
	(void)snprintf(buf + len, 192 - len, "]");
	return buf;
}

bool st_aligned(const struct st_tensor *t)
{
	return (uintptr_t)t->data % st_dtype_size(t->dtype) == 0;
}

static bool printable(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return false;
	return true;
}

/* One reader's state: where each tensor claims to be, for the check that they cover the payload exactly. */
struct span {
	size_t begin, end;
	const char *name;
};

struct reader {
	struct safetensors *st;
	struct span *spans;
	struct err *e;
};

static int read_shape(struct reader *r, struct st_tensor *t, const json_t *shape, size_t *bytes)
{
	if (!json_is_array(shape) || json_array_size(shape) > ST_MAX_DIMS)
		return err_set(r->e, "%s: %s: \"shape\" must be a list of at most %d integers", r->st->path, t->name,
		               ST_MAX_DIMS);
	size_t n = st_dtype_size(t->dtype);
	t->n_dims = (int)json_array_size(shape);
	for (int i = 0; i < t->n_dims; i++) {
		const json_t *d = json_array_get(shape, (size_t)i);
		t->dims[i] = json_integer_value(d);
		if (!json_is_integer(d) || t->dims[i] < 0 || __builtin_mul_overflow(n, (size_t)t->dims[i], &n))
			return err_set(r->e, "%s: %s: extent %d of \"shape\" is not a possible size", r->st->path, t->name, i);
	}
	*bytes = n;
	return 0;
}

static int read_offsets(struct reader *r, struct st_tensor *t, const json_t *offsets, size_t bytes, struct span *span)
{
	const json_t *a = json_array_get(offsets, 0), *b = json_array_get(offsets, 1);
	if (json_array_size(offsets) != 2 || !json_is_integer(a) || !json_is_integer(b))
		return err_set(r->e, "%s: %s: \"data_offsets\" must be two integers", r->st->path, t->name);
	json_int_t begin = json_integer_value(a), end = json_integer_value(b);
	if (begin < 0 || end < begin || (size_t)end > r->st->payload_bytes)
		return err_set(r->e, "%s: %s: bytes %lld..%lld lie outside the payload of %zu bytes: truncated file?",
		               r->st->path, t->name, (long long)begin, (long long)end, r->st->payload_bytes);
	if ((size_t)(end - begin) != bytes)
		return err_set(r->e, "%s: %s: %lld bytes, but dtype and shape need %zu", r->st->path, t->name,
		               (long long)(end - begin), bytes);
	*span = (struct span){ (size_t)begin, (size_t)end, t->name };
	t->data = (const unsigned char *)r->st->payload + begin;
	return 0;
}

static int read_tensor(struct reader *r, const char *name, const json_t *entry)
{
	struct safetensors *st = r->st;
	if (!*name || strlen(name) > NAME_LEN_MAX || !printable(name))
		return err_set(r->e, "%s: tensor %zu: name is empty, longer than %d or not printable", st->path, st->n_tensors,
		               NAME_LEN_MAX);
	struct st_tensor *t = &st->tensors[st->n_tensors];
	t->name = arena_strdup(&st->own->arena, name);
	const char *dtype = json_string_value(json_object_get(entry, "dtype"));
	int known = 0;
	while (dtype && known < ST_N_DTYPES && strcmp(dtype, dtypes[known].name) != 0)
		known++;
	if (!dtype || known == ST_N_DTYPES)
		return err_set(r->e, "%s: %s: dtype \"%.16s\" is not one of F64 F32 F16 BF16 I64 U8", st->path, name,
		               dtype && printable(dtype) ? dtype : "");
	t->dtype = (enum st_dtype)known;
	size_t bytes = 0;
	if (read_shape(r, t, json_object_get(entry, "shape"), &bytes) ||
	    read_offsets(r, t, json_object_get(entry, "data_offsets"), bytes, &r->spans[st->n_tensors]))
		return -1;
	st->n_tensors++;
	return 0;
}

static int read_metadata(struct reader *r, json_t *object)
{
	struct safetensors *st = r->st;
	if (!json_is_object(object))
		return err_set(r->e, "%s: __metadata__ is not an object", st->path);
	st->meta = arena_alloc(&st->own->arena, (json_object_size(object) + 1) * sizeof *st->meta);
	const char *key;
	json_t *value;
	json_object_foreach(object, key, value)
	{
		if (!json_is_string(value))
			return err_set(r->e, "%s: __metadata__ holds something that is not text", st->path);
		st->meta[st->n_meta++] = (struct st_meta){ arena_strdup(&st->own->arena, key),
			                                       arena_strdup(&st->own->arena, json_string_value(value)) };
	}
	return 0;
}

static int span_order(const void *a, const void *b)
{
	const struct span *x = a, *y = b;
	if (x->begin != y->begin)
		return x->begin < y->begin ? -1 : 1;
	return x->end < y->end ? -1 : x->end > y->end;
}

static int tensor_order(const void *a, const void *b)
{
	return strcmp(((const struct st_tensor *)a)->name, ((const struct st_tensor *)b)->name);
}

static int meta_order(const void *a, const void *b)
{
	return strcmp(((const struct st_meta *)a)->key, ((const struct st_meta *)b)->key);
}

static int check_cover(struct reader *r)
{
	struct safetensors *st = r->st;
	qsort(r->spans, st->n_tensors, sizeof *r->spans, span_order);
	size_t at = 0;
	for (size_t i = 0; i < st->n_tensors; i++) {
		if (r->spans[i].begin < at)
			return err_set(r->e, "%s: %s: overlaps %s", st->path, r->spans[i].name, r->spans[i - 1].name);
		if (r->spans[i].begin > at)
			return err_set(r->e, "%s: %zu bytes before %s belong to no tensor", st->path, r->spans[i].begin - at,
			               r->spans[i].name);
		at = r->spans[i].end;
	}
	if (at != st->payload_bytes)
		return err_set(r->e, "%s: %zu bytes at the end belong to no tensor", st->path, st->payload_bytes - at);
	return 0;
}

static int read_header(struct reader *r, json_t *header)
{
	struct safetensors *st = r->st;
	if (!json_is_object(header))
		return err_set(r->e, "%s: the header is not a JSON object", st->path);
	st->tensors = arena_alloc(&st->own->arena, (json_object_size(header) + 1) * sizeof *st->tensors);
	r->spans = arena_alloc(&st->own->arena, (json_object_size(header) + 1) * sizeof *r->spans);
	const char *name;
	json_t *entry;
	json_object_foreach(header, name, entry) if (strcmp(name, "__metadata__") == 0
	                                                 ? read_metadata(r, entry)
	                                                 : read_tensor(r, name, entry)) return -1;
	if (check_cover(r))
		return -1;
	qsort(st->tensors, st->n_tensors, sizeof *st->tensors, tensor_order);
	if (st->n_meta)
		qsort(st->meta, st->n_meta, sizeof *st->meta, meta_order);
	return 0;
}

static uint64_t little_endian_64(const unsigned char *p)
{
	uint64_t v = 0;
	for (int i = 7; i >= 0; i--)
		v = v << 8 | p[i];
	return v;
}

int safetensors_parse(struct safetensors **out, const void *bytes, size_t n, const char *path, struct err *e)
{
	const unsigned char *p = bytes;
	if (n < 8)
		return err_set(e, "%s: %zu bytes: too short for a safetensors file", path, n);
	uint64_t len = little_endian_64(p);
	if (len > HEADER_MAX || len > n - 8)
		return err_set(e, "%s: header of %llu bytes (file has %zu, limit %zu): not a safetensors file, or truncated",
		               path, (unsigned long long)len, n, HEADER_MAX);
	json_error_t why;
	json_t *header = json_loadb((const char *)p + 8, (size_t)len, JSON_REJECT_DUPLICATES, &why);
	if (!header)
		return err_set(e, "%s: header, byte %d: %s", path, 8 + why.position,
		               printable(why.text) ? why.text : "not JSON");
	struct safetensors *st = xcalloc(1, sizeof *st);
	st->own = xcalloc(1, sizeof *st->own);
	st->path = arena_strdup(&st->own->arena, path);
	st->payload = p + 8 + len;
	st->payload_bytes = n - 8 - (size_t)len;
	struct reader r = { .st = st, .e = e };
	int failed = read_header(&r, header);
	json_decref(header);
	if (failed) {
		safetensors_free(st);
		return -1;
	}
	*out = st;
	return 0;
}

int safetensors_open(struct safetensors **out, const char *path, struct err *e)
{
	SCOPED(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat s;
	if (fd < 0 || fstat(fd, &s))
		return err_set(e, "%s: cannot open: %s", path, strerror(errno));
	if (!S_ISREG(s.st_mode))
		return err_set(e, "%s: not a regular file", path);
	size_t n = (size_t)s.st_size;
	if (n < 8)
		return err_set(e, "%s: %zu bytes: too short for a safetensors file", path, n);
	void *map = mmap(NULL, n, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return err_set(e, "%s: cannot map: %s", path, strerror(errno));
	if (safetensors_parse(out, map, n, path, e)) {
		(void)munmap(map, n);
		return -1;
	}
	(*out)->own->map = map;
	(*out)->own->map_bytes = n;
	return 0;
}

void safetensors_free(struct safetensors *st)
{
	if (!st)
		return;
	if (st->own->map)
		(void)munmap(st->own->map, st->own->map_bytes);
	arena_release(&st->own->arena);
	free(st->own);
	free(st);
}

const struct st_tensor *safetensors_find(const struct safetensors *st, const char *name)
{
	struct st_tensor key = { .name = name };
	return st->n_tensors ? bsearch(&key, st->tensors, st->n_tensors, sizeof key, tensor_order) : NULL;
}

int safetensors_need(const struct st_tensor **out, const struct safetensors *st, const char *name, int n_dims,
                     const int64_t *dims, struct err *e)
{
	const struct st_tensor *t = safetensors_find(st, name);
	if (!t)
		return err_set(e, "%s: no tensor named %s", st->path, name);
	bool same = t->n_dims == n_dims;
	for (int i = 0; same && i < n_dims; i++)
		same = dims[i] == -1 || dims[i] == t->dims[i];
	if (!same) {
		char have[192], want[192];
		struct st_tensor wanted = { .n_dims = n_dims };
		memcpy(wanted.dims, dims, (size_t)n_dims * sizeof *dims);
		return err_set(e, "%s: %s: shape %s, expected %s", st->path, name, st_shape_text(have, t),
		               st_shape_text(want, &wanted));
	}
	*out = t;
	return 0;
}

const char *safetensors_meta(const struct safetensors *st, const char *key)
{
	for (size_t i = 0; i < st->n_meta; i++)
		if (strcmp(st->meta[i].key, key) == 0)
			return st->meta[i].value;
	return NULL;
}

void safetensors_sha256(char sha256[SHA256_HEX], const struct safetensors *st)
{
	io_sha256(sha256, st->payload, st->payload_bytes);
}
