/* runner_wait.c - see runner_wait.h. */
#define _GNU_SOURCE
#include "harness/run/runner_wait.h"

#include "harness/record/db.h"
#include "harness/run/runner_signals.h"
#include "model/base/mem.h"
#include "model/base/progress.h"
#include "model/base/str.h"

#include <stdlib.h>
#include <unistd.h>

#define TELL_S  2.0 /* a lock that is gone sooner is not worth a line */
#define POLL_S  0.1 /* in the loop a statement waits so long, */
#define PAUSE_S 1.0 /* and is tried again after so long */

static void tell(const struct lock_wait *w, const char *after, bool amiss)
{
	char holder[DB_HOLDER];
	if (!w->o->say)
		return;
	db_lock_holder(holder, w->o->db);
	SCOPED(free) char *line = xstrfmt("%s: locked by %s: %s", w->o->db, holder, after);
	w->o->say(w->o->say_ctx, line, amiss);
}

static bool wait_a_little(void *ctx, const char *path, double waited_s)
{
	struct lock_wait *w = ctx;
	(void)path;
	if (w->polls) {
		(void)usleep(5000);
		return waited_s < POLL_S;
	}
	if (run_stop_asked())
		return false;
	if (waited_s > TELL_S && !w->said) {
		w->said = true;
		tell(w, "waiting until it is free; Ctrl-C stops", true);
	}
	child_wait(NULL, 0, POLL_S, w->mask);
	return true;
}

void lock_wait_begin(struct lock_wait *w, const struct run_options *o, const sigset_t *mask)
{
	w->o = o;
	w->mask = mask;
	db_set_wait(wait_a_little, w);
}

void lock_wait_end(struct lock_wait *w)
{
	db_set_wait(NULL, NULL);
	for (int i = 0; i < w->n; i++) {
		free(w->ended[i].slot.dir);
		free(w->ended[i].slot.journal);
		str_release(&w->ended[i].slot.child.pending);
	}
	free(w->ended);
	*w = (struct lock_wait){ 0 };
}

bool lock_wait_refused(struct lock_wait *w, const struct store *s)
{
	if (!db_is_locked(s->db))
		return false;
	w->refused_s = monotonic_s();
	if (!w->said) {
		w->said = true;
		tell(w, "workers go on, and their journals are taken when it is free", true);
	}
	return true;
}

bool lock_wait_over(const struct lock_wait *w)
{
	return w->refused_s <= 0 || monotonic_s() - w->refused_s >= PAUSE_S;
}

void lock_wait_answered(struct lock_wait *w)
{
	if (w->refused_s <= 0)
		return;
	w->refused_s = 0;
	w->said = w->said_all_ended = false;
	if (w->o->say) {
		SCOPED(free) char *line = xstrfmt("%s: free again", w->o->db);
		w->o->say(w->o->say_ctx, line, false);
	}
}

bool lock_wait_goes_on(struct lock_wait *w)
{
	SCOPED(free) char *line = NULL;
	if (run_stop_asked()) {
		line = xstrfmt("%d ended attempt%s in %s alone; `ablate run` takes %s in", w->n, w->n == 1 ? " is" : "s are",
		               w->n == 1 ? "its journal" : "their journals", w->n == 1 ? "it" : "them");
		tell(w, line, true);
		return false;
	}
	if (!w->said_all_ended) {
		w->said_all_ended = true;
		tell(w, "all workers have ended; waiting to take their journals. Ctrl-C leaves that to the next `ablate run`",
		     true);
	}
	return true;
}

void lock_wait_keep(struct lock_wait *w, struct slot *slot, const struct child_end *end)
{
	VEC_PUSH(w->ended, w->n, w->cap) = (struct ended){ *slot, *end };
	*slot = (struct slot){ .child = { .pipe_fd = -1 } };
}
