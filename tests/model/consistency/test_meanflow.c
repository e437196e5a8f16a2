/* test_meanflow.c - MeanFlow (arXiv:2505.13447) against the paper's formulas in its own variables, in double: the times
 * q <= s, y = (1 - s) x + s z, v = z - x, and a network F(y, s, h) that is asked by itself, apart from the step and the
 * sampler. A wrong factor, or one time in the other's place, here trains, and converges to something else. */
#include "model/config/net_spec.h"
#include "model/consistency/schedule.h"
#include "model/consistency/step.h"

#include "model/base/mem.h"
#include "model/base/rng.h"
#include "model/cpu/devices.h"
#include "model/train/ckpt.h"
#include "model/train/draw.h"
#include "model/train/model.h"
#include "model/train/sample.h"
#include "tests/common/random_input.h"
#include "tests/common/random_weights.h"
#include "tests/common/tempdir.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 3, SIDE = 8, PER = SIDE * SIDE, ALL = N * PER };
/* The last of them learns the velocity itself. */
static const double s_of[N] = { 0.9, 0.4, 0.15 }, q_of[N] = { 0.2, 0, 0.15 }, scale = 3;

static double noise_of(double s)
{
	return s / (1 - s);
}

static struct run_config config(const char *key, const char *value)
{
	struct run_config c;
	struct err e = ERR_INIT;
	const char *const set[][2] = {
		{ "method.kind", "meanflow" }, { "precond.kind", "flow" },     { "precond.time_scale", "3" },
		{ "loss.kind", "l2" },         { "weight.kind", "adaptive" },  { "weight.p", "0.6" },
		{ "weight.eps", "2.5" },       { "sigma.max", "1e8" },         { "sigma.min", "0" },
		{ "noise.mean", "-0.5" },      { "noise.std", "1.4" },         { "net.channels", "8" },
		{ "net.attn", "[4]" },         { "sample.quantize", "round" }, { key, value },
	};
	config_defaults(&c);
	cr_assert_eq(config_preset(&c, "ict-shapes8-ci", &e), 0, "%s", e.msg);
	for (size_t i = 0; i < sizeof set / sizeof *set; i++)
		cr_assert_eq(config_set_text(&c, set[i][0], set[i][1], &e), 0, "%s", e.msg);
	return c;
}

static struct run_config finished(const char *key, const char *value)
{
	struct run_config c = config(key, value);
	struct err e = ERR_INIT;
	cr_assert_eq(config_finish(&c, &e), 0, "%s", e.msg);
	return c;
}

/* ---- the network by itself --------------------------------------------------------------------- */

struct model {
	struct run_config c;
	struct net_spec net;
	struct params *p;
	float *w;
};

static struct model model_of(const struct run_config *c)
{
	struct model m = { .c = *c };
	model_init(1);
	m.net = net_spec_of(c);
	m.p = net_params(&m.net);
	m.w = xaligned(params_floats(m.p) * sizeof *m.w);
	random_weights(m.w, m.p);
	return m;
}

static void model_release(struct model *m)
{
	params_free(m->p);
	free(m->w);
}

/* dst = F(y, s, h) of n pictures, in double; the times reach the network multiplied by the scale. */
static void network(double *dst, const struct model *m, const double *y, const double *s, const double *h, int n)
{
	struct graph *g = graph_new_on(backend_cpu());
	struct net_inputs in = { .x = graph_input(g, "y", n, SIDE, SIDE, 1),
		                     .c_noise = graph_input(g, "s", n, 1, 1, 1),
		                     .c_gap = graph_input(g, "h", n, 1, 1, 1) };
	struct tensor *f = net_forward(g, &m->net, m->p, STORE_STUDENT, &in);
	graph_keep(f);
	graph_plan(g);
	graph_bind(g, STORE_STUDENT, m->w);
	graph_load_ref(g);
	memcpy(in.x->ref, y, (size_t)n * PER * sizeof *y);
	for (int i = 0; i < n; i++)
		in.c_noise->ref[i] = scale * s[i], in.c_gap->ref[i] = scale * h[i];
	graph_rerun_ref(g);
	memcpy(dst, f->ref, (size_t)n * PER * sizeof *dst);
	graph_free(g);
}

