/* cmmd.c - see cmmd.h. With h = 1 - k the constants cancel: MMD^2 = 2 mean h(x, y) - mean h(x, x') - mean h(y, y'),
 * without the digits that three means close to 1 would lose. */
#include "metrics/distances/cmmd.h"

#include "metrics/distances/pairs.h"
#include "metrics/math/jackknife.h"
#include "model/base/cpu.h"
#include "model/base/mem.h"

#include <math.h>
#include <stdlib.h>

enum { B = JACKKNIFE_BLOCKS };

/* Sums of h over pairs of blocks: the whole, and the whole without a block, follow from those. */
struct sums {
	double pair[B][B];
};

struct pass {
	struct sums *out;
	int *block_i, *block_j; /* of each row of x, of y */
	double (*row)[B];       /* of the tile's rows: sums by the columns' blocks */
	const struct pairs_tile *t;
};

static void sum_rows(void *ctx, int64_t first, int64_t last)
{
	const struct pass *p = ctx;
	for (int64_t i = first; i < last; i++) {
		double *row = p->row[i];
		for (int b = 0; b < B; b++)
			row[b] = 0;
		for (int64_t j = 0; j < p->t->m; j++)
			row[p->block_j[p->t->j0 + j]] -= expm1(-p->t->d2[i * p->t->m + j] / (2 * CMMD_SIGMA * CMMD_SIGMA));
	}
}

static void sum_tile(void *ctx, const struct pairs_tile *t)
{
	struct pass *p = ctx;
	p->t = t;
	p->row = xmalloc(sizeof *p->row * (size_t)t->n);
	cpu_split(t->n, 16, sum_rows, p);
	for (int64_t i = 0; i < t->n; i++)
		for (int b = 0; b < B; b++) {
			int a = p->block_i[t->i0 + i];
			p->out->pair[a][b] += p->row[i][b];
			if (t->mirror)
				p->out->pair[b][a] += p->row[i][b];
		}
	free(p->row);
}

static struct sums all_pairs(const struct pairs_set *x, const struct pairs_set *y)
{
	struct sums s = { 0 };
	SCOPED(free) int *block_i = jackknife_blocks(x->n, B);
	SCOPED(free) int *block_j = jackknife_blocks(y->n, B);
	pairs_visit(x, y, sum_tile, &(struct pass){ .out = &s, .block_i = block_i, .block_j = block_j });
	return s;
}

/* The mean of h without block `gone` of either side (-1: with all). */
static double mean(const struct sums *s, int64_t n, int64_t m, int gone)
{
	double sum = 0;
	for (int a = 0; a < B; a++)
		for (int b = 0; b < B; b++)
			sum += a == gone || b == gone ? 0 : s->pair[a][b];
	if (gone >= 0) {
		n -= jackknife_bound(n, gone + 1, B) - jackknife_bound(n, gone, B);
		m -= jackknife_bound(m, gone + 1, B) - jackknife_bound(m, gone, B);
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
