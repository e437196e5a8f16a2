/* test_fid.c - FID against closed forms, numpy's exact value on a synthetic pair, and its own invariances. */
#include "tests/common/formula.h"
#include "metrics/distances/fid.h"
#include "metrics/math/jackknife.h"
#include "metrics/math/linalg.h"
#include "model/base/mem.h"
#include "model/base/rng.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static double fid_of_sigmas(const double *mu1, const double *s1, const double *mu2, const double *s2, int d)
{
	struct err e = ERR_INIT;
	SCOPED(fid_side) struct fid_side a = { 0 }, b = { 0 };
	struct fid_result r;
	cr_assert_eq(fid_side_of_sigma(&a, mu1, s1, d, 0, "a", &e), 0, "%s", e.msg);
	cr_assert_eq(fid_side_of_sigma(&b, mu2, s2, d, 0, "b", &e), 0, "%s", e.msg);
	cr_assert_eq(fid_compute(&r, &a, &b, &e), 0, "%s", e.msg);
	return r.fid;
}

/* Diagonal covariances: sum (m1 - m2)^2 + (s1 - s2)^2. */
Test(fid, diagonal_normals_have_a_closed_form)
{
	enum { D = 10 };
	double mu1[D], mu2[D], s1[D * D] = { 0 }, s2[D * D] = { 0 }, want = 0;
	for (int i = 0; i < D; i++) {
		mu1[i] = formula_u("mu1", (uint64_t)i);
		mu2[i] = formula_u("mu2", (uint64_t)i);
		double v1 = 1.5 + formula_u("v1", (uint64_t)i), v2 = 1.5 + formula_u("v2", (uint64_t)i);
		s1[i * (D + 1)] = v1;
		s2[i * (D + 1)] = v2;
		want += (mu1[i] - mu2[i]) * (mu1[i] - mu2[i]) + (sqrt(v1) - sqrt(v2)) * (sqrt(v1) - sqrt(v2));
	}
	double got = fid_of_sigmas(mu1, s1, mu2, s2, D);
	cr_assert(fabs(got - want) <= 1e-13, "%.17g, want %.17g", got, want);
}

Test(fid, singular_covariances_need_no_epsilon)
{
	double zero[2] = { 0 }, one[2] = { 1, 0 }, none[4] = { 0 }, eye[4] = { 1, 0, 0, 1 };
	double first[4] = { 1, 0, 0, 0 }, second[4] = { 0, 0, 0, 1 }, tilted[4] = { 0, 1e-9, 1e-9, 1 };
	cr_assert(fabs(fid_of_sigmas(zero, none, one, none, 2) - 1) <= 1e-15, "two points");
	cr_assert(fabs(fid_of_sigmas(zero, none, zero, eye, 2) - 2) <= 1e-15, "a point and a ball");
	cr_assert(fabs(fid_of_sigmas(zero, first, zero, second, 2) - 2) <= 1e-15, "orthogonal lines");
	/* pytorch-fid adds 1e-6 to both diagonals here and says 1.995999998000001. */
	cr_assert(fabs(fid_of_sigmas(zero, first, zero, tilted, 2) - 2) <= 1e-8, "an almost orthogonal line");
}

Test(fid, what_is_no_covariance_is_refused_by_name)
{
	double mu[2] = { 0 };
	static const struct {
		double sigma[4];
		const char *says;
	} bad[] = {
		{ { 1, 0, 0, -1e-3 }, "positive semi-definite" },
		{ { 0, 1, 1, 0 }, "positive semi-definite" },
		{ { 1, 0.5, 0.4, 1 }, "not symmetric" },
		{ { 1, 0, 0, NAN }, "NaN" },
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct err e = ERR_INIT;
		SCOPED(fid_side) struct fid_side s = { 0 };
		cr_assert_eq(fid_side_of_sigma(&s, mu, bad[i].sigma, 2, 0, "x.npz", &e), -1, "case %zu", i);
		cr_assert(strncmp(e.msg, "x.npz: ", 7) == 0 && strstr(e.msg, bad[i].says), "%s", e.msg);
	}
	/* A negative eigenvalue of rounding size passes, and is reported. */
	double tiny[4] = { 1, 0, 0, -1e-8 };
	struct err e = ERR_INIT;
	SCOPED(fid_side) struct fid_side s = { 0 };
	cr_assert_eq(fid_side_of_sigma(&s, mu, tiny, 2, 0, "x.npz", &e), 0, "%s", e.msg);
	cr_assert(fabs(s.left + 1e-8) <= 1e-12, "%g", s.left);
}

