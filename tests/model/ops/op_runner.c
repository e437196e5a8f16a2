/* op_runner.c - asks every op the same questions (run: `op_runner [--bench] [--device NAME] [--types float|bf16|mixed]
 * [NAME]`):
 *   1. derivatives: the recorded backward and the recorded tangent against central differences, and against each other
 *   (u.Jv = v.J'u), all in double by the specifications (asked on the CPU only);
 *   2. device: its path against the specification: relative L2 of each result, NaN-safe;
 *   3. bounds: guard words around every tensor unchanged, no output left unwritten;
 *   4. bits: the same result twice, with other work in between, with planned (shared) memory, and, on the emulated
 *   device, with
 *      threads taking turns in other orders: a difference is a race or a missing barrier;
 *   5. cost (--bench): time, GFLOP/s.
 * --types: how the images of a case are stored (a device only): float, bf16, or every second tensor bf16. An op of
 * ops.def that no case reaches is a failure. Ends with `N passed, N failed, N skipped`. */
#include "model/cpu/devices.h"
#include "model/base/mem.h"
#include "model/base/progress.h"
#include "model/base/rng.h"
#include "model/graph/graph_impl.h"
#include "model/train/model.h"
#include "tests/model/ops/op_cases.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- running --------------------------------------------------------------------------------- */

static bool reached[N_OPS], lost; /* lost: the device answers no more */
static struct backend *device;
static enum { TYPES_FLOAT, TYPES_BF16, TYPES_MIXED } types;
static const char *const type_names[] = { "float", "bf16", "mixed" };
enum { N_TYPES = sizeof type_names / sizeof *type_names };

static bool on_cpu(void)
{
	return device->ops->host_memory;
}

enum { MAX_RESULTS = MAX_INPUTS + 2 };

struct built {
	struct bench b;
	struct tensor *out, *cotangent;
};

static bool is_exact(const struct built *x, const struct tensor *t)
{
	for (int i = 0; i < x->b.n; i++) {
		const struct tensor *in = x->b.inputs[i];
		if (x->b.exact[i] && (t == in || t == in->grad || t == in->tangent))
			return true;
	}
	bool statistics = t->maker && t->maker->op == OP_groupnorm && t == t->maker->dst[1];
	return statistics || tensor_count(t) == (size_t)t->n; /* one number per sample */
}

/* Images as bf16: all, or every second. */
static void store_low(struct built *x)
{
	for (int i = 0; types != TYPES_FLOAT && i < x->b.g->n_tensors; i++)
		if (!is_exact(x, x->b.g->tensors[i]) && (types == TYPES_BF16 || i % 2))
			x->b.g->tensors[i]->type = TENSOR_BF16;
}

/* Which inputs have a tangent. */
enum moving { NONE, ALL, ODD, EVEN };

static struct built build(const struct op_case *c, struct backend *on, enum moving moving,
                          void (*plan)(struct graph *g))
{
	struct built x = { .b = { .g = graph_new_on(on), .still = { moving == ODD, moving == EVEN } } };
	graph_forward_mode(x.b.g, moving != NONE);
	x.out = c->build(&x.b, c->d);
	graph_forward_mode(x.b.g, false);
	graph_keep(x.out);
	if (x.out->tangent)
		graph_keep(x.out->tangent);
	x.cotangent = graph_input(x.b.g, "cotangent", x.out->n, x.out->h, x.out->w, x.out->c);
	if (x.out->needs_grad) {
		x.out->grad = x.cotangent;
		graph_backward(x.b.g, x.out);
	}
	store_low(&x);
	plan(x.b.g);
	return x;
}

static void fill_one(struct graph *g, struct tensor *t, uint64_t seed, uint32_t stream, float spread)
{
	if (!t->data)
		return;
	SCOPED(free) float *values = xcalloc(tensor_count(t), sizeof *values);
	rng_normal(values, tensor_count(t), seed, RNG_SYNTHETIC, stream, 0);
	for (size_t j = 0; j < tensor_count(t); j++)
		values[j] *= spread;
	graph_write(g, t, 0, values, tensor_count(t));
}

static void fill(struct built *x, uint64_t seed)
{
	for (int i = 0; i < x->b.n; i++)
		fill_one(x->b.g, x->b.inputs[i], seed, (uint32_t)i, x->b.spread[i]);
	for (int i = 0; i < x->b.n; i++)
		if (x->b.inputs[i]->tangent)
			fill_one(x->b.g, x->b.inputs[i]->tangent, seed, (uint32_t)(50 + i), 1);
	fill_one(x->b.g, x->cotangent, seed, 99, 1);
	graph_set_first(x->b.g, 3); /* as if other processes had the samples before */
	graph_set_step(x->b.g, seed, 3);
}