/* |a - b| relative to |b|. */
static double apart(const double *a, const double *b, size_t n)
{
	double diff = 0, size = 0;
	for (size_t i = 0; i < n; i++) {
		diff += (a[i] - b[i]) * (a[i] - b[i]);
		size += b[i] * b[i];
	}
	return sqrt(diff / size);
}

/* map_layer0 reads the first half of its input alone. */
static void forget_the_gap(struct model *m)
{
	const struct param *q = params_find(m->p, "map_layer0.weight");
	size_t row = (size_t)q->dims[1], half = row / 2;
	for (size_t i = 0; i < q->count; i++)
		if (i % row >= half)
			m->w[q->at + i] = 0;
}

/* It reads its halves the other way round. */
static void swap_waves(struct model *m)
{
	const struct param *q = params_find(m->p, "map_layer0.weight");
	size_t row = (size_t)q->dims[1], half = row / 2;
	for (size_t i = 0; i < q->count; i++)
		if (i % row < half) {
			float kept = m->w[q->at + i];
			m->w[q->at + i] = m->w[q->at + i + half];
			m->w[q->at + i + half] = kept;
		}
}

/* The first half of what map_layer0 reads is of s alone, the second of h alone, and both have the same waves: with the
 * halves changed over, times changed over give the same answer. */
Test(meanflow, each_time_has_its_half_of_the_embedding)
{
	static double y[ALL], before[ALL], after[ALL];
	const double h_of[N] = { 0.5, 0.1, 0.7 };
	for (int kind = NET_DDPMPP; kind <= NET_ADM; kind++) {
		struct run_config c = finished("net.channels", kind == NET_ADM ? "64" : "8");
		c.net.kind = kind;
		struct model m = model_of(&c);
		for (int i = 0; i < ALL; i++)
			y[i] = sin(i);
		network(before, &m, y, s_of, h_of, N);
		swap_waves(&m);
		network(after, &m, y, h_of, s_of, N);
		cr_expect_lt(apart(after, before, ALL), 1e-12, "kind %d: other waves", kind);
		network(after, &m, y, s_of, h_of, N);
		cr_expect_gt(apart(after, before, ALL), 1e-4, "kind %d: times are alike", kind);
		forget_the_gap(&m);
		network(before, &m, y, s_of, h_of, N);
		network(after, &m, y, s_of, q_of, N);
		cr_expect_lt(apart(after, before, ALL), 1e-12, "kind %d: the gap is in the first half", kind);
		network(after, &m, y, q_of, h_of, N);
		cr_expect_gt(apart(after, before, ALL), 1e-4, "kind %d: the first half is not of s", kind);
		model_release(&m);
	}
}

/* ---- the step ---------------------------------------------------------------------------------- */

struct run {
	struct model m;
	float *grad;
	struct graph *g;
	struct step s;
};

static struct run begin(const struct run_config *c)
{
	struct run r = { .m = model_of(c), .g = graph_new_on(backend_cpu()) };
	r.grad = xaligned(params_floats(r.m.p) * sizeof *r.grad);
	r.s = step_build(r.g, c, &r.m.net, r.m.p, &(struct step_options){ .batch = N, .backward = true });
	graph_plan(r.g);
	graph_bind(r.g, STORE_STUDENT, r.m.w);
	graph_bind(r.g, STORE_GRAD, r.grad);
	random_input(r.g, r.s.x0, 7, 1, 1);
	random_input(r.g, r.s.z, 7, 2, 1);
	for (int i = 0; i < N; i++)
		step_set_flow(&r.s, c, i, noise_of(s_of[i]), noise_of(q_of[i]), 1);
	graph_run_ref(r.g);
	return r;
}

static void end(struct run *r)
{
	graph_free(r->g);
	model_release(&r->m);
	free(r->grad);
}

/* F at the times s + by and q. */
static void along(double *f, const struct run *r, double by)
{
	static double y[ALL];
	double s[N], h[N];
	for (int n = 0; n < N; n++)
		s[n] = s_of[n] + by, h[n] = s[n] - q_of[n];
	for (int i = 0; i < ALL; i++)
		y[i] = (1 - s[i / PER]) * r->s.x0->ref[i] + s[i / PER] * r->s.z->ref[i];
	network(f, &r->m, y, s, h, N);
}

