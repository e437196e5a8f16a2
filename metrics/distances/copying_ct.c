/* copying_ct.c - see copying_ct.h. */
#include "metrics/distances/copying_ct.h"

#include "metrics/distances/pairs.h"
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
	double *x; /* [n, d] after the projection */
	int *cell; /* [n] */
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

/* Squared distances of x [n, d] to their nearest of t: the same order as distances, which is all that U sees. */
static int to_nearest(double *d2, const double *x, int64_t n, int d, const struct pairs_set *t, struct err *e)
{
	SCOPED(pairs_set) struct pairs_set s = { 0 };
	if (pairs_set_init_double(&s, x, n, d, "projected", e))
		return -1;
	pairs_nearest(d2, NULL, 1, &s, t);
	return 0;
}

static int z_of(double *z, const double *const x[SIDES], const int64_t n[SIDES], int d, struct err *e)
{
	SCOPED(pairs_set) struct pairs_set t = { 0 };
	SCOPED(free) double *test = xmalloc(sizeof *test * (size_t)n[TEST]);
	SCOPED(free) double *generated = xmalloc(sizeof *generated * (size_t)n[GENERATED]);
	if (pairs_set_init_double(&t, x[TRAIN], n[TRAIN], d, "training", e) ||
	    to_nearest(test, x[TEST], n[TEST], d, &t, e) || to_nearest(generated, x[GENERATED], n[GENERATED], d, &t, e))
		return -1;
	double nm = (double)n[TEST] * (double)n[GENERATED], all = (double)(n[TEST] + n[GENERATED] + 1);
	double u = mann_whitney_u(generated, n[GENERATED], test, n[TEST]);
	*z = (u - (nm / 2 - 0.5)) / sqrt(nm * all / 12);
	return 0;
}

static int judge_cell(struct copying_ct *out, const struct job *j, int cell, struct err *e)
{
	int64_t n[SIDES];
	SCOPED(free) double *train = in_cell(&n[TRAIN], &j->side[TRAIN], cell, j->d);
	SCOPED(free) double *test = in_cell(&n[TEST], &j->side[TEST], cell, j->d);
	SCOPED(free) double *generated = in_cell(&n[GENERATED], &j->side[GENERATED], cell, j->d);
	out->cell[cell].train = n[TRAIN];
	out->cell[cell].test = n[TEST];
	out->cell[cell].generated = n[GENERATED];
	out->cell[cell].z = NAN;
	if (!n[TRAIN] || !n[TEST])
		return err_set(
			e,
			"C_T: of the %d cells of training one has no %s pictures (and %lld of the other kind); give more "
			"test pictures, or ones of the same distribution as training",
			CT_CELLS, n[TRAIN] ? "test" : "training", (long long)(n[TRAIN] ? n[TRAIN] : n[TEST]));
	const double *x[SIDES] = { train, test, generated };
	return n[GENERATED] ? z_of(&out->cell[cell].z, x, n, j->d, e) : 0;
}

static int judge(struct copying_ct *out, const struct job *j, struct err *e)
{
	double sum = 0, weights = 0;
	for (int c = 0; c < CT_CELLS; c++) {
		if (judge_cell(out, j, c, e))
			return -1;
		if (out->cell[c].generated <= CT_FEW)
			continue;
		out->cells++;
		sum += (double)out->cell[c].test * out->cell[c].z;
		weights += (double)out->cell[c].test;
	}
	if (!out->cells)
		return err_set(e, "C_T: none of the %d cells has more than %d generated pictures; give more of them", CT_CELLS,
		               CT_FEW);
	out->value = sum / weights;
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
