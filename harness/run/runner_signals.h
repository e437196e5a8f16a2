/* runner_signals.h - which signals stop a run, and which abort it.
 *
 * The first SIGINT, SIGTERM or SIGHUP asks to stop: workers write their checkpoints. Any number of them is one request:
 * a terminal that is closed hangs up once from the kernel and once from the shell, and `timeout` signals its child and
 * then the group in which the child is. Only a person aborts: by a second SIGINT, a second or more after the first. A
 * SIGHUP that the caller ignores stays ignored (nohup).
 *
 * Workers have process groups of their own (engine_local.h), so all of these reach them through the runner alone. */
#ifndef ABLATE_RUNNER_SIGNALS_H
#define ABLATE_RUNNER_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

#define RUN_ABORT_S 1.0 /* a second SIGINT counts only this long after the first */

/* The previous state. */
struct run_signals {
	struct sigaction before[4];
	sigset_t mask;
};

/* From here to run_signals_release signals arrive only in child_wait, which is given s->mask; no stop is asked for yet.
 * One runner per process. */
void run_signals_catch(struct run_signals *s);
/* Restores the signals. Once one has asked to stop, though, repeats still have no effect (except to end a write that
 * waits): a shell that hangs up once more must not end a program that is about to report what was saved. */
void run_signals_release(const struct run_signals *s);
/* SIGINT, or SIGTERM (a hang-up counts as one): the first that asked to stop. 0: none has. */
int run_stop_asked(void);
/* As if SIGTERM had come. */
void run_stop_ask(void);
/* Has a second SIGINT come? */
bool run_abort_asked(void);

#endif