/* Coefficients are floats: nothing agrees better than some 1e-7; differences of the network's answers add to that. */
static void expect_the_papers_target(const struct run_config *c)
{
	static double f[ALL], up[ALL], down[ALL], target[ALL];
	const double step = 1e-4;
	struct run r = begin(c);
	along(f, &r, 0), along(up, &r, step), along(down, &r, -step);
	for (int i = 0; i < ALL; i++) {
		double v = r.s.z->ref[i] - r.s.x0->ref[i], df_ds = (up[i] - down[i]) / (2 * step);
		target[i] = v - (s_of[i / PER] - q_of[i / PER]) * df_ds;
	}
	cr_expect_lt(apart(r.s.student->ref, f, ALL), 1e-5, "the answer");
	for (int n = 0; n < N; n++) {
		double off = apart(r.s.teacher->ref + n * PER, target + n * PER, PER);
		cr_expect_lt(off, 1e-5, "s = %g, q = %g: %.1e", s_of[n], q_of[n], off);
	}
	cr_expect_not(r.s.teacher->needs_grad);
	end(&r);
}

/* Of the three families; ncsnpp's frequencies are drawn. */
Test(meanflow, the_target_is_the_papers)
{
	struct run_config c = finished("net.kind", "ddpmpp");
	expect_the_papers_target(&c);
	c = finished("net.kind", "ncsnpp");
	c.net.fourier_scale = 0.5;
	expect_the_papers_target(&c);
	c = finished("net.channels", "64");
	c.net.kind = NET_ADM;
	expect_the_papers_target(&c);
}

/* S / (S + eps)^p of the sum of squares S; no gradient flows to the divisor. */
Test(meanflow, the_loss_is_weighted_by_its_own_size)
{
	struct run_config c = finished("net.kind", "ddpmpp");
	struct run r = begin(&c);
	double total = 0, worst = 0, size = 0;
	for (int n = 0; n < N; n++) {
		double squares = 0;
		for (int i = n * PER; i < (n + 1) * PER; i++)
			squares += pow(r.s.student->ref[i] - r.s.teacher->ref[i], 2);
		double divisor = pow(squares + 2.5, 0.6);
		cr_expect_float_eq(r.s.d->ref[n] / (squares / divisor), 1, 1e-12, "sample %d", n);
		total += squares / divisor / N;
		for (int i = n * PER; i < (n + 1) * PER; i++) {
			double want = 2 * (r.s.student->ref[i] - r.s.teacher->ref[i]) / divisor / N;
			worst = fmax(worst, fabs(r.s.student->grad->ref[i] - want));
			size = fmax(size, fabs(want));
		}
	}
	cr_expect_float_eq(r.s.loss->ref[0] / total, 1, 1e-12);
	cr_expect_lt(worst, 1e-12 * size);
	end(&r);
	c = finished("weight.kind", "uniform");
	r = begin(&c);
	double squares = 0;
	for (int i = 0; i < PER; i++)
		squares += pow(r.s.student->ref[i] - r.s.teacher->ref[i], 2);
	cr_expect_float_eq(r.s.d->ref[0] / squares, 1, 1e-12);
	end(&r);
}

/* ---- what is drawn ------------------------------------------------------------------------------ */

/* The share of times below s: ln s/(1 - s) ~ N(-0.5, 1.4^2). */
static double rank(double s)
{
	return 0.5 * erfc(-(log(s / (1 - s)) + 0.5) / 1.4 / sqrt(2));
}

/* Sample 5 + i of step 11 by the random numbers of its own: two times, of which the larger is s, and whether the other
 * one counts. Times are floats. */
