/* test_update.c - gradients handed over one by one and gradients in a flat store give the same bits, whatever reaches a
 * parameter how often; and the memory that training the full-size networks takes, from their plans. */
#include "model/train/update.h"
#include "model/config/net_spec.h"
#include "model/cpu/devices.h"

#include "model/base/mem.h"
#include "model/base/rng.h"
#include "model/consistency/step.h"
#include "model/graph/graph_impl.h"
#include "model/train/model.h"
#include "model/graph/optim.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A back end of the CPU's functions, whose memory is said not to be the host's: gradients go to a flat store. */
static struct backend *aside(void)
{
	static struct backend_ops ops;
	static struct backend b;
	ops = *backend_cpu()->ops;
	ops.host_memory = false;
	b = *backend_cpu();
	b.ops = &ops;
	return &b;
}

enum { STORES = 5, STEPS = 3 }; /* p, m, v, ema, teacher */

struct outcome {
	float *store[STORES];
	size_t n;
	struct step_status status;
	double norm;
};

static void outcome_free(struct outcome *o)
{
	for (int s = 0; s < STORES; s++)
		free(o->store[s]);
}

/* Steps of a made graph from the same start, each of `parts` runs; `loss` of step 1 is spoilt when asked, from its last
 * run on. The graph is freed. */
static struct outcome train(struct backend *b, struct graph *g, const struct params *p, struct tensor *loss, int parts,
                            struct tensor *spoil)
{
	struct err e = ERR_INIT;
	struct update *u;
	struct outcome o = { .n = params_floats(p) };
	struct step_control control;
	cr_assert_eq(update_new(&u, g, b, p, NULL, parts, &e), 0, "%s", e.msg);
	graph_plan(g);
	for (int s = 0; s < STORES; s++)
		o.store[s] = xaligned(o.n * sizeof(float));
	params_init(p, o.store[0], 3);
	for (int s = 3; s < STORES; s++)
		memcpy(o.store[s], o.store[0], o.n * sizeof(float));
	graph_bind(g, STORE_STUDENT, o.store[0]);
	graph_bind(g, STORE_TEACHER, o.store[4]);
	update_bind(u,
	            &(struct update_stores){ .p = o.store[0],
	                                     .m = o.store[1],
	                                     .v = o.store[2],
	                                     .ema = o.store[3],
	                                     .teacher = o.store[4],
	                                     .control = &control,
	                                     .status = &o.status },
	            loss);
	for (int i = 0; i < g->n_tensors; i++) { /* inputs by number; numbers near one where a sample has one */
		struct tensor *t = g->tensors[i];
		if (t->role != TENSOR_INPUT)
			continue;
		SCOPED(free) float *values = xcalloc(tensor_count(t), sizeof *values);
		rng_normal(values, tensor_count(t), 9, RNG_SYNTHETIC, (uint32_t)i, 0);
		for (size_t k = 0; tensor_count(t) == (size_t)t->n && k < tensor_count(t); k++)
			values[k] = 1 + 0.25f * (float)k + 0.01f * (float)i;
		if (t->host)
			memcpy(t->host, values, tensor_bytes(t));
		graph_write(g, t, 0, values, tensor_count(t));
	}
	for (int k = 0; k < STEPS; k++) {
		struct optim adam = { OPTIM_ADAM, 1e-2, 0.9, 0.999, 1e-8, 0 };
		control = (struct step_control){ .optim = optim_step_at(&adam, k + 1),
			                             .ema = average_of(0.9),
			                             .teacher = average_of(0.85) };
		if (k == STEPS - 1)
			update_keep(u);
		for (control.part = 0; control.part < parts; control.part++) {
			if (spoil && k == 1 && control.part == parts - 1)
				graph_write(g, spoil, 0, (float[]){ NAN }, 1);
			update_part(u);
		}
		cr_assert_eq(update_end(u, &e), 0, "%s", e.msg);
	}
	o.norm = update_norm(u);
	update_free(u);
	graph_free(g);
	return o;
}

static void expect_same(struct outcome *a, struct outcome *b)
{
	for (int s = 0; s < STORES; s++)
		cr_expect_arr_eq(a->store[s], b->store[s], a->n * sizeof(float), "store %d", s);
	cr_expect_eq(a->status.done, b->status.done);
	cr_expect(a->norm == b->norm || (isnan(a->norm) && isnan(b->norm)));
}

/* A whole step: Fourier frequencies, which no gradient reaches, are averaged all the same. */
static struct outcome whole_step(struct backend *b, const char *kind, int parts, bool spoil)
{
	struct err e = ERR_INIT;
	struct run_config c;
	config_defaults(&c);
	cr_assert_eq(config_preset(&c, "ict-shapes8-ci", &e) || config_set_text(&c, "net.kind", kind, &e) ||
	                 config_finish(&c, &e),
	             0, "%s", e.msg);
	struct net_spec net = net_spec_of(&c);
	struct params *p = net_params(&net);
	struct graph *g = graph_new_on(b);
	struct step s = step_build(g, &c, &net, p, &(struct step_options){ .batch = 3, .dropout = true, .backward = true });
	struct outcome o = train(b, g, p, s.loss, parts, spoil ? s.z : NULL);
	params_free(p);
	return o;
}

