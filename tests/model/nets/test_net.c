/* test_net.c - networks: exact parameter counts of the published configurations, on construction alone, and the choices
 * of iCT on ImageNet 64x64. */
#include "model/nets/net.h"

#include "model/base/mem.h"
#include "model/base/rng.h"
#include "model/cpu/devices.h"
#include "model/graph/op.h"
#include "model/train/model.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void expect(const struct net_spec *s, int64_t parameters, int tensors)
{
	struct params *p = net_params(s);
	int trained = 0;
	for (int i = 0; i < params_count(p); i++)
		trained += params_get(p, i)->trained;
	cr_expect_eq(params_trained(p), parameters, "%lld parameters", (long long)params_trained(p));
	cr_expect_eq(trained, tensors, "%d tensors", trained);
	params_free(p);
}

static struct net_spec song(bool ncsnpp, int side, int c, int channels, int blocks, int attn, const int mult[3])
{
	struct net_spec s = { .kind = ncsnpp ? NET_NCSNPP : NET_DDPMPP,
		                  .h = side,
		                  .w = side,
		                  .in_c = c,
		                  .out_c = c,
		                  .channels = channels,
		                  .blocks = blocks,
		                  .n_mult = 3,
		                  .n_attn = 1,
		                  .attn = { attn },
		                  .fourier = ncsnpp,
		                  .fourier_scale = 0.02,
		                  .residual = ncsnpp,
		                  .taps = ncsnpp ? 4 : 2,
		                  .noise_mult = ncsnpp ? 2 : 1,
		                  .emb_mult = 4 };
	for (int i = 0; i < 3; i++)
		s.mult[i] = mult[i];
	return s;
}

/* Counts: model/README.md, "Networks" (torch's numel over parameters()). */
Test(net, parameter_counts)
{
	static const int wide[3] = { 2, 2, 2 }, narrow[3] = { 1, 2, 2 };
	struct net_spec s = song(false, 32, 3, 128, 4, 16, wide);
	expect(&s, 55732739, 416);
	s.augment = 9; /* the layout of EDM's checkpoints */
	expect(&s, 55733891, 417);
	s.augment = 0;
	s.second_time = true; /* 128 more inputs of map_layer0 */
	expect(&s, 55732739 + 128 * 512, 416);
	s = song(true, 32, 3, 128, 4, 16, wide);
	expect(&s, 56395523, 420);
	s = song(true, 32, 3, 128, 8, 16, wide);
	expect(&s, 97610499, 708);
	s = song(false, 32, 1, 32, 1, 8, narrow);
	expect(&s, 1259393, 200);
	s = song(false, 32, 3, 64, 2, 16, narrow);
	expect(&s, 6989891, 272);
	s = (struct net_spec){ .kind = NET_ADM,
		                   .h = 64,
		                   .w = 64,
		                   .in_c = 3,
		                   .out_c = 3,
		                   .channels = 192,
		                   .blocks = 3,
		                   .n_mult = 4,
		                   .mult = { 1, 2, 3, 4 },
		                   .n_attn = 3,
		                   .attn = { 32, 16, 8 },
		                   .classes = 1000,
		                   .taps = 2,
		                   .emb_mult = 4 };
	expect(&s, 295899267, 541);
	s.added = true; /* half of each block's affine layer is gone: 769 values for each of 17,856 channels */
	expect(&s, 282168003, 541);
}

/* ---- as iCT was reproduced on ImageNet 64x64 --------------------------------------------------- */

static struct net_spec small_adm(bool added)
{
	return (struct net_spec){ .kind = NET_ADM,
		                      .h = 32,
		                      .w = 32,
		                      .in_c = 3,
		                      .out_c = 3,
		                      .channels = 8,
		                      .blocks = 1,
		                      .n_mult = 3,
		                      .mult = { 1, 2, 2 },
		                      .taps = 2,
		                      .emb_mult = 4,
		                      .dropout = 0.2,
		                      .added = added };
}

