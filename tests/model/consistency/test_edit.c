/* test_edit.c - zero-shot editing and the way between latents against the paper's statements written out once more. */
#include "model/consistency/edit.h"

#include "model/base/mem.h"
#include "model/base/rng.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { H = 5, W = 4, C = 3, N = 3, PER = H * W * C };

/* A model that can be written down: D(x, s) = tanh(x / (1 + s)) + 0.1 s-free offset of the place. */
static double model_at(double x, double s, int64_t place)
{
	return tanh(x / (1 + s)) + 0.01 * (double)(place % 7);
}

static int answer(void *ctx, double *dst, const double *x, int64_t first, int64_t n, double sigma, struct err *e)
{
	(void)ctx, (void)e, (void)first;
	for (int64_t i = 0; i < n * PER; i++)
		dst[i] = model_at(x[i], sigma, i % PER);
	return 0;
}

static void noise(void *ctx, double *dst, int64_t i, int round)
{
	float z[PER];
	rng_normal(z, PER, *(uint64_t *)ctx, RNG_LATENT, (uint32_t)round, (uint64_t)i * PER);
	for (int j = 0; j < PER; j++)
		dst[j] = (double)z[j];
}

static uint64_t seed = 7;
static const struct edit_model model = { &seed, answer, noise };
static const double levels[] = { 80, 24.4, 5.84, 0.9 };

static void references(double *y)
{
	for (int i = 0; i < N * PER; i++)
		y[i] = 2 * rng_uniform_double(3, RNG_EVAL, 0, (uint64_t)i) - 1;
}

/* Song et al. 2023, Algorithm 4, line by line, for one picture and any matrix A of a pixel with its inverse. */
static void algorithm_4(double *x, const double *y_in, const uint8_t *omega, double A[3][3], double inverse[3][3],
                        int picture, bool around_y)
{
	double y[PER], z[PER];
	for (int p = 0; p < H * W; p++)
		for (int j = 0; j < 3; j++) { /* y <- A^-1[(A y)(1 - omega) + 0 omega] */
			y[3 * p + j] = 0;
			for (int r = 0; r < 3; r++) {
				double ay = 0;
				for (int k = 0; k < 3; k++)
					ay += A[r][k] * y_in[3 * p + k];
				y[3 * p + j] += inverse[j][r] * (omega[3 * p + r] ? 0 : ay);
			}
		}
	for (int n = 0; n < 4; n++) {
		noise(&seed, z, picture, n);
		for (int i = 0; i < PER; i++) {
			double mean = n ? x[i] : around_y ? y_in[i] : y[i];
			x[i] = model_at(mean + (n ? sqrt(levels[n] * levels[n] - 0.002 * 0.002) : levels[n]) * z[i], levels[n], i);
		}
		for (int p = 0; p < H * W; p++) { /* x <- A^-1[(A y)(1 - omega) + (A x) omega] */
			double mixed[3];
			for (int r = 0; r < 3; r++) {
				mixed[r] = 0;
				for (int k = 0; k < 3; k++)
					mixed[r] += A[r][k] * (omega[3 * p + r] ? x[3 * p + k] : y[3 * p + k]);
			}
			for (int j = 0; j < 3; j++)
				x[3 * p + j] = inverse[j][0] * mixed[0] + inverse[j][1] * mixed[1] + inverse[j][2] * mixed[2];
		}
	}
}

static void compare(const struct edit *e, double A[3][3], double inverse[3][3])
{
	double y[N * PER], got[N * PER], want[PER];
	uint8_t all[PER];
	struct err why = ERR_INIT;
	memset(all, 1, sizeof all);
	references(y);
	cr_assert_eq(edit_run(got, y, N, e, &model, &why), 0, "%s", why.msg);
	for (int i = 0; i < N; i++) {
		algorithm_4(want, y + i * PER, e->made ? e->made : all, A, inverse, i, e->from_reference);
		for (int j = 0; j < PER; j++)
			cr_assert(fabs(got[i * PER + j] - want[j]) <= 1e-13, "picture %d, value %d: %.17g, want %.17g", i, j,
			          got[i * PER + j], want[j]);
	}
}

static double one[3][3] = { { 1, 0, 0 }, { 0, 1, 0 }, { 0, 0, 1 } };

Test(edit, inpainting_is_the_papers_algorithm_and_keeps_what_it_is_told_to_keep)
{
	uint8_t made[PER] = { 0 };
	for (int y = 1; y < 4; y++)
		for (int x = 1; x < 3; x++)
			memset(made + (y * W + x) * C, 1, C);
	struct edit e = { .h = H, .w = W, .c = C, .made = made, .sigma = levels, .n_sigma = 4, .eps = 0.002 };
	compare(&e, one, one);
	double y[N * PER], got[N * PER];
	struct err why = ERR_INIT;
	references(y);
	cr_assert_eq(edit_run(got, y, N, &e, &model, &why), 0);
	for (int i = 0; i < N * PER; i++)
		cr_assert(made[i % PER] ? got[i] != y[i] : got[i] == y[i], "value %d", i);
}

