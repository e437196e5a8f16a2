/* paritylib_fixture.c - a fixture's three files into memory, every number of them checked before it is used. See
 * paritylib.h. */
#include "tests/parity/paritylib.h"

#include "model/base/io.h"

#include <stdarg.h>
#include <stdio.h>

enum { MAX_TEXT = 1 << 26, MAX_BIN = 1 << 30, MAX_TENSORS = 4096 };

static int parse_line(struct fixture *f, char *line, const struct str *bin, struct err *e)
{
	struct fx_tensor t = { .count = 1 };
	char dtype[8], name[FX_NAME];
	int used = 0, n_dims = 0;
	if (sscanf(line, "%199s %7s %d%n", name, dtype, &n_dims, &used) != 3 || n_dims < 0 || n_dims > FX_MAX_DIMS)
		return err_set(e, "expected 'name dtype ndim d0..dn offset nbytes'");
	(void)snprintf(t.name, sizeof t.name, "%s", name);
	bool f64 = strcmp(dtype, "f64") == 0;
	if (!f64 && strcmp(dtype, "f32") != 0)
		return err_set(e, "%s: dtype %s is neither f32 nor f64", name, dtype);
	long long field[FX_MAX_DIMS + 2];
	char *at = line + used;
	for (int i = 0; i < n_dims + 2; i++) {
		char *end;
		field[i] = strtoll(at, &end, 10);
		if (end == at || field[i] < 0 || field[i] > MAX_BIN)
			return err_set(e, "%s: %d sizes, an offset and a length expected", name, n_dims);
		at = end;
	}
	if (at[strspn(at, " \r")])
		return err_set(e, "%s: more fields than sizes, offset and length", name);
	t.n_dims = n_dims;
	for (int i = 0; i < n_dims; i++) {
		t.dims[i] = field[i];
		t.count *= (size_t)field[i];
		if (t.count > MAX_BIN)
			return err_set(e, "%s: too large", name);
	}
	size_t offset = (size_t)field[n_dims], bytes = (size_t)field[n_dims + 1],
		   width = f64 ? sizeof(double) : sizeof(float);
	if (t.count * width != bytes)
		return err_set(e, "%s: %zu values of %zu bytes are not %zu bytes", name, t.count, width, bytes);
	if (offset + bytes > bin->len)
		return err_set(e, "%s: ends at byte %zu, but the .bin has %zu", name, offset + bytes, bin->len);
	t.v = xmalloc(t.count * sizeof *t.v + 1);
	for (size_t i = 0; i < t.count; i++) {
		float x;
		if (f64) {
			memcpy(&t.v[i], bin->data + offset + i * width, width);
		} else {
			memcpy(&x, bin->data + offset + i * width, width);
			t.v[i] = (double)x;
		}
	}
	VEC_PUSH(f->tensors, f->n_tensors, f->cap_tensors) = t;
	return 0;
}

static int load_tensors(struct fixture *f, const char *dir, const char *name, struct err *e)
{
	SCOPED(free) char *idx_path = xstrfmt("%s/%s.idx", dir, name);
	SCOPED(free) char *bin_path = xstrfmt("%s/%s.bin", dir, name);
	SCOPED(str) struct str idx = { 0 };
	SCOPED(str) struct str bin = { 0 };
	if (io_read(&idx, idx_path, MAX_TEXT, e) || io_read(&bin, bin_path, MAX_BIN, e))
		return -1;
	if (strlen(str_text(&idx)) != idx.len)
		return err_set(e, "%s: not a text", idx_path);
	int number = 1;
	for (char *line = idx.data, *next; line && *line; line = next, number++) {
		char *end = strchr(line, '\n');
		next = end ? end + 1 : NULL;
		if (end)
			*end = '\0';
		if (line[strspn(line, " \r")] == '\0')
			continue;
		if (f->n_tensors == MAX_TENSORS)
			return err_set(e, "%s: more than %d tensors", idx_path, MAX_TENSORS);
		if (parse_line(f, line, &bin, e))
			return err_in(e, "%s:%d", idx_path, number);
	}
	return 0;
}

