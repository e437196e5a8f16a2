/* preset_convs.c - the convolutions of a preset's training step on a device, each distinct shape once, as wide as they
 * are trained (a library chooses other engines for 128 to 512 channels than for the few of op_runner):
 *
 *     preset_convs [--preset NAME] [--device NAME] [--dtype fp32|tf32|bf16] [--batch B]
 *
 * Without --dtype, all three. Forward pass, data gradient and weights gradient at SAMPLES places each, which the host
 * computes in double, and plainly as the device should: factors rounded to the dtype, summed in float in one row, in
 * bf16 the result rounded too. The device may be FACTOR times as far from double as the plain sum is (relative L2 over
 * the places). In fp32 the plain sum is the worst order there is; in tf32 a device that cuts factors off, where this
 * rounds them, is 2.6 times as far. */
#include "model/base/mem.h"
#include "model/base/rng.h"
#include "model/config/net_spec.h"
#include "model/consistency/step.h"
#include "model/cpu/devices.h"
#include "model/graph/graph_impl.h"
#include "model/train/model.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 64, FACTOR = 4, MAX_SHAPES = 200 };

struct shape {
	int64_t h, w, ic, oc, k, stride, pad_h, pad_w;
};

/* A convolution with its operands on the host. */
struct job {
	struct shape s;
	int64_t n, oh, ow;
	int dtype;
	float *x, *w, *dy;
};

/* ---- which ------------------------------------------------------------------------------------ */

static int shapes_of(struct shape *found, const struct run_config *c)
{
	struct net_spec net = net_spec_of(c);
	struct params *p = net_params(&net);
	struct graph *g = graph_new();
	struct node **nodes;
	int n = 0;
	(void)step_build(g, c, &net, p, &(struct step_options){ .batch = 1 });
	int count = graph_nodes(g, &nodes);
	for (int i = 0; i < count; i++) {
		const struct node *nd = nodes[i];
		const struct tensor *x = nd->src[0], *w = nd->src[1];
		if (nd->op != OP_conv2d || tensor_is_vector(x))
			continue;
		struct shape s = {
			x->h, x->w, x->c, w->n, w->w, nd->args.conv.stride, nd->args.conv.pad_h, nd->args.conv.pad_w
		};
		int at = 0;
		while (at < n && memcmp(&found[at], &s, sizeof s) != 0)
			at++;
		REQUIRE(at < MAX_SHAPES);
		found[at] = s;
		n = at == n ? n + 1 : n;
	}
	graph_free(g);
	params_free(p);
	return n;
}

/* ---- in double, and plainly ------------------------------------------------------------------- */

/* To the bits that a dtype keeps, to nearest. */
static float rounded(float x, int dtype)
{
	static const uint32_t dropped[] = { 0, 13, 16 };
	uint32_t bits, rest = (1u << dropped[dtype]) - 1;
	memcpy(&bits, &x, sizeof bits);
	bits = (bits + rest / 2 + (rest ? bits >> dropped[dtype] & 1 : 0)) & ~rest;
	memcpy(&x, &bits, sizeof x);
	return x;
}

struct sum {
	double exact;
	float plain;
};

static void add(struct sum *s, const struct job *j, float a, float b)
{
	s->exact += (double)a * (double)b;
	s->plain += rounded(a, j->dtype) * rounded(b, j->dtype);
}

static int64_t x_at(const struct job *j, int64_t n, int64_t h, int64_t w, int64_t c)
{
	return ((n * j->s.h + h) * j->s.w + w) * j->s.ic + c;
}
static int64_t y_at(const struct job *j, int64_t n, int64_t h, int64_t w, int64_t o)
{
	return ((n * j->oh + h) * j->ow + w) * j->s.oc + o;
}
static int64_t w_at(const struct job *j, int64_t o, int64_t c, int64_t p, int64_t q)
{
	return ((o * j->s.ic + c) * j->s.k + p) * j->s.k + q;
}
static bool inside(int64_t h, int64_t w, int64_t high, int64_t wide)
{
	return h >= 0 && w >= 0 && h < high && w < wide;
}

