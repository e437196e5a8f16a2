/* winograd.h - convolutions of 3x3 taps and stride 1 on the CPU by F(2x2,3x3) (Lavin and Gray, arXiv:1509.09308,
 * section 4.1): a tile of 4x4 inputs gives 2x2 outputs with 16 multiplications instead of 36. On plain NHWC activations
 * and OIHW weights, so that nothing around it changes; oneDNN has the larger F(4x4,3x3) on blocked layouts only.
 *
 * The additions of the transforms are exact halves and sums, so the result is off by about as much as a direct sum is
 * (tests/op_runner holds both to one bound). Results do not depend on the number of threads. */
#ifndef ABLATE_WINOGRAD_H
#define ABLATE_WINOGRAD_H

#include "model/dnn.h"

struct winograd;

/* NULL where a shape cannot go this way, or this processor (it takes AVX2 or AVX-512) or its size make it not worth it. */
struct winograd *winograd_new(const struct dnn_shape *s, enum dnn_pass pass, bool relu);
void winograd_free(struct winograd *p);
size_t winograd_scratch(const struct winograd *p);     /* bytes, 64-aligned, needed by every run */
/* As dnn_conv_run, but that the weights gradient leaves b alone. */
void winograd_run(const struct winograd *p, float *x, float *w, const float *b, float *y, void *scratch);

#endif
