/* layout.cu - layout.c on a device: rows of channels copied, but for those that the plan has put where they belong. A
 * thread moves one run of channels: eight where widths and starts are multiples of eight, else one. */
#include "model/cuda/kernel.cuh"

/* dst[row][to ..] = src[row][from ..], c channels of `rows` pixels. */
struct move {
	struct val dst, src;
	int64_t dst_pitch, src_pitch, to, from, c, rows;
	int vec;
};

static __global__ void move_kernel(struct move m)
{
	int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x, runs = m.c / m.vec;
	if (i >= m.rows * runs)
		return;
	int64_t row = i / runs, c = i % runs * m.vec;
	float x[VEC];
	val_load(x, m.src, row * m.src_pitch + m.from + c, m.vec);
	val_store(m.dst, row * m.dst_pitch + m.to + c, m.vec, x);
}

static void move_rows(struct cuda *cu, const struct tensor *dst, int64_t to, const struct tensor *src, int64_t from,
                      int64_t c)
{
	bool wide = (tensor_pitch(dst) | to | tensor_pitch(src) | from | c) % VEC == 0;
	struct move m = { val_of(dst), val_of(src), tensor_pitch(dst),  tensor_pitch(src), to,
		              from,        c,           tensor_pixels(dst), wide ? VEC : 1 };
	LAUNCH(cu, move_kernel, blocks_for((size_t)(m.rows * m.c / m.vec), BLOCK), BLOCK, 0, m);
}

static void concat_run(struct node *nd, struct cuda *cu)
{
	const struct tensor *a = nd->src[0], *b = nd->src[1], *y = nd->dst[0];
	if (!tensor_lies_in(a, y, 0))
		move_rows(cu, y, 0, a, 0, a->c);
	if (!tensor_lies_in(b, y, a->c))
		move_rows(cu, y, a->c, b, 0, b->c);
}

extern "C" const struct cuda_op cuda_concat = { NULL, concat_run, NULL };

static void slice_run(struct node *nd, struct cuda *cu)
{
	struct tensor *y = nd->dst[0], *x = nd->src[0];
	if (!tensor_lies_in(y, x, nd->args.slice.first))
		move_rows(cu, y, 0, x, nd->args.slice.first, y->c);
}

extern "C" const struct cuda_op cuda_slice = { NULL, slice_run, NULL };

/* ---- shuffle: a thread moves one value ------------------------------------------------------- */

static __global__ void shuffle_kernel(struct val dst, struct val src, int64_t h, int64_t w, int64_t c, int64_t p,
                                      bool inverse, int64_t n)
{
	int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
	if (i >= n)
		return;
	int64_t at = i / c, image = at / (h * w), y = at / w % h, x = at % w; /* of the fine tensor (h, w, c) */
	int64_t pixel = (image * (h / p) + y / p) * (w / p) + x / p;
	int64_t coarse = (pixel * p * p + y % p * p + x % p) * c + i % c;
	val_put(dst, inverse ? i : coarse, val_get(src, inverse ? coarse : i));
}

static void shuffle_run(struct node *nd, struct cuda *cu)
{
	bool inverse = nd->args.shuffle.inverse;
	const struct tensor *fine = inverse ? nd->dst[0] : nd->src[0];
	size_t n = tensor_count(fine);
	LAUNCH(cu, shuffle_kernel, blocks_for(n, BLOCK), BLOCK, 0, val_of(nd->dst[0]), val_of(nd->src[0]), fine->h, fine->w,
	       fine->c, (int64_t)nd->args.shuffle.patch, inverse, (int64_t)n);
}

extern "C" const struct cuda_op cuda_shuffle = { NULL, shuffle_run, NULL };
