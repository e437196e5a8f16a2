/* score.h - the table of metrics, and the numbers they give: each with its protocol, n and half-width.
 *
 *     const struct metric *m = metric_find("fid");
 *     feature options want/keep |= metric_keep(m, ...);   extract both sides in one pass each
 *     metric_run(&list, m, &a, &b, &options, e);
 *
 * Used by the commands and by the harness's cells alike. */
#ifndef ABLATE_SCORE_H
#define ABLATE_SCORE_H

#include "metrics/features/feature_set.h"

enum metric_needs { NEEDS_MOMENTS, NEEDS_FEATURES, NEEDS_LOGITS, NEEDS_SPATIAL };

struct score {
	char name[32];      /* "fid", "precision" */
	double value, half; /* half-width of the 95 % interval; NAN = none */
	/* What `half` is: "95 % jackknife", "sd of 10 splits"; where it is NAN, why there is none; NULL: nothing to say. */
	const char *half_text;
	int64_t n;  /* pictures of the first set; 0 = unknown */
	int better; /* -1 lower, 1 higher */
	char protocol[PROTOCOL_TEXT];
	char warning[320]; /* as text, "" = none */
	char computed_by[sizeof((struct singular_by *)0)
	                     ->by]; /* a Frechet distance's singular values, where a device was asked for; else "" */
	/* Parts, for --json: */
	struct {
		const char *name;
		double value;
	} part[8];
	int n_parts;
};

enum { SCORES_MAX = 24 };
struct score_list {
	struct score v[SCORES_MAX];
	int n;
};

struct metric_options {
	bool interval;             /* compute half-widths that cost time (the jackknife of FID) */
	int kid_subsets, kid_size; /* 100 x 1000 as published */
	int is_splits;             /* 10 */
	bool is_shuffle;           /* by RandomState(2020), as torch-fidelity does: pictures from elsewhere may be sorted.
	                            * Default: in order, for samples, whose order is random already */
	int k;                     /* of precision and recall: 3 */
	int prdc_k;                /* of prdc: 5 */
	int mind_directions;       /* 1000 */
	struct backend *device;    /* where singular values are computed; NULL = on the host */
	/* Of the random subsets of fid_infinity, of mind's directions and subset, of what scores of memorisation draw. */
	uint64_t seed;
	struct feature_set *train; /* the pictures of training, for metrics of three sides; their reference is held out */
};
#define METRIC_OPTIONS \
	((struct metric_options){ .interval = true, \
	                          .kid_subsets = 100, \
	                          .kid_size = 1000, \
	                          .is_splits = 10, \
	                          .k = 3, \
	                          .prdc_k = 5, \
	                          .mind_directions = 1000 })

struct metric {
	const char *name;
	enum metric_needs needs;
	int sides, better;
	const char *text;
	int (*run)(struct score_list *out, const struct metric *m, struct feature_set *a, struct feature_set *b,
	           const struct metric_options *o, struct err *e);
};

const struct metric *metric_rows(int *n);
const struct metric *metric_find(const char *name); /* NULL when there is none */
/* Of a metric that is no row, what gives it, one line: "..."; NULL for any other name. */
const char *metric_elsewhere(const char *name);
/* The names of the scores that a row gives: its own, or "precision" and "recall" for row pr. Returns their number. */
enum { METRIC_SCORES_MAX = 4 };
int metric_scores(const char *out[METRIC_SCORES_MAX], const struct metric *m);
/* The row of that name, or the one that gives a score of that name; NULL when there is none. */
const struct metric *metric_of_score(const char *score);
/* Which kinds of features (bits 1 << FEATURE_*) must be kept of the first set (side 0) and the second (side 1). */
unsigned metric_keep(const struct metric *m, int side, const struct metric_options *o);
/* Appends its score or scores. b may be NULL for metrics of one side, o->train for those of up to two. Different
 * protocols: EXIT_RECORD. */
MUST_CHECK int metric_run(struct score_list *out, const struct metric *m, struct feature_set *a, struct feature_set *b,
                          const struct metric_options *o, struct err *e);

#endif
