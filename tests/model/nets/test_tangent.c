/* test_tangent.c - forward mode over whole networks: what sCT and MeanFlow take their targets from. A wrong term would
 * train another method under its name, so every kind of network is asked in double: does the tangent agree with central
 * differences of the answer, and with reverse mode; and on floats, do the CPU and the device agree with the double. */
#include "model/graph/graph_impl.h"
#include "model/nets/net.h"

#include "model/base/mem.h"
#include "model/base/rng.h"
#include "model/cpu/devices.h"
#include "model/graph/op.h"
#include "model/train/model.h"
#include "tests/common/random_input.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 8, N = 2, CHANNELS = 3, CLASSES = 4, VALUES = N * SIDE * SIDE * CHANNELS };

enum { KINDS = 3, NETS = 2 * KINDS };

/* The i-th kind, small, with attention and dropout; the second half are networks of two times. */
static struct net_spec net_of(int number)
{
	int i = number % KINDS;
	struct net_spec s = { .kind = (enum net_kind)i,
		                  .second_time = number >= KINDS,
		                  .h = SIDE,
		                  .w = SIDE,
		                  .in_c = CHANNELS,
		                  .out_c = CHANNELS,
		                  .channels = 16,
		                  .blocks = 1,
		                  .n_mult = 2,
		                  .mult = { 1, 2 },
		                  .n_attn = 1,
		                  .attn = { i == NET_DDPMPP ? 4 : 8 },
		                  .taps = 2,
		                  .noise_mult = 1,
		                  .emb_mult = 4,
		                  .dropout = 0.2 };
	if (i == NET_NCSNPP) {
		s.fourier = s.residual = true;
		s.fourier_scale = 0.5;
		s.taps = 4;
		s.noise_mult = 2;
	}
	if (i == NET_ADM) { /* heads of 64 channels */
		s.channels = 64;
		s.mult[1] = 1;
		s.classes = CLASSES;
	}
	return s;
}

struct run {
	struct graph *g;
	struct params *p;
	float *w, *on, *grad; /* grad: a norm writes its weights' gradients, wanted or not */
	struct backend *b;
	struct tensor *x, *noise, *gap, *labels, *y, *u;
};

/* The network's answer with its tangent, and the gradient of u.y in x; small weights for last layers, which begin at
 * zero in adm, would hide all the rest: all are drawn. */
static struct run begin(const struct net_spec *s, struct backend *b)
{
	struct run r = { .g = graph_new_on(b), .p = net_params(s), .b = b };
	struct err e = ERR_INIT;
	r.w = xaligned(params_floats(r.p) * sizeof *r.w);
	for (int i = 0; i < params_count(r.p); i++) {
		const struct param *q = params_get(r.p, i);
		rng_normal(r.w + q->at, q->count, 5, RNG_INIT, (uint32_t)i, 0);
		for (size_t k = 0; k < q->count; k++)
			r.w[q->at + k] *= 0.1f;
	}
	cr_assert_eq(backend_lend(&r.on, b, r.w, params_floats(r.p), &e), 0, "%s", e.msg);
	r.grad = b->ops->memory.alloc(b, params_floats(r.p) * sizeof *r.grad, &e);
	cr_assert_not_null(r.grad, "%s", e.msg);
	r.x = graph_input(r.g, "x", N, SIDE, SIDE, CHANNELS);
	r.noise = graph_input(r.g, "noise", N, 1, 1, 1);
	r.labels = s->classes ? graph_input(r.g, "labels", N, 1, 1, CLASSES) : NULL;
	r.u = graph_input(r.g, "u", N, SIDE, SIDE, CHANNELS);
	r.x->tangent = graph_input(r.g, "dx", N, SIDE, SIDE, CHANNELS);
	r.noise->tangent = graph_input(r.g, "dnoise", N, 1, 1, 1);
	if (s->second_time) {
		r.gap = graph_input(r.g, "gap", N, 1, 1, 1);
		r.gap->tangent = graph_input(r.g, "dgap", N, 1, 1, 1);
	}
	r.x->needs_grad = true;
	graph_forward_mode(r.g, true);
	r.y = net_forward(
		r.g, s, r.p, STORE_TEACHER,
		&(struct net_inputs){ .x = r.x, .c_noise = r.noise, .c_gap = r.gap, .labels = r.labels, .train = true });
	graph_forward_mode(r.g, false);
	graph_keep(r.y);
	cr_assert(r.y->tangent && !r.y->tangent->needs_grad && r.y->needs_grad);
	graph_keep(r.y->tangent);
	r.y->grad = r.u;
	graph_backward(r.g, r.y);
	cr_assert_eq(graph_try_plan(r.g, &e), 0, "%s", e.msg);
	graph_bind(r.g, STORE_TEACHER, r.on);
	graph_bind(r.g, STORE_GRAD, r.grad);
	random_input(r.g, r.x, 7, 1, 1);
	random_input(r.g, r.noise, 7, 2, 0.5f);
	random_input(r.g, r.x->tangent, 7, 3, 1);
	random_input(r.g, r.noise->tangent, 7, 4, 1);
	random_input(r.g, r.u, 7, 5, 1);
	if (r.labels)
		random_input(r.g, r.labels, 7, 6, 1);
	if (r.gap) {
		random_input(r.g, r.gap, 7, 7, 0.5f);
		random_input(r.g, r.gap->tangent, 7, 8, 1);
	}
	graph_set_step(r.g, 5, 1);
	return r;
}

static void end(struct run *r)
{
	graph_free(r->g);
	params_free(r->p);
	r->b->ops->memory.release(r->b, r->grad);
	backend_return(r->b, r->on, r->w);
	free(r->w);
}

