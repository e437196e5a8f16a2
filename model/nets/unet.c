/* unet.c - DDPM++ and NCSN++ (SongUNet) and ADM (DhariwalUNet), as model/README.md, "Networks",
 * describes them.
 *
 * One walk over the architecture serves all jobs: with a graph it records the forward pass, without one it lists the
 * parameters or only looks at the widths. So a name, a shape and its use cannot diverge. */
#include "model/nets/net.h"

#include "model/base/mem.h"
#include "model/data/shapes.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* The walk. `value` is a tensor while recording, and its channels and side while listing. */
struct value {
	struct tensor *t;
	int c, h, w;
};

struct walk {
	const struct net_spec *s; /* NULL for a block on its own */
	struct block_style style;
	struct params *list; /* listing */
	struct graph *g;     /* recording ... */
	const struct params *p;
	enum store store;
	const struct net_inputs *in;
	struct value emb; /* silu'd embedding, E channels */
	int dropouts, emb_c;
	struct net_layer *layer; /* listing: looks for number layer_at of the dropout layers, or NULL */
	int layer_at;
	bool checking, refused; /* neither lists nor records */
	struct err *refusal;    /* or NULL */
};

/* Only the first is reported. */
static void refuse_unless(struct walk *k, bool fits, const char *layer, int channels, const char *why)
{
	if (fits || !k->checking || k->refused)
		return;
	k->refused = true;
	(void)err_code(k->refusal, EXIT_USAGE, "net.channels = %d cannot be built: %s would have %d channels, %s",
	               k->s->channels, layer, channels, why);
}

static bool is_adm(const struct walk *k)
{
	return k->s && k->s->kind == NET_ADM;
}

/* The name of a block's part: "enc.8x8_down" and "conv0" make "enc.8x8_down.conv0"; a block on its own has no name. */
static char *join(const char *block, const char *part)
{
	return *block ? xstrfmt("%s.%s", block, part) : xstrdup(part);
}

/* ---- parameters ------------------------------------------------------------------------------ */

static struct tensor *parameter(struct walk *k, const char *name, int ndim, const int64_t *dims, enum init_kind init,
                                double scale, int64_t fan_in, int64_t fan_out)
{
	if (k->checking)
		return NULL;
	if (k->list) {
		(void)params_add(k->list, name, ndim, dims, init, scale, fan_in, fan_out);
		return NULL;
	}
	const struct param *q = params_find(k->p, name);
	REQUIRE(q);
	if (ndim == 1)
		return graph_param(k->g, name, k->store, q->at, 1, 1, 1, dims[0]);
	struct tensor *t = graph_param(k->g, name, k->store, q->at, dims[0], dims[1], ndim == 4 ? dims[2] : 1,
	                               ndim == 4 ? dims[3] : 1);
	return t;
}

/* A convolution (kernel > 0) or linear layer (kernel = 0): weight and bias in state-dict order. */
static void conv_params(struct walk *k, struct tensor **w, struct tensor **b, const char *name, int in, int out,
                        int kernel, double scale)
{
	SCOPED(free) char *wn = xstrfmt("%s.weight", name), *bn = xstrfmt("%s.bias", name);
	int64_t area = kernel ? (int64_t)kernel * kernel : 1, fan_in = in * area, fan_out = out * area;
	enum init_kind init = is_adm(k) ? INIT_TORCH : INIT_XAVIER;
	if (is_adm(k) && scale == 0)
		init = INIT_ZERO;
	*w = parameter(k, wn, kernel ? 4 : 2, (int64_t[]){ out, in, kernel, kernel }, init, scale, fan_in, fan_out);
	*b = parameter(k, bn, 1, (int64_t[]){ out }, init == INIT_TORCH ? INIT_TORCH : INIT_ZERO, 1, fan_in, fan_out);
}

/* How much smaller than usual the last layer of a branch starts: 1e-5 in SongUNet, zero in DhariwalUNet. */
static double init_zero(const struct walk *k)
{
	return is_adm(k) ? 0 : 1e-5;
}

