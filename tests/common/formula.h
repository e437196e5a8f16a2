/* formula.h - pictures, weights and vectors that any language can make from a name, bit for bit, by integer hashing:
 * what fixtures are computed on instead of being stored. The definition is FNV-1a 64 of the name, SplitMix64 of that
 * plus an index, and the upper 24 bits as a number in [-1, 1). */
#ifndef ABLATE_FORMULA_H
#define ABLATE_FORMULA_H

#include "model/base/err.h"

#include <stddef.h>
#include <stdint.h>

uint64_t formula_fnv(const char *s);
uint64_t formula_splitmix(uint64_t x);
uint64_t formula_hash(const char *s, uint64_t i); /* splitmix(fnv(s) + i) */
double formula_u(const char *s, uint64_t i);      /* in [-1, 1), exact in float */

/* One weight tensor by its state-dict key (without wrapper prefix) and shape: convolutions and linear layers by fan-in,
 * biases, and batch norm statistics. n = product of dims. */
void formula_weight(float *out, const char *key, const int64_t *dims, int n_dims);

/* A kind of picture ("A32", "B32", "C64", "D75x53", "E401x350"): its size and parameters. NULL when unknown. */
struct formula_kind {
	const char *name;
	int count, h, w, freq, bias[3], noise;
};
const struct formula_kind *formula_kind(const char *name);
/* Picture n of a seed string such as "A32p" (kind + one letter), H,W,C with C = 3, kind->h x kind->w. */
void formula_image(uint8_t *out, const struct formula_kind *kind, const char *seed, int n);
/* The picture that a name such as "A32p/17" means: heap pixels; NULL when the kind is unknown or the text is bad. */
uint8_t *formula_image_named(const char *name, int *h, int *w);

/* Sum of splitmix(i ^ bits_i << 32): an order-sensitive checksum. */
uint64_t formula_wsum_u8(const uint8_t *a, size_t n);
uint64_t formula_wsum_f32(const float *a, size_t n);

/* Synthetic vectors in double: Irwin-Hall normals n x d, a lower-triangular L d x d, and x = m + L g. */
void formula_ih12(double *out, const char *name, int64_t n, int64_t d);
void formula_lower(double *out, const char *name, int64_t d);
void formula_set(double *out, const char *tag, int64_t n, int64_t d);

#endif
