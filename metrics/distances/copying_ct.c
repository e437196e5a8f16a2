/* copying_ct.c - see copying_ct.h. */
#include "metrics/distances/copying_ct.h"

#include "metrics/distances/pairs.h"
#include "metrics/math/jackknife.h"
#include "metrics/math/kmeans.h"
#include "metrics/math/mann_whitney.h"
#include "metrics/math/pca.h"
#include "model/base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TRAIN, TEST, GENERATED, SIDES };

struct side {
	const float *f;
	int64_t n;
	double *x;       /* [n, d] after the projection */
	int *cell;       /* [n] */
	double *nearest; /* [n], squared distances to the nearest training vector of the cell; not of training itself */
};

struct job {
	struct side side[SIDES];
	int d; /* after the projection */
};

static void job_release(struct job *j)
{
	for (int s = 0; s < SIDES; s++) {
		free(j->side[s].x);
		free(j->side[s].cell);
		free(j->side[s].nearest);
	}
}

static void project(struct job *j, int d)
{
	SCOPED(free) double *mean = NULL, *basis = NULL;
	if (j->d < d) {
		mean = xmalloc(sizeof *mean * (size_t)d);
		basis = xmalloc(sizeof *basis * (size_t)d * (size_t)j->d);
		pca_fit(mean, basis, j->d, j->side[TRAIN].f, j->side[TRAIN].n, d);
	}
	for (int k = 0; k < SIDES; k++) {
		struct side *s = &j->side[k];
		s->x = xmalloc(sizeof *s->x * (size_t)s->n * (size_t)j->d);
		if (basis)
			pca_project(s->x, s->f, s->n, d, mean, basis, j->d);
		for (int64_t i = 0; !basis && i < s->n * d; i++)
			s->x[i] = s->f[i];
	}
}

static int into_cells(struct job *j, uint64_t seed, struct err *e)
{
	const struct side *t = &j->side[TRAIN];
	SCOPED(free) double *centre = xmalloc(sizeof *centre * CT_CELLS * (size_t)j->d);
	if (kmeans_fit(centre, NULL, t->x, t->n, j->d, CT_CELLS, CT_TRIES, seed, e))
		return err_in(e, "C_T: training vectors");
	for (int k = 0; k < SIDES; k++) {
		struct side *s = &j->side[k];
		s->cell = xmalloc(sizeof *s->cell * (size_t)s->n);
		kmeans_assign(s->cell, NULL, s->x, s->n, j->d, centre, CT_CELLS);
	}
	return 0;
}

/* The vectors of a cell, heap, [*n, d]; NULL when there are none. */
static double *in_cell(int64_t *n, const struct side *s, int cell, int d)
{
	*n = 0;
	for (int64_t i = 0; i < s->n; i++)
		*n += s->cell[i] == cell;
	if (*n == 0)
		return NULL;
	double *x = xmalloc(sizeof *x * (size_t)*n * (size_t)d), *at = x;
	for (int64_t i = 0; i < s->n; i++)
		if (s->cell[i] == cell) {
			memcpy(at, s->x + i * d, sizeof *at * (size_t)d);
			at += d;
		}
	return x;
}

/* Squared distances of a side's vectors in a cell to their nearest of t, the cell's training: the same order as
 * distances, which is all that U sees. */
static int to_nearest(struct side *s, int cell, int d, const struct pairs_set *t, struct err *e)
{
	int64_t n;
	SCOPED(pairs_set) struct pairs_set set = { 0 };
	SCOPED(free) double *x = in_cell(&n, s, cell, d);
	if (!n)
		return 0;
	SCOPED(free) double *d2 = xmalloc(sizeof *d2 * (size_t)n);
	if (pairs_set_init_double(&set, x, n, d, "projected", e))
		return -1;
	pairs_nearest(d2, NULL, 1, &set, t);
	for (int64_t i = 0, at = 0; i < s->n; i++)
		if (s->cell[i] == cell)
			s->nearest[i] = d2[at++];
	return 0;
}

static int measure_cell(struct job *j, int cell, struct err *e)
{
	int64_t n;
	SCOPED(pairs_set) struct pairs_set t = { 0 };
	SCOPED(free) double *train = in_cell(&n, &j->side[TRAIN], cell, j->d);
	return pairs_set_init_double(&t, train, n, j->d, "training", e) || to_nearest(&j->side[TEST], cell, j->d, &t, e) ||
	               to_nearest(&j->side[GENERATED], cell, j->d, &t, e)
	           ? -1
	           : 0;
}

static int64_t count(const struct side *s, int cell)
{
	int64_t n = 0;
	for (int64_t i = 0; i < s->n; i++)
		n += s->cell[i] == cell;
	return n;
}