static struct fid_side side_of(const double *x, int64_t n, int d)
{
	struct err e = ERR_INIT;
	struct fid_side s;
	struct moments m;
	moments_init(&m, d);
	moments_add_double(&m, x, n);
	cr_assert_eq(fid_side_of_moments(&s, &m, "x", &e), 0, "%s", e.msg);
	moments_release(&m);
	return s;
}

static double fid_of_rows(const double *x, int64_t n, const double *y, int64_t k, int d)
{
	struct err e = ERR_INIT;
	struct fid_result r;
	struct fid_side a = side_of(x, n, d), b = side_of(y, k, d);
	cr_assert_eq(fid_compute(&r, &a, &b, &e), 0, "%s", e.msg);
	fid_side_release(&a);
	fid_side_release(&b);
	return r.fid;
}

/* Files keep covariances as float32 too, of fewer vectors than dimensions: half of the null space's eigenvalues come
 * out negative, which was refused as no covariance. Against the unit matrix tr (S I)^(1/2) is the sum of the roots of
 * S's eigenvalues, known from the vectors. Rounding moves an eigenvalue by at most b = 2^-24 |S|, so each of the 39
 * that are not 0 moves its root by at most b / (2 (l - b)^(1/2)), and the trace changes by at most 2^-24 of itself. */
Test(fid, a_covariance_of_few_vectors_in_float32_is_taken_within_its_rounding)
{
	enum { N = 40, D = 128 };
	struct err e = ERR_INIT;
	SCOPED(free) double *x = xmalloc(sizeof *x * N * D);
	SCOPED(free) double *sigma = xmalloc(sizeof *sigma * D * D);
	SCOPED(free) double *w = xmalloc(sizeof *w * D);
	SCOPED(free) double *copy = xmalloc(sizeof *copy * D * D);
	double mu[D] = { 0 }, eye[D * D] = { 0 }, trace = 0, roots = 0, square = 0, allowed = 0;
	SCOPED(moments) struct moments m = { 0 };
	formula_ih12(x, "rounded", N, D);
	moments_init(&m, D);
	moments_add_double(&m, x, N);
	moments_sigma(sigma, &m);
	memcpy(copy, sigma, sizeof *copy * D * D);
	linalg_eigenvalues(w, copy, D);
	for (int i = 0; i < D * D; i++) {
		square += sigma[i] * sigma[i];
		sigma[i] = (double)(float)sigma[i];
	}
	double unit = 0x1p-24, b = unit * sqrt(square);
	for (int i = 0; i < D; i++) {
		eye[i * (D + 1)] = 1;
		trace += w[i];
		if (i <= D - N) /* rank 39 */
			continue;
		cr_assert(w[i] > 1e3 * b, "eigenvalue %d: %g", i, w[i]);
		roots += sqrt(w[i]);
		allowed += b / sqrt(w[i] - b);
	}
	SCOPED(fid_side) struct fid_side s = { 0 }, ref = { 0 };
	struct fid_result r;
	cr_assert_eq(fid_side_of_rounded(&s, mu, sigma, D, 0, unit, "x.npz", &e), 0, "%s", e.msg);
	cr_assert_eq(fid_side_of_sigma(&ref, mu, eye, D, 0, "ref", &e), 0, "%s", e.msg);
	cr_assert_eq(fid_compute(&r, &s, &ref, &e), 0, "%s", e.msg);
	allowed += unit * trace + 1e-9;
	cr_assert(fabs(r.fid - (trace + D - 2 * roots)) <= allowed, "off by %g, allowed %g",
	          r.fid - (trace + D - 2 * roots), allowed);
	cr_assert_eq(s.rank, N - 1);
	cr_assert(r.clipped > 0 && r.clipped <= D * b, "clipped %g", r.clipped);
	/* What no rounding explains is still no covariance: the same less a thousandth of its largest eigenvalue. */
	for (int i = 0; i < D; i++)
		sigma[i * (D + 1)] -= 1e-3 * w[D - 1];
	fid_side_release(&s);
	cr_assert_eq(fid_side_of_rounded(&s, mu, sigma, D, 0, unit, "x.npz", &e), -1);
	cr_assert(strstr(e.msg, "x.npz: sigma is not a covariance: not positive semi-definite"), "%s", e.msg);
}