static struct value conv(struct walk *k, const char *name, struct value x, int out, int kernel, double scale)
{
	struct tensor *w, *b;
	conv_params(k, &w, &b, name, x.c, out, kernel, scale);
	struct value y = { .c = out, .h = x.h, .w = x.w };
	if (k->g)
		y.t = graph_conv2d(k->g, x.t, w, b, 1, kernel / 2, kernel / 2, false);
	return y;
}

static struct value linear(struct walk *k, const char *name, struct value x, int out)
{
	struct tensor *w, *b;
	conv_params(k, &w, &b, name, x.c, out, 0, 1);
	struct value y = { .c = out, .h = 1, .w = 1 };
	if (k->g)
		y.t = graph_conv2d(k->g, x.t, w, b, 1, 0, 0, false);
	return y;
}

/* A linear layer without bias. */
static struct value matrix(struct walk *k, const char *name, struct value x, int out, enum init_kind init)
{
	SCOPED(free) char *wn = xstrfmt("%s.weight", name);
	struct tensor *w = parameter(k, wn, 2, (int64_t[]){ out, x.c }, init, 1, x.c, out);
	struct value y = { .c = out, .h = 1, .w = 1 };
	if (k->g)
		y.t = graph_conv2d(k->g, x.t, w, NULL, 1, 0, 0, false);
	return y;
}

static struct value norm(struct walk *k, const char *name, struct value x, struct value e, struct norm_args how)
{
	SCOPED(free) char *wn = xstrfmt("%s.weight", name), *bn = xstrfmt("%s.bias", name);
	struct tensor *w = parameter(k, wn, 1, (int64_t[]){ x.c }, INIT_ONE, 1, x.c, x.c);
	struct tensor *b = parameter(k, bn, 1, (int64_t[]){ x.c }, INIT_ZERO, 1, x.c, x.c);
	how.groups = x.c / 4 < 32 ? x.c / 4 : 32;
	if (how.groups < 1)
		how.groups = 1;
	how.eps = k->style.eps;
	refuse_unless(k, x.c % how.groups == 0, name, x.c,
	              "not a multiple of the groups of its normalisation, a quarter of the channels and at most 32");
	if (k->g)
		x.t = graph_groupnorm(k->g, x.t, w, b, e.t, how);
	return x;
}

/* ---- pieces without parameters --------------------------------------------------------------- */

static struct value resample(struct walk *k, struct value x, bool up)
{
	if (k->g)
		x.t = graph_resample(k->g, x.t, up, k->style.taps, -1);
	x.h = up ? x.h * 2 : x.h / 2;
	x.w = up ? x.w * 2 : x.w / 2;
	return x;
}

static struct value add(struct walk *k, struct value a, struct value b, double s)
{
	if (k->g)
		a.t = graph_add_scaled(k->g, a.t, b.t, s);
	return a;
}

static struct value concat(struct walk *k, struct value a, struct value b)
{
	if (k->g)
		a.t = graph_concat(k->g, a.t, b.t);
	a.c += b.c;
	return a;
}

/* A norm whose result drops out: by itself, or by a mask that is given. */
static struct value dropped_norm(struct walk *k, const char *block, const char *name, struct value x, struct value e,
                                 struct norm_args how)
{
	int layer = k->dropouts++;
	if (k->layer && layer == k->layer_at) {
		*k->layer = (struct net_layer){ .h = x.h, .w = x.w, .c = x.c };
		(void)snprintf(k->layer->block, sizeof k->layer->block, "%s", block);
	}
	bool on = k->g && k->in && k->in->train, given = on && k->in->masks;
	if (on && !given)
		how.drop = (struct drop){ k->s->dropout, k->in->first_layer + (uint32_t)layer };
	x = norm(k, name, x, e, how);
	REQUIRE(!given || layer < k->in->n_masks);
	if (given)
		x.t = graph_dropout(k->g, x.t, k->in->masks[layer]);
	return x;
}

/* ---- the block ------------------------------------------------------------------------------- */

static struct value attention(struct walk *k, const char *name, struct value x, int heads)
{
	SCOPED(free) char *norm2 = join(name, "norm2"), *qkv = join(name, "qkv"), *proj = join(name, "proj");
	struct value a = norm(k, norm2, x, (struct value){ 0 }, (struct norm_args){ .mode = NORM_PLAIN });
	a = conv(k, qkv, a, 3 * x.c, 1, is_adm(k) ? 1 : sqrt(0.2));
	refuse_unless(k, x.c % heads == 0, name, x.c, "not a multiple of its heads of attention, one for every 64");
	if (k->g)
		a.t = graph_attention(k->g, a.t, heads);
	a.c = x.c;
	a = conv(k, proj, a, x.c, 1, init_zero(k));
	return add(k, a, x, k->style.skip_scale);
}

