/* watch.h - a moment of a study, as `ablate watch` shows it: a value that knows neither database nor terminal.
 *
 * watch_read.h makes one, watch_screen.h turns it into lines of a screen, watch_changes.h into lines of a log. All
 * texts are shown as they are: they have no control characters (escape_plain). */
#ifndef ABLATE_WATCH_H
#define ABLATE_WATCH_H

#include "harness/record/record_state.h"
#include "harness/watch/gpus.h"
#include "model/base/mem.h"

#include <stdbool.h>
#include <stdint.h>

struct watch_cell {
	const char *cell, *label, *attempt; /* hash; CHAIN/LABEL; "" where nobody has tried it */
	const char *reason; /* why it is in this state; of a running one whose process is gone, how that is known */
	const char *ended;  /* wall clock; "" before */
	enum record_state state;
	bool gone; /* "running" in the records, but its process is not */
	int64_t seed, step, steps;
	double rate, eta_s; /* steps in a second; seconds until its training is done; NAN = not known yet */
	double seconds;     /* that it took; NAN before it is over */
	double loss;        /* the last point of its curve; NAN = none */
	const double *curve;
	int n_curve; /* of a running one: its loss */
};

struct watch {
	struct arena arena;           /* of all texts and curves */
	const char *title;            /* the grid's name, or how many there are */
	struct watch_cell *cells;     /* running ones first, then those that failed, the newest first, then the rest */
	int n, running, done, failed; /* running: alive; failed: over without being done, or gone */
	int waiting;                  /* pending, and stopped with a checkpoint */
	double share;                 /* of all training steps: 0 to 1 */
	double eta_s;                 /* until all are done: a guess; NAN = none */
	struct gpu gpus[GPUS_MAX];
	int n_gpus;
	const char *picture;  /* path of the samples that were drawn last; "" = none */
	const char *lines[8]; /* who runs it, and what waits in queues */
	int n_lines;
	bool busy; /* something runs, or may begin by itself */
};

void scoped_watch(struct watch *w); /* SCOPED(watch) struct watch w = { 0 }; */

#endif
