/* settle_jobs.c - see settle_jobs.h. */
#include "harness/commands/settle_jobs.h"

#include "harness/bench/bench_scaling.h"
#include "harness/cli/threads.h"
#include "harness/record/host.h"

#include <stdlib.h>
#include <string.h>

/* What a worker takes beside its training's memory: program, libraries, pictures and features of a score. */
#define WORKER_BYTES (256.0 * 1024 * 1024)

/* Cells that could run at once, of which those that wait for one training are one; and the most that one takes. */
static void ask_of_plan(struct jobs_ask *a, const struct plan *p, const struct scaling *s)
{
	SCOPED(free) bool *trains = plan_trainers(p, false);
	int most = p->grid->budget.grid_cells;
	for (int i = 0; i < p->n_cells; i++) {
		const struct plan_cell *cell = &p->cells[i];
		const struct plan_arm *arm = &p->arms[cell->arm];
		if (cell->state != CELL_PENDING || !(trains[i] || cell->trained))
			continue;
		a->cells++;
		a->cell_bytes = arm->memory.bytes > a->cell_bytes ? arm->memory.bytes : a->cell_bytes;
		a->memory = arm->memory.limit > 0 ? arm->memory.limit : a->memory;
		bool steps = trains[i] && arm->config.train.steps > 0; /* of one that only samples: something, not nothing */
		double times = steps ? (double)arm->config.train.steps * (arm->memory.parts > 1 ? arm->memory.parts : 1) : 1;
		if (s)
			a->work[scaling_nearest(s, arm->gflop)] += times * (arm->gflop > 0 ? arm->gflop : 1);
	}
	a->cells = most > 0 && most < a->cells ? most : a->cells;
	a->cell_bytes += WORKER_BYTES * (a->ranks > 1 ? a->ranks : 1);
}

static struct jobs choose(const struct plan *p, const struct jobs_ask *given, const struct scaling *s)
{
	struct jobs_ask a = *given;
	ask_of_plan(&a, p, s);
	return jobs_choose(&a, s);
}

static bool measure(struct scaling *s, const struct cli *c, const char *path, const struct scaling_key *key)
{
	struct err e = ERR_INIT;
	cli_say(c, "measuring once how cells at once share this machine's processors, some seconds");
	if (bench_scaling_measure(s, 0, &e)) {
		cli_warn(c, "nothing measured, so one cell runs at once: %s", e.msg);
		return false;
	}
	if (scaling_keep(path, key, s, &e))
		cli_warn(c, "what was measured is not remembered: %s", e.msg);
	return true;
}

/* Memory was planned for one cell at once. */
static void share_memory(struct plan *p)
{
	for (int i = 0; i < p->n_arms; i++)
		p->arms[i].memory.limit /= p->jobs.jobs;
}

void settle_jobs(struct plan *p, const struct cli *c, const struct engine_devices *devices, int threads,
                 bool may_measure)
{
	struct scaling s;
	struct scaling_key key;
	SCOPED(free) char *path = scaling_path();
	struct jobs_ask a = { .jobs = (int)cli_int(c, "jobs", 0),
		                  .threads = threads,
		                  .ranks = (int)cli_int(c, "ranks", 1),
		                  .processors = host_cpus(),
		                  .off = !path };
	if (devices->n != 1 || strcmp(devices->v[0].name, "cpu") != 0)
		return;
	if (!a.threads && !a.off) {
		int said = threads_of_environment();
		a.threads = said < a.processors ? said : a.processors;
	}
	p->jobs = choose(p, &a, NULL);
	if (p->jobs.why == JOBS_UNMEASURED && path) {
		scaling_key(&key);
		if (scaling_recall(&s, path, &key) || (may_measure && measure(&s, c, path, &key)))
			p->jobs = choose(p, &a, &s);
		else if (may_measure)
			p->jobs.why = JOBS_OFF;
	}
	if (!a.jobs)
		share_memory(p);
}
