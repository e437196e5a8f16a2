/* place_options.c - see place_options.h. */
#include "harness/commands/place_options.h"

#include "model/cpu/devices.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

int microbatch_of(int *out, const struct cli *c, struct err *e)
{
	const char *text = cli_string(c, "microbatch", NULL);
	char *end = NULL;
	long n = text && strcmp(text, "auto") != 0 ? strtol(text, &end, 10) : 0;
	if (end && (*end || n < 1 || n > INT_MAX))
		return err_code(e, EXIT_USAGE, "--microbatch %s: a number of samples, or auto", text);
	*out = end ? (int)n : text ? MICROBATCH_AUTO : 0;
	return 0;
}

/* The device that has least free memory, as a cell may come to any of them. One that cannot be opened is passed over
 * here, as by the runner. */
static const char *smallest_device(const struct engine_devices *d)
{
	uint64_t least = UINT64_MAX;
	const char *found = d->v[0].name;
	for (int i = 0; i < d->n && d->n > 1; i++) {
		struct backend *b;
		struct backend_facts f;
		struct err why = ERR_INIT;
		if (backend_open(&b, d->v[i].name, DTYPE_FP32, &why))
			continue;
		b->ops->facts(b, &f);
		backend_free(b);
		if (f.memory_free < least) {
			least = f.memory_free;
			found = d->v[i].name;
		}
	}
	return found;
}

int place_plan(struct engine_devices *devices, struct plan *p, const struct cli *c, struct err *e)
{
	struct plan_place place = { .ranks = (int)cli_int(c, "ranks", 1) };
	if (microbatch_of(&place.microbatch, c, e) ||
	    engine_devices(devices, cli_string(c, "device", "auto"), place.ranks, e))
		return -1;
	place.device = smallest_device(devices);
	place.jobs = ((int)cli_int(c, "jobs", devices->n) + devices->n - 1) / devices->n;
	return plan_memory(p, &place, e);
}
