/* lpips_nets.c - the backbones of LPIPS as tables (torchvision's AlexNet, VGG16 and SqueezeNet 1.1 up to their last
 * tap), and the names and shapes of their weights. */
#include "model/frozen/lpips.h"

#include <string.h>

static const struct {
	const char *name;
	int n_taps, channels[LPIPS_MAX_TAPS];
	int smallest; /* side of the smallest picture that reaches the last tap */
} nets[LPIPS_N_NETS] = {
	[LPIPS_ALEX] = { "alex", 5, { 64, 192, 384, 256, 256 }, 31 },
	[LPIPS_VGG] = { "vgg", 5, { 64, 128, 256, 512, 512 }, 16 },
	[LPIPS_SQUEEZE] = { "squeeze", 7, { 64, 128, 256, 384, 384, 512, 512 }, 13 },
};

const char *lpips_net_name(enum lpips_net net)
{
	return nets[net].name;
}

int lpips_net_by_name(enum lpips_net *out, const char *name, struct err *e)
{
	for (int i = 0; i < LPIPS_N_NETS; i++)
		if (strcmp(nets[i].name, name) == 0) {
			*out = (enum lpips_net)i;
			return 0;
		}
	return err_code(e, EXIT_USAGE, "no LPIPS network '%s'; known are: alex, vgg, squeeze", name);
}

static int features(struct cnn *net, int n, int src, int c, int k, int stride, int pad)
{
	char name[32];
	(void)snprintf(name, sizeof name, "features.%d", n);
	return cnn_conv(net, name, src, c, k, k, stride, pad, pad);
}

static void alexnet(struct cnn *net, int *taps, int t, enum cnn_kind pool)
{
	t = taps[0] = features(net, 0, t, 64, 11, 4, 2);
	t = cnn_pool(net, pool, t, 3, 2, 0, false);
	t = taps[1] = features(net, 3, t, 192, 5, 1, 2);
	t = cnn_pool(net, pool, t, 3, 2, 0, false);
	t = taps[2] = features(net, 6, t, 384, 3, 1, 1);
	t = taps[3] = features(net, 8, t, 256, 3, 1, 1);
	taps[4] = features(net, 10, t, 256, 3, 1, 1);
}

static void vgg16(struct cnn *net, int *taps, int t, enum cnn_kind pool)
{
	static const int depth[] = { 2, 2, 3, 3, 3 };
	int n = 0;
	for (int block = 0; block < 5; block++) {
		if (block) {
			t = cnn_pool(net, pool, t, 2, 2, 0, false);
			n++;
		}
		for (int i = 0; i < depth[block]; i++, n += 2)
			t = features(net, n, t, nets[LPIPS_VGG].channels[block], 3, 1, 1);
		taps[block] = t;
	}
}

static int fire(struct cnn *net, int n, int src, int squeeze, int expand)
{
	char name[48];
	(void)snprintf(name, sizeof name, "features.%d.squeeze", n);
	int t = cnn_conv(net, name, src, squeeze, 1, 1, 1, 0, 0);
	int dst = cnn_tensor(net, 2 * expand, net->tensors[t].h, net->tensors[t].w);
	(void)snprintf(name, sizeof name, "features.%d.expand1x1", n);
	cnn_conv_into(net, name, t, dst, 0, expand, 1, 1, 1, 0, 0);
	(void)snprintf(name, sizeof name, "features.%d.expand3x3", n);
	return cnn_conv_into(net, name, t, dst, expand, expand, 3, 3, 1, 1, 1);
}

static void squeezenet(struct cnn *net, int *taps, int t, enum cnn_kind pool)
{
	t = taps[0] = features(net, 0, t, 64, 3, 2, 0);
	t = cnn_pool(net, pool, t, 3, 2, 0, true);
	t = fire(net, 3, t, 16, 64);
	t = taps[1] = fire(net, 4, t, 16, 64);
	t = cnn_pool(net, pool, t, 3, 2, 0, true);
	t = fire(net, 6, t, 32, 128);
	t = taps[2] = fire(net, 7, t, 32, 128);
	t = cnn_pool(net, pool, t, 3, 2, 0, true);
	t = taps[3] = fire(net, 9, t, 48, 192);
	t = taps[4] = fire(net, 10, t, 48, 192);
	t = taps[5] = fire(net, 11, t, 64, 256);
	taps[6] = fire(net, 12, t, 64, 256);
}

int lpips_describe(struct cnn *net, int taps[LPIPS_MAX_TAPS], int *n_taps, enum lpips_net kind, int h, int w,
                   bool average, struct err *e)
{
	int least = nets[kind].smallest;
	if (h < least || w < least)
		return err_set(e, "LPIPS %s needs pictures of at least %d x %d, not %d x %d", nets[kind].name, least, least, h,
		               w);
	void (*const describe[])(struct cnn *, int *, int, enum cnn_kind) = { alexnet, vgg16, squeezenet };
	describe[kind](net, taps, cnn_input(net, 3, h, w), average ? CNN_AVG_POOL : CNN_MAX_POOL);
	*n_taps = nets[kind].n_taps;
	return 0;
}

bool lpips_backbone_weight(enum lpips_net kind, int i, char name[96], int *n_dims, int64_t dims[ST_MAX_DIMS])
{
	struct cnn net = { 0 };
	int taps[LPIPS_MAX_TAPS], n, at = 0;
	struct err e = ERR_INIT;
	bool found = false;
	REQUIRE(lpips_describe(&net, taps, &n, kind, 64, 64, false, &e) == 0);
	for (int k = 0; k < net.n_layers && !found; k++) {
		const struct cnn_layer *l = &net.layers[k];
		if (l->kind != CNN_CONV || at++ != i / 2)
			continue;
		found = true;
		(void)snprintf(name, 96, "%s.%s", l->name, i % 2 ? "bias" : "weight");
		*n_dims = i % 2 ? 1 : 4;
		dims[0] = l->c;
		dims[1] = net.tensors[l->src].c;
		dims[2] = l->kh;
		dims[3] = l->kw;
	}
	cnn_release(&net);
	return found;
}

bool lpips_head_weight(enum lpips_net kind, int i, char name[96], int *n_dims, int64_t dims[ST_MAX_DIMS])
{
	if (i >= nets[kind].n_taps)
		return false;
	(void)snprintf(name, 96, "lin%d.model.1.weight", i);
	*n_dims = 4;
	dims[0] = dims[2] = dims[3] = 1;
	dims[1] = nets[kind].channels[i];
	return true;
}
