/* cnn_exec.c - the CPU back end of cnn.h, opening: primitives, packed weights, the memory plan. Convolutions are for
 * one picture on one thread, NHWC, sums in float: Winograd's ways where they fit (winograd.h), else oneDNN's direct
 * one. Inception's features of CIFAR-10 differ by 7.9e-7 of their size from those of direct sums (2-norm; published
 * weights of Keras); by F(2x2,3x3) alone it would be 7.2e-7. */
#include "model/frozen/cnn_private.h"

#include <omp.h>
#include <stdlib.h>

#define TRY(call, what) \
	do { \
		dnnl_status_t status_ = (call); \
		if (status_ != dnnl_success) \
			return err_set(e, "oneDNN: %s of %s failed (status %d)", what, l->name, (int)status_); \
	} while (0)

bool cnn_bf16_available(void)
{
	return (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core_bf16) == dnnl_cpu_isa_avx512_core_bf16;
}

bool cnn_is_last_reader(const struct cnn *net, int layer)
{
	for (int i = layer + 1; i < net->n_layers; i++)
		if (net->layers[i].src == net->layers[layer].src)
			return false;
	return true;
}

/* ---- memory plan ---- */

struct interval {
	int first, last;
	size_t bytes, offset;
};

static void grow(size_t *max, size_t n)
{
	if (n > *max)
		*max = n;
}

/* Lowest offset at which item i overlaps none of those placed before it that live at the same time. Returns the arena
 * size. */
static size_t plan(struct interval *v, int n)
{
	size_t total = 0;
	for (int i = 0; i < n; i++) {
		v[i].bytes = (v[i].bytes + 63) / 64 * 64;
		bool moved = true;
		v[i].offset = 0;
		while (moved) {
			moved = false;
			for (int j = 0; j < i; j++) {
				bool same_time = v[j].first <= v[i].last && v[i].first <= v[j].last;
				bool same_place = v[j].offset < v[i].offset + v[i].bytes && v[i].offset < v[j].offset + v[j].bytes;
				if (v[j].bytes && same_time && same_place) {
					v[i].offset = v[j].offset + v[j].bytes;
					moved = true;
				}
			}
		}
		grow(&total, v[i].offset + v[i].bytes);
	}
	return total;
}

static void live_ranges(struct interval *v, const struct cnn *net)
{
	for (int t = 0; t < net->n_tensors; t++)
		v[t] = (struct interval){ .first = t == 0 ? 0 : net->n_layers, .last = 0 };
	for (int i = 0; i < net->n_layers; i++) {
		struct interval *s = &v[net->layers[i].src], *d = &v[net->layers[i].dst];
		if (i < d->first)
			d->first = i;
		if (i > s->last)
			s->last = i;
		if (i > d->last)
			d->last = i;
	}
}

static void plan_memory(struct cnn_exec *x)
{
	const struct cnn *net = x->net;
	SCOPED(free) struct interval *v = xcalloc((size_t)net->n_tensors, sizeof *v);
	x->offset = xcalloc((size_t)net->n_tensors, sizeof *x->offset);
	x->grad_offset = xcalloc((size_t)net->n_tensors, sizeof *x->grad_offset);
	live_ranges(v, net);
	for (int t = 0; t < net->n_tensors; t++) {
		v[t].bytes = cnn_elements(&net->tensors[t]) * (x->bf16 ? 2 : 4);
		if (x->keep[t] || x->backward)
			v[t].last = net->n_layers;
		if (x->backward)
			v[t].first = 0;
	}
	x->arena_bytes = plan(v, net->n_tensors);
	for (int t = 0; t < net->n_tensors; t++)
		x->offset[t] = v[t].offset;
	if (!x->backward)
		return;
	/* A gradient lives from the last reader of its tensor down to the first writer; a kept one from the start. */
	live_ranges(v, net);
	for (int t = 0; t < net->n_tensors; t++) {
		v[t].bytes = cnn_elements(&net->tensors[t]) * 4;
		if (x->keep[t])
			v[t].last = net->n_layers;
	}
	x->grad_bytes = plan(v, net->n_tensors);
	for (int t = 0; t < net->n_tensors; t++)
		x->grad_offset[t] = v[t].offset;
}

/* ---- convolutions ---- */

struct conv_shape {
	dnnl_dims_t src, w, dst, bias, stride, pad;
};

static struct conv_shape shape_of(const struct cnn *net, const struct cnn_layer *l)
{
	const struct cnn_tensor *s = &net->tensors[l->src], *d = &net->tensors[l->dst];
	return (struct conv_shape){ .src = { 1, s->c, s->h, s->w },
		                        .w = { l->c, s->c, l->kh, l->kw },
		                        .dst = { 1, l->c, d->h, d->w },
		                        .bias = { l->c },
		                        .stride = { l->stride, l->stride },
		                        .pad = { l->ph, l->pw } };
}

