/* net_spec.c - see net_spec.h. */
#include "model/config/net_spec.h"

#include "model/data/shapes.h"

_Static_assert(KNOB_LIST_MAX <= NET_LEVELS_MAX, "what a list of a config holds, a network has room for");

struct net_spec net_spec_of(const struct run_config *c)
{
	struct data_shape shape;
	struct err e = ERR_INIT;
	if (data_shape_find(&shape, c->data.name, &e))
		BUG("unfinished config: %s", e.msg);
	int p = c->net.patch, channels = shape.c * p * p;
	struct net_spec s = { .kind = (enum net_kind)c->net.kind,
		                  .h = shape.h / p,
		                  .w = shape.w / p,
		                  .in_c = channels,
		                  .out_c = channels,
		                  .channels = c->net.channels,
		                  .blocks = c->net.blocks,
		                  .n_mult = c->net.mult.n,
		                  .n_attn = c->net.attn.n,
		                  .classes = c->net.classes,
		                  .dropout = c->net.dropout,
		                  .dropout_at = c->net.dropout_at,
		                  .fourier_scale = c->net.fourier_scale,
		                  .fourier = c->net.kind == NET_NCSNPP,
		                  .residual = c->net.kind == NET_NCSNPP,
		                  .taps = c->net.kind == NET_NCSNPP ? 4 : 2,
		                  .noise_mult = c->net.kind == NET_NCSNPP ? 2 : 1,
		                  .emb_mult = 4,
		                  .added = !c->net.scale_shift,
		                  .second_time = c->method.kind == METHOD_MEANFLOW,
		                  .weight_head = c->weight.kind == WEIGHT_LEARNED };
	for (int i = 0; i < s.n_mult; i++)
		s.mult[i] = c->net.mult.v[i];
	for (int i = 0; i < s.n_attn; i++)
		s.attn[i] = c->net.attn.v[i];
	return s;
}
