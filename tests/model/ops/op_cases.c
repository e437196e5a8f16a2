/* op_cases.c - see op_cases.h. */
#include "tests/model/ops/op_cases.h"

#include "model/graph/graph_impl.h"
#include "model/nets/change.h"

#include <math.h>

static struct tensor *in(struct bench *b, int64_t n, int64_t h, int64_t w, int64_t c, bool grad)
{
	struct tensor *t = graph_input(b->g, "in", n, h, w, c);
	t->needs_grad = grad;
	if (!b->still[b->n % 2])
		t->tangent = graph_input(b->g, "change", n, h, w, c);
	b->spread[b->n] = 1;
	b->inputs[b->n++] = t;
	return t;
}

/* An input that no rule of a change knows of. */
static struct tensor *still(struct tensor *t)
{
	t->tangent = NULL;
	return t;
}

/* A parameter: stays float whatever images are stored as. */
static struct tensor *weights(struct bench *b, int64_t n, int64_t h, int64_t w, int64_t c)
{
	b->exact[b->n] = true;
	return in(b, n, h, w, c, true);
}

static struct tensor *conv(struct bench *b, const int64_t *d) /* n, side, ic, oc, k, stride, pad, what */
{
	struct tensor *x = in(b, d[0], d[1], d[1] + 1, d[2], true), *w = weights(b, d[3], d[2], d[4], d[4]),
				  *bias = weights(b, 1, 1, 1, d[3]);
	x = graph_conv2d(b->g, x, w, d[7] == 2 ? NULL : bias, (int)d[5], (int)d[6], (int)d[6], d[7] == 1);
	return d[7] == 3 ? graph_scale(b->g, x, -1.5) : x;
}

enum { RESIDUAL = 1, DROP = 2 };
static const struct drop a_drop = { 0.3, 7 };

static struct tensor *norm(struct bench *b, const int64_t *d) /* n, h, w, c, groups, mode, silu, RESIDUAL | DROP */
{
	struct tensor *x = in(b, d[0], d[1], d[2], d[3], true), *w = weights(b, 1, 1, 1, d[3]),
				  *bias = weights(b, 1, 1, 1, d[3]);
	enum norm_mode mode = (enum norm_mode)d[5];
	struct tensor *e = mode == NORM_PLAIN ? NULL : in(b, d[0], 1, 1, mode == NORM_ADD ? d[3] : 2 * d[3], true);
	struct norm_args how = { (int)d[4], 1e-6, d[6], mode, d[7] & DROP ? a_drop : (struct drop){ 0 } };
	struct tensor *y = graph_groupnorm(b->g, x, w, bias, e, how);
	return d[7] & RESIDUAL ? graph_add_scaled(b->g, x, y, 0.7) : y;
}

/* On a device the convolution's bias has its gradient from the norm's. */
static struct tensor *norm_of_conv(struct bench *b, const int64_t *d) /* n, side, c, groups, mode */
{
	struct tensor *x = in(b, d[0], d[1], d[1], d[2], true), *w = weights(b, d[2], d[2], 1, 1),
				  *bias = weights(b, 1, 1, 1, d[2]), *e = in(b, d[0], 1, 1, d[4] == NORM_ADD ? d[2] : 2 * d[2], true);
	struct norm_args how = { (int)d[3], 1e-6, true, (enum norm_mode)d[4], a_drop };
	struct tensor *y = graph_conv2d(b->g, x, w, bias, 1, 0, 0, false), *scale = weights(b, 1, 1, 1, d[2]);
	return graph_groupnorm(b->g, y, scale, weights(b, 1, 1, 1, d[2]), e, how);
}

/* Two passes that differ by all of d, and have numbers of their own; or by a part of d alone. STEEP: weights of some
 * 30. */
enum { SMALL = 1, TENTH = 4, TINY = 8, STEEP = 16 };

