/* test_schedule.c - curricula, grids, weights and preconditioning against closed forms (Song et al. 2023; Song &
 * Dhariwal 2023; Geng et al. 2024). */
#include "model/consistency/schedule.h"
#include "model/cpu/devices.h"

#include "model/base/mem.h"
#include "model/base/rng.h"
#include "model/consistency/step.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#define near(got, want, tol) \
	cr_expect(fabs((got) - (want)) <= (tol), "%.17g, expected %.17g", (double)(got), (double)(want))

static struct run_config config(enum disc_kind disc, int s0, int s1, int steps)
{
	struct run_config c;
	config_defaults(&c);
	c.disc.kind = disc;
	c.disc.s0 = s0;
	c.disc.s1 = s1;
	c.train.steps = steps;
	c.sigma.min = 0.002;
	c.sigma.max = 80;
	c.sigma.rho = 7;
	c.sigma.data = 0.5;
	return c;
}

/* iCT: K' = floor(K / (log2(s1/s0) + 1)); 8 stages of equal length double from s0 to s1. */
Test(schedule, doubling_takes_eight_equal_stages_from_11_to_1281_points)
{
	struct run_config c = config(DISC_EXP, 10, 1280, 400000);
	for (int64_t stage = 0; stage < 8; stage++) {
		cr_expect_eq(schedule_n(&c, stage * 50000), (10 << stage) + 1);
		cr_expect_eq(schedule_n(&c, stage * 50000 + 49999), (10 << stage) + 1);
	}
	cr_expect_eq(schedule_n(&c, 400000), 1281, "the last stage goes on");
	cr_expect_eq(schedule_n(&c, 4000000), 1281);
}

Test(schedule, doubling_stops_at_s1_where_s1_is_no_power_of_two_of_s0)
{
	struct run_config c = config(DISC_EXP, 2, 150, 100);
	cr_expect_eq(schedule_n(&c, 0), 3);
	cr_expect_eq(schedule_n(&c, 90), 129);
	cr_expect_eq(schedule_n(&c, 91), 151);
	cr_expect_eq(schedule_n(&c, 100), 151);
}

/* K' = floor(K / (log2 floor(s1 / s0) + 1)): of 30 / 4 = 7.5 the 7 counts, and of 1,000 steps a stage has 262, not
 * 255. */
Test(schedule, the_length_of_a_stage_is_of_the_whole_ratio)
{
	struct run_config c = config(DISC_EXP, 4, 30, 1000);
	static const struct {
		int64_t k, n;
	} at[] = { { 0, 5 }, { 261, 5 }, { 262, 9 }, { 523, 9 }, { 524, 17 }, { 785, 17 }, { 786, 31 }, { 1000, 31 } };
	for (size_t i = 0; i < sizeof at / sizeof *at; i++)
		cr_expect_eq(schedule_n(&c, at[i].k), at[i].n, "%lld", (long long)at[i].k);
}

Test(schedule, doubling_of_fewer_steps_than_stages_ends_at_s1)
{
	struct run_config c = config(DISC_EXP, 10, 1280, 3);
	for (int64_t k = 0; k < 5; k++)
		cr_expect(schedule_n(&c, k) >= 11 && schedule_n(&c, k) <= 1281);
	cr_expect_eq(schedule_n(&c, 3), 1281);
}

/* CT: s(k)^2 grows linearly from s0^2 to (s1+1)^2; s(0) = s0 - 1 intervals, s(K) = s1. */
Test(schedule, square_root_grows_from_2_to_151_points)
{
	struct run_config c = config(DISC_SQRT, 2, 150, 800000);
	cr_expect_eq(schedule_n(&c, 0), 2);
	cr_expect_eq(schedule_n(&c, 1), 3);
	cr_expect_eq(schedule_n(&c, 800000), 151);
	int64_t before = 2;
	for (int64_t k = 0; k <= 800000; k += 1000) {
		int64_t n = schedule_n(&c, k);
		cr_expect(n >= before);
		before = n;
	}
	/* halfway: ceil(sqrt((151^2 - 4)/2 + 4) - 1) + 1 = 107 */
	cr_expect_eq(schedule_n(&c, 400000), 107);
}

