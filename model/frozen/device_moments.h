/* device_moments.h - mean and scatter of float vectors where they are: in the memory of a back end that has
 * ops->scores, in double.
 *
 * The method is that of metrics/math/moments.h, and so is what is read back: vectors that are not folded yet, and mean
 * and scatter of the others. */
#ifndef ABLATE_DEVICE_MOMENTS_H
#define ABLATE_DEVICE_MOMENTS_H

#include "model/graph/backend.h"

struct device_moments;

/* Of d-dimensional vectors; b must outlive it. */
MUST_CHECK int device_moments_new(struct device_moments **out, struct backend *b, int d, struct err *e);
void device_moments_free(struct device_moments *m); /* accepts NULL */
/* Starts again with no vectors. */
void device_moments_reset(struct device_moments *m);
/* x (n, d) in the back end's memory. Enqueued. */
void device_moments_add(struct device_moments *m, const float *x, int64_t n);

/* In the host's memory, heap, owned by the caller. */
struct moment_parts {
	int64_t n_rows, n_folded;
	float *rows;            /* (n_rows, d): not folded */
	double *mean, *scatter; /* (d), (d, d) upper triangle: of the folded; both NULL where there are none */
};
void moment_parts_release(struct moment_parts *p);
void scoped_moment_parts(struct moment_parts *p);
/* Waits for the device; fails with what failed on it. */
MUST_CHECK int device_moments_read(struct moment_parts *out, const struct device_moments *m, struct err *e);

#endif
