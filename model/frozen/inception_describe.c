/* inception_describe.c - the layers of Inception v3; see inception.h. Names and branch order are torchvision's. */
#include "model/frozen/inception.h"

#include <string.h>

/* One block under construction: convolutions are named BLOCK.BRANCH. */
struct block {
	struct cnn *net;
	const char *name;
	int src;
};

static int conv_to(struct block *b, const char *branch, int src, int dst, int dst_c, int c, int kh, int kw, int stride)
{
	char name[64];
	(void)snprintf(name, sizeof name, "%s.%s", b->name, branch);
	int ph = stride == 1 ? kh / 2 : 0, pw = stride == 1 ? kw / 2 : 0;
	if (dst < 0)
		return cnn_conv(b->net, name, src, c, kh, kw, stride, ph, pw);
	return cnn_conv_into(b->net, name, src, dst, dst_c, c, kh, kw, stride, ph, pw);
}

static int conv(struct block *b, const char *branch, int src, int c, int kh, int kw)
{
	return conv_to(b, branch, src, -1, 0, c, kh, kw, 1);
}

static int average(struct block *b)
{
	return cnn_pool(b->net, CNN_AVG_POOL, b->src, 3, 1, 1, false);
}

/* 35 x 35: 1x1 (64), 5x5 (64), two 3x3 (96), pool (pool_c) */
static int block_35(struct cnn *net, const char *name, int src, int pool_c)
{
	struct block b = { net, name, src };
	int dst = cnn_tensor(net, 64 + 64 + 96 + pool_c, 35, 35);
	conv_to(&b, "branch1x1", src, dst, 0, 64, 1, 1, 1);
	int t = conv(&b, "branch5x5_1", src, 48, 1, 1);
	conv_to(&b, "branch5x5_2", t, dst, 64, 64, 5, 5, 1);
	t = conv(&b, "branch3x3dbl_1", src, 64, 1, 1);
	t = conv(&b, "branch3x3dbl_2", t, 96, 3, 3);
	conv_to(&b, "branch3x3dbl_3", t, dst, 128, 96, 3, 3, 1);
	conv_to(&b, "branch_pool", average(&b), dst, 224, pool_c, 1, 1, 1);
	return dst;
}

/* 35 x 35 -> 17 x 17: 3x3 (384), two 3x3 (96), maximum (288) */
static int block_to_17(struct cnn *net, const char *name, int src)
{
	struct block b = { net, name, src };
	int dst = cnn_tensor(net, 384 + 96 + 288, 17, 17);
	conv_to(&b, "branch3x3", src, dst, 0, 384, 3, 3, 2);
	int t = conv(&b, "branch3x3dbl_1", src, 64, 1, 1);
	t = conv(&b, "branch3x3dbl_2", t, 96, 3, 3);
	conv_to(&b, "branch3x3dbl_3", t, dst, 384, 96, 3, 3, 2);
	cnn_pool_into(net, CNN_MAX_POOL, src, dst, 480, 3, 2, 0);
	return dst;
}

/* 17 x 17: 1x1, 7x7 as 1x7 and 7x1 through c7 channels, the same twice, pool; 192 each */
static int block_17(struct cnn *net, const char *name, int src, int c7)
{
	struct block b = { net, name, src };
	int dst = cnn_tensor(net, 4 * 192, 17, 17);
	conv_to(&b, "branch1x1", src, dst, 0, 192, 1, 1, 1);
	int t = conv(&b, "branch7x7_1", src, c7, 1, 1);
	t = conv(&b, "branch7x7_2", t, c7, 1, 7);
	conv_to(&b, "branch7x7_3", t, dst, 192, 192, 7, 1, 1);
	t = conv(&b, "branch7x7dbl_1", src, c7, 1, 1);
	t = conv(&b, "branch7x7dbl_2", t, c7, 7, 1);
	t = conv(&b, "branch7x7dbl_3", t, c7, 1, 7);
	t = conv(&b, "branch7x7dbl_4", t, c7, 7, 1);
	conv_to(&b, "branch7x7dbl_5", t, dst, 384, 192, 1, 7, 1);
	conv_to(&b, "branch_pool", average(&b), dst, 576, 192, 1, 1, 1);
	return dst;
}

/* 17 x 17 -> 8 x 8: 3x3 (320), 7x7 then 3x3 (192), maximum (768) */
static int block_to_8(struct cnn *net, const char *name, int src)
{
	struct block b = { net, name, src };
	int dst = cnn_tensor(net, 320 + 192 + 768, 8, 8);
	int t = conv(&b, "branch3x3_1", src, 192, 1, 1);
	conv_to(&b, "branch3x3_2", t, dst, 0, 320, 3, 3, 2);
	t = conv(&b, "branch7x7x3_1", src, 192, 1, 1);
	t = conv(&b, "branch7x7x3_2", t, 192, 1, 7);
	t = conv(&b, "branch7x7x3_3", t, 192, 7, 1);
	conv_to(&b, "branch7x7x3_4", t, dst, 320, 192, 3, 3, 2);
	cnn_pool_into(net, CNN_MAX_POOL, src, dst, 512, 3, 2, 0);
	return dst;
}

