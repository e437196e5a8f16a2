/* run_command.c - see run_command.h. */
#include "harness/commands/run_command.h"

#include "harness/attest/signing_key.h"
#include "harness/cli/device_option.h"
#include "harness/commands/settle_jobs.h"
#include "harness/run/engine_device.h"
#include "harness/slurm/slurm_client.h"
#include "harness/record/hidden.h"
#include "harness/record/host.h"
#include "harness/record/provenance.h"
#include "harness/run/run_plan.h"
#include "harness/show/table.h"
#include "harness/text/json_out.h"
#include "harness/text/terminal.h"

#include "model/base/io.h"
#include "model/base/progress.h"
#include "model/base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct unsaid {
	char *line;
	bool amiss;
};
struct run_display {
	const struct cli *cli;
	struct progress progress;
	char *what;
	struct unsaid *unsaid; /* lines that wait for a reader, which the run does not */
	int n_unsaid, cap_unsaid;
};

static void say_now(struct run_display *d, const char *line, bool amiss)
{
	if (amiss && d->cli->quiet) {
		cli_warn(d->cli, "%s", line);
		return;
	}
	if (d->progress.tty && !d->progress.quiet)
		(void)fputs("\r\033[K", stderr); /* the bar reappears by itself */
	cli_say(d->cli, "%s", line);
}

static void say_what_waits(struct run_display *d, bool all)
{
	int n = 0;
	for (; n < d->n_unsaid && (all || fd_takes_line(STDERR_FILENO)); n++) {
		say_now(d, d->unsaid[n].line, d->unsaid[n].amiss);
		free(d->unsaid[n].line);
	}
	if (n)
		memmove(d->unsaid, d->unsaid + n, (size_t)(d->n_unsaid - n) * sizeof *d->unsaid);
	d->n_unsaid -= n;
}

static void say_line(void *ctx, const char *line, bool amiss)
{
	struct run_display *d = ctx;
	VEC_PUSH(d->unsaid, d->n_unsaid, d->cap_unsaid) = (struct unsaid){ xstrdup(line), amiss };
	say_what_waits(d, false);
}

struct run_display *run_display_new(const struct cli *c, const char *what, struct run_options *o)
{
	struct run_display *d = xcalloc(1, sizeof *d);
	d->cli = c;
	d->what = xstrdup(what);
	terminal_progress(&d->progress, d->what, "steps", 0);
	d->progress.plain_every_s = 60; /* except on a terminal, the lines for state changes are enough */
	d->progress.quiet = c->quiet;
	o->progress = &d->progress;
	o->say = say_line;
	o->say_ctx = d;
	return d;
}

void run_display_free(struct run_display *d, bool patient)
{
	progress_end(&d->progress);
	say_what_waits(d, patient);
	for (int i = 0; i < d->n_unsaid; i++)
		free(d->unsaid[i].line);
	free(d->unsaid);
	free(d->what);
	free(d);
}

unsigned said_of(const struct cli *c)
{
	const char *device = cli_string(c, "device", "auto"), *micro = cli_string(c, "microbatch", "auto");
	return (strcmp(micro, "auto") != 0 ? RUN_SAID_MICROBATCH : 0U) |
	       (strcmp(device, "auto") != 0 ? RUN_SAID_DEVICE : 0U);
}

void run_options_of(struct run_options *o, const struct cli *c)
{
	o->db = c->db;
	o->jobs = (int)cli_int(c, "jobs", 0);
	o->threads = (int)cli_int(c, "threads", 0);
	o->ranks = (int)cli_int(c, "ranks", 1);
	o->said = said_of(c) | (cli_int(c, "ranks", 0) > 0 ? RUN_SAID_RANKS : 0U);
	o->again = cli_flag(c, "again") > 0;
	o->rebuild = cli_given(c, "rebuild");
}

void run_budget_of(struct run_options *o, const struct grid_budget *b)
{
	o->cell_wall_s = b->cell_wall_s;
	o->grid_wall_s = b->grid_wall_s;
	o->checkpoint_s = b->cell_checkpoint_s;
	o->cells_max = b->grid_cells;
	o->retries = b->cell_retries;
	o->stop_after = b->on_failure == FAILURE_STOP ? 1 : b->on_failure == FAILURE_STOP_AFTER ? b->stop_after : 0;
}

