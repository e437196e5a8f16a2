/* authpct.h - authenticity (Alaa et al. 2022, arXiv:2102.08921), as dgm-eval computes it: the share of generated
 * vectors that are not closer to training than training vectors are to each other. */
#ifndef ABLATE_AUTHPCT_H
#define ABLATE_AUTHPCT_H

#include <stdint.h>

/* In percent. Generated vector i has its nearest training vector at nearest[i], the first of equally near ones, at
 * distance[i]; own[t] is the distance of training vector t to its nearest other; all squared, or none. i is authentic
 * if own[nearest[i]] < distance[i], strictly: a copy of a picture that occurs twice in training is not authentic
 * either. n >= 1. (marcojira/fld subtracts 50, and draws 10,000 of each.) Given training, generated vectors are
 * authentic or not independently of each other, so wilson_half_width is of the share among all that the model could
 * generate, with training held. */
double authpct(const int64_t *nearest, const double *distance, int64_t n, const double *own);

#endif
