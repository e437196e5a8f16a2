/* pickle_tensor.c - the whole vocabulary of names that a pickle may use (see pickle.h), one row each: element types,
 * the ordered dict, and the three ways in which torch says "tensor". */
#include "model/formats/pickle_tensor.h"

#include <string.h>

enum role { ROLE_STORAGE, ROLE_DICT, ROLE_TENSOR, ROLE_PARAMETER };

static const struct {
	const char *name;
	enum role role;
	enum st_dtype dtype;
} globals[] = {
	{ "collections.OrderedDict", ROLE_DICT, 0 },           { "torch._utils._rebuild_tensor", ROLE_TENSOR, 0 },
	{ "torch._utils._rebuild_tensor_v2", ROLE_TENSOR, 0 }, { "torch._utils._rebuild_parameter", ROLE_PARAMETER, 0 },
	{ "torch.DoubleStorage", ROLE_STORAGE, ST_F64 },       { "torch.FloatStorage", ROLE_STORAGE, ST_F32 },
	{ "torch.HalfStorage", ROLE_STORAGE, ST_F16 },         { "torch.BFloat16Storage", ROLE_STORAGE, ST_BF16 },
	{ "torch.LongStorage", ROLE_STORAGE, ST_I64 },         { "torch.ByteStorage", ROLE_STORAGE, ST_U8 },
};

int pickle_global(const char *full_name)
{
	for (size_t i = 0; i < sizeof globals / sizeof *globals; i++)
		if (strcmp(globals[i].name, full_name) == 0)
			return (int)i;
	return -1;
}

static const struct pk_value *arg(const struct pk_value *tuple, size_t i, enum pk_kind kind)
{
	return i < tuple->seq.n && tuple->seq.v[i]->kind == kind ? tuple->seq.v[i] : NULL;
}

/* size and stride: tuples of as many non-negative integers. */
static const char *read_shape(struct pk_value *v, const struct pk_value *size, const struct pk_value *stride)
{
	if (size->seq.n != stride->seq.n || size->seq.n > ST_MAX_DIMS)
		return "a tensor's size and stride do not match, or it has more than 8 dimensions";
	v->tensor.n_dims = (int)size->seq.n;
	for (size_t i = 0; i < size->seq.n; i++) {
		const struct pk_value *d = arg(size, i, PK_INT), *s = arg(stride, i, PK_INT);
		if (!d || !s || d->i < 0 || s->i < 0)
			return "a tensor's size or stride is not a non-negative integer";
		v->tensor.dims[i] = d->i;
		v->tensor.strides[i] = s->i;
	}
	return NULL;
}

/* Does every element lie inside the storage, and is the tensor no larger than it? The second keeps a tensor with stride
 * 0 from claiming more elements than the file has bytes. */
static bool inside_storage(const struct pk_value *v)
{
	int64_t last = v->tensor.offset, count = 1, span;
	for (int i = 0; i < v->tensor.n_dims; i++)
		if (__builtin_mul_overflow(count, v->tensor.dims[i], &count))
			return false;
	if (count == 0)
		return true;
	for (int i = 0; i < v->tensor.n_dims; i++)
		if (__builtin_mul_overflow(v->tensor.dims[i] - 1, v->tensor.strides[i], &span) ||
		    __builtin_add_overflow(last, span, &last))
			return false;
	return last < v->tensor.storage->storage.count && count <= v->tensor.storage->storage.count;
}

/* _rebuild_tensor(storage, offset, size, stride) and _v2's three more arguments, which say nothing about values. */
static const char *rebuild_tensor(struct pk_value *v, const struct pk_value *args)
{
	const struct pk_value *storage = arg(args, 0, PK_STORAGE), *offset = arg(args, 1, PK_INT);
	const struct pk_value *size = arg(args, 2, PK_TUPLE), *stride = arg(args, 3, PK_TUPLE);
	if (!storage || !offset || offset->i < 0 || !size || !stride)
		return "a tensor's arguments are not (storage, offset, size, stride, ...)";
	v->kind = PK_TENSOR;
	v->tensor.storage = storage;
	v->tensor.offset = offset->i;
	const char *why = read_shape(v, size, stride);
	if (!why && !inside_storage(v))
		why = "a tensor reaches beyond its storage, or repeats it";
	return why;
}

/* OrderedDict() or OrderedDict([(key, value), ...]): Python 2 wrote the items as an argument. */
static const char *ordered_dict(struct pk_value *v, struct arena *arena, const struct pk_value *args)
{
	v->kind = PK_DICT;
	if (args->seq.n == 0)
		return NULL;
	struct pk_value *items = args->seq.v[0];
	if (items->kind != PK_LIST || args->seq.n > 1)
		return "an ordered dict of something that is not a list of pairs";
	v->seq.n = v->seq.cap = 2 * items->seq.n;
	v->seq.v = arena_alloc(arena, v->seq.n * sizeof(struct pk_value *));
	for (size_t i = 0; i < items->seq.n; i++) {
		const struct pk_value *pair = items->seq.v[i];
		if ((pair->kind != PK_LIST && pair->kind != PK_TUPLE) || pair->seq.n != 2)
			return "an ordered dict of something that is not a list of pairs";
		v->seq.v[2 * i] = pair->seq.v[0];
		v->seq.v[2 * i + 1] = pair->seq.v[1];
	}
	items->seq.n = 0; /* the pairs are moved, so that a shared list cannot be copied without end */
	return NULL;
}

const char *pickle_construct(struct pk_value *v, struct arena *arena, int global, const struct pk_value *args)
{
	switch (globals[global].role) {
	case ROLE_DICT: return ordered_dict(v, arena, args);
	case ROLE_TENSOR: return rebuild_tensor(v, args);
	case ROLE_PARAMETER:
		if (!arg(args, 0, PK_TENSOR))
			return "a parameter of something that is not a tensor";
		*v = *args->seq.v[0];
		return NULL;
	case ROLE_STORAGE: break;
	}
	return "a storage type is called";
}

/* ("storage", type, key, location, count) and, in the old format, a sixth item that describes a view. */
const char *pickle_storage(struct pk_value *v, const struct pk_value *id)
{
	if (id->kind != PK_TUPLE)
		return "a persistent id that is not a storage";
	const struct pk_value *what = arg(id, 0, PK_TEXT), *type = arg(id, 1, PK_GLOBAL);
	const struct pk_value *key = arg(id, 2, PK_TEXT), *count = arg(id, 4, PK_INT);
	if (!what || strcmp(what->text.s, "storage") != 0 || !type || globals[type->global].role != ROLE_STORAGE || !key ||
	    !count || count->i < 0)
		return "a persistent id that is not a storage";
	if (id->seq.n > 5 && id->seq.v[5]->kind != PK_NONE)
		return "a storage that is a view of another one";
	v->kind = PK_STORAGE;
	v->storage.dtype = globals[type->global].dtype;
	v->storage.key = key->text.s;
	v->storage.count = count->i;
	return NULL;
}
