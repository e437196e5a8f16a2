/* tune.h - which of several engines computes a convolution: the fastest by the clock, taken once for a card and a shape
 * and kept in a file, because the choice decides bits: who has the file has the bits again.
 *
 * The file is text: a first line that names the format, then a line for each shape, in which tabs part what was asked
 * (card, driver, library, pass, type, shape) from engine, knobs ("type=value ..", "-": none), workspace in bytes
 * and the microseconds of the choice. Lines are only ever added, each in one write, under a lock: processes may share a
 * file, and the first to choose has chosen for all. */
#ifndef ABLATE_TUNE_H
#define ABLATE_TUNE_H

#include "model/base/err.h"

#include <stddef.h>
#include <stdint.h>

enum { TUNE_KNOBS = 32 };

struct tune_engine {
	int64_t engine, workspace;
	int n_knobs;
	struct {
		int64_t type, value;
	} knobs[TUNE_KNOBS];
	double us;    /* measured; 0: not timed */
	int fallback; /* proposed only after every better engine had been refused; not kept in the file */
};

struct tune;
/* Reads the file; none yet is an empty one. -1 with e set where it cannot be read or a line is not as above. */
MUST_CHECK int tune_open(struct tune **out, const char *path, struct err *e);
void tune_free(struct tune *t); /* accepts NULL */
/* What was chosen for `what`, or NULL; valid until the next tune_keep. */
const struct tune_engine *tune_find(const struct tune *t, const char *what);
/* Adds a choice to the file, or takes over what another process has added for the same since: *engine is what holds
 * then. */
MUST_CHECK int tune_keep(struct tune *t, const char *what, struct tune_engine *engine, struct err *e);
/* The place of the smallest time, the first of equals; times that are not above 0 count as failures. -1: all are. */
int tune_fastest(const double *us, int n);
/* "engine 41, knobs 2=1 3=4, workspace 1024 bytes" and what else is known. */
void tune_text(char *out, size_t bytes, const struct tune_engine *engine);

#endif
