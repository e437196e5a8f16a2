/* json_out.h - documents of jansson as text, in two forms.
 *
 * What the program prints (json_out): keys in the order they were put in, integers as integers, reals as the shortest
 * text that reads back as the same number, "<" escaped. What records keep (json_record): jansson's own bytes, as they
 * always were, because hashes are over them. Nothing else in harness/ turns a document into text; text without a
 * document is json_writer.h's. */
#ifndef ABLATE_JSON_OUT_H
#define ABLATE_JSON_OUT_H

#include "model/base/err.h"
#include "model/base/mem.h"
#include "model/base/str.h"

#include <jansson.h>

/* Appends v as JSON text without a newline at its end; indent 0 is one line without blanks, else that many spaces per
 * level. */
void json_out(struct str *dst, const json_t *v, int indent);
/* Appends v with reals of 17 digits, without a newline; flags are jansson's: JSON_COMPACT for a line, JSON_INDENT(1)
 * for a file, JSON_SORT_KEYS where equal content has to be equal bytes. -1 and nothing appended when v is NULL, which
 * is what jansson makes of text that is not UTF-8, or cannot be text. */
MUST_CHECK int json_record(struct str *dst, const json_t *v, size_t flags);
/* A real, or null when x is not finite (JSON has no word for those). New reference. */
json_t *json_out_real(double x);
/* A string, or null when s is NULL; bytes that are not UTF-8 become U+FFFD. New reference. */
json_t *json_out_text(const char *s);

#endif
