/* json_writer.h - JSON text as it grows: the one place that knows commas, colons, brackets and indentation.
 *
 *     struct json_writer w = { .to = &out };
 *     json_begin(&w, NULL, '{');
 *     json_add_text(&w, "name", "g");
 *     json_begin(&w, "looks", '[');
 *     json_add_int(&w, NULL, 5);
 *     json_end(&w);
 *     json_end(&w);                                  {"name":"g","looks":[5]}
 *
 * A value is named inside an object and nowhere else: another use is BUG(). Zero-initialised but for `to` it writes one
 * line without blanks; with `indent` each value has a line of its own. Texts are escaped by escape_json, numbers are
 * the shortest that read back; what is not a number is null. Documents of jansson go through json_out (json_out.h). */
#ifndef ABLATE_JSON_WRITER_H
#define ABLATE_JSON_WRITER_H

#include "model/base/err.h"
#include "model/base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum { JSON_WRITER_DEPTH = 2112 }; /* more than jansson reads (2048) */

struct json_writer {
	struct str *to;                          /* appended to; the caller's */
	int indent;                              /* blanks per level; 0: all in one line */
	int depth;                               /* its own from here on: levels open */
	bool full, line;                         /* the innermost level holds a value; the next value begins a line */
	uint64_t arrays[JSON_WRITER_DEPTH / 64]; /* a bit per open level: is it an array? */
};

/* Opens an object ('{') or an array ('['). `name`: NULL in an array and at the top, here and below. */
void json_begin(struct json_writer *w, const char *name, char bracket);
/* Closes what was opened last. */
void json_end(struct json_writer *w);
void json_add_text(struct json_writer *w, const char *name, const char *text); /* NULL: "" */
void json_add_int(struct json_writer *w, const char *name, int64_t x);
void json_add_number(struct json_writer *w, const char *name, double x); /* 3 for 3.0; null when it is not finite */
void json_add_bool(struct json_writer *w, const char *name, bool x);
void json_add_null(struct json_writer *w, const char *name);
/* A value that is JSON already. */
void json_add_raw(struct json_writer *w, const char *name, const char *json);
/* A value in a form of the caller's, such as "%.3f"; fmt makes JSON. */
void json_add_format(struct json_writer *w, const char *name, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* An array of texts. */
void json_add_texts(struct json_writer *w, const char *name, const char *const *v, int n);
/* The next value, or the next end, begins a line: where a long document is to be read by people, too. */
void json_line(struct json_writer *w);

#endif
