/* dropout.c - inverted dropout: y = x * m / (1 - p), m = 1 with probability 1 - p.
 * Element i of layer `layer` in step `step` keeps its value iff uniform(seed, RNG_DROPOUT + layer, step, i) >= p, so a
 * mask is never stored: the backward node draws it again, and the teacher draws the student's by naming the same layer.
 * With a mask given as second source, y = x * mask. */
#include "model/graph/graph.h"

#include "model/base/err.h"
#include "model/base/rng.h"
#include "model/base/cpu.h"

struct tensor *graph_dropout(struct graph *g, struct tensor *x, struct tensor *mask, double p, uint32_t layer)
{
	if (!mask && p == 0)
		return x;
	struct tensor *y = graph_like(g, x);
	(void)graph_node(g, OP_dropout, &(union op_args){ .dropout = { p, layer } }, 2, (struct tensor *[]){ x, mask }, 1,
	                 &y);
	return y;
}

/* Element 0's number in the whole batch, which a team of processes shares. */
static int64_t first_counter(const struct node *nd)
{
	const struct tensor *x = nd->src[0];
	return (int64_t)nd->step->first * (x->h * x->w * x->c);
}

static void dropout_ref(struct node *nd)
{
	const struct tensor *x = nd->src[0], *mask = nd->src[1];
	for (size_t i = 0; i < tensor_count(x); i++) {
		float p = (float)nd->args.dropout.p;
		float u = mask ? 0
		               : rng_uniform(nd->step->seed, RNG_DROPOUT + nd->args.dropout.layer, nd->step->step,
		                             (uint64_t)first_counter(nd) + i);
		nd->dst[0]->ref[i] = x->ref[i] * (mask ? mask->ref[i] : u >= p ? 1 / (1 - nd->args.dropout.p) : 0);
	}
}

/* 16 Philox blocks at once, lane by lane, so that the rounds vectorize; word w of block b is element 4 b + w. */
enum { LANES = 16 };

CPU_KERNEL static void philox_lanes(uint32_t *restrict out, uint64_t block, uint32_t stream, uint32_t step,
                                    uint64_t seed)
{
	uint32_t c0[LANES], c1[LANES], c2[LANES], c3[LANES], k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
	for (int i = 0; i < LANES; i++) {
		c0[i] = (uint32_t)(block + (uint64_t)i);
		c1[i] = (uint32_t)((block + (uint64_t)i) >> 32);
		c2[i] = step;
		c3[i] = stream;
	}
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < LANES; i++) {
			uint64_t p0 = (uint64_t)0xD2511F53u * c0[i], p1 = (uint64_t)0xCD9E8D57u * c2[i];
			uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1[i] ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3[i] ^ k1;
			c1[i] = (uint32_t)p1;
			c3[i] = (uint32_t)p0;
			c0[i] = n0;
			c2[i] = n2;
		}
		k0 += 0x9E3779B9u;
		k1 += 0xBB67AE85u;
	}
	for (int i = 0; i < LANES; i++) {
		out[4 * i] = c0[i];
		out[4 * i + 1] = c1[i];
		out[4 * i + 2] = c2[i];
		out[4 * i + 3] = c3[i];
	}
}

CPU_KERNEL static void apply(float *y, const float *x, const uint32_t *bits, float p, float scale, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		y[i] = (float)(int32_t)(bits[i] >> 8) * 0x1p-24f >= p ? x[i] * scale : 0;
}

CPU_KERNEL static void multiply(float *y, const float *x, const float *mask, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		y[i] = x[i] * mask[i];
}

enum { CHUNK = 4 * LANES };

static void range(void *ctx, int64_t first, int64_t last)
{
	struct node *nd = ctx;
	const float *x = nd->src[0]->data;
	float *y = nd->dst[0]->data, p = (float)nd->args.dropout.p, scale = (float)(1 / (1 - nd->args.dropout.p));
	int64_t count = (int64_t)tensor_count(nd->src[0]), begin = first_counter(nd);
	for (int64_t chunk = begin / CHUNK + first; chunk < begin / CHUNK + last; chunk++) {
		uint32_t bits[CHUNK];
		int64_t from = chunk * CHUNK < begin ? begin : chunk * CHUNK,
				to = (chunk + 1) * CHUNK < begin + count ? (chunk + 1) * CHUNK : begin + count;
		int64_t at = from - begin, n = to - from;
		if (nd->src[1]) {
			multiply(y + at, x + at, nd->src[1]->data + at, n);
			continue;
		}
		philox_lanes(bits, (uint64_t)(chunk * LANES), RNG_DROPOUT + nd->args.dropout.layer, nd->step->step,
		             nd->step->seed);
		apply(y + at, x + at, bits + (from - chunk * CHUNK), p, scale, n);
	}
}

static void dropout_cpu(struct node *nd)
{
	int64_t begin = first_counter(nd), end = begin + (int64_t)tensor_count(nd->src[0]);
	cpu_split((end + CHUNK - 1) / CHUNK - begin / CHUNK, 64, range, nd);
}

static void backward(struct graph *g, struct node *nd)
{
	struct tensor *dx = graph_like(g, nd->src[0]);
	(void)graph_node(g, OP_dropout, &nd->args, 2, (struct tensor *[]){ nd->dst[0]->grad, nd->src[1] }, 1, &dx);
	graph_add_grad(g, nd->src[0], dx);
}

const struct op_row op_dropout = {
	.name = "dropout",
	.meaning = "y = x * mask / (1 - p); mask from (seed, layer, step, index) or given",
	.ref = dropout_ref,
	.cpu = dropout_cpu,
	.backward = backward,
	.inplace = true,
	.low = true,
};
