/* runner.c - see runner.h: which cell starts when, what a signal, a budget or a failure stops. */
#define _GNU_SOURCE
#include "harness/record/fingerprint.h"
#include "harness/record/ingest.h"
#include "harness/record/query.h"
#include "harness/record/query_stage.h"
#include "harness/run/runner_private.h"

#include "model/base/mem.h"
#include "model/base/progress.h"
#include "model/base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ORPHAN_WAIT_S 30.0
#define TOUCH_S       10.0

/* "no EMA teacher seed 2 (1a2b3c4d5e6f)" */
static const char *name_of(char buf[160], const struct run_cell *c)
{
	(void)snprintf(buf, 160, "%.100s seed %lld (%.12s)", c->label ? c->label : "cell", (long long)c->seed, c->cell);
	return buf;
}

/* --- before the first cell --- */

/* Workers whose supervisor was killed get SIGTERM from the kernel and are writing their checkpoints: wait for them. */
static int wait_for_orphans(struct run *r, struct err *e)
{
	int alive, lost;
	double start = monotonic_s();
	for (bool said = false;; said = true) {
		if (store_reconcile(&r->store, &alive, &lost, e))
			return -1;
		r->out->lost += lost;
		if (!alive || monotonic_s() - start > ORPHAN_WAIT_S || run_stop_asked())
			return 0;
		if (!said)
			run_say(r, "waiting for %d worker%s of an earlier run to write %s checkpoint", alive, str_plural(alive),
			        alive > 1 ? "their" : "its");
		child_wait(NULL, 0, 0.1, &r->signals.mask);
	}
}

static int read_builds(struct run *r, struct err *e)
{
	builds_free(r->builds);
	r->builds = NULL;
	return builds_read(&r->builds, r->store.db, e) || builds_read_cells(r->builds, r->store.db, e) ? -1 : 0;
}

/* A cell that is done: by this build, or by another one, which is told, or which makes it again. */
static void take_done(struct run *r, int i)
{
	const struct run_cell *c = &r->plan->cells[i];
	const char *made_by = builds_stale(r->builds, c->cell);
	if (made_by && r->o->rebuild) {
		r->stale[i] = true;
		r->todo[r->n_todo++] = i;
		r->steps_total += c->steps;
		return;
	}
	r->out->cached++;
	if (!made_by)
		return;
	r->out->stale++;
	SCOPED(free) char *text = builds_text(made_by);
	size_t n = strlen(r->out->made_by);
	if (!strstr(r->out->made_by, text) && n + strlen(text) + 3 < sizeof r->out->made_by)
		(void)snprintf(r->out->made_by + n, sizeof r->out->made_by - n, "%s%s", n ? "; " : "", text);
}

static int classify_cell(struct run *r, int i, struct err *e)
{
	const struct run_cell *c = &r->plan->cells[i];
	bool done;
	enum record_state state;
	if (cell_is_done(&done, &r->store, r->plan, c, e))
		return -1;
	if (done) {
		take_done(r, i);
		return 0;
	}
	if (c->blocked) {
		char name[160];
		r->out->blocked++;
		run_amiss(r, "%s: blocked: %s", name_of(name, c), c->blocked);
		return cell_has_identity(c) ? record_blocked(&r->store, c, e) : 0;
	}
	if (query_cell_state(&state, r->store.db, c->cell, e))
		return -1;
	bool elsewhere = state == RECORD_RUNNING;
	if (!elsewhere && c->training && query_training_runs(&elsewhere, r->store.db, c->training, c->cell, e))
		return -1;
	if (state == RECORD_DIVERGED && !r->o->again)
		r->out->diverged++;
	else if (elsewhere)
		r->out->elsewhere++;
	else {
		r->todo[r->n_todo++] = i;
		r->steps_total += c->steps;
	}
	return 0;
}

/* --- while cells run --- */

