/* prdc.c - see prdc.h. */
#include "metrics/distances/prdc.h"

#include "metrics/distances/pairs.h"
#include "metrics/math/jackknife.h"
#include "model/base/cpu.h"
#include "model/base/mem.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

enum { B = JACKKNIFE_BLOCKS, NOBODY = -1, MANY = -2 };

struct side {
	struct pairs_set set;
	double *radius; /* [n], squared */
	int64_t *balls; /* [n], of generated vectors: how many real balls hold it */
	bool *inside;   /* [n], of real vectors: does a generated ball hold it */
	int *by;        /* [n], of real vectors: the only block of generated vectors in its ball, or NOBODY or MANY */
};

static int side_init(struct side *s, const float *x, int64_t n, int d, int k, const char *what, struct err *e)
{
	if (n <= k)
		return err_set(e, "density and coverage with k = %d need at least %d %s vectors, not %lld", k, k + 1, what,
		               (long long)n);
	if (pairs_set_init(&s->set, x, n, d, what, e))
		return -1;
	s->radius = xmalloc(sizeof *s->radius * (size_t)n);
	s->balls = xcalloc((size_t)n, sizeof *s->balls);
	s->inside = xcalloc((size_t)n, sizeof *s->inside);
	s->by = xmalloc(sizeof *s->by * (size_t)n);
	for (int64_t i = 0; i < n; i++)
		s->by[i] = NOBODY;
	return 0;
}

static void scoped_side(struct side *s)
{
	pairs_set_release(&s->set);
	free(s->radius);
	free(s->balls);
	free(s->inside);
	free(s->by);
}

struct cross {
	struct side *x, *y; /* generated, real */
	const struct pairs_tile *t;
	int *block; /* [n] of each generated vector */
};

static bool inside(const struct cross *c, int64_t i, int64_t j, double radius)
{
	return pairs_settled(c->t, i, j, radius, &c->x->set, &c->y->set) < radius;
}

/* Of generated vectors: the real balls around them. */
static void cross_rows(void *ctx, int64_t first, int64_t last)
{
	const struct cross *c = ctx;
	const struct pairs_tile *t = c->t;
	for (int64_t i = first; i < last; i++) {
		int64_t balls = 0;
		for (int64_t j = 0; j < t->m; j++)
			balls += inside(c, i, j, c->y->radius[t->j0 + j]);
		c->x->balls[t->i0 + i] += balls;
	}
}

/* Of real vectors: the generated balls around them, and who is in their own. */
static void cross_columns(void *ctx, int64_t first, int64_t last)
{
	const struct cross *c = ctx;
	const struct pairs_tile *t = c->t;
	for (int64_t i = 0; i < t->n; i++)
		for (int64_t j = first; j < last; j++) {
			int block = c->block[t->i0 + i], *by = &c->y->by[t->j0 + j];
			bool *in = &c->y->inside[t->j0 + j];
			*in = *in || inside(c, i, j, c->x->radius[t->i0 + i]);
			if (*by != MANY && *by != block && inside(c, i, j, c->y->radius[t->j0 + j]))
				*by = *by == NOBODY ? block : MANY;
		}
}

static void cross_tile(void *ctx, const struct pairs_tile *t)
{
	struct cross *c = ctx;
	c->t = t;
	cpu_split(t->n, 16, cross_rows, c);
	cpu_split(t->m, 64, cross_columns, c);
}

/* The scores without the generated vectors of one block (-1: with all); all but recall. */
static struct prdc without(const struct side *x, const struct side *y, int k, int block)
{
	int64_t n = x->set.n, inside_any = 0, balls = 0, covered = 0;
	for (int64_t i = 0; i < n; i++)
		if (block < 0 || jackknife_dealt(i, B) != block) {
			inside_any += x->balls[i] > 0;
			balls += x->balls[i];
		}
	for (int64_t j = 0; j < y->set.n; j++)
		covered += y->by[j] != NOBODY && (block < 0 || y->by[j] != block);
	double left = (double)(block < 0 ? n : n - jackknife_dealt_to(n, B, block));
	return (struct prdc){ .precision = (double)inside_any / left,
		                  .density = (double)balls / (left * k),
		                  .coverage = (double)covered / (double)y->set.n };
}

static void half_widths(struct prdc *r, const struct side *x, const struct side *y, int k)
{
	double p[B], d[B], c[B];
	for (int b = 0; b < B; b++) {
		struct prdc w = without(x, y, k, b);
		p[b] = w.precision;
		d[b] = w.density;
		c[b] = w.coverage;
	}
	r->precision_half = jackknife_half_width(p, B);
	r->density_half = jackknife_half_width(d, B);
	r->coverage_half = jackknife_half_width(c, B);
}

int prdc(struct prdc *out, const float *generated, int64_t n, const float *real, int64_t m, int d, int k, struct err *e)
{
	REQUIRE(k >= 1 && k <= PRDC_MAX_K);
	SCOPED(side) struct side x = { 0 }, y = { 0 };
	if (side_init(&x, generated, n, d, k, "generated", e) || side_init(&y, real, m, d, k, "real", e))
		return -1;
	pairs_radii(x.radius, &x.set, k);
	pairs_radii(y.radius, &y.set, k);
	SCOPED(free) int *block = jackknife_blocks(n, B);
	pairs_visit_roughly(&x.set, &y.set, cross_tile, &(struct cross){ .x = &x, .y = &y, .block = block });
	struct prdc r = without(&x, &y, k, -1);
	int64_t recalled = 0;
	for (int64_t j = 0; j < m; j++)
		recalled += y.inside[j];
	r.recall = (double)recalled / (double)m;
	r.precision_half = r.density_half = r.coverage_half = NAN;
	if (n >= 2 * B)
		half_widths(&r, &x, &y, k);
	*out = r;
	return 0;
}
