/* pickle.c - the stack machine of pickle.h: Python's pickle protocols 2 to 5 as torch.save uses them
 * and numpy use them (opcodes: CPython Lib/pickletools.py). What REDUCE and BINPERSID mean for tensors is in
 * pickle_tensor.c, what REDUCE and BUILD mean for arrays in pickle_numpy.c. */
#include "model/formats/pickle.h"

#include "model/formats/pickle_numpy.h"
#include "model/formats/pickle_tensor.h"

#include <stdlib.h>
#include <string.h>

enum { STACK_MAX = 1 << 22, STORAGES_MAX = 1 << 16 };

struct machine {
	struct arena *arena;
	enum pk_vocabulary names;
	const unsigned char *p;
	size_t n, at, op_at;
	const char *path;
	struct err *e;
	struct pk_value **stack, **memo;
	size_t depth, stack_cap, n_memo, memo_cap;
	size_t *marks, n_marks, marks_cap;
	struct pk_value *last_storage;
	size_t n_storages;
};

static int refuse(struct machine *m, const char *why)
{
	return err_set(m->e, "%s: pickle, offset %zu (opcode 0x%02x): %s", m->path, m->op_at, m->p[m->op_at], why);
}

static struct pk_value *make(struct machine *m, enum pk_kind kind)
{
	struct pk_value *v = arena_alloc(m->arena, sizeof *v);
	v->kind = kind;
	return v;
}

static int push(struct machine *m, struct pk_value *v)
{
	if (m->depth == STACK_MAX)
		return refuse(m, "stack too deep");
	VEC_PUSH(m->stack, m->depth, m->stack_cap) = v;
	return 0;
}

/* The lowest stack position that the current frame may pop: nothing below the last mark. */
static size_t floor_of(const struct machine *m)
{
	return m->n_marks ? m->marks[m->n_marks - 1] : 0;
}

static struct pk_value *pop(struct machine *m)
{
	if (m->depth <= floor_of(m)) {
		(void)refuse(m, "stack underflow");
		return NULL;
	}
	return m->stack[--m->depth];
}

/* The top of the stack and what is below it. */
static bool pop_two(struct machine *m, struct pk_value **top, struct pk_value **below)
{
	*top = pop(m);
	*below = *top ? pop(m) : NULL;
	return *below != NULL;
}

static int take(struct machine *m, const unsigned char **bytes, size_t n)
{
	*bytes = m->p + m->at;
	if (n > m->n - m->at)
		return refuse(m, "truncated");
	m->at += n;
	return 0;
}

static int take_uint(struct machine *m, size_t n, uint64_t *out)
{
	const unsigned char *b = NULL;
	if (take(m, &b, n))
		return -1;
	*out = 0;
	for (size_t i = n; i-- > 0;)
		*out = *out << 8 | b[i];
	return 0;
}

static int push_int(struct machine *m, int64_t x, enum pk_kind kind)
{
	struct pk_value *v = make(m, kind);
	v->i = x;
	return push(m, v);
}

/* An integer of n little-endian bytes in two's complement; beyond 64 bits it is kept as bytes (a magic number). */
static int push_long(struct machine *m, size_t n)
{
	const unsigned char *b = NULL;
	if (take(m, &b, n))
		return -1;
	if (n > 8) {
		struct pk_value *v = make(m, PK_LONG);
		char *copy = arena_alloc(m->arena, n + 1);
		memcpy(copy, b, n);
		v->text.s = copy;
		v->text.n = n;
		return push(m, v);
	}
	uint64_t x = n && b[n - 1] & 0x80 ? ~(uint64_t)0 : 0;
	for (size_t i = n; i-- > 0;)
		x = x << 8 | b[i];
	return push_int(m, (int64_t)x, PK_INT);
}

static int push_bytes(struct machine *m, const unsigned char *b, size_t n)
{
	struct pk_value *v = make(m, PK_BYTES);
	v->text.s = (const char *)b;
	v->text.n = n;
	return push(m, v);
}

/* Python 2 has no other bytes than texts: where numpy's names are known, one with a NUL in it is bytes. */
static int push_text(struct machine *m, const unsigned char *b, size_t n)
{
	if (memchr(b, '\0', n))
		return m->names == PICKLE_NUMPY ? push_bytes(m, b, n) : refuse(m, "text holds a NUL");
	struct pk_value *v = make(m, PK_TEXT);
	char *copy = arena_alloc(m->arena, n + 1);
	memcpy(copy, b, n);
	v->text.s = copy;
	v->text.n = n;
	return push(m, v);
}

