/* place_options.c - see place_options.h. */
#include "harness/commands/place_options.h"

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

int place_plan(struct engine_devices *devices, struct plan *p, const struct cli *c, struct err *e)
{
	struct plan_place place = { .device = devices->v[0].name, .ranks = (int)cli_int(c, "ranks", 1) };
	if (microbatch_of(&place.microbatch, c, e) ||
	    engine_devices(devices, cli_string(c, "device", "auto"), place.ranks, e))
		return -1;
	place.jobs = ((int)cli_int(c, "jobs", devices->n) + devices->n - 1) / devices->n;
	return plan_memory(p, &place, e);
}
