/* test_repeat.c - cheap results that are made again for the backward pass: less memory, the same bits. The back end
 * that keeps everything is the CPU's with that one flag changed. */
#include "model/base/mem.h"
#include "model/base/rng.h"
#include "model/cpu/devices.h"
#include "model/graph/graph_impl.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { N = 4, SIDE = 32, C = 16, PARAMS = 24 * C * C * 9, IMAGE = N * SIDE * SIDE * C };

static struct backend *keeper(void)
{
	static struct backend_ops ops;
	static struct backend b;
	b = *backend_cpu();
	ops = *b.ops;
	ops.repeats = false;
	b.ops = &ops;
	return &b;
}

/* Parameters are taken one behind the other. */
struct made {
	struct graph *g;
	size_t used;
	struct tensor *x;
};

static struct tensor *param(struct made *m, int64_t n, int64_t h, int64_t w, int64_t c)
{
	struct tensor *t = graph_param(m->g, "p", STORE_STUDENT, m->used, n, h, w, c);
	m->used += tensor_count(t);
	cr_assert_leq(m->used, (size_t)PARAMS);
	return t;
}

static struct tensor *conv(struct made *m, struct tensor *x, int64_t c)
{
	return graph_conv2d(m->g, x, param(m, c, x->c, 3, 3), NULL, 1, 1, 1, false);
}

static struct tensor *norm(struct made *m, struct tensor *x, double dropout)
{
	return graph_groupnorm(m->g, x, param(m, 1, 1, 1, x->c), param(m, 1, 1, 1, x->c), NULL,
	                       (struct norm_args){ .groups = 4, .eps = 1e-5, .silu = true, .drop = { dropout, 3 } });
}

/* Blocks with one down, one up and one that joins them, as networks have: with chains of norm and resampling, and of
 * joining and norm. */
static struct made build(struct backend *b)
{
	struct made m = { .g = graph_new_on(b) };
	m.x = graph_input(m.g, "x", N, SIDE, SIDE, C);
	struct tensor *skip = conv(&m, m.x, C);
	for (int i = 0; i < 4; i++)
		skip = conv(&m, norm(&m, skip, 0), C);
	struct tensor *down = graph_resample(m.g, norm(&m, skip, 0), false, 2, -1);
	struct tensor *h = conv(&m, norm(&m, conv(&m, down, C), 0.5), C);
	h = conv(&m, graph_resample(m.g, norm(&m, h, 0), true, 2, -1), C);
	struct tensor *both = graph_concat(m.g, h, skip);
	h = conv(&m, norm(&m, conv(&m, norm(&m, both, 0.25), C), 0), C);
	h = graph_add_scaled(m.g, h, conv(&m, both, C), 0.5);
	graph_keep(h);
	h->grad = graph_scale(m.g, h, 3);
	graph_backward(m.g, h);
	return m;
}

/* The gradients and the answer of one run. */
static struct made run(float *grads, float *answer, struct backend *b, void (*plan)(struct graph *g))
{
	struct made m = build(b);
	SCOPED(free) float *params = xaligned(PARAMS * sizeof *params);
	struct tensor *y = NULL;
	plan(m.g);
	for (int i = 0; i < m.g->n_tensors; i++)
		if (m.g->tensors[i]->keep && m.g->tensors[i]->role == TENSOR_TEMP)
			y = m.g->tensors[i];
	rng_normal(params, PARAMS, 5, RNG_SYNTHETIC, 0, 0);
	rng_normal(m.x->data, IMAGE, 5, RNG_SYNTHETIC, 1, 0);
	memset(grads, 0, PARAMS * sizeof *grads);
	graph_bind(m.g, STORE_STUDENT, params);
	graph_bind(m.g, STORE_GRAD, grads);
	graph_set_step(m.g, 7, 9);
	graph_run(m.g);
	memcpy(answer, y->data, IMAGE * sizeof *answer);
	return m;
}

static int repeats(const struct graph *g)
{
	int n = 0;
	for (int i = 0; i < g->n_nodes; i++)
		n += g->nodes[i]->again;
	return n;
}