static int op_text(struct machine *m, size_t length_bytes)
{
	uint64_t n;
	const unsigned char *b = NULL;
	if (take_uint(m, length_bytes, &n) || take(m, &b, (size_t)n))
		return -1;
	return push_text(m, b, (size_t)n);
}

static int op_bytes(struct machine *m, size_t length_bytes)
{
	uint64_t n;
	const unsigned char *b = NULL;
	if (m->names != PICKLE_NUMPY)
		return refuse(m, "unknown instruction: refused, nothing was executed");
	return take_uint(m, length_bytes, &n) || take(m, &b, (size_t)n) ? -1 : push_bytes(m, b, (size_t)n);
}

/* BINFLOAT is big-endian. */
static int op_float(struct machine *m)
{
	const unsigned char *b = NULL;
	if (take(m, &b, 8))
		return -1;
	uint64_t bits = 0;
	for (int i = 0; i < 8; i++)
		bits = bits << 8 | b[i];
	struct pk_value *v = make(m, PK_FLOAT);
	memcpy(&v->f, &bits, sizeof v->f);
	return push(m, v);
}

static void seq_add(struct machine *m, struct pk_value *seq, struct pk_value *v)
{
	if (seq->seq.n == seq->seq.cap) {
		size_t cap = seq->seq.cap ? 2 * seq->seq.cap : 4;
		struct pk_value **grown = arena_alloc(m->arena, cap * sizeof(struct pk_value *));
		if (seq->seq.n)
			memcpy(grown, seq->seq.v, seq->seq.n * sizeof *grown);
		seq->seq.v = grown;
		seq->seq.cap = cap;
	}
	seq->seq.v[seq->seq.n++] = v;
}

/* The items above the last mark, which is dropped; they stay valid until the next push. */
static int pop_to_mark(struct machine *m, struct pk_value ***items, size_t *n)
{
	if (!m->n_marks)
		return refuse(m, "no mark on the stack");
	size_t mark = m->marks[--m->n_marks];
	*items = m->stack + mark;
	*n = m->depth - mark;
	m->depth = mark;
	return 0;
}

static int push_tuple(struct machine *m, struct pk_value **items, size_t n)
{
	struct pk_value *v = make(m, PK_TUPLE);
	for (size_t i = 0; i < n; i++)
		seq_add(m, v, items[i]);
	return push(m, v);
}

static int op_small_tuple(struct machine *m, size_t n)
{
	if (m->depth - floor_of(m) < n)
		return refuse(m, "stack underflow");
	m->depth -= n;
	return push_tuple(m, m->stack + m->depth, n);
}

static int op_mark_tuple(struct machine *m)
{
	struct pk_value **items = NULL;
	size_t n = 0;
	return pop_to_mark(m, &items, &n) ? -1 : push_tuple(m, items, n);
}

/* Adds items to the list (step 1) or dict (step 2) on the top of the stack. */
static int extend(struct machine *m, enum pk_kind kind, struct pk_value **items, size_t n)
{
	if (m->depth <= floor_of(m) || m->stack[m->depth - 1]->kind != kind)
		return refuse(m, kind == PK_DICT ? "items for something that is not a dict"
		                                 : "items for something that is not a list");
	if (kind == PK_DICT && n % 2)
		return refuse(m, "a key without a value");
	for (size_t i = 0; i < n; i++)
		seq_add(m, m->stack[m->depth - 1], items[i]);
	return 0;
}

static int op_extend_one(struct machine *m, enum pk_kind kind, size_t n)
{
	if (m->depth - floor_of(m) < n + 1)
		return refuse(m, "stack underflow");
	m->depth -= n;
	return extend(m, kind, m->stack + m->depth, n);
}

static int op_extend_many(struct machine *m, enum pk_kind kind)
{
	struct pk_value **items = NULL;
	size_t n = 0;
	return pop_to_mark(m, &items, &n) ? -1 : extend(m, kind, items, n);
}

/* Picklers number their memo 0, 1, 2, ... or, Python 2's fast one, 1, 2, 3, ...: each number costs at least two bytes,
 * so one beyond half of the bytes read so far is refused, and the table cannot outgrow the input. */
static int op_put(struct machine *m, uint64_t index)
{
	if (m->depth <= floor_of(m))
		return refuse(m, "nothing to remember");
	if (index > m->at / 2)
		return refuse(m, "memo number out of order");
	while (index >= m->n_memo)
		VEC_PUSH(m->memo, m->n_memo, m->memo_cap) = NULL;
	m->memo[index] = m->stack[m->depth - 1];
	return 0;
}

static int op_get(struct machine *m, uint64_t index)
{
	return index < m->n_memo && m->memo[index] ? push(m, m->memo[index]) : refuse(m, "memo number was never stored");
}

