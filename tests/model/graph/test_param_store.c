/* test_param_store.c - parameters in the order and the type that a device's products read (under emulation): they come
 * back as they went, and a convolution of them is the same, to the bit, as one that lays its weights anew at each
 * run. */
#include "model/base/mem.h"
#include "model/base/rng.h"
#include "model/cpu/devices.h"
#include "model/graph/graph.h"
#include "model/graph/param_store.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void choose_plugin(void)
{
	cr_assert_eq(setenv("ABLATE_CUDA_PLUGIN", CUDA_EMU, 1), 0);
}

TestSuite(param_store, .init = choose_plugin);

static struct backend *open_device(enum dtype_kind dtype)
{
	struct backend *b;
	struct err e = ERR_INIT;
	cr_assert_eq(backend_open(&b, "cuda", dtype, &e), 0, "%s", e.msg);
	return b;
}

/* Two convolutions, one of single pixels, with biases: what a network has. */
enum { WIDE = 16, IN = 8, N_PARAMS = 4 };

static struct params *params(void)
{
	struct params *p = params_new();
	(void)params_add(p, "a.weight", 4, (int64_t[]){ WIDE, IN, 3, 3 }, INIT_TORCH, 1, IN * 9, WIDE * 9);
	(void)params_add(p, "a.bias", 1, (int64_t[]){ WIDE }, INIT_TORCH, 1, IN * 9, WIDE * 9);
	(void)params_add(p, "b.weight", 4, (int64_t[]){ WIDE, WIDE, 1, 1 }, INIT_TORCH, 1, WIDE, WIDE);
	(void)params_add(p, "b.bias", 1, (int64_t[]){ WIDE }, INIT_TORCH, 1, WIDE, WIDE);
	return p;
}

static float *initial(const struct params *p)
{
	float *w = xaligned(params_floats(p) * sizeof *w);
	memset(w, 0, params_floats(p) * sizeof *w);
	params_init(p, w, 3);
	return w;
}

Test(param_store, parameters_come_back_as_they_went)
{
	struct backend *b = open_device(DTYPE_FP32);
	struct params *p = params();
	struct err e = ERR_INIT;
	SCOPED(free) float *there = initial(p), *back = initial(p);
	float *on;
	memset(back, 0, params_floats(p) * sizeof *back);
	cr_assert_eq(params_lend(&on, b, p, there, &e), 0, "%s", e.msg);
	params_download(b, p, back, on);
	cr_expect_arr_eq(back, there, params_floats(p) * sizeof *back);
	b->ops->memory.download(b, back, on, params_floats(p) * sizeof *back);
	cr_expect(back[1] == there[9], "the second input channel of the first tap follows the first's");
	backend_return(b, on, there);
	params_free(p);
}

/* The gradients of a small network, in the order of the state dict; as_read: from stores as the products read them. */
static void gradients(float *out, struct backend *b, const struct params *p, bool as_read)
{
	struct err e = ERR_INIT;
	SCOPED(free) float *w = initial(p);
	struct graph *g = graph_new_on(b);
	struct tensor *x = graph_input(g, "x", 2, 5, 6, IN), *t[N_PARAMS];
	float *on, *grad = b->ops->memory.alloc(b, params_floats(p) * sizeof *grad, &e);
	void *low;
	cr_assert(grad, "%s", e.msg);
	if (as_read)
		graph_by_taps(g, STORE_STUDENT);
	for (int i = 0; i < N_PARAMS; i++) {
		const struct param *q = params_get(p, i);
		bool vector = q->ndim == 1;
		t[i] = graph_param(g, q->name, STORE_STUDENT, q->at, vector ? 1 : q->dims[0], vector ? 1 : q->dims[1],
		                   vector ? 1 : q->dims[2], vector ? q->dims[0] : q->dims[3]);
	}
	x->needs_grad = true;
	struct tensor *y = graph_silu(g, graph_conv2d(g, x, t[0], t[1], 1, 1, 1, false));
	y = graph_conv2d(g, y, t[2], t[3], 1, 0, 0, false);
	struct tensor *in[] = { x, y->grad = graph_input(g, "dy", 2, 5, 6, WIDE) };
	graph_backward(g, y);
	if (b->dtype == DTYPE_BF16)
		cr_assert_gt(graph_set_low(g), 1);
	cr_assert_eq(graph_try_plan(g, &e), 0, "%s", e.msg);
	cr_assert_eq(as_read ? params_lend(&on, b, p, w, &e) : backend_lend(&on, b, w, params_floats(p), &e), 0, "%s",
	             e.msg);
	cr_assert_eq(params_low_alloc(&low, b, p, &e), 0, "%s", e.msg);
	params_round(b, p, low, on);
	graph_bind(g, STORE_STUDENT, on);
	graph_bind(g, STORE_GRAD, grad);
	graph_bind_low(g, STORE_STUDENT, as_read ? low : NULL);
	for (int i = 0; i < 2; i++) {
		SCOPED(free) float *values = xcalloc(tensor_count(in[i]), sizeof *values);
		rng_normal(values, tensor_count(in[i]), 9, RNG_SYNTHETIC, (uint32_t)i, 0);
		graph_write(g, in[i], 0, values, tensor_count(in[i]));
	}
	graph_run(g);
	memset(out, 0, params_floats(p) * sizeof *out);
	if (as_read)
		params_download(b, p, out, grad);
	else
		b->ops->memory.download(b, out, grad, params_floats(p) * sizeof *out);
	cr_assert_eq(backend_check(b, &e), 0, "%s", e.msg);
	graph_free(g);
}

static void expect_same_gradients(void)
{
	struct params *p = params();
	SCOPED(free) float *want = initial(p), *got = initial(p);
	for (int dtype = DTYPE_FP32; dtype < N_DTYPES; dtype++) {
		struct backend *b = open_device((enum dtype_kind)dtype);
		gradients(want, b, p, false);
		gradients(got, b, p, true);
		cr_expect_arr_eq(got, want, params_floats(p) * sizeof *got, "%s", dtype_name((enum dtype_kind)dtype));
		cr_expect_neq(want[0], 0);
		backend_free(b);
	}
	params_free(p);
}

Test(param_store, gradients_are_the_same_in_either_order)
{
	expect_same_gradients();
}

/* The plugin's own products, where the libraries are missing. */
Test(param_store, gradients_of_own_products_are_the_same_in_either_order)
{
	cr_assert_eq(setenv("ABLATE_CUBLASLT", "none", 1), 0);
	cr_assert_eq(setenv("ABLATE_CUDNN", "none", 1), 0);
	expect_same_gradients();
}
