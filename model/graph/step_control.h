/* step_control.h - what one training step is given and what it returns, in plain structs that the host and a device
 * read alike: the device keeps them in its own memory, so that a captured step needs no change from one step to the
 * next. */
#ifndef ABLATE_STEP_CONTROL_H
#define ABLATE_STEP_CONTROL_H

#include <stdint.h>

/* The position of the counter-based streams. first: the place in the whole batch of the first sample that is computed
 * now (0 unless a team shares the batch, or it is computed in micro-batches). */
struct step_scalars {
	uint64_t seed;
	uint32_t step, first;
};

/* What one step of any optimizer here computes, per element: m = beta1 m + rest1 g; v = beta2 v + rest2 g^2 (rest =
 * 1 - beta, taken in double);
 * p -= step * m / (adaptive ? sqrt(v) * root_scale + eps : 1). */
struct optim_step {
	float beta1, beta2, rest1, rest2, step, root_scale, eps, weight_decay;
	int adaptive;
};

/* One sample of a batch: which image, mirrored or not, its class. */
struct sample_draw {
	int64_t image;
	int32_t flip, label;
};

/* A running average is a = keep * a + rest * p; rest = 1 - keep, taken in double. */
struct average {
	float keep, rest;
};

/* One step's settings, or those of one of its micro-batches. */
struct step_control {
	struct step_scalars scalars;
	struct optim_step optim;
	struct average ema, teacher;
	int32_t part; /* which micro-batch of the step: sums begin with 0 */
};

/* What steps leave behind. A step whose loss is not finite updates nothing and sets diverged; later ones then do
 * nothing. */
struct step_status {
	double loss_sum; /* of loss_steps steps, in step order */
	int64_t loss_steps,
		done;   /* done: steps with a finite loss, all applied, since the status was last written by the host */
	float loss; /* of the last step */
	int32_t diverged;
};

#endif
