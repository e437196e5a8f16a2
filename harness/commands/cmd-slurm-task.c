/* cmd-slurm-task.c - `ablate slurm-task PLAN`: the cells of one training of a frozen plan, run on a shard of their own,
 * as one task of an array, so that no training is done on two nodes; also a task of --engine command. Asked to stop
 * (TERM, before a time limit), it writes a checkpoint and exits 75, which requeues it. */
#include "harness/attest/signing_key.h"
#include "harness/cli/cmd.h"
#include "harness/plan/plan_memory.h"
#include "harness/record/cpus.h"
#include "harness/run/engine_device.h"
#include "harness/slurm/engine_slurm.h"
#include "harness/slurm/slurm_step.h"
#include "harness/commands/run_command.h"
#include "harness/cli/device_option.h"
#include "harness/cli/threads_option.h"

#include "model/base/env.h"
#include "model/base/io.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { IDLE_LIVES = 3 };

static const struct opt options[] = {
	{ .name = "base", .kind = OPT_INT, .arg = "N", .max = 1e9, .help = "index of the first cell of array task 0" },
	{ .name = "index",
	  .kind = OPT_INT,
	  .arg = "N",
	  .max = 1e9,
	  .help = "index of the task's first cell (default: from SLURM_ARRAY_TASK_ID)" },
	THREADS_OPTION("threads (default: what Slurm assigns)"),
	{ .name = "device", .kind = OPT_STRING, .arg = "D", .help = "auto, cpu, cuda or cuda:N" },
	{ .name = "ranks",
	  .kind = OPT_INT,
	  .arg = "N",
	  .min = 1,
	  .max = 1024,
	  .help = "processes that train each cell together, by srun or mpirun (default 1)" },
	{ .name = "again", .kind = OPT_FLAG, .help = "also rerun cells that diverged" },
	MICROBATCH_OPTION,
	{ 0 },
};

static void say_line(void *ctx, const char *line, bool amiss)
{
	const struct cli *c = ctx;
	if (amiss && c->quiet)
		cli_warn(c, "%s", line);
	else
		cli_say(c, "%s", line);
}

static int64_t number_of(enum env variable, int64_t fallback)
{
	const char *text = env_get(variable);
	char *end = NULL;
	long long n = text && *text ? strtoll(text, &end, 10) : 0;
	return end && !*end ? n : fallback;
}

/* What Slurm gave each process of the task, as far as this process may use it; nothing said and nothing bound: one, as
 * the other processors may be other tasks'. */
static int threads_allocated(int ranks)
{
	struct cpus here;
	cpus_find(&here, "");
	int64_t n = number_of(ENV_SLURM_CPUS_PER_TASK, 0);
	if (n < 1)
		n = number_of(ENV_SLURM_CPUS_ON_NODE, 0) / ranks;
	if (n < 1)
		n = here.usable < here.online ? here.usable : 1;
	return n < here.usable ? (int)n : here.usable;
}

/* The part of the plan that is a task's: the cells of one training, and their rows, under their labels. */
struct part {
	struct run_plan plan;
	struct run_cell *cells;
	struct run_row *rows;
};

/* Is a cell of another task, or finished in the database that the task was submitted from? What cannot be read there is
 * run: its results are the same. */
static bool is_left_out(const struct plan *p, int training, int cell, struct db *db, const struct run_plan *whole)
{
	bool done = false;
	if (p->cells[cell].training != training)
		return true;
	return db && !query_finished(&done, db, p->cells[cell].hash, whole->scores, whole->n_scores, NULL) && done;
}

static struct part part_of(const struct plan *p, int training, const struct run_set *set, struct db *db)
{
	struct part part = { .plan = set->run };
	SCOPED(free) int *place = xcalloc((size_t)set->run.n_cells + 1, sizeof *place);
	part.cells = xcalloc((size_t)set->run.n_cells + 1, sizeof *part.cells);
	part.rows = xcalloc((size_t)set->run.n_rows + 1, sizeof *part.rows);
	part.plan.cells = part.cells;
	part.plan.rows = part.rows;
	part.plan.n_cells = part.plan.n_rows = 0;
	for (int i = 0; i < set->run.n_cells; i++) {
		place[i] = is_left_out(p, training, i, db, &set->run) ? -1 : part.plan.n_cells;
		if (place[i] >= 0)
			part.cells[part.plan.n_cells++] = set->cells[i];
	}
	for (int i = 0; i < set->run.n_rows; i++)
		if (place[set->run.rows[i].cell] >= 0) {
			part.rows[part.plan.n_rows] = set->run.rows[i];
			part.rows[part.plan.n_rows++].cell = place[set->run.rows[i].cell];
		}
	return part;
}

/* Reference statistics are the same for all tasks: one folder for them, that of the database itself. */
static int share_refs(const char *db, const char *shard, struct err *e)
{
	SCOPED(free)
	char *refs = xstrfmt("%s-runs/refs", db), *runs = xstrfmt("%s-runs", shard), *name = xstrfmt("%s/refs", runs);
	if (io_mkdirs(refs, e) || io_mkdirs(runs, e))
		return -1;
	if (symlink("../../../refs", name) && errno != EEXIST)
		return err_set(e, "%s: cannot link: %s", name, strerror(errno));
	return 0;
}

