/* test_norm_precision.c - how far the CUDA back end's group norm is from the specification in double at the shapes of
 * ict-cifar10, where the mean is large and where the variance is tiny, with images kept in a block's shared memory and
 * cut over blocks: both ways have to be as exact as a float allows. Backward takes the mean from forward, in a float,
 * which limits it where the mean is large. Under emulation, or on a GPU by ABLATE_TEST_PLUGIN. --verbose prints the
 * numbers. */
#include "model/base/mem.h"
#include "model/base/rng.h"
#include "model/cpu/devices.h"
#include "model/graph/graph_impl.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

static const struct row {
	const char *why;
	int64_t n, side, c;
	bool low;
	float mean, spread;
	double y, dx, dw; /* the most that is allowed: relative L2, twice what was measured */
} rows[] = {
	{ "ict-cifar10", 2, 32, 256, false, 0, 1, 2e-7, 2e-7, 4e-7 },
	{ "ict-cifar10", 2, 16, 512, false, 0, 1, 2e-7, 2e-7, 4e-7 },
	{ "ict-cifar10", 2, 8, 256, false, 0, 1, 2e-7, 2e-7, 4e-7 },
	{ "ict-cifar10", 2, 32, 256, true, 0, 1, 3.4e-3, 3.4e-3, 4e-7 },
	{ "ict-cifar10", 2, 16, 512, true, 0, 1, 3.4e-3, 3.4e-3, 4e-7 },
	{ "large mean", 2, 32, 128, false, 1000, 1, 2e-7, 2e-5, 3e-5 },
	{ "large mean", 2, 8, 256, false, 1000, 1, 2e-7, 2e-5, 3e-5 },
	{ "large mean", 2, 16, 256, true, 30, 1, 3.4e-3, 3.4e-3, 8e-7 },
	{ "tiny variance", 2, 16, 256, false, 1, 1e-4f, 2e-7, 5e-5, 3.4e-4 },
	{ "no variance", 2, 16, 256, false, 3, 0, 2e-7, 2e-7, 0 },
};

static struct tensor *filled(struct graph *g, struct tensor *t, uint32_t stream, float mean, float spread)
{
	SCOPED(free) float *values = xcalloc(tensor_count(t), sizeof *values);
	rng_normal(values, tensor_count(t), 5, RNG_SYNTHETIC, stream, 0);
	for (size_t i = 0; i < tensor_count(t); i++)
		values[i] = mean + spread * values[i];
	graph_write(g, t, 0, values, tensor_count(t));
	return t;
}

/* Relative L2; where nothing is expected, the root of the mean square. */
static double error_of(const struct graph *g, const struct tensor *t)
{
	size_t n = tensor_count(t);
	SCOPED(free) float *got = xcalloc(n, sizeof *got);
	double off = 0, all = 0;
	graph_read(g, got, t, 0, n);
	for (size_t i = 0; i < n; i++) {
		off += ((double)got[i] - t->ref[i]) * ((double)got[i] - t->ref[i]);
		all += t->ref[i] * t->ref[i];
	}
	return sqrt(off / (all > 0 ? all : (double)n));
}

static void check(const struct row *r, const char *shared_bytes)
{
	struct backend *b;
	struct err e = ERR_INIT;
	cr_assert_eq(setenv("ABLATE_EMU_SHARED", shared_bytes, 1), 0);
	cr_assert_eq(backend_open(&b, "cuda:0", DTYPE_FP32, &e), 0, "%s", e.msg);
	struct graph *g = graph_new_on(b);
	struct tensor *x = graph_input(g, "x", r->n, r->side, r->side, r->c), *w = graph_input(g, "w", 1, 1, 1, r->c),
				  *bias = graph_input(g, "b", 1, 1, 1, r->c), *add = graph_input(g, "e", r->n, 1, 1, r->c);
	x->needs_grad = w->needs_grad = bias->needs_grad = add->needs_grad = true;
	struct tensor *y = graph_groupnorm(g, x, w, bias, add,
	                                   (struct norm_args){ .groups = 32, .eps = 1e-6, .silu = true, .mode = NORM_ADD });
	struct tensor *dy = graph_input(g, "dy", r->n, r->side, r->side, r->c);
	graph_keep(y);
	y->grad = dy;
	graph_backward(g, y);
	struct tensor *images[] = { x, y, dy, x->grad };
	for (size_t i = 0; r->low && i < sizeof images / sizeof *images; i++)
		images[i]->type = TENSOR_BF16;
	graph_plan_guarded(g);
	(void)filled(g, x, 1, r->mean, r->spread);
	(void)filled(g, w, 2, 1, 0.3f);
	(void)filled(g, bias, 3, 0, 0.3f);
	(void)filled(g, add, 4, 0, r->spread);
	(void)filled(g, dy, 5, 0, 1);
	graph_run_ref(g);
	graph_run(g);
	double of_y = error_of(g, y), of_dx = error_of(g, x->grad), of_dw = error_of(g, w->grad);
	cr_assert_eq(backend_check(b, &e), 0, "%s", e.msg);
	cr_log_info("%-13s %lldx%lldx%lldx%lld %s mean %g spread %g, %s: y %.1e dx %.1e dw %.1e", r->why, (long long)r->n,
	            (long long)r->side, (long long)r->side, (long long)r->c, r->low ? "bf16" : "fp32", (double)r->mean,
	            (double)r->spread, *shared_bytes == '0' ? "cut" : "kept", of_y, of_dx, of_dw);
	cr_expect(of_y <= r->y, "%s: y is off by %.2e", r->why, of_y);
	cr_expect(of_dx <= r->dx, "%s: dx is off by %.2e", r->why, of_dx);
	cr_expect(of_dw <= r->dw, "%s: dw is off by %.2e", r->why, of_dw);
	graph_free(g);
	backend_free(b);
}

Test(norm_precision, is_a_floats_at_any_mean_and_variance)
{
	const char *plugin = getenv("ABLATE_TEST_PLUGIN") ? getenv("ABLATE_TEST_PLUGIN") : CUDA_EMU;
	cr_assert_eq(setenv("ABLATE_CUDA_PLUGIN", plugin, 1), 0);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		check(&rows[i], "232448"); /* as an H100 has */
		check(&rows[i], "0");
	}
}
