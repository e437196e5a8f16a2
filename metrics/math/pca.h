/* pca.h - principal components: the directions in which vectors vary most, exactly (all eigenvectors of the
 * covariance).
 *
 * Distances in the plane of the first k components do not depend on the signs and the rotation that eigenvectors leave
 * open; they do depend on which plane it is, which the vectors decide only where more than k of them are given. */
#ifndef ABLATE_PCA_H
#define ABLATE_PCA_H

#include <stdint.h>

/* mean [d] and basis [k, d], one unit vector a row, the largest variance first, of x [n, d]. 1 <= k <= d < 32000, n >
 * k. Memory: 24 d^2 bytes. */
void pca_fit(double *mean, double *basis, int k, const float *x, int64_t n, int d);
/* out [n, k]: coordinates of x [n, d] in the basis, about the mean; not scaled by the deviations (no whitening). */
void pca_project(double *out, const float *x, int64_t n, int d, const double *mean, const double *basis, int k);

#endif