/* numpy: exact nuclear norm of the centred vectors, 48.43454446569217. */
Test(fid, agrees_with_numpy_at_full_rank)
{
	enum { N = 4096, D = 64 };
	SCOPED(free) double *x = xmalloc(sizeof *x * N * D);
	SCOPED(free) double *y = xmalloc(sizeof *y * N * D);
	formula_set(x, "synXp", N, D);
	formula_set(y, "synYp", N, D);
	double got = fid_of_rows(x, N, y, N, D);
	cr_assert(fabs(got - 48.43454446569217) <= 1e-10, "%.17g", got);
}

/* The factor from vectors (n <= d) and the one from their covariance must agree to 1e-9, alone and against full
 * rank. */
Test(fid, few_vectors_and_their_covariance_agree)
{
	enum { N = 30, K = 400, D = 90 };
	SCOPED(free) double *x = xmalloc(sizeof *x * K * D);
	SCOPED(free) double *y = xmalloc(sizeof *y * K * D);
	SCOPED(free) double *sx = xmalloc(sizeof *sx * D * D);
	SCOPED(free) double *sy = xmalloc(sizeof *sy * D * D);
	formula_set(x, "fewX", K, D);
	formula_set(y, "fewY", K, D);
	double mx[D], my[D];
	for (int k = N; k <= K; k += K - N) {
		struct moments a, b;
		moments_init(&a, D);
		moments_init(&b, D);
		moments_add_double(&a, x, N);
		moments_add_double(&b, y, k);
		moments_mean(mx, &a);
		moments_mean(my, &b);
		moments_sigma(sx, &a);
		moments_sigma(sy, &b);
		double direct = fid_of_rows(x, N, y, k, D), through = fid_of_sigmas(mx, sx, my, sy, D);
		cr_assert(fabs(direct - through) <= 1e-9, "against %d: %.15g and %.15g", k, direct, through);
		moments_release(&a);
		moments_release(&b);
	}
}

Test(fid, of_a_set_against_itself_is_zero)
{
	enum { N = 50, D = 80 };
	SCOPED(free) double *x = xmalloc(sizeof *x * N * D);
	formula_set(x, "self", N, D);
	double got = fid_of_rows(x, N, x, N, D);
	cr_assert(fabs(got) <= 1e-11, "%g", got);
}

Test(fid, different_dimensions_are_a_protocol_error)
{
	double x[20] = { 1, 2, 3, 4, 5 };
	struct err e = ERR_INIT;
	struct fid_result r;
	struct fid_side a = side_of(x, 4, 5), b = side_of(x, 5, 4);
	cr_assert_eq(fid_compute(&r, &a, &b, &e), -1);
	cr_assert_eq(err_exit_code(&e), EXIT_RECORD);
	fid_side_release(&a);
	fid_side_release(&b);
}

static float *normals(const char *name, int64_t n, int d)
{
	double *g = xmalloc(sizeof *g * (size_t)(n * d));
	float *x = xmalloc(sizeof *x * (size_t)(n * d));
	formula_ih12(g, name, n, d);
	for (int64_t i = 0; i < n * d; i++)
		x[i] = (float)g[i];
	free(g);
	return x;
}

/* Two standard normals: the true FID is 0, the raw value about d^2 / (2 N)... above it, and the extrapolation removes
 * nearly all of that. The reference is exact. */
