/* runner_signals.c - see runner_signals.h. */
#define _GNU_SOURCE
#include "harness/run/runner_signals.h"

#include "model/base/progress.h"

#include <stdatomic.h>
#include <stddef.h>

static const int caught[] = { SIGINT, SIGTERM, SIGHUP, SIGCHLD };
#define N_CAUGHT (sizeof caught / sizeof *caught)
_Static_assert(N_CAUGHT == sizeof((struct run_signals *)0)->before / sizeof(struct sigaction), "one each");

/* Atomic, as a signal may be delivered to a library's thread. */
static atomic_int first;
static _Atomic double interrupted_s; /* the first SIGINT; 0: none yet */
static atomic_bool aborted;

void run_stop_ask(void)
{
	int none = 0;
	(void)atomic_compare_exchange_strong(&first, &none, SIGTERM);
}

static void on_signal(int number)
{
	if (number == SIGCHLD)
		return; /* it has ended the wait */
	int none = 0;
	(void)atomic_compare_exchange_strong(&first, &none, number == SIGINT ? SIGINT : SIGTERM);
	if (number != SIGINT)
		return;
	double now = monotonic_s(), never = 0;
	if (!atomic_compare_exchange_strong(&interrupted_s, &never, now) && now - never >= RUN_ABORT_S)
		atomic_store(&aborted, true);
}

void run_signals_catch(struct run_signals *s)
{
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t block;
	(void)sigemptyset(&action.sa_mask);
	(void)sigemptyset(&block);
	atomic_store(&first, 0);
	atomic_store(&interrupted_s, 0);
	atomic_store(&aborted, false);
	for (size_t i = 0; i < N_CAUGHT; i++) {
		(void)sigaction(caught[i], NULL, &s->before[i]);
		if (caught[i] == SIGHUP && s->before[i].sa_handler == SIG_IGN)
			continue;
		(void)sigaddset(&block, caught[i]);
		(void)sigaction(caught[i], &action, NULL);
	}
	(void)sigprocmask(SIG_BLOCK, &block, &s->mask);
}

void run_signals_release(const struct run_signals *s)
{
	for (size_t i = 0; i < N_CAUGHT; i++)
		if (caught[i] == SIGCHLD || !run_stop_asked())
			(void)sigaction(caught[i], &s->before[i], NULL);
	(void)sigprocmask(SIG_SETMASK, &s->mask, NULL);
}

int run_stop_asked(void)
{
	return atomic_load(&first);
}

bool run_abort_asked(void)
{
	return atomic_load(&aborted);
}
