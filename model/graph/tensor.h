/* tensor.h - shapes, dtypes and where a tensor's values live.
 *
 * A tensor is (N,H,W,C), C innermost; a vector per sample is (N,1,1,C). Convolution weights are (Cout,Cin,kh,kw) in the
 * same four fields, in the order of the field's checkpoints (OIHW); a matrix is (out,in,1,1). Tensors belong to their
 * graph's arena and are never freed singly. */
#ifndef ABLATE_TENSOR_H
#define ABLATE_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct node;

/* How a value is stored. Results that a device may round to TENSOR_BF16 are chosen by graph_set_low; all else is
 * float. */
enum tensor_type { TENSOR_F32, TENSOR_BF16 };

enum tensor_role {
	TENSOR_TEMP,  /* made by a node, lives in the graph's planned memory */
	TENSOR_INPUT, /* written by the caller before a run, never reused for anything else */
	TENSOR_PARAM, /* a slice of a flat store: parameters, their gradients, frozen weights */
};

/* Flat stores that parameter tensors point into; bound before a run. */
enum store { STORE_STUDENT, STORE_TEACHER, STORE_GRAD, STORE_FROZEN, STORE_DIFFUSION, STORE_AVERAGE, N_STORES };

struct tensor {
	const char *name;
	int64_t n, h, w, c;
	enum tensor_role role;
	enum tensor_type type;
	bool needs_grad, keep;  /* keep: still readable after the run */
	enum store store;       /* TENSOR_PARAM: which store ... */
	size_t at;              /* ... and the first element in it */
	bool by_taps;           /* weights of a convolution that lie as (Cout,kh,kw,Cin): see graph_by_taps */
	const void *low;        /* TENSOR_PARAM: its values rounded to bf16, kept by whoever changes them; or NULL */
	struct node *maker;     /* NULL for inputs and parameters */
	struct tensor *grad;    /* set by graph_backward */
	struct tensor *tangent; /* its first-order change, recorded in forward mode (graph.h); NULL: it does not change */
	struct tensor *alias;   /* planned in place of this tensor's memory; NULL = own memory */
	struct tensor *wide;    /* planned as channels [wide_at, wide_at + c) of this one, whose rows it shares; or NULL */
	int64_t wide_at;
	int first, last; /* first and last node that touches it (planning) */
	size_t offset;   /* bytes into the graph's memory (TEMP, INPUT) */
	float *data;     /* the values, in the back end's memory; TENSOR_BF16: 16-bit ones */
	float *host; /* per-sample numbers (N,1,1,1) that are inputs: where the host writes them; data itself on the CPU */
	double *ref; /* reference run: the values in double */
};

static inline size_t tensor_count(const struct tensor *t)
{
	return (size_t)(t->n * t->h * t->w * t->c);
}

static inline size_t tensor_bytes(const struct tensor *t)
{
	return tensor_count(t) * (t->type == TENSOR_BF16 ? 2 : 4);
}

/* Values from a pixel's first channel to the next pixel's. */
static inline int64_t tensor_pitch(const struct tensor *t)
{
	return t->wide ? t->wide->c : t->c;
}

/* Are t's values channels of `wide` from `at` on? */
static inline bool tensor_lies_in(const struct tensor *t, const struct tensor *wide, int64_t at)
{
	return t->wide == wide && t->wide_at == at;
}

static inline int64_t tensor_pixels(const struct tensor *t) /* rows of C values */
{
	return t->n * t->h * t->w;
}

static inline bool tensor_is_vector(const struct tensor *t) /* one per sample */
{
	return t->h * t->w == 1;
}

#endif
