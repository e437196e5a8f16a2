/* op.h - what an op is: one row of ops.def, one `const struct op_row op_NAME` in ops/NAME.c.
 *
 * Each op has a specification in double (ref, written to be read), a CPU path and, if gradients flow through it, a
 * recorder that appends the backward nodes to the graph, so that the planner sees forward and backward alike. The order
 * of a node's sources and destinations is given in the comment above the op's row. */
#ifndef ABLATE_OP_H
#define ABLATE_OP_H

#include "model/graph/step_control.h"
#include "model/graph/tensor.h"

enum op {
#define OP(name, part) OP_##name,
#include "model/ops/ops.def"
#undef OP
	N_OPS
};

enum { MAX_SRC = 9, MAX_DST = 5 };

enum norm_mode { NORM_PLAIN, NORM_ADD, NORM_SCALE_SHIFT };
enum dist_kind {
	DIST_HUBER,
	DIST_CAUCHY_SUM,
	DIST_CAUCHY_MEAN,
	DIST_L2_SUM,
	DIST_L2_MEAN,
	DIST_L1_SUM,
	DIST_L1_MEAN,
	DIST_HUBER_PIXEL,
	DIST_HUBER_ELEMENT
};

/* Of the ops that are given their settings as one. ceil: the last window may begin where a whole one does not fit;
 * pad_counts: an average divides by the pixels of the padding, too. */
struct pool_args {
	int k, stride, pad;
	bool average, pad_counts, ceil;
};
struct embed_args {
	bool endpoint, sin_first;
};

/* Dropout of what is drawn for layer `layer` (dropout.h); p = 0: none. */
struct drop {
	double p;
	uint32_t layer;
};
struct norm_args {
	int groups;
	double eps;
	bool silu;
	enum norm_mode mode;
	struct drop drop; /* of the result */
};

/* Settings of one node; each op reads its own member. */
union op_args {
	struct {
		int stride, pad_h, pad_w;
		bool relu;
	} conv;
	struct norm_args norm;
	struct {
		double s;
	} scale;
	/* down: y[i] = sum_a f[a] x[2i + a - pad]; up: y[2i + a - pad] += f[a] x[i], per axis, f = taps * gain */
	struct {
		bool up;
		int taps, pad;
		double gain;
	} resample;
	struct {
		double p, eps;
	} power;
	struct {
		int64_t first;
	} slice;
	struct {
		int heads;
	} attention;
	struct embed_args embed;
	struct {
		bool quick;
	} gelu;
	struct {
		enum dist_kind kind;
		double c;
	} dist;
	struct {
		int patch;
		bool inverse;
	} shuffle;
	struct pool_args pool;
};

struct node {
	enum op op;
	int index, n_src, n_dst;
	struct tensor *src[MAX_SRC], *dst[MAX_DST]; /* an absent optional source is NULL */
	struct tensor *work; /* scratch that lives in this node only; NULL until prepare asks for it */
	union op_args args;
	const struct step_scalars *step; /* host memory: of the graph; a device has a copy of its own */
	void *state;                     /* of the back end: primitives, ... */
	/* Its products take floats unrounded: in fp32, and in any precision by graph_set_exact, and of vectors per
	 * sample, whose neighbours in the teacher's pass (model/nets/change.h) differ by less than tf32 keeps. */
	bool exact;
	bool again; /* a repeat (graph_repeat.h): only dst[0] is to be made, the others hold their values already */
};

struct graph;

/* A tensor's channels that are a range of a wider one's. */
struct channels {
	struct tensor *wide, *part;
	int64_t at;
};

struct op_row {
	const char *name, *meaning;
	void (*ref)(struct node *nd);                       /* src[i]->ref -> dst[i]->ref */
	size_t (*prepare)(struct node *nd);                 /* CPU: makes state, returns bytes of scratch; may be NULL */
	void (*cpu)(struct node *nd);                       /* src[i]->data -> dst[i]->data */
	void (*release)(struct node *nd);                   /* frees state; may be NULL */
	void (*backward)(struct graph *g, struct node *nd); /* records; NULL: no gradient flows */
	/* Records the first-order change of dst[0] where src[i] changes by d[i] (NULL: not at all; one of them does), and
	 * returns it (graph_forward_mode). NULL: no change flows. Every op with a backward has one. */
	struct tensor *(*jvp)(struct graph *g, struct node *nd, struct tensor *const *d);
	double (*flops)(const struct node *nd); /* multiply-adds count 2; NULL: not counted */
	int (*sums)(
		const struct node *nd); /* which dst may have the sums of dst[0] over its pixels: graph_sum_pixels; 0: none */
	bool strided;               /* a device's kernel takes tensors with a pitch (tensor_pitch) */
	/* Of ops that do nothing but move channels: the i-th range; false: there is none. */
	bool (*channels)(const struct node *nd, int i, struct channels *out);
	bool inplace;     /* dst[0] may take over src[0]'s memory */
	bool inplace_cpu; /* so it may on the CPU */
	bool cheap;       /* dst[0] is made again rather than kept for long: graph_repeat.h */
	bool low;         /* reads 16-bit tensors and may leave dst[0] in one (graph_set_low) */
};

#define OP(name, part) extern const struct op_row op_##name;
#include "model/ops/ops.def"
#undef OP

/* The one call upward: a graph asks its ops, which are above it (ops/ops.c), by their numbers. */
const struct op_row *op_row(enum op op);
/* For ops that the CPU never runs in training: the specification, on floats. */
void op_cpu_by_ref(struct node *nd);

#endif
