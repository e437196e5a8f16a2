/* record_state.h - the states of an attempt, and of a cell: that of the attempt used for it, or pending.
 *
 * They come from evidence only. The names are those of attempt.state in the database, of the lines "end" of journals
 * and of everything that is shown. */
#ifndef ABLATE_RECORD_STATE_H
#define ABLATE_RECORD_STATE_H

#include <stdbool.h>

enum record_state {
	RECORD_PENDING, /* of a cell alone: nobody has tried it */
	RECORD_RUNNING,
	RECORD_DONE,
	RECORD_STOPPED, /* checkpointed on request */
	RECORD_BLOCKED, /* something that it needs is not on the machine */
	RECORD_FAILED,
	RECORD_DIVERGED,
	RECORD_TIMEOUT, /* over its budget, or the grid's */
	RECORD_KILLED,
	RECORD_LOST,    /* its process is gone without a word */
	RECORD_UNKNOWN, /* a text that is none of them, in a database that was changed by hand */
};

const char *record_state_name(enum record_state s);
/* RECORD_UNKNOWN for what is not a name; RECORD_PENDING for NULL, as where a query finds no attempt. */
enum record_state record_state_of(const char *name);
/* Not over, and not in need of anybody: pending, running or stopped. */
bool record_state_is_open(enum record_state s);

#endif
