/* pth.c - see pth.h. The two containers differ in where the pickle and the storages are; a `struct container` hides
 * it. */
#define _GNU_SOURCE
#include "model/formats/pth.h"

#include "model/formats/pickle.h"

#include <stdlib.h>
#include <string.h>
#include <zip.h>

#define PICKLE_MAX ((size_t)4 << 20) /* a thousand tensors take 150 kB */
enum { TENSORS_MAX = 20000 };

struct storage {
	const char *key;
	const unsigned char *data;
	size_t bytes;
};

struct reader {
	const unsigned char *p;
	size_t n;
	const char *path;
	struct err *e;
	struct arena *arena;
	zip_t *zip;               /* the zip form; NULL in the old one */
	char *prefix;             /* "archive" of archive/data.pkl */
	size_t room;              /* bytes that entries may still unpack to */
	size_t payload;           /* all of them, or the file: what tensors may be made of */
	struct storage *storages; /* read so far (zip), or all (old form) */
	size_t n_storages, cap;
};

/* ---- zip ---- */

/* torch.save stores entries as they are; a checkpoint that was packed again may hold them deflated. */
static int read_entry(struct reader *r, const char *name, size_t max, const unsigned char **data, size_t *n)
{
	zip_stat_t st;
	if (zip_stat(r->zip, name, 0, &st) || !(st.valid & ZIP_STAT_SIZE) || !(st.valid & ZIP_STAT_COMP_METHOD))
		return err_set(r->e, "%s: no entry %s in the archive", r->path, name);
	if (st.comp_method != ZIP_CM_STORE && st.comp_method != ZIP_CM_DEFLATE)
		return err_set(r->e, "%s: entry %s is neither stored nor deflated", r->path, name);
	if (st.size > max || st.size > r->room)
		return err_set(r->e, "%s: entry %s claims %llu bytes, more than it may have", r->path, name,
		               (unsigned long long)st.size);
	r->room -= (size_t)st.size;
	zip_file_t *f = zip_fopen(r->zip, name, 0);
	unsigned char *buf = arena_alloc(r->arena, (size_t)st.size + 1);
	zip_int64_t got = f ? 1 : -1;
	size_t at = 0;
	/* One byte more than there is: libzip compares the checksum only at the end. */
	while (got > 0 && at <= st.size && (got = zip_fread(f, buf + at, st.size + 1 - at)) > 0)
		at += (size_t)got;
	if (f)
		(void)zip_fclose(f);
	if (got < 0 || at != st.size)
		return err_set(r->e, "%s: entry %s is damaged (its checksum or length is wrong)", r->path, name);
	*data = buf;
	*n = at;
	return 0;
}

/* What all entries may unpack to: as much as they say, but no more than 64 times the file. */
static size_t entries_room(const struct reader *r)
{
	size_t most = r->n > SIZE_MAX / 64 ? SIZE_MAX : 64 * r->n, sum = 0;
	zip_int64_t n = zip_get_num_entries(r->zip, 0);
	zip_stat_t st;
	for (zip_int64_t i = 0; i < n && sum < most; i++)
		if (zip_stat_index(r->zip, (zip_uint64_t)i, 0, &st) == 0 && st.valid & ZIP_STAT_SIZE)
			sum = st.size < most - sum ? sum + (size_t)st.size : most;
	return sum;
}

/* The entries are under one folder whose name is the file's at the time of saving: find FOLDER/data.pkl. */
static int find_prefix(struct reader *r)
{
	zip_int64_t n = zip_get_num_entries(r->zip, 0);
	for (zip_int64_t i = 0; i < n; i++) {
		const char *name = zip_get_name(r->zip, (zip_uint64_t)i, 0);
		const char *slash = name ? strchr(name, '/') : NULL;
		if (slash && strcmp(slash, "/data.pkl") == 0) {
			r->prefix = arena_alloc(r->arena, (size_t)(slash - name) + 1);
			memcpy(r->prefix, name, (size_t)(slash - name));
			return 0;
		}
	}
	return err_set(r->e, "%s: a zip without FOLDER/data.pkl: not a PyTorch checkpoint", r->path);
}

