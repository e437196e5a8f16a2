/* gelu.cu - gelu.c on a device: one pass over memory, eight values a thread. */
#include "model/cuda/kernel.cuh"

/* The exact one by erfc, which keeps its digits where 1 + erf has none left. */
struct gelu_of {
	bool quick;
	__device__ float operator()(float x, float) const
	{
		return quick ? x * sigmoid(1.702f * x) : 0.5f * x * erfcf(-0.70710678118654752f * x);
	}
};

static void gelu_run(struct node *nd, struct cuda *cu)
{
	struct gelu_of f = { nd->args.gelu.quick };
	struct val none = { NULL, 0, 0 };
	map(cu, f, val_of(nd->dst[0]), val_of(nd->src[0]), none, tensor_count(nd->dst[0]));
}

extern "C" const struct cuda_op cuda_gelu = { NULL, gelu_run, NULL };

struct gelu_slope {
	bool quick;
	__device__ float operator()(float dy, float x) const
	{
		if (quick) {
			float s = sigmoid(1.702f * x);
			return dy * s * (1.0f + 1.702f * x * (1.0f - s));
		}
		return dy * (0.5f * erfcf(-0.70710678118654752f * x) + x * 0.39894228040143268f * expf(-0.5f * x * x));
	}
};

static void gelu_bwd_run(struct node *nd, struct cuda *cu)
{
	struct gelu_slope f = { nd->args.gelu.quick };
	map(cu, f, val_of(nd->dst[0]), val_of(nd->src[0]), val_of(nd->src[1]), tensor_count(nd->dst[0]));
}

extern "C" const struct cuda_op cuda_gelu_bwd = { NULL, gelu_bwd_run, NULL };
