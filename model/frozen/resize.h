/* resize.h - picture resampling as in the published scores, by name, since FIDs of different resamplings differ by
 * points:
 *   torch-bilinear  half-pixel centres, edge clamped, no antialias (F.interpolate(mode="bilinear",
 *   align_corners=False);
 *                   pytorch-fid, and LPIPS at 224)
 *   tf-bilinear     TensorFlow 1's: source = i * (in/out) with the ratio rounded to float, no half pixel
 *   (torch-fidelity,
 *                   StyleGAN, EDM, clean-fid's legacy_tensorflow)
 *   clean           Pillow's bicubic on floats, a = -1/2, support widened when shrinking (clean-fid); bit-exact: sums
 *   in
 *                   double, horizontal pass rounded to float, then vertical
 * Bilinear values are computed in double and rounded once. Layout H,W,C. */
#ifndef ABLATE_RESIZE_H
#define ABLATE_RESIZE_H

#include "model/base/err.h"

#include <stddef.h>
#include <stdint.h>

enum resize_kind { RESIZE_TORCH_BILINEAR, RESIZE_TF_BILINEAR, RESIZE_CLEAN, RESIZE_N_KINDS };

/* One axis of a resize as weighted sums: output i is the sum over k < n[i] of w[i * most + k] times source from[i] + k.
 * A picture is rows by the horizontal axis, then columns by the vertical one; of RESIZE_CLEAN the values between are
 * rounded to float, and those at the end kept within 0 and 255. */
struct resize_axis {
	int out, in, most;
	int *from, *n;
	double *w;
};

void resize_axis_make(struct resize_axis *ax, int out, int in, enum resize_kind kind);
void resize_axis_release(struct resize_axis *ax);

const char *resize_name(enum resize_kind kind);
/* An unknown name is a usage error that lists the known ones. */
MUST_CHECK int resize_by_name(enum resize_kind *out, const char *name, struct err *e);

/* dst[dh][dw][c] from src[sh][sw][c]. Clean results are clipped to 0..255, as clean-fid does. */
void resize_f32(float *dst, int dh, int dw, const float *src, int sh, int sw, int c, enum resize_kind kind);
/* The same of bytes (values 0..255); c_src = 1 is repeated into c = 3. */
void resize_u8(float *dst, int dh, int dw, const uint8_t *src, int sh, int sw, int c_src, enum resize_kind kind);
/* The transpose of torch-bilinear: d_src[sh][sw][c] += gradient of dst. */
void resize_backward(float *d_src, int sh, int sw, const float *d_dst, int dh, int dw, int c);

#endif
