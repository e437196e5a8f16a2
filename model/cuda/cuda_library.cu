/* cuda_library.cu - see cuda_library.h. The linker's own search first, then where the toolkit's installer puts them. */
#include "model/cuda/cuda_library.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const folders[] = { "", "/usr/local/cuda/lib64/", "/usr/local/cuda/lib/", "/usr/local/cuda-13/lib64/" };

bool cuda_library_unwanted(const char *variable)
{
	const char *named = getenv(variable);
	return named && strcmp(named, "none") == 0;
}

static void *search(const char *soname)
{
	char path[256];
	void *found = NULL;
	for (size_t i = 0; i < sizeof folders / sizeof *folders && !found; i++) {
		(void)snprintf(path, sizeof path, "%s%s", folders[i], soname);
		found = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	}
	return found;
}

bool cuda_library_open(struct cuda_library *l, const struct cuda_function *functions)
{
	const char *named = getenv(l->variable);
	if (l->tried)
		return l->handle != NULL;
	l->tried = true;
	if (cuda_library_unwanted(l->variable)) {
		(void)snprintf(l->why_not, sizeof l->why_not, "%s=none", l->variable);
		return false;
	}
	l->handle = named && *named ? dlopen(named, RTLD_NOW | RTLD_LOCAL) : search(l->soname);
	if (!l->handle) {
		(void)snprintf(l->why_not, sizeof l->why_not, "no %.60s", named && *named ? named : l->soname);
		return false;
	}
	for (const struct cuda_function *f = functions; f->name; f++) {
		void *at = dlsym(l->handle, f->name);
		if (!at) {
			(void)snprintf(l->why_not, sizeof l->why_not, "%.30s has no %.40s", l->soname, f->name);
			(void)dlclose(l->handle);
			l->handle = NULL;
			return false;
		}
		memcpy(f->to, &at, sizeof at);
	}
	return true;
}