/* Another basis of the same plane in the re-statement: the answer depends on the plane alone. */
Test(edit, colours_are_made_and_brightness_is_kept)
{
	uint8_t made[PER];
	for (int i = 0; i < PER; i++)
		made[i] = i % 3 != 0;
	struct edit e = {
		.h = H, .w = W, .c = C, .space = EDIT_BRIGHTNESS, .made = made, .sigma = levels, .n_sigma = 4, .eps = 0.002
	};
	double g[3] = { 0.2989, 0.5870, 0.1140 }, size = sqrt(g[0] * g[0] + g[1] * g[1] + g[2] * g[2]), A[3][3],
		   inverse[3][3];
	double u[3] = { -g[2], 0, g[0] },
		   v[3] = { g[1] * u[2] - g[2] * u[1], g[2] * u[0] - g[0] * u[2], g[0] * u[1] - g[1] * u[0] };
	double nu = sqrt(u[0] * u[0] + u[2] * u[2]), nv = sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
	for (int j = 0; j < 3; j++) {
		A[0][j] = g[j] / size, A[1][j] = u[j] / nu, A[2][j] = v[j] / nv;
		for (int r = 0; r < 3; r++)
			inverse[j][r] = A[r][j];
	}
	compare(&e, A, inverse);
	double y[N * PER], got[N * PER];
	struct err why = ERR_INIT;
	references(y);
	cr_assert_eq(edit_run(got, y, N, &e, &model, &why), 0);
	for (int p = 0; p < N * H * W; p++) {
		double a = g[0] * y[3 * p] + g[1] * y[3 * p + 1] + g[2] * y[3 * p + 2],
			   b = g[0] * got[3 * p] + g[1] * got[3 * p + 1] + g[2] * got[3 * p + 2];
		cr_assert(fabs(a - b) <= 1e-13);
	}
}

Test(edit, a_stroke_drawing_is_where_the_start_lies)
{
	struct edit e = { .h = H, .w = W, .c = C, .from_reference = true, .sigma = levels, .n_sigma = 4, .eps = 0.002 };
	compare(&e, one, one);
}

Test(edit, bad_levels_and_spaces_are_refused)
{
	static const double rises[] = { 1, 2 }, low[] = { 1, 0.001 }, nan_level[] = { 1, NAN };
	struct edit e = { .h = H, .w = W, .c = C, .n_sigma = 2, .eps = 0.002 };
	const double *const bad[] = { rises, low, nan_level };
	for (int i = 0; i < 3; i++) {
		struct err why = ERR_INIT;
		e.sigma = bad[i];
		cr_assert_eq(edit_check(&e, &why), -1);
		cr_assert(strstr(why.msg, "number 2"), "%s", why.msg);
		cr_assert_eq(why.code, EXIT_USAGE);
	}
	struct edit grey = {
		.h = H, .w = W, .c = 1, .space = EDIT_BRIGHTNESS, .sigma = levels, .n_sigma = 4, .eps = 0.002
	};
	struct edit none = { .h = H, .w = W, .c = 1, .sigma = levels };
	struct err why = ERR_INIT;
	cr_assert_eq(edit_check(&grey, &why), -1);
	cr_assert(strstr(why.msg, "cannot be colourised"));
	cr_assert_eq(edit_check(&none, &why), -1);
}

/* Appendix D: on the circle, equal lengths stay equal, the ends are the ends, and half way lies the bisector. */
Test(edit, the_way_between_latents_is_the_great_circle)
{
	enum { M = 300 };
	double a[M], b[M], got[M];
	float za[M], zb[M];
	rng_normal(za, M, 1, RNG_LATENT, 0, 0);
	rng_normal(zb, M, 2, RNG_LATENT, 0, 0);
	double ab = 0, aa = 0, bb = 0;
	for (int i = 0; i < M; i++) {
		a[i] = (double)za[i], b[i] = (double)zb[i];
		ab += a[i] * b[i], aa += a[i] * a[i], bb += b[i] * b[i];
	}
	double psi = acos(ab / (sqrt(aa) * sqrt(bb)));
	for (int k = 0; k <= 8; k++) {
		double t = k / 8.0;
		edit_between(got, a, b, M, t);
		for (int i = 0; i < M; i++) {
			double want = sin((1 - t) * psi) / sin(psi) * a[i] + sin(t * psi) / sin(psi) * b[i];
			cr_assert(fabs(got[i] - want) <= 1e-13);
		}
	}
	edit_between(got, a, a, M, 0.3); /* no angle: no 0/0 */
	for (int i = 0; i < M; i++)
		cr_assert(fabs(got[i] - a[i]) <= 1e-13);
}

Test(edit, levels_fall_from_the_first_to_above_the_least)
{
	double s[18];
	edit_levels(s, 18, 80, 0.002, 7);
	cr_assert_eq(s[0], 80);
	for (int k = 1; k < 18; k++) {
		double want = pow(pow(80, 1 / 7.0) + k / 18.0 * (pow(0.002, 1 / 7.0) - pow(80, 1 / 7.0)), 7);
		cr_assert(fabs(s[k] - want) <= 1e-12 * want);
		cr_assert(s[k] < s[k - 1] && s[k] > 0.002);
	}
}