static int push_global(struct machine *m, const char *module, size_t module_n, const char *name, size_t name_n)
{
	char full[128];
	int len = snprintf(full, sizeof full, "%.*s.%.*s", (int)(module_n < 60 ? module_n : 60), module,
	                   (int)(name_n < 60 ? name_n : 60), name);
	int known = m->names == PICKLE_NUMPY ? pickle_numpy_global(full) : pickle_global(full);
	if (known < 0) {
		for (int i = 0; i < len; i++)
			if (full[i] < 0x20 || full[i] > 0x7e)
				full[i] = '?';
		return err_set(m->e, "%s: pickle, offset %zu: global %s is not plain %s data: refused, nothing was executed",
		               m->path, m->op_at, full, m->names == PICKLE_NUMPY ? "numpy" : "tensor");
	}
	struct pk_value *v = make(m, PK_GLOBAL);
	v->global = known;
	return push(m, v);
}

static int op_global(struct machine *m)
{
	const char *module = (const char *)m->p + m->at;
	const char *end = memchr(module, '\n', m->n - m->at);
	const char *name = end ? end + 1 : NULL;
	const char *name_end = name ? memchr(name, '\n', (size_t)((const char *)m->p + m->n - name)) : NULL;
	if (!name_end)
		return refuse(m, "truncated");
	m->at = (size_t)(name_end + 1 - (const char *)m->p);
	return push_global(m, module, (size_t)(end - module), name, (size_t)(name_end - name));
}

static int op_stack_global(struct machine *m)
{
	struct pk_value *name, *module;
	if (!pop_two(m, &name, &module))
		return -1;
	if (name->kind != PK_TEXT || module->kind != PK_TEXT)
		return refuse(m, "a global's name is not text");
	return push_global(m, module->text.s, module->text.n, name->text.s, name->text.n);
}

static int op_reduce(struct machine *m)
{
	struct pk_value *args, *callable;
	if (!pop_two(m, &args, &callable))
		return -1;
	if (callable->kind != PK_GLOBAL || args->kind != PK_TUPLE)
		return refuse(m, "a call of something that is not a known name");
	struct pk_value *v = arena_alloc(m->arena, sizeof *v);
	const char *why = m->names == PICKLE_NUMPY ? pickle_numpy_construct(v, m->arena, callable->global, args)
	                                           : pickle_construct(v, m->arena, callable->global, args);
	return why ? refuse(m, why) : push(m, v);
}

static int op_persistent(struct machine *m)
{
	struct pk_value *id = pop(m);
	if (!id)
		return -1;
	struct pk_value *v = make(m, PK_STORAGE);
	const char *why = pickle_storage(v, id);
	if (!why && ++m->n_storages > STORAGES_MAX)
		why = "too many storages";
	if (why)
		return refuse(m, why);
	v->storage.previous = m->last_storage;
	m->last_storage = v;
	return push(m, v);
}

/* BUILD sets attributes. The one that weights carry is an OrderedDict's _metadata, which says nothing we need; those of
 * numpy's types and arrays are their content. */
static int op_build(struct machine *m)
{
	struct pk_value *state = pop(m), *of = NULL;
	if (!state)
		return -1;
	if (m->depth > floor_of(m))
		of = m->stack[m->depth - 1];
	if (of && (of->kind == PK_ARRAY || of->kind == PK_DTYPE)) {
		const char *why = pickle_numpy_build(of, state);
		return why ? refuse(m, why) : 0;
	}
	return of && of->kind == PK_DICT ? 0 : refuse(m, "state for something that is not a dict");
}

static int with_uint(struct machine *m, size_t n, int (*op)(struct machine *, uint64_t))
{
	uint64_t x = 0;
	return take_uint(m, n, &x) ? -1 : op(m, x);
}

static int op_small_int(struct machine *m, uint64_t x)
{
	return push_int(m, (int64_t)x, PK_INT);
}

static int op_int32(struct machine *m, uint64_t x)
{
	return push_int(m, (int32_t)(uint32_t)x, PK_INT);
}

static int op_protocol(struct machine *m, uint64_t version)
{
	return version >= 2 && version <= 5 ? 0 : refuse(m, "pickle protocol is not one of 2 to 5");
}

static int op_frame(struct machine *m, uint64_t n)
{
	return n <= m->n - m->at ? 0 : refuse(m, "frame longer than the input"); /* framing only helps streaming readers */
}

static int op_long4(struct machine *m, uint64_t n)
{
	return n <= m->n - m->at ? push_long(m, (size_t)n) : refuse(m, "truncated");
}

