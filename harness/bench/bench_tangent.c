/* bench_tangent.c - see bench_tangent.h. */
#include "harness/bench/bench_tangent.h"

#include "harness/bench/bench_median.h"
#include "harness/bench/bench_rounds.h"
#include "harness/bench/bench_train.h"
#include "model/base/mem.h"
#include "model/base/rng.h"
#include "model/config/config.h"
#include "model/config/net_spec.h"
#include "model/cpu/devices.h"
#include "model/graph/graph.h"

#include <stdlib.h>

/* A pass without the change, or with it. */
struct pass {
	struct graph *g;
	char *name;
};

static void run_pass(struct bench_entry *c, int n)
{
	const struct pass *p = c->net;
	(void)n; /* images of the graph */
	graph_run(p->g);
}

static void fill(struct graph *g, struct tensor *t, uint32_t stream)
{
	SCOPED(free) float *v = xcalloc(tensor_count(t), sizeof *v);
	rng_normal(v, tensor_count(t), 1, RNG_SYNTHETIC, stream, 0);
	graph_write(g, t, 0, v, tensor_count(t));
}

static struct tensor *input(struct tensor **all, int *n, struct graph *g, int64_t batch, int64_t h, int64_t w,
                            int64_t c)
{
	return all[(*n)++] = graph_input(g, "in", batch, h, w, c);
}

static struct pass record(const struct net_spec *s, const struct params *params, float *weights, int batch,
                          bool tangent, const char *net)
{
	struct pass p = { graph_new_on(backend_cpu()), xstrfmt("%s%s", net, tangent ? ", with its change" : "") };
	struct tensor *inputs[7];
	int n = 0;
	struct net_inputs in = { .x = input(inputs, &n, p.g, batch, s->h, s->w, s->in_c),
		                     .c_noise = input(inputs, &n, p.g, batch, 1, 1, 1) };
	if (s->classes)
		in.labels = input(inputs, &n, p.g, batch, 1, 1, s->classes);
	if (s->second_time)
		in.c_gap = input(inputs, &n, p.g, batch, 1, 1, 1);
	if (tangent) {
		in.x->tangent = input(inputs, &n, p.g, batch, s->h, s->w, s->in_c);
		in.c_noise->tangent = input(inputs, &n, p.g, batch, 1, 1, 1);
	}
	if (tangent && s->second_time)
		in.c_gap->tangent = input(inputs, &n, p.g, batch, 1, 1, 1);
	graph_forward_mode(p.g, tangent);
	struct tensor *y = net_forward(p.g, s, params, STORE_TEACHER, &in);
	graph_forward_mode(p.g, false);
	graph_keep(tangent ? y->tangent : y);
	graph_plan(p.g);
	graph_bind(p.g, STORE_TEACHER, weights);
	for (int i = 0; i < n; i++)
		fill(p.g, inputs[i], (uint32_t)i);
	return p;
}

static int of_net(json_t *out, const char *preset, const struct bench_rounds *r, struct err *e)
{
	struct run_config c;
	config_defaults(&c);
	if (config_preset(&c, preset, e) || config_finish(&c, e))
		return -1;
	struct net_spec s = net_spec_of(&c);
	struct params *params = net_params(&s);
	SCOPED(free) float *weights = xaligned(params_floats(params) * sizeof *weights);
	params_init(params, weights, 1);
	struct pass passes[2];
	struct bench_entry entries[2];
	for (int i = 0; i < 2; i++) {
		passes[i] = record(&s, params, weights, r->batch, i, preset);
		entries[i] = (struct bench_entry){ .name = passes[i].name,
			                               .net = &passes[i],
			                               .run = run_pass,
			                               .gflop = graph_flops(passes[i].g) / 1e9 / r->batch };
	}
	int rc = bench_rounds(out, entries, 2, r, e);
	if (rc == 0)
		(void)json_object_set_new(
			json_array_get(out, json_array_size(out) - 1), "times_forward",
			json_real(bench_median(entries[1].wall, r->rounds) / bench_median(entries[0].wall, r->rounds)));
	for (int i = 0; i < 2; i++) {
		graph_free(passes[i].g);
		free(passes[i].name);
	}
	params_free(params);
	return rc;
}

int bench_tangent(json_t *out, const char *preset, int batch, double seconds, struct err *e)
{
	static const char *const nets[] = { "ict-cifar10-small", "ict-imagenet64-small", "ict-cifar10" };
	const struct bench_rounds r = { .unit = "images",
		                            .batch = batch > 0 ? batch : 8,
		                            .rounds = BENCH_ROUNDS,
		                            .seconds = seconds,
		                            .ceiling = bench_gemm_ceiling() };
	if (preset)
		return of_net(out, preset, &r, e);
	for (size_t i = 0; i < sizeof nets / sizeof *nets; i++)
		if (of_net(out, nets[i], &r, e))
			return -1;
	return 0;
}
