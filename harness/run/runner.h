/* runner.h - brings the cells of a plan to done: skips what is finished, starts one process per cell, records what its
 * journal says, judges from evidence how it ended, tries again where that may help.
 *
 * The supervisor is the only writer of the database. The first SIGINT, SIGTERM or SIGHUP asks all workers to write a
 * checkpoint and stop; a second SIGINT ends them at once (runner_signals.h); in both cases the database is consistent
 * and a later run continues. */
#ifndef ABLATE_RUNNER_H
#define ABLATE_RUNNER_H

#include "harness/record/query.h"
#include "harness/run/engine_device.h"
#include "harness/run/job.h"
#include "harness/run/launcher.h"
#include "model/base/err.h"
#include "harness/text/json_keys.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* One cell to run. All texts are borrowed. */
struct run_cell {
	const char *cell, *arm; /* hashes */
	const char *config;     /* canonical JSON of the arm */
	const char *dataset;    /* content hash of the data set */
	int64_t seed, numerics;
	const char *label;    /* for people: "no EMA teacher" */
	int64_t steps;        /* for the progress bar */
	int microbatch;       /* samples that a process computes at once; 0 = its share of a batch */
	const char *training; /* key of its training, which other cells may share; NULL = it trains for itself alone */
	const double *ema;    /* decays that are to be kept of it, for all cells of the plan that share it */
	int n_ema;
	const char *blocked; /* NULL, or why it cannot run ("needs weights vgg.pth, sha256 ...") */
};

/* One row of the grid: the cell under a label of a chain. */
struct run_row {
	int cell;
	const char *chain, *label;
	int64_t ordinal;
	json_t *labels; /* array, or NULL */
};

struct run_plan {
	const char *hash, *name, *toml;
	const char *made_of; /* plan_made_of; NULL for what is not a grid */
	const struct run_cell *cells;
	const struct run_row *rows;
	const struct wanted_score *scores;
	int n_cells, n_rows, n_scores;
	const struct job_score *asked; /* what workers are told to measure */
	int n_asked;
};

/* What the user asked for by an option. An attempt that goes on from another's checkpoint keeps what that one had of
 * the rest, where it can: bits depend on it. A training's do not depend on its threads. */
enum run_said { RUN_SAID_RANKS = 1, RUN_SAID_MICROBATCH = 2, RUN_SAID_DEVICE = 4 };

struct progress;
struct signing_key;
struct run_options {
	const char *db;   /* path */
	const char *what; /* shown to others who find the database in use: "ablate run quickstart.toml" */
	const struct engine_devices *devices; /* that cells are spread over; NULL = the cpu */
	const char *program;                  /* worker program; NULL = this one */
	int jobs, threads;                    /* at once; OpenMP threads of each process, 0 = processors / jobs / ranks */
	int ranks;                            /* processes that train one cell together; 0 and 1 = one */
	struct launcher launcher;             /* that starts these (its `ranks` are those); of kind NONE: mpirun */
	unsigned said;                        /* of enum run_said */
	double cell_wall_s, grid_wall_s;      /* budgets; 0 = none */
	double checkpoint_s;                  /* a checkpoint at least so often; 0 = by steps alone */
	int cells_max;                        /* at most this many cells are started; 0 = all */
	int retries;                          /* of a cell that failed or was killed */
	int stop_after;                       /* stop starting cells after this many failed cells; 0 = never */
	struct progress *progress;            /* model/base/progress.h; may be NULL */
	void (*say)(void *ctx, const char *line,
	            bool amiss); /* one line per state change, `amiss` for what should be shown even with -q; may be NULL */
	void *say_ctx;
	const struct signing_key *key; /* signs each attempt that is over; NULL = nobody does */
	bool record_only;              /* record the plan, classify its cells, start nothing */
	bool again;                    /* rerun cells that diverged (the same bits would diverge again) */
	bool rebuild;                  /* make cells again that another build made, from nothing */
};

/* Counts of cells, by their state at the end. */
struct run_result {
	int cells, cached, done, failed, diverged, blocked, stopped, timeout, pending, elsewhere;
	int attempts, lost; /* started here; found dead at the start */
	int left_out;       /* journals and lines of the record that could not be taken */
	int stale;          /* of the cached ones: made by another build (harness/record/fingerprint.h) ... */
	char made_by[120];  /* ... the fingerprints of those, for people */
	int signal;         /* SIGINT or SIGTERM when one ended the run */
	bool over_budget;   /* the grid's wall budget, its number of cells, or a cell's wall budget */
	double wall_s;
};

/* Runs. A cell that fails is not a failure of this function: read *out and run_exit_code. Errors: the database cannot
 * be used (EXIT_RECORD). */
MUST_CHECK int runner_run(struct run_result *out, const struct run_plan *plan, const struct run_options *options,
                          struct err *e);
/* 0, 1, 75, 130, 143 as in the README. */
int run_exit_code(const struct run_result *r);
/* "5 cells: 3 cached, 2 done in 12s"; caller frees. */
char *run_summary(const struct run_result *r);
extern const struct json_key run_result_keys[]; /* of run_result_json */
/* An object of run_result_keys. New reference. */
json_t *run_result_json(const struct run_result *r);

/* A part of a repetition for verify: it goes on from the checkpoint of the part before it (NULL: from nothing), and
 * stops when step `until` is done (0: trains to the end and measures). */
struct repetition {
	const char *from;
	int64_t until;
};
/* Runs one cell once more, or a part of it, as options say; its attempt id. It is never used for the cell. */
MUST_CHECK int runner_repeat(char attempt[64], const struct repetition *part, const struct run_plan *plan,
                             const struct run_options *options, struct err *e);

#endif