/* The public code decides by the level that a block is made in, and makes a resampling block in the level that it
 * leaves (bcm iCT/cm/unet.py:620-760): on the way down to 16x16 nothing drops out yet, on the way up from there it does
 * still. A block that were left out or taken in by mistake would shift every mask after it. */
Test(net, dropout_up_to_a_resolution)
{
	static const char *const want[] = { "enc.16x16_block0", "enc.8x8_down",     "enc.8x8_block0", "dec.8x8_in0",
		                                "dec.8x8_in1",      "dec.8x8_block0",   "dec.8x8_block1", "dec.16x16_up",
		                                "dec.16x16_block0", "dec.16x16_block1", "dec.32x32_up" };
	enum { N = sizeof want / sizeof *want };
	struct net_spec s = small_adm(true);
	cr_expect_eq(net_dropout_layers(&s), N + 4, "all blocks");
	s.dropout_at = 16;
	cr_assert_eq(net_dropout_layers(&s), N);
	for (int i = 0; i < N; i++)
		cr_expect_str_eq(net_dropout_layer(&s, i).block, want[i]);
	cr_expect_eq(net_dropout_layer(&s, N - 1).h, 32);
	s.dropout_at = 4;
	cr_expect_eq(net_dropout_layers(&s), 0);
}

/* The network's answer with random weights, but affine layers that give `affine` to every channel's first half, and
 * first convolutions of blocks whose bias is `bias`; train: with dropout. */
static void answer(float *out, const struct net_spec *s, float affine, float bias, bool train)
{
	enum { PIXELS = 32 * 32 * 3 };
	struct params *p = net_params(s);
	struct graph *g = graph_new_on(backend_cpu());
	struct net_inputs in = { .x = graph_input(g, "x", 1, 32, 32, 3),
		                     .c_noise = graph_input(g, "c_noise", 1, 1, 1, 1),
		                     .train = train };
	float *w = xaligned(params_floats(p) * sizeof *w), x[PIXELS], noise = 0.3f;
	for (int i = 0; i < params_count(p); i++) {
		const struct param *q = params_get(p, i);
		rng_normal(w + q->at, q->count, 5, RNG_INIT, (uint32_t)i, 0);
		bool of_affine = strstr(q->name, ".affine."), is_bias = strstr(q->name, ".bias");
		size_t set = is_bias && s->added ? q->count : q->count / 2;
		for (size_t k = 0; k < q->count; k++) {
			float *v = &w[q->at + k];
			*v *= 0.2f;
			if (of_affine)
				*v = is_bias && k < set ? affine : 0;
			else if (is_bias && strstr(q->name, "_") && strstr(q->name, ".conv0."))
				*v = bias;
		}
	}
	struct tensor *y = net_forward(g, s, p, STORE_STUDENT, &in);
	graph_keep(y);
	graph_plan(g);
	graph_bind(g, STORE_STUDENT, w);
	rng_normal(x, PIXELS, 5, RNG_SYNTHETIC, 1, 0);
	graph_write(g, in.x, 0, x, PIXELS);
	graph_write(g, in.c_noise, 0, &noise, 1);
	graph_set_step(g, 5, 1);
	graph_run(g);
	memcpy(out, y->data, PIXELS * sizeof *out);
	graph_free(g);
	params_free(p);
	free(w);
}

static double apart(const struct net_spec *a, const float of_a[2], const struct net_spec *b, const float of_b[2],
                    bool train)
{
	enum { PIXELS = 32 * 32 * 3 };
	static float ya[PIXELS], yb[PIXELS];
	double most = 0;
	answer(ya, a, of_a[0], of_a[1], train);
	answer(yb, b, of_b[0], of_b[1], train);
	for (int i = 0; i < PIXELS; i++)
		most = fmax(most, fabs((double)ya[i] - (double)yb[i]));
	return most;
}

