/* pickle_numpy.c - the names that a pickle of numpy arrays uses, one row each, and what they build. Sources: numpy's
 * ndarray.__reduce__ and __reduce_ex__ (a shell by _reconstruct, then BUILD with version, shape, dtype, order and
 * bytes; from protocol 5 on _frombuffer), dtype.__reduce__ (name, then BUILD whose second item is the byte order), and
 * CPython's bytes.__reduce__ of protocol 2, which writes them as a text to be encoded. */
#include "model/formats/pickle_numpy.h"

#include <string.h>

enum role { ROLE_DICT, ROLE_ENCODE, ROLE_NDARRAY, ROLE_DTYPE, ROLE_SHELL, ROLE_BUFFER, ROLE_SCALAR };

static const struct {
	const char *name;
	enum role role;
} globals[] = {
	{ "collections.OrderedDict", ROLE_DICT },
	{ "_codecs.encode", ROLE_ENCODE },
	{ "numpy.ndarray", ROLE_NDARRAY },
	{ "numpy.dtype", ROLE_DTYPE },
	{ "numpy.core.multiarray._reconstruct", ROLE_SHELL },
	{ "numpy._core.multiarray._reconstruct", ROLE_SHELL },
	{ "numpy.core.numeric._frombuffer", ROLE_BUFFER },
	{ "numpy._core.numeric._frombuffer", ROLE_BUFFER },
	{ "numpy.core.multiarray.scalar", ROLE_SCALAR },
	{ "numpy._core.multiarray.scalar", ROLE_SCALAR },
};

int pickle_numpy_global(const char *full_name)
{
	for (size_t i = 0; i < sizeof globals / sizeof *globals; i++)
		if (strcmp(globals[i].name, full_name) == 0)
			return (int)i;
	return -1;
}

static struct pk_value *arg(const struct pk_value *tuple, size_t i, enum pk_kind kind)
{
	return i < tuple->seq.n && tuple->seq.v[i]->kind == kind ? tuple->seq.v[i] : NULL;
}

/* Bytes, or a text of Python 2, which are the same there. */
static const struct pk_value *bytes_arg(const struct pk_value *tuple, size_t i)
{
	const struct pk_value *v = arg(tuple, i, PK_BYTES);
	return v ? v : arg(tuple, i, PK_TEXT);
}

/* encode(text, "latin1"): every character, of one or two bytes of UTF-8, is one byte. The result takes the text's
 * place, so that a shared text cannot be copied without end. */
static const char *encode(struct pk_value *v, struct arena *arena, const struct pk_value *args)
{
	struct pk_value *text = (struct pk_value *)bytes_arg(args, 0);
	const struct pk_value *by = arg(args, 1, PK_TEXT);
	if (!text || !by || (strcmp(by->text.s, "latin1") != 0 && strcmp(by->text.s, "latin-1") != 0))
		return "an encoding other than a text's to latin1";
	if (text->kind == PK_BYTES && text->text.latin1) {
		*v = *text;
		return NULL;
	}
	const unsigned char *s = (const unsigned char *)text->text.s;
	unsigned char *out = arena_alloc(arena, text->text.n + 1);
	size_t n = 0;
	for (size_t i = 0; i < text->text.n; i++) {
		unsigned c = s[i];
		if (c >= 0x80) {
			if ((c & 0xfc) != 0xc0 || i + 1 == text->text.n || (s[i + 1] & 0xc0) != 0x80)
				return "a text that is not latin1";
			c = (c & 3) << 6 | (s[++i] & 0x3f);
		}
		out[n++] = (unsigned char)c;
	}
	text->kind = PK_BYTES;
	text->text.s = (const char *)out;
	text->text.n = n;
	text->text.latin1 = true;
	*v = *text;
	return NULL;
}

/* dtype("f8", align, copy). */
static const char *make_dtype(struct pk_value *v, const struct pk_value *args)
{
	const struct pk_value *name = arg(args, 0, PK_TEXT);
	if (!name)
		return "a dtype whose name is not a text";
	*v = (struct pk_value){ .kind = PK_DTYPE };
	if (strcmp(name->text.s, "O8") == 0 || strcmp(name->text.s, "O") == 0)
		v->dtype.what = PK_DTYPE_OBJECT;
	else if (npy_descr(&v->dtype.info, name->text.s, "", NULL))
		v->dtype.what = PK_DTYPE_OTHER;
	return NULL;
}

/* (version, byte order, ...). What makes a type other than plain comes after these and is not looked at: a structured
 * type has the name V and is already another. */
