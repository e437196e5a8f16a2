/* cnn_private.h - what the files of the CPU back end of cnn.h share. */
#ifndef ABLATE_CNN_PRIVATE_H
#define ABLATE_CNN_PRIVATE_H

#include "model/frozen/cnn.h"
#include "model/cpu/onednn.h"
#include "model/cpu/winograd.h"

/* A convolution ready to run, for one picture on one thread: by Winograd where that is not NULL, else by primitives and
 * weights in the layouts they asked for. */
struct cnn_op {
	struct winograd *wino_fwd, *wino_bwd;
	dnnl_primitive_t fwd, bwd;
	dnnl_memory_t w_fwd, w_bwd, bias;
	onednn_md src, dst; /* dense NHWC of the layer's own channels */
	void *w_fwd_data, *w_bwd_data, *bias_data;
};

struct cnn_exec {
	const struct cnn *net;
	struct cnn_op *ops;         /* per layer; pools have none */
	bool bf16, backward, *keep; /* keep: per tensor */
	dnnl_engine_t engine;
	size_t *offset, arena_bytes; /* activations: per tensor, in bytes */
	size_t *grad_offset, grad_bytes;
	size_t temp_bytes;    /* the largest slice that is written densely first */
	size_t temp2_bytes;   /* backward: the largest gradient that must be added */
	size_t scratch_bytes; /* of the convolution that needs most */
};

struct cnn_work {
	const struct cnn_exec *x;
	char *arena, *grads;
	void *temp, *temp2, *scratch;
	dnnl_stream_t stream;
	dnnl_memory_t *src, *dst;     /* per layer, bound to their places */
	dnnl_memory_t *d_src, *d_dst; /* the same of gradients */
	dnnl_memory_t scratch_mem;
};

static inline size_t cnn_pixels(const struct cnn_tensor *t)
{
	return (size_t)t->h * (size_t)t->w;
}

static inline size_t cnn_elements(const struct cnn_tensor *t)
{
	return cnn_pixels(t) * (size_t)t->c;
}

/* Does the layer write a dense tensor of its own, or a range of channels? */
static inline bool cnn_is_slice(const struct cnn *net, const struct cnn_layer *l)
{
	return l->c != net->tensors[l->dst].c;
}

/* Is this the last layer that reads its source? In a backward pass it is the first to write that gradient. */
bool cnn_is_last_reader(const struct cnn *net, int layer);

void cnn_pool_forward(const struct cnn *net, const struct cnn_layer *l, void *dst, const void *src, bool bf16);
/* d_src (+)= the pool's gradient; `add` false overwrites. */
void cnn_pool_backward(const struct cnn *net, const struct cnn_layer *l, float *d_src, const float *d_dst,
                       const float *src, bool add);
void cnn_to_bf16(uint16_t *dst, const float *src, size_t n);
void cnn_from_bf16(float *dst, const uint16_t *src, size_t n);

#endif