static int open_zip(struct reader *r, const unsigned char **pickle, size_t *n)
{
	zip_error_t why;
	zip_error_init(&why);
	zip_source_t *source = zip_source_buffer_create(r->p, r->n, 0, &why);
	r->zip = source ? zip_open_from_source(source, ZIP_RDONLY, &why) : NULL;
	if (!r->zip) {
		(void)err_set(r->e, "%s: not a readable zip: %s", r->path, zip_error_strerror(&why));
		if (source)
			zip_source_free(source);
		zip_error_fini(&why);
		return -1;
	}
	zip_error_fini(&why);
	r->room = entries_room(r);
	r->payload = r->room > r->n ? r->room : r->n;
	if (find_prefix(r))
		return -1;
	const unsigned char *order;
	size_t order_n;
	SCOPED(free) char *byteorder = xstrfmt("%s/byteorder", r->prefix), *data = xstrfmt("%s/data.pkl", r->prefix);
	SCOPED(free) char *constants = xstrfmt("%s/constants.pkl", r->prefix);
	if (zip_name_locate(r->zip, constants, 0) >= 0)
		return err_set(r->e,
		               "%s: a TorchScript program, which is not read; in Python, "
		               "torch.save(torch.jit.load(FILE).state_dict(), \"OUT.pth\") makes a checkpoint of it",
		               r->path);
	if (zip_name_locate(r->zip, byteorder, 0) >= 0) {
		if (read_entry(r, byteorder, 16, &order, &order_n))
			return -1;
		if (order_n != 6 || memcmp(order, "little", 6) != 0)
			return err_set(r->e, "%s: written on a big-endian machine", r->path);
	}
	return read_entry(r, data, PICKLE_MAX, pickle, n);
}

