/* sample_edit.h - what `ablate sample` does besides drawing: walks between latents and zero-shot edits
 * (model/consistency/edit.h), as one PNG of tiles. */
#ifndef ABLATE_SAMPLE_EDIT_H
#define ABLATE_SAMPLE_EDIT_H

#include "model/config/config.h"
#include "model/data/shapes.h"
#include "model/train/sample.h"

struct sample_edit {
	enum sample_edit_kind { SAMPLE_INTERPOLATE, SAMPLE_INPAINT, SAMPLE_COLORIZE, SAMPLE_STROKE } kind;
	struct source *source; /* of pictures to edit; the caller's */
	const char *mask;   /* inpaint: center, border, left, right, top, bottom, or a PNG whose light pixels are redrawn */
	const char *sigmas; /* "80,24.4,5.84"; NULL: those for the kind and nfe */
	int nfe;            /* 0: the default of the kind */
	int steps;          /* interpolate: pictures from one latent to the other, both ends included */
	int64_t n;          /* pictures to edit, or pairs of latents */
	uint64_t seed;
	const char *output;
};

/* Tiles: interpolate, a row per pair; inpaint and colorize, what is known, what was made of it, the reference; stroke,
 * the drawing and what was made of it. *pictures: tiles written. Fewer references than n: all of them. Exit 2 for a
 * source or mask of another size, with its name. */
MUST_CHECK int sample_edit(int64_t *pictures, struct sampler *s, const struct run_config *c,
                           const struct data_shape *shape, const struct sample_edit *ask, struct err *e);

#endif
