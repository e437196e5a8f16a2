/* nvidia.c - see nvidia.h. The linker's own search first, then where the toolkit's installer puts them. */
#include "model/cuda/nvidia.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef ABLATE_CUDA_EMU
#define NVIDIA_SOLVER_FILE "libcusolver_emu.so" /* the real one cannot read an emulated device's memory */
#else
#define NVIDIA_SOLVER_FILE "libcusolver.so.12"
#endif

struct nvidia_library nvidia[NVIDIA_LIBRARIES] = {
#define LIBRARY(id, name, file, variable, without, with, remedy) { name, file, variable, without, with, remedy, NULL, false, "" },
#include "model/cuda/nvidia.def"
#undef LIBRARY
};

static const char *const folders[] = { "", "/usr/local/cuda/lib64/", "/usr/local/cuda/lib/", "/usr/local/cuda-13/lib64/" };

bool nvidia_unwanted(const struct nvidia_library *l)
{
	const char *named = getenv(l->variable);
	return named && strcmp(named, "none") == 0;
}

static void *search(const char *file)
{
	char path[256];
	void *found = NULL;
	for (size_t i = 0; i < sizeof folders / sizeof *folders && !found; i++) {
		(void)snprintf(path, sizeof path, "%s%s", folders[i], file);
		found = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	}
	return found;
}

static bool find_all(struct nvidia_library *l, const struct nvidia_function *functions)
{
	for (const struct nvidia_function *f = functions; f && f->name; f++) {
		void *at = dlsym(l->handle, f->name);
		if (!at) {
			(void)snprintf(l->why_not, sizeof l->why_not, "%.30s has no %.40s", l->file, f->name);
			return false;
		}
		memcpy(f->to, &at, sizeof at);
	}
	return true;
}

bool nvidia_open(struct nvidia_library *l, const struct nvidia_function *functions)
{
	const char *named = getenv(l->variable);
	if (l->tried)
		return l->handle != NULL;
	l->tried = true;
	if (nvidia_unwanted(l)) {
		(void)snprintf(l->why_not, sizeof l->why_not, "%s=none", l->variable);
		return false;
	}
	l->handle = named && *named ? dlopen(named, RTLD_NOW | RTLD_LOCAL) : search(l->file);
	if (!l->handle)
		(void)snprintf(l->why_not, sizeof l->why_not, "no %.60s", named && *named ? named : l->file);
	else if (!find_all(l, functions))
		l->handle = NULL;
	return l->handle != NULL;
}
