/* truncated.h - truncated consistency models (TCM; Lee et al., arXiv:2410.14895; NVlabs/TCM training/loss.py and
 * README.md). A first stage is ECT. The second trains on noise levels from t' = tcm.split on only, and below them the
 * first stage's average, frozen, gives the answers:
 *
 *   target at r < t' (and in no other place): the frozen network's answer; from t' on the student's own
 *   loss = tcm.weight (mean over boundary samples) + (mean over the others)
 *
 * Boundary samples, a share of the batch, have t = t', so that what the first stage knows holds the second where it
 * begins. The others draw ln t from Student's t distribution with few degrees of freedom, cut to [ln t', ln sigma.max].
 *
 * One training has both stages, so that a study can give them one budget: its first share of steps is the first. */
#ifndef ABLATE_TRUNCATED_H
#define ABLATE_TRUNCATED_H

#include "model/base/err.h"
#include "model/config/config.h"

#include <stdint.h>

/* Steps of the first stage: the floor of tcm.first times train.steps; none with another method. */
int64_t truncated_first_steps(const struct run_config *c);
/* Is step k of the second stage of a truncated training? */
bool truncated_at(const struct run_config *c, int64_t k);
/* The learning rate of step k: optim.lr, or in the second stage tcm.lr. */
double truncated_rate(const struct run_config *c, int64_t k);
/* Does the frozen network answer at teacher noise r of step k? */
bool truncated_answers(const struct run_config *c, double r, int64_t k);
/* The boundary samples of a batch in the second stage, its first places: the share rounded, neither none nor all where
 * it is above 0. */
int64_t truncated_boundary(const struct run_config *c);
/* The student's noise level of a place in the batch in the second stage; u in (0,1). */
double truncated_level(const struct run_config *c, int64_t place, double u);
/* What a place's loss is multiplied by there, such that the mean over the batch is the loss above. */
double truncated_weight(const struct run_config *c, int64_t place);

/* Can pictures be made by nfe evaluations? One is at sigma.max; more return to sample.sigma_mid, where the trained
 * network must have answers. If not: EXIT_USAGE, one line that names the knobs. */
MUST_CHECK int truncated_allow(const struct run_config *c, int nfe, struct err *e);

#endif
