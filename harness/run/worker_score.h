/* worker_score.h - the second half of a cell: sampling from the last checkpoint, pictures, and scores into the
 * journal. */
#ifndef ABLATE_WORKER_SCORE_H
#define ABLATE_WORKER_SCORE_H

#include "metrics/scores/score.h"
#include "model/config/config.h"
#include "harness/run/worker.h"

/* What is to be measured, from the job's "scores"; opens the extractors, so that what is missing shows before anything
 * is trained. */
struct scorer;
MUST_CHECK int scorer_open(struct scorer **out, struct worker *w, const struct run_config *config, struct err *e);
/* Does the job know every score that is asked for? Then `checkpoint` is not read. */
bool scorer_knows_all(const struct scorer *s);
/* Pictures and scores of a training on its way, at a checkpoint of `step` steps (eval.every): a picture
 * during@STEPS/STEP of the first evaluation seed, and for each score a point of its curve (score_curve.h), the mean
 * over the evaluation seeds. What cannot be scored is a note in the journal and leaves a gap: the training goes on.
 * *stopped: the worker was asked to stop, and nothing is recorded. */
MUST_CHECK int scorer_during(struct scorer *s, bool *stopped, const char *checkpoint, int64_t step, struct err *e);
/* Samples `checkpoint` (of `step` steps) and writes pictures and scores. *stopped: the worker was asked to stop. */
MUST_CHECK int scorer_run(struct scorer *s, bool *stopped, const char *checkpoint, int64_t step, struct err *e);
void scorer_free(struct scorer *s); /* accepts NULL */

#endif
