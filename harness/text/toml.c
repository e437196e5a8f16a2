/* toml.c - the TOML tree as its readers see it; see toml.h. The grammar is in toml_parse.c. */
#include "harness/text/toml.h"

#include "harness/text/toml_tree.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define SMALL_TABLE 8 /* up to here a table is searched in order */

static uint64_t hash_bytes(const char *s, size_t n)
{
	uint64_t h = 14695981039346656037u; /* FNV-1a */
	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)s[i]) * 1099511628211u;
	return h ^ h >> 29;
}

static bool same_key(const struct toml_entry *en, const char *key, size_t n)
{
	return en->key_len == n && memcmp(en->key, key, n) == 0;
}

struct toml_entry *toml_table_find(const struct toml_table *t, const char *key, size_t n)
{
	if (!t->index) {
		for (uint32_t i = 0; i < t->n; i++)
			if (same_key(&t->entries[i], key, n))
				return &t->entries[i];
		return NULL;
	}
	uint32_t mask = t->index_size - 1;
	for (uint32_t at = (uint32_t)hash_bytes(key, n) & mask; t->index[at]; at = (at + 1) & mask)
		if (same_key(&t->entries[t->index[at] - 1], key, n))
			return &t->entries[t->index[at] - 1];
	return NULL;
}

static void index_put(struct toml_table *t, uint32_t i)
{
	uint32_t mask = t->index_size - 1, at = (uint32_t)hash_bytes(t->entries[i].key, t->entries[i].key_len) & mask;
	while (t->index[at])
		at = (at + 1) & mask;
	t->index[at] = i + 1;
}

struct toml_entry *toml_table_add(struct toml *doc, struct toml_table *t, const char *key, size_t n)
{
	if (t->n == t->cap) {
		t->cap = t->cap ? 2 * t->cap : 4;
		struct toml_entry *bigger = arena_alloc(&doc->arena, t->cap * sizeof *bigger);
		if (t->n)
			memcpy(bigger, t->entries, t->n * sizeof *bigger);
		t->entries = bigger;
	}
	struct toml_entry *en = &t->entries[t->n++];
	*en = (struct toml_entry){ .key = key, .key_len = n };
	if (t->n > SMALL_TABLE && 2 * t->n > t->index_size) {
		t->index_size = t->index_size ? 2 * t->index_size : 4 * SMALL_TABLE;
		t->index = arena_alloc(&doc->arena, t->index_size * sizeof *t->index);
		for (uint32_t i = 0; i < t->n; i++)
			index_put(t, i);
	} else if (t->index) {
		index_put(t, t->n - 1);
	}
	return en;
}

void toml_array_add(struct toml *doc, struct toml_array *a, struct toml_value *v)
{
	if (a->n == a->cap) {
		a->cap = a->cap ? 2 * a->cap : 4;
		struct toml_value **bigger = arena_alloc(&doc->arena, a->cap * sizeof *bigger);
		if (a->n)
			memcpy(bigger, a->items, a->n * sizeof *bigger);
		a->items = bigger;
	}
	a->items[a->n++] = v;
}

void toml_free(struct toml *doc)
{
	if (!doc)
		return;
	arena_release(&doc->arena);
	free(doc);
}

void scoped_toml(struct toml **doc)
{
	toml_free(*doc);
}

const struct toml_value *toml_root(const struct toml *doc)
{
	return doc->root;
}

const char *toml_text(const struct toml *doc, size_t *n)
{
	*n = doc->n;
	return doc->text;
}

size_t toml_len(const struct toml_value *v)
{
	if (v->type == TOML_ARRAY)
		return v->array->n;
	return v->type == TOML_TABLE ? v->table->n : 0;
}

const struct toml_value *toml_at(const struct toml_value *v, size_t i)
{
	if (v->type != TOML_ARRAY || i >= v->array->n)
		BUG("element %zu of %s of %zu", i, toml_type_name(v->type), toml_len(v));
	return v->array->items[i];
}

const struct toml_entry *toml_entry(const struct toml_value *v, size_t i)
{
	if (v->type != TOML_TABLE || i >= v->table->n)
		BUG("entry %zu of %s of %zu", i, toml_type_name(v->type), toml_len(v));
	return &v->table->entries[i];
}

const struct toml_entry *toml_find(const struct toml_value *v, const char *key)
{
	return v && v->type == TOML_TABLE ? toml_table_find(v->table, key, strlen(key)) : NULL;
}