/* The inputs' gradients, the output and its change: what a case is judged by. */
static int results(struct tensor **list, const struct built *x)
{
	int n = 0;
	list[n++] = x->out;
	for (int i = 0; i < x->b.n; i++)
		if (x->b.inputs[i]->grad)
			list[n++] = x->b.inputs[i]->grad;
	if (x->out->tangent)
		list[n++] = x->out->tangent;
	return n;
}

static double contraction(const struct built *x)
{
	double sum = 0;
	for (size_t i = 0; i < tensor_count(x->out); i++)
		sum += x->out->ref[i] * x->cotangent->ref[i];
	return sum;
}

/* 1. For up to 12 elements of each input. Returns the worst error relative to the input's gradient's largest value. */
static double gradient_error(struct built *x)
{
	double worst = 0;
	graph_run_ref(x->b.g);
	for (int i = 0; i < x->b.n; i++) {
		struct tensor *t = x->b.inputs[i];
		if (!t->grad)
			continue;
		size_t n = tensor_count(t);
		double scale = 1e-300;
		double *grad = xcalloc(n, sizeof *grad);
		memcpy(grad, t->grad->ref, n * sizeof *grad);
		for (size_t j = 0; j < n; j++)
			scale = fmax(scale, fabs(grad[j]));
		for (size_t k = 0; k < 12; k++) {
			size_t j = (size_t)rng_permute(k % n, n, 11, RNG_SYNTHETIC, (uint32_t)i);
			double keep = t->ref[j], h = 1e-6 * fmax(1, fabs(keep)), up, down;
			t->ref[j] = keep + h;
			graph_rerun_ref(x->b.g);
			up = contraction(x);
			t->ref[j] = keep - h;
			graph_rerun_ref(x->b.g);
			down = contraction(x);
			t->ref[j] = keep;
			double error = fabs((up - down) / (2 * h) - grad[j]) / scale;
			worst = !(error <= worst) ? error : worst;
		}
		graph_rerun_ref(x->b.g);
		free(grad);
	}
	return worst;
}

/* Moves every input by h times its change, from where it is. */
static void move(struct built *x, double h)
{
	for (int i = 0; i < x->b.n; i++) {
		const struct tensor *t = x->b.inputs[i];
		for (size_t j = 0; t->tangent && j < tensor_count(t); j++)
			t->ref[j] += h * t->tangent->ref[j];
	}
}

/* A NaN is worst. */
static double worse(double a, double b)
{
	return b <= a || a != a ? a : b;
}

/* 1. In every value of the output: relative to the largest. Ends with the inputs where they were. */
static double tangent_error(struct built *x)
{
	size_t n = tensor_count(x->out);
	double worst = 0, scale = 1e-300, h = 1e-6;
	if (!x->out->tangent)
		return 0;
	SCOPED(free) double *up = xcalloc(n, sizeof *up), *tangent = xcalloc(n, sizeof *tangent);
	graph_run_ref(x->b.g);
	memcpy(tangent, x->out->tangent->ref, n * sizeof *tangent);
	move(x, h);
	graph_rerun_ref(x->b.g);
	memcpy(up, x->out->ref, n * sizeof *up);
	move(x, -2 * h);
	graph_rerun_ref(x->b.g);
	for (size_t j = 0; j < n; j++)
		scale = fmax(scale, fabs(tangent[j]));
	for (size_t j = 0; j < n; j++)
		worst = worse(worst, fabs((up[j] - x->out->ref[j]) / (2 * h) - tangent[j]) / scale);
	graph_run_ref(x->b.g);
	return worst;
}

/* The same where every second input does not change, which rules leave out or take for zeros. */
static double partial_error(const struct op_case *c)
{
	double worst = 0;
	for (enum moving moving = ODD; moving <= EVEN; moving++) {
		struct built x = build(c, backend_cpu(), moving, graph_plan);
		fill(&x, 5);
		double error = tangent_error(&x);
		worst = worse(worst, error);
		graph_free(x.b.g);
	}
	return worst;
}

/* 1. |u.Jv - v.J'u| relative to the sum of its terms' sizes, where only what has a gradient moves. */
static double duality_error(struct built *x)
{
	double forward = 0, back = 0, scale = 1e-300;
	if (!x->out->tangent || !x->out->needs_grad)
		return 0;
	for (int i = 0; i < x->b.n; i++) {
		const struct tensor *t = x->b.inputs[i];
		if (t->tangent && !t->grad)
			memset(t->tangent->ref, 0, tensor_count(t) * sizeof *t->ref);
	}
	graph_rerun_ref(x->b.g);
	for (size_t j = 0; j < tensor_count(x->out); j++) {
		forward += x->cotangent->ref[j] * x->out->tangent->ref[j];
		scale += fabs(x->cotangent->ref[j] * x->out->tangent->ref[j]);
	}
	for (int i = 0; i < x->b.n; i++) {
		const struct tensor *t = x->b.inputs[i];
		for (size_t j = 0; t->grad && t->tangent && j < tensor_count(t); j++)
			back += t->tangent->ref[j] * t->grad->ref[j];
	}
	graph_run_ref(x->b.g);
	return fabs(forward - back) / scale;
}