static void move(struct run *r, double h)
{
	struct tensor *const all[] = { r->x, r->noise, r->gap };
	for (size_t k = 0; k < sizeof all / sizeof *all; k++)
		for (size_t i = 0; all[k] && i < tensor_count(all[k]); i++)
			all[k]->ref[i] += h * all[k]->tangent->ref[i];
}

/* ---- in double ---------------------------------------------------------------------------------- */

static double difference_error(struct run *r)
{
	static double tangent[VALUES], up[VALUES];
	double worst = 0, scale = 0;
	const double h = 1e-5;
	graph_run_ref(r->g);
	memcpy(tangent, r->y->tangent->ref, sizeof tangent);
	move(r, h);
	graph_rerun_ref(r->g);
	memcpy(up, r->y->ref, sizeof up);
	move(r, -2 * h);
	graph_rerun_ref(r->g);
	for (int i = 0; i < VALUES; i++)
		scale = fmax(scale, fabs(tangent[i]));
	cr_assert_gt(scale, 1e-3);
	for (int i = 0; i < VALUES; i++) {
		double error = fabs((up[i] - r->y->ref[i]) / (2 * h) - tangent[i]) / scale;
		worst = error <= worst ? worst : error;
	}
	return worst;
}

/* Of x alone: no gradient flows to the times. */
static double duality_error(struct run *r)
{
	double forward = 0, back = 0, scale = 0;
	graph_load_ref(r->g);
	memset(r->noise->tangent->ref, 0, N * sizeof(double));
	if (r->gap)
		memset(r->gap->tangent->ref, 0, N * sizeof(double));
	graph_rerun_ref(r->g);
	for (int i = 0; i < VALUES; i++) {
		forward += r->u->ref[i] * r->y->tangent->ref[i];
		scale += fabs(r->u->ref[i] * r->y->tangent->ref[i]);
		back += r->x->tangent->ref[i] * r->x->grad->ref[i];
	}
	return fabs(forward - back) / scale;
}

Test(tangent, of_networks_in_double)
{
	model_init(2);
	for (int i = 0; i < NETS; i++) {
		struct net_spec net = net_of(i);
		struct run r = begin(&net, backend_cpu());
		double difference = difference_error(&r), dual = duality_error(&r);
		cr_expect_leq(difference, 1e-7, "network %d: %.2e from central differences", i, difference);
		cr_expect_leq(dual, 1e-13, "network %d: u.Jv and v.J'u are %.2e apart", i, dual);
		end(&r);
	}
}

/* ---- on floats: bounds are some three times what was measured -------------------------------------- */

static double distance_to_double(struct run *r)
{
	static float got[VALUES];
	double apart = 0, size = 0;
	struct err e = ERR_INIT;
	graph_run(r->g);
	graph_read(r->g, got, r->y->tangent, 0, VALUES);
	cr_assert_eq(backend_check(r->b, &e), 0, "%s", e.msg);
	graph_run_ref(r->g);
	for (int i = 0; i < VALUES; i++) {
		double want = r->y->tangent->ref[i];
		apart += ((double)got[i] - want) * ((double)got[i] - want);
		size += want * want;
	}
	return sqrt(apart / size);
}

Test(tangent, of_networks_on_floats)
{
	model_init(2);
	(void)setenv("ABLATE_CUDA_PLUGIN", CUDA_EMU, 1);
	for (int i = 0; i < NETS; i++) {
		struct backend *device;
		struct err e = ERR_INIT;
		struct net_spec net = net_of(i);
		struct run r = begin(&net, backend_cpu());
		double cpu = distance_to_double(&r);
		end(&r);
		cr_assert_eq(backend_open(&device, "cuda", DTYPE_FP32, &e), 0, "%s", e.msg);
		r = begin(&net, device);
		double cuda = distance_to_double(&r);
		end(&r);
		backend_free(device);
		cr_expect_leq(cpu, 2e-6, "network %d: CPU %.2e from double", i, cpu);
		cr_expect_leq(cuda, 2e-6, "network %d: device %.2e from double", i, cuda);
	}
}

/* ---- what it is not to change --------------------------------------------------------------------- */

/* A tangent is a target: a gradient through it would train another loss; one of a stopped value would be one of the
 * teacher's. */
Test(tangent, neither_passes_gradients_nor_what_is_stopped)
{
	struct graph *g = graph_new_on(backend_cpu());
	struct tensor *x = graph_input(g, "x", 1, 1, 1, 4), *d = graph_input(g, "d", 1, 1, 1, 4);
	struct tensor *a = graph_input(g, "a", 1, 1, 1, 1);
	x->needs_grad = d->needs_grad = true;
	x->tangent = d;
	a->tangent = graph_input(g, "da", 1, 1, 1, 1);
	graph_forward_mode(g, true);
	struct tensor *y = graph_lincomb(g, a, x, NULL, NULL), *stopped = graph_detached(g, y, x, 1),
				  *after = graph_scale(g, stopped, 2);
	graph_forward_mode(g, false);
	struct tensor *off = graph_scale(g, y, 2);
	cr_expect(y->tangent && !y->tangent->needs_grad && y->needs_grad);
	for (int i = 0; i < g->n_tensors; i++) /* a' x is a node of x, too */
		cr_expect(!g->tensors[i]->tangent || !g->tensors[i]->tangent->tangent);
	cr_expect_null(stopped->tangent);
	cr_expect_null(after->tangent);
	cr_expect_null(off->tangent, "recorded after forward mode was left");
	graph_free(g);
}
