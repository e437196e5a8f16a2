/* winograd_deviation.c - how far convolutions on the CPU are from exact ones, directly summed, by F(2x2,3x3) and by
 * F(4x4,3x3) where its shape takes it (model/cpu/winograd.h), in fp32 and with products of bf16: the three passes of
 * layers as the presets have them, and whole training steps by the number N of noise levels, whose student and teacher
 * nearly cancel late in the curriculum.
 *
 *     winograd_deviation                        # Markdown tables, then N passed, N failed, N skipped
 *
 * The reference is double: of a layer at SAMPLES places, of a step by the ops' specifications. Relative L2. A step is
 * that of `ict-shapes8-ci` with random weights everywhere, at the quantiles 1/8, 3/8, ... of the noise levels. A row
 * fails where F(4x4,3x3) is further away than about three times what was measured (results/cpu/README.md). */
#include "model/base/mem.h"
#include "model/base/rng.h"
#include "model/config/net_spec.h"
#include "model/consistency/schedule.h"
#include "model/consistency/step.h"
#include "model/cpu/devices.h"
#include "model/cpu/winograd.h"
#include "model/graph/graph_impl.h"
#include "model/train/model.h"
#include "tests/common/random_weights.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 96, COLUMNS = 3 };

/* A column of a table. Directly in bf16 is, of a layer, the sum in fp32 of operands that were rounded before. `apart`:
 * the teacher in a pass of its own, rather than as a change of the student's (model/nets/change.h). */
struct way {
	enum winograd_choice choice;
	bool bf16, apart, judged;
};
static const struct way in_fp32[COLUMNS] = { { WINOGRAD_NONE, false, false, false },
	                                         { WINOGRAD_2X2, false, false, false },
	                                         { WINOGRAD_EITHER, false, false, true } };
static const struct way in_bf16[COLUMNS] = { { WINOGRAD_NONE, true, false, false },
	                                         { WINOGRAD_2X2, true, false, false },
	                                         { WINOGRAD_EITHER, true, false, true } };
static const struct way steps_in_bf16[COLUMNS] = { { WINOGRAD_2X2, true, false, false },
	                                               { WINOGRAD_EITHER, true, false, true },
	                                               { WINOGRAD_EITHER, true, true, false } };
static int passed, failed;

static void judge(double deviation, double most)
{
	bool good = deviation <= most; /* false for a NaN */
	passed += good;
	failed += !good;
}

/* ---- layers ----------------------------------------------------------------------------------- */

struct layer {
	int64_t n, side, ic, oc;
};

static const struct layer layers[] = { { 24, 7, 48, 48 },    { 64, 32, 32, 32 },  { 64, 16, 64, 64 },
	                                   { 32, 16, 128, 128 }, { 4, 32, 512, 256 }, { 4, 8, 256, 256 },
	                                   { 1, 64, 192, 192 },  { 1, 8, 768, 768 } };

struct operands {
	struct layer l;
	float *x, *w, *y;
};

static float *normal(size_t n, uint32_t stream, float scale)
{
	float *v = xaligned(n * sizeof *v);
	rng_normal(v, n, 5, RNG_SYNTHETIC, stream, 0);
	for (size_t i = 0; i < n; i++)
		v[i] *= scale;
	return v;
}

static size_t at_x(const struct layer *l, int64_t n, int64_t i, int64_t j, int64_t c)
{
	return (size_t)(((n * l->side + i) * l->side + j) * l->ic + c);
}
static size_t at_y(const struct layer *l, int64_t n, int64_t i, int64_t j, int64_t o)
{
	return (size_t)(((n * l->side + i) * l->side + j) * l->oc + o);
}
static size_t at_w(const struct layer *l, int64_t o, int64_t c, int64_t p, int64_t q)
{
	return (size_t)(((o * l->ic + c) * 3 + p) * 3 + q);
}

static bool inside(const struct layer *l, int64_t i, int64_t j)
{
	return i >= 0 && j >= 0 && i < l->side && j < l->side;
}