int fx_load(struct fixture *f, const char *dir, const char *name, struct err *e)
{
	SCOPED(free) char *path = xstrfmt("%s/%s.json", dir, name);
	SCOPED(str) struct str text = { 0 };
	json_error_t problem;
	f->name = xstrdup(name);
	if (io_read(&text, path, MAX_TEXT, e))
		return -1;
	f->json = json_loadb(str_text(&text), text.len, JSON_REJECT_DUPLICATES, &problem);
	if (!json_is_object(f->json))
		return err_set(e, "%s:%d:%d: %s", path, problem.line, problem.column, f->json ? "not an object" : problem.text);
	f->kind = fx_text(f->json, "kind", "");
	f->prefix = fx_text(f->json, "name_prefix", "");
	if (strlen(f->prefix) > 100)
		return err_set(e, "%s: name_prefix is longer than 100 bytes", path);
	return load_tensors(f, dir, name, e);
}

void fx_release(struct fixture *f)
{
	for (int i = 0; i < f->n_tensors; i++)
		free(f->tensors[i].v);
	free(f->tensors);
	free(f->name);
	json_decref(f->json);
	*f = (struct fixture){ 0 };
}

const struct fx_tensor *fx_find(const struct fixture *f, const char *name)
{
	for (int i = 0; i < f->n_tensors; i++)
		if (strcmp(f->tensors[i].name, name) == 0)
			return &f->tensors[i];
	return NULL;
}

const double *fx_need(struct fixture *f, const char *name, size_t count)
{
	const struct fx_tensor *t = fx_find(f, name);
	if (!t)
		fx_fail(f, "%s.idx has no tensor %s", f->name, name);
	else if (t->count != count)
		fx_fail(f, "%s has %zu values, %zu expected", name, t->count, count);
	return t && t->count == count ? t->v : NULL;
}

double fx_number(const json_t *object, const char *key, double otherwise)
{
	const json_t *v = json_object_get(object, key);
	return json_is_number(v) ? json_number_value(v) : otherwise;
}

int64_t fx_integer(const json_t *object, const char *key, int64_t otherwise)
{
	double v = fx_number(object, key, (double)otherwise), most = 1099511627776.0;
	return (int64_t)(v > most ? most : v > -most ? v : -most);
}

const char *fx_text(const json_t *object, const char *key, const char *otherwise)
{
	const char *v = json_string_value(json_object_get(object, key));
	return v ? v : otherwise;
}

bool fx_numbers(struct fixture *f, double *out, const json_t *object, const char *key, size_t n)
{
	const json_t *list = json_object_get(object, key);
	if (json_array_size(list) != n) {
		fx_fail(f, "%s: a list of %zu numbers expected", key, n);
		return false;
	}
	for (size_t i = 0; i < n; i++)
		out[i] = json_number_value(json_array_get(list, i));
	return true;
}

/* ---- report ---------------------------------------------------------------------------------- */

void fx_check(struct fixture *f, const char *what, double got, double gate, double peer)
{
	bool ok = got <= gate;
	f->checks++;
	f->failures += !ok;
	printf("  %-4s %-58s %9.2e  gate %8.1e", ok ? "ok" : "FAIL", what, got, gate);
	if (!isnan(peer))
		printf("  peer %8.1e", peer);
	printf("\n");
}

void fx_fail(struct fixture *f, const char *fmt, ...)
{
	va_list ap;
	f->checks++;
	f->failures++;
	printf("  FAIL ");
	va_start(ap, fmt);
	(void)vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

void fx_note(const char *fmt, ...)
{
	va_list ap;
	printf("       ");
	va_start(ap, fmt);
	(void)vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

void fx_worst(struct fx_worst *w, const char *name, double value)
{
	if (isnan(w->value) || (value <= w->value && w->name[0]))
		return;
	w->value = value;
	(void)snprintf(w->name, sizeof w->name, "%s", name);
}

void fx_check_worst(struct fixture *f, const char *what, const struct fx_worst *w, double gate, double peer)
{
	SCOPED(free) char *text = w->name[0] ? xstrfmt("%s (%s)", what, w->name) : xstrdup(what);
	fx_check(f, text, w->name[0] ? w->value : NAN, gate, peer);
}