/* A block that resamples counts as one of the level that it leaves. */
static bool drops_out(const struct walk *k, struct value entering)
{
	return !k->s || !k->s->dropout_at || entering.h <= k->s->dropout_at;
}

static struct value block_of(struct walk *k, const char *name, struct value x, int out, enum resampling how, int heads)
{
	SCOPED(free) char *norm0 = join(name, "norm0"), *conv0 = join(name, "conv0"), *affine = join(name, "affine");
	SCOPED(free) char *norm1 = join(name, "norm1"), *conv1 = join(name, "conv1"), *skip = join(name, "skip");
	struct value h = norm(k, norm0, x, (struct value){ 0 }, (struct norm_args){ .silu = true });
	if (how != SAME)
		h = resample(k, h, how == UP);
	h = conv(k, conv0, h, out, 3, 1);
	struct value e = linear(k, affine, k->emb, k->style.adaptive ? 2 * out : out);
	struct norm_args second = { .silu = true, .mode = k->style.adaptive ? NORM_SCALE_SHIFT : NORM_ADD };
	h = drops_out(k, x) ? dropped_norm(k, name, norm1, h, e, second) : norm(k, norm1, h, e, second);
	h = conv(k, conv1, h, out, 3, init_zero(k));
	struct value orig = x;
	if (how != SAME)
		orig = resample(k, orig, how == UP);
	if (out != x.c || (how != SAME && k->style.resample_proj))
		orig = conv(k, skip, orig, out, 1, 1);
	h = add(k, h, orig, k->style.skip_scale);
	return heads > 0 ? attention(k, name, h, heads) : h;
}

/* A block of a network: one head in SongUNet, 64 channels a head in DhariwalUNet. */
static struct value block(struct walk *k, const char *name, struct value x, int out, enum resampling how, bool attend)
{
	int heads = is_adm(k) ? out / 64 : 1;
	return block_of(k, name, x, out, how, attend ? heads : 0);
}

/* NCSN++'s auxiliary image: 3x3 convolution padded by 2 more, then the filter with stride 2 and no padding. */
static struct value aux_down(struct walk *k, const char *name, struct value aux, int out)
{
	struct tensor *w, *b;
	conv_params(k, &w, &b, name, aux.c, out, 3, 1);
	struct value y = { .c = out, .h = aux.h / 2, .w = aux.w / 2 };
	int pad = (k->style.taps - 1) / 2;
	if (k->g) /* the filter sees no border and its taps sum to 1, so a bias added before it is one added after it */
		y.t = graph_resample(k->g, graph_conv2d(k->g, aux.t, w, b, 1, 1 + pad, 1 + pad, false), false, k->style.taps,
		                     0);
	return y;
}

/* ---- the embedding --------------------------------------------------------------------------- */

static struct value activation(struct walk *k, struct value x)
{
	if (k->g)
		x.t = graph_silu(k->g, x.t);
	return x;
}

/* The waves of the noise level, and of how far the answer leads where there is such: both have the same frequencies. */
static void noise_embedding(struct value out[2], struct walk *k, int c)
{
	bool song = !is_adm(k);
	struct tensor *freqs = NULL;
	refuse_unless(k, c % 2 == 0 && (c > 2 || !song || k->s->fourier), "the noise embedding", c,
	              "not an even number, or too few for two waves");
	if (k->s->fourier)
		freqs = parameter(k, "map_noise.freqs", 1, (int64_t[]){ c / 2 }, INIT_NOISE_FREQS, k->s->fourier_scale, 0, 0);
	REQUIRE(!k->g || !k->s->second_time || k->in->c_gap);
	for (int i = 0; i <= k->s->second_time; i++) {
		out[i] = (struct value){ .c = c, .h = 1, .w = 1 };
		if (k->g)
			out[i].t = graph_embed(k->g, i ? k->in->c_gap : k->in->c_noise, freqs, c,
			                       (struct embed_args){ .endpoint = song, .sin_first = song });
	}
}