const struct toml_value *toml_get(const struct toml_value *v, const char *path)
{
	while (v && v->type == TOML_TABLE) {
		size_t n = strcspn(path, ".");
		const struct toml_entry *en = toml_table_find(v->table, path, n);
		v = en ? en->value : NULL;
		if (!path[n])
			return v;
		path += n + 1;
	}
	return NULL;
}

int toml_typed(const struct toml_value **out, const struct toml_value *table, const char *key, enum toml_type type,
               struct err *e)
{
	const struct toml_entry *en = toml_find(table, key);
	if (!en)
		return 1;
	if (en->value->type != type)
		return toml_err(e, en->value, "%s must be %s, not %s", key, toml_type_name(type),
		                toml_type_name(en->value->type));
	*out = en->value;
	return 0;
}

int toml_string(const char **out, const struct toml_value *table, const char *key, struct err *e)
{
	const struct toml_value *v = NULL;
	int rc = toml_typed(&v, table, key, TOML_STRING, e);
	if (rc)
		return rc;
	if (memchr(v->str.data, '\0', v->str.len))
		return toml_err(e, v, "%s holds a NUL character", key);
	*out = v->str.data;
	return 0;
}

int toml_integer(int64_t *out, const struct toml_value *table, const char *key, struct err *e)
{
	const struct toml_value *v = NULL;
	int rc = toml_typed(&v, table, key, TOML_INTEGER, e);
	if (!rc)
		*out = v->i;
	return rc;
}

int toml_float(double *out, const struct toml_value *table, const char *key, struct err *e)
{
	const struct toml_entry *en = toml_find(table, key);
	if (en && en->value->type == TOML_INTEGER) {
		*out = (double)en->value->i;
		return 0;
	}
	const struct toml_value *v = NULL;
	int rc = toml_typed(&v, table, key, TOML_FLOAT, e);
	if (!rc)
		*out = v->f;
	return rc;
}

int toml_boolean(bool *out, const struct toml_value *table, const char *key, struct err *e)
{
	const struct toml_value *v = NULL;
	int rc = toml_typed(&v, table, key, TOML_BOOL, e);
	if (!rc)
		*out = v->b;
	return rc;
}

const char *toml_type_name(enum toml_type type)
{
	static const char *const names[] = {
		[TOML_STRING] = "a string",   [TOML_INTEGER] = "an integer",  [TOML_FLOAT] = "a float",
		[TOML_BOOL] = "a boolean",    [TOML_DATETIME] = "a datetime", [TOML_DATETIME_LOCAL] = "a local datetime",
		[TOML_DATE_LOCAL] = "a date", [TOML_TIME_LOCAL] = "a time",   [TOML_ARRAY] = "an array",
		[TOML_TABLE] = "a table",
	};
	return names[type];
}

char *toml_time_text(char *buf, const struct toml_value *v)
{
	const struct toml_time *t = &v->time;
	SCOPED(str) struct str s = { 0 };
	if (v->type != TOML_TIME_LOCAL)
		str_addf(&s, "%04d-%02d-%02d", t->year, t->month, t->day);
	if (v->type == TOML_DATETIME || v->type == TOML_DATETIME_LOCAL)
		str_addc(&s, 'T');
	if (v->type != TOML_DATE_LOCAL) {
		str_addf(&s, "%02d:%02d:%02d", t->hour, t->minute, t->second);
		char fraction[12];
		(void)snprintf(fraction, sizeof fraction, "%09d", t->nanosecond);
		if (t->digits)
			str_addf(&s, ".%.*s", t->digits, fraction);
	}
	if (v->type == TOML_DATETIME) {
		int off = abs(t->offset_minutes);
		if (off)
			str_addf(&s, "%c%02d:%02d", t->offset_minutes < 0 ? '-' : '+', off / 60, off % 60);
		else
			str_addc(&s, 'Z');
	}
	(void)snprintf(buf, 48, "%s", str_text(&s));
	return buf;
}

int toml_err(struct err *e, const struct toml_value *v, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	(void)toml_place_err(e, v->file, v->line, v->col, fmt, ap);
	va_end(ap);
	return -1;
}

int toml_key_err(struct err *e, const struct toml_entry *key, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	(void)toml_place_err(e, key->value->file, key->line, key->col, fmt, ap);
	va_end(ap);
	return -1;
}