Test(meanflow, times_are_drawn_by_the_law_and_share)
{
	enum { BATCH = 64, SEED = 9, STEP = 11, FIRST = 5 };
	struct run_config c = finished("meanflow.share", "0.6");
	struct model m = model_of(&c);
	struct graph *g = graph_new_on(backend_cpu());
	struct step s = step_build(g, &c, &m.net, m.p, &(struct step_options){ .batch = BATCH });
	struct draws d = { .c = &c, .seed = SEED };
	int apart = 0;
	graph_plan(g);
	draw_noise_levels(&s, &d, &(struct split){ .share = 2 * BATCH, .micro = BATCH, .parts = 2 }, STEP, FIRST);
	for (int i = 0; i < BATCH; i++) {
		double one = rng_uniform_double(SEED, RNG_SIGMA, STEP, (uint64_t)(FIRST + i)),
			   other = rng_uniform_double(SEED, 13, STEP, (uint64_t)(FIRST + i)),
			   time = (double)s.continuous.c_noise->host[i] / scale, gap = (double)s.continuous.c_gap->host[i] / scale;
		bool counts = rng_uniform_double(SEED, 14, STEP, (uint64_t)(FIRST + i)) < 0.6;
		apart += counts;
		cr_expect_float_eq(rank(time), fmax(one, other), 1e-5, "sample %d", i);
		if (counts)
			cr_expect_float_eq(rank(time - gap), fmin(one, other), 1e-5, "sample %d", i);
		else
			cr_expect_eq(gap, 0, "sample %d", i);
		cr_expect_eq(s.weight->host[i], 0.5f, "two parts add up to the mean");
	}
	cr_expect(apart > BATCH / 4 && apart < BATCH, "%d of %d are apart", apart, BATCH);
	draws_release(&d);
	graph_free(g);
	model_release(&m);
}

/* ---- sampling ------------------------------------------------------------------------------------ */

/* y/(1 - s) = x + sigma z, and D leads from it to the time 0. */
Test(meanflow, flow_is_a_preconditioning)
{
	struct run_config c = finished("net.kind", "ddpmpp");
	for (int i = 0; i < N; i++) {
		double s = s_of[i];
		struct precond p = precond_at(&c, PRECOND_FLOW, noise_of(s));
		cr_expect_float_eq(p.c_in, 1 - s, 1e-14);
		cr_expect_float_eq(p.c_skip, 1 - s, 1e-14);
		cr_expect_float_eq(p.c_out, -s, 1e-14);
		cr_expect_float_eq(p.c_noise, scale * s, 1e-14);
	}
	cr_expect_eq(flow_time(0), 0);
	cr_expect_eq(flow_time(INFINITY), 1);
	for (int j = 0; j <= 4; j++) /* 9: the time 0.9 */
		cr_expect_float_eq(flow_time(flow_level(9, j, 4)), 0.9 * j / 4, 1e-14);
	cr_expect_eq(flow_level(9, 4, 4), 9);
}

/* A checkpoint of the model as if it had been trained. */
static char *save(const struct model *m, const char *dir)
{
	char *path = NULL, sha256[SHA256_HEX];
	struct err e = ERR_INIT;
	SCOPED(free) char *json = config_json(&m->c);
	struct ckpt_state s = {
		.params = m->p, .parts = { [CKPT_STUDENT] = m->w, [CKPT_EMA] = m->w }, .decay = m->c.ema.decay, .config = json
	};
	cr_assert_eq(ckpt_save(&path, sha256, dir, &s, &e), 0, "%s", e.msg);
	return path;
}

/* From z at the time 1 by n equal steps of the time: numbers 5 and 6 of seed 9. */
static void by_formula(double *y, const struct model *m, struct sampler *s, int n)
{
	enum { PICTURES = 2 };
	static double f[PICTURES * PER];
	float z[PER];
	for (int i = 0; i < PICTURES; i++) {
		sampler_latent(z, s, 9, 0, 5 + i);
		for (int j = 0; j < PER; j++)
			y[i * PER + j] = (double)z[j];
	}
	for (int k = n; k > 0; k--) {
		double time = (double)k / n, gap = 1.0 / n;
		network(f, m, y, (double[]){ time, time }, (double[]){ gap, gap }, PICTURES);
		for (int j = 0; j < PICTURES * PER; j++)
			y[j] -= gap * f[j];
	}
}