/* N = ceil(sqrt(k/K (s1^2 - s0^2) + s0^2) - 1) + 1: ends at s1 points. */
Test(schedule, short_square_root_grows_from_2_to_150_points)
{
	struct run_config c = config(DISC_SQRT_SHORT, 2, 150, 800000);
	cr_expect_eq(schedule_n(&c, 0), 2);
	cr_expect_eq(schedule_n(&c, 1), 3);
	cr_expect_eq(schedule_n(&c, 400000), 107); /* ceil(105.08) + 1 */
	cr_expect_eq(schedule_n(&c, 600000), 130); /* ceil(128.91) + 1, where sqrt has 131 */
	cr_expect_eq(schedule_n(&c, 800000), 150);
	c.disc.kind = DISC_SQRT;
	cr_expect_eq(schedule_n(&c, 600000), 131);
}

/* All of them begin at s0 and end at s1; what lies between is what figure 3 compares. */
Test(schedule, linear_square_cosine_and_constant)
{
	struct run_config c = config(DISC_LINEAR, 10, 110, 1000);
	cr_expect_eq(schedule_n(&c, 0), 11);
	cr_expect_eq(schedule_n(&c, 500), 61);
	cr_expect_eq(schedule_n(&c, 1000), 111);
	c.disc.kind = DISC_SQUARE;
	cr_expect_eq(schedule_n(&c, 0), 11);
	cr_expect_eq(schedule_n(&c, 500), 36);
	cr_expect_eq(schedule_n(&c, 1000), 111);
	c.disc.kind = DISC_COSINE; /* (1 - cos(pi/3)) / 2 = 1/4: just below or above at a third */
	cr_expect_eq(schedule_n(&c, 0), 11);
	cr_expect_eq(schedule_n(&c, 333), 35);
	cr_expect_eq(schedule_n(&c, 334), 36);
	cr_expect_eq(schedule_n(&c, 500), 61);
	cr_expect_eq(schedule_n(&c, 1000), 111);
	c.disc.kind = DISC_CONSTANT;
	cr_expect_eq(schedule_n(&c, 0), 11);
	cr_expect_eq(schedule_n(&c, 1000), 11);
}

/* sLCT's numbers, as its code has them for m = 20, 40, ..., 640 intervals; iCT's c while there are s0 of them. */
Test(schedule, c_falls_with_the_intervals_of_the_grid)
{
	static const double slct[] = { 0.01363, 0.00614, 0.00277, 0.00125, 5.62e-4, 2.53e-4 };
	struct run_config c = config(DISC_EXP, 10, 1280, 400000);
	c.loss.c.value = 0.03456;
	near(loss_c(&c, 11), 0.03456, 0);
	near(loss_c(&c, 641), 0.03456, 0);
	for (int i = 0; i < 6; i++) {
		int64_t m = 20 << i;
		c.loss.c_schedule = C_SLCT;
		near(loss_c(&c, m + 1) / slct[i], 1, 2e-3);
		near(loss_c(&c, m + 1), 0.42741493194872665 / pow((double)m, 1.15), 1e-15);
		c.loss.c_schedule = C_SLCT_RELATIVE; /* a doubling divides it by 2^1.15 */
		near(loss_c(&c, m + 1), 0.03456 / pow(2, 1.15 * (i + 1)), 1e-15);
	}
	near(loss_c(&c, 11), 0.03456, 0);
	c.loss.c_schedule = C_SLCT;
	near(loss_c(&c, 11), 0.03456, 0);
}

/* mu = mu0^(s0 / s): code takes s = N - 1 intervals, the paper's text N. */
Test(schedule, mu_follows_n_in_both_readings)
{
	struct run_config c = config(DISC_SQRT, 2, 150, 800000);
	c.teacher.ema = (struct knob_number){ .named = true };
	c.teacher.mu0 = 0.9;
	c.teacher.mu_exponent = MU_N_MINUS_1;
	near(schedule_mu(&c, 0), 0.81, 1e-15);
	near(schedule_mu(&c, 1), 0.9, 1e-15);
	near(schedule_mu(&c, 800000), pow(0.9, 2.0 / 150), 1e-15);
	c.teacher.mu_exponent = MU_N;
	near(schedule_mu(&c, 0), 0.9, 1e-15);
	near(schedule_mu(&c, 800000), pow(0.9, 2.0 / 151), 1e-15);
	c.teacher.ema = (struct knob_number){ .value = 0.95 };
	near(schedule_mu(&c, 5), 0.95, 0);
}

