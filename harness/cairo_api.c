/* cairo_api.c - see cairo_api.h. */
#define _GNU_SOURCE
#define CAIRO_API_ITSELF
#include "cairo_api.h"

#include "model/base/err.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>

static struct cairo_api api;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static const struct { size_t at; const char *name; } rows[] = {
#define CAIRO(name) { offsetof(struct cairo_api, name), #name },
#include "cairo_api.def"
#undef CAIRO
};

static void load(void)
{
	void *lib = dlopen("libcairo.so.2", RTLD_LAZY | RTLD_LOCAL);
	if (!lib)
		BUG("%s; install libcairo2", dlerror());
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		void *p = dlsym(lib, rows[i].name);
		if (!p)
			BUG("libcairo.so.2 has no %s; is it built without SVG or PDF?", rows[i].name);
		memcpy((char *)&api + rows[i].at, &p, sizeof p);
	}
}

const struct cairo_api *cairo_api(void)
{
	(void)pthread_once(&once, load);
	return &api;
}
