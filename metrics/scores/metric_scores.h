/* metric_scores.h - the functions behind the rows of metrics.def; private to score.c. */
#ifndef ABLATE_METRIC_SCORES_H
#define ABLATE_METRIC_SCORES_H

#include "metrics/scores/score.h"

#define METRIC(name, needs, sides, better, text) \
	int metric_##name(struct score_list *out, const struct metric *m, struct feature_set *a, struct feature_set *b, \
	                  const struct metric_options *o, struct err *e);
#include "metrics/scores/metrics.def"
#undef METRIC

#endif
