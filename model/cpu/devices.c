/* devices.c - devices by name: the CPU, and the plugin that holds the CUDA back end. See devices.h. */
#include "model/cpu/devices.h"
#include "model/graph/graph.h"

#include "model/base/env.h"
#include "model/base/mem.h"
#include "model/base/own_files.h"
#include "model/base/plugin.h"
#include "model/base/str.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct graph *graph_new(void)
{
	return graph_new_on(backend_cpu());
}

/* ---- the plugin ------------------------------------------------------------------------------ */

char *backend_cuda_plugin(void)
{
	const char *named = env_get(ENV_ABLATE_CUDA_PLUGIN);
	return named && *named ? xstrdup(named) : own_plugin_file("libablate_cuda.so");
}

static const struct backend_plugin *found; /* opened once and never closed */

static int plugin(const struct backend_plugin **out, struct err *e)
{
	void *library;
	if (found) {
		*out = found;
		return 0;
	}
	SCOPED(free) char *path = backend_cuda_plugin();
	if (!path)
		return err_set(
			e, "no libablate_cuda.so beside the program: it is built if CMake finds a CUDA Toolkit (preset cuda)");
	if (plugin_open(&library, path, RTLD_NOW | RTLD_LOCAL, e))
		return -1;
	const struct backend_plugin *p = dlsym(library, "ablate_backend_plugin");
	if (!p) {
		(void)dlclose(library);
		return err_set(e, "%s: not a back end of ablate", path);
	}
	*out = found = p;
	return 0;
}

void backend_leave_devices(void)
{
	if (found)
		found->leave();
}

int backend_cuda_devices(int *n, struct err *e)
{
	const struct backend_plugin *p;
	if (plugin(&p, e))
		return -1;
	return p->devices(n, e);
}

bool backend_lacks(char *out, size_t bytes, const char *asked)
{
	const struct backend_plugin *p;
	struct err why = ERR_INIT;
	int n = 0;
	*out = '\0';
	if (strcmp(asked, "cpu") == 0 || plugin(&p, &why) || p->devices(&n, &why) || n == 0)
		return false;
	p->lacks(out, bytes);
	return *out != '\0';
}

bool backend_auto_skips(char *out, size_t bytes)
{
	const struct backend_plugin *p;
	struct err why = ERR_INIT;
	SCOPED(free) char *path = backend_cuda_plugin();
	bool skips = path && plugin(&p, &why);
	(void)snprintf(out, bytes, "%s", skips ? why.msg : "");
	return skips;
}

/* ---- names ----------------------------------------------------------------------------------- */

/* "cuda" -> 0, "cuda:N" -> N, else -1. */
static int cuda_number(const char *name)
{
	if (strcmp(name, "cuda") == 0)
		return 0;
	if (strncmp(name, "cuda:", 5) != 0 || name[5] < '0' || name[5] > '9' || strlen(name + 5) > 3)
		return -1;
	char *end;
	long n = strtol(name + 5, &end, 10);
	return *end ? -1 : (int)n;
}

int backend_is_name(const char *asked, struct err *e)
{
	return strcmp(asked, "auto") == 0 || strcmp(asked, "cpu") == 0 || cuda_number(asked) >= 0
	           ? 0
	           : err_code(e, EXIT_USAGE, "--device %s: not auto, cpu or cuda[:N]", asked);
}

int backend_name(char out[32], const char *asked, struct err *e)
{
	int n = 0;
	if (backend_is_name(asked, e))
		return -1;
	if (strcmp(asked, "auto") == 0) {
		struct err why = ERR_INIT;
		(void)snprintf(out, 32, backend_cuda_devices(&n, &why) == 0 && n > 0 ? "cuda:0" : "cpu");
		return 0;
	}
	if (strcmp(asked, "cpu") == 0) {
		(void)snprintf(out, 32, "cpu");
		return 0;
	}
	int number = cuda_number(asked);
	if (backend_cuda_devices(&n, e)) {
		e->code = EXIT_USAGE;
		return err_in(e, "--device %s", asked);
	}
	if (number >= n)
		return err_code(e, EXIT_USAGE, "--device %s: there %s %d CUDA device%s, cuda:0%s", asked, n == 1 ? "is" : "are",
		                n, str_plural(n), n == 1 ? "" : " and up");
	(void)snprintf(out, 32, "cuda:%d", number);
	return 0;
}

int backend_open(struct backend **out, const char *device, enum dtype_kind dtype, struct err *e)
{
	char name[32];
	const struct backend_plugin *p;
	if (backend_name(name, device ? device : "cpu", e))
		return -1;
	if (strcmp(name, "cpu") == 0) {
		*out = dtype == DTYPE_FP32 ? backend_cpu() : dtype == DTYPE_BF16 ? backend_cpu_bf16() : NULL;
		if (*out)
			return 0;
		return dtype == DTYPE_BF16
		           ? err_code(e, EXIT_USAGE,
		                      "train.dtype = \"bf16\": this processor has no products of bf16 (AVX512_BF16); ask for "
		                      "\"fp32\", or for a CUDA device")
		           : err_code(e, EXIT_USAGE,
		                      "train.dtype = \"%s\": no CPU has it; ask for \"fp32\" or \"bf16\", or for a CUDA device",
		                      dtype_name(dtype));
	}
	if (plugin(&p, e) || p->open(out, cuda_number(name), dtype, e))
		return -1;
	(void)snprintf((*out)->name, sizeof(*out)->name, "%s", name);
	return 0;
}