static struct sum forward(const struct job *j, int64_t at)
{
	struct sum sum = { 0 };
	int64_t o = at % j->s.oc, wide = at / j->s.oc % j->ow, high = at / j->s.oc / j->ow % j->oh,
			n = at / j->s.oc / j->ow / j->oh;
	for (int64_t p = 0; p < j->s.k; p++)
		for (int64_t q = 0; q < j->s.k; q++) {
			int64_t h = high * j->s.stride + p - j->s.pad_h, w = wide * j->s.stride + q - j->s.pad_w;
			for (int64_t c = 0; inside(h, w, j->s.h, j->s.w) && c < j->s.ic; c++)
				add(&sum, j, j->x[x_at(j, n, h, w, c)], j->w[w_at(j, o, c, p, q)]);
		}
	return sum;
}

static struct sum data(const struct job *j, int64_t at)
{
	struct sum sum = { 0 };
	int64_t c = at % j->s.ic, wide = at / j->s.ic % j->s.w, high = at / j->s.ic / j->s.w % j->s.h,
			n = at / j->s.ic / j->s.w / j->s.h;
	for (int64_t p = 0; p < j->s.k; p++)
		for (int64_t q = 0; q < j->s.k; q++) {
			int64_t h = high + j->s.pad_h - p, w = wide + j->s.pad_w - q;
			if (h % j->s.stride || w % j->s.stride)
				continue;
			h /= j->s.stride;
			w /= j->s.stride;
			for (int64_t o = 0; inside(h, w, j->oh, j->ow) && o < j->s.oc; o++)
				add(&sum, j, j->dy[y_at(j, n, h, w, o)], j->w[w_at(j, o, c, p, q)]);
		}
	return sum;
}

static struct sum weights(const struct job *j, int64_t at)
{
	struct sum sum = { 0 };
	int64_t q = at % j->s.k, p = at / j->s.k % j->s.k, c = at / j->s.k / j->s.k % j->s.ic,
			o = at / j->s.k / j->s.k / j->s.ic;
	for (int64_t n = 0; n < j->n; n++)
		for (int64_t high = 0; high < j->oh; high++)
			for (int64_t wide = 0; wide < j->ow; wide++) {
				int64_t h = high * j->s.stride + p - j->s.pad_h, w = wide * j->s.stride + q - j->s.pad_w;
				if (inside(h, w, j->s.h, j->s.w))
					add(&sum, j, j->dy[y_at(j, n, high, wide, o)], j->x[x_at(j, n, h, w, c)]);
			}
	return sum;
}

static const struct conv_pass {
	const char *name;
	struct sum (*at)(const struct job *j, int64_t at);
} passes[] = { { "y", forward }, { "dx", data }, { "dw", weights } };
enum { N_PASSES = sizeof passes / sizeof *passes };

/* ---- on the device ---------------------------------------------------------------------------- */

static float *random_values(struct graph *g, struct tensor *t, uint32_t stream, double spread)
{
	size_t n = tensor_count(t);
	float *v = xcalloc(n, sizeof *v);
	rng_normal(v, n, 5, RNG_SYNTHETIC, stream, 0);
	for (size_t i = 0; i < n; i++)
		v[i] *= (float)spread;
	graph_write(g, t, 0, v, n);
	return v;
}

static bool judge(const struct conv_pass *pass, const struct job *j, struct graph *g, const struct tensor *t)
{
	size_t n = tensor_count(t);
	SCOPED(free) float *got = xcalloc(n, sizeof *got);
	double norm = 0, off = 0, plain_off = 0;
	graph_read(g, got, t, 0, n);
	for (size_t k = 0; k < SAMPLES; k++) {
		size_t at = (size_t)rng_permute(k % n, n, 11, RNG_SYNTHETIC, 0);
		struct sum want = pass->at(j, (int64_t)at);
		double plain = (double)(j->dtype == DTYPE_BF16 ? rounded(want.plain, DTYPE_BF16) : want.plain);
		norm += want.exact * want.exact;
		off += ((double)got[at] - want.exact) * ((double)got[at] - want.exact);
		plain_off += (plain - want.exact) * (plain - want.exact);
	}
	double error = sqrt(off / norm), allowed = FACTOR * sqrt(plain_off / norm) + 2 * (double)FLT_EPSILON;
	printf("  %s %.1e (<= %.1e)%s", pass->name, error, allowed, error <= allowed ? "" : " FAIL");
	return error <= allowed;
}

