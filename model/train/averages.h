/* averages.h - what a training keeps beside the average with the config's ema.decay: others, each with a decay of its
 * own, of the same weights. They cost memory and one pass over it per step, and change nothing else. */
#ifndef ABLATE_AVERAGES_H
#define ABLATE_AVERAGES_H

#include "model/graph/params.h"
#include "model/train/ckpt.h"
#include "model/train/update.h"

struct averages {
	struct update_average *v;  /* n of them, the device's */
	struct ckpt_average *host; /* the same where the host reads them; the same memory where that can be */
	int n;
};

/* The decays of which there is none equal to `own`, each once and in ascending order, so that bytes do not depend on
 * how they were asked for; no memory yet. A decay that is none is EXIT_USAGE. */
MUST_CHECK int averages_list(struct averages *out, const double *decays, int n, double own, struct err *e);
/* Their stores of params_floats values. */
MUST_CHECK int averages_alloc(struct averages *a, struct backend *b, const struct params *p, struct err *e);
void averages_begin(struct averages *a, const struct params *p, const float *weights); /* the host's, from the host's */
void averages_upload(struct averages *a, struct backend *b, const struct params *p);
void averages_download(struct averages *a, struct backend *b, const struct params *p);
void averages_release(struct averages *a, struct backend *b); /* b may be NULL where nothing was allocated */

#endif