/* One-hot rows: SongUNet scales them up, DhariwalUNet starts from N(0,1) instead. */
static struct value label_embedding(struct walk *k, int out)
{
	struct value l = { .c = k->s->classes, .h = 1, .w = 1 };
	if (k->g)
		l.t = is_adm(k) ? k->in->labels : graph_scale(k->g, k->in->labels, sqrt((double)k->s->classes));
	return is_adm(k) ? matrix(k, "map_label", l, out, INIT_NORMAL) : linear(k, "map_label", l, out);
}

static struct value augment_embedding(struct walk *k, int out)
{
	struct value a = { .t = k->in ? k->in->augment : NULL, .c = k->s->augment, .h = 1, .w = 1 };
	if (k->g && !a.t) /* built for augmentation, run without: nothing is added */
		return (struct value){ .c = out, .h = 1, .w = 1 };
	return matrix(k, "map_augment", a, out, is_adm(k) ? INIT_ZERO : INIT_XAVIER);
}

static struct value add_given(struct walk *k, struct value e, struct value more)
{
	return k->g && !more.t ? e : add(k, e, more, 1);
}

/* The weight of the loss at this noise level; zero at first. */
static void weight_head(struct walk *k, struct value e)
{
	struct tensor *w, *b;
	if (k->g && !k->in->weight)
		return;
	conv_params(k, &w, &b, "map_weight", e.c, 1, 0, 0);
	if (k->g)
		*k->in->weight = graph_conv2d(k->g, e.t, w, b, 1, 0, 0, false);
}

static void embedding(struct walk *k)
{
	const struct net_spec *s = k->s;
	int mc = s->channels, z = is_adm(k) ? mc : mc * s->noise_mult;
	k->emb_c = mc * s->emb_mult;
	struct value waves[2], e;
	noise_embedding(waves, k, z);
	if (s->weight_head)
		weight_head(k, waves[0]);
	e = s->second_time ? concat(k, waves[0], waves[1]) : waves[0];
	if (s->classes && !is_adm(k))
		e = add(k, e, label_embedding(k, e.c), 1);
	if (s->augment)
		e = add_given(k, e, augment_embedding(k, e.c));
	e = activation(k, linear(k, "map_layer0", e, k->emb_c));
	e = linear(k, "map_layer1", e, k->emb_c);
	if (s->classes && is_adm(k))
		e = add(k, e, label_embedding(k, k->emb_c), 1);
	k->emb = activation(k, e);
}

/* ---- encoder and decoder --------------------------------------------------------------------- */

static bool attends(const struct net_spec *s, int side)
{
	for (int i = 0; i < s->n_attn; i++)
		if (s->attn[i] == side)
			return true;
	return false;
}

enum { MAX_SKIPS = NET_LEVELS_MAX * 70 };

