/* runner_attempt.c - one attempt of runner.h: its folder and job, the checkpoints it inherits, its end from
 * evidence. */
#define _GNU_SOURCE
#include "harness/run/runner_private.h"

#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/base/progress.h"
#include "harness/record/provenance.h"
#include "harness/record/query.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int cell_is_done(bool *out, struct store *s, const struct run_plan *plan, const struct run_cell *c, struct err *e)
{
	return query_finished(out, s->db, c->cell, plan->scores, plan->n_scores, e);
}

/* --- checkpoints of earlier attempts --- */

static int64_t step_of(const char *name)
{
	int64_t step;
	int n = 0;
	return sscanf(name, "step-%ld.ckpt%n", &step, &n) == 1 && n && !name[n] ? step : -1;
}

/* Calls fn for each recorded checkpoint file in the attempt's folder. */
typedef int ckpt_fn(void *ctx, const char *dir, const char *name, int64_t step, struct err *e);
static int each_checkpoint(struct store *s, const char *cell, const char *attempt, ckpt_fn *fn, void *ctx,
                           struct err *e)
{
	SCOPED(free) char *dir = store_attempt_dir(s, cell, attempt);
	DIR *d = opendir(dir);
	int rc = 0;
	for (struct dirent *entry; d && !rc && (entry = readdir(d));) {
		int64_t step = step_of(entry->d_name);
		bool recorded = false;
		if (step >= 0 && !(rc = query_has_checkpoint(&recorded, s->db, attempt, step, e)) && recorded)
			rc = fn(ctx, dir, entry->d_name, step, e);
	}
	if (d)
		(void)closedir(d);
	return rc;
}

static int take_newest(void *ctx, const char *dir, const char *name, int64_t step, struct err *e)
{
	(void)dir, (void)name, (void)e;
	int64_t *best = ctx;
	*best = step > *best ? step : *best;
	return 0;
}

static int copy_file(const char *from, const char *to, struct err *e)
{
	SCOPED(str) struct str bytes = { 0 };
	return io_read(&bytes, from, (size_t)1 << 40, e) ? -1 : io_write_atomic(to, bytes.data, bytes.len, e);
}

static int share(void *ctx, const char *dir, const char *name, int64_t step, struct err *e)
{
	const char *to = ctx;
	(void)step;
	SCOPED(free) char *a = xstrfmt("%s/%s", dir, name);
	SCOPED(free) char *b = xstrfmt("%s/%s", to, name);
	return link(a, b) && errno != EEXIST ? copy_file(a, b, e) : 0;
}

/* The earlier attempt whose newest checkpoint is furthest; "" when there is none. */
static int find_earlier(char best[HOST_UUID], struct store *s, const char *cell, struct err *e)
{
	struct db_rows rows;
	int64_t furthest = -1;
	int rc = 0;
	*best = '\0';
	const char *id;
	if (query_over(&rows, s->db, cell, e))
		return -1;
	while (!rc && query_text_next(&id, &rows)) {
		int64_t step = -1;
		rc = each_checkpoint(s, cell, id, take_newest, &step, e);
		if (step >= 0 && step >= furthest && strlen(id) < HOST_UUID) {
			furthest = step;
			memcpy(best, id, strlen(id) + 1);
		}
	}
	return db_done(&rows, rc ? NULL : e) || rc ? -1 : 0;
}

/* --- start --- */

static int write_job(const struct slot *slot, const struct run_plan *plan, const struct run_options *o,
                     const struct slot_order *order, const char *resumed_from, struct err *e)
{
	const struct run_cell *c = slot->cell;
	const struct job job = {
		.attempt = slot->attempt,
		.cell = c->cell,
		.arm = c->arm,
		.config = c->config,
		.dataset = c->dataset,
		.purpose = slot->purpose,
		.label = c->label ? c->label : "",
		.device = order->device,
		.seed = c->seed,
		.numerics = c->numerics,
		.n = slot->n,
		.threads = order->threads,
		.ranks = o->ranks,
		.microbatch = c->microbatch,
		.wall_s = o->cell_wall_s,
		.checkpoint_s = o->checkpoint_s,
		.resumed_from = *resumed_from ? resumed_from : NULL,
		.scores = plan->asked,
		.n_scores = plan->n_asked,
	};
	return job_write(&job, slot->dir, e);
}

