/* nvidia.c - see nvidia.h. The folder that the environment names, or else the linker's own search, then where the
 * toolkit's installer puts them, then Python's packages. */
#include "model/cuda/nvidia.h"

#include "model/cuda/wheels.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef ABLATE_CUDA_EMU
#define SOLVER_FILE "libcusolver_emu.so" /* the real one cannot read an emulated device's memory */
#else
#define SOLVER_FILE "libcusolver.so.12"
#endif

const struct nvidia_row nvidia_rows[NVIDIA_LIBRARIES] = {
	[NVIDIA_BLAS] = { .name = "cuBLASLt",
	                  .file = "libcublasLt.so.13",
	                  .variable = ENV_ABLATE_CUBLASLT,
	                  .package = "libcublas-13-0",
	                  .without = "own kernels compute products",
	                  .with = "products on the card by cuBLASLt" },
	[NVIDIA_DNN] = { .name = "cuDNN",
	                 .file = "libcudnn.so.9",
	                 .variable = ENV_ABLATE_CUDNN,
	                 .package = "libcudnn9-cuda-13",
	                 .without = "own kernels compute convolutions",
	                 .with = "convolutions on the card by cuDNN" },
	[NVIDIA_SOLVER] = { .name = "cuSOLVER",
	                    .file = SOLVER_FILE,
	                    .variable = ENV_ABLATE_CUSOLVER,
	                    .package = "libcusolver-13-0",
	                    .without = "the host computes singular values of FID",
	                    .with = "singular values of FID on the card" },
	[NVIDIA_NCCL] = { .name = "NCCL",
	                  .file = "libnccl.so.2",
	                  .variable = ENV_ABLATE_NCCL,
	                  .package = "libnccl2",
	                  .without = "several GPUs cannot share a cell (--ranks)",
	                  .with = "several GPUs for one cell (--ranks)" },
};

static const char *const folders[] = { "", "/usr/local/cuda/lib64/", "/usr/local/cuda/lib/",
	                                   "/usr/local/cuda-13/lib64/" };

bool nvidia_unwanted(const struct nvidia_row *row)
{
	const char *named = env_get(row->variable);
	return named && strcmp(named, "none") == 0;
}

/* By a path that is there: one that cannot be opened says why. */
static void *open_path(struct nvidia_library *l, const char *path)
{
	void *found = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!found)
		(void)snprintf(l->why_not, sizeof l->why_not, "%.95s", dlerror());
	return found;
}

static void *search(struct nvidia_library *l)
{
	const char *file = l->row->file, *named = env_get(ENV_ABLATE_NVIDIA);
	char path[1024];
	void *found = NULL;
	if (named && *named && wheels_in(path, sizeof path, named, file))
		return open_path(l, path);
	for (size_t i = 0; i < sizeof folders / sizeof *folders && !found; i++) {
		(void)snprintf(path, sizeof path, "%s%s", folders[i], file);
		found = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	}
	if (!found && !(named && *named) && wheels_find(path, sizeof path, file))
		return open_path(l, path);
	return found;
}

static bool find_all(struct nvidia_library *l)
{
	for (const struct nvidia_function *f = l->functions; f && f->name; f++) {
		void *at = dlsym(l->handle, f->name);
		if (!at) {
			(void)snprintf(l->why_not, sizeof l->why_not, "%.30s has no %.40s", l->row->file, f->name);
			return false;
		}
		memcpy(f->to, &at, sizeof at);
	}
	return true;
}

static void try(struct nvidia_library *l)
{
	const char *named = env_get(l->row->variable);
	if (nvidia_unwanted(l->row)) {
		(void)snprintf(l->why_not, sizeof l->why_not, "%s=none", env_row(l->row->variable)->name);
		return;
	}
	l->handle = named && *named ? dlopen(named, RTLD_NOW | RTLD_LOCAL) : search(l);
	if (!l->handle && !*l->why_not)
		(void)snprintf(l->why_not, sizeof l->why_not, "no %.60s", named && *named ? named : l->row->file);
	else if (l->handle && !find_all(l))
		l->handle = NULL;
}

/* One that the linker finds under another number is of no use, since its functions may differ, but explains. */
static void tell_other_version(struct nvidia_library *l)
{
	static const int beside[] = { -1, 1, -2 };
	const char *dot = strrchr(l->row->file, '.');
	char missing[40], other[40];
	(void)snprintf(missing, sizeof missing, "no %.36s", l->row->file);
	for (size_t i = 0; i < sizeof beside / sizeof *beside && dot && strcmp(l->why_not, missing) == 0; i++) {
		(void)snprintf(other, sizeof other, "%.*s.%ld", (int)(dot - l->row->file), l->row->file,
		               strtol(dot + 1, NULL, 10) + beside[i]);
		void *there = dlopen(other, RTLD_LAZY | RTLD_LOCAL);
		if (!there)
			continue;
		(void)dlclose(there);
		(void)snprintf(l->why_not, sizeof l->why_not, "%s; %s is another major version", missing, other);
	}
}

bool nvidia_open(struct nvidia_library *l)
{
	static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
	(void)pthread_mutex_lock(&one_at_a_time);
	if (!l->tried) {
		try(l);
		tell_other_version(l);
	}
	l->tried = true;
	(void)pthread_mutex_unlock(&one_at_a_time);
	return l->handle != NULL;
}

void nvidia_text(char *out, size_t bytes, const struct nvidia_library *l, size_t version, const char *own)
{
	if (version)
		(void)snprintf(out, bytes, "%s %zu.%zu.%zu", l->row->name, version / 10000, version / 100 % 100, version % 100);
	else
		(void)snprintf(out, bytes, "%s (%s)", own, l->why_not);
}