/* More threads at once than processors: the results are right, but late. */
static void tell_crowd(const struct cli *c, const struct run_options *o)
{
	int cpus = host_cpus(), processes = o->jobs * o->ranks,
		each = o->threads > 0         ? o->threads
	           : cpus / processes > 1 ? cpus / processes
	                                  : 1;
	if (processes * each > cpus)
		cli_warn(
			c,
			"%d cell%s at once, %d process%s each, of %d thread%s: %d threads on the %d processor%s that may be used, "
			"which is no faster than fewer",
			o->jobs, str_plural(o->jobs), o->ranks, o->ranks == 1 ? "" : "es", each, str_plural(each), processes * each,
			cpus, str_plural(cpus));
}

/* The micro-batches that were asked for or, with auto, chosen. */
static void tell_microbatches(const struct cli *c, const struct plan *p)
{
	for (int i = 0, told = 0; i < p->n_arms && told < 20; i++) {
		const struct plan_memory *m = &p->arms[i].memory;
		if (m->parts > 1 && ++told)
			cli_say(c, "%s: %d sample%s at once, %d times for each step", p->rows[p->arms[i].rows[0]].name, m->micro,
			        str_plural(m->micro), m->parts);
	}
}

/* The plan beside the journals, so that `resume` needs no grid file. */
static int keep_plan(const struct cli *c, const struct plan *p, struct err *e)
{
	SCOPED(free) char *dir = xstrfmt("%s-runs/plans", c->db);
	SCOPED(free) char *path = xstrfmt("%s/%s.plan.json", dir, p->hash);
	if (io_exists(path))
		return 0;
	if (io_mkdirs(dir, e) || plan_write(p, path, e)) {
		e->code = EXIT_RECORD;
		return -1;
	}
	return 0;
}

/* All is recorded now, so it may wait for a reader, unless it was told to stop. */
static bool may_say(const struct run_result *r, int fd)
{
	return !r->signal || fd_takes_line(fd);
}

const struct json_key run_keys[] = {
	{ "", .of = run_result_keys },
	JSON_KEY("db", "string", "the database"),
	JSON_KEY("jobs", "object", "cells at once", .absent = "where nothing was to be run, and on a device",
	         .of = jobs_keys),
	JSON_KEY("exit_code", "integer", "the exit code"),
	{ 0 },
};

static int report(struct cli *c, const struct run_result *r, const struct jobs *jobs)
{
	int code = run_exit_code(r);
	SCOPED(free) char *summary = run_summary(r);
	if (may_say(r, STDERR_FILENO))
		cli_say(c, "%s", summary);
	if (may_say(r, STDERR_FILENO))
		run_tell_stale(c, r);
	if (may_say(r, STDERR_FILENO) && code != EXIT_OK && (code != EXIT_INCOMPLETE || r->stopped))
		cli_say(c, "state is saved in %s; `ablate resume --db %s` continues", c->db, c->db);
	if (c->json) {
		json_t *o = run_result_json(r);
		(void)json_object_set_new(o, "db", json_string(c->db));
		if (jobs->why != JOBS_UNKNOWN)
			(void)json_object_set_new(o, "jobs", jobs_json(jobs));
		(void)json_object_set_new(o, "exit_code", json_integer(code));
		(void)cli_print_json(c, o);
	}
	return code;
}

/* The grid's tables as they are now, to stdout. What they refuse (mixed protocols) is reported and changes nothing. */
static void show_tables(const struct cli *c, struct plan *p, const char *what)
{
	struct err e = ERR_INIT;
	SCOPED(db) struct db *db = NULL;
	SCOPED(study) struct study *study = NULL;
	SCOPED(published) struct published *pub = NULL;
	SCOPED(str) struct str text = { 0 };
	if (db_open(&db, c->db, DB_READ, &e) || published_read(&pub, NULL, &e) || study_load(&study, p, db, &e) ||
	    tables_text(&text, study, pub, what, &e))
		cli_warn(c, "no table: %s", e.msg);
	else
		(void)fwrite(str_text(&text), 1, text.len, stdout);
}