static void free_slot(struct slot *slot)
{
	free(slot->dir);
	free(slot->journal);
	str_release(&slot->child.pending);
	*slot = (struct slot){ .child = { .pipe_fd = -1 } };
}

static void give_up(struct run *r)
{
	if (r->o->stop_after && r->out->failed + r->out->diverged >= r->o->stop_after && !r->no_more) {
		run_amiss(r, "stopping after %d failed cell%s (on_failure)", r->o->stop_after, str_plural(r->o->stop_after));
		r->no_more = true;
	}
}

/* A training that diverged for another cell would diverge alike for this one: *skipped, with an end in the record. With
 * --again those of earlier runs do not count. */
static int skip_diverged(bool *skipped, struct run *r, const struct run_cell *c, struct err *e)
{
	char name[160], reason[512];
	if (training_diverged(reason, &r->store, c, r->o->again ? r->since : "", e))
		return -1;
	*skipped = *reason;
	if (!*skipped)
		return 0;
	r->out->diverged++;
	r->steps_total -= c->steps;
	run_amiss(r, "%s: diverged: %s", name_of(name, c), reason);
	give_up(r);
	struct err mine = ERR_INIT;
	if (!record_unrun(&r->store, c, RECORD_DIVERGED, reason, &mine) || lock_wait_refused(&r->wait, &r->store))
		return 0; /* a journal that a lock kept out is taken at the end (take_strays) */
	if (e)
		*e = mine;
	return -1;
}

static int start_next(struct run *r, struct slot *slot, struct err *e)
{
	int index = r->todo[r->next++];
	const struct run_cell *c = &r->plan->cells[index];
	SCOPED(builds) struct builds *builds = NULL;
	if (r->o->rebuild && builds_read(&builds, r->store.db, e))
		return -1;
	const struct earlier_want want = {
		.cell = c->cell, .training = c->training, .config = c->config, .builds = builds
	};
	SCOPED(earlier) struct earlier from = { .step = -1 };
	bool skipped = false;
	char name[160];
	if (earlier_find(&from, r->store.db, r->store.runs, &want, e))
		return err_in(e, "%s", name_of(name, c));
	if (from.step < c->steps && skip_diverged(&skipped, r, c, e))
		return err_in(e, "%s", name_of(name, c));
	if (skipped)
		return 0;
	int device = engine_device_take(&r->devices);
	const char *on = r->devices.v[device].name;
	const struct earlier *earlier = *from.attempt ? &from : NULL;
	const struct slot_order order = {
		.index = index,
		.device = on,
		.threads = r->threads,
		.earlier = earlier,
		.builds = builds,
		.stale = r->stale[index],
	};
	if (slot_start(slot, &r->store, r->plan, r->o, &order, e)) {
		free_slot(slot);
		if (!lock_wait_refused(&r->wait, &r->store))
			return err_in(e, "%s", name_of(name, c));
		engine_device_give_back(&r->devices, device);
		r->next--;
		return 0;
	}
	slot->device = device;
	r->out->attempts++;
	r->tries[index]++;
	SCOPED(free) char *whose = training_text(slot, earlier);
	run_say(r, "%s: started%s%s, attempt %.8s%s", name_of(name, c), r->devices.n > 1 ? " on " : "",
	        r->devices.n > 1 ? on : "", slot->attempt, whose);
	return 0;
}

/* A device that cannot be opened is no fault of the cell: it starts again on another one, which is no retry. */
static bool move_on(struct run *r, const struct slot *slot, int exit_code, const char *reason)
{
	char name[160];
	if (exit_code != EXIT_DEVICE || r->no_more || !engine_device_leave_out(&r->devices, slot->device))
		return false;
	run_amiss(r, "%s: starts again on another device; %s is left out from here on: %s", name_of(name, slot->cell),
	          r->devices.v[slot->device].name, reason);
	r->tries[slot->index]--;
	r->todo[r->n_todo++] = slot->index;
	return true;
}

