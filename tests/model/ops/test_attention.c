/* test_attention.c - what the op runner does not ask of attention on the CPU: its bits are those of one thread whatever
 * the number of threads, and a change's error is relative to the change, however small. Trained numbers stand on the
 * first; the second is what attention_change is for: the difference of two results has no right digit at 1e-7. */
#include "model/base/cpu.h"
#include "model/base/mem.h"
#include "model/base/rng.h"
#include "model/cpu/devices.h"
#include "model/graph/graph_impl.h"
#include "model/train/model.h"
#include "tests/common/random_input.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { N = 3, HEADS = 2, MOST = 65536 };

struct made {
	struct graph *g;
	struct tensor *y, *dqkv, *change;
};

static struct made make(int64_t h, int64_t w, int64_t ch, float spread)
{
	struct graph *g = graph_new_on(backend_cpu());
	struct tensor *qkv = graph_input(g, "qkv", N, h, w, 3 * HEADS * ch), *d = graph_input(g, "d", N, h, w, qkv->c),
				  *dy = graph_input(g, "dy", N, h, w, HEADS * ch);
	qkv->needs_grad = true;
	struct made m = { g, graph_attention(g, qkv, HEADS), NULL, NULL };
	m.change = graph_attention_change(g, qkv, d, m.y->maker->dst[1], HEADS);
	m.y->grad = dy;
	graph_keep(m.y);
	graph_keep(m.change);
	graph_backward(g, m.y);
	m.dqkv = qkv->grad;
	graph_plan_guarded(g);
	random_input(g, qkv, 5, 1, 1);
	random_input(g, d, 5, 2, spread);
	random_input(g, dy, 5, 3, 1);
	return m;
}

static void results(float *values, int threads)
{
	cpu_set_threads(threads);
	struct made m = make(9, 9, 24, 1e-2f);
	graph_run(m.g);
	struct tensor *all[] = { m.y, m.dqkv, m.change };
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		graph_read(m.g, values, all[i], 0, tensor_count(all[i]));
		values += tensor_count(all[i]);
	}
	graph_free(m.g);
}

Test(attention, threads)
{
	static float one[MOST], other[MOST];
	model_init(0);
	results(one, 1);
	for (const int *threads = (const int[]){ 2, 3, 7, 0 }; *threads; threads++) {
		results(other, *threads);
		cr_expect(memcmp(one, other, sizeof one) == 0, "%d threads give other bits", *threads);
	}
}

static double change_error(float spread)
{
	struct made m = make(7, 7, 48, spread);
	graph_run_ref(m.g);
	graph_run(m.g);
	double off = 0, norm = 0;
	for (size_t i = 0; i < tensor_count(m.change); i++) {
		double d = (double)m.change->data[i] - m.change->ref[i];
		off += d * d;
		norm += m.change->ref[i] * m.change->ref[i];
	}
	graph_free(m.g);
	return sqrt(off / norm);
}

Test(attention, change_is_exact_to_its_own_size)
{
	model_init(0);
	for (float spread = 30; spread > 1e-6f; spread /= 10) {
		double error = change_error(spread), allowed = spread > 10 ? 2e-5 : 2e-6; /* logits of thousands */
		cr_expect(error < allowed, "a change of %g is off by %g of itself", (double)spread, error);
	}
}