/* "in micro-batches of 8" */
static char *microbatch_text(int microbatch)
{
	return microbatch > 0 ? xstrfmt("in micro-batches of %d", microbatch) : xstrdup("in whole batches");
}

/* Continuing in another micro-batch is possible, and gives other last bits than either alone. */
static int tell_other_microbatch(struct store *s, const struct run_cell *c, const char *earlier,
                                 const struct run_options *o, struct err *e)
{
	struct db_rows rows;
	struct repeat_row r = { .microbatch = c->microbatch };
	if (query_repeat(&rows, s->db, c->cell, earlier, e))
		return -1;
	(void)query_repeat_next(&r, &rows);
	if (r.microbatch != c->microbatch && o->say) {
		SCOPED(free) char *before = microbatch_text(r.microbatch), *now = microbatch_text(c->microbatch);
		SCOPED(free)
		char *line = xstrfmt("%s: what was trained %s goes on %s: the same up to rounding, not to the bit", c->label,
		                     before, now);
		o->say(o->say_ctx, line, true);
	}
	return db_done(&rows, e);
}

int slot_start(struct slot *slot, struct store *s, const struct run_plan *plan, const struct run_options *o,
               const struct slot_order *order, struct err *e)
{
	const struct run_cell *c = &plan->cells[order->index];
	bool repeat = strcmp(order->purpose, "run") != 0;
	char earlier[HOST_UUID] = "";
	*slot = (struct slot){ .cell = c, .index = order->index, .purpose = order->purpose, .started_s = monotonic_s() };
	(void)host_uuid(slot->attempt);
	slot->dir = store_attempt_dir(s, c->cell, slot->attempt);
	slot->journal = store_journal(s, c->cell, slot->attempt);
	if (query_next_n(&slot->n, s->db, c->cell, e) || (!repeat && find_earlier(earlier, s, c->cell, e)) ||
	    io_mkdirs(slot->dir, e))
		return -1;
	if (*earlier &&
	    (each_checkpoint(s, c->cell, earlier, share, slot->dir, e) || tell_other_microbatch(s, c, earlier, o, e)))
		return -1;
	return write_job(slot, plan, o, order, earlier, e) ||
	               child_start(&slot->child, o->program, slot->dir, order->threads, o->ranks, e)
	           ? -1
	           : 0;
}

/* --- end --- */

/* The last line of DIR/log, or "". */
static void last_words(char out[200], const char *dir)
{
	SCOPED(free) char *path = xstrfmt("%s/log", dir);
	SCOPED(file) FILE *f = fopen(path, "re");
	char line[400];
	*out = '\0';
	while (f && fgets(line, sizeof line, f)) {
		line[strcspn(line, "\n")] = '\0';
		if (*line)
			(void)snprintf(out, 200, "%s", line);
	}
	for (char *p = out; *p; p++) /* a cut multi-byte character, or worse, must not reach the journal */
		if ((unsigned char)*p < 32 || (unsigned char)*p > 126)
			*p = '?';
}