static int op_long1(struct machine *m, uint64_t n)
{
	return push_long(m, (size_t)n);
}

static int op_mark(struct machine *m)
{
	VEC_PUSH(m->marks, m->n_marks, m->marks_cap) = m->depth;
	return 0;
}

/* One instruction; 1 = STOP. */
static int step(struct machine *m)
{
	m->op_at = m->at;
	switch (m->p[m->at++]) {
	case 0x80: return with_uint(m, 1, op_protocol);
	case 0x95: return with_uint(m, 8, op_frame);
	case '.': return 1;
	case '(': return op_mark(m);
	case '0': return pop(m) ? 0 : -1;
	case 'N': return push(m, make(m, PK_NONE));
	case 0x88: return push_int(m, 1, PK_BOOL);
	case 0x89: return push_int(m, 0, PK_BOOL);
	case 'J': return with_uint(m, 4, op_int32);
	case 'K': return with_uint(m, 1, op_small_int);
	case 'M': return with_uint(m, 2, op_small_int);
	case 0x8a: return with_uint(m, 1, op_long1);
	case 0x8b: return with_uint(m, 4, op_long4);
	case 'G': return op_float(m);
	case 'X': return op_text(m, 4);
	case 'U':
	case 0x8c: return op_text(m, 1);
	case 'T': return op_text(m, 4);
	case 'C': return op_bytes(m, 1);
	case 'B': return op_bytes(m, 4);
	case 0x8e:
	case 0x96: return op_bytes(m, 8);
	case ']': return push(m, make(m, PK_LIST));
	case '}': return push(m, make(m, PK_DICT));
	case ')': return push(m, make(m, PK_TUPLE));
	case 't': return op_mark_tuple(m);
	case 0x85: return op_small_tuple(m, 1);
	case 0x86: return op_small_tuple(m, 2);
	case 0x87: return op_small_tuple(m, 3);
	case 'a': return op_extend_one(m, PK_LIST, 1);
	case 'e': return op_extend_many(m, PK_LIST);
	case 's': return op_extend_one(m, PK_DICT, 2);
	case 'u': return op_extend_many(m, PK_DICT);
	case 'q': return with_uint(m, 1, op_put);
	case 'r': return with_uint(m, 4, op_put);
	case 0x94: return op_put(m, m->n_memo);
	case 'h': return with_uint(m, 1, op_get);
	case 'j': return with_uint(m, 4, op_get);
	case 'c': return op_global(m);
	case 0x93: return op_stack_global(m);
	case 'R': return op_reduce(m);
	case 'Q':
		if (m->names == PICKLE_NUMPY)
			return refuse(m, "a persistent id");
		return op_persistent(m);
	case 'b': return op_build(m);
	default: return refuse(m, "unknown instruction: refused, nothing was executed");
	}
}

static int load(struct pk_value **out, struct pk_value **storages, size_t *used, struct arena *arena, const void *bytes,
                size_t n, enum pk_vocabulary names, const char *path, struct err *e)
{
	struct machine m = { .arena = arena, .names = names, .p = bytes, .n = n, .path = path, .e = e, .stack_cap = 64 };
	m.stack = xcalloc(m.stack_cap, sizeof(struct pk_value *));
	int rc = 0;
	while (rc == 0)
		rc = m.at < n ? step(&m) : err_set(e, "%s: pickle, offset %zu: ends without a STOP", path, n);
	if (rc == 1 && (m.depth != 1 || m.n_marks))
		rc = refuse(&m, "STOP with other than one value");
	if (rc == 1) {
		*out = m.stack[0];
		*storages = m.last_storage;
		*used = m.at;
	}
	free(m.stack);
	free(m.memo);
	free(m.marks);
	return rc == 1 ? 0 : -1;
}

int pickle_load(struct pk_value **out, struct pk_value **storages, size_t *used, struct arena *arena, const void *bytes,
                size_t n, const char *path, struct err *e)
{
	return load(out, storages, used, arena, bytes, n, PICKLE_TORCH, path, e);
}

int pickle_load_numpy(struct pk_value **out, size_t *used, struct arena *arena, const void *bytes, size_t n,
                      const char *path, struct err *e)
{
	struct pk_value *none;
	return load(out, &none, used, arena, bytes, n, PICKLE_NUMPY, path, e);
}

const struct pk_value *pickle_get(const struct pk_value *dict, const char *key)
{
	for (size_t i = 0; dict->kind == PK_DICT && i + 1 < dict->seq.n; i += 2)
		if (dict->seq.v[i]->kind == PK_TEXT && strcmp(dict->seq.v[i]->text.s, key) == 0)
			return dict->seq.v[i + 1];
	return NULL;
}
