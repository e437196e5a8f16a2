/* cnn_run.c - the CPU back end of cnn.h, running: a workspace per thread, and the passes over the table. */
#include "model/frozen/cnn_private.h"

#include <stdlib.h>
#include <string.h>

static void *place(const struct cnn_work *w, int tensor)
{
	return w->arena + w->x->offset[tensor];
}

float *cnn_grad(struct cnn_work *w, int tensor)
{
	REQUIRE(w->x->backward);
	return (float *)(void *)(w->grads + w->x->grad_offset[tensor]);
}

static int bind(dnnl_memory_t *out, const struct cnn_work *w, onednn_md_view md, void *at, struct err *e)
{
	if (dnnl_memory_create(out, md, w->x->engine, at) != dnnl_success)
		return err_set(e, "oneDNN: cannot describe memory");
	return 0;
}

/* Is a layer's gradient added to what its source already has, or the first that is written there? */
static bool adds_gradient(const struct cnn_work *w, int layer)
{
	return !cnn_is_last_reader(w->x->net, layer) || w->x->keep[w->x->net->layers[layer].src];
}

static int bind_layer(struct cnn_work *w, int i, struct err *e)
{
	const struct cnn *net = w->x->net;
	const struct cnn_layer *l = &net->layers[i];
	const struct cnn_op *op = &w->x->ops[i];
	if (op->wino_fwd)
		return 0;
	if (bind(&w->src[i], w, op->src, place(w, l->src), e) ||
	    bind(&w->dst[i], w, op->dst, cnn_is_slice(net, l) ? w->temp : place(w, l->dst), e))
		return -1;
	if (!w->x->backward)
		return 0;
	return bind(&w->d_src[i], w, op->src, adds_gradient(w, i) ? w->temp2 : (void *)cnn_grad(w, l->src), e) ||
	               bind(&w->d_dst[i], w, op->dst, w->temp, e)
	           ? -1
	           : 0;
}

int cnn_work_open(struct cnn_work **out, const struct cnn_exec *x, struct err *e)
{
	struct cnn_work *w = xcalloc(1, sizeof *w);
	size_t n = (size_t)x->net->n_layers;
	w->x = x;
	w->arena = xaligned(x->arena_bytes);
	w->grads = xaligned(x->grad_bytes);
	w->temp = xaligned(x->temp_bytes);
	w->temp2 = xaligned(x->temp2_bytes);
	w->scratch = xaligned(x->scratch_bytes);
	w->src = xcalloc(n, sizeof(dnnl_memory_t));
	w->dst = xcalloc(n, sizeof(dnnl_memory_t));
	w->d_src = xcalloc(n, sizeof(dnnl_memory_t));
	w->d_dst = xcalloc(n, sizeof(dnnl_memory_t));
	onednn_md md = NULL;
	dnnl_dims_t bytes = { x->scratch_bytes ? (dnnl_dim_t)x->scratch_bytes : 1 };
	int rc = 0;
	if (dnnl_stream_create(&w->stream, x->engine, dnnl_stream_default_flags) != dnnl_success ||
	    onednn_md_create(&md, 1, bytes, dnnl_u8, dnnl_a) != dnnl_success)
		rc = err_set(e, "oneDNN: cannot create a stream");
	if (rc == 0)
		rc = bind(&w->scratch_mem, w, md, w->scratch, e);
	onednn_md_destroy(md);
	for (int i = 0; rc == 0 && i < x->net->n_layers; i++)
		if (x->net->layers[i].kind == CNN_CONV)
			rc = bind_layer(w, i, e);
	if (rc) {
		cnn_work_free(w);
		return -1;
	}
	*out = w;
	return 0;
}

void cnn_work_free(struct cnn_work *w)
{
	if (!w)
		return;
	dnnl_memory_t *lists[] = { w->src, w->dst, w->d_src, w->d_dst };
	for (size_t k = 0; k < 4; k++) {
		for (int i = 0; i < w->x->net->n_layers; i++)
			if (lists[k][i])
				(void)dnnl_memory_destroy(lists[k][i]);
		free(lists[k]);
	}
	if (w->scratch_mem)
		(void)dnnl_memory_destroy(w->scratch_mem);
	if (w->stream)
		(void)dnnl_stream_destroy(w->stream);
	free(w->arena);
	free(w->grads);
	free(w->temp);
	free(w->temp2);
	free(w->scratch);
	free(w);
}

static void execute(const struct cnn_work *w, dnnl_primitive_t p, int n, const dnnl_exec_arg_t *args)
{
	dnnl_status_t status = dnnl_primitive_execute(p, w->stream, n, args);
	if (status != dnnl_success)
		BUG("oneDNN: a planned convolution failed (status %d)", (int)status);
}

/* The dense result of a layer into its channels of a wider tensor. */
static void spread(char *dst, const char *src, size_t pixels, size_t from_bytes, size_t to_bytes)
{
	for (size_t i = 0; i < pixels; i++)
		memcpy(dst + i * to_bytes, src + i * from_bytes, from_bytes);
}

