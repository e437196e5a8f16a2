/* test_net.c - networks: exact parameter counts of the published configurations, on construction alone. */
#include "model/nets/net.h"
#include "model/cpu/devices.h"

#include <criterion/criterion.h>

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