/* A sampler that were given a time twice, or took its steps back in the noise level, would be far from it. */
Test(meanflow, a_sample_takes_equal_steps_of_the_time)
{
	static double want[2 * PER];
	static uint8_t got[2 * PER];
	struct run_config c = finished("net.kind", "ddpmpp");
	struct model m = model_of(&c);
	char *dir = tempdir_make(), *path = save(&m, dir);
	struct sampler *s;
	struct err e = ERR_INIT;
	cr_assert_eq(sampler_open(&s, &c, path, "cpu", &e), 0, "%s", e.msg);
	for (int nfe = 1; nfe <= 4; nfe++) {
		int between = 0;
		by_formula(want, &m, s, nfe);
		cr_assert_eq(sampler_run(s, got, 5, 2, 9, nfe, NULL, &e), 0, "%s", e.msg);
		for (int i = 0; i < 2 * PER; i++) {
			double level = floor(fmax(-1, fmin(1, want[i])) * 127.5 + 128);
			between += level > 2 && level < 253;
			cr_expect(fabs(got[i] - fmin(255, level)) <= 1, "%d steps, %d: %g, but %d", nfe, i, want[i], got[i]);
		}
		cr_expect(between > PER / 2, "%d values say something", between);
	}
	sampler_free(s);
	tempdir_remove(dir);
	free(path);
	model_release(&m);
}

/* D(x, sigma) of single precision, also where x is 1e30 z, the most that is allowed: the answer that edits ask for. */
Test(meanflow, an_answer_leads_to_the_picture_at_once)
{
	enum { LEVELS = 3 };
	static const double sigmas[LEVELS] = { 1e30, 5, 0.1 };
	struct run_config c = finished("sample.clip", "false");
	struct model m = model_of(&c);
	char *dir = tempdir_make(), *path = save(&m, dir);
	struct sampler *s;
	struct err e = ERR_INIT;
	cr_assert_eq(sampler_open(&s, &c, path, "cpu", &e), 0, "%s", e.msg);
	for (int k = 0; k < LEVELS; k++) {
		static double y[PER], want[PER], out[PER];
		float x[PER], got[PER];
		const int64_t number = 0;
		double time = sigmas[k] / (1 + sigmas[k]);
		rng_normal(x, PER, 3, RNG_SYNTHETIC, (uint32_t)k, 0);
		for (int i = 0; i < PER; i++) {
			x[i] *= (float)fmax(1, sigmas[k]);
			y[i] = (double)x[i] / (1 + sigmas[k]);
		}
		network(want, &m, y, &time, &time, 1);
		cr_assert_eq(sampler_denoise(s, got, x, &number, 1, sigmas[k], 9, &e), 0, "%s", e.msg);
		for (int i = 0; i < PER; i++) {
			want[i] = y[i] - time * want[i];
			out[i] = (double)got[i];
		}
		cr_expect_lt(apart(out, want, PER), 2e-6, "sigma %g: %.1e", sigmas[k], apart(out, want, PER));
	}
	sampler_free(s);
	tempdir_remove(dir);
	free(path);
	model_release(&m);
}

/* ---- refusals ------------------------------------------------------------------------------------ */

/* One line each, which names the knob that has to change. */
Test(meanflow, refusals)
{
	static const char *const wrong[][3] = {
		{ "precond.kind", "trigflow", "set precond.kind = \"flow\"" },
		{ "noise.dist", "uniform", "set noise.dist = \"lognormal\"" },
		{ "loss.kind", "pseudo-huber", "set loss.kind = \"l2\"" },
		{ "teacher.ema", "0.9", "leave teacher.ema at 0" },
		{ "weight.kind", "learned", "\"adaptive\" or \"uniform\"" },
		{ "weight.kind", "snr", "\"adaptive\" or \"uniform\"" },
		{ "sigma.max", "1e31", "give at most 1e30" },
		{ "multistep.segments", "2", "leave multistep.segments at 1" },
		{ "train.dtype", "bf16", "trains in fp32 or tf32" },
	};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct run_config c = config(wrong[i][0], wrong[i][1]);
		struct err e = ERR_INIT;
		cr_expect_neq(config_finish(&c, &e), 0, "%s = %s", wrong[i][0], wrong[i][1]);
		cr_expect_eq(e.code, EXIT_USAGE);
		cr_expect(strstr(e.msg, wrong[i][2]), "%s", e.msg);
		cr_expect(strstr(e.msg, "method.kind = \"meanflow\""), "%s", e.msg);
	}
}
