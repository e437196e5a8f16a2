/* test_winograd.c - Winograd's convolutions (model/cpu/winograd.h): those with frozen weights against their definition
 * in double (3x3, 5x5 and lines of taps, sizes that tiles do not divide, paddings, a range of channels of a wider
 * tensor, data gradients); those that train against the library's direct ones, few tiles and many, in fp32 and with
 * products of bf16, and the same bits on any number of threads. op_runner holds them to the specification,
 * winograd_deviation measures them. */
#include "model/base/cpu.h"
#include "model/base/mem.h"
#include "model/base/rng.h"
#include "model/cpu/winograd.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct shape {
	int64_t h, w, ic, oc;
	int kh, kw, pad_h, pad_w;
	bool relu;
};

static const struct shape shapes[] = {
	{ 17, 17, 32, 48, 1, 7, 0, 3, true },  { 17, 17, 16, 16, 7, 1, 3, 0, true }, { 20, 9, 48, 80, 7, 1, 0, 0, false },
	{ 8, 8, 16, 64, 1, 3, 0, 1, true },    { 9, 11, 64, 32, 3, 1, 1, 0, true },  { 12, 31, 16, 16, 1, 7, 0, 6, false },
	{ 9, 13, 32, 16, 3, 1, 2, 0, false },  { 15, 8, 32, 96, 3, 3, 1, 1, true },  { 13, 12, 80, 16, 3, 3, 0, 0, true },
	{ 9, 10, 16, 112, 3, 3, 2, 2, false }, { 9, 10, 16, 32, 3, 3, 0, 2, false }, { 8, 8, 160, 128, 3, 3, 1, 1, true },
};
/* By tiles of 6x6 pixels, which round more. */
static const struct shape six[] = {
	{ 19, 35, 48, 80, 5, 5, 2, 2, true },
	{ 12, 13, 16, 32, 5, 5, 0, 4, false },
	{ 35, 33, 64, 16, 3, 3, 1, 1, true },
};

static float *noise(uint64_t seed, size_t n)
{
	float *x = xaligned(n * sizeof *x);
	rng_normal(x, n, seed, RNG_NOISE, 0, 0);
	return x;
}

/* The worst deviation of y (data: of x), in units of the root of the number of its terms. */
static double worst(const struct dnn_shape *s, enum dnn_pass pass, bool relu, const float *x, const float *w,
                    const float *b, const float *y, int64_t step)
{
	bool data = pass == DNN_BACKWARD_DATA;
	int64_t h = data ? s->h : s->oh, wide = data ? s->w : s->ow, oc = data ? s->ic : s->oc, ic = data ? s->oc : s->ic;
	double most = 0;
	for (int64_t at = 0; at < h * wide * oc; at++) {
		int64_t o = at % oc, j = at / oc % wide, i = at / oc / wide;
		double want = b ? (double)b[o] : 0;
		for (int64_t p = 0; p < s->kh; p++)
			for (int64_t q = 0; q < s->kw; q++) {
				int64_t from_i = data ? i - p + s->pad_h : i + p - s->pad_h,
						from_j = data ? j - q + s->pad_w : j + q - s->pad_w;
				if (from_i < 0 || from_i >= (data ? s->oh : s->h) || from_j < 0 || from_j >= (data ? s->ow : s->w))
					continue;
				for (int64_t c = 0; c < ic; c++) {
					int64_t tap = (data ? c * s->ic + o : o * s->ic + c) * s->kh * s->kw + p * s->kw + q;
					want += (double)x[(from_i * (data ? s->ow : s->w) + from_j) * ic + c] * (double)w[tap];
				}
			}
		if (relu && want < 0)
			want = 0;
		double off = fabs((double)y[(i * wide + j) * step + o] - want) / sqrt((double)(ic * s->kh * s->kw));
		if (!(off <= most))
			most = off;
	}
	return most;
}

