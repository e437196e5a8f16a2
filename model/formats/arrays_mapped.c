/* arrays_mapped.c - .npy and Python pickles as files of arrays (arrays.h). The file is mapped, and arrays of numbers
 * lie in it as they are. A pickle is read as data (pickle.h): nothing in it is ever executed. */
#define _GNU_SOURCE
#include "model/formats/arrays.h"

#include "model/base/mem.h"
#include "model/formats/pickle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct mapped {
	uint8_t *bytes;
	size_t n;
	const uint8_t **data; /* of each entry, NULL for those that are only listed */
	int n_data, cap;
	size_t copied; /* integers of lists: no more than the pickle has bytes, however often it shares one */
	struct arena arena;
};

static int map_file(struct arrays *a, struct err *e)
{
	struct mapped *m = a->self = xcalloc(1, sizeof *m);
	struct stat st;
	SCOPED(fd) int fd = open(a->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		return err_set(e, "%s: cannot open: %s", a->path, strerror(errno));
	void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return err_set(e, "%s: cannot map: %s", a->path, strerror(errno));
	m->bytes = p;
	m->n = (size_t)st.st_size;
	return 0;
}

static void add(struct arrays *a, const char *name, const struct npy_info *info, const uint8_t *data)
{
	struct mapped *m = a->self;
	VEC_PUSH(m->data, m->n_data, m->cap) = data;
	arrays_add(a, name, data ? info : &(struct npy_info){ 0 });
}

/* ---- pickles --------------------------------------------------------------------------------- */

/* A list of integers, such as labels, as an array; NULL: it is something else. */
static const uint8_t *integers(struct npy_info *info, struct mapped *m, const struct pk_value *list)
{
	if (list->seq.n > m->n - m->copied)
		return NULL;
	m->copied += list->seq.n;
	for (size_t i = 0; i < list->seq.n; i++)
		if (list->seq.v[i]->kind != PK_INT)
			return NULL;
	int64_t *x = arena_alloc(&m->arena, (list->seq.n + 1) * sizeof *x);
	for (size_t i = 0; i < list->seq.n; i++)
		x[i] = list->seq.v[i]->i;
	int64_t n = (int64_t)list->seq.n;
	*info = (struct npy_info){ .kind = NPY_INT, .item = 8, .n_dims = 1, .dims = { n }, .count = n };
	return (const uint8_t *)x;
}

static void add_value(struct arrays *a, const char *name, const struct pk_value *v)
{
	struct mapped *m = a->self;
	struct npy_info info = { .item = 8, .count = 1 };
	const uint8_t *data = NULL;
	switch (v->kind) {
	case PK_ARRAY:
		info = v->array.dtype.info;
		data = v->array.data;
		break;
	case PK_BOOL:
	case PK_INT:
		info.kind = NPY_INT;
		data = (const uint8_t *)&v->i;
		break;
	case PK_FLOAT:
		info.kind = NPY_FLOAT;
		data = (const uint8_t *)&v->f;
		break;
	case PK_LIST:
	case PK_TUPLE: data = integers(&info, m, v); break;
	default: break;
	}
	add(a, name, &info, data);
}

/* Keys are texts; Python 2's, read by a Python 3, are bytes. */
static const char *key_of(struct arena *arena, const struct pk_value *v)
{
	if (v->kind == PK_TEXT)
		return v->text.s;
	if (v->kind != PK_BYTES || memchr(v->text.s, 0, v->text.n))
		return NULL;
	char *copy = arena_alloc(arena, v->text.n + 1);
	memcpy(copy, v->text.s, v->text.n);
	return copy;
}

static int add_pickled(struct arrays *a, size_t from, struct err *e)
{
	struct mapped *m = a->self;
	struct pk_value *root;
	size_t used;
	if (pickle_load_numpy(&root, &used, &m->arena, m->bytes + from, m->n - from, a->path, e))
		return -1;
	if (root->kind == PK_ARRAY && root->array.objects && root->array.dtype.info.count == 1)
		root = root->array.objects[0]; /* numpy.save of a dict */
	if (root->kind != PK_DICT) {
		add_value(a, "", root);
		return 0;
	}
	for (size_t i = 0; i + 1 < root->seq.n; i += 2) {
		const char *key = key_of(&m->arena, root->seq.v[i]);
		if (key)
			add_value(a, key, root->seq.v[i + 1]);
	}
	return 0;
}

static bool pickle_is(const uint8_t *head, size_t n)
{
	return n >= 2 && head[0] == 0x80 && head[1] >= 2 && head[1] <= 5;
}

static int open_pickled_file(struct arrays *a, struct err *e)
{
	return map_file(a, e) || add_pickled(a, 0, e) ? -1 : 0;
}

/* ---- .npy ------------------------------------------------------------------------------------ */

static bool npy_is(const uint8_t *head, size_t n)
{
	return n >= 8 && memcmp(head, "\x93NUMPY", 6) == 0;
}

static int open_npy(struct arrays *a, struct err *e)
{
	struct npy_info info;
	size_t at;
	char text[128];
	if (map_file(a, e))
		return -1;
	const struct mapped *m = a->self;
	if (npy_is_pickled(&at, m->bytes, m->n))
		return add_pickled(a, at, e);
	if (npy_parse(&info, m->bytes, m->n, a->path, e))
		return -1;
	uint64_t want = (uint64_t)info.count * (uint64_t)info.item + info.data_at;
	if (want != m->n)
		return err_set(e, "%s: %zu bytes, but %s needs %llu", a->path, m->n, npy_describe(text, &info),
		               (unsigned long long)want);
	add(a, "", &info, m->bytes + info.data_at);
	return 0;
}

/* ---- both ------------------------------------------------------------------------------------ */

static int read_mapped(struct arrays *a, int i, uint64_t at, void *buf, size_t n, struct err *e)
{
	const struct mapped *m = a->self;
	(void)e;
	memcpy(buf, m->data[i] + at, n);
	return 0;
}

static void close_mapped(void *self)
{
	struct mapped *m = self;
	if (m->bytes)
		(void)munmap(m->bytes, m->n);
	arena_release(&m->arena);
	free(m->data);
	free(m);
}

const struct arrays_kind arrays_npy = { "a .npy array", npy_is, open_npy, read_mapped, close_mapped };
const struct arrays_kind arrays_pickle = { "a pickle", pickle_is, open_pickled_file, read_mapped, close_mapped };