/* Counts the end of an attempt, or queues the cell again. */
static void settle(struct run *r, struct slot *slot, enum record_state state, const char *reason)
{
	const struct run_cell *c = slot->cell;
	char name[160], took[32];
	(void)duration_text(took, monotonic_s() - slot->started_s);
	bool may_retry = state == RECORD_FAILED || (state == RECORD_KILLED && slot->ended_by != SLOT_ABORT);
	if (state == RECORD_DONE) {
		r->out->done++;
		r->steps_done += c->steps;
		run_say(r, "%s: done in %s", name_of(name, c), took);
		return;
	}
	if (may_retry && r->tries[slot->index] <= r->o->retries && !r->no_more) {
		run_amiss(r, "%s: %s: %s; trying again (%d of %d)", name_of(name, c), record_state_name(state), reason,
		          r->tries[slot->index], r->o->retries);
		r->todo[r->n_todo++] = slot->index;
		return;
	}
	run_amiss(r, "%s: %s: %s", name_of(name, c), record_state_name(state), reason);
	if (state == RECORD_STOPPED || slot->ended_by == SLOT_ABORT)
		r->out->stopped++;
	else if (state == RECORD_TIMEOUT) {
		r->out->timeout++;
		r->out->over_budget = true;
	} else if (state == RECORD_DIVERGED)
		r->out->diverged++;
	else if (state == RECORD_BLOCKED)
		r->out->blocked++;
	else
		r->out->failed++;
	r->steps_total -= c->steps;
	int waiting = training_waits(r->todo + r->next, r->n_todo - r->next, r->plan, c);
	if (waiting && state != RECORD_DIVERGED && slot->trains && !r->no_more)
		run_amiss(r, "%s: its training is also that of %d cell%s that waited: the next of them tries it",
		          name_of(name, c), waiting, str_plural(waiting));
	give_up(r);
}

/* What a worker noted for a person: that a checkpoint was refused, that a score needs care. What many cells report is
 * shown once. */
static void hear_note(void *ctx, const char *attempt, const char *note)
{
	struct run *r = ctx;
	char name[160];
	for (int i = 0; i < r->n_heard; i++)
		if (strcmp(r->heard[i], note) == 0)
			return;
	VEC_PUSH(r->heard, r->n_heard, r->cap_heard) = xstrdup(note);
	for (int i = 0; i < r->n_slots + r->wait.n; i++) {
		const struct slot *slot = i < r->n_slots ? &r->slots[i] : &r->wait.ended[i - r->n_slots].slot;
		if (slot->cell && strcmp(slot->attempt, attempt) == 0)
			run_amiss(r, "%s: %s", name_of(name, slot->cell), note);
	}
}

/* What ended is taken in the order in which it did; what a lock keeps out stays for a later turn. */
static int finish_ended(struct run *r, struct err *e)
{
	struct err mine = ERR_INIT;
	int done = 0, rc = 0;
	for (; done < r->wait.n && lock_wait_over(&r->wait); done++) {
		struct ended *one = &r->wait.ended[done];
		enum record_state state = RECORD_UNKNOWN;
		char reason[512] = "";
		if (slot_finish(&state, reason, &one->slot, &r->store, &one->end, &mine)) {
			rc = lock_wait_refused(&r->wait, &r->store) ? 0 : -1;
			break;
		}
		lock_wait_answered(&r->wait);
		run_sign(r, one->slot.attempt);
		if (!move_on(r, &one->slot, one->end.exit_code, reason))
			settle(r, &one->slot, state, reason);
		free_slot(&one->slot);
	}
	if (done)
		memmove(r->wait.ended, r->wait.ended + done, (size_t)(r->wait.n - done) * sizeof *r->wait.ended);
	r->wait.n -= done;
	if (rc && e)
		*e = mine;
	return rc;
}

