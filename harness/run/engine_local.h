/* engine_local.h - worker processes on this machine: started, listened to, stopped, reaped. Knows nothing of
 * databases. */
#ifndef ABLATE_ENGINE_LOCAL_H
#define ABLATE_ENGINE_LOCAL_H

#include "harness/run/launcher.h"
#include "model/base/err.h"
#include "model/base/str.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct child {
	pid_t pid; /* 0 = no process */
	int pipe_fd;
	struct str pending;  /* bytes of a progress line that is not whole yet */
	int64_t step, total; /* what it reported last */
	char note[64];
	enum launcher_kind by; /* not LAUNCHER_NONE: the process is a launcher, of several */
};

/* Starts `PROGRAM worker DIR --fd 3` with DIR/log as its stdout and stderr, in a process group of its own (a Ctrl-C
 * reaches it only through us), asked to stop when we die, with `threads` OpenMP threads. program NULL: this program.
 * by: that many of it by a launcher, where it says one; only the journal then reports progress. */
MUST_CHECK int child_start(struct child *c, const char *program, const char *dir, int threads,
                           const struct launcher *by, struct err *e);
/* Waits up to `seconds` for output or the end of any of the n children, or for a signal that `mask` lets through. */
void child_wait(struct child *const *children, int n, double seconds, const sigset_t *mask);
/* Reads its output. */
void child_listen(struct child *c);
/* Has it ended? Then how it ended is in *end, and the struct is free again. */
struct child_end {
	int exit_code, signal;
	double cpu_s;
	int64_t max_rss, step;
	pid_t pid;
}; /* exit_code or signal is -1 */
bool child_reap(struct child *c, struct child_end *end);
/* Asks it to write a checkpoint and stop, for one of two reasons, which it records. Does nothing if there is no
 * process. */
enum child_reason { CHILD_ASKED, CHILD_TIME_IS_UP };
void child_stop(const struct child *c, enum child_reason why);
/* Ends it at once, with all its processes. */
void child_kill(const struct child *c);

#endif
