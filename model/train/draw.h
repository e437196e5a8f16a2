/* draw.h - what the samples of a step are: which picture each is made from, mirrored or not, and at which noise levels
 * it is compared. Everything follows from the seed, the number of the step and a sample's place in the batch, and
 * nothing else: neither what was drawn before, nor how the batch is shared, changes it. */
#ifndef ABLATE_DRAW_H
#define ABLATE_DRAW_H

#include "model/consistency/step.h"
#include "model/data/dataset.h"
#include "model/train/fit.h"

struct draws {
	const struct run_config *c; /* borrowed, as is the data */
	const struct dataset *data;
	uint64_t seed;
	double *cdf; /* of the index in a grid of cdf_n points; made as the grid grows */
	int64_t cdf_n;
	struct sample_draw
		*batch; /* all of a step whose pictures are paired with their noise, and one more than its number */
	int64_t paired;
};
void draws_release(struct draws *d);

/* The pictures of the batch's samples first, first + 1, ... of step k: n of them. Epochs are permutations of the
 * training set; inside a batch noise.pairing decides the order. */
void draw_images(struct sample_draw *out, struct draws *d, int64_t k, int64_t first, int64_t n);
/* The numbers of step k's samples from `first` on, into a step of split->micro samples. Weights are such that the
 * losses of a step's parts add up to the mean over all. */
void draw_noise_levels(struct step *s, struct draws *d, const struct split *split, int64_t k, int64_t first);
/* Which of step k's n samples from `first` on have a picture of the network's (coupling.generator_share), into s. */
void draw_coupling(struct step *s, const struct draws *d, int64_t k, int64_t first, int n);

#endif