static int poll_slot(struct run *r, struct slot *slot, struct err *e)
{
	struct child_end end;
	struct err mine = ERR_INIT;
	if (child_reap(&slot->child, &end)) {
		engine_device_give_back(&r->devices, slot->device);
		lock_wait_keep(&r->wait, slot, &end);
		return 0;
	}
	if (access(slot->journal, F_OK) || !lock_wait_over(&r->wait))
		return 0;
	bool taken;
	if (!store_try_journal(&r->store, &taken, &slot->scan, slot->attempt, slot->journal, NULL, &mine)) {
		lock_wait_answered(&r->wait);
		if (!taken)
			child_kill(&slot->child); /* what it writes after the damage is lost */
		return 0;
	}
	if (lock_wait_refused(&r->wait, &r->store))
		return 0;
	if (e)
		*e = mine;
	return -1;
}

static void show_progress(const struct run *r)
{
	struct progress *p = r->o->progress;
	int64_t done = r->steps_done;
	const struct slot *last = NULL;
	if (!p)
		return;
	for (int i = 0; i < r->n_slots; i++)
		if (r->slots[i].cell) {
			done += r->slots[i].child.step;
			last = &r->slots[i];
		}
	for (int i = 0; i < r->wait.n; i++)
		done += r->wait.ended[i].slot.child.step;
	if (last)
		(void)snprintf(p->note, sizeof p->note, "%.30s seed %lld %s", last->cell->label ? last->cell->label : "",
		               (long long)last->cell->seed, last->child.note);
	p->total = r->steps_total;
	progress_step(p, done);
}

static int busy(const struct run *r)
{
	int n = 0;
	for (int i = 0; i < r->n_slots; i++)
		n += r->slots[i].cell != NULL;
	return n;
}

static int start_what_fits(struct run *r, struct err *e)
{
	for (int i = 0; i < r->n_slots && r->next < r->n_todo && !r->no_more && !run_stop_asked();
	     i += r->slots[i].cell != NULL) {
		if (r->slots[i].cell)
			continue;
		if (!training_turn(r->todo + r->next, r->n_todo - r->next, r))
			return 0;
		if (r->o->cells_max && r->out->attempts >= r->o->cells_max) {
			r->out->over_budget = r->no_more = true;
			run_amiss(r, "the grid's budget of %d cell%s is used up", r->o->cells_max, str_plural(r->o->cells_max));
			return 0;
		}
		int before = r->next;
		if (start_next(r, &r->slots[i], e))
			return -1;
		if (r->next == before) /* another program's lock: later */
			return 0;
	}
	return 0;
}

static int run_cells(struct run *r, struct err *e)
{
	double looked_s = 0;
	for (;;) {
		run_heed_signals(r);
		run_heed_budgets(r);
		if (start_what_fits(r, e))
			return -1;
		/* a start that a lock has refused comes again */
		bool to_start = r->next < r->n_todo && !r->no_more && !run_stop_asked();
		if (!busy(r) && !to_start && (!r->wait.n || !lock_wait_goes_on(&r->wait)))
			return 0;
		child_wait(r->children, r->n_slots, TICK_S, &r->signals.mask);
		/* journals are ingested a few times a second, the end of a process at once */
		bool all = monotonic_s() - looked_s >= TICK_S;
		for (int i = 0; i < r->n_slots; i++) {
			struct slot *slot = &r->slots[i];
			if (!slot->cell)
				continue;
			child_listen(&slot->child);
			if ((all || slot->child.pipe_fd < 0) && poll_slot(r, slot, e))
				return -1;
		}
		if (finish_ended(r, e))
			return -1;
		if (all)
			looked_s = monotonic_s();
		if (monotonic_s() - r->touched_s > TOUCH_S) {
			store_touch_lock(&r->store);
			r->touched_s = monotonic_s();
		}
		show_progress(r);
	}
}

/* Damaged records that were left out, once each. */
static void tell_left_out(struct run *r)
{
	for (; r->out->left_out < r->store.n_left; r->out->left_out++)
		run_amiss(r, "%s", r->store.left[r->out->left_out]);
}

