/* err.c - see err.h. */
#include "model/base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void format(struct err *e, const char *fmt, va_list ap)
{
	if (e)
		(void)vsnprintf(e->msg, sizeof e->msg, fmt, ap);
}

int err_set(struct err *e, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	format(e, fmt, ap);
	va_end(ap);
	return -1;
}

int err_code(struct err *e, enum exit_code code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	format(e, fmt, ap);
	va_end(ap);
	if (e)
		e->code = code;
	return -1;
}

int err_in(struct err *e, const char *fmt, ...)
{
	if (!e)
		return -1;
	char head[sizeof e->msg], tail[sizeof e->msg];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(head, sizeof head, fmt, ap);
	va_end(ap);
	memcpy(tail, e->msg, sizeof tail);
	size_t n = strlen(head);
	if (n > sizeof e->msg - 3)
		n = sizeof e->msg - 3;
	memcpy(e->msg, head, n);
	(void)snprintf(e->msg + n, sizeof e->msg - n, ": %s", tail);
	return -1;
}

int err_exit_code(const struct err *e)
{
	return e->code ? e->code : EXIT_INCOMPLETE;
}

void err_give_up(const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	(void)fputs("ablate: ", stderr);
	(void)vfprintf(stderr, fmt, args);
	(void)fputc('\n', stderr);
	va_end(args);
	exit(EXIT_INCOMPLETE);
}

void bug(const char *file, int line, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	(void)fprintf(stderr, "BUG %s:%d: ", file, line);
	(void)vfprintf(stderr, fmt, ap);
	(void)fputc('\n', stderr);
	va_end(ap);
	abort();
}
