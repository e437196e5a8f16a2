/* json_out.h - JSON as a script wants it: keys in the order they were put in, integers as integers, reals as the
 * shortest text that reads back as the same number (jansson alone writes 0.1 as 0.10000000000000001). */
#ifndef ABLATE_JSON_OUT_H
#define ABLATE_JSON_OUT_H

#include "model/base/mem.h"
#include "model/base/str.h"

#include <jansson.h>

/* Appends v as JSON text without a newline at its end; indent 0 is one line, else that many spaces per level. */
void json_out(struct str *dst, const json_t *v, int indent);
/* A real, or null when x is not finite (JSON has no word for those). New reference. */
json_t *json_out_real(double x);
/* A string, or null when s is NULL; bytes that are not UTF-8 become U+FFFD. New reference. */
json_t *json_out_text(const char *s);

#endif
