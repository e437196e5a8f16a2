/* jobs.h - how many cells run at once on the CPU, and with how many threads each, so that a grid is done soonest.
 *
 * By what was measured of this machine (scaling.h), n cells by j at once are done after ceil(n / j) rounds, of which
 * each takes j / rate(j) for a step of every cell. The least time wins; of what is within 5 % of it, which is as much
 * as a measurement of a few seconds is worth, the most cells at once, as their share of the processors is certain.
 * Neither the number of cells at once nor where it comes from is part of what a cell is; its threads are recorded. */
#ifndef ABLATE_JOBS_H
#define ABLATE_JOBS_H

#include "harness/plan/scaling.h"
#include "harness/text/json_writer.h"
#include "harness/text/json_keys.h"

#include <jansson.h>

enum jobs_why {
	JOBS_UNKNOWN,    /* not asked for, or nothing to run */
	JOBS_GIVEN,      /* by --jobs, --threads, or OMP_NUM_THREADS */
	JOBS_ALONE,      /* one cell, or one processor: there is nothing to choose */
	JOBS_MEASURED,   /* by the measurement */
	JOBS_UNMEASURED, /* there is none yet; what follows is what runs without one */
	JOBS_OFF,        /* ABLATE_SCALING=none, or several processes for a cell */
};

struct jobs {
	int jobs, threads; /* cells at once; threads of each process */
	enum jobs_why why;
	double gain;    /* measured: times as fast as one cell at once with all processors, for this grid */
	int processors; /* that may be used */
	bool by_memory; /* fewer than cells and processors allow, as more would not fit */
};

struct jobs_ask {
	int jobs, threads;            /* given; 0 = not */
	int processors, ranks, cells; /* that may be used; processes of a cell; cells that could run at once */
	double memory, cell_bytes;    /* bytes that are free (0 = unknown), and that a process takes */
	double work[SCALING_NETS];    /* of the grid in networks like each, in any unit; not all 0 with s */
	bool off;                     /* measure nothing */
};

/* s: NULL while nothing is measured. Pure. */
struct jobs jobs_choose(const struct jobs_ask *ask, const struct scaling *s);
/* Appends "2 jobs of 1 thread each: measured on this machine, 1.9 times one job of 2 threads"; nothing when unknown. */
void jobs_text(struct str *out, const struct jobs *j);
extern const struct json_key jobs_keys[]; /* of jobs_json */
/* An object of jobs_keys. New reference. */
json_t *jobs_json(const struct jobs *j);
void jobs_add_json(struct json_writer *w, const char *name, const struct jobs *j);

#endif
