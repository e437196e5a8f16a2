/* blas.c - see blas.h. */
#define _GNU_SOURCE
#include "metrics/math/blas.h"

#include "model/base/env.h"
#include "model/base/err.h"
#include "model/base/mem.h"
#include "model/base/own_files.h"
#include "model/base/cpu.h"

#include <dlfcn.h>
#include <errno.h>
#include <omp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static struct blas table;
static char missing[200]; /* why it could not be opened; "" */
static pthread_once_t once = PTHREAD_ONCE_INIT;

const char *blas_best_core(void)
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

/* OpenBLAS asks for a buffer of this size in each thread at its first product and, refused, asks again for ever. So a
 * limit that leaves no room for them (ulimit -v, strict overcommit) is found before. */
#define BUFFER_BYTES ((size_t)129 << 20)

static bool has_room(int threads)
{
	void **at = xcalloc((size_t)threads, sizeof *at);
	int n = 0;
	while (n < threads &&
	       (at[n] = mmap(NULL, BUFFER_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) != MAP_FAILED)
		n++;
	for (int i = 0; i < n; i++)
		(void)munmap(at[i], BUFFER_BYTES);
	free(at);
	return n == threads;
}

static void load(void)
{
	int threads = omp_get_max_threads();
	const char *core = env_get(ENV_OPENBLAS_CORETYPE) ? NULL : blas_best_core();
	bool unsaid = !env_get(ENV_OPENBLAS_NUM_THREADS);              /* by the user */
	SCOPED(free) char *own = own_library_file("libopenblas.so.0"); /* as the Python wheel has it */
	if (core)
		(void)setenv("OPENBLAS_CORETYPE", core, 1);
	if (unsaid)
		(void)setenv("OPENBLAS_NUM_THREADS", "1", 1);
	void *lib = dlopen(own ? own : "libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
	if (core)
		(void)unsetenv("OPENBLAS_CORETYPE");
	if (unsaid)
		(void)unsetenv("OPENBLAS_NUM_THREADS");
	if (!lib) {
		(void)snprintf(missing, sizeof missing, "%s", dlerror());
		return;
	}
	if (!has_room(threads)) {
		(void)snprintf(missing, sizeof missing,
		               "out of memory: OpenBLAS wants %zu MiB of address space in each of %d thread%s; raise the limit "
		               "(ulimit -v) or take fewer threads",
		               BUFFER_BYTES >> 20, threads, threads == 1 ? "" : "s");
		return;
	}
	static const struct {
		size_t at;
		const char *name;
	} names[] = {
		{ offsetof(struct blas, gemm), "dgemm_" },
		{ offsetof(struct blas, syrk), "dsyrk_" },
		{ offsetof(struct blas, pstrf), "dpstrf_" },
		{ offsetof(struct blas, geqrf), "dgeqrf_" },
		{ offsetof(struct blas, potrf), "dpotrf_" },
		{ offsetof(struct blas, larft), "dlarft_" },
		{ offsetof(struct blas, bdsqr), "dbdsqr_" },
		{ offsetof(struct blas, syevd), "dsyevd_" },
		{ offsetof(struct blas, gemm_float), "sgemm_" },
		{ offsetof(struct blas, gees), "dgees_" },
		{ offsetof(struct blas, corename), "openblas_get_corename" },
		{ offsetof(struct blas, set_threads), "openblas_set_num_threads" },
	};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		void *p = symbol(lib, names[i].name);
		memcpy((char *)&table + names[i].at, &p, sizeof p);
	}
	table.set_threads(1);
}

const char *blas_missing(void)
{
	(void)pthread_once(&once, load);
	return *missing ? missing : NULL;
}

const struct blas *blas(void)
{
	if (blas_missing())
		err_give_up("%s (`ablate doctor` names what is missing)", missing);
	return &table;
}

/* --- its version --- */

static char version[32] = "none";
static pthread_once_t version_once = PTHREAD_ONCE_INIT;

/* In the child: "OpenBLAS 0.3.21 NO_AFFINITY ..." into the pipe. Whatever goes wrong, nothing is written. */
static _Noreturn void tell_version(const char *path, int to)
{
	char *(*config)(void) = NULL;
	(void)setenv("OPENBLAS_NUM_THREADS", "1", 1);
	void *lib = dlopen(path, RTLD_LAZY | RTLD_LOCAL), *p = lib ? dlsym(lib, "openblas_get_config") : NULL;
	memcpy(&config, &p, sizeof p);
	const char *text = p ? config() : NULL;
	if (text && write(to, text, strlen(text)) < 0)
		_exit(1);
	_exit(0);
}

static void ask_version(void)
{
	SCOPED(free) char *own = own_library_file("libopenblas.so.0");
	int ends[2];
	char text[256] = "";
	size_t n = 0;
	ssize_t got;
	if (pipe(ends))
		return;
	pid_t child = fork();
	if (child == 0)
		tell_version(own ? own : "libopenblas.so.0", ends[1]);
	(void)close(ends[1]);
	while (child > 0 && n < sizeof text - 1 &&
	       ((got = read(ends[0], text + n, sizeof text - 1 - n)) > 0 || (got < 0 && errno == EINTR)))
		n += got > 0 ? (size_t)got : 0;
	(void)close(ends[0]);
	while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	(void)sscanf(text, "OpenBLAS %31s", version);
}

const char *blas_version(void)
{
	(void)pthread_once(&version_once, ask_version);
	return version;
}
