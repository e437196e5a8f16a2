/* metric_memory.h - scores of memorisation: generated pictures against those of training and held-out ones of the same
 * data. They take three sets, so they have a table of their own beside metrics.def.
 *
 *     memory_nearest(&near, &near_test, &sets, e);
 *     memory_score(&list, MEMORY_FLS, &sets, near, near_test, seed, e); ... */
#ifndef ABLATE_METRIC_MEMORY_H
#define ABLATE_METRIC_MEMORY_H

#include "metrics/scores/score.h"

/* ORDER memory_kind: rows of the table in metric_memory.c, in the order in which they are printed. */
enum memory_kind { MEMORY_AUTHPCT, MEMORY_CT, MEMORY_FLS, MEMORY_FLD, MEMORY_KINDS };

struct memory_row {
	const char *name; /* what is asked for: "fls" gives fls and fls_overfit, "fld" fld and fld_gap */
	bool test;        /* needs held-out pictures */
};
extern const struct memory_row memory_rows[MEMORY_KINDS];
/* How to read a score, by its name: "negative: copies". One line; NULL when the name is unknown. */
const char *memory_reading(const char *score);

struct memory_sets {
	struct feature_set *generated, *train, *test; /* test may be NULL where no score needs it */
};
/* Features of one protocol and one dimension, of pictures, enough of them; test and training must not be the same
 * pictures. EXIT_RECORD for different protocols. */
MUST_CHECK int memory_check(const struct memory_sets *s, struct err *e);

/* A generated picture, its nearest of training (the first of equally near ones), and how far apart they are; own: the
 * distance of that training picture to its nearest other. */
struct memory_near {
	int64_t generated, train;
	double distance, own;
};
/* One per generated picture, in their order; test: the same of the test pictures, NULL where there are none. Heap. */
MUST_CHECK int memory_nearest(struct memory_near **generated, struct memory_near **test, const struct memory_sets *s,
                              struct err *e);
/* Copies first: by distance, then by the order of the generated pictures. */
void memory_sort(struct memory_near *near, int64_t n);

/* Appends the score or scores of a row; `near` and `near_test` as memory_nearest gave them. authpct has the test
 * pictures' own as the part "of_test": in many dimensions that of fresh pictures is far above 50. The seed draws
 * subsets and the starts of k-means, and is part of the protocol where it does:
 * "fls(10000,seed0):inception-2015:torch-bilinear:u8:n10000:train=0f3a9c41d2b7:test=...", 10000 being drawn of each. */
MUST_CHECK int memory_score(struct score_list *out, enum memory_kind kind, const struct memory_sets *s,
                            const struct memory_near *near, const struct memory_near *near_test, uint32_t seed,
                            struct err *e);

#endif