static int measure(struct copying_ct *out, struct job *j, struct err *e)
{
	for (int s = TEST; s < SIDES; s++)
		j->side[s].nearest = xmalloc(sizeof *j->side[s].nearest * (size_t)j->side[s].n);
	for (int c = 0; c < CT_CELLS; c++) {
		int64_t train = count(&j->side[TRAIN], c), test = count(&j->side[TEST], c);
		out->cell[c].train = train;
		out->cell[c].test = test;
		out->cell[c].generated = count(&j->side[GENERATED], c);
		if (!train || !test)
			return err_set(
				e,
				"C_T: of the %d cells of training one has no %s pictures (and %lld of the other kind); give more "
				"test pictures, or ones of the same distribution as training",
				CT_CELLS, train ? "test" : "training", (long long)(train ? train : test));
		if (measure_cell(j, c, e))
			return -1;
	}
	return 0;
}

/* A side's distances in a cell, without those of a block. Returns their number. */
static int64_t kept(double *out, const struct side *s, int cell, int gone)
{
	int64_t n = 0;
	for (int64_t i = 0; i < s->n; i++)
		if (s->cell[i] == cell && jackknife_dealt(i, JACKKNIFE_BLOCKS) != gone)
			out[n++] = s->nearest[i];
	return n;
}

/* Z of a cell without a block (-1: of all); NAN where a side has nothing there. *n_test: test vectors. */
static double z_of(int64_t *n_test, const struct job *j, int cell, int gone)
{
	SCOPED(free) double *test = xmalloc(sizeof *test * (size_t)j->side[TEST].n);
	SCOPED(free) double *generated = xmalloc(sizeof *generated * (size_t)j->side[GENERATED].n);
	int64_t n = kept(test, &j->side[TEST], cell, gone), m = kept(generated, &j->side[GENERATED], cell, gone);
	*n_test = n;
	if (!n || !m)
		return NAN;
	double nm = (double)n * (double)m, all = (double)(n + m + 1);
	return (mann_whitney_u(generated, m, test, n) - (nm / 2 - 0.5)) / sqrt(nm * all / 12);
}

/* C_T over the cells that count, without a block (-1: of all). */
static double value_of(const struct copying_ct *r, const struct job *j, int gone)
{
	double sum = 0, weights = 0;
	for (int c = 0; c < CT_CELLS; c++) {
		int64_t n;
		if (r->cell[c].generated <= CT_FEW)
			continue;
		double z = z_of(&n, j, c, gone);
		sum += (double)n * z;
		weights += (double)n;
	}
	return sum / weights;
}

static double half_of(const struct copying_ct *r, const struct job *j)
{
	double without[JACKKNIFE_BLOCKS];
	if (j->side[TEST].n < 2 * JACKKNIFE_BLOCKS || j->side[GENERATED].n < 2 * JACKKNIFE_BLOCKS)
		return NAN;
	/* NAN, and so is the half-width, where all test pictures of a cell are in the block */
	for (int b = 0; b < JACKKNIFE_BLOCKS; b++)
		without[b] = value_of(r, j, b);
	return jackknife_half_width(without, JACKKNIFE_BLOCKS);
}

static int judge(struct copying_ct *out, struct job *j, struct err *e)
{
	if (measure(out, j, e))
		return -1;
	for (int c = 0; c < CT_CELLS; c++) {
		int64_t n;
		out->cell[c].z = z_of(&n, j, c, -1);
		out->cells += out->cell[c].generated > CT_FEW;
	}
	if (!out->cells)
		return err_set(e, "C_T: none of the %d cells has more than %d generated pictures; give more of them", CT_CELLS,
		               CT_FEW);
	out->value = value_of(out, j, -1);
	out->half = half_of(out, j);
	return 0;
}

int copying_ct(struct copying_ct *out, const float *generated, int64_t m, const float *test, int64_t n,
               const float *train, int64_t l, int d, uint64_t seed, struct err *e)
{
	struct job j = { .side = { { .f = train, .n = l }, { .f = test, .n = n }, { .f = generated, .n = m } },
		             .d = d > CT_DIMENSIONS ? CT_DIMENSIONS : d };
	struct copying_ct r = { 0 };
	if (j.d < d && l <= j.d)
		return err_set(e, "C_T: %lld training pictures; it needs more than %d, for as many principal components",
		               (long long)l, CT_DIMENSIONS);
	project(&j, d);
	int bad = into_cells(&j, seed, e) || judge(&r, &j, e);
	job_release(&j);
	if (!bad)
		*out = r;
	return bad ? -1 : 0;
}
