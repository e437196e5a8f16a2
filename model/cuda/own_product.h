/* own_product.h - matrix products and convolutions by the plugin's own kernels, which replace cuBLASLt or cuDNN where
 * it is missing or has nothing for a shape: every shape, every transpose, floats, TF32 on tensor cores where the dtype
 * says so, bf16 on tensor cores; sums in float. A sum's order follows from the shape and the device's size alone: no
 * atomics; long sums over few results are split over blocks, which leave parts in the back end's workspace, and a
 * second pass adds those in order. */
#ifndef ABLATE_OWN_PRODUCT_H
#define ABLATE_OWN_PRODUCT_H

#include "model/cuda/cuda_blas.h"
#include "model/cuda/cuda_dnn.h"

/* As cuda_gemm_run. Sizes up to 2^31 - 1 each; more is a failure of cu. */
void own_gemm(struct cuda *cu, const struct cuda_gemm_shape *s, const void *a, const void *b, const void *bias,
              void *c);
/* As cuda_conv_run, bias (floats) and relu applied in the same pass; a weights gradient is written as floats. */
void own_conv(struct cuda *cu, const struct cuda_conv_shape *s, void *x, void *w, const void *bias, void *y);

#endif
