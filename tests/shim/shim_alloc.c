/* shim_alloc.c - preloaded: the n-th allocation of the program itself fails. For end-to-end tests of running out of
 * memory.
 *
 * SHIM_FAIL_AT=N     the N-th malloc, calloc, realloc or aligned allocation that is asked for by the main program's own
 *                    code (not by libraries) and is at least SHIM_MIN bytes fails, and all after it; 0 = never
 * SHIM_MIN=BYTES     default 0
 * SHIM_FAIL_FOR=M    only M of them fail */
#define _GNU_SOURCE
#include "tests/shim/shim.h"

#include <errno.h>
#include <link.h>
#include <stdint.h>

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);

static uintptr_t code_first, code_last;

static int find_program(struct dl_phdr_info *info, size_t size, void *ctx)
{
	(void)size;
	(void)ctx;
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_LOAD && (info->dlpi_phdr[i].p_flags & PF_X)) {
			code_first = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
			code_last = code_first + info->dlpi_phdr[i].p_memsz;
		}
	return 1; /* the first object is the program */
}

static bool fails(const void *caller, size_t n)
{
	static long count, at = -1, least, times;
	if (at < 0) {
		at = 0; /* what follows may allocate */
		(void)dl_iterate_phdr(find_program, NULL);
		least = shim_long("SHIM_MIN", 0);
		times = shim_long("SHIM_FAIL_FOR", LONG_MAX);
		at = shim_long("SHIM_FAIL_AT", 0);
	}
	if (at == 0 || (uintptr_t)caller < code_first || (uintptr_t)caller >= code_last || (long)n < least)
		return false;
	long k = __atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST);
	if (k < at || k - at >= times)
		return false;
	errno = ENOMEM;
	return true;
}

void *malloc(size_t n)
{
	return fails(__builtin_return_address(0), n) ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	return fails(__builtin_return_address(0), n * size) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	return fails(__builtin_return_address(0), n) ? NULL : __libc_realloc(p, n);
}

void *aligned_alloc(size_t align, size_t n)
{
	return fails(__builtin_return_address(0), n) ? NULL : __libc_memalign(align, n);
}

int posix_memalign(void **out, size_t align, size_t n)
{
	if (fails(__builtin_return_address(0), n))
		return ENOMEM;
	*out = __libc_memalign(align, n);
	return *out ? 0 : ENOMEM;
}
