/* optim.c - see optim.h. */
#include "model/graph/optim.h"

#include "model/base/cpu.h"

#include <math.h>

double radam_rho(double beta2, int64_t t)
{
	double b2t = pow(beta2, (double)t), inf = 2 / (1 - beta2) - 1;
	return inf - 2 * (double)t * b2t / (1 - b2t);
}

double radam_rectification(double beta2, int64_t t)
{
	double rho = radam_rho(beta2, t), inf = 2 / (1 - beta2) - 1;
	if (rho <= 5)
		return 0;
	return sqrt((rho - 4) * (rho - 2) * inf / ((inf - 4) * (inf - 2) * rho));
}

struct optim_step optim_step_at(const struct optim *o, int64_t t)
{
	double correct1 = 1 - pow(o->beta1, (double)t), correct2 = 1 - pow(o->beta2, (double)t);
	struct optim_step s = { .beta1 = (float)o->beta1,
		                    .beta2 = (float)o->beta2,
		                    .rest1 = (float)(1 - o->beta1),
		                    .rest2 = (float)(1 - o->beta2),
		                    .eps = (float)o->eps,
		                    .weight_decay = (float)o->weight_decay };
	if (o->kind == OPTIM_ADAM) { /* lr * (m / c1) / (sqrt(v / c2) + eps) */
		s.adaptive = 1;
		s.step = (float)(o->lr / correct1);
		s.root_scale = (float)(1 / sqrt(correct2));
		return s;
	}
	double rectification = radam_rectification(o->beta2, t);
	s.adaptive = rectification > 0;
	s.root_scale = 1;
	s.step = (float)(o->lr / correct1 * (s.adaptive ? rectification * sqrt(correct2) : 1));
	return s;
}

CPU_KERNEL static void step_range(const struct optim_step *s, int64_t n, float *restrict p, const float *restrict g,
                                  float *restrict m, float *restrict v)
{
	float b1 = s->beta1, b2 = s->beta2, a1 = s->rest1, a2 = s->rest2, step = s->step, scale = s->root_scale,
		  eps = s->eps, wd = s->weight_decay;
	if (s->adaptive) {
		for (int64_t i = 0; i < n; i++) {
			float gi = g[i] + wd * p[i], mi = b1 * m[i] + a1 * gi, vi = b2 * v[i] + a2 * gi * gi;
			m[i] = mi;
			v[i] = vi;
			p[i] -= step * mi / (__builtin_sqrtf(vi) * scale + eps);
		}
	} else {
		for (int64_t i = 0; i < n; i++) {
			float gi = g[i] + wd * p[i], mi = b1 * m[i] + a1 * gi;
			v[i] = b2 * v[i] + a2 * gi * gi;
			m[i] = mi;
			p[i] -= step * mi;
		}
	}
}

CPU_KERNEL static void average_range(float *restrict ema, const float *restrict p, float decay, float rest, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		ema[i] = decay * ema[i] + rest * p[i];
}

struct sweep {
	const struct optim_step *s;
	float *p, *m, *v, *ema, *teacher;
	const float *g;
	struct average of_ema, of_teacher;
	size_t n;
};

enum { CHUNK = 4096 }; /* floats: stays in the first-level caches between the sweeps over it */

static void sweep_range(void *ctx, int64_t first, int64_t last)
{
	static const float zeros[CHUNK];
	struct sweep *w = ctx;
	for (int64_t i = first; i < last; i++) {
		size_t at = (size_t)i * CHUNK, left = w->n - at, n = left < CHUNK ? left : CHUNK;
		step_range(w->s, (int64_t)n, w->p + at, w->g ? w->g + at : zeros, w->m + at, w->v + at);
		if (w->ema)
			average_range(w->ema + at, w->p + at, w->of_ema.keep, w->of_ema.rest, (int64_t)n);
		if (w->teacher)
			average_range(w->teacher + at, w->p + at, w->of_teacher.keep, w->of_teacher.rest, (int64_t)n);
	}
}

struct average average_of(double decay)
{
	return (struct average){ (float)decay, (float)(1 - decay) };
}

void optim_sweep(const struct optim_step *s, size_t n, float *p, const float *g, float *m, float *v, float *ema,
                 struct average of_ema, float *teacher, struct average of_teacher)
{
	struct sweep w = { s, p, m, v, ema, teacher, g, of_ema, of_teacher, n };
	cpu_split((int64_t)((n + CHUNK - 1) / CHUNK), 4, sweep_range, &w);
}

struct following {
	float *to;
	const float *p;
	struct average of;
	size_t n;
};

static void follow_range(void *ctx, int64_t first, int64_t last)
{
	const struct following *w = ctx;
	size_t at = (size_t)first * CHUNK, end = (size_t)last * CHUNK;
	average_range(w->to + at, w->p + at, w->of.keep, w->of.rest, (int64_t)((end < w->n ? end : w->n) - at));
}

void optim_follow(size_t n, float *to, const float *p, struct average of)
{
	cpu_split((int64_t)((n + CHUNK - 1) / CHUNK), 4, follow_range, &(struct following){ to, p, of, n });
}

void optim_apply(const struct optim_step *s, size_t n, float *p, const float *g, float *m, float *v, float *ema,
                 double decay, float *teacher, double mu)
{
	optim_sweep(s, n, p, g, m, v, ema, average_of(decay), teacher, average_of(mu));
}
