/* slurm_plan.c - see slurm_plan.h. */
#include "harness/commands/slurm_plan.h"

#include "harness/commands/slurm_ask.h"
#include "harness/commands/task_time.h"
#include "harness/plan/plan_duration.h"
#include "harness/plan/plan_totals.h"
#include "harness/slurm/slurm_queue.h"
#include "harness/slurm/slurm_submission.h"
#include "harness/text/json_out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_resources(struct str *out, const struct slurm_submission *s, const struct slurm_options *o)
{
	int ranks = o->ranks > 1 ? o->ranks : 1;
	str_add(out, "each: ");
	if (ranks > 1)
		str_addf(out, "%d processes of ", ranks);
	if (s->processors)
		str_addf(out, "%d processor%s", s->processors, str_plural(s->processors));
	else
		str_add(out, "the processors that Slurm gives (--threads, or cpus of [slurm])");
	if (s->gpus)
		str_addf(out, ", %s", o->slurm.word[SLURM_GRES] ? o->slurm.word[SLURM_GRES] : "1 GPU");
	str_addf(out, ", memory %s", o->slurm.word[SLURM_MEM] ? o->slurm.word[SLURM_MEM] : "as Slurm gives");
	if (o->slurm.time_s > 0) {
		str_add(out, ", at most ");
		plan_add_duration(out, o->slurm.time_s);
	}
	str_addf(out, "; one that is stopped before it is done %s\n", slurm_way_text(s->way));
}

static void print_text(const struct slurm_submission *s, const struct slurm_options *o, const struct task_time *time,
                       int cells, int blocked)
{
	SCOPED(str) struct str out = { 0 };
	int at_once = o->jobs > 0 ? o->jobs : o->slurm.throttle;
	str_addf(&out, "slurm%s%s: %d pending cell%s in %d task%s, %d job%s and the merge\n", *o->site.cluster ? " " : "",
	         o->site.cluster, cells, str_plural(cells), s->tasks, str_plural(s->tasks), s->n - 1, str_plural(s->n - 1));
	if (blocked)
		str_addf(&out, "%d cell%s blocked: `ablate plan` without --engine says by what\n", blocked,
		         blocked == 1 ? " is" : "s are");
	if (s->tasks) {
		add_resources(&out, s, o);
		task_time_text(&out, time, s->tasks, at_once);
		for (int i = 0; i < s->n; i++) {
			str_addf(&out, "\nJOB%d: ", i + 1);
			slurm_job_line(&out, s, i);
			str_addc(&out, '\n');
		}
	}
	(void)fwrite(str_text(&out), 1, out.len, stdout);
}

const struct json_key slurm_plan_keys[] = {
	JSON_KEY("plan", "string", "the plan, by its hash"),
	JSON_KEY("cluster", "string?", "the cluster; null where Slurm cannot be asked"),
	JSON_KEY("cells", "integer", "pending cells"),
	JSON_KEY("blocked", "integer", "cells that lack something which they need"),
	JSON_KEY("tasks", "integer", "tasks that would be submitted, one for each training"),
	JSON_KEY("processes", "integer", "processes of each task"),
	JSON_KEY("processors", "integer?", "processors of each process; null: as Slurm gives"),
	JSON_KEY("gpus", "integer", "GPUs of each task"),
	JSON_KEY("memory", "string?", "memory of each task, as Slurm reads it; null: as it gives"),
	JSON_KEY("limit_s", "number?", "time limit of each task; null: none", .unit = "s"),
	JSON_KEY("at_once", "integer?", "tasks at once; null: no limit"),
	JSON_KEY("seconds", "number?", "estimated time of all tasks together; null where unknown", .unit = "s"),
	JSON_KEY("task_seconds", "number?", "estimated time of a task; null where unknown", .unit = "s"),
	JSON_KEY("requeue", "string", "how a task that is stopped comes back: exit, scontrol, chain or never"),
	JSON_KEY("jobs", "object[]", "what would be submitted"),
	JSON_KEY("jobs[].tasks", "integer", "tasks of the array; 0 of the merge"),
	JSON_KEY("jobs[].merge", "boolean", "it is the job that merges their records"),
	JSON_KEY("jobs[].command", "string", "the command that submits it"),
	JSON_KEY("jobs[].script", "string", "its script"),
	{ 0 },
};