static void forward_conv(struct cnn_work *w, int i)
{
	const struct cnn *net = w->x->net;
	const struct cnn_layer *l = &net->layers[i];
	const struct cnn_op *op = &w->x->ops[i];
	if (op->wino_fwd) {
		winograd_run_frozen(op->wino_fwd, place(w, l->src), op->bias_data, (float *)place(w, l->dst) + l->dst_c,
		                    net->tensors[l->dst].c, w->scratch);
		return;
	}
	dnnl_exec_arg_t args[] = { { DNNL_ARG_SRC, w->src[i] },
		                       { DNNL_ARG_WEIGHTS, op->w_fwd },
		                       { DNNL_ARG_BIAS, op->bias },
		                       { DNNL_ARG_DST, w->dst[i] },
		                       { DNNL_ARG_SCRATCHPAD, w->scratch_mem } };
	execute(w, op->fwd, 5, args);
	if (!cnn_is_slice(net, l))
		return;
	const struct cnn_tensor *d = &net->tensors[l->dst];
	size_t size = w->x->bf16 ? 2 : 4;
	spread((char *)place(w, l->dst) + (size_t)l->dst_c * size, w->temp, cnn_pixels(d), (size_t)l->c * size,
	       (size_t)d->c * size);
}

void cnn_forward(struct cnn_work *w, const float *src)
{
	const struct cnn *net = w->x->net;
	size_t n = cnn_elements(&net->tensors[0]);
	if (w->x->bf16)
		cnn_to_bf16(place(w, 0), src, n);
	else
		memcpy(place(w, 0), src, n * sizeof *src);
	for (int i = 0; i < net->n_layers; i++) {
		const struct cnn_layer *l = &net->layers[i];
		if (l->kind == CNN_CONV)
			forward_conv(w, i);
		else
			cnn_pool_forward(net, l, place(w, l->dst), place(w, l->src), w->x->bf16);
	}
}

void cnn_read(const struct cnn_work *w, int tensor, float *dst)
{
	REQUIRE(w->x->keep[tensor]);
	size_t n = cnn_elements(&w->x->net->tensors[tensor]);
	if (w->x->bf16)
		cnn_from_bf16(dst, place(w, tensor), n);
	else
		memcpy(dst, place(w, tensor), n * sizeof *dst);
}

const float *cnn_data(const struct cnn_work *w, int tensor)
{
	REQUIRE(w->x->keep[tensor] && !w->x->bf16);
	return place(w, tensor);
}

void cnn_mean(const struct cnn_work *w, int tensor, float *dst)
{
	REQUIRE(w->x->keep[tensor]);
	const struct cnn_tensor *t = &w->x->net->tensors[tensor];
	size_t n = cnn_pixels(t), c = (size_t)t->c;
	SCOPED(free) double *sum = xcalloc(c, sizeof *sum);
	SCOPED(free) float *row = xmalloc(c * sizeof *row);
	for (size_t i = 0; i < n; i++) {
		const float *pixel = row;
		if (w->x->bf16)
			cnn_from_bf16(row, (const uint16_t *)place(w, tensor) + i * c, c);
		else
			pixel = (const float *)place(w, tensor) + i * c;
		for (size_t k = 0; k < c; k++)
			sum[k] += (double)pixel[k];
	}
	for (size_t k = 0; k < c; k++)
		dst[k] = (float)(sum[k] / (double)n);
}

/* temp = the gradient of the layer's own channels where its ReLU let them through. */
static void mask(struct cnn_work *w, const struct cnn_layer *l)
{
	const struct cnn_tensor *d = &w->x->net->tensors[l->dst];
	const float *g = cnn_grad(w, l->dst) + l->dst_c, *y = (const float *)place(w, l->dst) + l->dst_c;
	float *dst = w->temp;
	for (size_t i = 0; i < cnn_pixels(d); i++, g += d->c, y += d->c, dst += l->c)
		for (int c = 0; c < l->c; c++)
			dst[c] = y[c] > 0 || !l->relu ? g[c] : 0;
}

static void backward_conv(struct cnn_work *w, int i)
{
	const struct cnn *net = w->x->net;
	const struct cnn_layer *l = &net->layers[i];
	const struct cnn_op *op = &w->x->ops[i];
	mask(w, l);
	bool add = adds_gradient(w, i);
	float *dst = cnn_grad(w, l->src), *to = add ? w->temp2 : dst;
	if (op->wino_bwd)
		winograd_run_frozen(op->wino_bwd, to, NULL, w->temp, net->tensors[l->src].c, w->scratch);
	else {
		dnnl_exec_arg_t args[] = { { DNNL_ARG_DIFF_DST, w->d_dst[i] },
			                       { DNNL_ARG_WEIGHTS, op->w_bwd },
			                       { DNNL_ARG_DIFF_SRC, w->d_src[i] },
			                       { DNNL_ARG_SCRATCHPAD, w->scratch_mem } };
		execute(w, op->bwd, 4, args);
	}
	if (!add)
		return;
	for (size_t k = 0, n = cnn_elements(&net->tensors[l->src]); k < n; k++)
		dst[k] += to[k];
}

void cnn_backward(struct cnn_work *w, float *dst)
{
	const struct cnn *net = w->x->net;
	REQUIRE(w->x->backward);
	for (int i = net->n_layers; i-- > 0;) {
		const struct cnn_layer *l = &net->layers[i];
		if (l->kind == CNN_CONV)
			backward_conv(w, i);
		else
			cnn_pool_backward(net, l, cnn_grad(w, l->src), cnn_grad(w, l->dst), place(w, l->src), adds_gradient(w, i));
	}
	memcpy(dst, cnn_grad(w, 0), cnn_elements(&net->tensors[0]) * sizeof *dst);
}
