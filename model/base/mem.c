/* mem.c - see mem.h. */
#include "model/base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE_BYTES ((size_t)64 * 1024)

struct arena_page {
	struct arena_page *next;
	size_t used, size;
	_Alignas(16) unsigned char data[];
};

static _Noreturn void out_of_memory(size_t n)
{
	err_give_up("out of memory (asked for %zu bytes)", n);
}

static size_t product(size_t n, size_t size)
{
	size_t total;
	if (__builtin_mul_overflow(n, size, &total))
		out_of_memory(SIZE_MAX);
	return total;
}

void *xmalloc(size_t n)
{
	void *p = malloc(n ? n : 1);
	if (!p)
		out_of_memory(n);
	return p;
}

void *xcalloc(size_t n, size_t size)
{
	size_t total = product(n, size);
	void *p = calloc(total ? total : 1, 1);
	if (!p)
		out_of_memory(total);
	return p;
}

void *xrealloc(void *p, size_t n, size_t size)
{
	size_t total = product(n, size);
	void *q = realloc(p, total ? total : 1);
	if (!q)
		out_of_memory(total);
	return q;
}

char *xstrndup(const char *s, size_t n)
{
	char *p = xmalloc(n + 1);
	memcpy(p, s, n);
	p[n] = '\0';
	return p;
}

char *xstrdup(const char *s)
{
	return xstrndup(s, strlen(s));
}

static char *format(void *(*alloc)(void *, size_t), void *ctx, const char *fmt, va_list ap)
{
	va_list again;
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	REQUIRE(n >= 0);
	char *p = alloc(ctx, (size_t)n + 1);
	(void)vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	return p;
}

static void *from_heap(void *ctx, size_t n)
{
	(void)ctx;
	return xmalloc(n);
}

char *xstrfmt(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *p = format(from_heap, NULL, fmt, ap);
	va_end(ap);
	return p;
}

void *xaligned(size_t n)
{
	size_t rounded = (n + 63) / 64 * 64;
	void *p = aligned_alloc(64, rounded ? rounded : 64);
	if (!p)
		out_of_memory(n);
	memset(p, 0, rounded ? rounded : 64);
	return p;
}

void scoped_free(void *pp)
{
	free(*(void **)pp);
}

void scoped_file(FILE **f)
{
	if (*f)
		(void)fclose(*f);
}

void scoped_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

void *arena_alloc(struct arena *a, size_t n)
{
	n = (n + 15) / 16 * 16;
	struct arena_page *p = a->pages;
	if (!p || p->size - p->used < n) {
		size_t size = n > PAGE_BYTES ? n : PAGE_BYTES;
		p = xcalloc(1, sizeof *p + size);
		p->size = size;
		p->next = a->pages;
		a->pages = p;
	}
	void *mem = p->data + p->used;
	p->used += n;
	return mem;
}

static void *from_arena(void *ctx, size_t n)
{
	return arena_alloc(ctx, n);
}

char *arena_strdup(struct arena *a, const char *s)
{
	size_t n = strlen(s) + 1;
	return memcpy(arena_alloc(a, n), s, n);
}

char *arena_strfmt(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *p = format(from_arena, a, fmt, ap);
	va_end(ap);
	return p;
}

void arena_release(struct arena *a)
{
	for (struct arena_page *p = a->pages; p;) {
		struct arena_page *next = p->next;
		free(p);
		p = next;
	}
	a->pages = NULL;
}