static const char *build_dtype(struct pk_value *v, const struct pk_value *state)
{
	const struct pk_value *order = state->kind == PK_TUPLE ? arg(state, 1, PK_TEXT) : NULL;
	if (!order || strlen(order->text.s) != 1 || !strchr("<>|=", order->text.s[0]))
		return "a dtype's state is not (version, byte order, ...)";
	struct npy_info *info = &v->dtype.info;
	info->swapped = order->text.s[0] == '>' && info->item > 1 && info->kind != NPY_BYTES;
	return NULL;
}

static const char *set_shape(struct npy_info *info, const struct pk_value *shape)
{
	if (!shape || shape->seq.n > NPY_MAX_DIMS)
		return "an array's shape is not a tuple of at most 8 integers";
	info->n_dims = (int)shape->seq.n;
	info->count = 1;
	for (size_t i = 0; i < shape->seq.n; i++) {
		const struct pk_value *d = arg(shape, i, PK_INT);
		if (!d || d->i < 0 || __builtin_mul_overflow(info->count, d->i, &info->count))
			return "an array's shape is not of integers, or overflows";
		info->dims[i] = d->i;
	}
	return NULL;
}

/* An array of that type and shape over the data: bytes of just the length that it needs, or a list of objects. Elements
 * of another type stay unread. */
static const char *fill(struct pk_value *v, const struct pk_value *dtype, const struct pk_value *shape, bool fortran,
                        const struct pk_value *bytes, const struct pk_value *list)
{
	if (!dtype)
		return "an array without a dtype";
	struct pk_value a = { .kind = PK_ARRAY };
	a.array.dtype = dtype->dtype;
	struct npy_info *info = &a.array.dtype.info;
	const char *why = set_shape(info, shape);
	if (why)
		return why;
	info->fortran = fortran && info->n_dims > 1;
	int64_t size;
	switch (dtype->dtype.what) {
	case PK_DTYPE_PLAIN:
		if (!bytes || __builtin_mul_overflow(info->count, (int64_t)info->item, &size) ||
		    (uint64_t)size != bytes->text.n)
			return "an array whose bytes are not as many as its shape says";
		a.array.data = (const uint8_t *)bytes->text.s;
		break;
	case PK_DTYPE_OBJECT:
		if (!list || list->seq.n != (uint64_t)info->count)
			return "an array of objects that are not as many as its shape says";
		a.array.objects = list->seq.v;
		break;
	case PK_DTYPE_OTHER: break;
	}
	*v = a;
	return NULL;
}

/* (version, shape, dtype, in Fortran order, bytes or list); the version is left out by an old one. */
static const char *build_array(struct pk_value *v, const struct pk_value *state)
{
	if (state->kind != PK_TUPLE || state->seq.n < 4)
		return "an array's state is not (version, shape, dtype, order, data)";
	size_t at = state->seq.n - 4;
	const struct pk_value *fortran = arg(state, at + 2, PK_BOOL);
	if (!fortran)
		return "an array's state is not (version, shape, dtype, order, data)";
	return fill(v, arg(state, at + 1, PK_DTYPE), arg(state, at, PK_TUPLE), fortran->i != 0, bytes_arg(state, at + 3),
	            arg(state, at + 3, PK_LIST));
}

const char *pickle_numpy_build(struct pk_value *v, const struct pk_value *state)
{
	return v->kind == PK_DTYPE ? build_dtype(v, state) : build_array(v, state);
}

/* _frombuffer(bytes, dtype, shape, "C" or "F"). */
static const char *from_buffer(struct pk_value *v, const struct pk_value *args)
{
	const struct pk_value *order = arg(args, 3, PK_TEXT);
	if (!order || (strcmp(order->text.s, "C") != 0 && strcmp(order->text.s, "F") != 0))
		return "an array's arguments are not (bytes, dtype, shape, order)";
	return fill(v, arg(args, 1, PK_DTYPE), arg(args, 2, PK_TUPLE), order->text.s[0] == 'F', bytes_arg(args, 0), NULL);
}

const char *pickle_numpy_construct(struct pk_value *v, struct arena *arena, int global, const struct pk_value *args)
{
	static const struct pk_value scalar = { .kind = PK_TUPLE };
	switch (globals[global].role) {
	case ROLE_DICT: v->kind = PK_DICT; return args->seq.n ? "an ordered dict with arguments" : NULL;
	case ROLE_ENCODE: return encode(v, arena, args);
	case ROLE_DTYPE: return make_dtype(v, args);
	case ROLE_SHELL:
		*v = (struct pk_value){ .kind = PK_ARRAY };
		v->array.dtype.what = PK_DTYPE_OTHER; /* until it gets its state */
		return NULL;
	case ROLE_BUFFER: return from_buffer(v, args);
	case ROLE_SCALAR: return fill(v, arg(args, 0, PK_DTYPE), &scalar, false, bytes_arg(args, 1), NULL);
	case ROLE_NDARRAY: break;
	}
	return "numpy.ndarray is called";
}