/* What starts the processes of a cell, if they are several; says which. */
static int choose_launcher(struct launcher *out, const struct cli *c, int ranks, struct err *e)
{
	char said[400];
	if (ranks <= 1)
		return 0;
	if (slurm_step_launcher(out, said, ranks, (int)number_of(ENV_SLURM_CPUS_PER_TASK, 0), e))
		return -1;
	cli_say(c, "%s", said);
	return 0;
}

/* Have the last lives of the training all been stopped where they began? A time limit that is too short for a step
 * would have the task requeued for ever. */
static bool stands_still(const char *shard, int64_t steps)
{
	SCOPED(db) struct db *db = NULL;
	int64_t idle = 0;
	return !db_open(&db, shard, DB_READ, NULL) && !query_stopped_idle(&idle, db, IDLE_LIVES, steps, NULL) &&
	       idle == IDLE_LIVES;
}

/* A run that was asked to stop is to be requeued; one that used up its own budget is not, or it would run for ever. */
static int task_code(const struct cli *c, const struct run_result *r, const char *shard, int64_t steps)
{
	if (r->signal == SIGTERM && stands_still(shard, steps)) {
		cli_warn(c,
		         "stopped %d times in a row before a step was done: not requeued; the time limit is too short for it",
		         IDLE_LIVES);
		return EXIT_INCOMPLETE;
	}
	return r->signal == SIGTERM ? EXIT_BUDGET : r->over_budget ? EXIT_INCOMPLETE : run_exit_code(r);
}

static int run(struct cli *c)
{
	struct err e = ERR_INIT;
	SCOPED(plan) struct plan *p = NULL;
	struct run_set set;
	struct run_result r;
	struct engine_devices devices;
	bool given = cli_given(c, "index");
	int64_t task = given ? 0 : number_of(ENV_SLURM_ARRAY_TASK_ID, -1),
			index = given ? cli_int(c, "index", 0) : cli_int(c, "base", 0) + task;
	if (task < 0)
		return cli_usage(c, "neither --index nor SLURM_ARRAY_TASK_ID: this is a task of an array");
	if (plan_read(&p, c->args[0], NULL, &e))
		return cli_fail(c, &e);
	if (index >= p->n_cells)
		return cli_usage(c, "cell %lld of the plan does not exist: it has %d", (long long)index, p->n_cells);
	int training = p->cells[index].training;
	struct plan_place place = { .device = devices.v[0].name, .ranks = (int)cli_int(c, "ranks", 1), .jobs = 1 };
	if (engine_devices(&devices, cli_string(c, "device", "auto"), place.ranks, &e) ||
	    microbatch_of(&place.microbatch, c, &e) || plan_training_memory(p, training, &place, &e))
		return cli_fail(c, &e);
	devices.n = 1; /* the others may be another task's */
	run_set_of_plan(&set, p);
	SCOPED(free) char *shard = slurm_shard(c->db, p->trainings[training].key);
	SCOPED(db) struct db *db = NULL;
	if (db_is_there(c->db) && db_open(&db, c->db, DB_READ, &e))
		cli_warn(c, "%s; cells that are finished there are run again", e.msg);
	int64_t steps = set.cells[p->trainings[training].first].steps;
	struct part part = part_of(p, training, &set, db);
	db_close(db);
	db = NULL;
	SCOPED(signing_key) struct signing_key *key = NULL;
	struct launcher launcher = { 0 };
	if (signing_key_find(&key, &e) || choose_launcher(&launcher, c, place.ranks, &e)) {
		run_set_release(&set);
		return cli_fail(c, &e);
	}
	struct run_options o = { .db = shard,
		                     .key = key,
		                     .what = "ablate slurm-task",
		                     .jobs = 1,
		                     .threads = threads_of(c, threads_allocated(place.ranks)),
		                     .ranks = place.ranks,
		                     .launcher = launcher,
		                     .again = cli_flag(c, "again") > 0,
		                     .said = said_of(c) | (cli_int(c, "ranks", 0) > 0 ? RUN_SAID_RANKS : 0U),
		                     .say = say_line,
		                     .say_ctx = c };
	run_budget_of(&o, &p->grid->budget);
	o.grid_wall_s = 0; /* up to the array */
	o.cells_max = 0;
	o.devices = &devices;
	device_warn(c, "auto");
	int rc = share_refs(c->db, shard, &e) ? -1 : runner_run(&r, &part.plan, &o, &e);
	run_set_release(&set);
	free(part.cells);
	free(part.rows);
	return rc ? cli_fail(c, &e) : task_code(c, &r, shard, steps);
}

const struct cmd cmd_slurm_task = {
	.name = "slurm-task",
	.args = "PLAN",
	.summary = "run the cells of one training of a frozen plan (called by Slurm and by --engine command)",
	.options = options,
	.hidden = true,
	.run = run,
};
