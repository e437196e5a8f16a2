/* batch_command.c - `ablate run --engine command`: the missing cells of a plan as tasks of any scheduler; with --wait
 * until they are over, else the next run takes in what they produced. */
#define _GNU_SOURCE
#include "harness/batch/engine_batch.h"
#include "harness/commands/run_command.h"
#include "harness/commands/shard_results.h"
#include "harness/text/json_out.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SILENT_MAX = 20 };
static const double look_first_s = 0.2, look_most_s = 15; /* between two queries: longer and longer */

/* Until no task in the queue works on the plan's trainings. */
static int wait_for_tasks(struct cli *c, const struct plan *p, struct err *e)
{
	struct slurm_count q, before = { .running = -1 };
	char reason[64];
	double pause_s = look_first_s;
	for (int silent = 0;;) {
		struct err why = ERR_INIT;
		if (batch_follow(&q, reason, c->db, p, &why)) {
			if (++silent > SILENT_MAX) { /* a scheduler that is being restarted answers again */
				*e = why;
				return -1;
			}
		} else {
			silent = 0;
			if (!q.tasks)
				return 0;
			if (q.running != before.running || q.pending != before.pending)
				cli_say(c, "command: %d running, %d pending%s%s", q.running, q.pending, *reason ? ": " : "", reason);
			before = q;
		}
		struct timespec pause = { .tv_sec = (time_t)pause_s,
			                      .tv_nsec = (long)((pause_s - (double)(time_t)pause_s) * 1e9) };
		(void)nanosleep(&pause, NULL);
		pause_s = pause_s * 1.3 > look_most_s ? look_most_s : pause_s * 1.3;
	}
}

static void tell(const struct cli *c, const struct batch_result *r)
{
	if (r->tasks)
		cli_say(
			c,
			"submitted %d task%s: %.200s%s; `ablate status --watch --db %s` follows them, and the same command again "
			"takes their results in",
			r->tasks, str_plural(r->tasks), r->ids, strlen(r->ids) > 200 ? " ..." : "", c->db);
	if (r->waiting)
		cli_say(c, "%d training%s in the queue already", r->waiting, r->waiting == 1 ? " is" : "s are");
	if (r->behind)
		cli_warn(
			c,
			"%d training%s being worked on for another plan, which asks for less of it: run the same command again "
			"when that is over",
			r->behind, r->behind == 1 ? " is" : "s are");
	if (r->n_refused)
		cli_warn(c, "%d task%s not accepted: %s; run the same command again when there is room", r->n_refused,
		         r->n_refused == 1 ? " was" : "s were",
		         r->refused && *r->refused ? r->refused : "the command gave no reason on stderr");
}

static void tell_session(const struct cli *c, const struct batch_session *s)
{
	cli_warn_lines(c, str_text(&s->ended));
	if (s->unanswered)
		cli_warn(
			c,
			"an earlier submission of %d task%s was interrupted before its answer was noted: what was accepted of it "
			"runs beside what is submitted now, on the same shards",
			s->unanswered, str_plural(s->unanswered));
}

const struct json_key batch_submitted_keys[] = {
	JSON_KEY("db", "string", "the database"),
	JSON_KEY("plan", "string", "the plan, by its hash"),
	JSON_KEY("cells", "integer", "cells of the grid"),
	JSON_KEY("tasks", "integer", "tasks that were submitted"),
	JSON_KEY("blocked", "integer", "cells that lack something which they need"),
	JSON_KEY("already", "boolean", "nothing was submitted"),
	JSON_KEY("waiting", "integer", "trainings that were in the queue already"),
	JSON_KEY("behind", "integer", "trainings that are being worked on for another plan, which asks for less of them"),
	JSON_KEY("refused", "integer", "tasks that were not accepted"),
	JSON_KEY("jobs", "string?", "ids of what was submitted; null where nothing was"),
	{ 0 },
};

static void print_submitted(const struct cli *c, const struct plan *p, const struct batch_result *r, int blocked)
{
	json_t *o = json_pack("{s:o, s:s, s:i, s:i, s:i, s:b, s:i, s:i, s:i}", "db", json_out_text(c->db), "plan", p->hash,
	                      "cells", p->n_cells, "tasks", r->tasks, "blocked", blocked, "already", (int)!r->tasks,
	                      "waiting", r->waiting, "behind", r->behind, "refused", r->n_refused);
	(void)json_object_set_new(o, "jobs", json_out_text(r->ids));
	(void)cli_print_json(c, o);
}

/* What one round found and did. */
struct round {
	struct slurm_collected got;
	int missing, blocked; /* cells */
	struct batch_result r;
	bool over; /* nothing is left to submit */
};

/* Takes in what there is and submits what is missing, but for what was tried in a round before. */
static int play(struct round *out, struct cli *c, const struct plan *p, const struct run_plan *run, const bool *tried,
                const struct batch_options *ask, struct err *e)
{
	SCOPED(batch_session) struct batch_session s = BATCH_SESSION_INIT;
	SCOPED(free) int *index = NULL;
	struct err silent = ERR_INIT;
	int kept = 0;
	*out = (struct round){ 0 };
	/* asked before shards are read: what is over then is read whole */
	int asked = batch_open(&s, c->db, &silent);
	tell_session(c, &s);
	if (shards_collect(c, &out->got, e) || shards_missing(c, run, &index, &out->missing, &out->blocked, e) ||
	    (!ask->job.again && shards_drop_diverged(c, run, index, &out->missing, e)))
		return -1;
	int n = shards_trainings(p, index, out->missing);
	for (int i = 0; i < n; i++)
		if (!tried[p->cells[index[i]].training])
			index[kept++] = index[i];
	out->over = kept == 0;
	if (out->over)
		return 0;
	if (asked) {
		*e = silent;
		return -1;
	}
	return batch_submit(&out->r, &s, p, index, kept, ask, e);
}

int batch_command(struct cli *c, struct plan *p, const struct run_set *set, struct run_options *o,
                  const struct batch_options *ask)
{
	struct err e = ERR_INIT;
	struct run_result r;
	const struct run_plan *run = &set->run;
	SCOPED(free) bool *tried = xcalloc((size_t)p->n_trainings + 1, sizeof *tried);
	bool wait = cli_flag(c, "wait") > 0;
	o->record_only = true;
	if (batch_engine_allow(ask->dir, &ask->command.query, &ask->command.cancel, &e) || runner_run(&r, run, o, &e))
		return cli_fail(c, &e);
	run_tell_stale(c, &r);
	for (;;) {
		struct round now;
		if (play(&now, c, p, run, tried, ask, &e))
			return cli_fail(c, &e);
		if (now.over)
			return shards_report(c, run, &now.got, &e);
		tell(c, &now.r);
		for (int i = 0; i < p->n_trainings; i++)
			tried[i] |= now.r.tried[i];
		bool queued = now.r.tasks || now.r.waiting || now.r.behind;
		int code = now.r.behind || now.r.n_refused ? EXIT_INCOMPLETE : EXIT_OK;
		if (!wait && c->json)
			print_submitted(c, p, &now.r, now.blocked);
		batch_result_release(&now.r);
		if (!wait)
			return code;
		if (!queued)
			return shards_report(c, run, &now.got, &e);
		if (wait_for_tasks(c, p, &e))
			return cli_fail(c, &e);
	}
}
