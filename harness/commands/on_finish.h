/* on_finish.h - a command of the user's at the end of a run: --on-finish, and [grid] on_finish.
 *
 * It gets one JSON object on stdin:
 *     {"schema": 1, "event": "finish", "grid", "plan", "database", "command", "engine", "exit_code", "signal"?,
 *      "seconds", "cells", "states": {STATE: n}, "failures": [{"cell", "label", "seed", "state", "reason"}],
 *      "tables": [NAME], "error"?}
 * states and failures are of the plan's cells, as the records have them, and those that the machine lacks something
 * for; failures: those that are over and not done, and these.
 * No shell is between. Whatever it does changes nothing of the run. */
#ifndef ABLATE_ON_FINISH_H
#define ABLATE_ON_FINISH_H

#include "harness/cli/cmd.h"
#include "harness/plan/plan.h"

#define ON_FINISH_OPTION \
	{ \
		.name = "on-finish", .kind = OPT_STRING, .arg = "CMD", \
		.help = "start it when the run is over, with a JSON object on its stdin; grid: allow and start the grid's; " \
				"none: start nothing" \
	}

/* What is to be started, with where. Zero-initialised: nothing. */
struct on_finish {
	char *text;         /* of the words, where they are the option's */
	const char **words; /* NULL at the end; NULL = nothing */
	char *dir;
	const char *command, *engine; /* "ablate run g.toml", "local": for the object */
	double began_s;
};
void scoped_on_finish(struct on_finish *f); /* SCOPED(on_finish) struct on_finish f = { 0 }; */

/* Settles it before anything runs: from the option, else from the grid where this user has allowed it, else nothing,
 * with a line that says how to allow it. command and engine must outlive *out. An option that names nothing, a program
 * that is not there, or an engine whose run is not waited for: EXIT_USAGE. */
MUST_CHECK int on_finish_settle(struct on_finish *out, const struct cli *c, const struct grid *g, const char *command,
                                const char *engine, struct err *e);
/* Starts it and waits; what went wrong with it is a warning. code: the run's exit code, signal: what asked it to stop,
 * or 0; error: what ended it before its time, or NULL. */
void on_finish_run(const struct on_finish *f, const struct cli *c, const struct plan *p, int code, int signal,
                   const char *error);

#endif