/* One number of a pass's result, by its definition. */
static double forward(const struct operands *v, size_t at)
{
	const struct layer *l = &v->l;
	int64_t o = (int64_t)at % l->oc, j = (int64_t)at / l->oc % l->side, i = (int64_t)at / l->oc / l->side % l->side,
			n = (int64_t)at / l->oc / l->side / l->side;
	double sum = 0;
	for (int64_t p = 0; p < 3; p++)
		for (int64_t q = 0; q < 3; q++)
			for (int64_t c = 0; inside(l, i + p - 1, j + q - 1) && c < l->ic; c++)
				sum += (double)v->x[at_x(l, n, i + p - 1, j + q - 1, c)] * (double)v->w[at_w(l, o, c, p, q)];
	return sum;
}

static double data(const struct operands *v, size_t at)
{
	const struct layer *l = &v->l;
	int64_t c = (int64_t)at % l->ic, j = (int64_t)at / l->ic % l->side, i = (int64_t)at / l->ic / l->side % l->side,
			n = (int64_t)at / l->ic / l->side / l->side;
	double sum = 0;
	for (int64_t p = 0; p < 3; p++)
		for (int64_t q = 0; q < 3; q++)
			for (int64_t o = 0; inside(l, i - p + 1, j - q + 1) && o < l->oc; o++)
				sum += (double)v->y[at_y(l, n, i - p + 1, j - q + 1, o)] * (double)v->w[at_w(l, o, c, p, q)];
	return sum;
}

static double weights(const struct operands *v, size_t at)
{
	const struct layer *l = &v->l;
	int64_t q = (int64_t)at % 3, p = (int64_t)at / 3 % 3, c = (int64_t)at / 9 % l->ic, o = (int64_t)at / 9 / l->ic;
	double sum = 0;
	for (int64_t n = 0; n < l->n; n++)
		for (int64_t i = 0; i < l->side; i++)
			for (int64_t j = 0; j < l->side; j++)
				if (inside(l, i + p - 1, j + q - 1))
					sum += (double)v->x[at_x(l, n, i + p - 1, j + q - 1, c)] * (double)v->y[at_y(l, n, i, j, o)];
	return sum;
}

/* Which pass, a number of its result, and how far F(4x4,3x3) may be in fp32 and in bf16. */
static const struct row {
	const char *name;
	enum dnn_pass pass;
	double (*exact)(const struct operands *v, size_t at);
	double most[2];
} passes[] = { { "forward", DNN_FORWARD, forward, { 4e-6, 2e-2 } },
	           { "data gradient", DNN_BACKWARD_DATA, data, { 4e-6, 2e-2 } },
	           { "weights gradient", DNN_BACKWARD_WEIGHTS, weights, { 4e-6, 2e-2 } } };

static float rounded(float x)
{
	uint32_t u;
	memcpy(&u, &x, sizeof u);
	u = (u + 0x7FFF + (u >> 16 & 1)) & 0xFFFF0000;
	memcpy(&x, &u, sizeof x);
	return x;
}

static float *copy(const float *x, size_t n, bool round)
{
	float *v = xaligned(n * sizeof *v);
	for (size_t i = 0; i < n; i++)
		v[i] = round ? rounded(x[i]) : x[i];
	return v;
}

static void compute(const struct dnn_shape *s, enum dnn_pass pass, const struct operands *from, float *to, bool bf16)
{
	struct winograd *p = winograd_new(s, pass, false, bf16);
	struct dnn_conv *c = p ? NULL : dnn_conv_new(s, pass, false, false);
	SCOPED(free) void *scratch = xaligned((p ? winograd_scratch(p) : dnn_conv_scratch(c)) + 64);
	float *x = pass == DNN_BACKWARD_DATA ? to : from->x, *w = pass == DNN_BACKWARD_WEIGHTS ? to : from->w,
		  *y = pass == DNN_FORWARD ? to : from->y;
	if (p)
		winograd_run(p, x, w, NULL, y, scratch);
	else
		dnn_conv_run(c, x, w, NULL, y, scratch);
	winograd_free(p);
	dnn_conv_free(c);
}