Test(fid, extrapolation_removes_the_bias_of_few_vectors)
{
	enum { N = 1200, D = 24 };
	struct err e = ERR_INIT;
	float *x = normals("infinity", N, D);
	double mu[D] = { 0 }, eye[D * D] = { 0 }, infinite;
	for (int i = 0; i < D; i++)
		eye[i * (D + 1)] = 1;
	SCOPED(fid_side) struct fid_side ref = { 0 }, all = { 0 };
	cr_assert_eq(fid_side_of_sigma(&ref, mu, eye, D, 0, "ref", &e), 0, "%s", e.msg);
	struct moments m;
	struct fid_result raw;
	moments_init(&m, D);
	moments_add(&m, x, N);
	cr_assert_eq(fid_side_of_moments(&all, &m, "x", &e), 0);
	cr_assert_eq(fid_compute(&raw, &all, &ref, &e), 0);
	cr_assert_eq(fid_infinity(&infinite, NULL, x, N, &ref, 5, 1, &e), 0, "%s", e.msg);
	cr_assert(raw.fid > 0.1 && fabs(infinite) < 0.2 * raw.fid, "raw %g, extrapolated %g", raw.fid, infinite);
	moments_release(&m);
	free(x);
}

/* FID of rows in a random order: at x = parts / n the mean of `parts` equal parts, a least squares line through them by
 * its closed form, and the line's own standard error at 0. */
static void limit_written_out(double *value, double *half, const float *x, int64_t n, int d, const struct fid_side *ref,
                              int most, uint64_t seed)
{
	struct err e = ERR_INIT;
	double at[8], mean[8] = { 0 }, mx = 0, my = 0, sxx = 0, sxy = 0, rest = 0, common;
	for (int parts = 1; parts <= most; parts++) {
		for (int k = 0; k < parts; k++) {
			SCOPED(moments) struct moments m = { 0 };
			SCOPED(fid_side) struct fid_side s = { 0 };
			struct fid_result r;
			moments_init(&m, d);
			for (int64_t i = n * k / parts; i < n * (k + 1) / parts; i++)
				moments_add(&m, x + rng_permute((uint64_t)i, (uint64_t)n, seed, RNG_EVAL, 0) * (uint64_t)d, 1);
			cr_assert_eq(fid_side_of_moments(&s, &m, "x", &e) || fid_compute(&r, &s, ref, &e), 0, "%s", e.msg);
			mean[parts - 1] += r.fid / parts;
		}
		at[parts - 1] = (double)parts / (double)n;
		mx += at[parts - 1] / most;
		my += mean[parts - 1] / most;
	}
	for (int k = 0; k < most; k++) {
		sxx += (at[k] - mx) * (at[k] - mx);
		sxy += (at[k] - mx) * (mean[k] - my);
	}
	for (int k = 0; k < most; k++)
		rest += pow(mean[k] - my - sxy / sxx * (at[k] - mx), 2);
	*value = my - sxy / sxx * mx;
	cr_assert_eq(fid_interval(&common, x, n, ref, JACKKNIFE_BLOCKS, &e), 0, "%s", e.msg);
	*half = hypot(common, jackknife_t975(most - 2) * sqrt(rest / (most - 2) * (1.0 / most + mx * mx / sxx)));
}

/* Rows that are sorted by class: in that order each part would be of other classes, and far from the whole. */
Test(fid, the_limit_is_of_shuffled_parts_and_their_line)
{
	enum { N = 150, D = 3 };
	struct err e = ERR_INIT;
	SCOPED(free) float *x = normals("sorted", N, D);
	double mu[D] = { 0 }, eye[D * D] = { 0 }, value, half, want, want_half, other;
	for (int i = 0; i < N * D; i++)
		x[i] += i < N * D / 2 ? 3 : -3;
	for (int i = 0; i < D; i++)
		eye[i * (D + 1)] = 10;
	SCOPED(fid_side) struct fid_side ref = { 0 };
	cr_assert_eq(fid_side_of_sigma(&ref, mu, eye, D, 0, "ref", &e), 0, "%s", e.msg);
	for (int most = 3; most <= 5; most++) {
		cr_assert_eq(fid_infinity(&value, &half, x, N, &ref, most, 7, &e), 0, "%s", e.msg);
		limit_written_out(&want, &want_half, x, N, D, &ref, most, 7);
		cr_assert(fabs(value - want) < 1e-9 && fabs(half - want_half) < 1e-9 * half, "%g +- %g, not %g +- %g", value,
		          half, want, want_half);
		cr_assert_eq(fid_infinity(&other, NULL, x, N, &ref, most, 8, &e), 0, "%s", e.msg);
		cr_assert(other != value, "the seed decides");
	}
}