static int prepare(struct run *r, struct err *e)
{
	if (record_plan(&r->store, r->plan, e) || wait_for_orphans(r, e) || read_builds(r, e))
		return -1;
	for (int i = 0; i < r->plan->n_cells; i++)
		if (classify_cell(r, i, e))
			return -1;
	tell_left_out(r);
	return 0;
}

/* The worker of a runner that was killed before it knew of a journal may create it after we looked: this takes what
 * such workers have written since. */
static int take_strays(struct run *r, struct err *e)
{
	int found = 0;
	/* then, lines of the ledger about attempts that are there now */
	if (store_take_unknown(&r->store, &found, e) || (found && wait_for_orphans(r, e)) ||
	    store_take_ledger(&r->store, e))
		return -1;
	if (r->store.waiting)
		run_say(r, "%s%s", r->store.waits, r->store.waiting > 1 ? ", and more lines like it" : "");
	tell_left_out(r);
	return 0;
}

/* A stop was asked for while another program's lock was waited for: that is no failure of the records. */
static int stopped_waiting(struct run *r, const struct err *why, struct err *e)
{
	if (run_stop_asked() && db_is_locked(r->store.db)) {
		r->out->signal = run_stop_asked();
		return 0;
	}
	if (e)
		*e = *why;
	return -1;
}

/* From the plan's rows in the record to the last cell's end in it. */
static int run_plan(struct run *r, struct err *e)
{
	struct err why = ERR_INIT;
	if (prepare(r, &why))
		return stopped_waiting(r, &why, e);
	if (r->n_todo && r->o->progress)
		r->o->progress->total = r->steps_total;
	r->wait.polls = true;
	int rc = run_cells(r, e);
	r->wait.polls = false;
	if (rc) {
		run_stop_without_records(r);
		return -1;
	}
	return r->wait.n || !take_strays(r, &why) ? 0 : stopped_waiting(r, &why, e);
}

static struct engine_devices devices_of(const struct run_options *o)
{
	return o->devices ? *o->devices : (struct engine_devices){ .n = 1, .v = { { .name = "cpu" } } };
}

int runner_run(struct run_result *out, const struct run_plan *plan, const struct run_options *o, struct err *e)
{
	struct run r = { .store = STORE_INIT,
		             .plan = plan,
		             .o = o,
		             .out = out,
		             .n_slots = o->jobs > 0 ? o->jobs : 1,
		             .started_s = monotonic_s(),
		             .no_more = o->record_only };
	const struct listener listener = { hear_note, &r };
	r.devices = devices_of(o);
	(void)host_now(r.since);
	*out = (struct run_result){ .cells = plan->n_cells };
	lock_wait_begin(&r.wait, o, NULL);
	if (store_open(&r.store, o->db, STORE_RUN, o->what ? o->what : "ablate run", e)) {
		lock_wait_end(&r.wait);
		return -1;
	}
	r.store.listener = &listener;
	if (*db_note(r.store.db))
		run_amiss(&r, "%s", db_note(r.store.db));
	int share = host_cpus() / r.n_slots / (o->ranks > 1 ? o->ranks : 1);
	r.threads = o->threads > 0 ? o->threads : share > 1 ? share : 1;
	r.cancel_path = xstrfmt("%s/cancel", r.store.runs);
	r.slots = xcalloc((size_t)r.n_slots, sizeof *r.slots);
	r.children = xcalloc((size_t)r.n_slots, sizeof *r.children);
	for (int i = 0; i < r.n_slots; i++) {
		r.slots[i].child.pipe_fd = -1;
		r.children[i] = &r.slots[i].child;
	}
	/* a cell may be queued once and then once per retry, and one for each device that is left out */
	r.todo = xcalloc((size_t)plan->n_cells * (size_t)(o->retries + 1) + (size_t)r.devices.n, sizeof *r.todo);
	r.tries = xcalloc((size_t)plan->n_cells + 1, sizeof *r.tries);
	r.stale = xcalloc((size_t)plan->n_cells + 1, sizeof *r.stale);
	(void)unlink(r.cancel_path); /* of a run that is over */
	run_signals_catch(&r.signals);
	r.wait.mask = &r.signals.mask;
	int rc = run_plan(&r, e);
	out->pending = out->cells - out->cached - out->done - out->failed - out->diverged - out->blocked - out->stopped -
	               out->timeout - out->elsewhere;
	out->pending = out->pending > 0 ? out->pending : 0;
	out->wall_s = monotonic_s() - r.started_s;
	run_signals_release(&r.signals);
	for (int i = 0; i < r.n_slots; i++)
		free_slot(&r.slots[i]);
	free(r.slots);
	free(r.children);
	free(r.todo);
	free(r.tries);
	free(r.stale);
	builds_free(r.builds);
	free(r.cancel_path);
	for (int i = 0; i < r.n_heard; i++)
		free(r.heard[i]);
	free(r.heard);
	lock_wait_end(&r.wait);
	store_close(&r.store);
	return rc;
}