/* 8 x 8: 1x1 (320), 3x3 split into 1x3 and 3x1 (384 each), two 3x3 with the same split, pool (192) */
static int block_8(struct cnn *net, const char *name, int src, enum cnn_kind pool)
{
	struct block b = { net, name, src };
	int dst = cnn_tensor(net, 2048, 8, 8);
	conv_to(&b, "branch1x1", src, dst, 0, 320, 1, 1, 1);
	int t = conv(&b, "branch3x3_1", src, 384, 1, 1);
	conv_to(&b, "branch3x3_2a", t, dst, 320, 384, 1, 3, 1);
	conv_to(&b, "branch3x3_2b", t, dst, 704, 384, 3, 1, 1);
	t = conv(&b, "branch3x3dbl_1", src, 448, 1, 1);
	t = conv(&b, "branch3x3dbl_2", t, 384, 3, 3);
	conv_to(&b, "branch3x3dbl_3a", t, dst, 1088, 384, 1, 3, 1);
	conv_to(&b, "branch3x3dbl_3b", t, dst, 1472, 384, 3, 1, 1);
	t = cnn_pool(net, pool, src, 3, 1, 1, false);
	conv_to(&b, "branch_pool", t, dst, 1856, 192, 1, 1, 1);
	return dst;
}

void inception_describe(struct cnn *net, struct inception_taps *taps, enum inception_kind kind)
{
	int t = cnn_input(net, 3, INCEPTION_SIDE, INCEPTION_SIDE);
	t = cnn_conv(net, "Conv2d_1a_3x3", t, 32, 3, 3, 2, 0, 0);
	t = cnn_conv(net, "Conv2d_2a_3x3", t, 32, 3, 3, 1, 0, 0);
	t = cnn_conv(net, "Conv2d_2b_3x3", t, 64, 3, 3, 1, 1, 1);
	t = taps->d64 = cnn_pool(net, CNN_MAX_POOL, t, 3, 2, 0, false);
	t = cnn_conv(net, "Conv2d_3b_1x1", t, 80, 1, 1, 1, 0, 0);
	t = cnn_conv(net, "Conv2d_4a_3x3", t, 192, 3, 3, 1, 0, 0);
	t = taps->d192 = cnn_pool(net, CNN_MAX_POOL, t, 3, 2, 0, false);
	t = block_35(net, "Mixed_5b", t, 32);
	t = block_35(net, "Mixed_5c", t, 64);
	t = block_35(net, "Mixed_5d", t, 64);
	t = block_to_17(net, "Mixed_6a", t);
	t = block_17(net, "Mixed_6b", t, 128);
	t = block_17(net, "Mixed_6c", t, 160);
	t = taps->mixed_6d = block_17(net, "Mixed_6d", t, 160);
	t = taps->d768 = block_17(net, "Mixed_6e", t, 192);
	t = block_to_8(net, "Mixed_7a", t);
	t = block_8(net, "Mixed_7b", t, CNN_AVG_POOL);
	taps->d2048 = block_8(net, "Mixed_7c", t, kind == INCEPTION_2015 ? CNN_MAX_POOL : CNN_AVG_POOL);
}

/* Convolution `nth` of the table, or NULL. */
static const struct cnn_layer *nth_conv(const struct cnn *net, int nth)
{
	for (int i = 0; i < net->n_layers; i++)
		if (net->layers[i].kind == CNN_CONV && nth-- == 0)
			return &net->layers[i];
	return NULL;
}

bool inception_weight(const struct cnn *net, int i, char name[96], int *n_dims, int64_t dims[ST_MAX_DIMS])
{
	static const char *const parts[] = { "conv.weight", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var" };
	enum { PARTS = 5, CONVS = 94 };
	if (i >= PARTS * CONVS) {
		bool weight = i == PARTS * CONVS;
		(void)snprintf(name, 96, weight ? "fc.weight" : "fc.bias");
		*n_dims = weight ? 2 : 1;
		dims[0] = INCEPTION_CLASSES;
		dims[1] = 2048;
		return i < PARTS * CONVS + 2;
	}
	const struct cnn_layer *l = nth_conv(net, i / PARTS);
	REQUIRE(l);
	(void)snprintf(name, 96, "%s.%s", l->name, parts[i % PARTS]);
	*n_dims = i % PARTS ? 1 : 4;
	dims[0] = l->c;
	dims[1] = net->tensors[l->src].c;
	dims[2] = l->kh;
	dims[3] = l->kw;
	return true;
}
