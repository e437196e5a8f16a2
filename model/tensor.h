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

enum tensor_role {
	TENSOR_TEMP,   /* made by a node, lives in the graph's planned memory */
	TENSOR_INPUT,  /* written by the caller before a run, never reused for anything else */
	TENSOR_PARAM,  /* a slice of a flat store: parameters, their gradients, frozen weights */
};

/* Flat stores that parameter tensors point into; bound before a run. */
enum store { STORE_STUDENT, STORE_TEACHER, STORE_GRAD, STORE_FROZEN, STORE_DIFFUSION, N_STORES };

struct tensor {
	const char *name;
	int64_t n, h, w, c;
	enum tensor_role role;
	bool needs_grad, keep;       /* keep: still readable after the run */
	enum store store;            /* TENSOR_PARAM: which store ... */
	size_t at;                   /* ... and the first element in it */
	struct node *maker;          /* NULL for inputs and parameters */
	struct tensor *grad;         /* set by graph_backward */
	struct tensor *alias;        /* planned in place of this tensor's memory; NULL = own memory */
	int first, last;             /* first and last node that touches it (planning) */
	size_t offset;               /* bytes into the graph's memory (TEMP, INPUT) */
	float *data;                 /* CPU: the values */
	double *ref;                 /* reference run: the values in double */
};

static inline size_t tensor_count(const struct tensor *t)
{
	return (size_t)(t->n * t->h * t->w * t->c);
}

static inline int64_t tensor_pixels(const struct tensor *t) /* rows of C values */
{
	return t->n * t->h * t->w;
}

#endif
