/* runner_attempt.c - one attempt of runner.h: its folder and job, the checkpoints it inherits, its end from
 * evidence. */
#define _GNU_SOURCE
#include "harness/run/runner_private.h"

#include "harness/attest/statement.h"

#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/base/progress.h"
#include "harness/record/fingerprint.h"
#include "harness/record/provenance.h"
#include "harness/record/prune.h"
#include "harness/record/query.h"
#include "harness/record/query_attempt.h"
#include "harness/record/query_build.h"
#include "harness/record/query_stage.h"
#include "harness/run/last_words.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WRITER_WAIT_S 20.0

int cell_is_done(bool *out, struct store *s, const struct run_plan *plan, const struct run_cell *c, struct err *e)
{
	return query_finished(out, s->db, c->cell, plan->scores, plan->n_scores, e);
}

/* --- start --- */

/* Samples and scores of its training that an attempt may take instead of making them. */
static int add_known(struct job *job, struct store *s, struct builds *builds, struct err *e)
{
	SCOPED(free) struct job_sampling *samplings = NULL;
	SCOPED(free) struct job_known *known = NULL;
	struct db_rows rows;
	struct sampling_row f;
	struct known_row k;
	struct arena *a = &job->arena;
	int cap = 0, cap_known = 0, rc = 0;
	bool ours = true;
	if (query_samplings(&rows, s->db, job->training, job->cell, e))
		return -1;
	while (!rc && query_sampling_next(&f, &rows)) {
		if (builds && ((rc = builds_made_it(&ours, builds, s->db, f.attempt, e)) || !ours))
			continue;
		VEC_PUSH(samplings, job->n_samplings, cap) =
			(struct job_sampling){ .key = arena_strdup(a, f.key),
			                       .path = arena_strfmt(a, "%s/%.12s/%s/%s", s->runs, f.cell, f.attempt, f.name),
			                       .sha256 = arena_strdup(a, f.sha256),
			                       .n = f.n,
			                       .attempt = arena_strdup(a, f.attempt) };
	}
	if (db_done(&rows, rc ? NULL : e) || rc || query_known(&rows, s->db, job->training, job->cell, e))
		return -1;
	while (!rc && query_known_next(&k, &rows)) {
		if (builds && ((rc = builds_made_it(&ours, builds, s->db, k.attempt, e)) || !ours))
			continue;
		VEC_PUSH(known, job->n_known,
		         cap_known) = (struct job_known){ .key = arena_strdup(a, k.key),
			                                      .attempt = arena_strdup(a, k.attempt),
			                                      .name = arena_strdup(a, k.name),
			                                      .weights = arena_strdup(a, k.weights),
			                                      .protocol = arena_strdup(a, k.protocol),
			                                      .hex = arena_strdup(a, k.hex),
			                                      .computed_by = k.computed_by ? arena_strdup(a, k.computed_by) : NULL,
			                                      .lo = k.lo,
			                                      .hi = k.hi,
			                                      .nfe = k.nfe,
			                                      .eval_seed = k.eval_seed,
			                                      .step = k.step,
			                                      .n = k.n };
	}
	if (db_done(&rows, rc ? NULL : e) || rc)
		return -1;
	struct job_sampling *all = arena_alloc(a, ((size_t)job->n_samplings + 1) * sizeof *all);
	struct job_known *scores = arena_alloc(a, ((size_t)job->n_known + 1) * sizeof *scores);
	if (samplings)
		memcpy(all, samplings, (size_t)job->n_samplings * sizeof *all);
	if (known)
		memcpy(scores, known, (size_t)job->n_known * sizeof *scores);
	job->samplings = all;
	job->known = scores;
	return 0;
}

static int count_in(const json_t *env, const char *key, int missing)
{
	const json_t *v = json_object_get(env, key);
	return json_is_integer(v) && json_integer_value(v) > 0 && json_integer_value(v) < INT_MAX
	           ? (int)json_integer_value(v)
	           : missing;
}

static struct launcher launcher_of(const struct run_options *o, int ranks)
{
	struct launcher by = o->launcher;
	by.ranks = ranks;
	if (ranks <= 1)
		by.kind = LAUNCHER_NONE;
	else if (by.kind == LAUNCHER_NONE)
		by.kind = LAUNCHER_MPIRUN;
	return by;
}

static bool is_cpu(const char *device)
{
	return strcmp(device, "cpu") == 0;
}

/* Bits depend on processes, micro-batch and device: what goes on from a checkpoint keeps those that it was
 * made with, unless the user said otherwise or they are not to be had here. env: of the attempt that made it. The
 * worker says what is different nevertheless (worker.c). */
