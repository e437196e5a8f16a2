/* convs_of_step.c - see convs_of_step.h. */
#include "tests/model/cuda/convs_of_step.h"

#include "model/config/net_spec.h"
#include "model/consistency/step.h"
#include "model/cpu/devices.h"
#include "model/graph/graph.h"
#include "model/graph/params.h"
#include "model/ops/conv_shape.h"

#include <string.h>

/* What one node asks for: x, w and y are its tensors by pass. */
static bool conv_of(struct step_conv *out, const struct node *nd)
{
	static const struct {
		enum op op;
		bool from[3]; /* x, w, y: is it dst[0]? */
		int at[3];    /* else src[at] */
	} rows[] = {
		[DNN_FORWARD] = { OP_conv2d, { false, false, true }, { 0, 1, 0 } },
		[DNN_BACKWARD_DATA] = { OP_conv2d_bwd_data, { true, false, false }, { 0, 1, 0 } },
		[DNN_BACKWARD_WEIGHTS] = { OP_conv2d_bwd_weights, { false, true, false }, { 0, 0, 1 } },
	};
	for (int pass = 0; pass < 3; pass++) {
		const struct tensor *t[3];
		if (nd->op != rows[pass].op)
			continue;
		for (int i = 0; i < 3; i++)
			t[i] = rows[pass].from[i] ? nd->dst[0] : nd->src[rows[pass].at[i]];
		const struct tensor *x = t[0], *w = t[1], *y = t[2];
		memset(out, 0, sizeof *out); /* compared as bytes */
		out->shape = conv_shape_of(nd, x, w, y);
		out->pass = (enum dnn_pass)pass;
		out->low = (pass == DNN_BACKWARD_DATA ? x : y)->type == TENSOR_BF16;
		out->bias = pass == DNN_FORWARD && nd->src[2];
		out->relu = pass == DNN_FORWARD && nd->args.conv.relu;
		out->exact = nd->exact;
		return !conv_is_matmul(&out->shape);
	}
	return false;
}

static void no_round(struct backend *b, void *low, const float *values, size_t n)
{
	(void)b, (void)low, (void)values, (void)n;
}

int convs_of_step(struct step_conv *out, int most, const char *preset, int batch)
{
	/* As a card in bf16 records it: with tensors of 16 bits. Nothing runs. */
	struct backend_ops ops = *backend_cpu()->ops;
	ops.training.round = no_round;
	struct backend low = { .ops = &ops, .name = "low", .dtype = DTYPE_BF16 };
	struct run_config c;
	struct err e = ERR_INIT;
	struct node **nodes;
	int found = 0;
	config_defaults(&c);
	if (config_preset(&c, preset, &e) || config_finish(&c, &e))
		return -1;
	struct net_spec net = net_spec_of(&c);
	struct params *p = net_params(&net);
	struct graph *g = graph_new_on(&low);
	(void)step_build(g, &c, &net, p, &(struct step_options){ .batch = batch, .backward = true });
	(void)graph_set_low(g);
	int n = graph_nodes(g, &nodes);
	for (int i = 0; i < n && found < most; i++) {
		int k = 0;
		if (!conv_of(&out[found], nodes[i]))
			continue;
		while (k < found && memcmp(&out[k], &out[found], sizeof *out) != 0)
			k++;
		found += k == found;
	}
	graph_free(g);
	params_free(p);
	return found;
}