static struct tensor *norm_change(struct bench *b, const int64_t *d) /* n, h, w, c, groups, mode, silu, flags */
{
	enum norm_mode mode = (enum norm_mode)d[5];
	int64_t e = mode == NORM_ADD ? d[3] : 2 * d[3];
	struct tensor *x = in(b, d[0], d[1], d[2], d[3], false), *change = in(b, d[0], d[1], d[2], d[3], false);
	bool small = d[7] & (SMALL | TENTH | TINY);
	b->spread[1] = d[7] & TENTH ? 1e-1f : d[7] & SMALL ? 1e-3f : d[7] & TINY ? 1e-5f : 1;
	struct norm_change k = { .w = { weights(b, 1, 1, 1, d[3]) }, .b = { weights(b, 1, 1, 1, d[3]) } };
	k.w[1] = small ? k.w[0] : weights(b, 1, 1, 1, d[3]);
	k.b[1] = small ? k.b[0] : weights(b, 1, 1, 1, d[3]);
	for (int i = 2; d[7] & STEEP && i < b->n; i++)
		b->spread[i] = 30;
	for (int i = 0; mode != NORM_PLAIN && i < 2; i++)
		k.e[i] = small && i ? k.e[0] : weights(b, d[0], 1, 1, e);
	union op_args args = { .norm = { (int)d[4], 1e-6, d[6], mode, d[7] & DROP ? a_drop : (struct drop){ 0 } } };
	return graph_groupnorm_change(b->g, x, change, &k, &args);
}

static struct tensor *layernorm(struct bench *b, const int64_t *d) /* n, h, w, c, spread */
{
	struct tensor *x = in(b, d[0], d[1], d[2], d[3], true), *w = weights(b, 1, 1, 1, d[3]);
	b->spread[0] = (float)d[4];
	return graph_layernorm(b->g, x, w, weights(b, 1, 1, 1, d[3]), 1e-6);
}

static struct tensor *gelu(struct bench *b, const int64_t *d) /* n, c, spread, quick */
{
	struct tensor *x = in(b, d[0], 1, 1, d[1], true);
	b->spread[0] = (float)d[2];
	return graph_gelu(b->g, x, d[3]);
}

static struct tensor *tokens(struct bench *b, const int64_t *d) /* n, h, w, c */
{
	struct tensor *x = in(b, d[0], d[1], d[2], d[3], true);
	return graph_tokens(b->g, x, weights(b, 1, 1, d[1] * d[2] + 1, d[3]));
}

static struct tensor *silu(struct bench *b, const int64_t *d)
{
	struct tensor *x = in(b, d[0], 1, 1, d[1], true);
	b->spread[0] = (float)d[2];
	return graph_silu(b->g, x);
}

static struct tensor *sums(struct bench *b, const int64_t *d)
{
	struct tensor *x = in(b, d[0], 3, 5, d[1], true), *y = in(b, d[0], 3, 5, d[1], true);
	return graph_scale(b->g, graph_add_scaled(b->g, graph_add_scaled(b->g, x, y, 0.5), x, -1.25), 3);
}

static struct tensor *lincomb(struct bench *b, const int64_t *d)
{
	struct tensor *x = in(b, d[0], 3, 5, d[1], true), *y = in(b, d[0], 3, 5, d[1], true);
	if (d[2])
		return graph_detached(b->g, x, y, -0.3);
	return graph_lincomb(b->g, in(b, d[0], 1, 1, 1, false), x, in(b, d[0], 1, 1, 1, false), y);
}

static struct tensor *resample(struct bench *b, const int64_t *d) /* n, h, w, c, up, taps, pad */
{
	return graph_resample(b->g, in(b, d[0], d[1], d[2], d[3], true), d[4], (int)d[5], (int)d[6]);
}

static struct tensor *concat(struct bench *b, const int64_t *d)
{
	struct tensor *x = in(b, d[0], 3, 5, d[1], true), *y = in(b, d[0], 3, 5, d[2], true);
	return graph_concat(b->g, x, graph_concat(b->g, y, x));
}

static struct tensor *attention(struct bench *b, const int64_t *d) /* n, h, w, heads, ch, spread */
{
	struct tensor *x = in(b, d[0], d[1], d[2], 3 * d[3] * d[4], true);
	b->spread[0] = (float)d[5];
	return graph_attention(b->g, x, (int)d[3]);
}