static void keep_place(struct slot *slot, const struct run_options *o, const json_t *env)
{
	const char *device = json_string_value(json_object_get(env, "device"));
	int ranks = count_in(env, "ranks", 1), micro = count_in(env, "microbatch", 0);
	if (!(o->said & RUN_SAID_DEVICE) && device && is_cpu(device))
		slot->device_name = "cpu"; /* as cpus are everywhere */
	if (!(o->said & RUN_SAID_RANKS) && ranks != slot->ranks) {
		bool alone = o->jobs <= 1 && o->devices && o->devices->n >= ranks;
		if (ranks == 1 || (is_cpu(slot->device_name) ? launcher_installed(launcher_of(o, ranks).kind) : alone))
			slot->ranks = ranks;
	}
	/* a larger one than was planned for this device may not fit it */
	if (!(o->said & RUN_SAID_MICROBATCH) && micro && (!slot->microbatch || micro <= slot->microbatch))
		slot->microbatch = micro;
}

static int write_job(const struct slot *slot, struct store *s, const struct run_plan *plan, const struct run_options *o,
                     const struct slot_order *order, const char *resumed_env, int64_t generation, struct err *e)
{
	const struct run_cell *c = slot->cell;
	const struct earlier *from = order->earlier;
	bool kept = from && from->n_ema; /* what goes on keeps the averages that it has */
	struct job job = {
		.attempt = slot->attempt,
		.cell = c->cell,
		.arm = c->arm,
		.config = c->config,
		.dataset = c->dataset,
		.purpose = slot->purpose,
		.label = c->label ? c->label : "",
		.device = slot->device_name,
		.seed = c->seed,
		.numerics = c->numerics,
		.n = slot->n,
		.threads = slot->threads,
		.ranks = slot->ranks,
		.microbatch = slot->microbatch,
		.wall_s = o->cell_wall_s,
		.checkpoint_s = o->checkpoint_s,
		.resumed_from = from ? from->attempt : NULL,
		.generation = generation,
		.resumed_env = resumed_env,
		.until = order->again ? order->again->until : 0,
		.scores = plan->asked,
		.n_scores = plan->n_asked,
		.training = c->training,
		.ema = kept ? from->ema : c->ema,
		.n_ema = kept ? from->n_ema : c->n_ema,
	};
	int rc = c->training && !order->again && add_known(&job, s, order->builds, e) ? -1 : 0;
	if (!rc)
		rc = job_write(&job, slot->dir, e);
	arena_release(&job.arena);
	return rc;
}

/* The checkpoints that it goes on from, and the place that they were made in. *env: of the attempt that made them,
 * heap; NULL where no training goes on. One that is at its end only has to be measured, which any place may do. */
static int inherit(char **env, struct slot *slot, struct store *s, const struct run_options *o,
                   const struct slot_order *order, struct err *e)
{
	const struct earlier *from = order->earlier;
	if (!from)
		return 0;
	if (earlier_share(from, s->db, s->runs, slot->dir, e))
		return -1;
	if (order->again || !slot->trains)
		return 0;
	if (query_env(env, s->db, from->attempt, e))
		return -1;
	json_t *facts = *env ? json_loads(*env, 0, NULL) : NULL;
	if (facts)
		keep_place(slot, o, facts);
	json_decref(facts);
	return 0;
}

/* A training whose checkpoints were pruned begins again. */
static int tell_pruned(struct store *s, const struct run_cell *c, const struct run_options *o, struct err *e)
{
	SCOPED(free) char *day = NULL;
	if (prune_when_of_cell(&day, s->db, c->cell, e))
		return -1;
	if (!day || !o->say)
		return 0;
	SCOPED(free)
	char *line = xstrfmt("%s seed %lld (%.12s): its checkpoint was pruned on %s: it is trained again",
	                     c->label ? c->label : "cell", (long long)c->seed, c->cell, day);
	o->say(o->say_ctx, line, true);
	return 0;
}

int slot_start(struct slot *slot, struct store *s, const struct run_plan *plan, const struct run_options *o,
               const struct slot_order *order, struct err *e)
{
	const struct run_cell *c = &plan->cells[order->index];
	const struct earlier *from = order->earlier;
	SCOPED(free) char *env = NULL;
	*slot = (struct slot){ .cell = c,
		                   .index = order->index,
		                   .purpose = order->again ? "verify" : "run",
		                   .threads = order->threads,
		                   .ranks = o->ranks > 1 ? o->ranks : 1,
		                   .microbatch = c->microbatch,
		                   .device_name = order->device,
		                   .started_s = monotonic_s() };
	slot->trains = !from || from->step < c->steps;
	(void)host_uuid(slot->attempt);
	slot->dir = store_attempt_dir(s, c->cell, slot->attempt);
	slot->journal = store_journal(s, c->cell, slot->attempt);
	int64_t done;
	if (query_next_n(&slot->n, s->db, c->cell, e) || query_generation_done(&done, s->db, c->cell, e) ||
	    store_make_attempt_dir(s, c->cell, slot->attempt, e))
		return -1;
	if (!from && !order->again && !order->stale && tell_pruned(s, c, o, e))
		return -1;
	int64_t generation = done < 0 || order->again ? 0 : done + (order->stale ? 1 : 0);
	if (inherit(&env, slot, s, o, order, e) || write_job(slot, s, plan, o, order, env, generation, e))
		return -1;
	const struct launcher by = launcher_of(o, slot->ranks);
	return child_start(&slot->child, o->program, slot->dir, slot->threads, &by, e);
}

