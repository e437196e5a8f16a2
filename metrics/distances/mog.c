/* mog.c - see mog.h. A step is one pass over the kept distances. Rows are taken in blocks of a fixed size, each with a
 * gradient of its own, and the blocks are summed in order, whoever computed them. */
#include "metrics/distances/mog.h"

#include "metrics/math/jackknife.h"
#include "model/base/cpu.h"
#include "model/base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 256, STOP_ROUND = 6, STOP_BEFORE = 4 };
#define BETA1             0.9
#define BETA2             0.999
#define EPSILON           1e-8
#define START_FLOOR       1e-3 /* of squared distances */
#define BACKGROUND_SHRINK 0.81 /* (1 - 0.1)^2 */
#define FAR               60.0 /* exp(-60) is 1e-26 of the sum: 10,000 of them are below its rounding */

struct fit {
	const struct mog_recipe *how;
	int64_t n, m;
	double half_d;
	float *d2;                  /* [n, m] */
	double *back;               /* [n], squared distances to the background's centre; NULL = none */
	double *p, *mean, *square;  /* [m + 1]: log variances, the background's last; Adam's moments */
	double *inverse, *offset;   /* [m + 1]: l_ij = offset_j - D_ij inverse_j */
	double *gradients, *losses; /* [blocks, m + 1], [blocks], sums */
	double *scratch;            /* [threads, m + 1] */
	int64_t from, to;           /* rows of this step */
	int64_t t;                  /* steps done */
};

/* ---- the loss of one row ---------------------------------------------------------------------------------------- */

/* l_ij of a row; returns the largest. */
static double terms(double *l, const struct fit *f, const float *d2)
{
	double most = -INFINITY;
	for (int64_t j = 0; j < f->m; j++)
		l[j] = f->offset[j] - d2[j] * f->inverse[j];
	for (int64_t j = 0; j < f->m; j++)
		most = l[j] > most ? l[j] : most;
	return most;
}

/* Adds a row's loss to *loss and the derivative of it to g. The last term is the background's. */
static void row(double *g, double *loss, const struct fit *f, double *l, int64_t i)
{
	const float *d2 = f->d2 + i * f->m;
	double most = terms(l, f, d2), sum = 0;
	int64_t count = f->m + (f->back ? 1 : 0);
	if (f->back) {
		l[f->m] = f->offset[f->m] - f->back[i] * f->inverse[f->m];
		most = fmax(most, l[f->m]);
	}
	for (int64_t j = 0; j < count; j++) {
		double below = l[j] - most;
		l[j] = below > -FAR ? exp(below) : 0;
		sum += l[j];
	}
	*loss -= most + log(sum);
	for (int64_t j = 0; j < count; j++)
		if (l[j] > 0)
			g[j] -= l[j] / sum * ((j < f->m ? (double)d2[j] : f->back[i]) * f->inverse[j] - f->half_d);
}

static void blocks(void *ctx, int64_t first, int64_t last)
{
	const struct fit *f = ctx;
	double *l = f->scratch + cpu_thread() * (f->m + 1);
	for (int64_t b = first; b < last; b++) {
		double *g = f->gradients + b * (f->m + 1);
		int64_t from = f->from + b * BLOCK, to = from + BLOCK < f->to ? from + BLOCK : f->to;
		memset(g, 0, sizeof *g * (size_t)(f->m + 1));
		f->losses[b] = 0;
		for (int64_t i = from; i < to; i++)
			row(g, &f->losses[b], f, l, i);
	}
}

/* ---- a step ----------------------------------------------------------------------------------------------------- */

static void prepare(struct fit *f)
{
	double share = log((double)f->m);
	for (int64_t j = 0; j <= f->m; j++) {
		f->inverse[j] = 0.5 * exp(-f->p[j]);
		f->offset[j] = -f->half_d * f->p[j] - (j < f->m ? share : 0);
	}
}

static void adam(struct fit *f, int64_t j, double g, double lr)
{
	f->mean[j] = BETA1 * f->mean[j] + (1 - BETA1) * g;
	f->square[j] = BETA2 * f->square[j] + (1 - BETA2) * g * g;
	double mean = f->mean[j] / (1 - pow(BETA1, (double)f->t)), square = f->square[j] / (1 - pow(BETA2, (double)f->t));
	f->p[j] -= lr * mean / (sqrt(square) + EPSILON);
	if (j < f->m)
		f->p[j] = fmin(fmax(f->p[j], f->how->low), f->how->high);
}

