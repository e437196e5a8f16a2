/* mog.h - a mixture of equally weighted Gaussians at given centres, each with one variance of its own, which is fitted
 * to data by Adam (Kingma and Ba 2015; beta 0.9 and 0.999, epsilon 1e-8): what FLS and FLD are made of.
 *
 * With D_ij = |x_i - c_j|^2, d dimensions and m centres, and without the term d / 2 log 2 pi, which is the same in all:
 *
 *     l_ij = -D_ij / (2 v_j) - d / 2 log v_j,     log p(x_i) = log sum_j exp(l_ij) - log m
 *
 * The loss is the mean of -log p over a batch, over log v_j. Everything is in double but the distances of a fit, which
 * are computed in double and kept as floats for all its steps: n m floats, 400 MB for 10,000 of each. A float is off by
 * 6e-8 of the distance, so a term of the mean log-likelihood per dimension by about as much. The result does not depend
 * on the number of threads. */
#ifndef ABLATE_MOG_H
#define ABLATE_MOG_H

#include "metrics/distances/pairs.h"

/* How to fit. One round is one step per batch. */
struct mog_recipe {
	int rounds, batch; /* batch: rows of x per step; 0 = all */
	double lr;
	int lr_drops;       /* from this round on (counted from 0) lr is a tenth */
	double low, high;   /* log variances are kept within, after each step */
	bool start_at_data; /* log v_j = log((min_i D_ij + 1e-3) / d); else 0 */
	bool background; /* while fitting: one more Gaussian at the mean of x, of weight 1 beside the others' 1 / m, whose
	                        squared distances count 0.81 times; its log variance starts at 0 and is not clamped */
	bool per_dimension; /* the loss is divided by d */
	double stop_below; /* from the 7th round on: stop after a round whose mean loss differs from each of the four before
	                        by less; 0 = never */
};

/* log_variance [m] of Gaussians at the rows of `centre`, fitted to the rows of x, in their order. Returns the number of
 * rounds. loss may be NULL; else [rounds] receives the mean loss of each. */
int mog_fit(double *log_variance, double *loss, const struct pairs_set *centre, const struct pairs_set *x,
            const struct mog_recipe *how);

/* of_x [n] = log sum_j exp(l_ij); of_centre [m] = log sum_i exp(l_ij); either may be NULL. */
void mog_log_sums(double *of_x, double *of_centre, const double *log_variance, const struct pairs_set *centre,
                  const struct pairs_set *x);
/* The same over parts: of_x [n, blocks] over the Gaussians that jackknife_dealt puts into each block, of_centre
 * [m, blocks] over the rows of x likewise. One block: mog_log_sums. */
void mog_block_sums(double *of_x, double *of_centre, int blocks, const double *log_variance,
                    const struct pairs_set *centre, const struct pairs_set *x);
/* log sum exp of the parts [blocks] but number `gone`; -1 = of all. */
double mog_sum_without(const double *part, int blocks, int gone);
/* mog_nll of the rows of x but those of block `gone`, under the Gaussians but those of that block, from of_x as
 * mog_block_sums gave it; -1 = of all. The variances are those of the fit to all, and what the missing Gaussians do is
 * taken to first order in their weight: their neighbours would have been fitted wider to take their place, so leaving
 * them out whole says too much (half-widths of FLS and FLD 1.6 times too large in simulations). */
double mog_nll_without(const double *of_x, int64_t n, int64_t m, int blocks, int gone);
/* Mean over the rows of x of -log p(x_i), without the term of 2 pi. */
double mog_nll(const double *log_variance, const struct pairs_set *centre, const struct pairs_set *x);

#endif
