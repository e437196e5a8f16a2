/* groupnorm.cuh - what the kernels of group norm's forward and backward pass share. */
#ifndef ABLATE_GROUPNORM_CUH
#define ABLATE_GROUPNORM_CUH

#include "model/cuda/group_tile.cuh"
#include "model/ops/dropout.cuh"

enum { SUM_PIXELS = 8, SWEEP_PIXELS = 4 }; /* at least this many per thread before an image is cut over more blocks */

/* What the group kernels need to know of a node. */
struct norm {
	struct val x, w, b, e;
	int64_t images, pixels, c, groups, per;
	enum norm_mode mode;
	double eps;
};

static struct norm norm_of(const struct node *nd, const struct tensor *x, const struct tensor *w,
                           const struct tensor *b, const struct tensor *e)
{
	int64_t groups = nd->args.norm.groups;
	struct norm m = { val_of(x), val_of(w),     val_of(b),          val_of(e),        x->n, x->h * x->w, x->c,
		              groups,    x->c / groups, nd->args.norm.mode, nd->args.norm.eps };
	return m;
}

__device__ static inline float added(const struct norm &m, int64_t n, int64_t c)
{
	return m.mode == NORM_ADD ? val_get(m.e, n * m.c + c) : 0;
}

__device__ static inline float scale_of(const struct norm &m, int64_t n, int64_t c)
{
	return m.mode == NORM_SCALE_SHIFT ? 1 + val_get(m.e, n * 2 * m.c + c) : 1;
}

__device__ static inline float shift_of(const struct norm &m, int64_t n, int64_t c)
{
	return m.mode == NORM_SCALE_SHIFT ? val_get(m.e, n * 2 * m.c + m.c + c) : 0;
}

/* z = (x - centre) a + b for channel c of image n. */
struct line {
	float a, b;
};

__device__ static inline struct line line_of(const struct norm &m, double mean, double rstd, double centre, int64_t n,
                                             int64_t c)
{
	double a = rstd * (double)val_get(m.w, c), s = (double)scale_of(m, n, c),
		   b = (double)val_get(m.b, c) + (centre + (double)added(m, n, c) - mean) * a;
	struct line l = { (float)(a * s), (float)(b * s + (double)shift_of(m, n, c)) };
	return l;
}

/* Threads of a block that has a group's channels to itself: whole warps. */
static unsigned group_threads(int64_t per)
{
	return per > WARP ? BLOCK / 2 : WARP;
}

#endif
