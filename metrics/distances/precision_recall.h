/* precision_recall.h - improved precision and recall (Kynkaanniemi et al. 2019).
 *
 * The manifold of a set is the union of balls around its vectors, each reaching to the k-th nearest other (the
 * (k+1)-th smallest distance, itself included). Precision: the share of generated vectors in the real manifold,
 * border included; recall: vice versa. Comparisons are those of double (pairs.h), tile by tile: memory is k numbers
 * per vector besides the features, so 50,000 against 50,000 of 2048 dimensions fit in 2 GB. */
#ifndef ABLATE_PRECISION_RECALL_H
#define ABLATE_PRECISION_RECALL_H

#include "model/base/err.h"

#include <stdint.h>

struct precision_recall {
	double precision, recall, f1;
	double precision_half; /* of its 95 % interval over the generated vectors, the real ones fixed: delete-block
	                        * jackknife. NAN of fewer than 2 * JACKKNIFE_BLOCKS, or when all or none are inside. Recall
	                        * has none: without a block, the balls of all other generated vectors are other ones */
};

/* generated [n, d], real [m, d]; both more than k. radius_generated [n] and radius_real [m] receive the balls' radii
 * when they are not NULL. */
MUST_CHECK int precision_recall(struct precision_recall *out, double *radius_generated, double *radius_real,
                                const float *generated, int64_t n, const float *real, int64_t m, int d, int k,
                                struct err *e);

#endif