Test(repeat, the_same_bits_with_less_memory)
{
	static float want[PARAMS], got[PARAMS], want_y[IMAGE], y[IMAGE];
	struct made kept = run(want, want_y, keeper(), graph_plan), again = run(got, y, backend_cpu(), graph_plan);
	cr_expect_eq(repeats(kept.g), 0);
	cr_expect_geq(repeats(again.g), 5, "%d", repeats(again.g));
	cr_expect_lt((double)graph_bytes(again.g), 0.8 * (double)graph_bytes(kept.g), "%zu of %zu bytes",
	             graph_bytes(again.g), graph_bytes(kept.g));
	cr_expect_arr_eq(got, want, sizeof want);
	cr_expect_arr_eq(y, want_y, sizeof want_y);
	graph_free(kept.g);
	graph_free(again.g);
	/* with NaN wherever nothing was written */
	again = run(got, y, backend_cpu(), graph_plan_guarded);
	cr_expect_eq(graph_check_guards(again.g), NULL);
	cr_expect_arr_eq(got, want, sizeof want);
	graph_free(again.g);
}

/* Or both copies would lie in memory. */
Test(repeat, the_backward_pass_reads_no_other)
{
	struct made m = build(backend_cpu());
	graph_plan(m.g);
	for (int i = 0; i < m.g->n_nodes; i++) {
		const struct node *nd = m.g->nodes[i];
		cr_expect_eq(nd->index, i);
		cr_expect(!nd->again || i >= m.g->backward_at);
		for (int k = 0; k < m.g->n_nodes && nd->again; k++)
			for (int j = 0; j < m.g->nodes[k]->n_src; j++) {
				const struct tensor *x = m.g->nodes[k]->src[j];
				cr_expect(x != nd->dst[0] || k > i, "node %d reads what %d makes", k, i);
				cr_expect(k < m.g->backward_at || !x || !x->maker || x->maker->again || x->maker->op != nd->op ||
				              x->maker->dst[1] != nd->dst[1] || !nd->dst[1] || x != x->maker->dst[0],
				          "node %d reads what the forward pass made", k);
			}
	}
	graph_free(m.g);
}

/* What a repeat reads that is cheap, too, is made again before it instead of being kept: of norm and resampling, which
 * no backward node but the convolution's reads, neither stays. */
Test(repeat, a_chain_is_made_again_from_its_beginning)
{
	struct made m = build(backend_cpu());
	int chains = 0;
	graph_plan(m.g);
	for (int i = 0; i < m.g->n_nodes; i++) {
		const struct node *nd = m.g->nodes[i], *source = nd->src[0] ? nd->src[0]->maker : NULL;
		if (!nd->again || nd->op != OP_resample)
			continue;
		cr_expect(source && source->op == OP_groupnorm && source->again && source->index < i, "node %d", i);
		chains++;
	}
	cr_expect_geq(chains, 1, "%d", chains);
	graph_free(m.g);
}

/* A result that the backward pass begins with lies idle nowhere. */
Test(repeat, only_what_lies_idle_at_the_peak)
{
	struct made m = { .g = graph_new_on(backend_cpu()) };
	m.x = graph_input(m.g, "x", N, SIDE, SIDE, C);
	struct tensor *y = conv(&m, norm(&m, conv(&m, m.x, C), 0), C);
	graph_keep(y);
	y->grad = graph_like(m.g, y);
	(void)graph_node(m.g, OP_scale, &(union op_args){ .scale = { 3 } }, 1, &y, 1, &y->grad);
	graph_backward(m.g, y);
	graph_plan(m.g);
	cr_expect_eq(repeats(m.g), 0);
	graph_free(m.g);
}

/* The convolution beside a block sends a gradient to both halves of what is joined, 32 channels from 16: it is made
 * when the norm's gradient adds it, not at the block's end. Bits are compared above. */
Test(repeat, a_wide_gradient_waits_for_its_reader)
{
	struct made m = build(backend_cpu());
	int found = 0;
	graph_plan(m.g);
	for (int i = 1; i < m.g->n_nodes; i++) {
		const struct node *nd = m.g->nodes[i];
		const struct tensor *addend = nd->op == OP_groupnorm_bwd ? nd->src[6] : NULL;
		if (!addend || addend->c != 2 * C)
			continue;
		cr_expect_eq(addend->maker->op, OP_conv2d_bwd_data);
		cr_expect_eq(addend->maker->index, i - 1, "made at %d, read at %d", addend->maker->index, i);
		found++;
	}
	cr_expect_eq(found, 1);
	graph_free(m.g);
}
