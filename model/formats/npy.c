/* npy.c - see npy.h. The header is a Python dict literal; what is accepted of that grammar is what numpy writes:
 * quoted keys, a quoted descr, True or False, and a tuple of plain integers. */
#define _GNU_SOURCE
#include "model/formats/npy.h"

#include "model/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cursor {
	const char *p, *end;
};

static void skip_space(struct cursor *c)
{
	while (c->p < c->end && (*c->p == ' ' || *c->p == '\t' || *c->p == '\n'))
		c->p++;
}

static bool take(struct cursor *c, const char *text)
{
	skip_space(c);
	size_t n = strlen(text);
	if ((size_t)(c->end - c->p) < n || memcmp(c->p, text, n) != 0)
		return false;
	c->p += n;
	return true;
}

static bool take_quoted(struct cursor *c, char *out, size_t cap)
{
	skip_space(c);
	if (c->p == c->end || (*c->p != '\'' && *c->p != '"'))
		return false;
	char quote = *c->p++;
	size_t n = 0;
	while (c->p < c->end && *c->p != quote) {
		if (n + 1 >= cap)
			return false;
		out[n++] = *c->p++;
	}
	if (c->p == c->end)
		return false;
	c->p++;
	out[n] = '\0';
	return true;
}

static bool take_int(struct cursor *c, int64_t *out)
{
	skip_space(c);
	int64_t v = 0;
	int digits = 0;
	while (c->p < c->end && *c->p >= '0' && *c->p <= '9') {
		if (v > (INT64_MAX - 9) / 10)
			return false;
		v = v * 10 + (*c->p++ - '0');
		digits++;
	}
	(void)take(c, "L"); /* Python 2 */
	*out = v;
	return digits > 0;
}

static bool take_shape(struct cursor *c, struct npy_info *out)
{
	if (!take(c, "("))
		return false;
	while (!take(c, ")")) {
		if (out->n_dims == NPY_MAX_DIMS || !take_int(c, &out->dims[out->n_dims]))
			return false;
		out->n_dims++;
		if (!take(c, ",")) {
			if (!take(c, ")"))
				return false;
			break;
		}
	}
	return true;
}

int npy_descr(struct npy_info *out, const char *descr, const char *name, struct err *e)
{
	int at = descr[0] && strchr("<>|=", descr[0]) ? 1 : 0;
	static const struct {
		char letter;
		enum npy_kind kind;
	} kinds[] = {
		{ 'b', NPY_BOOL }, { 'i', NPY_INT }, { 'u', NPY_UINT }, { 'f', NPY_FLOAT }, { 'S', NPY_BYTES },
	};
	char *end;
	long item = strtol(descr[at] ? descr + at + 1 : "", &end, 10);
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		if (descr[at] != kinds[i].letter || *end)
			continue;
		bool ok = kinds[i].kind == NPY_BYTES   ? item > 0 && item <= 1 << 20
		          : kinds[i].kind == NPY_BOOL  ? item == 1
		          : kinds[i].kind == NPY_FLOAT ? item == 2 || item == 4 || item == 8
		                                       : item == 1 || item == 2 || item == 4 || item == 8;
		if (!ok)
			break;
		out->kind = kinds[i].kind;
		out->item = (int)item;
		out->swapped = descr[0] == '>' && item > 1 && out->kind != NPY_BYTES;
		return 0;
	}
	return err_set(e, "%s: array type '%s' is not supported; numbers of 1 to 8 bytes are", name, descr);
}

static int parse_dict(struct npy_info *out, struct cursor c, const char *name, struct err *e)
{
	bool descr_seen = false, order_seen = false, shape_seen = false, fortran = false;
	char key[32], descr[32] = "";
	if (!take(&c, "{"))
		return err_set(e, "%s: the array header is not a dict", name);
	while (!take(&c, "}")) {
		if (!take_quoted(&c, key, sizeof key) || !take(&c, ":"))
			return err_set(e, "%s: damaged array header", name);
		bool ok = false;
		if (strcmp(key, "descr") == 0 && !descr_seen) {
			ok = descr_seen = take_quoted(&c, descr, sizeof descr);
			if (!ok && take(&c, "["))
				return err_set(e, "%s: a structured array is not supported; save its fields one by one", name);
		} else if (strcmp(key, "fortran_order") == 0 && !order_seen) {
			fortran = take(&c, "True");
			ok = order_seen = fortran || take(&c, "False");
		} else if (strcmp(key, "shape") == 0 && !shape_seen) {
			ok = shape_seen = take_shape(&c, out);
		}
		if (!ok)
			return err_set(e, "%s: damaged array header at key '%s'", name, key);
		(void)take(&c, ",");
	}
	if (!descr_seen || !order_seen || !shape_seen)
		return err_set(e, "%s: the array header lacks descr, fortran_order or shape", name);
	out->fortran = fortran && out->n_dims > 1;
	return npy_descr(out, descr, name, e);
}