/* Returns whether all three passes are near enough; -1 when the device cannot run it. */
static int one(const struct shape *s, int64_t batch, struct backend *b, struct err *e)
{
	struct graph *g = graph_new_on(b);
	struct tensor *x = graph_input(g, "x", batch, s->h, s->w, s->ic),
				  *w = graph_input(g, "w", s->oc, s->ic, s->k, s->k);
	x->needs_grad = w->needs_grad = true;
	struct tensor *y = graph_conv2d(g, x, w, NULL, (int)s->stride, (int)s->pad_h, (int)s->pad_w, false);
	struct tensor *dy = graph_input(g, "dy", y->n, y->h, y->w, y->c);
	graph_keep(y);
	y->grad = dy;
	graph_backward(g, y);
	for (int i = 0; b->dtype == DTYPE_BF16 && i < g->n_tensors; i++)
		if (g->tensors[i] != w && g->tensors[i] != w->grad)
			g->tensors[i]->type = TENSOR_BF16;
	int good = 0;
	if (graph_try_plan(g, e) == 0) {
		struct job j = { .s = *s, .n = batch, .oh = y->h, .ow = y->w, .dtype = (int)b->dtype };
		j.x = random_values(g, x, 0, 1);
		j.w = random_values(g, w, 1, 1 / sqrt((double)(s->ic * s->k * s->k)));
		j.dy = random_values(g, dy, 2, 1);
		graph_run(g);
		good = backend_check(b, e) ? -1 : 1;
		printf("%-4s %2lldx%-2lld %4lld -> %-4lld %lldx%lld", dtype_name(b->dtype), (long long)s->h, (long long)s->w,
		       (long long)s->ic, (long long)s->oc, (long long)s->k, (long long)s->k);
		const struct tensor *const results[N_PASSES] = { y, x->grad, w->grad };
		for (int i = 0; good >= 0 && i < N_PASSES; i++)
			good &= judge(&passes[i], &j, g, results[i]);
		printf("\n");
		free(j.x);
		free(j.w);
		free(j.dy);
	} else {
		good = -1;
	}
	graph_free(g);
	return good;
}

struct setup {
	struct run_config c;
	const char *device, *dtype;
	int batch;
};

static int options(struct setup *s, int argc, char **argv, struct err *e)
{
	const char *preset = "ict-cifar10";
	for (int i = 1; i < argc; i += 2) {
		if (i + 1 == argc)
			return err_set(e, "%s wants a value", argv[i]);
		if (strcmp(argv[i], "--preset") == 0)
			preset = argv[i + 1];
		else if (strcmp(argv[i], "--device") == 0)
			s->device = argv[i + 1];
		else if (strcmp(argv[i], "--dtype") == 0)
			s->dtype = argv[i + 1];
		else if (strcmp(argv[i], "--batch") == 0)
			s->batch = (int)strtol(argv[i + 1], NULL, 10);
		else
			return err_set(e, "unknown option %s", argv[i]);
	}
	config_defaults(&s->c);
	return s->batch < 1 ? err_set(e, "--batch wants at least 1")
	                    : config_preset(&s->c, preset, e) || config_finish(&s->c, e);
}

int main(int argc, char **argv)
{
	struct setup s = { .device = "cuda", .batch = 2 };
	struct shape shapes[MAX_SHAPES];
	struct err e = ERR_INIT;
	int passed = 0, failed = 0;
	model_init(0);
	if (options(&s, argc, argv, &e)) {
		(void)fprintf(stderr, "preset_convs: %s\n", e.msg);
		return EXIT_USAGE;
	}
	int n = shapes_of(shapes, &s.c);
	for (int d = 0; d < N_DTYPES; d++) {
		struct backend *b;
		if (s.dtype && strcmp(s.dtype, dtype_name((enum dtype_kind)d)) != 0)
			continue;
		if (backend_open(&b, s.device, (enum dtype_kind)d, &e)) {
			(void)fprintf(stderr, "preset_convs: %s\n", e.msg);
			failed++;
			continue;
		}
		for (int i = 0; i < n; i++) {
			int good = one(&shapes[i], s.batch, b, &e);
			if (good < 0)
				(void)fprintf(stderr, "preset_convs: %s\n", e.msg);
			passed += good > 0;
			failed += good <= 0;
		}
		backend_free(b);
	}
	printf("%d passed, %d failed, 0 skipped\n", passed, failed);
	return failed > 0 || passed == 0;
}
