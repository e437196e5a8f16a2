/* roff.h - manual pages as roff source, by the macros of groff_man(7). Text is escaped; everything is appended to s. */
#ifndef ABLATE_ROFF_H
#define ABLATE_ROFF_H

#include "model/base/str.h"

/* The page's head and its line under NAME ("ablate-grid - the grid language"). */
void roff_page(struct str *s, const char *name, const char *section, const char *what);
void roff_section(struct str *s, const char *title);
void roff_subsection(struct str *s, const char *title);
/* Running text: no word of it is a request or an escape. No newline is added. */
void roff_text(struct str *s, const char *text);
/* Paragraphs: empty lines part them, lines that begin with a space are shown as they are, indented. */
void roff_paragraphs(struct str *s, const char *text);
/* Lines shown as they are, indented; the last one ends with a newline. */
void roff_literal(struct str *s, const char *lines);
/* A name in bold and the text that belongs to it. */
void roff_item(struct str *s, const char *name, const char *text);

#endif