/* n, h, w, heads, ch, spread, s: changed by 10^-s, or 0: by 0.2 */
static struct tensor *attention_change(struct bench *b, const int64_t *d)
{
	struct tensor *x = in(b, d[0], d[1], d[2], 3 * d[3] * d[4], false),
				  *change = in(b, d[0], d[1], d[2], 3 * d[3] * d[4], false);
	b->spread[0] = (float)d[5];
	b->spread[1] = d[6] ? (float)pow(10, (double)-d[6]) : 0.2f;
	return graph_attention_change(b->g, x, change, graph_attention(b->g, x, (int)d[3])->maker->dst[1], (int)d[3]);
}

static struct tensor *dropout(struct bench *b, const int64_t *d)
{
	struct tensor *x = in(b, d[0], 3, 5, d[1], true);
	return graph_dropout(b->g, x, in(b, d[0], 3, 5, d[1], false));
}

static struct tensor *embed(struct bench *b, const int64_t *d)
{
	struct tensor *t = in(b, d[0], 1, 1, 1, false);
	return graph_embed(b->g, t, d[2] ? still(in(b, 1, 1, 1, d[1], false)) : NULL, 2 * d[1],
	                   (struct embed_args){ .endpoint = d[3], .sin_first = d[3] });
}

static struct tensor *distance(struct bench *b, const int64_t *d) /* n, kind, c * 1000 (-1: one of each sample's own) */
{
	struct tensor *x = in(b, d[0], 5, 3, 4, true), *y = in(b, d[0], 5, 3, 4, false), *dist;
	if (d[2] < 0)
		dist = graph_distance_by(b->g, x, y, (enum dist_kind)d[1], still(in(b, d[0], 1, 1, 1, false)));
	else
		dist = graph_distance(b->g, x, y, (enum dist_kind)d[1], (double)d[2] / 1000);
	return graph_weighted_mean(b->g, dist, in(b, d[0], 1, 1, 1, false));
}

static struct tensor *unit(struct bench *b, const int64_t *d) /* n, side, channels, c * 1000 */
{
	return graph_unit(b->g, in(b, d[0], d[1], d[1], d[2], false), (double)d[3] / 1000);
}

/* n, h, w, c, references, level * 100, which of them is each sample's own (-1: none); the levels lie around this one */
static struct tensor *posterior_mean(struct bench *b, const int64_t *d)
{
	struct posterior_sources s = { .x = still(in(b, d[0], d[1], d[2], d[3], false)),
		                           .own = still(in(b, d[0], d[1], d[2], d[3], false)),
		                           .y = still(in(b, d[4], d[1], d[2], d[3], false)),
		                           .sigma = still(in(b, d[0], 1, 1, 1, false)) };
	b->spread[3] = (float)d[5] / 100;
	s.at = graph_constant(b->g, s.sigma, (double)d[6]);
	s.label = graph_constant(b->g, s.sigma, 3);
	s.y_label = graph_constant(b->g, still(in(b, d[4], 1, 1, 1, false)), 3);
	return graph_posterior_mean(b->g, &s);
}

static struct tensor *learned_weight(struct bench *b, const int64_t *d)
{
	struct tensor *x = in(b, d[0], 1, 1, 1, true);
	return graph_learned_weight(b->g, x, in(b, d[0], 1, 1, 1, true));
}

static struct tensor *adaptive_weight(struct bench *b, const int64_t *d) /* n, p * 100, eps * 1000 */
{
	struct tensor *x = in(b, d[0], 3, 2, 2, false);
	return graph_adaptive_weight(b->g, graph_dot(b->g, x, x), (double)d[1] / 100, (double)d[2] / 1000);
}

static struct tensor *shuffle(struct bench *b, const int64_t *d)
{
	return graph_shuffle(b->g, graph_shuffle(b->g, in(b, d[0], 6, 4, d[1], true), 2, false), d[2] ? 2 : 1, d[2]);
}

static struct tensor *bilinear(struct bench *b, const int64_t *d) /* n, h, w, c, to h, to w */
{
	return graph_bilinear(b->g, in(b, d[0], d[1], d[2], d[3], true), d[4], d[5]);
}

static struct tensor *pool(struct bench *b, const int64_t *d) /* n, side, c, average, k, stride, pad, counts + 2 ceil */
{
	return graph_pool(b->g, in(b, d[0], d[1], d[1] + 2, d[2], true),
	                  (struct pool_args){ .average = d[3],
	                                      .k = (int)d[4],
	                                      .stride = (int)d[5],
	                                      .pad = (int)d[6],
	                                      .pad_counts = d[7] & 1,
	                                      .ceil = d[7] & 2 });
}

