/* batch_plan.c - see batch_plan.h. */
#include "harness/commands/batch_plan.h"

#include "harness/commands/batch_ask.h"
#include "harness/commands/task_time.h"
#include "harness/plan/plan_duration.h"
#include "harness/plan/plan_totals.h"
#include "harness/slurm/slurm_script.h"
#include "harness/text/json_out.h"

#include <stdio.h>

static void add_resources(struct str *out, const struct batch_resources *r)
{
	str_add(out, "each: ");
	if (r->processes > 1)
		str_addf(out, "%d processes on ", r->processes);
	if (r->processors)
		str_addf(out, "%d processor%s", r->processors, str_plural(r->processors));
	else
		str_add(out, "the processors that it is given (--threads, or processors of [command])");
	if (r->gpus)
		str_addf(out, ", %d GPU%s", r->gpus, str_plural(r->gpus));
	str_addf(out, ", memory %s", r->memory ? r->memory : "as it is given");
	if (r->limit_s > 0) {
		str_add(out, ", at most ");
		plan_add_duration(out, r->limit_s);
	}
	str_add(out, "; one that is stopped before it is done exits 75, and goes on when it is started again\n");
}

static void print_text(const struct batch_options *o, const struct task_time *time, const json_t *request, int cells,
                       int blocked, int tasks)
{
	SCOPED(str) struct str out = { 0 };
	struct batch_resources r = batch_resources_of(o);
	str_addf(&out, "command: %d pending cell%s in %d task%s\n", cells, str_plural(cells), tasks, str_plural(tasks));
	if (blocked)
		str_addf(&out, "%d cell%s blocked: `ablate plan` without --engine says by what\n", blocked,
		         blocked == 1 ? " is" : "s are");
	if (tasks) {
		add_resources(&out, &r);
		task_time_text(&out, time, tasks, r.throttle);
		str_addc(&out, '\n');
		for (int i = 0; i < o->command.submit.n; i++) {
			str_add(&out, i ? " " : "");
			slurm_quote(&out, o->command.submit.v[i]);
		}
		str_add(&out, " <<'END'\n");
		json_out(&out, request, 2);
		str_add(&out, "\nEND\n");
	}
	(void)fwrite(str_text(&out), 1, out.len, stdout);
}

const struct json_key batch_plan_keys[] = {
	JSON_KEY("plan", "string", "the plan, by its hash"),
	JSON_KEY("cells", "integer", "pending cells"),
	JSON_KEY("blocked", "integer", "cells that lack something which they need"),
	JSON_KEY("tasks", "integer", "tasks that would be submitted, one for each training"),
	JSON_KEY("seconds", "number?", "estimated time of all tasks together; null where unknown", .unit = "s"),
	JSON_KEY("task_seconds", "number?", "estimated time of a task; null where unknown", .unit = "s"),
	JSON_KEY("submit", "object", "what the command that submits would get on stdin", .of = batch_request_keys),
	{ 0 },
};

int batch_plan_show(struct cli *c, const struct plan *p)
{
	struct err e = ERR_INIT;
	int n;
	SCOPED(batch_ask) struct batch_ask ask = { 0 };
	SCOPED(free) int *index = task_cells(&n, p);
	if (batch_ask(&ask, c, p->grid, &e))
		return cli_fail(c, &e);
	json_t *request = batch_would_submit(p, index, n, &ask.options, &e);
	if (!request)
		return cli_fail(c, &e);
	struct plan_totals totals = plan_totals(p);
	int cells = totals.state[CELL_PENDING], blocked = totals.state[CELL_BLOCKED];
	struct task_time time = task_time(p, batch_resources_of(&ask.options).gpus > 0);
	if (c->json) {
		bool known = time.seconds > 0 && n;
		json_t *o = json_object();
		(void)json_object_set_new(o, "plan", json_string(p->hash));
		(void)json_object_set_new(o, "cells", json_integer(cells));
		(void)json_object_set_new(o, "blocked", json_integer(blocked));
		(void)json_object_set_new(o, "tasks", json_integer(n));
		(void)json_object_set_new(o, "seconds", known ? json_real(time.seconds) : json_null());
		(void)json_object_set_new(o, "task_seconds", known ? json_real(time.seconds / n) : json_null());
		(void)json_object_set_new(o, "submit", request);
		return cli_print_json(c, o);
	}
	print_text(&ask.options, &time, request, cells, blocked, n);
	json_decref(request);
	return EXIT_OK;
}
