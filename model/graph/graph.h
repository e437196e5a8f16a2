/* graph.h - a record of ops, planned once and run many times.
 *
 *     struct graph *g = graph_new_on(b);                        // graph_new() of devices.h: on the CPU
 *     struct tensor *x = graph_input(g, "x", 64, 28, 28, 1);
 *     struct tensor *y = graph_conv2d(g, x, w, b, ...);         // only records
 *     graph_backward(g, loss);                                  // appends the backward nodes
 *     graph_plan(g);                                            // liveness, one block of memory, primitives
 *     graph_bind(g, STORE_STUDENT, theta);
 *     for (;;) { fill x->data; graph_run(g); read loss->data; } // no allocation inside
 *
 * Shapes are our own responsibility once a config is checked, so a mismatch is BUG(). */
#ifndef ABLATE_GRAPH_H
#define ABLATE_GRAPH_H

#include "model/base/err.h"
#include "model/graph/op.h"

#include <stdio.h>

struct graph;

struct backend;
struct graph *graph_new_on(struct backend *b); /* b must outlive it */
void graph_free(struct graph *g);

/* Tensors that no node makes. An input's data may be written after graph_plan and keeps its values between runs. */
struct tensor *graph_input(struct graph *g, const char *name, int64_t n, int64_t h, int64_t w, int64_t c);
struct tensor *graph_param(struct graph *g, const char *name, enum store store, size_t at, int64_t n, int64_t h,
                           int64_t w, int64_t c);
/* Before recording: the store's convolution weights, and their gradients, will lie in the order that the back end's
 * products read, as param_store.h brings them there; nothing changes where that is the state dict's. */
void graph_by_taps(struct graph *g, enum store store);
void graph_keep(struct tensor *t); /* its values stay readable after a run */

/* Records backward nodes of `loss` (any tensor; its own gradient is 1 everywhere unless loss->grad was set before).
 * Gradients of STORE_STUDENT parameters go to STORE_GRAD at the same place; those of inputs with needs_grad are in
 * t->grad. */
void graph_backward(struct graph *g, struct tensor *loss);

/* What takes the gradients of STORE_STUDENT's parameters during a run. */
struct graph_taker {
	void *ctx;
	/* The forward pass has run: what it keeps is ready. */
	void (*begin)(void *ctx);
	/* The gradient of the parameter at [at, at + n) of the stores is whole, and nothing else in this run reads the
	 * parameter, so it may change. grad: memory of the back end, the taker's only during the call. */
	void (*take)(void *ctx, size_t at, size_t n, const float *grad);
};
/* After graph_backward, before planning: parameters' gradients are in planned memory, each from its making until it is
 * taken, and not in STORE_GRAD. Called on the thread of the run. */
void graph_hand_over(struct graph *g, struct graph_taker to);
/* Is the parameter at this place of STORE_STUDENT among them? One that no gradient reaches is not. */
bool graph_hands_over(const struct graph *g, size_t at);

/* Whether nodes recorded from here on, and their backward nodes, compute in float whatever the back end's precision:
 * metrics between two answers that nearly agree. */
void graph_set_exact(struct graph *g, bool exact);
/* Forward mode: whether nodes recorded from here on also record the first-order change of their first result, from
 * those of their sources:
 *     x->tangent = v;                                     // v: a tensor of x's shape, from anywhere in the graph
 *     graph_forward_mode(g, true);
 *     y = net_forward(g, ...);                            // records each node and, after it, its change
 *     graph_forward_mode(g, false);
 *     y->tangent                                          // J v, or NULL where nothing of y changes
 * A node's change is recorded by its op's jvp (op.h), which reads what the node has made anyway: a norm's statistics,
 * attention's weights. No gradient flows through tangents, and none of them has a tangent. An op without a rule passes
 * no change on: graph_detached stops tangents as it stops gradients. */
void graph_forward_mode(struct graph *g, bool on);
/* Chooses the tensors that a device keeps in 16 bits (bf16): images of activations and of their gradients that only ops
 * with .low make and read. What the preconditioning, the metric or the caller reads stays float, so the last layer
 * computes in float; so do parameters, their gradients, statistics and per-sample vectors. After recording, before
 * planning; returns how many. */
int graph_set_low(struct graph *g);
/* Out of memory: an error that says how much was asked for; graph_plan, for the CPU, does not fail. */
MUST_CHECK int graph_try_plan(struct graph *g, struct err *e);
void graph_plan(struct graph *g);
/* Finds what graph_try_plan would ask the back end for, as graph_bytes, and asks for nothing: the graph can then only
 * be freed. */
