/* net.h - networks as functions that build graphs (NETWORKS.md describes them; EDM's SongUNet and DhariwalUNet).
 *
 * A net_spec is the shape of a network; net_params lists its parameters in state-dict order; net_forward records
 * F(x, c_noise, labels) on tensors of one store. Building twice (student, teacher) makes two uses of one parameter list. */
#ifndef ABLATE_NET_H
#define ABLATE_NET_H

#include "model/config.h"
#include "model/graph.h"
#include "model/params.h"

struct net_spec {
	enum net_kind kind;
	int h, w, in_c, out_c;        /* the image that the network sees (after net.patch) */
	int channels, blocks, n_mult, mult[KNOB_LIST_MAX], n_attn, attn[KNOB_LIST_MAX], classes;
	double dropout, fourier_scale;
	bool fourier;                 /* noise embedding: Fourier (ncsnpp) or positional */
	bool residual;                /* encoder with the auxiliary image (ncsnpp) */
	int taps;                     /* resample filter: 2 = [1,1], 4 = [1,3,3,1] */
};

struct net_spec net_spec_of(const struct run_config *c);
struct params *net_params(const struct net_spec *s);

struct net_inputs {
	struct tensor *x;             /* (N,h,w,in_c) */
	struct tensor *c_noise;       /* (N,1,1,1) */
	struct tensor *labels;        /* (N,1,1,classes) one-hot; NULL if unconditional */
	struct tensor **masks;        /* NULL, or one dropout mask per block in order of use */
	int n_masks;
	uint32_t first_layer;         /* number of the first dropout layer: the teacher's when masks are not shared */
	bool train;                   /* dropout on */
};

/* Returns F (N,h,w,out_c). */
struct tensor *net_forward(struct graph *g, const struct net_spec *s, const struct params *p, enum store store, const struct net_inputs *in);
int net_dropout_layers(const struct net_spec *s); /* how many masks one forward uses */

#endif
