/* sample_out.h - where `ablate sample` puts its images: one PNG of tiles to look at, or what this and other tools
 * score: a folder of PNG, or an .npz batch. The name decides which. The name does not exist before the output is
 * complete. */
#ifndef ABLATE_SAMPLE_OUT_H
#define ABLATE_SAMPLE_OUT_H

#include "model/base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define SAMPLE_OUT_TEXT "FILE.png: one picture of tiles; DIR/: a PNG each; FILE.npz: an array"

struct sample_out;
/* n images (h, w, c) will follow. "NAME/" is a folder, which must not exist or be empty; "NAME.npz" a batch as
 * guided-diffusion writes it, arr_0 (n,h,w,c) uint8 and, where labels are given, arr_1 (n) int64; "NAME.png" a grid of
 * tiles. Any other is refused, as sample_out_check does. */
MUST_CHECK int sample_out_open(struct sample_out **out, const char *path, int64_t n, int h, int w, int c,
                               struct err *e);
/* EXIT_USAGE for a name that is none of these, with what it could be. (A JPEG would not hold the pixels that were
 * drawn.) */
MUST_CHECK int sample_out_check(const char *path, struct err *e);
/* Does that name mean a grid of tiles? */
bool sample_out_is_grid(const char *path);
/* The next image, and its class; -1 = none. */
MUST_CHECK int sample_out_add(struct sample_out *o, const uint8_t *px, int64_t label, struct err *e);
/* Gives the output its name; frees o in any case. */
MUST_CHECK int sample_out_close(struct sample_out *o, struct err *e);
void sample_out_free(struct sample_out *o); /* gives up and leaves nothing behind; accepts NULL */

#endif