int npy_parse(struct npy_info *out, const uint8_t *bytes, size_t n, const char *name, struct err *e)
{
	struct npy_info info = { 0 };
	if (n < 10 || memcmp(bytes, "\x93NUMPY", 6) != 0)
		return err_set(e, "%s: not a numpy array (.npy)", name);
	if (bytes[6] < 1 || bytes[6] > 3)
		return err_set(e, "%s: .npy format version %d.%d is not known", name, bytes[6], bytes[7]);
	size_t front = bytes[6] == 1 ? 10 : 12;
	if (n < front)
		return err_set(e, "%s: truncated array header", name);
	size_t len = bytes[8] | (size_t)bytes[9] << 8;
	if (bytes[6] > 1)
		len |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
	if (front + len > NPY_MAX_HEADER)
		return err_set(e, "%s: array header of %zu bytes", name, len);
	if (len > n - front)
		return err_set(e, "%s: truncated array header", name);
	struct cursor c = { (const char *)bytes + front, (const char *)bytes + front + len };
	if (parse_dict(&info, c, name, e))
		return -1;
	info.count = 1;
	for (int i = 0; i < info.n_dims; i++)
		if (__builtin_mul_overflow(info.count, info.dims[i], &info.count))
			return err_set(e, "%s: the array's shape overflows", name);
	int64_t total;
	if (__builtin_mul_overflow(info.count, (int64_t)info.item, &total) || total > (int64_t)1 << 50)
		return err_set(e, "%s: the array's shape overflows", name);
	info.data_at = front + len;
	*out = info;
	return 0;
}

/* The length of the header's text and where it begins; false: there is none. */
static bool header_span(size_t *front, size_t *len, const uint8_t *bytes, size_t n)
{
	if (n < 12 || memcmp(bytes, "\x93NUMPY", 6) != 0 || bytes[6] < 1 || bytes[6] > 3)
		return false;
	*front = bytes[6] == 1 ? 10 : 12;
	*len = bytes[8] | (size_t)bytes[9] << 8;
	if (bytes[6] > 1)
		*len |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
	return *len <= n - *front && *len <= NPY_MAX_HEADER;
}

bool npy_is_pickled(size_t *data_at, const uint8_t *bytes, size_t n)
{
	static const char objects[] = "'descr': '|O'";
	size_t front, len;
	if (!header_span(&front, &len, bytes, n) || !memmem(bytes + front, len, objects, sizeof objects - 1))
		return false;
	*data_at = front + len;
	return true;
}

static double half_to_double(uint16_t h)
{
	int exp = h >> 10 & 31, man = h & 1023;
	double v = exp == 0    ? man * 0x1p-24
	           : exp == 31 ? (man ? __builtin_nan("") : __builtin_inf())
	                       : __builtin_ldexp(1024 + man, exp - 25);
	return h & 0x8000 ? -v : v;
}

static double element(const struct npy_info *info, const uint8_t *p)
{
	union {
		uint64_t u;
		int64_t i;
		double f;
	} w8 = { 0 };
	union {
		uint32_t u;
		float f;
	} w4;
	uint64_t raw = 0;
	memcpy(&raw, p, (size_t)info->item); /* little-endian host: the only kind that is built for */
	if (info->swapped)
		raw = __builtin_bswap64(raw) >> (64 - 8 * info->item);
	switch (info->kind) {
	case NPY_FLOAT:
		if (info->item == 2)
			return half_to_double((uint16_t)raw);
		if (info->item == 4) {
			w4.u = (uint32_t)raw;
			return w4.f;
		}
		w8.u = raw;
		return w8.f;
	case NPY_INT: {
		int shift = 64 - 8 * info->item;
		w8.u = raw << shift;
		return (double)(w8.i >> shift);
	}
	case NPY_BOOL:
	case NPY_UINT: return (double)raw;
	case NPY_BYTES: break;
	}
	BUG("a text array read as numbers");
}

void npy_to_double(double *out, const struct npy_info *info, const uint8_t *data, int64_t first, int64_t n)
{
	if (info->kind == NPY_FLOAT && info->item == 8 && !info->swapped) {
		memcpy(out, data + first * 8, (size_t)n * 8);
		return;
	}
	for (int64_t i = 0; i < n; i++)
		out[i] = element(info, data + (first + i) * info->item);
}

void npy_to_float(float *out, const struct npy_info *info, const uint8_t *data, int64_t first, int64_t n)
{
	if (info->kind == NPY_FLOAT && info->item == 4 && !info->swapped) {
		memcpy(out, data + first * 4, (size_t)n * 4);
		return;
	}
	for (int64_t i = 0; i < n; i++)
		out[i] = (float)element(info, data + (first + i) * info->item);
}

char *npy_describe(char *buf, const struct npy_info *info)
{
	static const char *const names[] = { "bool", "int", "uint", "float", "bytes" };
	size_t at = 0, cap = 128;
	at += (size_t)snprintf(buf, cap, "%s%d (", names[info->kind],
	                       info->kind == NPY_BYTES ? info->item : 8 * info->item);
	for (int i = 0; i < info->n_dims && at < cap - 24; i++)
		at += (size_t)snprintf(buf + at, cap - at, i ? ", %lld" : "%lld", (long long)info->dims[i]);
	(void)snprintf(buf + at, cap - at, ")");
	return buf;
}

void npy_header(struct str *out, const char *descr, const int64_t *dims, int n_dims)
{
	SCOPED(str) struct str d = { 0 };
	str_addf(&d, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
	for (int i = 0; i < n_dims; i++)
		str_addf(&d, n_dims == 1 ? "%lld," : i ? ", %lld" : "%lld", (long long)dims[i]);
	str_add(&d, "), }");
	while ((10 + d.len + 1) % 64)
		str_addc(&d, ' ');
	str_addc(&d, '\n');
	uint8_t front[10] = { 0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (uint8_t)(d.len & 255), (uint8_t)(d.len >> 8) };
	str_addn(out, front, sizeof front);
	str_addn(out, d.data, d.len);
}
