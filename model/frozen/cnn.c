/* cnn.c - the description half of cnn.h: tensors and layers as tables. */
#include "model/frozen/cnn.h"

#include <stdlib.h>

int cnn_tensor(struct cnn *net, int c, int h, int w)
{
	if (c < 1 || h < 1 || w < 1)
		BUG("tensor %d: %d x %d x %d", net->n_tensors, h, w, c);
	VEC_PUSH(net->tensors, net->n_tensors, net->cap_tensors) = (struct cnn_tensor){ c, h, w };
	return net->n_tensors - 1;
}

int cnn_input(struct cnn *net, int c, int h, int w)
{
	REQUIRE(net->n_tensors == 0);
	return cnn_tensor(net, c, h, w);
}

static int out_size(int n, int k, int stride, int pad, bool ceil)
{
	int room = n + 2 * pad - k;
	return (ceil ? (room + stride - 1) / stride : room / stride) + 1;
}

static void add_layer(struct cnn *net, struct cnn_layer l)
{
	const struct cnn_tensor *s = &net->tensors[l.src], *d = &net->tensors[l.dst];
	if (out_size(s->h, l.kh, l.stride, l.ph, l.ceil) != d->h || out_size(s->w, l.kw, l.stride, l.pw, l.ceil) != d->w ||
	    l.dst_c + l.c > d->c)
		BUG("layer %d (%s): %d x %d does not become %d x %d, or channels %d..%d of %d", net->n_layers,
		    l.name ? l.name : "pool", s->h, s->w, d->h, d->w, l.dst_c, l.dst_c + l.c, d->c);
	VEC_PUSH(net->layers, net->n_layers, net->cap_layers) = l;
}

int cnn_conv_into(struct cnn *net, const char *name, int src, int dst, int dst_c, int c, int kh, int kw, int stride,
                  int ph, int pw)
{
	add_layer(net, (struct cnn_layer){ .kind = CNN_CONV,
	                                   .name = arena_strdup(&net->names, name),
	                                   .src = src,
	                                   .dst = dst,
	                                   .dst_c = dst_c,
	                                   .c = c,
	                                   .kh = kh,
	                                   .kw = kw,
	                                   .stride = stride,
	                                   .ph = ph,
	                                   .pw = pw,
	                                   .relu = true });
	return dst;
}

int cnn_conv(struct cnn *net, const char *name, int src, int c, int kh, int kw, int stride, int ph, int pw)
{
	struct cnn_tensor s = net->tensors[src];
	int dst = cnn_tensor(net, c, out_size(s.h, kh, stride, ph, false), out_size(s.w, kw, stride, pw, false));
	return cnn_conv_into(net, name, src, dst, 0, c, kh, kw, stride, ph, pw);
}

static struct cnn_layer pool(enum cnn_kind kind, int src, int dst, int dst_c, int c, int k, int stride, int pad,
                             bool ceil)
{
	return (struct cnn_layer){ .kind = kind,
		                       .src = src,
		                       .dst = dst,
		                       .dst_c = dst_c,
		                       .c = c,
		                       .kh = k,
		                       .kw = k,
		                       .stride = stride,
		                       .ph = pad,
		                       .pw = pad,
		                       .ceil = ceil };
}

int cnn_pool(struct cnn *net, enum cnn_kind kind, int src, int k, int stride, int pad, bool ceil)
{
	struct cnn_tensor s = net->tensors[src];
	int dst = cnn_tensor(net, s.c, out_size(s.h, k, stride, pad, ceil), out_size(s.w, k, stride, pad, ceil));
	add_layer(net, pool(kind, src, dst, 0, s.c, k, stride, pad, ceil));
	return dst;
}

void cnn_pool_into(struct cnn *net, enum cnn_kind kind, int src, int dst, int dst_c, int k, int stride, int pad)
{
	add_layer(net, pool(kind, src, dst, dst_c, net->tensors[src].c, k, stride, pad, false));
}

void cnn_release(struct cnn *net)
{
	free(net->tensors);
	free(net->layers);
	arena_release(&net->names);
	*net = (struct cnn){ 0 };
}

double cnn_flops(const struct cnn *net)
{
	double sum = 0;
	for (int i = 0; i < net->n_layers; i++) {
		const struct cnn_layer *l = &net->layers[i];
		const struct cnn_tensor *s = &net->tensors[l->src], *d = &net->tensors[l->dst];
		if (l->kind == CNN_CONV)
			sum += 2.0 * s->c * l->kh * l->kw * l->c * d->h * d->w;
	}
	return sum;
}
