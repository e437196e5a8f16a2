/* kmeans.h - k-means: k centres that minimise the sum of squared distances of vectors to their nearest centre, by
 * Lloyd's iteration from k-means++ starts (Arthur and Vassilvitskii 2007). The same seed gives the same centres,
 * whatever the number of threads. */
#ifndef ABLATE_KMEANS_H
#define ABLATE_KMEANS_H

#include "model/base/err.h"

#include <stdint.h>

/* centre [k, d] of finite x [n, d]: the best of `tries` starts, the first of equally good ones; each is run until no
 * vector changes its cell, at most 300 rounds (as scikit-learn's KMeans). A cell that loses all its vectors takes the
 * one that is furthest from its centre. inertia may be NULL. Fewer than k different vectors: an error. */
MUST_CHECK int kmeans_fit(double *centre, double *inertia, const double *x, int64_t n, int d, int k, int tries,
                          uint64_t seed, struct err *e);
/* cell [n]: the nearest centre of each vector, the first of equally near ones; d2 [n]: its squared distance, or NULL */
void kmeans_assign(int *cell, double *d2, const double *x, int64_t n, int d, const double *centre, int k);

#endif