Test(schedule, grid_ends_at_sigma_min_and_sigma_max_and_is_even_in_the_seventh_root)
{
	struct run_config c = config(DISC_EXP, 10, 1280, 1);
	for (int64_t n = 2; n <= 1281; n += 7) {
		near(sigma_at(&c, n, 0), 0.002, 1e-17);
		near(sigma_at(&c, n, n - 1), 80, 1e-12);
	}
	double step = (pow(80, 1 / 7.0) - pow(0.002, 1 / 7.0)) / 40;
	for (int64_t i = 0; i < 40; i++) {
		near(pow(sigma_at(&c, 41, i + 1), 1 / 7.0) - pow(sigma_at(&c, 41, i), 1 / 7.0), step, 1e-13);
		cr_expect(sigma_at(&c, 41, i + 1) > sigma_at(&c, 41, i));
	}
	c.sigma.rho = 1;
	near(sigma_at(&c, 3, 1), (0.002 + 80) / 2, 1e-13);
}

Test(schedule, index_distribution_sums_to_one_and_telescopes)
{
	struct run_config c = config(DISC_EXP, 10, 1280, 1);
	enum { N = 151 };
	double cdf[N - 1], root = sqrt(2) * 2;
	c.noise.dist = NOISE_LOGNORMAL;
	c.noise.mean = -1.1;
	c.noise.std = 2;
	index_cdf(cdf, &c, N);
	near(cdf[N - 2], 1, 0);
	double low = erf((log(0.002) + 1.1) / root), high = erf((log(80) + 1.1) / root);
	for (int64_t i = 0; i < N - 1; i++) /* the sum of erf differences is one difference */
		near(cdf[i], (erf((log(sigma_at(&c, N, i + 1)) + 1.1) / root) - low) / (high - low), 1e-13);
	c.noise.dist = NOISE_UNIFORM;
	index_cdf(cdf, &c, N);
	for (int i = 0; i < N - 1; i++)
		near(cdf[i], (i + 1) / (double)(N - 1), 1e-14);
}

/* The first whose running sum is above u: an interval without any probability is never drawn, u = 0 included. */
Test(schedule, index_of_at_a_running_sum_is_the_next)
{
	static const double cdf[] = { 0, 0.25, 0.25, 0.75, 1 };
	static const struct {
		double u;
		int64_t index;
	} at[] = { { 0, 1 }, { 0.2, 1 }, { 0.25, 3 }, { 0.5, 3 }, { 0.75, 4 }, { 0.99, 4 } };
	for (size_t i = 0; i < sizeof at / sizeof *at; i++)
		cr_expect_eq(index_of(cdf, 6, at[i].u), at[i].index, "%g", at[i].u);
}

Test(schedule, index_of_inverts_the_running_sum)
{
	const double cdf[] = { 0.1, 0.1, 0.5, 1 }; /* the second interval has no mass */
	cr_expect_eq(index_of(cdf, 5, 1e-9), 0);
	cr_expect_eq(index_of(cdf, 5, 0.0999), 0);
	cr_expect_eq(index_of(cdf, 5, 0.1001), 2);
	cr_expect_eq(index_of(cdf, 5, 0.4999), 2);
	cr_expect_eq(index_of(cdf, 5, 0.5001), 3);
	cr_expect_eq(index_of(cdf, 5, 1 - 1e-16), 3);
	const double one[] = { 1 };
	cr_expect_eq(index_of(one, 2, 0.5), 0, "a grid of two points has one interval");
}

/* Chi-square over 20 intervals of 200,000 draws: mean 19, sd sqrt(38) = 6.2; 60 is more than 6 sd away. */
Test(schedule, drawn_indices_have_the_distribution_p)
{
	struct run_config c = config(DISC_EXP, 20, 1280, 1);
	enum { N = 21, DRAWS = 200000 };
	double cdf[N - 1], chi = 0;
	int count[N - 1] = { 0 };
	index_cdf(cdf, &c, N);
	for (uint64_t i = 0; i < DRAWS; i++)
		count[index_of(cdf, N, rng_uniform_double(7, RNG_SIGMA, 0, i))]++;
	for (int i = 0; i < N - 1; i++) {
		double expected = DRAWS * (cdf[i] - (i ? cdf[i - 1] : 0));
		cr_assert(expected > 5);
		chi += (count[i] - expected) * (count[i] - expected) / expected;
	}
	cr_expect(chi <= 60, "chi-square %.1f of 19 degrees of freedom", chi);
	cr_expect(chi >= 2, "chi-square %.1f: too good", chi);
}