Test(update, handed_over_or_flat_the_bits_are_the_same)
{
	static const char *const kinds[] = { "ddpmpp", "ncsnpp", "adm" };
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		for (int parts = 1; parts <= 3; parts += 2) {
			struct outcome a = whole_step(backend_cpu(), kinds[i], parts, false),
						   b = whole_step(aside(), kinds[i], parts, false);
			expect_same(&a, &b);
			cr_expect_eq(a.status.done, STEPS);
			cr_expect(a.norm > 0 && isfinite(a.norm));
			cr_expect_arr_neq(a.store[0], a.store[3], a.n * sizeof(float));
			outcome_free(&a);
			outcome_free(&b);
		}
	}
}

Test(update, after_a_loss_that_is_not_finite_nothing_moves)
{
	for (int parts = 1; parts <= 3; parts += 2) { /* of three, the last one is not */
		struct outcome a = whole_step(backend_cpu(), "ncsnpp", parts, true),
					   b = whole_step(aside(), "ncsnpp", parts, true);
		expect_same(&a, &b);
		cr_expect_eq(a.status.done, 1);
		cr_expect(a.status.diverged);
		for (int s = 0; s < STORES; s++)
			for (size_t i = 0; i < a.n; i++)
				cr_assert(isfinite(a.store[s][i]), "store %d, %zu", s, i);
		outcome_free(&a);
		outcome_free(&b);
	}
}

/* y = w (w x) + b: w is read by two layers each way, and its gradient has two parts. */
static struct outcome used_twice(struct backend *b)
{
	struct params *p = params_new();
	int64_t dims[2] = { 8, 8 };
	int w_at = params_add(p, "w", 2, dims, INIT_XAVIER, 1, 8, 8),
		b_at = params_add(p, "b", 1, dims, INIT_ZERO, 1, 8, 8);
	struct graph *g = graph_new_on(b);
	struct tensor *x = graph_input(g, "x", 4, 2, 2, 8), *target = graph_input(g, "target", 4, 2, 2, 8),
				  *one = graph_input(g, "one", 4, 1, 1, 1);
	struct tensor *w = graph_param(g, "w", STORE_STUDENT, params_get(p, w_at)->at, 8, 8, 1, 1);
	struct tensor *bias = graph_param(g, "b", STORE_STUDENT, params_get(p, b_at)->at, 1, 1, 1, 8);
	struct tensor *y = graph_conv2d(g, graph_conv2d(g, x, w, NULL, 1, 0, 0, false), w, bias, 1, 0, 0, false);
	struct tensor *loss = graph_weighted_mean(g, graph_distance(g, y, target, DIST_L2_SUM, 0), one);
	graph_keep(loss);
	graph_backward(g, loss);
	struct outcome o = train(b, g, p, loss, 1, NULL);
	params_free(p);
	return o;
}

Test(update, a_parameter_used_twice_waits_for_both_parts)
{
	struct outcome a = used_twice(backend_cpu()), b = used_twice(aside());
	expect_same(&a, &b);
	cr_expect(a.norm > 0);
	outcome_free(&a);
	outcome_free(&b);
}

/* ---- memory of the full-size networks -------------------------------------------------------- */

/* What a training step without averages holds, in MiB, by its plan: parameters, two moments, planned memory. */
static double step_mib(const char *preset, int batch)
{
	struct err e = ERR_INIT;
	struct run_config c;
	config_defaults(&c);
	cr_assert_eq(config_preset(&c, preset, &e) || config_finish(&c, &e), 0, "%s", e.msg);
	struct net_spec net = net_spec_of(&c);
	struct params *p = net_params(&net);
	struct graph *g = graph_new_on(backend_cpu());
	struct update *u;
	(void)step_build(g, &c, &net, p, &(struct step_options){ .batch = batch, .dropout = true, .backward = true });
	cr_assert_eq(update_new(&u, g, backend_cpu(), p, NULL, 1, &e), 0);
	cr_assert_eq(graph_measure(g, &e), 0);
	double bytes = (double)graph_bytes(g) + 3.0 * (double)params_floats(p) * sizeof(float);
	update_free(u);
	graph_free(g);
	params_free(p);
	return bytes / 1048576;
}

/* 70 % of what PyTorch 1.13 takes for the same step, 1,870 and 5,803 MiB, of which the program itself takes about
 * 40. */
Test(update, full_size_networks_train_in_the_memory_that_was_promised)
{
	model_init(2);
	double cifar = step_mib("ict-cifar10", 4), imagenet = step_mib("ict-imagenet64", 1);
	cr_expect(cifar <= 1309 - 60, "ict-cifar10: %.0f MiB", cifar);
	cr_expect(imagenet <= 4062 - 60, "ict-imagenet64: %.0f MiB", imagenet);
}