static void check(const struct shape *t, enum dnn_pass pass, double most)
{
	struct dnn_shape s = { .n = 1,
		                   .h = t->h,
		                   .w = t->w,
		                   .ic = t->ic,
		                   .oc = t->oc,
		                   .kh = t->kh,
		                   .kw = t->kw,
		                   .oh = t->h + 2 * t->pad_h - t->kh + 1,
		                   .ow = t->w + 2 * t->pad_w - t->kw + 1,
		                   .stride = 1,
		                   .pad_h = t->pad_h,
		                   .pad_w = t->pad_w };
	bool data = pass == DNN_BACKWARD_DATA;
	int64_t in = s.h * s.w * s.ic, out = s.oh * s.ow * s.oc, wide = (data ? s.ic : s.oc) + 24,
			pixels = data ? s.h * s.w : s.oh * s.ow;
	SCOPED(free)
	float *from = noise(1, (size_t)(data ? out : in)), *w = noise(2, (size_t)(s.ic * s.oc * s.kh * s.kw)),
		  *b = noise(3, (size_t)s.oc);
	SCOPED(free) float *to = xaligned((size_t)(pixels * wide) * sizeof *to);
	struct winograd *p = winograd_new_frozen(&s, pass, t->relu && !data, w);
	if (!p)
		cr_skip("this processor has neither AVX2 nor AVX-512");
	SCOPED(free) void *scratch = xaligned(winograd_scratch(p));
	for (int64_t i = 0; i < pixels * wide; i++)
		to[i] = 77;
	winograd_run_frozen(p, data ? to + 8 : from, data ? NULL : b, data ? from : to + 8, wide, scratch);
	winograd_free(p);
	double off = worst(&s, pass, t->relu && !data, from, w, data ? NULL : b, to + 8, wide);
	cr_expect(off < most, "%dx%d taps, %lldx%lld, %lld -> %lld, padding %d %d, pass %d: off by %g", t->kh, t->kw,
	          (long long)t->h, (long long)t->w, (long long)t->ic, (long long)t->oc, t->pad_h, t->pad_w, (int)pass, off);
	for (int64_t i = 0; i < pixels; i++)
		for (int64_t c = 0; c < wide; c++)
			if (c < 8 || c >= wide - 16)
				cr_assert(to[i * wide + c] == 77, "channel %lld beside its own was written", (long long)c);
}

static void check_frozen(enum dnn_pass pass)
{
	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
		check(&shapes[i], pass, 4e-6);
	for (size_t i = 0; i < sizeof six / sizeof *six; i++)
		check(&six[i], pass, 8e-6);
}

Test(winograd, frozen_weights_forward)
{
	check_frozen(DNN_FORWARD);
}

Test(winograd, frozen_weights_data_gradient)
{
	check_frozen(DNN_BACKWARD_DATA);
}

Test(winograd, what_it_does_not_do)
{
	float w[16 * 16 * 49] = { 0 };
	struct dnn_shape
		s = { .n = 1, .h = 32, .w = 32, .ic = 16, .oc = 16, .kh = 7, .kw = 1, .oh = 26, .ow = 32, .stride = 1 },
		t;
	t = s, t.stride = 2, t.oh = 13, t.ow = 16;
	cr_expect_null(winograd_new_frozen(&t, DNN_FORWARD, false, w), "stride");
	t = s, t.ic = 8;
	cr_expect_null(winograd_new_frozen(&t, DNN_FORWARD, false, w), "channels");
	t = s, t.kh = 5, t.oh = 28;
	cr_expect_null(winograd_new_frozen(&t, DNN_FORWARD, false, w), "a line of five taps");
	t = s, t.kh = 7, t.kw = 7, t.ow = 26;
	cr_expect_null(winograd_new_frozen(&t, DNN_FORWARD, false, w), "a square of seven");
	t = s, t.h = 9, t.w = 4, t.oh = 3, t.ow = 4;
	cr_expect_null(winograd_new_frozen(&t, DNN_FORWARD, false, w), "small");
}

/* ---- in training ----------------------------------------------------------------------------- */

/* Tiles of 4x4 and of 2x2 outputs, by blocks and by panels (winograd_product.c), sums in one chunk and in several, and
 * by groups of tiles. */
