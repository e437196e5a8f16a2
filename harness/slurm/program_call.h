/* program_call.h - another program, run to its end: text in, text out, within a time limit. */
#ifndef ABLATE_PROGRAM_CALL_H
#define ABLATE_PROGRAM_CALL_H

#include "model/base/err.h"
#include "model/base/str.h"

#include <stdbool.h>

struct program_ask {
	const char *const *argv; /* its name, looked for in PATH, and arguments; NULL at the end */
	const char *dir;         /* where it is started; NULL = here */
	const struct str *input; /* its stdin; NULL = none */
	double limit_s;          /* after which it is killed */
	bool apart; /* in a process group of its own: Ctrl-C is not for it, and what it started is killed, too */
};
struct program_answer {
	struct str out, said; /* stdout and stderr */
	int code;             /* its exit code; 128 and the signal that ended it; -1 = it was killed by us */
	bool endless;         /* killed, as it printed more than anybody would read; else: as it took too long */
};

/* Runs it. What it leaves running in the background may keep its stdout: it is not waited for. -1: it could not be
 * started (EXIT_USAGE), and *out is empty. The signals that this thread blocks are not blocked in it. */
MUST_CHECK int program_call(struct program_answer *out, const struct program_ask *ask, struct err *e);
void program_answer_release(struct program_answer *a);
void scoped_program_answer(struct program_answer *a); /* SCOPED(program_answer) struct program_answer a = { 0 }; */

/* A text of several lines in one: "a;b". "" for NULL. */
const char *program_words(struct str *text);

#endif
