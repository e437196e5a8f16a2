/* worker_score.h - the second half of a cell: sampling from the last checkpoint, pictures, and scores into the journal. */
#ifndef ABLATE_WORKER_SCORE_H
#define ABLATE_WORKER_SCORE_H

#include "metrics/score.h"
#include "model/config.h"
#include "worker.h"

/* What is to be measured, from the job's "scores"; opens the extractors, so that what is missing shows before anything
 * is trained. */
struct scorer;
MUST_CHECK int scorer_open(struct scorer **out, struct worker *w, const struct run_config *config, struct err *e);
/* Samples `checkpoint` (of `step` steps) and writes pictures and scores. *stopped: the worker was asked to stop. */
MUST_CHECK int scorer_run(struct scorer *s, bool *stopped, const char *checkpoint, int64_t step, struct err *e);
/* The row that computes a grid's metric ("precision" and "recall" come from row pr); NULL when there is none. */
const struct metric *scorer_metric(const char *name);
void scorer_free(struct scorer *s); /* accepts NULL */

/* The extractor of a [[metric]] that names none: the data set's own, or its pixels where there is no network for it. */
const char *scorer_default_extractor(const char *data);

#endif
