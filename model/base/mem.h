/* mem.h - memory in three lifetimes: one allocation (x*), one scope (SCOPED), one object graph (struct arena).
 *
 * The x functions never return NULL: out of memory in a host structure is fatal and says so. Sizes that come from
 * outside are bounded by their reader before they get here. Arena memory is zeroed, aligned to 64 bytes where
 * asked, and freed as one. */
#ifndef ABLATE_MEM_H
#define ABLATE_MEM_H

#include "model/base/err.h"

#include <stddef.h>
#include <stdio.h>

void *xmalloc(size_t n) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));   /* overflow-checked, zeroed */
void *xrealloc(void *p, size_t n, size_t size) __attribute__((returns_nonnull)); /* n * size, overflow-checked */
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull));
char *xstrndup(const char *s, size_t n) __attribute__((malloc, returns_nonnull));
char *xstrfmt(const char *fmt, ...) PRINTF_LIKE(1, 2) __attribute__((malloc, returns_nonnull));
/* n bytes on a 64-byte boundary, zeroed; free() releases it. */
void *xaligned(size_t n) __attribute__((malloc, returns_nonnull));

/* SCOPED(free) char *p = ...;  the variable's destructor runs at the end of its scope, also on `return err_set()`. */
#define SCOPED(kind) __attribute__((cleanup(scoped_##kind), unused)) /* unused: a held lock is never read */
void scoped_free(void *pp);                                          /* any heap pointer */
void scoped_file(FILE **f); /* FILE *: closed, result ignored: only for files being read */
void scoped_fd(int *fd);    /* int fd: closed if >= 0 */

/* Grow a vector: VEC_PUSH(v, n, cap) makes room for one more and yields its lvalue; v must be a plain pointer. */
#define VEC_PUSH(v, n, cap) \
	(*((n) == (cap) ? ((cap) = (cap) ? 2 * (cap) : 8, (v) = xrealloc((v), (size_t)(cap), sizeof *(v)), &(v)[(n)++]) \
	                : &(v)[(n)++]))

struct arena {
	struct arena_page *pages;
};                                                                             /* zero-initialised is empty */
void *arena_alloc(struct arena *a, size_t n) __attribute__((returns_nonnull)); /* zeroed, 16-byte aligned */
char *arena_strdup(struct arena *a, const char *s);
char *arena_strfmt(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
void arena_release(struct arena *a);

#endif
