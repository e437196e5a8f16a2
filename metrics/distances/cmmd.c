/* cmmd.c - see cmmd.h. With h = 1 - k the constants cancel: MMD^2 = 2 mean h(x, y) - mean h(x, x') - mean h(y, y'),
 * without the digits that three means close to 1 would lose. */
#include "metrics/distances/cmmd.h"

#include "metrics/distances/pairs.h"
#include "metrics/math/jackknife.h"
#include "metrics/math/ranges.h"
#include "model/base/cpu.h"
#include "model/base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { B = JACKKNIFE_BLOCKS };

/* Two ways to cut a set into B parts: the whole is added up from ranges, and the whole without a block from the blocks
 * of the jackknife. */
enum { RANGES, BLOCKS, CUTS };

/* Sums of h over pairs of parts. */
struct sums {
	double pair[CUTS][B][B];
};

/* Where a row is in each cut. */
struct place {
	int part[CUTS];
};

struct pass {
	struct sums *out;
	struct place *x, *y;    /* of each row */
	double (*row)[CUTS][B]; /* of the tile's rows: sums by the columns' parts */
	const struct pairs_tile *t;
};

/* Heap: of n rows. */
static struct place *places(int64_t n)
{
	struct place *p = xmalloc(sizeof *p * (size_t)n);
	for (int64_t i = 0; i < n; i++)
		p[i] = (struct place){ { [RANGES] = range_of(i, n, B), [BLOCKS] = jackknife_dealt(i, B) } };
	return p;
}

static void sum_rows(void *ctx, int64_t first, int64_t last)
{
	const struct pass *p = ctx;
	for (int64_t i = first; i < last; i++) {
		memset(p->row[i], 0, sizeof p->row[i]);
		for (int64_t j = 0; j < p->t->m; j++) {
			double h = -expm1(-p->t->d2[i * p->t->m + j] / (2 * CMMD_SIGMA * CMMD_SIGMA));
			for (int c = 0; c < CUTS; c++)
				p->row[i][c][p->y[p->t->j0 + j].part[c]] += h;
		}
	}
}

static void sum_tile(void *ctx, const struct pairs_tile *t)
{
	struct pass *p = ctx;
	p->t = t;
	p->row = xmalloc(sizeof *p->row * (size_t)t->n);
	cpu_split(t->n, 16, sum_rows, p);
	for (int64_t i = 0; i < t->n; i++)
		for (int c = 0; c < CUTS; c++)
			for (int a = p->x[t->i0 + i].part[c], b = 0; b < B; b++) {
				p->out->pair[c][a][b] += p->row[i][c][b];
				if (t->mirror)
					p->out->pair[c][b][a] += p->row[i][c][b];
			}
	free(p->row);
}

static struct sums all_pairs(const struct pairs_set *x, const struct pairs_set *y)
{
	struct sums s = { 0 };
	SCOPED(free) struct place *of_x = places(x->n), *of_y = places(y->n);
	pairs_visit(x, y, sum_tile, &(struct pass){ .out = &s, .x = of_x, .y = of_y });
	return s;
}

/* The mean of h without block `gone` of either side (-1: with all). */
static double mean(const struct sums *s, int64_t n, int64_t m, int gone)
{
	double sum = 0;
	for (int a = 0; a < B; a++)
		for (int b = 0; b < B; b++)
			sum += a == gone || b == gone ? 0 : s->pair[gone < 0 ? RANGES : BLOCKS][a][b];
	if (gone >= 0) {
		n -= jackknife_dealt_to(n, B, gone);
		m -= jackknife_dealt_to(m, B, gone);
	}
	return sum / ((double)n * (double)m);
}

int cmmd(struct cmmd *out, const float *x, int64_t n, const float *y, int64_t m, int d, struct err *e)
{
	if (n < 1 || m < 1)
		return err_set(e, "CMMD needs at least one vector on each side, not %lld and %lld", (long long)n, (long long)m);
	SCOPED(pairs_set) struct pairs_set a = { 0 }, b = { 0 };
	if (pairs_set_init(&a, x, n, d, "generated", e) || pairs_set_init(&b, y, m, d, "real", e))
		return -1;
	struct sums xx = all_pairs(&a, &a), yy = all_pairs(&b, &b), xy = all_pairs(&a, &b);
	double value[1 + B]; /* the whole, then without each block */
	for (int k = 0; k < (n >= 2 * B && m >= 2 * B ? 1 + B : 1); k++)
		value[k] = CMMD_SCALE * (2 * mean(&xy, n, m, k - 1) - mean(&xx, n, n, k - 1) - mean(&yy, m, m, k - 1));
	*out = (struct cmmd){ .value = value[0],
		                  .half = n >= 2 * B && m >= 2 * B ? jackknife_half_width(value + 1, B) : NAN };
	return 0;
}