static int attributes(dnnl_primitive_attr_t *out, const struct cnn_layer *l, bool relu, struct err *e)
{
	TRY(dnnl_primitive_attr_create(out), "attributes");
	TRY(dnnl_primitive_attr_set_scratchpad_mode(*out, dnnl_scratchpad_mode_user), "scratchpad mode");
	if (!relu)
		return 0;
	dnnl_post_ops_t ops;
	TRY(dnnl_post_ops_create(&ops), "post-ops");
	dnnl_status_t a = onednn_append_relu(ops);
	dnnl_status_t b = dnnl_primitive_attr_set_post_ops(*out, ops);
	(void)dnnl_post_ops_destroy(ops);
	TRY(a, "ReLU");
	TRY(b, "post-ops");
	return 0;
}

/* Weights from plain OIHW floats into the layout (and type) that a primitive wants. */
static int pack(dnnl_memory_t *out, void **data, struct cnn_exec *x, const struct cnn_layer *l, dnnl_memory_t plain,
                onednn_md_view from, onednn_md_view to, struct err *e)
{
	dnnl_primitive_desc_t pd;
	dnnl_primitive_t reorder;
	dnnl_stream_t stream;
	*data = xaligned(dnnl_memory_desc_get_size(to));
	TRY(dnnl_memory_create(out, to, x->engine, *data), "weight memory");
	TRY(dnnl_reorder_primitive_desc_create(&pd, from, x->engine, to, x->engine, NULL), "weight reorder");
	dnnl_status_t made = dnnl_primitive_create(&reorder, pd);
	(void)dnnl_primitive_desc_destroy(pd);
	TRY(made, "weight reorder");
	TRY(dnnl_stream_create(&stream, x->engine, dnnl_stream_default_flags), "stream");
	dnnl_exec_arg_t args[] = { { DNNL_ARG_FROM, plain }, { DNNL_ARG_TO, *out } };
	dnnl_status_t ran = dnnl_primitive_execute(reorder, stream, 2, args);
	(void)dnnl_stream_wait(stream);
	(void)dnnl_stream_destroy(stream);
	(void)dnnl_primitive_destroy(reorder);
	TRY(ran, "weight reorder");
	return 0;
}

/* What a primitive wants: its weights' layout, made here, and scratch memory. */
struct made {
	onednn_md weights;
	size_t scratch;
};

static int describe(struct made *m, dnnl_primitive_desc_t pd, const struct cnn_layer *l, struct err *e)
{
	TRY(onednn_md_clone(&m->weights, dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0)), "weights");
	m->scratch = dnnl_memory_desc_get_size(dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0));
	return 0;
}

/* The convolution between op's pictures, with weights in any layout. *w and *bias are the caller's to destroy. */
static int describe_conv(struct onednn_conv *c, onednn_md *w, onednn_md *bias, const struct cnn_exec *x,
                         const struct cnn_op *op, const struct cnn_layer *l, struct err *e)
{
	struct conv_shape s = shape_of(x->net, l);
	TRY(onednn_md_create(w, 4, s.w, x->bf16 ? dnnl_bf16 : dnnl_f32, dnnl_format_tag_any), "weights");
	TRY(onednn_md_create(bias, 1, s.bias, dnnl_f32, dnnl_a), "bias");
	*c = (struct onednn_conv){ .x = op->src,
		                       .w = *w,
		                       .b = *bias,
		                       .y = op->dst,
		                       .strides = { s.stride[0], s.stride[1] },
		                       .pad = { s.pad[0], s.pad[1] },
		                       .pad_end = { s.pad[0], s.pad[1] } };
	return 0;
}

static int plan_forward(dnnl_primitive_desc_t *pd, struct cnn_exec *x, struct cnn_op *op, const struct cnn_layer *l,
                        const struct onednn_conv *c, struct err *e)
{
	dnnl_primitive_attr_t attr = NULL;
	if (attributes(&attr, l, l->relu, e))
		return -1;
	dnnl_status_t made = onednn_conv_forward(pd, x->engine, dnnl_forward_inference, c, attr);
	(void)dnnl_primitive_attr_destroy(attr);
	TRY(made, "convolution");
	TRY(dnnl_memory_create(&op->bias, c->b, x->engine, op->bias_data), "bias memory");
	return 0;
}

