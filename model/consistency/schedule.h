/* schedule.h - the numbers of consistency training, in double: curricula, noise grids, weights, preconditioning.
 * Sources: Song et al. 2023 (CT), Song & Dhariwal 2023 (iCT), Geng et al. 2024 (ECT) and their code, one by one in
 * model/README.md, "Objective". */
#ifndef ABLATE_SCHEDULE_H
#define ABLATE_SCHEDULE_H

#include "model/config/config.h"

#include <stdint.h>

/* N(k): grid points at step k of total steps; N - 1 intervals. exp: iCT section 3.4; sqrt: jcm losses.py:916-927;
 * linear, square, cosine: shapes of iCT figure 3, whose formulas are ours; sqrt-short: Kinyugo/consistency_models
 * timesteps_schedule. */
int64_t schedule_n(const struct run_config *c, int64_t k);
/* mu(k) of the teacher's EMA at step k: 0, the constant, or exp(s0 ln mu0 / s) (jcm losses.py:925-926). */
double schedule_mu(const struct run_config *c, int64_t k);

/* sigma_i of the Karras grid of n points, ascending: i = 0 is sigma_min, i = n-1 sigma_max; in the precision of
 * config.sigma.grid. */
double sigma_at(const struct run_config *c, int64_t n, int64_t i);

/* The distribution of the interval index i in [0, n-2] as a running sum: cdf[i] = P(index <= i), cdf[n-2] = 1.
 * lognormal: proportional to erf((ln s_{i+1} - mean)/(sqrt2 std)) - erf((ln s_i - mean)/(sqrt2 std)) (iCT section
 * 3.5). */
void index_cdf(double *cdf, const struct run_config *c, int64_t n);
int64_t index_of(const double *cdf, int64_t n, double u); /* u in (0,1) */
/* What both become as N goes to infinity: the level below which the share u of noise.dist lies, between sigma_min and
 * sigma_max. */
double level_of(const struct run_config *c, double u);

/* c of the loss on a grid of n points: the config's, or by config.loss.c_schedule. */
double loss_c(const struct run_config *c, int64_t n);
/* lambda for student noise t and teacher noise r. */
double loss_weight(const struct run_config *c, double t, double r);
/* As N goes to infinity the loss of a step vanishes like a square of the gap t - r, its gradient like the gap. This is
 * lambda times what N - 1 gaps at t make, dt/du with u from 0 to 1 along the grid (Song 2023, appendix B.2); of
 * lambda = 1/(t - r) the gap itself goes, and 1 is left. */
double loss_weight_limit(const struct run_config *c, double t);

struct precond {
	double c_skip, c_out, c_in, c_noise;
};
/* Preconditioning at noise sigma; kind as config.precond.kind. */
struct precond precond_at(const struct run_config *c, enum precond_kind kind, double sigma);
/* Its derivatives with respect to sigma, which is above 0; not of the kinds with a time of their own. */
struct precond precond_slope_at(const struct run_config *c, enum precond_kind kind, double sigma);

/* On the straight line y = (1 - s) x + s z from pictures to noise (arXiv:2505.13447): the time s of noise sigma, where
 * y is x + sigma z but for a factor; and the noise at step j of n equal ones of s from 0 to that of `max`. */
double flow_time(double sigma);
double flow_level(double max, int j, int n);

/* sCT: how much of the tangent's unstable half counts at step k, from 0 to 1 (arXiv:2410.11081, section 4.1). */
double tangent_warmth(const struct run_config *c, int64_t k);

/* ECT: r(t) at step k, clamped at 0 (ect loss.py:45-50), with TCM's limit ect.ratio_max. */
double ect_r(const struct run_config *c, double t, int64_t k);

#endif