static bool key_is_plain(const char *key)
{
	return *key && strlen(key) < 64 &&
	       strspn(key, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-") == strlen(key);
}

/* ---- the old form: magic, protocol, system, object, keys: five pickles; then each storage: a count, values --- */

static int next_pickle(struct reader *r, size_t *at, struct pk_value **v, struct pk_value **storages)
{
	size_t used;
	size_t n = r->n - *at < PICKLE_MAX ? r->n - *at : PICKLE_MAX;
	if (pickle_load(v, storages, &used, r->arena, r->p + *at, n, r->path, r->e))
		return -1;
	*at += used;
	return 0;
}

static const struct pk_value *storage_of_key(const struct pk_value *last, const char *key)
{
	while (last && strcmp(last->storage.key, key) != 0)
		last = last->storage.previous;
	return last;
}

static int read_old_storage(struct reader *r, size_t *at, const char *key, const struct pk_value *storages)
{
	const struct pk_value *s = storage_of_key(storages, key);
	if (!s)
		return err_set(r->e, "%s: storage %s is never referenced, so its element size is unknown", r->path, key);
	uint64_t count = 0;
	if (r->n - *at < 8)
		return err_set(r->e, "%s: ends inside storage %s", r->path, key);
	for (int i = 7; i >= 0; i--)
		count = count << 8 | r->p[*at + (size_t)i];
	*at += 8;
	size_t size = st_dtype_size(s->storage.dtype);
	if (count != (uint64_t)s->storage.count || count > (r->n - *at) / size)
		return err_set(r->e, "%s: storage %s claims %llu elements: truncated, or not what its tensors say", r->path,
		               key, (unsigned long long)count);
	VEC_PUSH(r->storages, r->n_storages, r->cap) = (struct storage){ key, r->p + *at, (size_t)count * size };
	*at += (size_t)count * size;
	return 0;
}

static int open_old(struct reader *r, struct pk_value **object)
{
	static const unsigned char magic[] = { 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19 };
	size_t at = 0;
	struct pk_value *v, *keys, *storages, *none;
	if (next_pickle(r, &at, &v, &none))
		return -1;
	if (v->kind != PK_LONG || v->text.n != sizeof magic || memcmp(v->text.s, magic, sizeof magic) != 0)
		return err_set(r->e, "%s: a pickle, but not one that torch.save wrote", r->path);
	if (next_pickle(r, &at, &v, &none))
		return -1;
	if (v->kind != PK_INT || v->i != 1001)
		return err_set(r->e, "%s: torch.save protocol other than 1001", r->path);
	if (next_pickle(r, &at, &v, &none))
		return -1;
	const struct pk_value *little = pickle_get(v, "little_endian");
	if (!little || little->kind != PK_BOOL || !little->i)
		return err_set(r->e, "%s: written on a big-endian machine", r->path);
	if (next_pickle(r, &at, object, &storages) || next_pickle(r, &at, &keys, &none))
		return -1;
	if (keys->kind != PK_LIST || keys->seq.n > TENSORS_MAX)
		return err_set(r->e, "%s: the list of storages is not a list, or too long", r->path);
	for (size_t i = 0; i < keys->seq.n; i++)
		if (keys->seq.v[i]->kind != PK_TEXT || read_old_storage(r, &at, keys->seq.v[i]->text.s, storages))
			return keys->seq.v[i]->kind == PK_TEXT ? -1 : err_set(r->e, "%s: a storage key is not text", r->path);
	return 0;
}

/* ---- tensors ---- */

static int storage_data(struct reader *r, const struct pk_value *s, const unsigned char **data)
{
	const char *key = s->storage.key;
	size_t want;
	if (__builtin_mul_overflow((size_t)s->storage.count, st_dtype_size(s->storage.dtype), &want))
		return err_set(r->e, "%s: storage %.64s is impossibly large", r->path, key_is_plain(key) ? key : "?");
	for (size_t i = 0; i < r->n_storages; i++)
		if (strcmp(r->storages[i].key, key) == 0 && r->storages[i].bytes == want) {
			*data = r->storages[i].data;
			return 0;
		}
	if (!r->zip || !key_is_plain(key))
		return err_set(r->e, "%s: storage %.64s is missing", r->path, key_is_plain(key) ? key : "?");
	SCOPED(free) char *name = xstrfmt("%s/data/%s", r->prefix, key);
	size_t n;
	if (read_entry(r, name, want, data, &n))
		return -1;
	if (n != want)
		return err_set(r->e, "%s: entry %s has %zu bytes, its tensors need %zu", r->path, name, n, want);
	VEC_PUSH(r->storages, r->n_storages, r->cap) = (struct storage){ key, *data, n };
	return 0;
}

static bool contiguous(const struct pk_value *v)
{
	int64_t expect = 1;
	for (int i = v->tensor.n_dims - 1; i >= 0; i--) {
		if (v->tensor.dims[i] != 1 && v->tensor.strides[i] != expect)
			return false;
		expect *= v->tensor.dims[i];
	}
	return true;
}

static void gather(unsigned char *dst, const unsigned char *src, const struct pk_value *v, size_t size)
{
	int64_t at[ST_MAX_DIMS] = { 0 }, n = 1;
	for (int i = 0; i < v->tensor.n_dims; i++)
		n *= v->tensor.dims[i];
	for (int64_t k = 0; k < n; k++) {
		int64_t from = v->tensor.offset;
		for (int i = 0; i < v->tensor.n_dims; i++)
			from += at[i] * v->tensor.strides[i];
		memcpy(dst + (size_t)k * size, src + (size_t)from * size, size);
		for (int i = v->tensor.n_dims - 1; i >= 0 && ++at[i] == v->tensor.dims[i]; i--)
			at[i] = 0;
	}
}

static int add_tensor(struct pth *pth, struct reader *r, const struct pk_value *name, const struct pk_value *v,
                      size_t *budget)
{
	struct st_tensor *t = &pth->tensors[pth->n_tensors];
	*t = (struct st_tensor){ .name = name->text.s,
		                     .dtype = v->tensor.storage->storage.dtype,
		                     .n_dims = v->tensor.n_dims };
	memcpy(t->dims, v->tensor.dims, sizeof t->dims);
	if (!*t->name || strlen(t->name) > 500)
		return err_set(r->e, "%s: a tensor's name is empty or too long", r->path);
	for (const char *c = t->name; *c; c++)
		if (*c < 0x21 || *c > 0x7e)
			return err_set(r->e, "%s: tensor %zu: its name is not plain text", r->path, pth->n_tensors);
	for (size_t i = 0; i < pth->n_tensors; i++)
		if (strcmp(pth->tensors[i].name, t->name) == 0)
			return err_set(r->e, "%s: two tensors named %s", r->path, t->name);
	size_t bytes = st_bytes(t);
	if (bytes > *budget)
		return err_set(r->e, "%s: %s: the tensors are larger than the file", r->path, t->name);
	*budget -= bytes;
	const unsigned char *src;
	if (storage_data(r, v->tensor.storage, &src))
		return err_in(r->e, "%s", t->name);
	unsigned char *dst = arena_alloc(pth->own, bytes + 1);
	size_t size = st_dtype_size(t->dtype);
	if (!bytes)
		;
	else if (contiguous(v))
		memcpy(dst, src + (size_t)v->tensor.offset * size, bytes);
	else
		gather(dst, src, v, size);
	t->data = dst;
	pth->n_tensors++;
	return 0;
}

static size_t count_tensors(const struct pk_value *dict)
{
	size_t n = 0;
	for (size_t i = 0; dict && dict->kind == PK_DICT && i + 1 < dict->seq.n; i += 2)
		n += dict->seq.v[i]->kind == PK_TEXT && dict->seq.v[i + 1]->kind == PK_TENSOR;
	return n;
}

static int collect(struct pth *pth, struct reader *r, const struct pk_value *object)
{
	static const char *const wrappers[] = { "state_dict", "model", "params", "ema", "net" };
	const struct pk_value *dict = object;
	size_t n = count_tensors(dict);
	for (size_t i = 0; !n && i < sizeof wrappers / sizeof *wrappers; i++)
		n = count_tensors(dict = pickle_get(object, wrappers[i]));
	if (!n)
		return err_set(r->e, "%s: holds no dict of named tensors", r->path);
	if (n > TENSORS_MAX)
		return err_set(r->e, "%s: more than %d tensors", r->path, TENSORS_MAX);
	pth->tensors = arena_alloc(pth->own, n * sizeof *pth->tensors);
	size_t budget = 4 * r->payload; /* tensors may share a storage, a little */
	for (size_t i = 0; i + 1 < dict->seq.n; i += 2)
		if (dict->seq.v[i]->kind == PK_TEXT && dict->seq.v[i + 1]->kind == PK_TENSOR &&
		    add_tensor(pth, r, dict->seq.v[i], dict->seq.v[i + 1], &budget))
			return -1;
	return 0;
}

int pth_parse(struct pth **out, const void *bytes, size_t n, const char *path, struct err *e)
{
	struct pth *pth = xcalloc(1, sizeof *pth);
	pth->own = xcalloc(1, sizeof *pth->own);
	struct arena scratch = { 0 };
	struct reader r = { .p = bytes, .n = n, .path = path, .e = e, .arena = &scratch, .payload = n };
	struct pk_value *object = NULL;
	int rc;
	if (n >= 4 && memcmp(bytes, "PK\3\4", 4) == 0) {
		const unsigned char *pickle = NULL;
		struct pk_value *storages;
		size_t pickle_n = 0, used;
		rc = open_zip(&r, &pickle, &pickle_n) ||
		     pickle_load(&object, &storages, &used, pth->own, pickle, pickle_n, path, e);
	} else if (n >= 2 && r.p[0] == 0x80) {
		r.arena = pth->own; /* names are values of the pickle */
		rc = open_old(&r, &object);
	} else {
		rc = err_set(e, "%s: neither a zip nor a pickle: not a PyTorch checkpoint", path);
	}
	if (rc == 0)
		rc = collect(pth, &r, object);
	if (r.zip)
		zip_discard(r.zip);
	free(r.storages);
	arena_release(&scratch);
	if (rc) {
		pth_free(pth);
		return -1;
	}
	*out = pth;
	return 0;
}

int pth_open(struct pth **out, const char *path, struct err *e)
{
	SCOPED(str) struct str file = { 0 };
	if (io_read(&file, path, STR_MAX - 2, e))
		return -1;
	return pth_parse(out, file.data, file.len, path, e);
}

void pth_free(struct pth *pth)
{
	if (!pth)
		return;
	arena_release(pth->own);
	free(pth->own);
	free(pth);
}
