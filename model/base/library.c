/* library.c - see library.h. */
#define _GNU_SOURCE
#include "model/base/library.h"

#include "model/base/mem.h"
#include "model/base/own_files.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *open_file(const char *file)
{
	SCOPED(free) char *own = own_library_file(file);
	return dlopen(own ? own : file, RTLD_NOW | RTLD_LOCAL);
}

static bool find_functions(struct library *l, void *handle)
{
	for (const struct library_function *f = l->functions; f->name; f++) {
		void *at = dlsym(handle, f->name);
		if (!at) {
			(void)snprintf(l->why_not, sizeof l->why_not, "%.120s has no %.60s", l->path, f->name);
			return false;
		}
		memcpy(f->to, &at, sizeof at);
	}
	return true;
}

static void try(struct library *l)
{
	struct link_map *map = NULL;
	const char *file = NULL;
	void *handle = NULL;
	for (const char *const *f = l->files; *f && !handle; f++)
		handle = open_file(file = *f);
	if (!handle) {
		(void)snprintf(l->why_not, sizeof l->why_not, "there is no %.60s", l->files[0]);
		return;
	}
	bool known = dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0 && map->l_name && *map->l_name;
	(void)snprintf(l->path, sizeof l->path, "%s", known ? map->l_name : file);
	if (find_functions(l, handle))
		l->handle = handle;
}

int library_need(struct library *l, struct err *e)
{
	static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
	(void)pthread_mutex_lock(&one_at_a_time);
	if (!l->tried)
		try(l);
	l->tried = true;
	(void)pthread_mutex_unlock(&one_at_a_time);
	return l->handle ? 0 : err_set(e, "%s; install Debian's package %s", l->why_not, l->package);
}
