/* metric_classes.h - FID class by class: of the vectors of one class against those of the same class of the
 * reference, and the plain mean over classes. It gives as many numbers as there are classes and takes labels beside
 * features, so it is no row of metrics.def.
 *
 *     class_match_find(&match, &labels_a, ..., &labels_b, ..., e);    before any feature is made
 *     metric_classes(&scores, &match, &a, &b, &options, e);           of sets whose features were kept */
#ifndef ABLATE_METRIC_CLASSES_H
#define ABLATE_METRIC_CLASSES_H

#include "metrics/scores/score.h"
#include "metrics/sources/class_match.h"

#define METRIC_PER_CLASS "fid_per_class" /* in protocols */

struct class_score {
	const char *name; /* the match's */
	int64_t n, n_reference;
	double value, half; /* half-width of the 95 % interval, NAN = none */
};
struct class_scores {
	struct class_score *v; /* [n], in the match's order */
	int n;
	/* "fid_per_class_mean": protocol "fid_per_class(10):...:n50000:ref=...:classes=0f3a9c41d2b7", the digits being of
	 * the reference's classes, picture by picture. half: of independent classes, NAN where one has none. */
	struct score mean;
};

/* Each value has the bits that fid_compute gives for the class's vectors alone. Different protocols: EXIT_RECORD. */
MUST_CHECK int metric_classes(struct class_scores *out, const struct class_match *m, struct feature_set *a,
                              struct feature_set *b, const struct metric_options *o, struct err *e);
void class_scores_release(struct class_scores *s);

#endif