static void judge(struct journal_end *last, char reason[512], const struct slot *slot, const struct child_end *end,
                  int64_t torn)
{
	char words[200];
	last_words(words, slot->dir);
	last->state = end->signal >= 0 ? RECORD_KILLED : RECORD_FAILED;
	int n;
	bool left = end->exit_code == EXIT_BUDGET && slot->asked_s > 0; /* before it had a journal to record it */
	if (slot->ended_by == SLOT_WALL || slot->ended_by == SLOT_GRID) {
		last->state = RECORD_TIMEOUT;
		n = snprintf(reason, 512,
		             slot->ended_by == SLOT_GRID ? "the grid was over its wall budget" : "over its wall budget");
		if (!left)
			n += snprintf(
				reason + n, 512 - (size_t)n,
				", and ended by us (signal %d) when it did not stop: a step of it may take longer than the budget",
				end->signal);
	} else if (left) {
		last->state = RECORD_STOPPED;
		n = snprintf(reason, 512, "asked to stop before it had begun");
	} else if (slot->ended_by == SLOT_ABORT)
		n = snprintf(reason, 512, "aborted by the second interrupt");
	else if (end->signal >= 0)
		n = snprintf(reason, 512, "its process was ended by signal %d (%s)%s, peak memory %lld MiB", end->signal,
		             strsignal(end->signal), end->signal == SIGKILL ? ", by hand or for want of memory" : "",
		             (long long)(end->max_rss >> 20));
	else
		n = snprintf(reason, 512, "its process exited with code %d and no end in its journal", end->exit_code);
	if (*words && n > 0 && n < 512)
		n += snprintf(reason + n, 512 - (size_t)n, "; its log ends with: %s", words);
	if (torn && n > 0 && n < 512)
		(void)snprintf(reason + n, 512 - (size_t)n, "; its last line was torn (%lld bytes cut off)", (long long)torn);
	last->reason = reason;
}

/* It died before it could write anything: the journal is created for it. */
static int make_journal(struct journal **j, const struct slot *slot, const struct child_end *end, struct err *e)
{
	const struct run_cell *c = slot->cell;
	struct journal_head head = { .attempt = slot->attempt,
		                         .cell = c->cell,
		                         .arm = c->arm,
		                         .config = c->config,
		                         .dataset = c->dataset,
		                         .seed = c->seed,
		                         .numerics = c->numerics,
		                         .n = slot->n,
		                         .purpose = slot->purpose,
		                         .pid = end->pid };
	return journal_create(j, slot->journal, &head, e);
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
	last.signal = end->signal;
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

int slot_finish(enum record_state *state, char reason[512], struct slot *slot, struct store *s,
                const struct child_end *end, struct err *e)
{
	if (io_exists(slot->journal) && store_take_journal(s, &slot->scan, slot->attempt, slot->journal, NULL, e))
		return -1;
	if (!has_attempt(s, slot->attempt))
		slot->scan = (struct journal_scan){ 0 };
	if (!slot->scan.sealed && (write_end(slot, end, slot->scan.ended, e) ||
	                           store_take_journal(s, &slot->scan, slot->attempt, slot->journal, NULL, e)))
		return -1;
	return query_end(state, reason, s->db, slot->attempt, e);
}

int record_blocked(struct store *s, const struct run_cell *c, struct err *e)
{
	bool same;
	int64_t n;
	if (query_is_blocked_by(&same, s->db, c->cell, c->blocked, e) || query_next_n(&n, s->db, c->cell, e))
		return -1;
	if (same)
		return 0;
	struct slot slot = { .cell = c, .n = n, .purpose = "run" };
	(void)host_uuid(slot.attempt);
	slot.dir = store_attempt_dir(s, c->cell, slot.attempt);
	slot.journal = store_journal(s, c->cell, slot.attempt);
	struct journal *j = NULL;
	struct journal_end last = JOURNAL_END_INIT;
	last.state = RECORD_BLOCKED;
	last.reason = c->blocked;
	struct child_end nobody = { .pid = getpid() };
	int rc = io_mkdirs(slot.dir, e) || make_journal(&j, &slot, &nobody, e) || journal_end(j, &last, e) ? -1 : 0;
	journal_close(j);
	if (!rc)
		rc = store_take_journal(s, &slot.scan, slot.attempt, slot.journal, NULL, e);
	free(slot.dir);
	free(slot.journal);
	return rc;
}
