/* job.h - DIR/job.json: what a worker is told to do, one attempt at one cell. The one module that writes it and reads
 * it.
 *
 * The runner writes the file and starts a worker on its folder; every process of the worker reads it. `verify` reads
 * the job of an earlier attempt to measure the same again. The file is JSON, a key per field of struct job, in its
 * order; unknown keys are passed over, so that an older program reads what a newer one wrote. */
#ifndef ABLATE_JOB_H
#define ABLATE_JOB_H

#include "model/base/err.h"
#include "model/base/mem.h"

#include <stdbool.h>
#include <stdint.h>

/* What is to be measured for one [[metric]] of a grid. */
struct job_score {
	const char *name, *ref, *extractor; /* ref and extractor "": what belongs to the data set */
	int64_t samples;                    /* images, at least 1 */
	bool interval, infinity;
	const int64_t *nfe, *eval_seeds; /* sampling steps and evaluation seeds: each with each */
	int n_nfe, n_eval_seeds;
};

/* Samples that an earlier attempt wrote, at this cell or at one of the same training; those that do not have the hash
 * of their bytes are made again. */
struct job_sampling {
	const char *key, *path, *sha256; /* key: stage_sampling_key */
	int64_t n;                       /* images */
	const char *attempt;             /* that made them, for the record; may be NULL */
};

/* A score that an earlier attempt computed for the same sampling, metric, reference, extractor and number of images. */
struct job_known {
	const char *key, *attempt;                                 /* stage_score_key; who computed it */
	const char *name, *weights, *protocol, *hex, *computed_by; /* as in table metric; computed_by may be NULL */
	double lo, hi;                                             /* NAN: none */
	int64_t nfe, eval_seed, step, n;
};

struct job {
	const char *attempt, *cell, *arm; /* arm: hash of config, as the plan has it */
	const char *config;               /* canonical JSON of the arm */
	const char *dataset;              /* hash of what it reads */
	const char *purpose;              /* "run", "verify" */
	const char *label, *device;       /* label: for people, may be NULL */
	int64_t seed, numerics, n;        /* n: 1-based number of this attempt at the cell */
	int threads, ranks;       /* OpenMP threads of each of the processes that train it together; 0 ranks = one */
	int microbatch;           /* samples that each of them computes at once; 0 = its share of a batch */
	double wall_s;            /* 0 = no limit */
	double checkpoint_s;      /* a checkpoint at least so often; 0 = by steps alone */
	const char *resumed_from; /* attempt, or NULL */
	int64_t generation;       /* as attempt.generation */
	const char *resumed_env;  /* what that one ran on, canonical JSON; NULL: not on record */
	int64_t until;            /* stop when this step is done, and measure nothing; 0: train to the end and measure */
	const struct job_score *scores;
	int n_scores;
	const char *training; /* key of the training, stage_training_key; NULL in a job of before there were stages */
	const double *ema;    /* EMA decays that the training keeps: those of all planned cells that share it */
	int n_ema;            /* 0: the config's alone */
	const struct job_sampling *samplings;
	const struct job_known *known;
	int n_samplings, n_known;
	struct arena arena; /* of what job_read found; empty in a job that is written */
};

/* Heap: DIR/job.json. */
char *job_path(const char *dir);
/* Not synced: losing a job loses no result. A text that is not UTF-8 is an error that names file and field. */
MUST_CHECK int job_write(const struct job *job, const char *dir, struct err *e);
/* A field that is missing or of another type is an error (EXIT_USAGE) that names file and field. On failure *out is
 * untouched. */
MUST_CHECK int job_read(struct job *out, const char *dir, struct err *e);
void job_release(struct job *job);
/* Is x one of the n, such as the nfe or the eval_seeds of a job_score? */
bool job_list_has(const int64_t *list, int n, int64_t x);

#endif