/* Returns the loss before it. */
static double step(struct fit *f, int64_t from, int64_t to, double lr)
{
	int64_t n_blocks = (to - from + BLOCK - 1) / BLOCK;
	double scale = 1 / ((double)(to - from) * (f->how->per_dimension ? 2 * f->half_d : 1)), loss = 0;
	f->from = from;
	f->to = to;
	f->t++;
	prepare(f);
	cpu_split(n_blocks, 1, blocks, f);
	for (int64_t b = 0; b < n_blocks; b++)
		loss += f->losses[b];
	for (int64_t j = 0; j <= f->m; j++) {
		double g = 0;
		for (int64_t b = 0; b < n_blocks; b++)
			g += f->gradients[b * (f->m + 1) + j];
		adam(f, j, g * scale, lr);
	}
	return loss * scale;
}

static double one_round(struct fit *f, int number)
{
	int64_t batch = f->how->batch ? f->how->batch : f->n;
	double lr = number < f->how->lr_drops ? f->how->lr : f->how->lr / 10, sum = 0;
	int count = 0;
	for (int64_t from = 0; from < f->n; from += batch, count++)
		sum += step(f, from, from + batch < f->n ? from + batch : f->n, lr);
	return sum / count;
}

static bool settled(const double *loss, int number, double below)
{
	if (number < STOP_ROUND || !(below > 0))
		return false;
	for (int k = 1; k <= STOP_BEFORE; k++)
		if (!(fabs(loss[number] - loss[number - k]) < below))
			return false;
	return true;
}

/* ---- a fit ------------------------------------------------------------------------------------------------------ */

static void keep(void *ctx, const struct pairs_tile *t)
{
	struct fit *f = ctx;
	for (int64_t i = 0; i < t->n; i++)
		for (int64_t j = 0; j < t->m; j++)
			f->d2[(t->i0 + i) * f->m + t->j0 + j] = (float)t->d2[i * t->m + j];
}

static void start(struct fit *f)
{
	if (!f->how->start_at_data)
		return;
	for (int64_t j = 0; j < f->m; j++)
		f->p[j] = INFINITY;
	for (int64_t i = 0; i < f->n; i++)
		for (int64_t j = 0; j < f->m; j++)
			f->p[j] = fmin(f->p[j], f->d2[i * f->m + j]);
	for (int64_t j = 0; j < f->m; j++)
		f->p[j] = log((f->p[j] + START_FLOOR) / (2 * f->half_d));
}

static double value(const struct pairs_set *x, int64_t at)
{
	return x->g ? x->g[at] : (double)x->f[at];
}

/* Squared distances of the rows of x to their mean, shrunk. */
static void background(double *out, const struct pairs_set *x)
{
	SCOPED(free) double *mean = xcalloc((size_t)x->d, sizeof *mean);
	for (int64_t i = 0; i < x->n; i++)
		for (int64_t k = 0; k < x->d; k++)
			mean[k] += value(x, i * x->d + k) / (double)x->n;
	for (int64_t i = 0; i < x->n; i++) {
		double sum = 0;
		for (int64_t k = 0; k < x->d; k++) {
			double v = value(x, i * x->d + k) - mean[k];
			sum += v * v;
		}
		out[i] = BACKGROUND_SHRINK * sum;
	}
}

static void fit_release(struct fit *f)
{
	void *all[] = {
		f->d2, f->back, f->p, f->mean, f->square, f->inverse, f->offset, f->gradients, f->losses, f->scratch
	};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		free(all[i]);
}

static void fit_init(struct fit *f, const struct pairs_set *centre, const struct pairs_set *x,
                     const struct mog_recipe *how)
{
	size_t m1 = (size_t)centre->n + 1, n = (size_t)x->n, n_blocks = (n + BLOCK - 1) / BLOCK;
	*f = (struct fit){ .how = how, .n = x->n, .m = centre->n, .half_d = 0.5 * x->d };
	f->d2 = xmalloc(sizeof *f->d2 * n * (size_t)centre->n);
	f->back = how->background ? xmalloc(sizeof *f->back * n) : NULL;
	f->p = xcalloc(m1, sizeof *f->p);
	f->mean = xcalloc(m1, sizeof *f->mean);
	f->square = xcalloc(m1, sizeof *f->square);
	f->inverse = xmalloc(sizeof *f->inverse * m1);
	f->offset = xmalloc(sizeof *f->offset * m1);
	f->gradients = xmalloc(sizeof *f->gradients * n_blocks * m1);
	f->losses = xmalloc(sizeof *f->losses * n_blocks);
	f->scratch = xmalloc(sizeof *f->scratch * (size_t)cpu_threads() * m1);
	pairs_visit(x, centre, keep, f);
	if (f->back)
		background(f->back, x);
	start(f);
}

