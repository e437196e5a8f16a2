/* toml_place.c - where a parser is: lines, columns, and the messages that name them. See toml_tree.h. */
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

int toml_place_err(struct err *e, const char *file, int line, int col, const char *fmt, va_list ap)
{
	char message[800];
	(void)vsnprintf(message, sizeof message, fmt, ap);
	if (!line)
		return err_code(e, EXIT_USAGE, "%s: %s", file, message);
	return err_code(e, EXIT_USAGE, "%s:%d:%d: %s", file, line, col, message);
}

int toml_fail(struct toml_parser *s, struct toml_place at, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	(void)toml_place_err(s->e, s->doc->file, at.line, at.col, fmt, ap);
	va_end(ap);
	return -1;
}

void toml_newline(struct toml_parser *s)
{
	s->p += *s->p == '\r' ? 2 : 1;
	s->line++;
	s->line_start = s->col_at = s->p;
	s->col_is = 1;
}