static void layer_rows(const struct layer *l, const struct way *ways)
{
	size_t nx = (size_t)(l->n * l->side * l->side * l->ic), ny = (size_t)(l->n * l->side * l->side * l->oc),
		   nw = (size_t)(l->ic * l->oc * 9);
	SCOPED(free) float *x = normal(nx, 0, 1), *y = normal(ny, 1, 1), *w = normal(nw, 2, 1 / sqrtf((float)(9 * l->ic)));
	bool bf16 = ways[0].bf16;
	SCOPED(free) float *low_x = copy(x, nx, bf16), *low_y = copy(y, ny, bf16), *low_w = copy(w, nw, bf16);
	struct operands v = { *l, x, w, y }, low = { *l, low_x, low_w, low_y };
	struct dnn_shape s = { l->n, l->side, l->side, l->ic, l->oc, 3, 3, l->side, l->side, 1, 1, 1 };
	for (size_t i = 0; i < sizeof passes / sizeof *passes; i++) {
		const struct row *pass = &passes[i];
		size_t n = pass->pass == DNN_FORWARD ? ny : pass->pass == DNN_BACKWARD_DATA ? nx : nw;
		SCOPED(free) float *to = xaligned(n * sizeof *to);
		double off[COLUMNS];
		for (int k = 0; k < COLUMNS; k++) {
			double diff = 0, size = 0;
			winograd_allow(ways[k].choice);
			compute(&s, pass->pass, ways[k].choice == WINOGRAD_NONE ? &low : &v, to, bf16);
			for (size_t j = 0; j < SAMPLES; j++) {
				size_t at = (size_t)(rng_uniform(5, RNG_SYNTHETIC, 3, j) * (double)n);
				double want = pass->exact(&v, at);
				diff += ((double)to[at] - want) * ((double)to[at] - want);
				size += want * want;
			}
			off[k] = sqrt(diff / size);
			if (ways[k].judged)
				judge(off[k], pass->most[bf16]);
		}
		printf("| %lldx%lldx%lldx%lld -> %lld | %s | %.1e | %.1e | %.1e |\n", (long long)l->n, (long long)l->side,
		       (long long)l->side, (long long)l->ic, (long long)l->oc, pass->name, off[0], off[1], off[2]);
		(void)fflush(stdout);
	}
}

/* ---- steps ------------------------------------------------------------------------------------ */

struct setup {
	struct run_config c;
	struct net_spec net;
	struct params *p;
	float *student, *grad;
	double *exact;
};

enum { BATCH = 4 };

/* The gradient of a step at N levels, in s->grad; by: NULL for the one in double, in s->exact. */
static void step(const struct setup *s, int64_t levels, const struct way *by)
{
	bool exact = !by;
	struct graph *g = graph_new_on(by && by->bf16 ? backend_cpu_bf16() : backend_cpu());
	struct step st = step_build(g, &s->c, &s->net, s->p,
	                            &(struct step_options){ .batch = BATCH, .backward = true, .apart = by && by->apart });
	graph_plan(g);
	graph_bind(g, STORE_STUDENT, s->student);
	graph_bind(g, STORE_TEACHER, s->student);
	graph_bind(g, STORE_GRAD, s->grad);
	size_t values = tensor_count(st.x0);
	rng_normal(st.x0->data, values, 7, RNG_SYNTHETIC, 1000, 0);
	for (size_t i = 0; i < values; i++)
		st.x0->data[i] = fmaxf(-1, fminf(1, 0.5f * st.x0->data[i]));
	rng_normal(st.z->data, values, 7, RNG_NOISE, 0, 0);
	SCOPED(free) double *cdf = xcalloc((size_t)levels, sizeof *cdf);
	index_cdf(cdf, &s->c, levels);
	for (int i = 0; i < BATCH; i++) {
		int64_t k = index_of(cdf, levels, (2 * i + 1) / (2.0 * BATCH));
		double small = sigma_at(&s->c, levels, k), big = sigma_at(&s->c, levels, k + 1);
		step_set_noise(&st, &s->c, i, big, small, loss_weight(&s->c, big, small));
	}
	graph_send(g);
	graph_set_step(g, 7, 0);
	if (exact) {
		graph_run_ref(g);
		for (int i = 0; i < g->n_tensors; i++) {
			const struct tensor *t = g->tensors[i];
			for (size_t j = 0; t->role == TENSOR_PARAM && t->store == STORE_GRAD && j < tensor_count(t); j++)
				s->exact[t->at + j] = t->ref[j];
		}
		graph_free_ref(g);
	} else
		graph_run(g);
	graph_free(g);
}