static float *snapshot(const struct built *x, size_t *count)
{
	struct tensor *list[MAX_RESULTS];
	int n = results(list, x);
	*count = 0;
	for (int i = 0; i < n; i++)
		*count += tensor_count(list[i]);
	float *all = xcalloc(*count, sizeof *all), *p = all;
	for (int i = 0; i < n; i++) {
		graph_read(x->b.g, p, list[i], 0, tensor_count(list[i]));
		p += tensor_count(list[i]);
	}
	return all;
}

/* 2. Relative L2 of each result; NaN anywhere in one makes it NaN. Returns how many. */
static int device_errors(double *errors, const struct built *x)
{
	struct tensor *list[MAX_RESULTS];
	int n = results(list, x);
	size_t count;
	SCOPED(free) float *all = snapshot(x, &count);
	const float *got = all;
	for (int i = 0; i < n; got += tensor_count(list[i++])) {
		double diff = 0, norm2 = 0;
		for (size_t j = 0; j < tensor_count(list[i]); j++) {
			double d = (double)got[j] - list[i]->ref[j];
			diff += d * d;
			norm2 += list[i]->ref[j] * list[i]->ref[j];
		}
		errors[i] = norm2 > 0 ? sqrt(diff / norm2) : sqrt(diff);
	}
	return n;
}

/* What each result may be off by. In floats a device is compared with the CPU's floats: both round once per operation
 * and differ in the order of sums, whose error is 4 times as large in one long row as in 16 that are added at the end.
 * Two last places stay for elementary functions, and where the CPU happens to hit a value. */
static void allow(double *allowed, const struct op_case *c, int n)
{
	bool plain = !on_cpu() && types == TYPES_FLOAT && c->tol > 0;
	for (int i = 0; i < n; i++)
		allowed[i] = types == TYPES_FLOAT ? c->tol : op_case_low_tolerance(c);
	if (!plain)
		return;
	struct built x = build(c, backend_cpu(), ALL, graph_plan);
	fill(&x, 5);
	graph_run_ref(x.b.g);
	graph_run(x.b.g);
	(void)device_errors(allowed, &x);
	for (int i = 0; i < n; i++)
		allowed[i] = 4 * allowed[i] + 2 * (double)FLT_EPSILON;
	graph_free(x.b.g);
}

/* What filling with the seed and running gives, in a graph of its own or in x. */
static float *run_again(struct built *x, size_t *count)
{
	fill(x, 5);
	graph_run(x->b.g);
	return snapshot(x, count);
}

/* 4. */
static bool same_bits(const struct op_case *c, struct built *guarded)
{
	static const char *const orders[] = { "reverse", "odd", "7" };
	size_t n1, n2;
	SCOPED(free) float *first = snapshot(guarded, &n1);
	fill(guarded, 77);
	graph_run(guarded->b.g);
	SCOPED(free) float *again = run_again(guarded, &n2);
	bool same = n1 == n2 && memcmp(first, again, n1 * sizeof *first) == 0;
	struct built planned = build(c, device, ALL, graph_plan);
	for (size_t i = 0; i < 1 + (on_cpu() ? 0 : sizeof orders / sizeof *orders); i++) {
		if (i > 0)
			(void)setenv("ABLATE_EMU_ORDER", orders[i - 1], 1);
		SCOPED(free) float *other = run_again(&planned, &n2);
		same &= n1 == n2 && memcmp(first, other, n1 * sizeof *first) == 0;
	}
	(void)unsetenv("ABLATE_EMU_ORDER");
	graph_free(planned.b.g);
	return same;
}

