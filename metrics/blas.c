/* blas.c - see blas.h. */
#define _GNU_SOURCE
#include "blas.h"

#include "model/base/err.h"
#include "model/cpu.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct blas table;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* What OpenBLAS calls the kernels for this processor; NULL leaves the choice to it. */
static const char *core_type(void)
{
#ifdef __x86_64__
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
	    __builtin_cpu_supports("avx512vl"))
		return "SkylakeX";
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
		return "Haswell";
#endif
	return NULL;
}

static void *symbol(void *lib, const char *name)
{
	void *p = dlsym(lib, name);
	if (!p)
		BUG("libopenblas.so.0 has no %s; is it built without LAPACK?", name);
	return p;
}

static void load(void)
{
	const char *core = getenv("OPENBLAS_CORETYPE") ? NULL : core_type();
	char threads[16];
	(void)snprintf(threads, sizeof threads, "%d", cpu_threads());
	bool own = !getenv("OPENBLAS_NUM_THREADS") && !getenv("GOTO_NUM_THREADS"); /* the user has not said it */
	if (core)
		(void)setenv("OPENBLAS_CORETYPE", core, 1);
	if (own)
		(void)setenv("OPENBLAS_NUM_THREADS", threads, 1);
	void *lib = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
	if (core)
		(void)unsetenv("OPENBLAS_CORETYPE");
	if (own)
		(void)unsetenv("OPENBLAS_NUM_THREADS");
	if (!lib)
		BUG("%s; install libopenblas0-pthread", dlerror());
	static const struct { size_t at; const char *name; } names[] = {
		{ offsetof(struct blas, gemm), "dgemm_" },   { offsetof(struct blas, syrk), "dsyrk_" },
		{ offsetof(struct blas, pstrf), "dpstrf_" }, { offsetof(struct blas, geqrf), "dgeqrf_" },
		{ offsetof(struct blas, potrf), "dpotrf_" }, { offsetof(struct blas, larft), "dlarft_" },
		{ offsetof(struct blas, bdsqr), "dbdsqr_" },
		{ offsetof(struct blas, syevd), "dsyevd_" }, { offsetof(struct blas, gees), "dgees_" },
		{ offsetof(struct blas, corename), "openblas_get_corename" },
	};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		void *p = symbol(lib, names[i].name);
		memcpy((char *)&table + names[i].at, &p, sizeof p);
	}
}

const struct blas *blas(void)
{
	(void)pthread_once(&once, load);
	return &table;
}
