/* inception_score.h - exp of the mean divergence of p(y|x) from p(y) (Salimans et al. 2016), over splits.
 *
 * p is the softmax, in double, of the class scores WITHOUT the last layer's bias. Split i holds vectors [i*n/splits,
 * (i+1)*n/splits). As published: 10 splits, the mean of the splits' scores and their population standard deviation. */
#ifndef ABLATE_INCEPTION_SCORE_H
#define ABLATE_INCEPTION_SCORE_H

#include "model/base/err.h"

#include <stdint.h>

struct inception_score {
	double mean, std;
	int splits;
};

/* logits [n, c]. order: NULL, or n indices (torch-fidelity shuffles by RandomState(2020).permutation). n < splits is an
 * error with the code EXIT_USAGE: fewer splits would do. */
MUST_CHECK int inception_score(struct inception_score *out, const float *logits, int64_t n, int c, int splits,
                               const int64_t *order, struct err *e);

#endif