struct trained {
	int64_t n, side, ic, oc;
	int pad;
	const char *why;
};
static const struct trained trained[] = {
	{ 1, 8, 16, 16, 1, "four tiles" },         { 7, 13, 32, 80, 1, "112 tiles, an odd side" },
	{ 33, 6, 48, 16, 1, "2x2 outputs, many" }, { 3, 5, 160, 176, 1, "2x2 outputs, by panels" },
	{ 40, 7, 16, 144, 2, "a padding of two" }, { 6, 18, 272, 32, 0, "no padding, five blocks of inputs" },
	{ 20, 32, 32, 64, 1, "sums in chunks" },   { 20, 32, 80, 16, 1, "sums by groups of tiles" },
};
/* One tap, which only products of bf16 take. */
static const struct trained points[] = {
	{ 3, 5, 16, 48, 0, "an odd number of pixels" },
	{ 2, 16, 144, 80, 0, "several pairs of blocks" },
	{ 1, 8, 768, 512, 0, "by panels" },
	{ 30, 32, 64, 32, 0, "sums in chunks" },
};

static size_t results(const struct dnn_shape *s, enum dnn_pass pass)
{
	int64_t n = pass == DNN_FORWARD         ? s->n * s->oh * s->ow * s->oc
	            : pass == DNN_BACKWARD_DATA ? s->n * s->h * s->w * s->ic
	                                        : s->ic * s->oc * s->kh * s->kw;
	return (size_t)n;
}

enum by { DIRECT, FP32, BF16 };

/* `to`: the result of a pass, by the library's direct sums or by Winograd's. */
static void compute(float *to, const struct dnn_shape *s, enum dnn_pass pass, float *x, float *w, float *b, float *y,
                    enum by by)
{
	float *at[3] = { x, w, y };
	at[pass == DNN_FORWARD ? 2 : pass == DNN_BACKWARD_DATA ? 0 : 1] = to;
	float *bias = pass == DNN_FORWARD ? b : NULL;
	if (by == DIRECT) {
		struct dnn_conv *c = dnn_conv_new(s, pass, bias != NULL, pass == DNN_FORWARD);
		SCOPED(free) void *scratch = xaligned(dnn_conv_scratch(c) + 64);
		dnn_conv_run(c, at[0], at[1], bias, at[2], scratch);
		dnn_conv_free(c);
		return;
	}
	struct winograd *p = winograd_new(s, pass, pass == DNN_FORWARD, by == BF16);
	if (!p)
		cr_skip("this processor has neither AVX2 nor AVX-512, or no products of bf16");
	SCOPED(free) void *scratch = xaligned(winograd_scratch(p));
	memset(scratch, 0xFF, winograd_scratch(p)); /* NaNs: nothing is read that was not written */
	memset(to, 0xFF, results(s, pass) * sizeof *to);
	winograd_run(p, at[0], at[1], bias, at[2], scratch);
	winograd_free(p);
}

/* How a check is made: by what, with how many taps a side, how far it may be, and whether operands are small whole
 * numbers, which bf16 holds. */
struct way {
	enum by by;
	int taps;
	double most;
	bool whole;
};

static float *operand(const struct way *way, uint64_t seed, size_t n)
{
	float *x = noise(seed, n);
	for (size_t i = 0; way->whole && i < n; i++)
		x[i] = 4 * rintf(x[i]);
	return x;
}

