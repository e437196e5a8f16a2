/* net.h - networks as functions that build graphs (model/README.md, "Networks"; EDM's SongUNet and
 * DhariwalUNet).
 *
 * A net_spec is the shape of a network; net_params lists its parameters in state-dict order; net_forward records
 * F(x, c_noise, labels) on tensors of one store. Building twice (student, teacher) makes two uses of one parameter
 * list. */
#ifndef ABLATE_NET_H
#define ABLATE_NET_H

#include "model/graph/graph.h"
#include "model/nets/net_kind.h"
#include "model/graph/params.h"

struct net_spec {
	enum net_kind kind;
	int h, w, in_c, out_c; /* the image that the network sees (after net.patch) */
	int channels, blocks, n_mult, mult[NET_LEVELS_MAX], n_attn, attn[NET_LEVELS_MAX], classes;
	double dropout, fourier_scale;
	int dropout_at;   /* a block drops out if the height of what enters it is at most this; 0: every block does */
	bool fourier;     /* noise embedding: Fourier (ncsnpp) or positional */
	bool residual;    /* encoder with the auxiliary image (ncsnpp) */
	int taps;         /* resample filter: 2 = [1,1], 4 = [1,3,3,1] */
	int noise_mult;   /* SongUNet: width of the noise embedding in units of channels (1; ncsnpp 2) */
	int emb_mult;     /* width of the embedding that blocks see, in units of channels (4) */
	bool added;       /* adm: the embedding is added before norm1, as in the others, and does not scale and shift */
	bool second_time; /* it also gets how far its answer leads from c_noise (MeanFlow), embedded beside it */
	bool weight_head; /* it also answers a weight for its loss, a linear function of its noise embedding */
	int augment;      /* width of the augmentation labels of EDM's checkpoints; 0 = none */
};

/* Can it be built? EXIT_USAGE names the first layer whose width its groups, heads or waves do not divide. */
MUST_CHECK int net_check(const struct net_spec *s, struct err *e);
struct params *net_params(const struct net_spec *s);

struct net_inputs {
	struct tensor *x;       /* (N,h,w,in_c) */
	struct tensor *c_noise; /* (N,1,1,1) */
	struct tensor *c_gap;   /* (N,1,1,1) of net_spec.second_time; else NULL */
	struct tensor *labels;  /* (N,1,1,classes) one-hot; NULL if unconditional */
	struct tensor *augment; /* (N,1,1,augment), or NULL: not given */
	struct tensor **masks;  /* NULL, or one dropout mask per block that drops out, in order of use */
	int n_masks;
	uint32_t first_layer; /* number of the first dropout layer: the teacher's when masks are not shared */
	bool train;           /* dropout on */
	/* Where to put the weight (N,1,1,1) that it answers (net_spec.weight_head), or NULL: none is asked for. */
	struct tensor **weight;
};

/* Returns F (N,h,w,out_c). */
struct tensor *net_forward(struct graph *g, const struct net_spec *s, const struct params *p, enum store store,
                           const struct net_inputs *in);
int net_dropout_layers(const struct net_spec *s); /* how many masks one forward uses */
/* Which block the i-th of them is in ("enc.16x16_block0"), and the shape of what it masks. */
struct net_layer {
	char block[64];
	int h, w, c;
};
struct net_layer net_dropout_layer(const struct net_spec *s, int i);

/* ---- one residual block by itself (EDM networks, UNetBlock): for parity and for networks to come ---- */

enum resampling { SAME, DOWN, UP };
/* What the blocks of one network have in common. */
struct block_style {
	double skip_scale;  /* the sum with the skip is multiplied by it: sqrt(1/2) or 1 */
	double eps;         /* of the group norms */
	int taps;           /* resample filter, as above */
	bool resample_proj; /* a resampled skip passes a 1x1 convolution even when its width stays */
	bool adaptive;      /* the embedding scales and shifts after norm1, instead of being added before it */
};
struct block_spec {
	struct block_style style;
	int in_c, out_c, emb_c, h, w, heads;
	enum resampling how;
};                                                       /* heads 0: no attention */
struct params *block_params(const struct block_spec *s); /* "norm0.weight", ...: no prefix */
/* x (N,h,w,in_c), emb (N,1,1,emb_c) */
struct tensor *block_forward(struct graph *g, const struct block_spec *s, const struct params *p, enum store store,
                             struct tensor *x, struct tensor *emb);

#endif