/* Cells at once and their threads on the CPU, and a line that says so where they were chosen. */
static void take_jobs(struct run_options *o, struct plan *p, const struct cli *c, const struct engine_devices *devices)
{
	SCOPED(str) struct str text = { 0 };
	settle_jobs(p, c, devices, o->threads, true);
	if (p->jobs.why == JOBS_UNKNOWN || p->jobs.why == JOBS_OFF)
		return;
	o->jobs = p->jobs.jobs;
	o->threads = p->jobs.threads;
	jobs_text(&text, &p->jobs);
	if (p->jobs.why == JOBS_MEASURED)
		cli_say(c, "%s", str_text(&text));
}

int run_command(struct cli *c, struct plan *p, const char *what)
{
	struct err e = ERR_INIT;
	struct run_options o = { .what = what };
	struct run_result r;
	struct run_set set;
	struct engine_devices devices;
	const char *rebuild = cli_string(c, "rebuild", NULL);
	if (rebuild && strcmp(rebuild, "stale") != 0)
		return cli_usage(c, "--rebuild takes \"stale\" (cells that another build made), not \"%s\"", rebuild);
	const char *engine = cli_string(c, "engine", "local");
	bool slurm = strcmp(engine, "slurm") == 0, command = strcmp(engine, "command") == 0;
	if (rebuild && (slurm || command))
		return cli_usage(c, "--rebuild needs --engine local: a task of the cluster knows nothing of earlier results");
	SCOPED(on_finish) struct on_finish finish = { 0 };
	if (on_finish_settle(&finish, c, p->grid, what, engine, &e))
		return cli_fail(c, &e);
	SCOPED(signing_key) struct signing_key *key = NULL;
	if (store_place(c->db, &e) || signing_key_find(&key, &e))
		return cli_fail(c, &e);
	o.key = key;
	if (cli_flag(c, "no-identity"))
		hidden_begin();
	run_options_of(&o, c);
	run_budget_of(&o, &p->grid->budget);
	/* the nodes of a cluster have devices of their own */
	SCOPED(slurm_ask) struct slurm_ask ask = { 0 };
	SCOPED(batch_ask) struct batch_ask batch = { 0 };
	if ((slurm     ? slurm_is_here(&e) || slurm_ask(&ask, c, p->grid, &e) || slurm_site_ask(&ask.options.site, &e)
	     : command ? batch_ask(&batch, c, p->grid, &e)
	               : place_plan(&devices, p, c, &e)) ||
	    disk_holds(p, c, &e) || keep_plan(c, p, &e))
		return cli_fail(c, &e);
	tell_microbatches(c, p);
	run_set_of_plan(&set, p);
	ask.options.again = batch.options.job.again = o.again;
	ask.options.hidden = batch.options.job.hidden = cli_flag(c, "no-identity") > 0;
	if (slurm || command) {
		int ended = slurm ? slurm_command(c, p, &set, &o, &ask.options) : batch_command(c, p, &set, &o, &batch.options);
		run_set_release(&set);
		if (!c->json && cli_flag(c, "wait"))
			show_tables(c, p, what);
		(void)fflush(stdout);
		on_finish_run(&finish, c, p, ended, 0, NULL);
		return ended;
	}
	o.devices = &devices;
	if (!o.jobs) /* a cell for each device, and no more than there are */
		o.jobs = devices.n < set.run.n_cells ? devices.n : set.run.n_cells > 1 ? set.run.n_cells : 1;
	o.threads = threads_of(c, 0);
	take_jobs(&o, p, c, &devices);
	if (strcmp(devices.v[0].name, "cpu") == 0)
		tell_crowd(c, &o);
	device_warn(c, "auto");
	SCOPED(free) char *title = xstrfmt("run %s", p->grid->name);
	struct run_display *d = run_display_new(c, title, &o);
	int rc = runner_run(&r, &set.run, &o, &e);
	run_display_free(d, !rc && !r.signal);
	run_set_release(&set);
	if (rc) {
		int failed = cli_fail(c, &e);
		on_finish_run(&finish, c, p, failed, 0, e.msg);
		return failed;
	}
	if (r.attempts && may_say(&r, STDERR_FILENO) && provenance_tree_changed())
		cli_warn(c,
		         "the source folder has changed since this program was built; the records name what it was built from");
	int code = report(c, &r, &p->jobs);
	if (!c->json && r.cached + r.done > 0 && may_say(&r, STDOUT_FILENO))
		show_tables(c, p, what);
	(void)fflush(stdout); /* what it does comes after what is said here; a failure shows when the program ends */
	on_finish_run(&finish, c, p, code, r.signal, NULL);
	return code;
}
