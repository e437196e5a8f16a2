/* sigma_search.h - the minimum of a function of a grid's index by ternary search, each index evaluated once: how the
 * second noise level of two-step sampling was found (openai/consistency_models, scripts/ternary_search.py). For
 * functions that fall and then rise; what noise in them does shows in the values that were tried. */
#ifndef ABLATE_SIGMA_SEARCH_H
#define ABLATE_SIGMA_SEARCH_H

#include "model/base/err.h"

#include <stdint.h>

struct sigma_tried {
	int64_t index;
	double value;
};
struct sigma_search {
	struct sigma_tried *tried; /* in the order of evaluation; heap, owned */
	int n_tried, cap;
	int64_t best;
};

/* Looks among the indices first..last; value() gives the function at one of them. */
MUST_CHECK int sigma_search(struct sigma_search *out, int64_t first, int64_t last,
                            int (*value)(void *ctx, double *out, int64_t index, struct err *e), void *ctx,
                            struct err *e);
void sigma_search_release(struct sigma_search *s);

#endif