static bool run_case(const struct op_case *c)
{
	struct built x = build(c, device, ALL, graph_plan_guarded);
	struct node **nodes;
	struct err e = ERR_INIT;
	for (int i = graph_nodes(x.b.g, &nodes) - 1; i >= 0; i--)
		reached[nodes[i]->op] = true;
	fill(&x, 5);
	double grad = on_cpu() ? gradient_error(&x) : 0,
		   tangent = on_cpu() ? worse(tangent_error(&x), partial_error(c)) : 0, dual = on_cpu() ? duality_error(&x) : 0,
		   errors[MAX_RESULTS], allowed[MAX_RESULTS];
	if (!on_cpu())
		graph_run_ref(x.b.g);
	graph_run(x.b.g);
	int n = device_errors(errors, &x), worst = 0;
	allow(allowed, c, n);
	for (int i = 1; i < n; i++) /* a NaN stays */
		worst = errors[i] - allowed[i] <= errors[worst] - allowed[worst] || errors[worst] != errors[worst] ? worst : i;
	const char *spilled = graph_check_guards(x.b.g);
	lost = backend_check(device, &e) != 0;
	bool bits = !lost && same_bits(c, &x);
	lost |= !lost && backend_check(device, &e) != 0;
	bool ok = grad <= 2e-7 && tangent <= 2e-7 && dual <= 1e-12 && errors[worst] <= allowed[worst] && !spilled && bits &&
	          !lost;
	(void)printf("%-4s %-14s gradient %.1e  tangent %.1e  dual %.1e  device %.1e (<= %.1e)  %s  %s  [",
	             ok ? "ok" : "FAIL", c->name, grad, tangent, dual, errors[worst], allowed[worst],
	             spilled ? spilled : "in bounds", bits ? "same bits" : "OTHER BITS");
	for (int i = 0; i < 8; i++)
		(void)printf("%s%lld", i ? "," : "", (long long)c->d[i]);
	(void)printf("] %s%s%s\n", c->why, lost ? ": " : "", lost ? e.msg : "");
	graph_free(x.b.g);
	return ok;
}

static double milliseconds(const struct op_case *c, enum moving moving, double *gflops)
{
	struct built x = build(c, device, moving, graph_plan);
	fill(&x, 5);
	graph_run(x.b.g);
	int runs = 0;
	struct err e = ERR_INIT;
	double start = monotonic_s(), elapsed;
	do {
		graph_run(x.b.g);
		runs += backend_check(device, &e) == 0;
		elapsed = monotonic_s() - start;
	} while (elapsed < 0.2);
	*gflops = graph_flops(x.b.g) * runs / elapsed / 1e9;
	graph_free(x.b.g);
	return 1e3 * elapsed / runs;
}

static void bench_case(const struct op_case *c)
{
	double gflops, with, plain = milliseconds(c, NONE, &gflops);
	(void)printf("     %-14s %9.3f ms  %8.2f GFLOP/s", c->name, plain, gflops);
	with = milliseconds(c, ALL, &gflops);
	(void)printf("  with its change %9.3f ms\n", with);
}

static void types_named(const char *name)
{
	for (int i = 0; i < N_TYPES; i++)
		if (strcmp(name, type_names[i]) == 0) {
			types = i;
			return;
		}
	(void)fprintf(stderr, "op_runner: --types %s: not float, bf16 or mixed\n", name);
	exit(2);
}

/* Reads the options; what remains is the name of an op, or NULL. */
static const char *options(int argc, char **argv, bool *bench)
{
	const char *only = NULL, *name = "cpu";
	struct err e = ERR_INIT;
	for (int i = 1; i < argc; i++) {
		bool value = i + 1 < argc;
		if (strcmp(argv[i], "--bench") == 0)
			*bench = true;
		else if (strcmp(argv[i], "--device") == 0 && value)
			name = argv[++i];
		else if (strcmp(argv[i], "--types") == 0 && value)
			types_named(argv[++i]);
		else
			only = argv[i];
	}
	if (backend_open(&device, name, DTYPE_FP32, &e)) {
		(void)fprintf(stderr, "op_runner: %s\n", e.msg);
		exit(2);
	}
	if (types != TYPES_FLOAT && on_cpu()) {
		(void)fprintf(stderr, "op_runner: the cpu stores floats only\n");
		exit(2);
	}
	return only;
}

int main(int argc, char **argv)
{
	bool bench = false;
	int passed = 0, failed = 0;
	model_init(0);
	const char *only = options(argc, argv, &bench);
	for (int i = 0; i < n_op_cases && !lost; i++) {
		if (only && strcmp(only, op_cases[i].name) != 0)
			continue;
		bool good = run_case(&op_cases[i]);
		passed += good;
		failed += !good;
		if (bench)
			bench_case(&op_cases[i]);
	}
	for (int op = 0; !only && op < N_OPS; op++)
		if (!reached[op]) {
			(void)printf("FAIL %s: no case reaches this op\n", op_row((enum op)op)->name);
			failed++;
		}
	for (int op = 0; op < N_OPS; op++)
		if (op_row((enum op)op)->backward && !op_row((enum op)op)->jvp) {
			(void)printf("FAIL %s: gradients flow through it, and changes do not\n", op_row((enum op)op)->name);
			failed++;
		}
	(void)printf("%d passed, %d failed, 0 skipped\n", passed, failed);
	backend_free(device);
	return failed > 0 || passed == 0;
}