/* Over independent samples of three laws, the interval of the limit covers the distance of the laws themselves. The
 * jackknife alone is enough where the sample's luck moves the mean; where the distance is 0, the scatter is what
 * counts. */
Test(fid, the_interval_of_the_limit_covers_the_limit)
{
	enum { RUNS = 60, N = 240, D = 8 };
	static const struct {
		double shift, variance;
	} laws[] = { { 1, 2 }, { 0, 1 }, { 0.3, 1.2 } };
	struct err e = ERR_INIT;
	for (int k = 0; k < 3; k++) {
		double mu[D], sigma[D * D] = { 0 }, v = laws[k].variance, at[2] = { 0 };
		double truth = D * (laws[k].shift * laws[k].shift + 1 + v - 2 * sqrt(v));
		int covered = 0;
		for (int i = 0; i < D; i++) {
			mu[i] = laws[k].shift;
			sigma[i * (D + 1)] = v;
		}
		SCOPED(fid_side) struct fid_side ref = { 0 };
		cr_assert_eq(fid_side_of_sigma(&ref, mu, sigma, D, 0, "ref", &e), 0);
		for (int r = 0; r < RUNS; r++) {
			SCOPED(free) char *name = xstrfmt("limit%d-%d", k, r);
			SCOPED(free) float *x = normals(name, N, D);
			double value, half;
			cr_assert_eq(fid_infinity(&value, &half, x, N, &ref, 5, 0, &e), 0, "%s", e.msg);
			covered += fabs(value - truth) <= half;
			at[0] += half / RUNS;
			at[1] += fabs(value - truth) / RUNS;
		}
		cr_assert(covered >= 54, "law %d: %d of %d", k, covered, RUNS);
		cr_assert(at[0] < 5 * at[1], "law %d: half-width %g, mean error %g: it covers by being wide", k, at[0], at[1]);
	}
}

/* The interval covers the expected raw value about as often as it says, over independent samples of one law. */
Test(fid, the_jackknife_interval_covers)
{
	enum { RUNS = 40, N = 300, D = 8 };
	struct err e = ERR_INIT;
	double mu[D] = { 0 }, sigma[D * D] = { 0 }, value[RUNS], half[RUNS], mean = 0;
	for (int i = 0; i < D; i++) {
		mu[i] = 1;
		sigma[i * (D + 1)] = 2;
	}
	SCOPED(fid_side) struct fid_side ref = { 0 };
	cr_assert_eq(fid_side_of_sigma(&ref, mu, sigma, D, 0, "ref", &e), 0);
	for (int r = 0; r < RUNS; r++) {
		SCOPED(free) char *name = xstrfmt("cover%d", r);
		SCOPED(free) float *x = normals(name, N, D);
		SCOPED(fid_side) struct fid_side s = { 0 };
		struct moments m;
		struct fid_result f;
		moments_init(&m, D);
		moments_add(&m, x, N);
		cr_assert_eq(fid_side_of_moments(&s, &m, "x", &e) || fid_compute(&f, &s, &ref, &e), 0);
		cr_assert_eq(fid_interval(&half[r], x, N, &ref, JACKKNIFE_BLOCKS, &e), 0);
		value[r] = f.fid;
		mean += f.fid / RUNS;
		moments_release(&m);
	}
	int covered = 0;
	for (int r = 0; r < RUNS; r++)
		covered += fabs(value[r] - mean) <= half[r];
	cr_assert(covered >= 33, "%d of %d", covered, RUNS);
}

Test(jackknife, of_a_mean_is_its_standard_error_times_t)
{
	/* 20 blocks of one number each: the jackknife of the mean is s / sqrt(20), exactly. */
	double without[20], sum = 0, square = 0;
	for (int i = 0; i < 20; i++)
		sum += i * i;
	for (int i = 0; i < 20; i++) {
		without[i] = (sum - i * i) / 19;
		square += (i * i - sum / 20) * (i * i - sum / 20);
	}
	double want = 2.09302 * sqrt(square / 19 / 20);
	cr_assert(fabs(jackknife_half_width(without, 20) - want) <= 1e-10 * want);
}
