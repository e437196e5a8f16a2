/* metric_ref.h - what a score is called: fid@2 in files and commands, "FID-10k, 2 steps" in print. */
#ifndef ABLATE_METRIC_REF_H
#define ABLATE_METRIC_REF_H

#include "model/base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* fid@2: name fid, nfe 2. "fid@1:student" names the weights, too. */
enum { METRIC_REFS_MAX = 64 };
struct metric_ref {
	char name[64], weights[16]; /* weights "" = those that the arm's sample.weights names */
	int nfe;                    /* -1 = not given: the only one there is */
	int64_t samples;            /* 0 = not given */
	bool least;                 /* agg = "min3": the papers' rule, the minimum over the evaluation seeds; tables only */
};
/* Exit 2 for what is not a metric reference. */
MUST_CHECK int metric_ref_parse(struct metric_ref *out, const char *text, struct err *e);
/* "FID-10k, 1 step" for (fid, 10000, 1): no number of images, no name. Heap text. */
char *metric_title(const char *name, int64_t n, int nfe);
/* Is a larger value better (metrics.def)? By the score's name. */
bool metric_higher_is_better(const char *name);

#endif