static int print_json(struct cli *c, const struct plan *p, const struct slurm_submission *s,
                      const struct slurm_options *o, const struct task_time *time, int cells, int blocked)
{
	int at_once = o->jobs > 0 ? o->jobs : o->slurm.throttle;
	json_t *jobs = json_array();
	for (int i = 0; i < s->n && s->tasks; i++) {
		SCOPED(str) struct str line = { 0 };
		slurm_job_line(&line, s, i);
		json_t *job = json_object();
		(void)json_object_set_new(job, "tasks", json_integer(s->v[i].n));
		(void)json_object_set_new(job, "merge", json_boolean(!s->v[i].n));
		(void)json_object_set_new(job, "command", json_out_text(line.data));
		(void)json_object_set_new(job, "script", json_out_text(s->v[i].text));
		(void)json_array_append_new(jobs, job);
	}
	json_t *out = json_object();
	(void)json_object_set_new(out, "plan", json_string(p->hash));
	(void)json_object_set_new(out, "cluster", json_out_text(*o->site.cluster ? o->site.cluster : NULL));
	(void)json_object_set_new(out, "cells", json_integer(cells));
	(void)json_object_set_new(out, "blocked", json_integer(blocked));
	(void)json_object_set_new(out, "tasks", json_integer(s->tasks));
	(void)json_object_set_new(out, "processes", json_integer(o->ranks > 1 ? o->ranks : 1));
	(void)json_object_set_new(out, "processors", s->processors ? json_integer(s->processors) : json_null());
	(void)json_object_set_new(out, "gpus", json_integer(s->gpus));
	(void)json_object_set_new(out, "memory", json_out_text(o->slurm.word[SLURM_MEM]));
	(void)json_object_set_new(out, "limit_s", o->slurm.time_s > 0 ? json_real(o->slurm.time_s) : json_null());
	(void)json_object_set_new(out, "at_once", at_once > 0 ? json_integer(at_once) : json_null());
	bool known = time->seconds > 0 && s->tasks;
	(void)json_object_set_new(out, "seconds", known ? json_real(time->seconds) : json_null());
	(void)json_object_set_new(out, "task_seconds", known ? json_real(time->seconds / s->tasks) : json_null());
	(void)json_object_set_new(out, "requeue", json_string(slurm_way_name(s->way)));
	(void)json_object_set_new(out, "jobs", jobs);
	return cli_print_json(c, out);
}

int slurm_plan_show(struct cli *c, const struct plan *p)
{
	struct err e = ERR_INIT;
	char id[SLURM_ID];
	int n;
	SCOPED(slurm_ask) struct slurm_ask ask = { 0 };
	SCOPED(slurm_submission) struct slurm_submission s = { 0 };
	SCOPED(free) int *index = task_cells(&n, p);
	if (slurm_ask(&ask, c, p->grid, &e))
		return cli_fail(c, &e);
	struct slurm_options *o = &ask.options;
	if (slurm_site_ask(&o->site, &e)) {
		cli_warn(c, "%s: shown is what Slurm's defaults make of it", e.msg);
		slurm_site_read(&o->site, "");
		e = (struct err)ERR_INIT;
	}
	if (!slurm_id_known(id, c->db))
		(void)snprintf(id, sizeof id, "DATABASE"); /* made at the first submission */
	if (slurm_compose(&s, p->hash, id, index, NULL, n, o, &e))
		return cli_fail(c, &e);
	struct plan_totals totals = plan_totals(p);
	int cells = totals.state[CELL_PENDING], blocked = totals.state[CELL_BLOCKED];
	struct task_time time = task_time(p, s.gpus > 0);
	if (c->json)
		return print_json(c, p, &s, o, &time, cells, blocked);
	print_text(&s, o, &time, cells, blocked);
	return EXIT_OK;
}
