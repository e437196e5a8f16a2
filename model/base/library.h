/* library.h - a shared library that is opened at its first use, and the functions that are wanted of it.
 *
 *     static struct library lmdb = { .files = files, .package = "liblmdb0", .functions = functions };
 *     if (library_need(&lmdb, e)) return -1;
 *
 * So a machine that never meets such a file needs neither the library nor what it brings along. A library stays open
 * to the end of the process, and the first call of library_need alone writes the struct and what its functions point
 * to. */
#ifndef ABLATE_LIBRARY_H
#define ABLATE_LIBRARY_H

#include "model/base/err.h"

#include <stdbool.h>

struct library_function {
	const char *name;
	void *to; /* a pointer to a function, of any type */
};

struct library {
	const char *const *files;                 /* what the linker is asked for, in this order; ended by NULL */
	const char *package;                      /* Debian's */
	const struct library_function *functions; /* ended by a NULL name; all are needed */
	/* zero before library_need, constant after it */
	bool tried;
	void *handle;
	char path[256];    /* where it was found */
	char why_not[200]; /* "" where it is open */
};

/* Opens it at the first call and finds the functions; an installation's own copy goes before the
 * system's. Error: what
 * is missing, and the package that has it. For any thread. */
MUST_CHECK int library_need(struct library *l, struct err *e);

#endif