static int make_forward(struct made *m, dnnl_primitive_desc_t *pd, struct cnn_exec *x, struct cnn_op *op,
                        const struct cnn_layer *l, struct err *e)
{
	struct conv_shape s = shape_of(x->net, l);
	dnnl_data_type_t type = x->bf16 ? dnnl_bf16 : dnnl_f32;
	struct onednn_conv c;
	onednn_md w = NULL, bias = NULL;
	TRY(onednn_md_create(&op->src, 4, s.src, type, dnnl_nhwc), "source");
	TRY(onednn_md_create(&op->dst, 4, s.dst, type, dnnl_nhwc), "destination");
	int rc = describe_conv(&c, &w, &bias, x, op, l, e) || plan_forward(pd, x, op, l, &c, e) || describe(m, *pd, l, e)
	             ? -1
	             : 0;
	onednn_md_destroy(w);
	onednn_md_destroy(bias);
	if (rc)
		return -1;
	TRY(dnnl_primitive_create(&op->fwd, *pd), "convolution");
	return 0;
}

static int plan_backward(dnnl_primitive_desc_t *pd, struct cnn_exec *x, const struct cnn_layer *l,
                         const struct onednn_conv *c, dnnl_primitive_desc_t hint, struct err *e)
{
	dnnl_primitive_attr_t attr = NULL;
	if (attributes(&attr, l, false, e))
		return -1;
	dnnl_status_t made = onednn_conv_backward_data(pd, x->engine, c, hint, attr);
	(void)dnnl_primitive_attr_destroy(attr);
	TRY(made, "backward convolution");
	return 0;
}

static int make_backward(struct made *m, struct cnn_exec *x, struct cnn_op *op, const struct cnn_layer *l,
                         dnnl_primitive_desc_t hint, struct err *e)
{
	struct onednn_conv c;
	onednn_md w = NULL, bias = NULL;
	dnnl_primitive_desc_t pd = NULL;
	int rc = describe_conv(&c, &w, &bias, x, op, l, e) || plan_backward(&pd, x, l, &c, hint, e) || describe(m, pd, l, e)
	             ? -1
	             : 0;
	onednn_md_destroy(w);
	onednn_md_destroy(bias);
	dnnl_status_t made = rc ? dnnl_success : dnnl_primitive_create(&op->bwd, pd);
	if (pd)
		(void)dnnl_primitive_desc_destroy(pd);
	TRY(made, "backward convolution");
	return rc;
}

static int pack_weights(struct cnn_exec *x, struct cnn_op *op, const struct cnn_layer *l, float *plain,
                        const struct made *fwd, const struct made *bwd, struct err *e)
{
	struct conv_shape s = shape_of(x->net, l);
	onednn_md md;
	dnnl_memory_t from = NULL;
	TRY(onednn_md_create(&md, 4, s.w, dnnl_f32, dnnl_oihw), "weights");
	dnnl_status_t made = dnnl_memory_create(&from, md, x->engine, plain);
	int rc = made == dnnl_success ? pack(&op->w_fwd, &op->w_fwd_data, x, l, from, md, fwd->weights, e) : 0;
	if (made == dnnl_success && rc == 0 && x->backward)
		rc = pack(&op->w_bwd, &op->w_bwd_data, x, l, from, md, bwd->weights, e);
	if (from)
		(void)dnnl_memory_destroy(from);
	onednn_md_destroy(md);
	TRY(made, "weight memory");
	return rc;
}

/* Both passes, or neither. */
static bool open_winograd(struct cnn_exec *x, struct cnn_op *op, const struct cnn_layer *l, const float *plain,
                          size_t *scratch)
{
	const struct cnn_tensor *in = &x->net->tensors[l->src], *out = &x->net->tensors[l->dst];
	struct dnn_shape s = { .n = 1,
		                   .h = in->h,
		                   .w = in->w,
		                   .ic = in->c,
		                   .oc = l->c,
		                   .kh = l->kh,
		                   .kw = l->kw,
		                   .oh = out->h,
		                   .ow = out->w,
		                   .stride = l->stride,
		                   .pad_h = l->ph,
		                   .pad_w = l->pw };
	op->wino_fwd = x->bf16 ? NULL : winograd_new_frozen(&s, DNN_FORWARD, l->relu, plain);
	if (!op->wino_fwd)
		return false;
	grow(scratch, winograd_scratch(op->wino_fwd));
	if (x->backward) {
		op->wino_bwd = winograd_new_frozen(&s, DNN_BACKWARD_DATA, false, plain);
		grow(scratch, winograd_scratch(op->wino_bwd));
	}
	return true;
}