MUST_CHECK int graph_measure(struct graph *g, struct err *e);
/* As graph_plan, for tests: no memory is shared, every tensor starts as NaN and lies between guard words. */
void graph_plan_guarded(struct graph *g);
/* NULL, or the name of the op whose run changed a guard word. */
const char *graph_check_guards(const struct graph *g);
void graph_bind(struct graph *g, enum store store, float *values); /* values: memory of the graph's back end */
/* low: a store's values in bf16 beside it, place for place, which the caller keeps equal (param_store.h); or NULL. */
void graph_bind_low(struct graph *g, enum store store, const void *low);
void graph_set_step(struct graph *g, uint64_t seed, uint32_t step);
/* The place of the first sample in a batch that several processes share (0 unless said); dropout draws by it. */
void graph_set_first(struct graph *g, uint32_t first);
void graph_run(struct graph *g); /* starts it; on a device results are ready after graph_read or backend_check */
/* Called after every node of a run, on the calling thread, with the node's number. NULL: nothing is. */
void graph_after_node(struct graph *g, void (*call)(void *ctx, int node), void *ctx);
/* Values [first, first + n) of a tensor from and to host memory, as floats whatever their type. After planning. */
void graph_write(struct graph *g, struct tensor *t, size_t first, const float *src, size_t n);
/* Copies what the host wrote to the inputs' t->host to the device. */
void graph_send(struct graph *g);
void graph_read(const struct graph *g, float *dst, const struct tensor *t, size_t first, size_t n);

/* The same record in double by the ops' specifications, for tests. Inputs and stores are read from their float data. */
void graph_run_ref(struct graph *g);
void graph_free_ref(struct graph *g);
/* The two halves of graph_run_ref: load makes t->ref of every tensor from its float data; rerun keeps the doubles that
 * inputs and params hold there (finite differences perturb them; parity puts coefficients that are not floats). */
void graph_load_ref(struct graph *g);
void graph_rerun_ref(struct graph *g);

size_t graph_bytes(const struct graph *g);   /* planned memory */
double graph_flops(const struct graph *g);   /* multiply-adds count 2; convolutions and attention only */
double graph_traffic(const struct graph *g); /* bytes that its nodes read and write, each tensor once per node */
int graph_nodes(const struct graph *g, struct node ***nodes);
/* Where the time of runs went, the first left out: per kind of node and for the shapes that take most; and the engines
 * of convolutions that a library computes. Nothing unless ABLATE_PROFILE was set when the graph was planned; then every
 * node is waited for, and runs cannot be recorded (ops->programs). */
void graph_profile(const struct graph *g, FILE *f);
bool graph_profiled(const struct graph *g);

/* ---- recording (used by ops/NAME.c and nets) ------------------------------------------------- */

struct tensor *graph_temp(struct graph *g, int64_t n, int64_t h, int64_t w, int64_t c);
struct tensor *graph_like(struct graph *g, const struct tensor *t);
/* Appends a node; absent sources are NULL. dst[0] needs a gradient if the op has a backward and any source needs
 * one. */
struct node *graph_node(struct graph *g, enum op op, const union op_args *args, int n_src, struct tensor *const *src,
                        int n_dst, struct tensor *const *dst);
/* Records nd once more, with these sources; returns its first result. */
struct tensor *graph_again(struct graph *g, const struct node *nd, struct tensor *const *src);
/* Adds one contribution to t's gradient (recording a sum when there is one already). */
void graph_add_grad(struct graph *g, struct tensor *t, struct tensor *grad);
/* Takes t's gradient so far (NULL when none): the caller adds it itself and hands in the sum with graph_add_grad. */
struct tensor *graph_take_grad(struct tensor *t);
/* The tensor that t's gradient is to be written to by a node that makes all of it: STORE_GRAD's slice for a
 * parameter. */
struct tensor *graph_grad_dst(struct graph *g, struct tensor *t);
/* On a device: makes sums (1,1,1,C) the sum of x over its pixels if the node that makes x can add it up on the way, or
 * has done so before. false: the caller has to. */
bool graph_sum_pixels(struct graph *g, struct tensor *sums, struct tensor *x);

/* ---- ops: each records one node and returns its result --------------------------------------- */

struct tensor *graph_conv2d(struct graph *g, struct tensor *x, struct tensor *w, struct tensor *b, int stride,
                            int pad_h, int pad_w, bool relu);
/* e: NULL (plain), (N,1,1,C) added before the norm, or (N,1,1,2C) scale then shift, by mode. */
struct tensor *graph_groupnorm(struct graph *g, struct tensor *x, struct tensor *w, struct tensor *b, struct tensor *e,
                               struct norm_args how);
