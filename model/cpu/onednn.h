/* onednn.h - oneDNN's C interface, version 2 (Debian 12) and 3 (since Debian 13): what differs between them, in the
 * shape of the newer. Descriptors of memory are handles that are made and destroyed; a convolution is described and
 * planned in one call. */
#ifndef ABLATE_ONEDNN_H
#define ABLATE_ONEDNN_H

#include <oneapi/dnnl/dnnl.h>
#include <stdlib.h>

#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t onednn_md;
typedef const_dnnl_memory_desc_t onednn_md_view; /* somebody else's */
#else
typedef dnnl_memory_desc_t *onednn_md;
typedef const dnnl_memory_desc_t *onednn_md_view;
#endif

static inline void onednn_md_destroy(onednn_md md) /* accepts NULL */
{
#if DNNL_VERSION_MAJOR >= 3
	if (md)
		(void)dnnl_memory_desc_destroy(md);
#else
	free(md);
#endif
}

/* On failure *out is NULL. */
static inline dnnl_status_t onednn_md_create(onednn_md *out, int n, const dnnl_dims_t dims, dnnl_data_type_t type,
                                             dnnl_format_tag_t tag)
{
	*out = NULL;
#if DNNL_VERSION_MAJOR >= 3
	return dnnl_memory_desc_create_with_tag(out, n, dims, type, tag);
#else
	onednn_md md = malloc(sizeof *md);
	dnnl_status_t status = md ? dnnl_memory_desc_init_by_tag(md, n, dims, type, tag) : dnnl_out_of_memory;
	if (status == dnnl_success)
		*out = md;
	else
		free(md);
	return status;
#endif
}

static inline dnnl_status_t onednn_md_clone(onednn_md *out, onednn_md_view from)
{
	*out = NULL;
#if DNNL_VERSION_MAJOR >= 3
	return dnnl_memory_desc_clone(out, from);
#else
	if (!(*out = malloc(sizeof **out)))
		return dnnl_out_of_memory;
	**out = *from;
	return dnnl_success;
#endif
}

static inline dnnl_status_t onednn_append_relu(dnnl_post_ops_t ops)
{
#if DNNL_VERSION_MAJOR >= 3
	return dnnl_post_ops_append_eltwise(ops, dnnl_eltwise_relu, 0, 0);
#else
	return dnnl_post_ops_append_eltwise(ops, 1, dnnl_eltwise_relu, 0, 0);
#endif
}

/* A convolution's tensors (b NULL: without bias) and where it looks. */
struct onednn_conv {
	onednn_md_view x, w, b, y;
	dnnl_dims_t strides, pad, pad_end;
};

static inline dnnl_status_t onednn_conv_forward(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, dnnl_prop_kind_t kind,
                                                const struct onednn_conv *c, const_dnnl_primitive_attr_t attr)
{
	const dnnl_dims_t dilates = { 0 };
#if DNNL_VERSION_MAJOR >= 3
	return dnnl_convolution_forward_primitive_desc_create(pd, engine, kind, dnnl_convolution_direct, c->x, c->w, c->b,
	                                                      c->y, c->strides, dilates, c->pad, c->pad_end, attr);
#else
	dnnl_convolution_desc_t d;
	dnnl_status_t status = dnnl_dilated_convolution_forward_desc_init(
		&d, kind, dnnl_convolution_direct, c->x, c->w, c->b, c->y, c->strides, dilates, c->pad, c->pad_end);
	return status == dnnl_success ? dnnl_primitive_desc_create(pd, &d, attr, engine, NULL) : status;
#endif
}

/* x and y: the gradients' descriptors. hint: the forward pass's. */
static inline dnnl_status_t onednn_conv_backward_data(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                                      const struct onednn_conv *c, const_dnnl_primitive_desc_t hint,
                                                      const_dnnl_primitive_attr_t attr)
{
	const dnnl_dims_t dilates = { 0 };
#if DNNL_VERSION_MAJOR >= 3
	return dnnl_convolution_backward_data_primitive_desc_create(pd, engine, dnnl_convolution_direct, c->x, c->w, c->y,
	                                                            c->strides, dilates, c->pad, c->pad_end, hint, attr);
#else
	dnnl_convolution_desc_t d;
	dnnl_status_t status = dnnl_dilated_convolution_backward_data_desc_init(
		&d, dnnl_convolution_direct, c->x, c->w, c->y, c->strides, dilates, c->pad, c->pad_end);
	return status == dnnl_success ? dnnl_primitive_desc_create(pd, &d, attr, engine, hint) : status;
#endif
}

static inline dnnl_status_t onednn_conv_backward_weights(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                                         const struct onednn_conv *c, const_dnnl_primitive_desc_t hint,
                                                         const_dnnl_primitive_attr_t attr)
{
	const dnnl_dims_t dilates = { 0 };
#if DNNL_VERSION_MAJOR >= 3
	return dnnl_convolution_backward_weights_primitive_desc_create(pd, engine, dnnl_convolution_direct, c->x, c->w,
	                                                               c->b, c->y, c->strides, dilates, c->pad, c->pad_end,
	                                                               hint, attr);
#else
	dnnl_convolution_desc_t d;
	dnnl_status_t status = dnnl_dilated_convolution_backward_weights_desc_init(
		&d, dnnl_convolution_direct, c->x, c->w, c->b, c->y, c->strides, dilates, c->pad, c->pad_end);
	return status == dnnl_success ? dnnl_primitive_desc_create(pd, &d, attr, engine, hint) : status;
#endif
}

#endif
