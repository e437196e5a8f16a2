/* test_norm_dropout.c - a norm that drops out by itself gives the numbers of a norm and a mask after it, bit by bit on
 * the CPU: results of earlier versions, which had two ops, stand. The op runner compares with the specification only,
 * of few elements and a small seed. */
#include "model/base/mem.h"
#include "model/base/rng.h"
#include "model/cpu/devices.h"
#include "model/graph/graph_impl.h"
#include "model/ops/dropout.h"
#include "model/train/model.h"
#include "tests/common/random_input.h"

#include <criterion/criterion.h>
#include <string.h>

enum { N = 3, SIDE = 5, C = 36, SEED = 5, STEP = 3, FIRST = 2, LAYER = 7 };
static const double P = 0.3;

struct made {
	struct graph *g;
	struct tensor *x, *w, *add, *y;
};

/* The mask as its definition says (model/ops/dropout.c). */
static void fill_mask(struct graph *g, struct tensor *t)
{
	SCOPED(free) float *values = xcalloc(tensor_count(t), sizeof *values);
	for (size_t i = 0; i < tensor_count(t); i++) {
		uint64_t at = (uint64_t)FIRST * SIDE * SIDE * C + i;
		values[i] = rng_uniform(SEED, RNG_DROPOUT + LAYER, STEP, at) >= (float)P ? (float)(1 / (1 - P)) : 0;
	}
	graph_write(g, t, 0, values, tensor_count(t));
}

static struct made make(struct backend *b, bool together)
{
	struct graph *g = graph_new_on(b);
	struct made m = { g, graph_input(g, "x", N, SIDE, SIDE, C), graph_input(g, "w", 1, 1, 1, C),
		              graph_input(g, "e", N, 1, 1, C), NULL };
	struct tensor *bias = graph_input(g, "b", 1, 1, 1, C), *mask = graph_input(g, "mask", N, SIDE, SIDE, C),
				  *dy = graph_input(g, "dy", N, SIDE, SIDE, C);
	m.x->needs_grad = m.w->needs_grad = bias->needs_grad = m.add->needs_grad = true;
	m.y = graph_groupnorm(g, m.x, m.w, bias, m.add,
	                      (struct norm_args){ 9, 1e-6, true, NORM_ADD, { together ? P : 0, LAYER } });
	if (!together)
		m.y = graph_dropout(g, m.y, mask);
	graph_keep(m.y);
	m.y->grad = dy;
	graph_backward(g, m.y);
	graph_plan_guarded(g);
	random_input(g, m.x, SEED, 1, 1);
	random_input(g, m.w, SEED, 2, 1);
	random_input(g, bias, SEED, 3, 1);
	random_input(g, m.add, SEED, 4, 1);
	random_input(g, dy, SEED, 5, 1);
	fill_mask(g, mask);
	graph_set_first(g, FIRST);
	graph_set_step(g, SEED, STEP);
	graph_run(g);
	return m;
}

/* The same numbers; a value that was dropped may be -0 in one. */
static void expect_same(const struct tensor *a, const struct tensor *b, const char *what)
{
	for (size_t i = 0; i < tensor_count(a); i++)
		cr_assert(a->data[i] == b->data[i], "%s: value %zu is %.9g, not %.9g", what, i, (double)a->data[i],
		          (double)b->data[i]);
}

Test(norm_dropout, is_a_norm_and_a_mask)
{
	struct backend *b;
	struct err e = ERR_INIT;
	model_init(2);
	cr_assert_eq(backend_open(&b, "cpu", DTYPE_FP32, &e), 0, "%s", e.msg);
	struct made one = make(b, true), two = make(b, false);
	expect_same(one.y, two.y, "y");
	expect_same(one.x->grad, two.x->grad, "dx");
	expect_same(one.w->grad, two.w->grad, "dw");
	expect_same(one.add->grad, two.add->grad, "de");
	graph_free(one.g);
	graph_free(two.g);
	backend_free(b);
}

/* What no run of a test reaches: Philox blocks beyond 2^32, a seed of 64 bits, and one number of 2^24 that is p itself,
 * which is kept (found by search: element AT of the second sample). */
Test(dropout, its_kernel_is_its_definition_far_out)
{
	enum { AT = 199, EACH = SIDE * SIDE * C };
	const struct step_scalars step = { .seed = 0x123456789abcdef5, .step = STEP, .first = 20008028 };
	const struct node nd = { .step = &step };
	const struct tensor like = { .n = N, .h = SIDE, .w = SIDE, .c = C };
	float x[N * EACH], y[N * EACH];
	uint64_t begin = (uint64_t)step.first * EACH;
	cr_assert(begin > (uint64_t)4 << 32);
	cr_assert(rng_uniform(step.seed, RNG_DROPOUT + LAYER, STEP, begin + EACH + AT) == (float)P);
	for (int i = 0; i < N * EACH; i++)
		x[i] = (float)(i + 1);
	dropout_cpu(y, x, &nd, &like, (struct drop){ P, LAYER });
	for (int i = 0; i < N * EACH; i++) {
		bool kept = rng_uniform(step.seed, RNG_DROPOUT + LAYER, STEP, begin + (uint64_t)i) >= (float)P;
		float want = kept ? x[i] * (float)(1 / (1 - P)) : 0;
		cr_assert(y[i] == want, "value %d is %.9g, not %.9g", i, (double)y[i], (double)want);
	}
}