static void step_row(const struct setup *s, const struct way *ways, int64_t levels, double most)
{
	size_t n = params_floats(s->p);
	double off[COLUMNS];
	step(s, levels, NULL);
	for (int k = 0; k < COLUMNS; k++) {
		double diff = 0, size = 0;
		winograd_allow(ways[k].choice);
		step(s, levels, &ways[k]);
		for (size_t i = 0; i < n; i++) {
			diff += ((double)s->grad[i] - s->exact[i]) * ((double)s->grad[i] - s->exact[i]);
			size += s->exact[i] * s->exact[i];
		}
		off[k] = sqrt(diff / size);
		if (ways[k].judged)
			judge(off[k], most);
	}
	printf("| %lld | %.1e | %.1e | %.1e |\n", (long long)levels, off[0], off[1], off[2]);
	(void)fflush(stdout);
}

static int steps(const struct way *ways, struct err *e)
{
	static const struct {
		int64_t levels;
		double most[2];
	} rows[] = { { 11, { 1e-5, 1e-1 } }, { 161, { 1e-4, 1e-1 } }, { 641, { 5e-4, 1e-1 } }, { 1281, { 1e-3, 1e-1 } } };
	bool bf16 = ways[0].bf16;
	struct setup s = { 0 };
	config_defaults(&s.c);
	if (config_preset(&s.c, "ict-shapes8-ci", e) || config_finish(&s.c, e))
		return -1;
	s.net = net_spec_of(&s.c);
	s.p = net_params(&s.net);
	size_t n = params_floats(s.p);
	s.student = xaligned(n * sizeof *s.student);
	s.grad = xaligned(n * sizeof *s.grad);
	s.exact = xcalloc(n, sizeof *s.exact);
	random_weights(s.student, s.p);
	printf("\n| N | %s |\n|---:|---:|---:|---:|\n",
	       bf16 ? "F(2x2,3x3) | F(4x4,3x3) | F(4x4,3x3), teacher apart" : "direct | F(2x2,3x3) | F(4x4,3x3)");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		step_row(&s, ways, rows[i].levels, rows[i].most[bf16]);
	free(s.student);
	free(s.grad);
	free(s.exact);
	params_free(s.p);
	return 0;
}

static int tables(const char *name, const struct way *of_layers, const struct way *of_steps, struct err *e)
{
	printf("%s\n\n| layer | pass | direct | F(2x2,3x3) | F(4x4,3x3) |\n|---|---|---:|---:|---:|\n", name);
	for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
		layer_rows(&layers[i], of_layers);
	int rc = steps(of_steps, e);
	printf("\n");
	return rc;
}

int main(void)
{
	struct err e = ERR_INIT;
	model_init(0);
	int rc = tables("fp32", in_fp32, in_fp32, &e);
	bool low = winograd_has_bf16();
	if (!rc && low)
		rc = tables("bf16", in_bf16, steps_in_bf16, &e);
	if (rc)
		(void)fprintf(stderr, "winograd_deviation: %s\n", e.msg);
	printf("\n%d passed, %d failed, %d skipped\n", passed, failed + (rc != 0), !low);
	return rc || failed ? EXIT_INCOMPLETE : EXIT_OK;
}