/* --- end --- */

/* What ended an attempt that says nothing of it itself. */
static int name_cause(char reason[512], const struct child_end *end, const struct last_words *words)
{
	static const char by_kill[] = ", by hand or for want of memory";
	char how[160];
	if (end->signal >= 0)
		return snprintf(reason, 512, "its process was ended by signal %d (%s)%s, peak memory %lld MiB", end->signal,
		                strsignal(end->signal), end->signal == SIGKILL ? by_kill : "", (long long)(end->max_rss >> 20));
	if (!last_words_tell(words))
		return snprintf(reason, 512, "its process exited with code %d and no end in its journal", end->exit_code);
	last_words_end(how, words);
	return snprintf(reason, 512, "%s%s", how, words->signal == SIGKILL ? by_kill : "");
}

static void judge(struct journal_end *last, char reason[512], const struct slot *slot, const struct child_end *end,
                  int64_t torn)
{
	struct last_words words;
	last_words_read(&words, slot->dir, slot->ranks > 1);
	last->signal = end->signal >= 0 ? end->signal : words.signal;
	last->state = last->signal >= 0 ? RECORD_KILLED : RECORD_FAILED;
	int n;
	int code = words.exit_code >= 0 ? words.exit_code : end->exit_code; /* its own, not the launcher's */
	bool left = code == EXIT_BUDGET && slot->asked_s > 0;               /* before it had a journal to record it */
	if (slot->ended_by == SLOT_WALL || slot->ended_by == SLOT_GRID) {
		last->state = RECORD_TIMEOUT;
		n = snprintf(reason, 512,
		             slot->ended_by == SLOT_GRID ? "the grid was over its wall budget" : "over its wall budget");
		if (!left)
			n += snprintf(
				reason + n, 512 - (size_t)n,
				", and ended by us (signal %d) when it did not stop: a step of it may take longer than the budget",
				last->signal >= 0 ? last->signal : SIGKILL);
	} else if (left) {
		last->state = RECORD_STOPPED;
		n = snprintf(reason, 512, "asked to stop before it had begun");
	} else if (slot->ended_by == SLOT_ABORT)
		n = snprintf(reason, 512, "aborted by the second interrupt");
	else
		n = name_cause(reason, end, &words);
	if (*words.line && n > 0 && n < 512)
		n += snprintf(reason + n, 512 - (size_t)n, "; its log ends with: %s", words.line);
	if (torn && n > 0 && n < 512)
		(void)snprintf(reason + n, 512 - (size_t)n, "; its last line was torn (%lld bytes cut off)", (long long)torn);
	last->reason = reason;
}

/* It died before it could write anything: the journal is created for it. */
static int make_journal(struct journal **j, const struct slot *slot, const struct child_end *end, struct err *e)
{
	const struct run_cell *c = slot->cell;
	struct provenance env = { 0 };
	provenance_take(&env, &(struct provenance_place){ .threads = slot->threads,
	                                                  .ranks = slot->ranks,
	                                                  .microbatch = slot->microbatch,
	                                                  .device = slot->device_name,
	                                                  .work_dir = slot->dir });
	struct journal_head head = { .attempt = slot->attempt,
		                         .cell = c->cell,
		                         .arm = c->arm,
		                         .config = c->config,
		                         .dataset = c->dataset,
		                         .seed = c->seed,
		                         .numerics = c->numerics,
		                         .n = slot->n,
		                         .purpose = slot->purpose,
		                         .env_hash = env.hash,
		                         .env_json = env.json,
		                         .pid = end->pid };
	int rc = journal_create(j, slot->journal, &head, e);
	provenance_release(&env);
	return rc;
}

static int write_end(struct slot *slot, const struct child_end *end, bool ended, struct err *e)
{
	struct journal *j;
	int64_t torn = 0;
	char reason[512];
	if (slot->scan.bytes == 0) {
		/* not even its first lines are whole */
		if (io_exists(slot->journal) && unlink(slot->journal))
			return err_set(e, "%s: cannot remove: %s", slot->journal, strerror(errno));
		if (make_journal(&j, slot, end, e))
			return -1;
	} else if (journal_adopt(&j, slot->journal, &torn, e))
		return -1;
	struct journal_end last = JOURNAL_END_INIT;
	judge(&last, reason, slot, end, torn);
	last.exit_code = end->exit_code;
	last.step = end->step > 0 ? end->step : -1;
	last.wall_s = monotonic_s() - slot->started_s;
	last.cpu_s = end->cpu_s;
	last.max_rss = end->max_rss;
	int rc = ended ? journal_seal(j, e) : journal_end(j, &last, e);
	journal_close(j);
	return rc;
}