static void check_trained(const struct trained *t, enum dnn_pass pass, const struct way *way)
{
	int64_t out = t->side + 2 * t->pad - way->taps + 1;
	struct dnn_shape s = { t->n, t->side, t->side, t->ic, t->oc, way->taps, way->taps, out, out, 1, t->pad, t->pad };
	SCOPED(free)
	float *x = operand(way, 1, results(&s, DNN_BACKWARD_DATA)), *w = operand(way, 2, results(&s, DNN_BACKWARD_WEIGHTS)),
		  *b = operand(way, 3, (size_t)t->oc), *y = operand(way, 4, results(&s, DNN_FORWARD));
	size_t n = results(&s, pass);
	SCOPED(free) float *want = noise(5, n), *got = noise(5, n), *again = noise(5, n);
	int threads = cpu_threads();
	compute(want, &s, pass, x, w, b, y, DIRECT);
	cpu_set_threads(1);
	compute(got, &s, pass, x, w, b, y, way->by);
	double diff = 0, size = 0;
	for (size_t i = 0; i < n; i++) {
		diff += ((double)got[i] - (double)want[i]) * ((double)got[i] - (double)want[i]);
		size += (double)want[i] * (double)want[i];
	}
	cr_expect(sqrt(diff / size) < way->most, "%s, pass %d: off by %g", t->why, (int)pass, sqrt(diff / size));
	for (int with = 2; with <= 7; with += with == 2 ? 1 : 4) {
		cpu_set_threads(with);
		compute(again, &s, pass, x, w, b, y, way->by);
		cr_expect_arr_eq(got, again, n * sizeof *got, "%s, pass %d: other bits on %d threads", t->why, (int)pass, with);
	}
	cpu_set_threads(threads);
}

static void check_all(const struct trained *t, size_t n, struct way way)
{
	for (size_t i = 0; i < n; i++)
		for (enum dnn_pass pass = DNN_FORWARD; pass <= DNN_BACKWARD_WEIGHTS; pass++)
			check_trained(&t[i], pass, &way);
}

/* Both sums round in float32. Where there are most of them they are apart by 4.03e-6 in the sanitizers' build on a
 * processor without AVX-512, and by less than 4e-6 elsewhere. */
Test(winograd, trained_in_fp32)
{
	check_all(trained, sizeof trained / sizeof *trained, (struct way){ FP32, 3, 5e-6, false });
}

/* Four to five times as far as a direct sum of operands in bf16, as results/cpu/README.md says. */
Test(winograd, trained_in_bf16)
{
	check_all(trained, sizeof trained / sizeof *trained, (struct way){ BF16, 3, 2e-2, false });
}

/* The transforms of F(2x2,3x3), and one tap, leave small whole numbers what bf16 can hold: each number of a pair is
 * multiplied by its own. */
Test(winograd, small_whole_numbers_are_exact_in_bf16)
{
	check_all(points, sizeof points / sizeof *points, (struct way){ BF16, 1, 1e-6, true });
	winograd_allow(WINOGRAD_2X2);
	check_all(trained, sizeof trained / sizeof *trained, (struct way){ BF16, 3, 1e-6, true });
	winograd_allow(WINOGRAD_EITHER);
}

/* Beside its exact operands nothing tells whether what is rounded is rounded right. */
Test(winograd, one_tap_rounds_to_bf16)
{
	check_all(points, sizeof points / sizeof *points, (struct way){ BF16, 1, 4e-3, false });
}

/* A side of 2, 5 or 6 goes by tiles of 2x2; that and the library are what a caller may ask for. */
Test(winograd, the_choice)
{
	struct dnn_shape s = { 8, 6, 6, 16, 16, 3, 3, 6, 6, 1, 1, 1 };
	struct winograd *small = winograd_new(&s, DNN_FORWARD, false, false);
	if (!small)
		cr_skip("this processor has neither AVX2 nor AVX-512");
	s.h = s.w = s.oh = s.ow = 8;
	struct winograd *large = winograd_new(&s, DNN_FORWARD, false, false);
	winograd_allow(WINOGRAD_2X2);
	struct winograd *forced = winograd_new(&s, DNN_FORWARD, false, false);
	cr_expect_lt(winograd_scratch(small), winograd_scratch(large));
	cr_expect_neq(winograd_scratch(forced), winograd_scratch(large));
	winograd_allow(WINOGRAD_NONE);
	cr_expect_null(winograd_new(&s, DNN_FORWARD, false, false));
	s.kh = s.kw = 1, s.pad_h = s.pad_w = 0;
	winograd_allow(WINOGRAD_EITHER);
	cr_expect_null(winograd_new(&s, DNN_FORWARD, false, false), "one tap in fp32");
	winograd_free(small);
	winograd_free(large);
	winograd_free(forced);
}
