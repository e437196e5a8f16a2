/* runner_stop.c - what ends a run or an attempt before its time: signals, `ablate cancel`, budgets, records that cannot
 * be written. */
#define _GNU_SOURCE
#include "harness/run/runner_private.h"

#include "model/base/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define GRACE_S 60.0 /* from the request to stop to SIGKILL, when a budget ends an attempt */

void run_tell(const struct run *r, bool amiss, const char *fmt, ...)
{
	if (!r->o->say)
		return;
	char line[1200];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	r->o->say(r->o->say_ctx, line, amiss);
}

/* Tells the worker. mpirun and srun pass signals on once their processes run, and die of one that comes earlier: their
 * journal shows that they do. */
void slot_pass_on(struct slot *slot)
{
	if (slot->asked_s <= 0 || slot->told || (slot->child.by != LAUNCHER_NONE && access(slot->journal, F_OK)))
		return;
	slot->told = true;
	child_stop(&slot->child, slot->ended_by == SLOT_NONE ? CHILD_ASKED : CHILD_TIME_IS_UP);
}

void slot_ask_to_stop(struct slot *slot, enum slot_end why)
{
	if (slot->asked_s > 0)
		return;
	slot->asked_s = monotonic_s();
	slot->ended_by = why;
	slot_pass_on(slot);
}

static void ask_all(struct run *r, enum slot_end why)
{
	r->no_more = true;
	for (int i = 0; i < r->n_slots; i++)
		if (r->slots[i].cell)
			slot_ask_to_stop(&r->slots[i], why);
}

static void abort_all(struct run *r)
{
	for (int i = 0; i < r->n_slots; i++)
		if (r->slots[i].cell) {
			r->slots[i].ended_by = SLOT_ABORT;
			child_kill(&r->slots[i].child);
		}
}

void run_heed_signals(struct run *r)
{
	if (access(r->cancel_path, F_OK) == 0 && !r->asked) {
		(void)unlink(r->cancel_path);
		run_stop_ask();
		run_say(r, "cancelled: %s", "asked by `ablate cancel`");
	}
	if (run_stop_asked() && !r->asked) {
		r->asked = true;
		r->out->signal = run_stop_asked();
		run_say(r, "%s", RUN_STOPPING);
		ask_all(r, SLOT_NONE);
	}
	if (run_abort_asked() && !r->aborted) {
		r->aborted = true;
		run_say(r, "aborting");
		abort_all(r);
	}
}

void run_heed_budgets(struct run *r)
{
	double now = monotonic_s();
	if (r->o->grid_wall_s > 0 && now - r->started_s > r->o->grid_wall_s && !r->no_more) {
		run_amiss(r, "the grid's wall budget is used up: workers write their checkpoints");
		r->out->over_budget = true;
		ask_all(r, SLOT_GRID);
	}
	for (int i = 0; i < r->n_slots; i++) {
		struct slot *slot = &r->slots[i];
		if (!slot->cell)
			continue;
		slot_pass_on(slot);
		/* the worker watches its own budget; this is for one that does not reach its next step */
		if (r->o->cell_wall_s > 0 && now - slot->started_s > r->o->cell_wall_s + 1)
			slot_ask_to_stop(slot, SLOT_WALL);
		if (slot->asked_s > 0 && slot->ended_by != SLOT_NONE && now - slot->asked_s > GRACE_S)
			child_kill(&slot->child);
	}
}

/* The records cannot be written: what runs is asked to stop, so that nothing is computed in vain; the journals keep its
 * results. */
void run_stop_without_records(struct run *r)
{
	struct child_end end;
	ask_all(r, SLOT_NONE);
	for (int i = 0; i < r->n_slots; i++)
		for (double start = monotonic_s(); r->slots[i].child.pid;) {
			child_listen(&r->slots[i].child);
			if (child_reap(&r->slots[i].child, &end))
				break;
			child_wait(r->children, r->n_slots, TICK_S, &r->signals.mask);
			slot_pass_on(&r->slots[i]);
			if (run_abort_asked() || monotonic_s() - start > GRACE_S)
				child_kill(&r->slots[i].child);
		}
}