/* Over each pixel's channels; w and b (1,1,1,C). */
struct tensor *graph_layernorm(struct graph *g, struct tensor *x, struct tensor *w, struct tensor *b, double eps);
struct tensor *graph_silu(struct graph *g, struct tensor *x);
/* x times the normal distribution function of x; quick: x sigmoid(1.702 x), its approximation. */
struct tensor *graph_gelu(struct graph *g, struct tensor *x, bool quick);
/* (N,1,H*W+1,C): a token of the table's own, then x's pixels, all plus table (1,1,H*W+1,C). */
struct tensor *graph_tokens(struct graph *g, struct tensor *x, struct tensor *table);
struct tensor *graph_add_scaled(struct graph *g, struct tensor *a, struct tensor *b, double s);
struct tensor *graph_scale(struct graph *g, struct tensor *x, double s);
/* s everywhere, in x's shape. */
struct tensor *graph_constant(struct graph *g, const struct tensor *x, double s);
/* Per image, the sum of a b over its values (N,1,1,1); no gradient. */
struct tensor *graph_dot(struct graph *g, struct tensor *a, struct tensor *b);
/* taps 2 = [1,1], 4 = [1,3,3,1], normalised as model/README.md, "Resampling", says; pad < 0 = the filter's own. */
struct tensor *graph_resample(struct graph *g, struct tensor *x, bool up, int taps, int pad);
struct tensor *graph_concat(struct graph *g, struct tensor *a, struct tensor *b);
struct tensor *graph_slice(struct graph *g, struct tensor *x, int64_t first, int64_t c);
struct tensor *graph_attention(struct graph *g, struct tensor *qkv, int heads);
/* x times a mask of its size that is given; one that is drawn is part of the norm before it (struct norm_args). */
struct tensor *graph_dropout(struct graph *g, struct tensor *x, struct tensor *mask);
/* t (N,1,1,1) -> (N,1,1,c). freqs (1,1,1,c/2): Fourier features; NULL: positional, f_j = 10000^(-j/(c/2 -
 * endpoint)). */
struct tensor *graph_embed(struct graph *g, struct tensor *t, struct tensor *freqs, int64_t c, struct embed_args how);
struct tensor *graph_lincomb(struct graph *g, struct tensor *a, struct tensor *x, struct tensor *b, struct tensor *y);
struct tensor *graph_distance(struct graph *g, struct tensor *x, struct tensor *target, enum dist_kind kind, double c);
/* The same with a c for each sample, (N,1,1,1), which may change from run to run; no gradient flows to it. */
struct tensor *graph_distance_by(struct graph *g, struct tensor *x, struct tensor *target, enum dist_kind kind,
                                 struct tensor *c);
struct tensor *graph_weighted_mean(struct graph *g, struct tensor *d, struct tensor *w);
/* x / (|x| + c) per image; no gradient. */
struct tensor *graph_unit(struct graph *g, struct tensor *x, double c);
/* The mean of the pictures that a noisy one may have been, by likelihood (ops/posterior_mean.c); no gradient. */
struct posterior_sources {
	struct tensor *x, *own;         /* (N,H,W,C): the noisy pictures, and what each was made from */
	struct tensor *y;               /* (M,H,W,C): references */
	struct tensor *sigma;           /* (N,1,1,1): noise levels, above 0 */
	struct tensor *at;              /* (N,1,1,1): which reference is the sample's own picture, or -1 */
	struct tensor *label, *y_label; /* (N,1,1,1), (M,1,1,1): classes; references of another class do not count */
};
struct tensor *graph_posterior_mean(struct graph *g, const struct posterior_sources *s);
/* e^w d - w of numbers per sample. */
struct tensor *graph_learned_weight(struct graph *g, struct tensor *d, struct tensor *w);
/* (d + eps)^-p of numbers per sample, d + eps above 0; no gradient. */
struct tensor *graph_adaptive_weight(struct graph *g, struct tensor *d, double p, double eps);
/* To h x w pixels: bilinear, half-pixel centres, no antialias. */
struct tensor *graph_bilinear(struct graph *g, struct tensor *x, int64_t h, int64_t w);
struct tensor *graph_shuffle(struct graph *g, struct tensor *x, int patch, bool inverse);
struct tensor *graph_pool(struct graph *g, struct tensor *x, struct pool_args how);
struct tensor *graph_global_mean(struct graph *g, struct tensor *x);
/* w: (1,1,1,C) channel weights or NULL for ones. */
struct tensor *graph_feature_dist(struct graph *g, struct tensor *a, struct tensor *b, struct tensor *w);
struct tensor *graph_cross_entropy(struct graph *g, struct tensor *logits, struct tensor *one_hot);

/* ---- ops of a second pass that carries changes (change.h) ------------------------------------ */

/* a + s b, through which no gradient flows. */
struct tensor *graph_detached(struct graph *g, struct tensor *a, struct tensor *b, double s);
/* The parameters and the embedding of the first pass and of the second. */
struct norm_change {
	struct tensor *w[2], *b[2], *e[2];
};
/* groupnorm(x + d) by the second's numbers - groupnorm(x) by the first's; `args` of the first's node. */
struct tensor *graph_groupnorm_change(struct graph *g, struct tensor *x, struct tensor *d,
                                      const struct norm_change *numbers, const union op_args *args);
/* attention(qkv + d) - attention(qkv); weights: those that attention of qkv made, its second result. */
struct tensor *graph_attention_change(struct graph *g, struct tensor *qkv, struct tensor *d, struct tensor *weights,
                                      int heads);

#endif
