/* winograd.h - convolutions of 3x3 taps and stride 1 on the CPU by F(4x4,3x3) and F(2x2,3x3) (Lavin and Gray,
 * arXiv:1509.09308, section 4): a tile of 6x6 inputs gives 4x4 outputs with 36 multiplications instead of 144, one of
 * 4x4 inputs 2x2 outputs with 16 instead of 36; the shape decides. On plain NHWC activations and OIHW weights, so that
 * nothing around it changes; oneDNN has F(4x4,3x3) on blocked layouts only.
 *
 * F(2x2,3x3) is about as accurate as a direct sum. F(4x4,3x3) is two to four times as far from the exact result
 * (results/cpu/README.md; winograd_square.h says which points it takes). Results do not depend on the number of
 * threads.
 *
 * With bf16, what the products take (pixels and weights after their transforms) is rounded to bf16 and summed in
 * floats; convolutions of one tap, which are nothing but their products, go this way, too. */
#ifndef ABLATE_WINOGRAD_H
#define ABLATE_WINOGRAD_H

#include "model/cpu/dnn.h"

struct winograd;

/* NULL where a shape cannot be computed this way, or this processor cannot (it takes AVX2 or AVX-512, and AVX512_BF16
 * for bf16) or its size makes it not worth it. */
struct winograd *winograd_new(const struct dnn_shape *s, enum dnn_pass pass, bool relu, bool bf16);
/* Has this processor products of bf16 (AVX512_BF16)? */
bool winograd_has_bf16(void);
void winograd_free(struct winograd *p);
size_t winograd_scratch(const struct winograd *p); /* bytes, 64-aligned, needed by every run */
/* As dnn_conv_run, but that the weights gradient leaves b alone. */
void winograd_run(const struct winograd *p, float *x, float *w, const float *b, float *y, void *scratch);

/* What winograd_new may choose in this process from now on: by default either, which is what trains. For measurements
 * of the difference (tests/model/cpu/winograd_deviation.c). */
enum winograd_choice { WINOGRAD_EITHER, WINOGRAD_2X2, WINOGRAD_NONE };
void winograd_allow(enum winograd_choice choice);

/* The same for weights that never change, transformed here once, and for one thread, which is the caller's: networks
 * that score pictures run one picture a thread. Forward or data gradient. `w` is not kept. Lines of taps (1x3, 3x1,
 * 1x7, 7x1) go this way too: 4 multiplications instead of 6 for two outputs, by F(2,3), and 9 instead of 14, by F(2,4)
 * and F(2,3); and 5x5 taps by F(2x2,5x5), 36 instead of 100 for four. */
struct winograd *winograd_new_frozen(const struct dnn_shape *s, enum dnn_pass pass, bool relu, const float *w);
/* What is written has `step` floats from pixel to pixel: its own channels, or more where it is a range of a wider
 * tensor's. */
void winograd_run_frozen(const struct winograd *p, float *x, const float *b, float *y, int64_t step, void *scratch);

#endif
