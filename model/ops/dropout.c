/* dropout.c - inverted dropout: y = x * m / (1 - p), m = 1 with probability 1 - p.
 * Element i of layer `layer` in step `step` keeps its value iff uniform(seed, RNG_DROPOUT + layer, step, i) >= p, so a
 * mask is never stored: a backward node draws it again, and the teacher draws the student's by naming the same layer.
 * Norms apply it to their results (struct norm_args). The op of this name multiplies by a mask that is given. */
#include "model/ops/dropout.h"

#include "model/graph/tangent.h"

#include "model/base/cpu.h"
#include "model/base/rng.h"

struct tensor *graph_dropout(struct graph *g, struct tensor *x, struct tensor *mask)
{
	struct tensor *y = graph_like(g, x);
	(void)graph_node(g, OP_dropout, &(union op_args){ 0 }, 2, (struct tensor *[]){ x, mask }, 1, &y);
	return y;
}

/* Element 0's number in the whole batch, which a team of processes shares. */
static int64_t first_counter(const struct node *nd, const struct tensor *x)
{
	return (int64_t)nd->step->first * (x->h * x->w * x->c);
}

double dropout_factor(const struct node *nd, const struct tensor *x, struct drop drop, size_t i)
{
	uint64_t at = (uint64_t)first_counter(nd, x) + i;
	if (drop.p == 0)
		return 1;
	return rng_uniform(nd->step->seed, RNG_DROPOUT + drop.layer, nd->step->step, at) >= (float)drop.p ? 1 / (1 - drop.p)
	                                                                                                  : 0;
}

/* Philox blocks from `block` on, each lane of a vector its own; word w of block b is element 4 b + w. */
enum { BLOCKS = 64, ROUNDS = 10 };

CPU_KERNEL static void philox_lanes(uint32_t *restrict out, uint64_t block, uint32_t stream, uint32_t step,
                                    uint64_t seed)
{
	for (int i = 0; i < BLOCKS; i++) {
		uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
		uint32_t c0 = (uint32_t)(block + (uint64_t)i), c1 = (uint32_t)((block + (uint64_t)i) >> 32), c2 = step,
				 c3 = stream;
#pragma GCC unroll 10
		for (int round = 0; round < ROUNDS; round++) {
			uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
			c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
			c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
			c1 = (uint32_t)p1;
			c3 = (uint32_t)p0;
			k0 += 0x9E3779B9u;
			k1 += 0xBB67AE85u;
		}
		out[4 * i] = c0;
		out[4 * i + 1] = c1;
		out[4 * i + 2] = c2;
		out[4 * i + 3] = c3;
	}
}

enum { CHUNK = 4 * BLOCKS };

/* n <= CHUNK; y may be x. */
CPU_KERNEL static void apply(float *y, const float *x, const uint32_t *bits, float p, float scale, int64_t n)
{
	float kept[CHUNK];
	for (int64_t i = 0; i < n; i++)
		kept[i] = x[i] * scale;
	for (int64_t i = 0; i < n; i++)
		y[i] = (float)(int32_t)(bits[i] >> 8) * 0x1p-24f >= p ? kept[i] : 0;
}

struct draws {
	const struct node *nd;
	const struct tensor *like;
	struct drop drop;
	float *y;
	const float *x;
};

static void range(void *ctx, int64_t first, int64_t last)
{
	const struct draws *d = ctx;
	float p = (float)d->drop.p, scale = (float)(1 / (1 - d->drop.p));
	int64_t count = (int64_t)tensor_count(d->like), begin = first_counter(d->nd, d->like);
	for (int64_t chunk = begin / CHUNK + first; chunk < begin / CHUNK + last; chunk++) {
		uint32_t bits[CHUNK];
		int64_t from = chunk * CHUNK < begin ? begin : chunk * CHUNK,
				to = (chunk + 1) * CHUNK < begin + count ? (chunk + 1) * CHUNK : begin + count;
		philox_lanes(bits, (uint64_t)(chunk * BLOCKS), RNG_DROPOUT + d->drop.layer, d->nd->step->step,
		             d->nd->step->seed);
		apply(d->y + from - begin, d->x + from - begin, bits + (from - chunk * CHUNK), p, scale, to - from);
	}
}

void dropout_cpu(float *y, const float *x, const struct node *nd, const struct tensor *like, struct drop drop)
{
	int64_t begin = first_counter(nd, like), end = begin + (int64_t)tensor_count(like);
	cpu_split((end + CHUNK - 1) / CHUNK - begin / CHUNK, 16, range, &(struct draws){ nd, like, drop, y, x });
}

/* ---- by a mask that is given ----------------------------------------------------------------- */

static void masked_ref(struct node *nd)
{
	for (size_t i = 0; i < tensor_count(nd->src[0]); i++)
		nd->dst[0]->ref[i] = nd->src[0]->ref[i] * nd->src[1]->ref[i];
}

static void masked_cpu(struct node *nd)
{
	for (size_t i = 0; i < tensor_count(nd->src[0]); i++)
		nd->dst[0]->data[i] = nd->src[0]->data[i] * nd->src[1]->data[i];
}

static void backward(struct graph *g, struct node *nd)
{
	graph_add_grad(g, nd->src[0], graph_dropout(g, nd->dst[0]->grad, nd->src[1]));
}

const struct op_row op_dropout = {
	.name = "dropout",
	.meaning = "y = x * mask",
	.ref = masked_ref,
	.cpu = masked_cpu,
	.backward = backward,
	.jvp = tangent_product,
	.inplace = true,
	.low = true,
};