static struct value unet(struct walk *k, struct value image)
{
	const struct net_spec *s = k->s;
	struct value skips[MAX_SKIPS], x = image, aux = image;
	int n = 0, mc = s->channels;
	for (int l = 0; l < s->n_mult; l++) {
		int side = s->h >> l;
		SCOPED(free) char *at = xstrfmt("enc.%dx%d", side, side);
		if (l == 0) {
			SCOPED(free) char *name = xstrfmt("%s_conv", at);
			x = conv(k, name, x, is_adm(k) ? mc * s->mult[0] : mc, 3, 1);
			skips[n++] = x;
		} else {
			SCOPED(free) char *name = xstrfmt("%s_down", at);
			x = block(k, name, x, x.c, DOWN, false);
			skips[n++] = x;
			if (s->residual) {
				SCOPED(free) char *aux_name = xstrfmt("%s_aux_residual", at);
				x = aux = add(k, x, aux_down(k, aux_name, aux, x.c), sqrt(0.5));
				skips[n - 1] = x;
			}
		}
		for (int i = 0; i < s->blocks; i++) {
			SCOPED(free) char *name = xstrfmt("%s_block%d", at, i);
			x = block(k, name, x, mc * s->mult[l], SAME, attends(s, side));
			skips[n++] = x;
		}
	}
	for (int l = s->n_mult - 1; l >= 0; l--) {
		int side = s->h >> l;
		SCOPED(free) char *at = xstrfmt("dec.%dx%d", side, side);
		if (l == s->n_mult - 1) {
			SCOPED(free) char *in0 = xstrfmt("%s_in0", at), *in1 = xstrfmt("%s_in1", at);
			x = block(k, in0, x, x.c, SAME, true);
			x = block(k, in1, x, x.c, SAME, false);
		} else {
			SCOPED(free) char *name = xstrfmt("%s_up", at);
			x = block(k, name, x, x.c, UP, false);
		}
		for (int i = 0; i <= s->blocks; i++) {
			SCOPED(free) char *name = xstrfmt("%s_block%d", at, i);
			x = concat(k, x, skips[--n]);
			x = block(k, name, x, mc * s->mult[l], SAME, attends(s, side) && (is_adm(k) || i == s->blocks));
		}
	}
	SCOPED(free) char *last_norm = is_adm(k) ? xstrdup("out_norm") : xstrfmt("dec.%dx%d_aux_norm", s->h, s->h);
	SCOPED(free) char *last_conv = is_adm(k) ? xstrdup("out_conv") : xstrfmt("dec.%dx%d_aux_conv", s->h, s->h);
	x = norm(k, last_norm, x, (struct value){ 0 }, (struct norm_args){ .silu = true });
	return conv(k, last_conv, x, s->out_c, 3, init_zero(k));
}

static struct value walk(struct walk *k)
{
	bool adm = is_adm(k);
	k->style = (struct block_style){ .skip_scale = adm ? 1 : sqrt(0.5),
		                             .eps = adm ? 1e-5 : 1e-6,
		                             .taps = k->s->taps,
		                             .resample_proj = !adm,
		                             .adaptive = adm && !k->s->added };
	struct value image = { .t = k->in ? k->in->x : NULL, .c = k->s->in_c, .h = k->s->h, .w = k->s->w };
	embedding(k);
	return unet(k, image);
}

int net_check(const struct net_spec *s, struct err *e)
{
	struct walk k = { .s = s, .checking = true, .refusal = e };
	(void)walk(&k);
	return k.refused ? -1 : 0;
}

struct params *net_params(const struct net_spec *s)
{
	struct walk k = { .s = s, .list = params_new() };
	(void)walk(&k);
	return k.list;
}

struct tensor *net_forward(struct graph *g, const struct net_spec *s, const struct params *p, enum store store,
                           const struct net_inputs *in)
{
	struct walk k = { .s = s, .g = g, .p = p, .store = store, .in = in };
	return walk(&k).t;
}

static int list_layers(struct net_layer *out, const struct net_spec *s, int at)
{
	struct walk k = { .s = s, .list = params_new(), .layer = out, .layer_at = at };
	(void)walk(&k);
	params_free(k.list);
	return k.dropouts;
}

int net_dropout_layers(const struct net_spec *s)
{
	return list_layers(NULL, s, 0);
}

struct net_layer net_dropout_layer(const struct net_spec *s, int i)
{
	struct net_layer out = { .c = 0 };
	REQUIRE(i >= 0 && i < list_layers(&out, s, i));
	return out;
}

/* ---- a block by itself ----------------------------------------------------------------------- */

static struct walk block_walk(const struct block_spec *s)
{
	return (struct walk){ .style = s->style, .emb = { .c = s->emb_c, .h = 1, .w = 1 } };
}

struct params *block_params(const struct block_spec *s)
{
	struct walk k = block_walk(s);
	k.list = params_new();
	(void)block_of(&k, "", (struct value){ .c = s->in_c, .h = s->h, .w = s->w }, s->out_c, s->how, s->heads);
	return k.list;
}

struct tensor *block_forward(struct graph *g, const struct block_spec *s, const struct params *p, enum store store,
                             struct tensor *x, struct tensor *emb)
{
	struct walk k = block_walk(s);
	k.g = g;
	k.p = p;
	k.store = store;
	k.emb.t = emb;
	return block_of(&k, "", (struct value){ .t = x, .c = s->in_c, .h = s->h, .w = s->w }, s->out_c, s->how, s->heads).t;
}
