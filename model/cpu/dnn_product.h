/* dnn_product.h - matrix products by all threads whose bits are the shape's alone: a product is cut into units as its
 * sizes decide, never as the number of threads does, and each unit is one call of dnn_gemm, which computes on one
 * thread. Matrices are row-major without gaps. */
#ifndef ABLATE_DNN_PRODUCT_H
#define ABLATE_DNN_PRODUCT_H

#include "model/cpu/dnn.h"

/* C (m,n) = A op(B) + beta C, with A (m,k) and op(B) (k,n) by how B is stored: units are blocks of C. */
void dnn_product(enum dnn_stored bs, int64_t m, int64_t n, int64_t k, const float *a, const float *b, float beta,
                 float *c);

/* C (m,n) = A' B, with A (k,m) and B (k,n), where k may be far longer than m and n: units are chunks of k, whose sums
 * are added in their order, or blocks of C where it is large. scratch: dnn_product_sum_scratch bytes, 64-aligned. */
size_t dnn_product_sum_scratch(int64_t m, int64_t n, int64_t k);
void dnn_product_sum(int64_t m, int64_t n, int64_t k, const float *a, const float *b, float *c, void *scratch);

/* dst[i] = the sum of parts[p * stride + i] over p in their order, by all threads; i < n. */
void dnn_add_parts(float *dst, const float *parts, int64_t n_parts, size_t stride, int64_t n);

#endif
