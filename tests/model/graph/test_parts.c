/* test_parts.c - tensors that are planned as channels of wider ones, on a device whose kernels take a pitch (under
 * emulation): what concat joins is written where it belongs and what slice takes is read where it is. The guarded plan,
 * in which everything has memory of its own, has to give the same bits. */
#include "model/base/mem.h"
#include "model/base/rng.h"
#include "model/cpu/devices.h"
#include "model/graph/graph_impl.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void choose_plugin(void)
{
	cr_assert_eq(setenv("ABLATE_CUDA_PLUGIN", CUDA_EMU, 1), 0);
}

TestSuite(parts, .init = choose_plugin);

enum { N = 2, H = 3, W = 5, INPUTS = 3, MOST = 4 * N * H * W * 64 };

/* A graph made for a case, its inputs and what to read of it. */
struct made {
	struct graph *g;
	struct tensor *in[INPUTS], *out[INPUTS];
	int placed; /* tensors without memory of their own, once planned */
};

static struct tensor *input(struct made *m, int i, int64_t c)
{
	m->in[i] = graph_input(m->g, "x", N, H, W, c);
	m->in[i]->needs_grad = true;
	return m->in[i];
}

/* As in a decoder: a block's sum and a skip are joined. The skip is also read by an op that knows no pitch, so it has
 * to be moved. The gradient's halves go to a scale and to a sum. */
static void decoder(struct made *m)
{
	struct tensor *a = input(m, 0, 16), *b = input(m, 1, 16), *skip = input(m, 2, 8);
	struct tensor *sum = graph_add_scaled(m->g, a, b, 0.5), *s = graph_silu(m->g, skip);
	struct tensor *up = graph_resample(m->g, s, true, 2, -1);
	struct tensor *y = graph_silu(m->g, graph_concat(m->g, sum, s));
	y->grad = graph_scale(m->g, y, 3);
	graph_backward(m->g, y);
	graph_keep(up);
	graph_keep(y);
	m->out[0] = y;
	m->out[1] = up;
	for (int i = 2; i < INPUTS; i++)
		m->out[i] = m->in[i]->grad;
}

/* Of one tensor twice, and joined again: only one of two places can be a tensor's own, and one that has parts is not a
 * part itself. */
static void joined_again(struct made *m)
{
	struct tensor *a = graph_silu(m->g, input(m, 0, 8)), *b = graph_silu(m->g, input(m, 1, 8));
	struct tensor *twice = graph_concat(m->g, a, a), *inner = graph_concat(m->g, b, twice);
	m->out[0] = graph_concat(m->g, graph_scale(m->g, inner, 2), graph_slice(m->g, inner, 8, 8));
	graph_keep(m->out[0]);
}

/* A slice of a slice, one that is kept, and widths that eight does not divide: these are moved. */
static void odd(struct made *m)
{
	struct tensor *x = graph_silu(m->g, input(m, 0, 24)), *part = graph_slice(m->g, x, 8, 16);
	m->out[0] = graph_slice(m->g, part, 8, 8);
	m->out[1] = graph_scale(m->g, graph_slice(m->g, x, 4, 12), 2);
	m->out[2] = graph_concat(m->g, graph_scale(m->g, part, 2), graph_silu(m->g, input(m, 1, 3)));
	for (int i = 0; i < INPUTS; i++)
		graph_keep(m->out[i]);
}

/* A scale that adds up what it writes, as for a convolution's bias, from a part. */
static void summed(struct made *m)
{
	struct tensor *x = graph_silu(m->g, input(m, 0, 24)), *part = graph_slice(m->g, x, 8, 16);
	m->out[0] = graph_like(m->g, part);
	m->out[1] = graph_temp(m->g, 1, 1, 1, 16);
	(void)graph_node(m->g, OP_scale, &(union op_args){ .scale = { -1.5 } }, 1, &part, 2, m->out);
	graph_keep(m->out[0]);
	graph_keep(m->out[1]);
}

static void run(float out[INPUTS][MOST], struct made *m, struct backend *b, void (*make)(struct made *m), bool apart)
{
	struct err e = ERR_INIT;
	*m = (struct made){ .g = graph_new_on(b) };
	make(m);
	if (b->dtype == DTYPE_BF16)
		(void)graph_set_low(m->g);
	if (apart)
		graph_plan_guarded(m->g);
	else
		graph_plan(m->g);
	for (int i = 0; i < m->g->n_tensors; i++)
		m->placed += m->g->tensors[i]->wide != NULL;
	for (int i = 0; i < INPUTS && m->in[i]; i++) {
		SCOPED(free) float *values = xcalloc(tensor_count(m->in[i]), sizeof *values);
		rng_normal(values, tensor_count(m->in[i]), 9, RNG_SYNTHETIC, (uint32_t)i, 0);
		graph_write(m->g, m->in[i], 0, values, tensor_count(m->in[i]));
	}
	graph_run(m->g);
	for (int i = 0; i < INPUTS && m->out[i]; i++)
		graph_read(m->g, out[i], m->out[i], 0, tensor_count(m->out[i]));
	cr_assert_eq(backend_check(b, &e), 0, "%s", e.msg);
	cr_expect_eq(apart ? graph_check_guards(m->g) : NULL, NULL);
}

/* How many tensors are placed in floats, and in bf16, where what is kept is float all the same. */
static void expect_same(void (*make)(struct made *m), int in_floats, int in_bf16)
{
	static float want[INPUTS][MOST], got[INPUTS][MOST];
	const int placed[N_DTYPES] = { [DTYPE_FP32] = in_floats, [DTYPE_BF16] = in_bf16 };
	for (int dtype = DTYPE_FP32; dtype <= DTYPE_BF16; dtype += DTYPE_BF16) {
		struct backend *b;
		struct made a, c;
		struct err e = ERR_INIT;
		cr_assert_eq(backend_open(&b, "cuda", (enum dtype_kind)dtype, &e), 0, "%s", e.msg);
		run(want, &a, b, make, true);
		run(got, &c, b, make, false);
		cr_expect_eq(a.placed, 0);
		cr_expect_eq(c.placed, placed[dtype], "%s: %d", dtype_name((enum dtype_kind)dtype), c.placed);
		for (int i = 0; i < INPUTS && a.out[i]; i++)
			cr_expect_arr_eq(got[i], want[i], tensor_count(a.out[i]) * sizeof(float), "result %d", i);
		graph_free(a.g);
		graph_free(c.g);
		backend_free(b);
	}
}

Test(parts, a_decoders_halves_are_not_moved)
{
	expect_same(decoder, 3, 3);
}

Test(parts, a_tensor_has_one_place)
{
	expect_same(joined_again, 4, 3);
}

Test(parts, what_cannot_be_placed_is_moved)
{
	expect_same(odd, 1, 1);
}

Test(parts, a_part_is_added_up)
{
	expect_same(summed, 1, 1);
}

/* The CPU's kernels take no pitch. */
Test(parts, the_cpu_places_nothing)
{
	static float out[INPUTS][MOST];
	struct made m;
	run(out, &m, backend_cpu(), decoder, false);
	cr_expect_eq(m.placed, 0);
	graph_free(m.g);
}
