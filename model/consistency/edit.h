/* edit.h - what else a consistency model can do: walk between two latents, and edit a picture without being trained for
 * it (Song et al. 2023, section 5.2 and appendix D, Algorithm 4).
 *
 * An edit knows a reference y, an invertible linear map A and a mask: what the mask keeps of A y stays, the rest is
 * generated. Beginning with x ~ N(y, s_1^2 I), for every noise level s_1 > s_2 > ... the model gives x = D(x, s), the
 * kept part is put back, and noise of variance s_next^2 - eps^2 is added. All arithmetic is in double; the model is
 * whatever `answer` does. */
#ifndef ABLATE_EDIT_H
#define ABLATE_EDIT_H

#include "model/base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* The model of an edit. answer: x (n, h, w, c) at noise level sigma -> dst; `first` is the number of the first picture.
 * noise: standard normal numbers of picture i (h, w, c), round 0 for the start, then one per further level. */
struct edit_model {
	void *ctx;
	int (*answer)(void *ctx, double *dst, const double *x, int64_t first, int64_t n, double sigma, struct err *e);
	void (*noise)(void *ctx, double *dst, int64_t i, int round);
};

/* A: the identity; or colour to (brightness, two coordinates across it), an orthogonal map of each pixel whose first
 * row is along (0.2989, 0.5870, 0.1140). */
enum edit_space { EDIT_PIXELS, EDIT_BRIGHTNESS };

struct edit {
	int h, w, c;
	enum edit_space space;
	const uint8_t *made; /* (h, w, c) 1 = redrawn, 0 = kept, in the coordinates of A; NULL: everything is made */
	bool
		/* the start is around y itself, although y is redrawn (a stroke drawing); else around its kept part */
		from_reference;
	const double *sigma; /* n_sigma levels, descending */
	int n_sigma;
	double eps; /* the lowest noise level that the model knows */
};

/* Checks what a caller can get wrong: levels that do not fall or are below eps, brightness of fewer than three
 * channels. */
MUST_CHECK int edit_check(const struct edit *edit, struct err *e);
/* dst (n, h, w, c) = the edited pictures; y the references in [-1, 1]. */
MUST_CHECK int edit_run(double *dst, const double *y, int64_t n, const struct edit *edit, const struct edit_model *m,
                        struct err *e);
/* dst = y with what is to be made set to 0 in the coordinates of A: what the model sees of y. dst may be y. */
void edit_known(double *dst, const double *y, const struct edit *edit);

/* dst = the point at `share` (0 to 1) of the great circle from a to b:
 * sin((1 - t) p) / sin(p) a + sin(t p) / sin(p) b with p the angle between them. Nearly parallel: the straight line. */
void edit_between(double *dst, const double *a, const double *b, int64_t n, double share);

/* n noise levels from `from` to above eps, spaced as the training's grid (rho): the first n of n + 1 points that end in
 * eps. */
void edit_levels(double *sigma, int n, double from, double eps, double rho);

#endif