static struct tensor *global_mean(struct bench *b, const int64_t *d)
{
	return graph_global_mean(b->g, in(b, d[0], d[1], d[1], d[2], true));
}

static struct tensor *feature_dist(struct bench *b, const int64_t *d)
{
	struct tensor *x = in(b, d[0], d[1], d[1], d[2], true), *y = in(b, d[0], d[1], d[1], d[2], false);
	return graph_feature_dist(b->g, x, y, d[3] ? in(b, 1, 1, 1, d[2], false) : NULL);
}

static struct tensor *cross_entropy(struct bench *b, const int64_t *d)
{
	struct tensor *x = in(b, d[0], 1, 1, d[1], true);
	return graph_cross_entropy(b->g, x, in(b, d[0], 1, 1, d[1], false));
}

const struct op_case op_cases[] = {
#include "tests/model/ops/conv_cases.def"
	{ "groupnorm", norm, { 3, 5, 7, 16, 4, NORM_PLAIN, 1, 0 }, 1e-6, "" },
	{ "groupnorm", norm, { 1, 4, 4, 24, 6, NORM_ADD, 1, 0 }, 1e-6, "fewer images than threads" },
	{ "groupnorm", norm, { 2, 8, 8, 96, 24, NORM_ADD, 1, 1 }, 1e-6, "widths beyond one lane block, residual branch" },
	{ "groupnorm", norm, { 2, 3, 3, 192, 32, NORM_SCALE_SHIFT, 1, 0 }, 1e-6, "groups of 6 channels straddle vectors" },
	{ "groupnorm", norm, { 2, 1, 1, 8, 2, NORM_PLAIN, 0, 1 }, 1e-6, "one pixel, no activation" },
	{ "groupnorm", norm, { 1, 4, 4, 32, 8, NORM_SCALE_SHIFT, 0, 1 }, 1e-6, "" },
	{ "groupnorm", norm, { 2, 33, 31, 40, 8, NORM_ADD, 1, 0 }, 1e-6, "an image cut over blocks" },
	{ "groupnorm", norm, { 1, 19, 17, 35, 5, NORM_SCALE_SHIFT, 1, 1 }, 1e-6, "widths and sizes that divide nothing" },
	{ "groupnorm", norm, { 2, 5, 7, 132, 2, NORM_ADD, 1, 0 }, 1e-6, "more channels in a group than lanes in a warp" },
	{ "groupnorm", norm, { 1, 32, 32, 16, 4, NORM_ADD, 1, 1 }, 1e-6, "an image that fills a device's block" },
	{ "groupnorm",
	  norm,
	  { 1, 17, 15, 48, 4, NORM_SCALE_SHIFT, 1, 1 },
	  1e-6,
	  "groups wider than a run, lanes without one" },
	{ "groupnorm", norm, { 9, 4, 4, 64, 16, NORM_PLAIN, 0, 1 }, 1e-6, "images enough for wide tiles" },
	{ "groupnorm", norm_of_conv, { 2, 8, 32, 4, NORM_ADD }, 3e-6, "a bias before it" },
	{ "groupnorm", norm_of_conv, { 2, 5, 12, 3, NORM_SCALE_SHIFT }, 3e-6, "a bias before it" },
	{ "groupnorm", norm, { 3, 8, 8, 32, 8, NORM_ADD, 1, DROP }, 1e-6, "dropout, whole Philox blocks" },
	{ "groupnorm", norm, { 2, 5, 7, 36, 9, NORM_SCALE_SHIFT, 1, DROP | RESIDUAL }, 1e-6, "dropout, halves of runs" },
	{ "groupnorm", norm, { 3, 3, 5, 7, 1, NORM_PLAIN, 0, DROP }, 1e-6, "dropout, values that begin within a block" },
	{ "groupnorm_change", norm_change, { 3, 5, 7, 16, 4, NORM_PLAIN, 1, 1 }, 3e-6, "as precise as a large change" },
	{ "groupnorm_change", norm_change, { 2, 8, 8, 96, 24, NORM_ADD, 1, 1 }, 3e-6, "" },
	{ "groupnorm_change", norm_change, { 1, 19, 17, 35, 5, NORM_SCALE_SHIFT, 1, 1 }, 3e-6, "odd sizes" },
	{ "groupnorm_change", norm_change, { 2, 33, 31, 40, 8, NORM_PLAIN, 0, 0 }, 3e-6, "weights of its own" },
	{ "groupnorm_change", norm_change, { 2, 5, 7, 132, 2, NORM_SCALE_SHIFT, 1, 0 }, 3e-6, "wide groups" },
	{ "groupnorm_change", norm_change, { 1, 32, 32, 32, 8, NORM_ADD, 1, 1 }, 3e-6, "an image that fills a block" },
	{ "groupnorm_change", norm_change, { 9, 4, 4, 48, 4, NORM_SCALE_SHIFT, 1, 0 }, 3e-6, "groups wider than a run" },
	{ "groupnorm_change", norm_change, { 2, 8, 8, 32, 8, NORM_ADD, 1, SMALL | DROP }, 3e-6, "dropout" },
	{ "groupnorm_change", norm_change, { 2, 9, 7, 24, 6, NORM_PLAIN, 1, TENTH }, 3e-6, "a vector and a half" },
	{ "groupnorm_change", norm_change, { 2, 9, 7, 24, 6, NORM_PLAIN, 1, TINY }, 3e-6, "a hundred thousandth" },
	{ "groupnorm_change", norm_change, { 1, 6, 11, 33, 3, NORM_ADD, 1, TINY }, 3e-6, "groups of 11 channels" },
	{ "groupnorm_change", norm_change, { 3, 8, 8, 80, 20, NORM_SCALE_SHIFT, 1, TINY }, 3e-6, "scaled" },
	{ "groupnorm_change", norm_change, { 2, 9, 7, 24, 6, NORM_SCALE_SHIFT, 0, TINY }, 3e-6, "without silu" },
	{ "groupnorm_change", norm_change, { 2, 5, 7, 36, 9, NORM_PLAIN, 1, STEEP }, 3e-6, "exponentials that overflow" },
	{ "groupnorm_change", norm_change, { 2, 5, 7, 36, 9, NORM_ADD, 1, STEEP | TINY }, 3e-6, "and their small changes" },
	{ "groupnorm_change", norm_change, { 2, 3, 5, 7, 1, NORM_PLAIN, 0, DROP }, 3e-6, "dropout" },
	{ "groupnorm_change", norm_change, { 2, 1, 1, 8, 2, NORM_ADD, 1, 0 }, 3e-6, "one pixel" },
	{ "silu", silu, { 1, 1, 1 }, 1e-6, "" },
	{ "silu", silu, { 7, 4099, 1 }, 1e-6, "a tail that fills no vector" },
	{ "silu", silu, { 3, 33, 120 }, 1e-6, "exp(-x) overflows below about -88" },
	{ "sums", sums, { 3, 7 }, 1e-6, "one tensor used twice sums both gradients" },
	{ "lincomb", lincomb, { 5, 7 }, 1e-6, "" },
	{ "detached", lincomb, { 5, 7, 1 }, 1e-6, "" },
	{ "resample", resample, { 2, 4, 6, 5, 0, 2, -1 }, 1e-6, "mean of 2x2" },
	{ "resample", resample, { 2, 4, 6, 5, 1, 2, -1 }, 1e-6, "nearest neighbour" },
	{ "resample", resample, { 2, 4, 6, 37, 0, 2, -1 }, 1e-6, "means, vectors of channels and some over" },
	{ "resample", resample, { 2, 4, 6, 37, 1, 2, -1 }, 1e-6, "neighbours, vectors of channels and some over" },
	{ "resample", resample, { 2, 6, 4, 16, 0, 4, -1 }, 1e-6, "" },
	{ "resample", resample, { 2, 3, 5, 16, 1, 4, -1 }, 1e-6, "borders are not renormalised" },
	{ "resample", resample, { 2, 8, 10, 3, 0, 4, 0 }, 1e-6, "after a convolution padded by 2" },
	{ "concat", concat, { 3, 5, 16 }, 1e-6, "one tensor in two places" },
	{ "concat", concat, { 5, 32, 64 }, 1e-6, "32, 64 and 96 channels, more pixels than a run" },
	{ "concat", concat, { 2, 128, 24 }, 1e-6, "128 channels, and a width without a copy of its own" },
	{ "attention", attention, { 2, 4, 4, 1, 16, 1 }, 1e-6, "" },
	{ "attention", attention, { 1, 3, 5, 3, 8, 1 }, 1e-6, "heads" },
	{ "attention", attention, { 2, 2, 2, 2, 16, 1 }, 1e-6, "fewer pixels than a vector has" },
	{ "attention", attention, { 2, 7, 7, 1, 48, 1 }, 1e-6, "rows that end within a vector" },
	{ "attention", attention, { 1, 16, 5, 2, 20, 1 }, 1e-6, "blocks of rows, channels that end so" },
	{ "attention", attention, { 1, 32, 32, 2, 8, 1 }, 2e-6, "long rows" },
	{ "attention", attention, { 3, 8, 8, 1, 64, 6 }, 2e-5, "peaked softmax: logits of some hundred" },
	{ "attention_change", attention_change, { 2, 4, 4, 1, 16, 1, 3 }, 3e-6, "" },
	{ "attention_change", attention_change, { 1, 3, 5, 3, 8, 1, 3 }, 3e-6, "heads" },
	{ "attention_change", attention_change, { 2, 7, 7, 2, 24, 1, 3 }, 3e-6, "more pixels than a vector divides" },
	{ "attention_change", attention_change, { 2, 7, 7, 1, 48, 1, 1 }, 3e-6, "rows that end within a vector" },
	{ "attention_change", attention_change, { 2, 7, 7, 1, 48, 1, 5 }, 3e-6, "a change of few last places" },
	{ "attention_change", attention_change, { 1, 16, 5, 2, 20, 1, 2 }, 3e-6, "blocks of rows, channels that end so" },
	{ "attention_change", attention_change, { 3, 8, 8, 1, 64, 2, 0 }, 2e-5, "a change that turns weights over" },
	{ "dropout", dropout, { 2, 65 }, 1e-6, "given mask" },
	{ "embed", embed, { 5, 8, 0, 0 }, 1e-6, "" },
	{ "embed", embed, { 5, 8, 1, 1 }, 1e-6, "Fourier, sine first" },
	{ "distance", distance, { 3, DIST_HUBER, 30 }, 1e-6, "" },
	{ "distance", distance, { 3, DIST_HUBER, 0 }, 1e-6, "c = 0: the norm of ECT" },
	{ "distance", distance, { 3, DIST_HUBER, -1 }, 1e-6, "a c of each sample's own" },
	{ "distance", distance, { 3, DIST_CAUCHY_SUM, 30 }, 1e-6, "far beyond c" },
	{ "distance", distance, { 3, DIST_CAUCHY_MEAN, 700 }, 1e-6, "near c" },
	{ "distance", distance, { 3, DIST_CAUCHY_SUM, -1 }, 1e-6, "a c of each sample's own" },
	{ "distance", distance, { 3, DIST_CAUCHY_MEAN, -1 }, 1e-6, "" },
	{ "distance", distance, { 3, DIST_L2_SUM, 0 }, 1e-6, "" },
	{ "distance", distance, { 3, DIST_L2_MEAN, 0 }, 1e-6, "" },
	{ "distance", distance, { 3, DIST_L1_SUM, 0 }, 1e-6, "" },
	{ "distance", distance, { 3, DIST_L1_MEAN, 0 }, 1e-6, "" },
	{ "distance", distance, { 3, DIST_HUBER_PIXEL, 30 }, 1e-6, "" },
	{ "distance", distance, { 3, DIST_HUBER_ELEMENT, 30 }, 1e-6, "" },
	{ "unit", unit, { 3, 5, 7, 100 }, 1e-6, "" },
	{ "unit", unit, { 2, 17, 3, 0 }, 1e-6, "more values than a block has threads" },
	{ "posterior_mean", posterior_mean, { 3, 5, 3, 3, 7, 400, -1 }, 1e-7, "several pictures share the weight" },
	{ "posterior_mean", posterior_mean, { 2, 9, 8, 5, 300, 800, 2 }, 1e-7, "more values and pictures than a block" },
	{ "posterior_mean", posterior_mean, { 4, 1, 1, 65, 1, 300, 0 }, 1e-7, "its own picture is the only reference" },
	{ "posterior_mean", posterior_mean, { 3, 4, 4, 3, 9, 1, 5 }, 1e-7, "exponents of a million" },
	{ "learned_weight", learned_weight, { 5 }, 1e-6, "" },
	{ "adaptive_weight", adaptive_weight, { 5, 75, 1 }, 1e-6, "" },
	{ "adaptive_weight", adaptive_weight, { 300, 50, 0 }, 1e-6, "more samples than a block has threads" },
	{ "adaptive_weight", adaptive_weight, { 3, 0, 1 }, 1e-6, "p = 0: no weight" },
	{ "shuffle", shuffle, { 2, 3, 0 }, 0, "" },
	{ "shuffle", shuffle, { 2, 3, 1 }, 0, "there and back" },
	{ "bilinear", bilinear, { 2, 5, 4, 3, 13, 9 }, 1e-6, "larger" },
	{ "bilinear", bilinear, { 3, 9, 7, 1, 4, 7 }, 1e-6, "smaller in one direction, the same in the other" },
	{ "bilinear", bilinear, { 1, 1, 1, 17, 3, 2 }, 1e-6, "one pixel spreads" },
	{ "pool", pool, { 2, 7, 5, 0, 3, 2, 0, 0 }, 1e-6, "" },
	{ "pool", pool, { 2, 8, 16, 0, 3, 1, 1, 0 }, 1e-6, "overlapping windows" },
	{ "pool", pool, { 2, 8, 16, 1, 3, 1, 1, 0 }, 1e-6, "average without the padding" },
	{ "pool", pool, { 2, 8, 4, 1, 3, 1, 1, 1 }, 1e-6, "average with the padding" },
	{ "pool", pool, { 1, 8, 4, 0, 3, 2, 0, 2 }, 1e-6, "ceil mode" },
	{ "global_mean", global_mean, { 3, 5, 17 }, 1e-6, "" },
	{ "feature_dist", feature_dist, { 2, 3, 16, 1 }, 1e-6, "" },
	{ "feature_dist", feature_dist, { 2, 3, 5, 0 }, 1e-6, "unit weights" },
	{ "feature_dist", feature_dist, { 3, 9, 37, 1 }, 1e-6, "more pixels than warps" },
	{ "global_mean", global_mean, { 2, 17, 24 }, 1e-6, "more pixels than a block's rows" },
	{ "layernorm", layernorm, { 2, 3, 5, 24, 1 }, 1e-6, "" },
	{ "layernorm", layernorm, { 1, 1, 17, 1024, 3 }, 1e-6, "a transformer's width" },
	{ "layernorm", layernorm, { 3, 1, 1, 37, 100 }, 1e-6, "channels that fill no vector and no warp" },
	{ "gelu", gelu, { 1, 1, 1, 0 }, 1e-6, "" },
	{ "gelu", gelu, { 7, 4099, 1, 0 }, 1e-6, "a tail that fills no vector" },
	{ "gelu", gelu, { 3, 333, 8, 0 }, 1e-6, "where 1 + erf cancels" },
	{ "gelu", gelu, { 3, 33, 120, 0 }, 1e-6, "exp(-x^2 / 2) underflows" },
	{ "gelu", gelu, { 7, 4099, 1, 1 }, 1e-6, "quick" },
	{ "gelu", gelu, { 3, 33, 120, 1 }, 1e-6, "quick, exp(-x) overflows below about -88" },
	{ "tokens", tokens, { 2, 3, 5, 24 }, 1e-6, "" },
	{ "tokens", tokens, { 3, 1, 1, 7 }, 1e-6, "one pixel, channels that fill no vector" },
	{ "cross_entropy", cross_entropy, { 3, 67 }, 1e-6, "more classes than lanes" },
	{ "cross_entropy", cross_entropy, { 4, 10 }, 1e-6, "" },
};
const int n_op_cases = sizeof op_cases / sizeof *op_cases;

/* Where images are bf16, 8 bits: a relu turns where a sign does, logits of some hundred lose units. */
double op_case_low_tolerance(const struct op_case *c)
{
	return c->tol > 1e-6 || (c->build == conv && c->d[7] == 1) ? 5e-2 : 1e-2;
}