/* The first lines are one write, but a crash of the machine may leave a part of them. */
static bool has_attempt(struct store *s, const char *attempt)
{
	bool there = false;
	return query_has_attempt(&there, s->db, attempt, NULL) == 0 && there;
}

/* The disk has refused the journal its end: the ledger says it, unless the end is in the file all the same. */
static int end_by_ledger(enum record_state *state, char reason[512], struct slot *slot, struct store *s,
                         const struct err *why, struct err *e)
{
	bool taken;
	if (store_check_runs(s, e))
		return -1;
	if (!has_attempt(s, slot->attempt)) {
		if (e)
			*e = *why;
		return -1;
	}
	if (store_try_journal(s, &taken, &slot->scan, slot->attempt, slot->journal, NULL, e))
		return -1;
	if (taken && slot->scan.ended)
		return query_end(state, reason, s->db, slot->attempt, e);
	*state = RECORD_LOST;
	(void)snprintf(reason, 512, "its journal cannot take its end: %s", why->msg);
	return store_end_without_journal(s, slot->attempt, reason, e);
}

/* Of several processes, the one that writes may outlive by a moment the one that was waited for. */
static void await_writer(const char *journal)
{
	double start = monotonic_s();
	while (journal_is_alive(journal) && monotonic_s() - start < WRITER_WAIT_S)
		(void)nanosleep(&(struct timespec){ 0, 50000000 }, NULL);
}

int slot_finish(enum record_state *state, char reason[512], struct slot *slot, struct store *s,
                const struct child_end *end, struct err *e)
{
	bool taken = true;
	if (io_exists(slot->journal) && store_try_journal(s, &taken, &slot->scan, slot->attempt, slot->journal, NULL, e))
		return -1;
	if (!taken) {
		*state = RECORD_LOST;
		(void)snprintf(reason, 512, "%s", STORE_JOURNAL_DAMAGED);
		return has_attempt(s, slot->attempt) ? store_end_without_journal(s, slot->attempt, reason, e) : 0;
	}
	if (!has_attempt(s, slot->attempt))
		slot->scan = (struct journal_scan){ 0 };
	if (slot->scan.sealed)
		return query_end(state, reason, s->db, slot->attempt, e);
	struct err why = ERR_INIT;
	if (slot->ranks > 1)
		await_writer(slot->journal);
	if (write_end(slot, end, slot->scan.ended, &why))
		return end_by_ledger(state, reason, slot, s, &why, e);
	if (store_take_journal(s, &slot->scan, slot->attempt, slot->journal, NULL, e))
		return -1;
	return query_end(state, reason, s->db, slot->attempt, e);
}

int record_unrun(struct store *s, const struct run_cell *c, enum record_state state, const char *reason, struct err *e)
{
	int64_t n;
	if (query_next_n(&n, s->db, c->cell, e))
		return -1;
	struct slot slot = { .cell = c, .n = n, .purpose = "run", .device_name = "cpu" };
	(void)host_uuid(slot.attempt);
	slot.dir = store_attempt_dir(s, c->cell, slot.attempt);
	slot.journal = store_journal(s, c->cell, slot.attempt);
	struct journal *j = NULL;
	struct journal_end last = JOURNAL_END_INIT;
	last.state = state;
	last.reason = reason;
	struct child_end nobody = { .pid = getpid() };
	int rc = store_make_attempt_dir(s, c->cell, slot.attempt, e) || make_journal(&j, &slot, &nobody, e) ||
	                 journal_end(j, &last, e)
	             ? -1
	             : 0;
	journal_close(j);
	if (!rc)
		rc = store_take_journal(s, &slot.scan, slot.attempt, slot.journal, NULL, e);
	free(slot.dir);
	free(slot.journal);
	return rc;
}

int record_blocked(struct store *s, const struct run_cell *c, struct err *e)
{
	bool same;
	if (query_is_blocked_by(&same, s->db, c->cell, c->blocked, e))
		return -1;
	return same ? 0 : record_unrun(s, c, RECORD_BLOCKED, c->blocked, e);
}

void run_sign(struct run *r, const char *attempt)
{
	struct err e = ERR_INIT;
	bool made, polls = r->wait.polls;
	r->wait.polls = false; /* a lock is waited for: nothing would come back to it */
	if (r->o->key && statement_seal(&made, &r->store, r->o->key, attempt, &e))
		run_amiss(r, "attempt %.8s is not signed: %s", attempt, e.msg);
	r->wait.polls = polls;
}
