/* test_op_part.c - a step's cost by part: every op has one, a graph's nodes are counted once each, and the work of
 * products is the graph's where no Winograd convolution computes less. */
#include "model/cpu/devices.h"
#include "model/cpu/winograd_private.h"
#include "model/graph/graph_impl.h"
#include "model/graph/op_part.h"

#include "model/base/mem.h"

#include <criterion/criterion.h>
#include <stdlib.h>

/* Those that are not an op's: what runs beside the nodes, and what is split off from convolutions. */
static bool is_of_ops(enum cpu_part part)
{
	return part == CPU_PRODUCTS || part == CPU_NORMS || part == CPU_ATTENTION || part == CPU_RESAMPLING ||
	       part == CPU_ELEMENTWISE;
}

Test(op_part, every_op_has_one)
{
	for (int op = 0; op < N_OPS; op++)
		cr_expect(is_of_ops(op_part((enum op)op)), "%s: part %d", op_row((enum op)op)->name, op_part((enum op)op));
	cr_expect_eq(op_part(OP_conv2d_bwd_weights), CPU_PRODUCTS);
	cr_expect_eq(op_part(OP_groupnorm_bwd), CPU_NORMS);
	cr_expect_eq(op_part(OP_attention_bwd), CPU_ATTENTION);
	cr_expect_eq(op_part(OP_concat), CPU_RESAMPLING);
	cr_expect_eq(op_part(OP_add_scaled), CPU_ELEMENTWISE);
}

enum { N = 2, SIDE = 4, C = 48, PARAMS = 3 * C * C + 3 * C };

/* A norm, a 1x1 convolution with a bias, attention, a sum and a joining, with their gradients; and a 3x3 convolution to
 * 4 channels, too few for Winograd. */
static struct graph *build(struct backend *b)
{
	struct graph *g = graph_new_on(b);
	struct tensor *x = graph_input(g, "x", N, SIDE, SIDE, C), *w = graph_param(g, "w", STORE_STUDENT, 0, C, C, 1, 1),
				  *scale = graph_param(g, "scale", STORE_STUDENT, C * C, 1, 1, 1, C),
				  *shift = graph_param(g, "shift", STORE_STUDENT, C * C + C, 1, 1, 1, C),
				  *bias = graph_param(g, "bias", STORE_STUDENT, C * C + 2 * C, 1, 1, 1, C),
				  *w3 = graph_param(g, "w3", STORE_STUDENT, C * C + 3 * C, 4, C, 3, 3);
	x->needs_grad = true;
	struct tensor *h = graph_groupnorm(g, x, scale, shift, NULL, (struct norm_args){ .groups = 4, .eps = 1e-5 });
	h = graph_conv2d(g, h, w, bias, 1, 0, 0, false);
	struct tensor *y = graph_attention(g, h, 1);
	y = graph_concat(g, y, graph_conv2d(g, graph_add_scaled(g, h, x, 0.5), w3, NULL, 1, 1, 1, false));
	graph_keep(y);
	y->grad = graph_scale(g, y, 3);
	graph_backward(g, y);
	return g;
}

Test(op_part, nodes_are_counted_once_each)
{
	struct cpu_cost costs[CPU_PARTS] = { 0 };
	float *params = xaligned(2 * PARAMS * sizeof *params);
	for (int i = 0; i < 2 * PARAMS; i++)
		params[i] = 0.01f * (float)(i % 7);
	struct graph *g = build(backend_cpu());
	double flops[CPU_PARTS] = { 0 }, bytes[CPU_PARTS] = { 0 }, all_flops = 0, all_bytes = 0;
	graph_plan(g);
	graph_bind(g, STORE_STUDENT, params);
	graph_bind(g, STORE_GRAD, params + PARAMS);
	for (int i = 0; i < g->n_nodes; i++) {
		const struct node *nd = g->nodes[i];
		flops[op_part(nd->op)] += op_row(nd->op)->flops ? op_row(nd->op)->flops(nd) : 0;
		bytes[op_part(nd->op)] += node_traffic(nd);
	}
	graph_run(g); /* not clocked: counts nothing */
	cpu_clock_start();
	graph_run(g);
	graph_run(g);
	cpu_clock_stop(costs);
	for (int i = 0; i < CPU_PARTS; i++) {
		const char *name = cpu_part_name((enum cpu_part)i);
		cr_expect_eq(costs[i].flops, 2 * flops[i], "%s: %g FLOP, expected %g", name, costs[i].flops, 2 * flops[i]);
		cr_expect_eq(costs[i].bytes, 2 * bytes[i], "%s: %g bytes, expected %g", name, costs[i].bytes, 2 * bytes[i]);
		cr_expect_eq(costs[i].bytes > 0, is_of_ops((enum cpu_part)i), "%s", name);
		if (i != CPU_WAITING && i != CPU_OTHER)
			cr_expect_eq(costs[i].seconds > 0, is_of_ops((enum cpu_part)i), "%s: %g s", name, costs[i].seconds);
		all_flops += costs[i].flops;
		all_bytes += costs[i].bytes;
	}
	cr_expect_eq(all_flops, 2 * graph_flops(g));
	cr_expect_eq(all_bytes, 2 * graph_traffic(g));
	cr_expect_eq(costs[CPU_PRODUCTS].flops + costs[CPU_ATTENTION].flops, all_flops);
	graph_free(g);
	free(params);
}

