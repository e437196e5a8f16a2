/* lpips_graph.c - see lpips_graph.h. The graph is the training loss's; what it keeps is each tap's part, and their sum
 * is made in double. */
#include "model/frozen/lpips_graph.h"

#include "model/base/mem.h"
#include "model/frozen/lpips_loss.h"

#include <stdlib.h>

struct lpips_graph {
	struct backend *b;
	struct graph *g;
	struct lpips_loss net;
	float *weights_on;
	struct tensor *in0, *in1, *part[LPIPS_MAX_TAPS];
	int n_parts, batch;
	float *values; /* one part of a batch */
};

void lpips_graph_free(struct lpips_graph *x)
{
	if (!x)
		return;
	graph_free(x->g);
	backend_return(x->b, x->weights_on, x->net.weights);
	lpips_loss_release(&x->net);
	free(x->values);
	free(x);
}

static int prepare(struct lpips_graph *x, const struct lpips_options *o, const struct safetensors *backbone,
                   const struct safetensors *heads, struct err *e)
{
	struct lpips_loss_options lo = { .net = o->net, .side = o->resize, .channels = 3, .average = o->average };
	if (lpips_loss_init(&x->net, &lo, backbone, heads, e) ||
	    backend_lend(&x->weights_on, x->b, x->net.weights, params_floats(x->net.params), e))
		return -1;
	x->g = graph_new_on(x->b);
	graph_set_exact(x->g, true);
	x->in0 = graph_input(x->g, "in0", x->batch, o->h, o->w, 3);
	x->in1 = graph_input(x->g, "in1", x->batch, o->h, o->w, 3);
	x->n_parts = lpips_loss_parts(x->part, x->g, &x->net, x->in0, x->in1);
	for (int k = 0; k < x->n_parts; k++)
		graph_keep(x->part[k]);
	if (graph_try_plan(x->g, e))
		return err_in(e, "%d pairs of %d x %d", x->batch, o->h, o->w);
	graph_bind(x->g, STORE_FROZEN, x->weights_on);
	return 0;
}

int lpips_graph_open(struct lpips_graph **out, const struct lpips_options *o, const struct safetensors *backbone,
                     const struct safetensors *heads, struct backend *b, int batch, struct err *e)
{
	struct lpips_graph *x = xcalloc(1, sizeof *x);
	x->b = b;
	x->batch = batch;
	x->values = xcalloc((size_t)batch, sizeof *x->values);
	if (prepare(x, o, backbone, heads, e)) {
		lpips_graph_free(x);
		return -1;
	}
	*out = x;
	return 0;
}

static int run_batch(struct lpips_graph *x, double *distance, double *layers, const float *in0, const float *in1, int n,
                     struct err *e)
{
	size_t per = tensor_count(x->in0) / (size_t)x->batch;
	graph_write(x->g, x->in0, 0, in0, per * (size_t)n);
	graph_write(x->g, x->in1, 0, in1, per * (size_t)n);
	graph_run(x->g);
	for (int i = 0; i < n; i++)
		distance[i] = 0;
	for (int k = 0; k < x->n_parts; k++) {
		graph_read(x->g, x->values, x->part[k], 0, (size_t)n);
		for (int i = 0; i < n; i++) {
			distance[i] += (double)x->values[i];
			if (layers)
				layers[i * x->n_parts + k] = (double)x->values[i];
		}
	}
	return backend_check(x->b, e);
}

int lpips_graph_run(struct lpips_graph *x, double *distance, double *layers, const float *in0, const float *in1, int n,
                    struct err *e)
{
	size_t per = tensor_count(x->in0) / (size_t)x->batch;
	for (int i = 0; i < n; i += x->batch) {
		int count = n - i < x->batch ? n - i : x->batch;
		if (run_batch(x, distance + i, layers ? layers + i * x->n_parts : NULL, in0 + (size_t)i * per,
		              in1 + (size_t)i * per, count, e))
			return -1;
	}
	return 0;
}
