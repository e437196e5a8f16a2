/* run_result.c - the outcome of a run, as an exit code, a line and JSON (runner.h). */
#define _GNU_SOURCE
#include "harness/run/runner.h"

#include "model/base/progress.h"
#include "model/base/str.h"

#include <signal.h>

static const struct {
	const char *name;
	size_t offset;
} counts[] = {
#define COUNT(field) \
	{ \
#field, offsetof(struct run_result, field) \
	}
	COUNT(cached),  COUNT(done),    COUNT(failed),    COUNT(diverged), COUNT(timeout),
	COUNT(stopped), COUNT(blocked), COUNT(elsewhere), COUNT(pending),
#undef COUNT
};
#define N_COUNTS (sizeof counts / sizeof *counts)

static int count_of(const struct run_result *r, size_t i)
{
	return *(const int *)((const char *)r + counts[i].offset);
}

int run_exit_code(const struct run_result *r)
{
	if (r->signal)
		return r->signal == SIGINT ? EXIT_INTERRUPTED : EXIT_TERMINATED;
	if (r->over_budget)
		return EXIT_BUDGET;
	if (r->cells && r->cached + r->done == r->cells)
		return r->left_out ? EXIT_RECORD : EXIT_OK;
	return r->cells ? EXIT_INCOMPLETE : EXIT_USAGE;
}

char *run_summary(const struct run_result *r)
{
	struct str s = { 0 };
	char took[32];
	str_addf(&s, "%d cell%s:", r->cells, str_plural(r->cells));
	int n = 0;
	for (size_t i = 0; i < N_COUNTS; i++)
		if (count_of(r, i))
			str_addf(&s, "%s %d %s", n++ ? "," : "", count_of(r, i), counts[i].name);
	if (r->left_out)
		str_addf(&s, "; %d damaged record%s left out", r->left_out, str_plural(r->left_out));
	str_addf(&s, " in %s", duration_text(took, r->wall_s));
	return str_detach(&s);
}

const struct json_key run_result_keys[] = {
	JSON_KEY("cells", "integer", "cells of the grid"),
	JSON_KEY("attempts", "integer", "attempts that were started now"),
	JSON_KEY("lost", "integer", "attempts that were found dead at the start"),
	JSON_KEY("left_out", "integer", "damaged records that could not be taken"),
	JSON_KEY("over_budget", "boolean", "a budget of the grid or of a cell was used up"),
	JSON_KEY("wall_s", "number", "how long it took", .unit = "s"),
	JSON_KEY("cached", "integer", "cells that were done before"),
	JSON_KEY("done", "integer", "cells that were done now"),
	JSON_KEY("failed", "integer", "cells that failed"),
	JSON_KEY("diverged", "integer", "cells whose loss is no longer finite"),
	JSON_KEY("timeout", "integer", "cells that used up a budget"),
	JSON_KEY("stopped", "integer", "cells that wrote a checkpoint and stopped"),
	JSON_KEY("blocked", "integer", "cells that lack something which they need"),
	JSON_KEY("elsewhere", "integer", "cells that another process works on"),
	JSON_KEY("pending", "integer", "cells that were not started"),
	JSON_KEY("of_another_build", "integer", "of the cached ones, those that another build made"),
	JSON_KEY("signal", "integer", "the signal that ended the run", .absent = "where none did"),
	{ 0 },
};

json_t *run_result_json(const struct run_result *r)
{
	json_t *o = json_pack("{s:i, s:i, s:i, s:i, s:b, s:f}", "cells", r->cells, "attempts", r->attempts, "lost", r->lost,
	                      "left_out", r->left_out, "over_budget", (int)r->over_budget, "wall_s", r->wall_s);
	for (size_t i = 0; i < N_COUNTS; i++)
		(void)json_object_set_new(o, counts[i].name, json_integer(count_of(r, i)));
	(void)json_object_set_new(o, "of_another_build", json_integer(r->stale));
	if (r->signal)
		(void)json_object_set_new(o, "signal", json_integer(r->signal));
	return o;
}