Test(schedule, weights)
{
	struct run_config c = config(DISC_EXP, 10, 1280, 1);
	static const struct {
		enum weight_kind kind;
		double want;
	} rows[] = {
		{ WEIGHT_INVERSE_GAP, 4 },   { WEIGHT_UNIFORM, 1 },       { WEIGHT_SNR, 0.25 },
		{ WEIGHT_SNR_PLUS_1, 1.25 }, { WEIGHT_TRUNCATED_SNR, 1 }, { WEIGHT_SNR_PK, 4.25 },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		c.weight.kind = (int)rows[i].kind;
		near(loss_weight(&c, 2, 1.75), rows[i].want, 1e-15);
	}
	c.weight.kind = WEIGHT_TRUNCATED_SNR;
	near(loss_weight(&c, 0.5, 0.4), 4, 1e-15);
}

/* r = t (1 - (1 + 8 sigmoid(-t)) / q^(stage + 1)), not below 0. */
Test(schedule, ect_mapping_approaches_t_stage_by_stage)
{
	struct run_config c = config(DISC_EXP, 10, 1280, 1);
	c.ect.q = 2;
	c.ect.k = 8;
	c.ect.b = 1;
	c.ect.stage_steps = 100;
	near(ect_r(&c, 0.001, 0), 0, 0);
	near(ect_r(&c, 80, 0), 40, 1e-12);
	near(ect_r(&c, 80, 99), 40, 1e-12);
	near(ect_r(&c, 80, 100), 60, 1e-12);
	near(ect_r(&c, 80, 300), 75, 1e-12);
	near(ect_r(&c, 3, 0), 3 * (1 - (1 + 8 / (1 + exp(3))) / 2), 1e-15);
	double before = -1;
	for (int64_t k = 0; k < 2000; k += 100) {
		double r = ect_r(&c, 0.7, k);
		cr_expect(r >= before && r < 0.7);
		before = r;
	}
	c.ect.k = 0; /* the constant mapping */
	near(ect_r(&c, 1, 0), 0.5, 1e-15);
}

Test(schedule, preconditioning_is_the_identity_at_its_boundary)
{
	struct run_config c = config(DISC_EXP, 10, 1280, 1);
	struct precond cm = precond_at(&c, PRECOND_CM, 0.002), edm = precond_at(&c, PRECOND_EDM, 1e-12);
	near(cm.c_skip, 1, 0);
	near(cm.c_out, 0, 0);
	near(edm.c_skip, 1, 1e-15);
	near(edm.c_out, 0, 1e-11);
	struct precond half = precond_at(&c, PRECOND_EDM, 0.5);
	near(half.c_skip, 0.5, 1e-16);
	near(half.c_out, 0.5 / sqrt(2), 1e-16);
	near(half.c_in, sqrt(2), 1e-15);
	near(half.c_noise, c.precond.time_scale * log(0.5), 1e-16);
	cr_expect(isfinite(precond_at(&c, PRECOND_EDM, 0).c_noise), "ln 0 is guarded");
}

struct worst {
	double sigma, lambda, p;
};

/* The largest relative deviations from the grid in double. */
static struct worst grid_deviation(enum sigma_grid grid, int64_t n)
{
	struct run_config c = config(DISC_EXP, 10, 1280, 1), exact = c;
	struct worst w = { 0 };
	SCOPED(free) double *p = xcalloc((size_t)n, sizeof *p), *q = xcalloc((size_t)n, sizeof *q);
	c.sigma.grid = grid;
	index_cdf(p, &exact, n);
	index_cdf(q, &c, n);
	for (int64_t i = 0; i < n - 1; i++) {
		double a = sigma_at(&exact, n, i), b = sigma_at(&exact, n, i + 1), at = sigma_at(&c, n, i),
			   next = sigma_at(&c, n, i + 1);
		double p0 = p[i] - (i ? p[i - 1] : 0), q0 = q[i] - (i ? q[i - 1] : 0);
		w.sigma = fmax(w.sigma, fabs(at / a - 1));
		w.lambda = fmax(w.lambda, fabs(loss_weight(&c, next, at) / loss_weight(&exact, b, a) - 1));
		w.p = fmax(w.p, fabs(q0 / p0 - 1));
	}
	return w;
}

#define like(got, want, part) near(got, want, (part) * (want))

/* Against numpy in float32, which gives the deviations that were measured of the JAX code to all digits; p against
 * PyTorch's erf. */
