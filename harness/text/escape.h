/* escape.h - text of unknown content into HTML, XML, LaTeX, Markdown, CSV and terminals: the one place where it is
 * done.
 *
 * Each function appends the escaped text. Input is bytes: UTF-8 passes, anything else becomes U+FFFD; control
 * characters other than tab and newline never pass, nor do those that change the direction of writing (one name could
 * be displayed as another): they become U+FFFD, on a terminal \x1b or \u202e. */
#ifndef ABLATE_ESCAPE_H
#define ABLATE_ESCAPE_H

#include "model/base/str.h"

#include <stdbool.h>
#include <stddef.h>

void escape_html(struct str *out, const char *text);     /* element text and quoted attributes; also right for XML */
void escape_latex(struct str *out, const char *text);    /* text mode; non-ASCII letters pass as UTF-8 */
void escape_markdown(struct str *out, const char *text); /* one table cell: no newline, no pipe, no HTML, no markup */
/* One CSV field by RFC 4180. Text that a spreadsheet would run as a formula (first character = + - @ tab or CR) gets a
 * leading apostrophe, unless it is a plain number. */
void escape_csv(struct str *out, const char *text);
void escape_json(struct str *out, const char *text);  /* with the quotes; safe inside <script> too (no "<", U+2028) */
void escape_plain(struct str *out, const char *text); /* one line for a terminal: newlines and tabs become spaces */
void escape_lines(struct str *out, const char *text); /* for a terminal, where newlines and tabs are meant */
/* Does it hold a control character (tab and newline too) or one that changes the direction of writing? */
bool escape_has_control(const char *text);
/* Columns that `text` takes on a terminal: code points, wide and combining ones not distinguished. */
size_t escape_width(const char *text);

#endif