int runner_repeat(char attempt[64], const struct repetition *part, const struct run_plan *plan,
                  const struct run_options *o, struct err *e)
{
	struct run_signals signals;
	SCOPED(store) struct store s = STORE_INIT;
	struct slot slot = { .child = { .pipe_fd = -1 } };
	struct child *children[] = { &slot.child };
	struct child_end end;
	struct lock_wait wait = { 0 };
	struct earlier from = { .step = 0 };
	enum record_state state = RECORD_UNKNOWN, wanted = part->until > 0 ? RECORD_STOPPED : RECORD_DONE;
	char reason[512] = "";
	if (store_open(&s, o->db, STORE_RUN, o->what, e))
		return -1;
	run_signals_catch(&signals);
	lock_wait_begin(&wait, o, &signals.mask);
	struct engine_devices devices = devices_of(o);
	const struct slot_order order = { .device = devices.v[0].name,
		                              .threads = o->threads > 0 ? o->threads : host_cpus(),
		                              .earlier = part->from ? &from : NULL,
		                              .again = part };
	(void)snprintf(from.attempt, sizeof from.attempt, "%s", part->from ? part->from : "");
	(void)snprintf(from.cell, sizeof from.cell, "%s", plan->cells[0].cell);
	int rc = slot_start(&slot, &s, plan, o, &order, e);
	(void)snprintf(attempt, 64, "%s", slot.attempt);
	while (!rc && !child_reap(&slot.child, &end)) {
		child_wait(children, 1, TICK_S, &signals.mask);
		child_listen(&slot.child);
		if (run_stop_asked() && slot.asked_s <= 0) {
			if (o->say)
				(o->say)(o->say_ctx, RUN_STOPPING, false);
			slot_ask_to_stop(&slot, SLOT_NONE);
		}
		slot_pass_on(&slot);
		if (run_abort_asked() && slot.ended_by != SLOT_ABORT) {
			slot.ended_by = SLOT_ABORT;
			child_kill(&slot.child);
		}
		if (o->progress) {
			o->progress->total = plan->cells[0].steps;
			progress_step(o->progress, slot.child.step);
		}
	}
	if (!rc)
		rc = slot_finish(&state, reason, &slot, &s, &end, e);
	lock_wait_end(&wait);
	int interrupted = run_stop_asked();
	run_signals_release(&signals);
	free_slot(&slot);
	if (!rc && interrupted)
		rc = err_code(e, interrupted == SIGINT ? EXIT_INTERRUPTED : EXIT_TERMINATED,
		              "interrupted; nothing was compared");
	else if (!rc && state != wanted)
		rc = err_set(e, "the repetition ended as %s: %s", record_state_name(state), reason);
	return rc;
}