static int open_conv(struct cnn_exec *x, int i, cnn_load *load, void *ctx, size_t *scratch, struct err *e)
{
	const struct cnn_layer *l = &x->net->layers[i];
	struct cnn_op *op = &x->ops[i];
	int c_in = x->net->tensors[l->src].c;
	SCOPED(free) float *plain = xaligned((size_t)l->c * (size_t)c_in * (size_t)(l->kh * l->kw) * sizeof *plain);
	op->bias_data = xaligned((size_t)l->c * sizeof(float));
	if (load(ctx, l, c_in, plain, op->bias_data, e))
		return -1;
	if (open_winograd(x, op, l, plain, scratch))
		return 0;
	struct made fwd = { 0 }, bwd = { 0 };
	dnnl_primitive_desc_t pd = NULL;
	int rc = make_forward(&fwd, &pd, x, op, l, e);
	if (rc == 0 && x->backward)
		rc = make_backward(&bwd, x, op, l, pd, e);
	if (pd)
		(void)dnnl_primitive_desc_destroy(pd);
	grow(scratch, fwd.scratch);
	grow(scratch, bwd.scratch);
	rc = rc ? rc : pack_weights(x, op, l, plain, &fwd, &bwd, e);
	onednn_md_destroy(fwd.weights);
	onednn_md_destroy(bwd.weights);
	return rc;
}

/* Layers are opened by several threads; inside a parallel region oneDNN plans each primitive for one thread, which is
 * how they are run. The error of the first failing layer is reported, whichever thread met it. */
static int open_convs(struct cnn_exec *x, cnn_load *load, void *ctx, struct err *e)
{
	int n = x->net->n_layers, failed = n, threads = omp_get_max_threads();
	size_t scratch = 0;
	threads = threads < 2 ? 2 : threads; /* a region of one thread is not parallel */
#pragma omp parallel for schedule(dynamic) num_threads(threads) reduction(max : scratch)
	for (int i = 0; i < n; i++) {
		struct err mine = ERR_INIT;
		if (x->net->layers[i].kind == CNN_CONV && open_conv(x, i, load, ctx, &scratch, &mine)) {
#pragma omp critical(cnn_open_failed)
			if (i < failed) {
				failed = i;
				if (e)
					*e = mine;
			}
		}
	}
	x->scratch_bytes = scratch;
	return failed < n ? -1 : 0;
}

static void plan_temporaries(struct cnn_exec *x)
{
	for (int i = 0; i < x->net->n_layers; i++) {
		const struct cnn_layer *l = &x->net->layers[i];
		size_t bytes = (size_t)l->c * cnn_pixels(&x->net->tensors[l->dst]) * (x->bf16 ? 2 : 4);
		if (l->kind == CNN_CONV && (cnn_is_slice(x->net, l) || x->backward))
			grow(&x->temp_bytes, bytes);
		if (l->kind == CNN_CONV && x->backward)
			grow(&x->temp2_bytes, cnn_elements(&x->net->tensors[l->src]) * 4);
	}
}

int cnn_exec_open(struct cnn_exec **out, const struct cnn *net, cnn_load *load, void *ctx, const struct cnn_options *o,
                  struct err *e)
{
	REQUIRE(!(o->bf16 && o->backward));
	if (o->bf16 && !cnn_bf16_available())
		return err_set(e, "bf16 features: this processor has no avx512_bf16; use fp32");
	struct cnn_exec *x = xcalloc(1, sizeof *x);
	x->net = net;
	x->bf16 = o->bf16;
	x->backward = o->backward;
	x->ops = xcalloc((size_t)net->n_layers, sizeof *x->ops);
	x->keep = xcalloc((size_t)net->n_tensors, sizeof *x->keep);
	for (int i = 0; i < o->n_keep; i++)
		x->keep[o->keep[i]] = true;
	plan_memory(x);
	plan_temporaries(x);
	int rc = dnnl_engine_create(&x->engine, dnnl_cpu, 0) == dnnl_success ? open_convs(x, load, ctx, e)
	                                                                     : err_set(e, "oneDNN: no CPU engine");
	if (rc) {
		cnn_exec_free(x);
		return -1;
	}
	*out = x;
	return 0;
}

static void free_op(struct cnn_op *op)
{
	dnnl_memory_t memories[] = { op->w_fwd, op->w_bwd, op->bias };
	dnnl_primitive_t primitives[] = { op->fwd, op->bwd };
	for (size_t i = 0; i < 3; i++)
		if (memories[i])
			(void)dnnl_memory_destroy(memories[i]);
	for (size_t i = 0; i < 2; i++)
		if (primitives[i])
			(void)dnnl_primitive_destroy(primitives[i]);
	onednn_md_destroy(op->src);
	onednn_md_destroy(op->dst);
	winograd_free(op->wino_fwd);
	winograd_free(op->wino_bwd);
	free(op->w_fwd_data);
	free(op->w_bwd_data);
	free(op->bias_data);
}

void cnn_exec_free(struct cnn_exec *x)
{
	if (!x)
		return;
	for (int i = 0; i < x->net->n_layers; i++)
		free_op(&x->ops[i]);
	if (x->engine)
		(void)dnnl_engine_destroy(x->engine);
	free(x->ops);
	free(x->keep);
	free(x->offset);
	free(x->grad_offset);
	free(x);
}
