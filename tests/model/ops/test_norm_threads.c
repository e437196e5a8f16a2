/* test_norm_threads.c - a norm's bits are the same on any number of threads. One image is cut between channels then, so
 * a channel may be part of a whole vector on one thread and be left over on three: arithmetic that differs between
 * the two (products that are fused with sums in one and not in the other) shows here only. */
#include "model/base/cpu.h"
#include "model/base/mem.h"
#include "model/base/rng.h"
#include "model/cpu/devices.h"
#include "model/graph/graph_impl.h"
#include "model/train/model.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { SEED = 5, MOST_INPUTS = 8 };

struct shape {
	int64_t side, c;
	int groups;
};
static const struct shape shapes[] = { { 7, 24, 6 }, { 9, 36, 9 }, { 5, 132, 33 }, { 4, 96, 24 }, { 9, 33, 3 } };
static const int threads[] = { 2, 3, 5 };

static struct tensor *in(struct graph *g, struct tensor **inputs, int64_t side, int64_t c)
{
	while (*inputs)
		inputs++;
	return *inputs = graph_input(g, "in", 1, side, side, c);
}

static struct tensor *record(struct graph *g, struct tensor **inputs, const struct shape *s, enum norm_mode mode,
                             bool change)
{
	int64_t e = mode == NORM_ADD ? s->c : 2 * s->c;
	struct tensor *x = in(g, inputs, s->side, s->c), *w = in(g, inputs, 1, s->c), *b = in(g, inputs, 1, s->c);
	struct norm_change k = { .w = { w, w }, .b = { b, b } };
	for (int i = 0; i < 2 && mode != NORM_PLAIN; i++)
		k.e[i] = in(g, inputs, 1, e);
	union op_args how = { .norm = { s->groups, 1e-6, true, mode, { 0 } } };
	return change ? graph_groupnorm_change(g, x, in(g, inputs, s->side, s->c), &k, &how)
	              : graph_groupnorm(g, x, w, b, k.e[0], how.norm);
}

/* The result, on the heap. */
static float *run(struct backend *b, const struct shape *s, enum norm_mode mode, bool change)
{
	struct tensor *inputs[MOST_INPUTS] = { NULL };
	struct graph *g = graph_new_on(b);
	struct tensor *y = record(g, inputs, s, mode, change);
	graph_keep(y);
	graph_plan(g);
	for (uint32_t i = 0; inputs[i]; i++) {
		size_t n = tensor_count(inputs[i]);
		SCOPED(free) float *values = xcalloc(n, sizeof *values);
		rng_normal(values, n, SEED, RNG_SYNTHETIC, i, 0);
		graph_write(g, inputs[i], 0, values, n);
	}
	graph_set_step(g, SEED, 0);
	graph_run(g);
	float *all = xcalloc(tensor_count(y), sizeof *all);
	graph_read(g, all, y, 0, tensor_count(y));
	graph_free(g);
	return all;
}

static void same(const struct shape *s, enum norm_mode mode, bool change)
{
	struct backend *b;
	struct err e = ERR_INIT;
	cr_assert_eq(backend_open(&b, "cpu", DTYPE_FP32, &e), 0, "%s", e.msg);
	cpu_set_threads(1);
	SCOPED(free) float *one = run(b, s, mode, change);
	for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
		cpu_set_threads(threads[i]);
		SCOPED(free) float *many = run(b, s, mode, change);
		cr_expect(memcmp(one, many, (size_t)(s->side * s->side * s->c) * sizeof *one) == 0,
		          "%s of %d channels, mode %d: other bits on %d threads", change ? "change" : "norm", (int)s->c,
		          (int)mode, threads[i]);
	}
	backend_free(b);
}

static void same_of_all(bool change)
{
	model_init(1);
	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
		same(&shapes[i], NORM_PLAIN, change);
		same(&shapes[i], NORM_ADD, change);
		same(&shapes[i], NORM_SCALE_SHIFT, change);
	}
}

Test(norm_threads, a_norm_has_the_same_bits)
{
	same_of_all(false);
}

Test(norm_threads, a_change_has_the_same_bits)
{
	same_of_all(true);
}
