/* toml_place.c - where a parser stands: lines, columns, and the messages that name them. See toml_tree.h. */
#include "harness/text/toml_tree.h"
#include "model/base/utf8.h"

#include <stdarg.h>
#include <stdio.h>

struct toml_place toml_place_of(struct toml_parser *s, const char *at)
{
	if (at < s->col_at) {
		s->col_at = s->line_start;
		s->col_is = 1;
	}
	for (; s->col_at < at; s->col_at++)
		if (!utf8_continues(s->col_at[1]))
			s->col_is++;
	return (struct toml_place){ s->line, s->col_is };
}

int toml_fail(struct toml_parser *s, struct toml_place at, const char *fmt, ...)
{
	char message[800];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(message, sizeof message, fmt, ap);
	va_end(ap);
	return err_code(s->e, EXIT_USAGE, "%s:%d:%d: %s", s->doc->file, at.line, at.col, message);
}

void toml_newline(struct toml_parser *s)
{
	s->p += *s->p == '\r' ? 2 : 1;
	s->line++;
	s->line_start = s->col_at = s->p;
	s->col_is = 1;
}
