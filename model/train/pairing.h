/* pairing.h - which noise each picture of a batch is made noisy with: by optimal transport, the pairs (x_i, z_j) with
 * the least sum of ||x_i - z_j||^2 over the whole batch, before noise levels are drawn (sLCT, arXiv:2502.01441; lct
 * models/optimal_transport.py:49, train_cm_latent.py:346-347). Of that sum only the products of x_i and z_j depend on
 * the pairs. Labels and flips move with their pictures and do not matter to the pairs. */
#ifndef ABLATE_PAIRING_H
#define ABLATE_PAIRING_H

#include "model/data/dataset.h"
#include "model/graph/step_control.h"

/* Puts all n pictures of step k's batch in the order of the noise that each is paired with. The host makes that noise
 * for it, as the device makes it for the step (RNG_NOISE). */
void pair_with_noise(struct sample_draw *batch, int64_t n, const struct dataset *data, uint64_t seed, int64_t k);

#endif
