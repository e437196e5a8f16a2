/* tokens.cu - tokens.c on a device: a thread moves one value; of the table's gradient it sums one over the images. */
#include "model/cuda/kernel.cuh"

/* row: values of an image's tokens; c: of one token. */
static __global__ void tokens_kernel(struct val y, struct val x, struct val table, int64_t row, int64_t c, int64_t n)
{
	int64_t at = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
	if (at >= n)
		return;
	int64_t i = at % row, image = at / row;
	val_put(y, at, (i < c ? 0 : val_get(x, at - (image + 1) * c)) + val_get(table, i));
}

static void tokens_run(struct node *nd, struct cuda *cu)
{
	const struct tensor *y = nd->dst[0];
	size_t n = tensor_count(y);
	LAUNCH(cu, tokens_kernel, blocks_for(n, BLOCK), BLOCK, 0, val_of(y), val_of(nd->src[0]), val_of(nd->src[1]),
	       y->w * y->c, y->c, (int64_t)n);
}

extern "C" const struct cuda_op cuda_tokens = { NULL, tokens_run, NULL };

static __global__ void tokens_bwd_kernel(struct val dx, struct val dtable, struct val dy, int64_t row, int64_t c,
                                         int64_t images)
{
	int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
	if (i >= row)
		return;
	float sum = 0;
	for (int64_t n = 0; n < images; n++) {
		float d = val_get(dy, n * row + i);
		sum += d;
		if (i >= c)
			val_put(dx, n * row + i - (n + 1) * c, d);
	}
	val_put(dtable, i, sum);
}

static void tokens_bwd_run(struct node *nd, struct cuda *cu)
{
	const struct tensor *dy = nd->src[0];
	int64_t row = dy->w * dy->c;
	LAUNCH(cu, tokens_bwd_kernel, blocks_for((size_t)row, BLOCK), BLOCK, 0, val_of(nd->dst[0]), val_of(nd->dst[1]),
	       val_of(dy), row, dy->c, dy->n);
}

extern "C" const struct cuda_op cuda_tokens_bwd = { NULL, tokens_bwd_run, NULL };