/* 6 x 6 outputs in 9 tiles of 2 x 2 by 16 products each, or in 4 of 4 x 4 by 36: 16 * 9 and 36 * 4 products instead of
 * 36 * 9. The data and weights gradients take as many. */
Test(op_part, winograd_is_split_into_products_and_transforms)
{
	enum { CHANNELS = 32, SIX = 6, WEIGHTS = CHANNELS * CHANNELS * 9 };
	struct cpu_cost costs[CPU_PARTS] = { 0 };
	if (!winograd_kernels())
		cr_skip_test("this processor has neither AVX2 nor AVX-512");
	SCOPED(free) float *params = xcalloc((size_t)2 * WEIGHTS, sizeof *params);
	struct graph *g = graph_new_on(backend_cpu());
	struct tensor *x = graph_input(g, "x", N, SIX, SIX, CHANNELS),
				  *w = graph_param(g, "w", STORE_STUDENT, 0, CHANNELS, CHANNELS, 3, 3);
	x->needs_grad = true;
	struct tensor *y = graph_conv2d(g, x, w, NULL, 1, 1, 1, false);
	graph_keep(y);
	y->grad = graph_scale(g, y, 3);
	graph_backward(g, y);
	graph_plan(g);
	graph_bind(g, STORE_STUDENT, params);
	graph_bind(g, STORE_GRAD, params + WEIGHTS);
	cpu_clock_start();
	graph_run(g);
	cpu_clock_stop(costs);
	cr_expect_eq(costs[CPU_PRODUCTS].flops, 3 * 2.0 * N * 144 * CHANNELS * CHANNELS);
	cr_expect_lt(costs[CPU_PRODUCTS].flops, graph_flops(g));
	cr_expect_eq(costs[CPU_PRODUCTS].bytes, 0);
	cr_expect_eq(costs[CPU_TRANSFORMS].bytes, 3.0 * sizeof(float) * (2 * N * SIX * SIX * CHANNELS + WEIGHTS));
	cr_expect(costs[CPU_PRODUCTS].seconds > 0 && costs[CPU_TRANSFORMS].seconds > 0);
	graph_free(g);
}

/* The optimizer and the batch are beside the graph. */
Test(op_part, the_optimizer_and_the_batch_are_parts)
{
	enum { FLOATS = 5000, H = 3, W = 5, CHANNELS = 2 };
	struct backend *b = backend_cpu();
	struct cpu_cost costs[CPU_PARTS] = { 0 };
	SCOPED(free) float *stores = xcalloc((size_t)6 * FLOATS, sizeof *stores);
	struct step_control control = { .optim = { .adaptive = 1, .root_scale = 1, .eps = 1e-8f } };
	struct step_status status = { 0 };
	float *p = stores, *m = p + FLOATS, *v = m + FLOATS, *grad = v + FLOATS, *ema = grad + FLOATS, *z = ema + FLOATS;
	uint8_t images[H * W * CHANNELS] = { 0 };
	struct sample_draw draw = { 0 };
	cpu_clock_start();
	b->ops->training.update(
		b, &(struct update_job){
			   .control = &control, .status = &status, .grad = grad, .p = p, .m = m, .v = v, .ema = ema, .n = FLOATS });
	b->ops->training.batch(b, &(struct batch_job){ .control = &control,
	                                               .draws = &draw,
	                                               .images = images,
	                                               .batch = 1,
	                                               .h = H,
	                                               .w = W,
	                                               .c = CHANNELS,
	                                               .x0 = z,
	                                               .z = z + H * W * CHANNELS });
	cpu_clock_stop(costs);
	cr_expect_eq(costs[CPU_OPTIMIZER].bytes, 9.0 * FLOATS * sizeof(float)); /* p, m, v, ema twice, the gradient once */
	cr_expect_eq(costs[CPU_BATCH].bytes, 9.0 * H * W * CHANNELS);           /* a byte, and two floats */
	cr_expect(costs[CPU_OPTIMIZER].seconds > 0 && costs[CPU_BATCH].seconds > 0);
	status.diverged = 1; /* then nothing is updated, and nothing counted */
	double before = costs[CPU_OPTIMIZER].bytes;
	cpu_clock_start();
	b->ops->training.update(
		b, &(struct update_job){ .control = &control, .status = &status, .p = p, .m = m, .v = v, .n = FLOATS });
	cpu_clock_stop(costs);
	cr_expect_eq(costs[CPU_OPTIMIZER].bytes, before);
}
