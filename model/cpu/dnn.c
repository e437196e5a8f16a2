/* dnn.c - see dnn.h. A oneDNN failure here is a wrong shape of ours or a lack of memory: BUG() names the call. */
#include "model/cpu/dnn.h"

#include "model/base/cpu.h"
#include "model/base/cpu_clock.h"
#include "model/base/err.h"
#include "model/base/mem.h"
#include "model/cpu/onednn.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define TRY(call) \
	do { \
		dnnl_status_t status_ = (call); \
		if (status_ != dnnl_success) \
			BUG("%s: oneDNN status %d", #call, (int)status_); \
	} while (0)

struct dnn_conv {
	dnnl_stream_t stream;
	dnnl_primitive_t conv, pack; /* pack: weights to (or from, for the weights gradient) the primitive's own layout */
	dnnl_memory_t x, w, b, y, packed, scratch;
	size_t packed_bytes, scratch_bytes;
	enum dnn_pass pass;
	const char *impl;
};

/* Of the process, as its processors are: made once, by the first convolution, and never freed. */
static dnnl_engine_t engine;
static pthread_once_t started = PTHREAD_ONCE_INIT;

static void start(void)
{
	TRY(dnnl_engine_create(&engine, dnnl_cpu, 0));
}

static onednn_md desc4(int64_t n, int64_t c, int64_t h, int64_t w, dnnl_format_tag_t tag)
{
	onednn_md md;
	TRY(onednn_md_create(&md, 4, (dnnl_dims_t){ n, c, h, w }, dnnl_f32, tag));
	return md;
}

static dnnl_memory_t memory_of(onednn_md_view md)
{
	dnnl_memory_t m;
	TRY(dnnl_memory_create(&m, md, engine, DNNL_MEMORY_NONE));
	return m;
}

/* What oneDNN does until cpu_set_threads(its result) it does on this thread. */
static int alone(void)
{
	int before = cpu_threads();
	cpu_set_threads(1);
	return before;
}

static size_t round64(size_t n)
{
	return (n + 63) / 64 * 64;
}

static dnnl_primitive_t reorder_of(onednn_md_view from, onednn_md_view to)
{
	dnnl_primitive_desc_t pd;
	dnnl_primitive_t p;
	TRY(dnnl_reorder_primitive_desc_create(&pd, from, engine, to, engine, NULL));
	TRY(dnnl_primitive_create(&p, pd));
	TRY(dnnl_primitive_desc_destroy(pd));
	return p;
}

static dnnl_primitive_attr_t make_attr(bool relu)
{
	dnnl_primitive_attr_t attr;
	TRY(dnnl_primitive_attr_create(&attr));
	TRY(dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user));
	if (relu) {
		dnnl_post_ops_t ops;
		TRY(dnnl_post_ops_create(&ops));
		TRY(onednn_append_relu(ops));
		TRY(dnnl_primitive_attr_set_post_ops(attr, ops));
		TRY(dnnl_post_ops_destroy(ops));
	}
	return attr;
}

struct dnn_conv *dnn_conv_new(const struct dnn_shape *s, enum dnn_pass pass, bool bias, bool relu)
{
	(void)pthread_once(&started, start);
	struct dnn_conv *c = xcalloc(1, sizeof *c);
	c->pass = pass;
	TRY(dnnl_stream_create(&c->stream, engine, dnnl_stream_default_flags));
	onednn_md x = desc4(s->n, s->ic, s->h, s->w, dnnl_nhwc), y = desc4(s->n, s->oc, s->oh, s->ow, dnnl_nhwc);
	onednn_md any = desc4(s->oc, s->ic, s->kh, s->kw, dnnl_format_tag_any),
			  oihw = desc4(s->oc, s->ic, s->kh, s->kw, dnnl_oihw), b;
	TRY(onednn_md_create(&b, 1, (dnnl_dims_t){ s->oc }, dnnl_f32, dnnl_a));
	const struct onednn_conv of = {
		.x = x,
		.w = any,
		.b = bias ? b : NULL,
		.y = y,
		.strides = { s->stride, s->stride },
		.pad = { s->pad_h, s->pad_w },
		.pad_end = { (s->oh - 1) * s->stride + s->kh - s->h - s->pad_h,
		             (s->ow - 1) * s->stride + s->kw - s->w - s->pad_w },
	};
	dnnl_primitive_desc_t hint, pd;
	dnnl_primitive_attr_t attr = make_attr(relu && pass == DNN_FORWARD);
	TRY(onednn_conv_forward(&hint, engine, dnnl_forward_training, &of, attr));
	pd = hint;
	if (pass == DNN_BACKWARD_DATA)
		TRY(onednn_conv_backward_data(&pd, engine, &of, hint, attr));
	else if (pass == DNN_BACKWARD_WEIGHTS)
		TRY(onednn_conv_backward_weights(&pd, engine, &of, hint, attr));
	TRY(dnnl_primitive_create(&c->conv, pd));
	TRY(dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &c->impl));

	bool is_grad = pass == DNN_BACKWARD_WEIGHTS;
	onednn_md_view want = dnnl_primitive_desc_query_md(pd, is_grad ? dnnl_query_diff_weights_md : dnnl_query_weights_md,
	                                                   0);
	onednn_md_view pad_md = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
	c->x = memory_of(x);
	c->y = memory_of(y);
	c->b = bias ? memory_of(b) : NULL;
	c->w = memory_of(oihw);
	if (!dnnl_memory_desc_equal(want, oihw)) {
		c->packed = memory_of(want);
		c->packed_bytes = round64(dnnl_memory_desc_get_size(want));
		c->pack = is_grad ? reorder_of(want, oihw) : reorder_of(oihw, want);
	}
	c->scratch = memory_of(pad_md);
	c->scratch_bytes = round64(dnnl_memory_desc_get_size(pad_md));
	if (pd != hint)
		TRY(dnnl_primitive_desc_destroy(hint));
	TRY(dnnl_primitive_desc_destroy(pd));
	TRY(dnnl_primitive_attr_destroy(attr));
	onednn_md made[] = { x, y, any, oihw, b };
	for (size_t i = 0; i < sizeof made / sizeof *made; i++)
		onednn_md_destroy(made[i]);
	return c;
}