int mog_fit(double *log_variance, double *loss, const struct pairs_set *centre, const struct pairs_set *x,
            const struct mog_recipe *how)
{
	REQUIRE(centre->d == x->d && centre != x);
	struct fit f;
	int done = 0;
	SCOPED(free) double *seen = xmalloc(sizeof *seen * (size_t)how->rounds);
	fit_init(&f, centre, x, how);
	while (done < how->rounds) {
		seen[done] = one_round(&f, done);
		done++;
		if (settled(seen, done - 1, how->stop_below))
			break;
	}
	memcpy(log_variance, f.p, sizeof *f.p * (size_t)f.m);
	if (loss)
		memcpy(loss, seen, sizeof *seen * (size_t)done);
	fit_release(&f);
	return done;
}

/* ---- likelihoods ------------------------------------------------------------------------------------------------ */

/* A sum of exponentials that grows term by term: sum * exp(most). */
struct log_sum {
	double most, sum;
};

static void log_sum_add(struct log_sum *s, double l)
{
	if (l <= s->most) {
		s->sum += l - s->most > -FAR ? exp(l - s->most) : 0;
		return;
	}
	s->sum = s->sum * exp(s->most - l) + 1;
	s->most = l;
}

struct sums {
	const double *inverse, *offset;
	struct log_sum *of_x, *of_centre; /* [n, blocks], [m, blocks] */
	int blocks;
};

static void add_tile(void *ctx, const struct pairs_tile *t)
{
	const struct sums *s = ctx;
	for (int64_t i = 0; i < t->n; i++)
		for (int64_t j = 0; j < t->m; j++) {
			double l = s->offset[t->j0 + j] - t->d2[i * t->m + j] * s->inverse[t->j0 + j];
			if (s->of_x)
				log_sum_add(&s->of_x[(t->i0 + i) * s->blocks + jackknife_dealt(t->j0 + j, s->blocks)], l);
			if (s->of_centre)
				log_sum_add(&s->of_centre[(t->j0 + j) * s->blocks + jackknife_dealt(t->i0 + i, s->blocks)], l);
		}
}

static struct log_sum *log_sums_new(int64_t n, bool wanted)
{
	if (!wanted)
		return NULL;
	struct log_sum *s = xmalloc(sizeof *s * (size_t)n);
	for (int64_t i = 0; i < n; i++)
		s[i] = (struct log_sum){ .most = -INFINITY };
	return s;
}

static void give(double *out, const struct log_sum *s, int64_t n)
{
	for (int64_t i = 0; out && i < n; i++)
		out[i] = s[i].most + log(s[i].sum);
}

void mog_block_sums(double *of_x, double *of_centre, int blocks, const double *log_variance,
                    const struct pairs_set *centre, const struct pairs_set *x)
{
	REQUIRE(centre->d == x->d && centre != x && blocks >= 1);
	int64_t m = centre->n;
	SCOPED(free) double *inverse = xmalloc(sizeof *inverse * (size_t)m), *offset = xmalloc(sizeof *offset * (size_t)m);
	for (int64_t j = 0; j < m; j++) {
		inverse[j] = 0.5 * exp(-log_variance[j]);
		offset[j] = -0.5 * x->d * log_variance[j];
	}
	SCOPED(free)
	struct log_sum *rows = log_sums_new(x->n * blocks, of_x), *columns = log_sums_new(m * blocks, of_centre);
	struct sums s = { inverse, offset, rows, columns, blocks };
	pairs_visit(x, centre, add_tile, &s);
	give(of_x, rows, x->n * blocks);
	give(of_centre, columns, m * blocks);
}

void mog_log_sums(double *of_x, double *of_centre, const double *log_variance, const struct pairs_set *centre,
                  const struct pairs_set *x)
{
	mog_block_sums(of_x, of_centre, 1, log_variance, centre, x);
}

double mog_sum_without(const double *part, int blocks, int gone)
{
	struct log_sum s = { .most = -INFINITY };
	for (int b = 0; b < blocks; b++)
		if (b != gone)
			log_sum_add(&s, part[b]);
	return s.most + log(s.sum);
}

double mog_nll_without(const double *of_x, int64_t n, int64_t m, int blocks, int gone)
{
	double sum = 0, rows = (double)(gone < 0 ? n : n - jackknife_dealt_to(n, blocks, gone));
	double out = gone < 0 ? 0 : (double)jackknife_dealt_to(m, blocks, gone), count = (double)m;
	for (int64_t i = 0; i < n; i++) {
		const double *part = of_x + i * blocks;
		if (jackknife_dealt(i, blocks) == gone)
			continue;
		double all = mog_sum_without(part, blocks, -1);
		sum -= all;
		if (gone >= 0)
			sum += (exp(part[gone] - all) * count - out) / (count - out);
	}
	return log(count) + sum / rows;
}

double mog_nll(const double *log_variance, const struct pairs_set *centre, const struct pairs_set *x)
{
	SCOPED(free) double *of_x = xmalloc(sizeof *of_x * (size_t)x->n);
	mog_log_sums(of_x, NULL, log_variance, centre, x);
	return mog_nll_without(of_x, x->n, centre->n, 1, -1);
}