/* What is added before the norm is as good as a bias of the convolution before it; what scales after it is not. With
 * nothing to add and nothing to scale by, both kinds of block are the same. */
Test(net, an_added_embedding_is_a_bias_before_the_norm)
{
	struct net_spec added = small_adm(true), scaled = small_adm(false);
	model_init(2);
	static const float affine[2] = { 0.7f, 0 }, bias[2] = { 0, 0.7f }, none[2] = { 0, 0 };
	cr_expect_lt(apart(&added, affine, &added, bias, false), 1e-4);
	cr_expect_gt(apart(&scaled, affine, &scaled, bias, false), 1e-2);
	cr_expect_lt(apart(&added, none, &scaled, none, false), 1e-4);
}

/* A limit above the picture is no limit, and one below the bottom no dropout. */
Test(net, a_limit_of_dropout_is_kept_in_training)
{
	struct net_spec all = small_adm(true), none = all, at = all, below = all;
	model_init(2);
	none.dropout = 0;
	at.dropout_at = 32;
	below.dropout_at = 4;
	static const float w[2] = { 0.1f, 0.1f };
	cr_expect_eq(apart(&all, w, &at, w, true), 0);
	cr_expect_eq(apart(&none, w, &below, w, true), 0);
	cr_expect_gt(apart(&all, w, &none, w, true), 1e-2);
	at.dropout_at = 16;
	cr_expect_gt(apart(&all, w, &at, w, true), 1e-2);
	cr_expect_gt(apart(&none, w, &at, w, true), 1e-2);
}

Test(net, forward_flops_of_the_bench_configurations)
{
	static const int narrow[3] = { 1, 2, 2 };
	struct net_spec s = song(false, 32, 1, 32, 1, 8, narrow);
	struct params *p = net_params(&s);
	struct graph *g = graph_new();
	struct net_inputs in = { .x = graph_input(g, "x", 1, 32, 32, 1), .c_noise = graph_input(g, "c_noise", 1, 1, 1, 1) };
	(void)net_forward(g, &s, p, STORE_STUDENT, &in);
	cr_expect_float_eq(graph_flops(g) / 1e9, 0.6101, 0.002);
	graph_free(g);
	params_free(p);
}

/* A head for every 64 channels in ADM, one in SongUNet: no shape and no parameter shows it, only what is computed. */
Test(net, heads_of_attention)
{
	static const int mult[3] = { 1, 2, 3 };
	struct net_spec both[] = { { .kind = NET_ADM,
		                         .h = 16,
		                         .w = 16,
		                         .in_c = 3,
		                         .out_c = 3,
		                         .channels = 64,
		                         .blocks = 1,
		                         .n_mult = 3,
		                         .mult = { 1, 2, 3 },
		                         .n_attn = 3,
		                         .attn = { 16, 8, 4 },
		                         .taps = 2,
		                         .emb_mult = 4 },
		                       song(false, 16, 3, 64, 1, 8, mult) };
	for (int k = 0; k < 2; k++) {
		struct params *p = net_params(&both[k]);
		struct graph *g = graph_new();
		struct net_inputs in = { .x = graph_input(g, "x", 1, 16, 16, 3),
			                     .c_noise = graph_input(g, "c_noise", 1, 1, 1, 1) };
		struct node **nodes;
		bool seen[4] = { false };
		(void)net_forward(g, &both[k], p, STORE_STUDENT, &in);
		int n = graph_nodes(g, &nodes);
		for (int i = 0; i < n; i++) {
			if (nodes[i]->op != OP_attention)
				continue;
			int64_t heads = nodes[i]->args.attention.heads, c = nodes[i]->dst[0]->c;
			cr_expect_eq(heads, k ? 1 : c / 64, "%lld heads of %lld channels", (long long)heads, (long long)c);
			seen[c / 64] = true;
		}
		cr_expect(seen[2] && (k || (seen[1] && seen[3])), "attention where it was asked for");
		graph_free(g);
		params_free(p);
	}
}
