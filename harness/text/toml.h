/* toml.h - TOML 1.0: a text becomes a tree in which every key and every value knows its line and column.
 *
 * The parser is complete and strict: what the specification forbids is an error `file:line:col: message` with exit
 * code 2. Tables keep the order and the spelling of their source. The tree lives in one arena and is freed as one;
 * nothing in it may be changed. Lines and columns count from 1; a column is a character (code point), not a byte.
 *
 *     struct toml *doc;
 *     if (toml_read(&doc, "grid.toml", e)) return -1;
 *     const struct toml_value *seeds = toml_get(toml_root(doc), "grid.seeds");
 *     if (!seeds) ...                                       // absent
 *     if (seeds->type != TOML_TABLE) return toml_err(e, seeds, "seeds must be a table");
 *     for (size_t i = 0; i < toml_len(seeds); i++) { const struct toml_entry *en = toml_entry(seeds, i); ... }
 *     toml_free(doc); */
#ifndef ABLATE_TOML_H
#define ABLATE_TOML_H

#include "model/base/err.h"
#include "model/base/str.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOML_DEPTH_MAX 128                /* tables and arrays within each other */
#define TOML_BYTES_MAX ((size_t)64 << 20) /* a longer text is refused */

enum toml_type {
	TOML_STRING,
	TOML_INTEGER,
	TOML_FLOAT,
	TOML_BOOL,
	TOML_DATETIME,
	TOML_DATETIME_LOCAL,
	TOML_DATE_LOCAL,
	TOML_TIME_LOCAL,
	TOML_ARRAY,
	TOML_TABLE,
};

/* A moment as written; which fields count follows from the value's type. Digits past the nanosecond are dropped. */
struct toml_time {
	int year, month, day;
	int hour, minute, second, nanosecond;
	int offset_minutes; /* from UTC; TOML_DATETIME only */
	int digits;         /* of the written fraction, 0..9 */
};

struct toml_value {
	enum toml_type type;
	int line, col;    /* where it begins; of a table with a header: the header's last key */
	const char *file; /* as given to the parser */
	const char *src;  /* its spelling, src_len bytes; empty for tables and arrays with headers */
	size_t src_len;
	union {
		struct {
			const char *data;
			size_t len;
		} str; /* UTF-8, NUL after len; may hold NUL inside */
		int64_t i;
		double f;
		bool b;
		struct toml_time time;
		struct toml_array *array; /* by toml_len, toml_at */
		struct toml_table *table; /* by toml_len, toml_entry, toml_find */
	};
};

struct toml_entry {
	const char *key; /* one segment, decoded; key_len bytes and a NUL */
	size_t key_len;
	const char *spelling; /* as in the source ("quoted" or bare), spelling_len bytes */
	size_t spelling_len;
	int line, col; /* of this segment where the entry was first named, or its own header */
	struct toml_value *value;
};

struct toml; /* a parsed text; owns its tree */

/* Parses n bytes. `file` is the name for messages (copied). On failure *out is untouched. */
MUST_CHECK int toml_parse(struct toml **out, const char *text, size_t n, const char *file, struct err *e);
/* The same from a file; "-" is stdin. */
MUST_CHECK int toml_read(struct toml **out, const char *path, struct err *e);
/* One value by itself, as `--set K=V` has it: the root of *out is the value. A text that is not a TOML value and does
 * not begin as a string, array or inline table is taken as a string ("pseudo-huber", "0.00054*sqrt(d)"). Empty is an
 * error. `name` stands for the file in messages. */
MUST_CHECK int toml_parse_value(struct toml **out, const char *text, const char *name, struct err *e);
void toml_free(struct toml *doc);    /* accepts NULL */
void scoped_toml(struct toml **doc); /* SCOPED(toml) struct toml *doc = NULL; */
const struct toml_value *toml_root(const struct toml *doc);
/* The text as parsed (for records that keep a grid verbatim); *n its length. */
const char *toml_text(const struct toml *doc, size_t *n);

/* Elements of an array or entries of a table; 0 for anything else. */
size_t toml_len(const struct toml_value *v);
/* Element i of an array. BUG() if v is not an array or i is out of range. */
const struct toml_value *toml_at(const struct toml_value *v, size_t i);
/* Entry i of a table, in order of appearance. BUG() likewise. */
const struct toml_entry *toml_entry(const struct toml_value *v, size_t i);
/* The entry of that key in this table, or NULL (also if v is NULL or not a table). The key is one segment, not a
 * path. */
const struct toml_entry *toml_find(const struct toml_value *v, const char *key);
/* The value at a dotted path of plain segments ("grid.seeds.train") below table v, or NULL. */
const struct toml_value *toml_get(const struct toml_value *v, const char *path);

/* Typed getters of one key: 0 with *out set; 1 if the key is absent (*out untouched); -1 with e set on another type.
 * Integers are accepted as floats; strings with a NUL inside are refused. Texts belong to the tree. */
MUST_CHECK int toml_string(const char **out, const struct toml_value *table, const char *key, struct err *e);
MUST_CHECK int toml_integer(int64_t *out, const struct toml_value *table, const char *key, struct err *e);
MUST_CHECK int toml_float(double *out, const struct toml_value *table, const char *key, struct err *e);
MUST_CHECK int toml_boolean(bool *out, const struct toml_value *table, const char *key, struct err *e);
/* The same for arrays and tables. */
MUST_CHECK int toml_typed(const struct toml_value **out, const struct toml_value *table, const char *key,
                          enum toml_type type, struct err *e);

/* "a string", "an integer", ... for messages. */
const char *toml_type_name(enum toml_type type);
/* RFC 3339 text of a datetime, date or time value; buf >= 48 bytes. Returns buf. */
char *toml_time_text(char *buf, const struct toml_value *v);
/* Sets e to "file:line:col: message" with exit code 2; line 0: "file: message". Returns -1. */
int toml_place_err(struct err *e, const char *file, int line, int col, const char *fmt, va_list ap) PRINTF_LIKE(5, 0);
/* The same with the place of a value or key. */
int toml_err(struct err *e, const struct toml_value *v, const char *fmt, ...) PRINTF_LIKE(3, 4);
int toml_key_err(struct err *e, const struct toml_entry *key, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
