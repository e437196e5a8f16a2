/* pairs.h - squared Euclidean distances between the rows of two sets, in double, tile by tile: memory does not grow
 * with the number of pairs. Radii, nearest neighbours and kernels over all pairs are built on it.
 *
 * A tile's distances are |a|^2 + |b|^2 - 2 a.b, the products by dgemm. Where almost all of that cancels (copies of a
 * vector) the squares of the differences are summed, so equal vectors are at distance 0 exactly. Elsewhere the
 * rounding depends on where in a tile a pair lies: a comparison that could hang on it is made by pairs_settled.
 *
 *     struct pairs_set x, y;
 *     pairs_set_init(&x, f, n, d, "generated", e); ...
 *     pairs_visit(&x, &y, tile, &sums);
 *     pairs_nearest(d2, index, 1, &x, &y);
 *     pairs_set_release(&x); ... */
#ifndef ABLATE_PAIRS_H
#define ABLATE_PAIRS_H

#include "model/base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* A set of vectors, of floats or of doubles; the caller's memory, which must outlive it. */
struct pairs_set {
	const float *f;
	const double *g; /* the one that is used where it is not NULL */
	int64_t n;
	int d;
	double *norm;  /* squared lengths [n], owned */
	double widest; /* the largest of them */
};

/* x [n, d], n and d at least 1. An element that is not finite is an error that names the vector: "WHAT vector 3 is
 * not finite". On an error there is nothing to release. */
MUST_CHECK int pairs_set_init(struct pairs_set *out, const float *x, int64_t n, int d, const char *what, struct err *e);
MUST_CHECK int pairs_set_init_double(struct pairs_set *out, const double *x, int64_t n, int d, const char *what,
                                     struct err *e);
void pairs_set_release(struct pairs_set *s);
void scoped_pairs_set(struct pairs_set *s);

/* Distances of rows [i0, i0 + n) of x to rows [j0, j0 + m) of y. */
struct pairs_tile {
	const double *d2; /* [n, m] */
	int64_t i0, j0;
	int n, m;
	bool mirror; /* x is y, and the pairs (j, i) of this tile are not given again */
	bool rough;  /* d2 is of products of floats */
};
typedef void pairs_tile_fn(void *ctx, const struct pairs_tile *t);

/* Gives every pair (i, j) once, the diagonal included. Where x and y are one set (the same pointer) half of the pairs
 * are given as mirrors only, and cost nothing. f is called on this thread, one tile after another, in an order that
 * depends on the sizes alone; it may use cpu_split. */
void pairs_visit(const struct pairs_set *x, const struct pairs_set *y, pairs_tile_fn *f, void *ctx);
/* The same with products of floats, in half the time, for comparisons alone, each by pairs_settled, whose outcome is
 * the same. Only where both sets are floats of usual size and their distances are far above the rounding, as
 * features' are; else it is pairs_visit. */
void pairs_visit_roughly(const struct pairs_set *x, const struct pairs_set *y, pairs_tile_fn *f, void *ctx);

/* The sum of the squared differences of two rows: the same bits wherever they lie, and for (i, j) as for (j, i). */
double pairs_direct(const struct pairs_set *x, int64_t i, const struct pairs_set *y, int64_t j);
/* How far a tile's distance can be from pairs_direct's, at most, of rows with these squared lengths: products and
 * squared lengths are each off by at most d roundings of |a|^2 + |b|^2, the direct sum by as many of at most twice
 * that; 8 more for the last additions. What products of floats lose where they underflow is less than the last term.
 * */
static inline double pairs_slack(bool rough, int d, double norm_i, double norm_j)
{
	return rough ? (d + 8) * 0x1p-23 * (norm_i + norm_j) + 1e-30 : (d + 8) * 0x1p-51 * (norm_i + norm_j);
}

/* The distance of row i of a tile of x and y to its column j, or pairs_direct of the two where it is so close to
 * `limit` that its rounding could decide a comparison. */
static inline double pairs_settled(const struct pairs_tile *t, int64_t i, int64_t j, double limit,
                                   const struct pairs_set *x, const struct pairs_set *y)
{
	double v = t->d2[i * t->m + j], gap = v > limit ? v - limit : limit - v;
	bool far = gap > pairs_slack(t->rough, x->d, x->norm[t->i0 + i], y->norm[t->j0 + j]);
	return far ? v : pairs_direct(x, t->i0 + i, y, t->j0 + j);
}

/* For each row of x its k nearest rows of y: d2 [n, k], squared, ascending; index [n, k], which may be NULL, of rows
 * of y, the first ones among equally near. Distances and their order are those of pairs_direct. Where x and y are
 * one set (the same pointer) a row is not its own neighbour, but a copy of it is. k from 1 to the rows of y (less
 * one). */
void pairs_nearest(double *d2, int64_t *index, int k, const struct pairs_set *x, const struct pairs_set *y);
/* Of each row the squared distance to its k-th nearest other: radius [n]. */
void pairs_radii(double *radius, const struct pairs_set *s, int k);

#endif
