/* draw.c - see draw.h. */
#include "model/train/draw.h"

#include "model/base/mem.h"
#include "model/base/rng.h"
#include "model/consistency/segments.h"
#include "model/consistency/truncated.h"
#include "model/train/pairing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void draws_release(struct draws *d)
{
	free(d->cdf);
	free(d->batch);
	*d = (struct draws){ 0 };
}

/* In the order of the epoch. */
static void in_order(struct sample_draw *out, const struct draws *d, int64_t k, int64_t first, int64_t n)
{
	uint64_t all = (uint64_t)d->data->n;
	for (int64_t i = 0; i < n; i++) {
		uint64_t place = (uint64_t)(first + i), at = (uint64_t)k * (uint64_t)d->c->train.batch + place;
		out[i].image = (int64_t)rng_permute(at % all, all, d->seed, RNG_ORDER, (uint32_t)(at / all));
		out[i].flip = d->c->data.flip && rng_uniform(d->seed, RNG_FLIP, (uint32_t)k, place) < 0.5f;
		out[i].label = d->data->labels[out[i].image];
	}
}

void draw_images(struct sample_draw *out, struct draws *d, int64_t k, int64_t first, int64_t n)
{
	size_t all = (size_t)d->c->train.batch;
	if (d->c->noise.pairing == PAIRING_INDEPENDENT) {
		in_order(out, d, k, first, n);
		return;
	}
	if (d->paired != k + 1) { /* the first part of the step */
		d->batch = xrealloc(d->batch, all, sizeof *d->batch);
		in_order(d->batch, d, k, 0, (int64_t)all);
		pair_with_noise(d->batch, (int64_t)all, d->data, d->seed, k);
		d->paired = k + 1;
	}
	memcpy(out, d->batch + first, (size_t)n * sizeof *out);
}

void draw_coupling(struct step *s, const struct draws *d, int64_t k, int64_t first, int n)
{
	double share = config_generator_share(d->c);
	for (int i = 0; share > 0 && i < n; i++)
		coupling_choose(&s->coupling, i,
		                rng_uniform_double(d->seed, RNG_COUPLING, (uint32_t)k, (uint64_t)(first + i)) < share);
}

/* Standard normal by inverting its distribution function in double. */
static double normal_of(double u)
{
	double lo = -40, hi = 40; /* bisection on erfc: 100 halvings are exact, and this is drawn once per sample */
	for (int i = 0; i < 100; i++) {
		double mid = (lo + hi) / 2;
		if (0.5 * erfc(-mid / sqrt(2)) < u)
			lo = mid;
		else
			hi = mid;
	}
	return (lo + hi) / 2;
}

static double lognormal(const struct run_config *c, double u)
{
	return exp(c->noise.mean + c->noise.std * normal_of(u));
}

/* The student's and the teacher's noise at a place of the batch, by the uniform number u. */
static void noise_levels(double *big, double *small, const struct draws *d, int64_t k, int64_t n, int64_t place,
                         double u)
{
	const struct run_config *c = d->c;
	if (truncated_at(c, k)) {
		*big = truncated_level(c, place, u);
		*small = ect_r(c, *big, k);
	} else if (c->method.kind == METHOD_ECT || c->method.kind == METHOD_TCM) {
		*big = c->noise.dist == NOISE_LOGNORMAL ? lognormal(c, u) : c->sigma.min + u * (c->sigma.max - c->sigma.min);
		*small = ect_r(c, *big, k);
	} else {
		int64_t index = index_of(d->cdf, n, u);
		*small = sigma_at(c, n, index);
		*big = sigma_at(c, n, index + 1);
	}
	*small = segment_teacher(c, *big, *small);
}

/* MeanFlow's of the sample at `place`, of whose two levels u gives one: the mean velocity is from the larger down to
 * the smaller, or, for the other share of the samples, the velocity at the larger. */
static void flow_levels(double *big, double *small, const struct draws *d, int64_t k, uint64_t place, double u)
{
	const struct run_config *c = d->c;
	double one = lognormal(c, u),
		   other = lognormal(c, rng_uniform_double(d->seed, RNG_SIGMA_LOWER, (uint32_t)k, place));
	bool apart = rng_uniform_double(d->seed, RNG_SHARE, (uint32_t)k, place) < c->meanflow.share;
	*big = fmax(one, other);
	*small = apart ? fmin(one, other) : *big;
}

void draw_noise_levels(struct step *s, struct draws *d, const struct split *split, int64_t k, int64_t first)
{
	const struct run_config *c = d->c;
	int64_t n = schedule_n(c, k);
	if (config_has_grid(c) && d->cdf_n != n) {
		d->cdf = xrealloc(d->cdf, (size_t)n, sizeof *d->cdf);
		d->cdf_n = n;
		index_cdf(d->cdf, c, n);
	}
	step_set_c(s, loss_c(c, n));
	for (int i = 0; i < split->micro; i++) {
		int64_t place = first + i;
		double u = rng_uniform_double(d->seed, RNG_SIGMA, (uint32_t)k, (uint64_t)place), big, small;
		if (c->method.kind == METHOD_MEANFLOW) {
			flow_levels(&big, &small, d, k, (uint64_t)place, u);
			step_set_flow(s, c, i, big, small, 1.0 / split->parts);
			continue;
		}
		if (c->method.kind == METHOD_CT_CONTINUOUS) {
			big = level_of(c, u);
			step_set_continuous(s, c, i, big, 1, loss_weight_limit(c, big) / split->parts);
			continue;
		}
		if (config_is_continuous(c)) {
			step_set_continuous(s, c, i, lognormal(c, u), tangent_warmth(c, k), 1.0 / split->parts);
			continue;
		}
		noise_levels(&big, &small, d, k, n, place, u);
		double weight = loss_weight(c, big, small) / split->parts;
		if (truncated_at(c, k))
			weight *= truncated_weight(c, place);
		if (c->method.kind == METHOD_TCM)
			step_set_truncated(s, c, i, big, small, weight, truncated_answers(c, small, k));
		else
			step_set_noise(s, c, i, big, small, weight);
	}
}
