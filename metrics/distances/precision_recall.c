/* precision_recall.c - see precision_recall.h. */
#include "metrics/distances/precision_recall.h"

#include "metrics/distances/pairs.h"
#include "metrics/math/jackknife.h"
#include "model/base/cpu.h"
#include "model/base/mem.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

enum { MAX_K = 64 };

struct side {
	struct pairs_set set;
	double *radius; /* [n], squared */
	bool *inside;
};

static int side_init(struct side *s, const float *x, int64_t n, int d, int k, const char *what, struct err *e)
{
	if (n <= k)
		return err_code(e, EXIT_USAGE, "precision and recall with k = %d need at least %d %s vectors, not %lld", k,
		                k + 1, what, (long long)n);
	if (pairs_set_init(&s->set, x, n, d, what, e))
		return -1;
	s->radius = xmalloc(sizeof *s->radius * (size_t)n);
	s->inside = xcalloc((size_t)n, sizeof *s->inside);
	return 0;
}

static void scoped_side(struct side *s)
{
	pairs_set_release(&s->set);
	free(s->radius);
	free(s->inside);
}

struct cross {
	struct side *x, *y;
	const struct pairs_tile *t;
};

static bool within(const struct cross *c, int64_t i, int64_t j, double radius)
{
	return pairs_settled(c->t, i, j, radius, &c->x->set, &c->y->set) <= radius;
}

/* Which rows of x lie in a ball of y. */
static void cross_rows(void *ctx, int64_t first, int64_t last)
{
	const struct cross *c = ctx;
	const struct pairs_tile *t = c->t;
	for (int64_t i = first; i < last; i++)
		for (int64_t j = 0; j < t->m && !c->x->inside[t->i0 + i]; j++)
			c->x->inside[t->i0 + i] = within(c, i, j, c->y->radius[t->j0 + j]);
}

/* Which rows of y lie in a ball of x. */
static void cross_columns(void *ctx, int64_t first, int64_t last)
{
	const struct cross *c = ctx;
	const struct pairs_tile *t = c->t;
	for (int64_t i = 0; i < t->n; i++)
		for (int64_t j = first; j < last; j++)
			if (!c->y->inside[t->j0 + j])
				c->y->inside[t->j0 + j] = within(c, i, j, c->x->radius[t->i0 + i]);
}

static void cross_tile(void *ctx, const struct pairs_tile *t)
{
	struct cross *c = ctx;
	c->t = t;
	cpu_split(t->n, 16, cross_rows, c);
	cpu_split(t->m, 64, cross_columns, c);
}

/* The share of vectors inside, without those of one block (-1: of all). */
static double share(const struct side *s, int gone)
{
	int64_t in = 0, n = 0;
	for (int64_t i = 0; i < s->set.n; i++)
		if (gone < 0 || jackknife_dealt(i, JACKKNIFE_BLOCKS) != gone) {
			in += s->inside[i];
			n++;
		}
	return (double)in / (double)n;
}

/* Of share: a vector is inside or not whichever others are there. */
static double share_half(const struct side *s)
{
	double without[JACKKNIFE_BLOCKS], all = share(s, -1);
	if (s->set.n < 2 * JACKKNIFE_BLOCKS || all <= 0 || all >= 1)
		return NAN;
	for (int b = 0; b < JACKKNIFE_BLOCKS; b++)
		without[b] = share(s, b);
	return jackknife_half_width(without, JACKKNIFE_BLOCKS);
}

static void give_radii(double *out, const struct side *s)
{
	for (int64_t i = 0; out && i < s->set.n; i++)
		out[i] = sqrt(s->radius[i]);
}

int precision_recall(struct precision_recall *out, double *radius_generated, double *radius_real,
                     const float *generated, int64_t n, const float *real, int64_t m, int d, int k, struct err *e)
{
	REQUIRE(k >= 1 && k < MAX_K);
	SCOPED(side) struct side g = { 0 }, r = { 0 };
	if (side_init(&g, generated, n, d, k, "generated", e) || side_init(&r, real, m, d, k, "real", e))
		return -1;
	pairs_radii(g.radius, &g.set, k);
	pairs_radii(r.radius, &r.set, k);
	pairs_visit_roughly(&g.set, &r.set, cross_tile, &(struct cross){ .x = &g, .y = &r });
	double p = share(&g, -1), c = share(&r, -1);
	*out = (struct precision_recall){
		.precision = p, .recall = c, .f1 = p + c > 0 ? 2 * p * c / (p + c) : 0, .precision_half = share_half(&g)
	};
	give_radii(radius_generated, &g);
	give_radii(radius_real, &r);
	return 0;
}