void dnn_conv_free(struct dnn_conv *c)
{
	if (!c)
		return;
	dnnl_memory_t all[] = { c->x, c->w, c->b, c->y, c->packed, c->scratch };
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (all[i])
			TRY(dnnl_memory_destroy(all[i]));
	TRY(dnnl_primitive_destroy(c->conv));
	if (c->pack)
		TRY(dnnl_primitive_destroy(c->pack));
	TRY(dnnl_stream_destroy(c->stream));
	free(c);
}

size_t dnn_conv_scratch(const struct dnn_conv *c)
{
	return c->packed_bytes + c->scratch_bytes;
}

const char *dnn_conv_impl(const struct dnn_conv *c)
{
	return c->impl;
}

static void at(dnnl_memory_t m, void *p)
{
	if (m)
		TRY(dnnl_memory_set_data_handle(m, p));
}

static void repack(struct dnn_conv *c, dnnl_memory_t from, dnnl_memory_t to)
{
	dnnl_exec_arg_t args[] = { { DNNL_ARG_FROM, from }, { DNNL_ARG_TO, to } };
	TRY(dnnl_primitive_execute(c->pack, c->stream, 2, args));
}

void dnn_conv_run(struct dnn_conv *c, float *x, float *w, float *b, float *y, void *scratch)
{
	at(c->x, x);
	at(c->w, w);
	at(c->b, b);
	at(c->y, y);
	at(c->packed, scratch);
	at(c->scratch, (char *)scratch + c->packed_bytes);
	dnnl_memory_t weights = c->packed ? c->packed : c->w;
	cpu_clock_team(true);
	if (c->pack && c->pass != DNN_BACKWARD_WEIGHTS)
		repack(c, c->w, c->packed);
	int roles[3][4] = {
		[DNN_FORWARD] = { DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_BIAS, DNNL_ARG_DST },
		[DNN_BACKWARD_DATA] = { DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS, 0, DNNL_ARG_DIFF_DST },
		[DNN_BACKWARD_WEIGHTS] = { DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_BIAS, DNNL_ARG_DIFF_DST },
	};
	const int *role = roles[c->pass];
	dnnl_exec_arg_t args[5] = {
		{ role[0], c->x }, { role[1], weights }, { role[3], c->y }, { DNNL_ARG_SCRATCHPAD, c->scratch }
	};
	int n = 4;
	if (c->b && role[2])
		args[n++] = (dnnl_exec_arg_t){ role[2], c->b };
	TRY(dnnl_primitive_execute(c->conv, c->stream, n, args));
	if (c->pack && c->pass == DNN_BACKWARD_WEIGHTS)
		repack(c, c->packed, c->w);
	TRY(dnnl_stream_wait(c->stream));
	cpu_clock_team(false);
}

void dnn_gemm(enum dnn_stored as, enum dnn_stored bs, int64_t m, int64_t n, int64_t k, float alpha, const float *a,
              int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc)
{
	int before = alone();
	TRY(dnnl_sgemm(as == DNN_TRANSPOSED ? 'T' : 'N', bs == DNN_TRANSPOSED ? 'T' : 'N', m, n, k, alpha, a, lda, b, ldb,
	               beta, c, ldc));
	cpu_set_threads(before);
}

const char *dnn_version(void)
{
	static char text[32];
	const dnnl_version_t *v = dnnl_version();
	(void)snprintf(text, sizeof text, "%d.%d.%d", v->major, v->minor, v->patch);
	return text;
}

const char *dnn_isa(void)
{
	switch (dnnl_get_effective_cpu_isa()) {
	case dnnl_cpu_isa_sse41: return "sse41";
	case dnnl_cpu_isa_avx: return "avx";
	case dnnl_cpu_isa_avx2: return "avx2";
#if DNNL_VERSION_MAJOR < 3
	case dnnl_cpu_isa_avx512_mic: return "avx512_mic";
#else
	case dnnl_cpu_isa_avx2_vnni: return "avx2_vnni";
	case dnnl_cpu_isa_avx2_vnni_2: return "avx2_vnni_2";
	case dnnl_cpu_isa_avx512_core_fp16: return "avx512_core_fp16";
#endif
	case dnnl_cpu_isa_avx512_core: return "avx512_core";
	case dnnl_cpu_isa_avx512_core_vnni: return "avx512_core_vnni";
	case dnnl_cpu_isa_avx512_core_bf16: return "avx512_core_bf16";
	case dnnl_cpu_isa_avx512_core_amx: return "avx512_core_amx";
	default: return "other";
	}
}