Test(schedule, grids_in_single_precision_deviate_as_the_public_code_does)
{
	static const struct {
		int64_t n;
		double sigma, lambda, rounded, p;
	} want[] = {
		{ 151, 1.1176694918e-6, 1.5686673720e-5, 1.91598222e-6, 1.4006e-4 },
		{ 1281, 1.6223853332e-6, 1.3993381989e-4, 2.46878575e-5, 1.2903e-3 },
	};
	for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
		struct worst single = grid_deviation(GRID_SINGLE, want[i].n), rounded = grid_deviation(GRID_ROUNDED, want[i].n);
		like(single.sigma, want[i].sigma, 0.1); /* powf of another library differs in the last place */
		like(single.lambda, want[i].lambda, 0.1);
		cr_expect(rounded.sigma > 1e-8 && rounded.sigma <= 0x1p-24 * 1.0001, "half a unit of the last place: %g",
		          rounded.sigma);
		like(rounded.lambda, want[i].rounded, 1e-6);
		like(rounded.p, want[i].p, 0.1);
	}
	struct run_config c = config(DISC_EXP, 10, 1280, 1);
	c.sigma.grid = GRID_SINGLE; /* numpy.float32's own values */
	static const double eleven[] = { 0x1.0624dap-9, 0x1.11f3eap-6, 0x1.5c8466p-4, 0x1.45ec0ep-2 };
	for (int i = 0; i < 4; i++)
		like(sigma_at(&c, 11, i), eleven[i], 0x1p-22);
}

/* As printed in diffusers' training example; the two settings differ in c_skip and c_out only. */
Test(schedule, preconditioning_as_diffusers_trains)
{
	struct run_config c = config(DISC_EXP, 10, 1280, 1);
	for (double s = 0.002; s < 81; s *= 3) {
		struct precond all = precond_at(&c, PRECOND_DIFFUSERS, s), one = precond_at(&c, PRECOND_SQUARED_C_IN, s),
					   cm = precond_at(&c, PRECOND_CM, s);
		near(all.c_in, 1 / (s * s + 0.25), 1e-15 * 4);
		near(all.c_skip, 0.25 / (s * s + 0.25), 1e-15);
		near(all.c_out, s / sqrt(s * s + 0.25), 1e-15);
		near(one.c_in, all.c_in, 0);
		near(one.c_skip, cm.c_skip, 0);
		near(one.c_out, cm.c_out, 0);
		near(one.c_noise, cm.c_noise, 0);
	}
}

/* f(x, sigma_min) = x whatever the network says: through the graph, bit for bit. */
Test(schedule, denoiser_returns_its_input_at_sigma_min)
{
	struct run_config c = config(DISC_EXP, 10, 1280, 1);
	struct net_spec s = { .kind = NET_DDPMPP,
		                  .h = 8,
		                  .w = 8,
		                  .in_c = 1,
		                  .out_c = 1,
		                  .channels = 8,
		                  .blocks = 1,
		                  .n_mult = 2,
		                  .mult = { 1, 1 },
		                  .taps = 2,
		                  .noise_mult = 1,
		                  .emb_mult = 4 };
	struct params *p = net_params(&s);
	float *w = xaligned(params_floats(p) * sizeof *w);
	struct graph *g = graph_new();
	rng_normal(w, params_floats(p), 1, RNG_INIT, 0, 0);
	struct denoiser d = denoiser_build(g, &c, &s, p, STORE_STUDENT, 3);
	graph_plan(g);
	graph_bind(g, STORE_STUDENT, w);
	rng_normal(d.x->data, tensor_count(d.x), 2, RNG_NOISE, 0, 0);
	denoiser_set_sigma(&d, &c, 0.002);
	graph_run(g);
	for (size_t i = 0; i < tensor_count(d.x); i++)
		cr_assert(fabs((double)d.out->data[i] - (double)d.x->data[i]) <= 0, "value %zu", i);
	denoiser_set_sigma(&d, &c, 1);
	graph_run(g);
	double change = 0;
	for (size_t i = 0; i < tensor_count(d.x); i++)
		change += fabs((double)d.out->data[i] - (double)d.x->data[i]);
	cr_expect(change > 1, "elsewhere it does not");
	/* Without noise it is the picture for every network, also one whose own boundary is not at sigma_min. */
	const struct denoise b = { d.sigma, d.c_skip, d.c_out, d.c_in, d.c_noise, { 0 }, d.c_gap };
	for (int i = 0; i < 3; i++)
		denoise_set(&b, &c, PRECOND_EDM, i, 0);
	graph_run(g);
	for (size_t i = 0; i < tensor_count(d.x); i++)
		cr_assert(fabs((double)d.out->data[i] - (double)d.x->data[i]) <= 0, "value %zu without noise", i);
	graph_free(g);
	params_free(p);
	free(w);
}
