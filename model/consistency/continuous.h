/* continuous.h - the target of continuous-time consistency training, which needs no second noise level: the change of
 * the network's own answer F along the path of a sample (graph_forward_mode).
 *
 *   F      the network at  in_x x + in_z z  and the noise input c_noise, with gradient
 *   J      its change where these change by  d_x x + d_z z  and d_noise, without gradient
 *   g      to_f F + to_j J + to_x x + to_z z
 *
 * sCT (Lu and Song, arXiv:2410.11081, algorithm 1) is, with TrigFlow's angle t = arctan(sigma / sigma_data), the point
 * x_t = cos t x + sin t sigma_data z, its velocity v = cos t sigma_data z - sin t x, and a warm-up w from 0 to 1:
 *
 *   in = x_t / sigma_data,  along cos t sin t (v / sigma_data, 1), so that J = cos t sin t dF/dt
 *   g  = cos^2 t (v - sigma_data F) - w (cos t sin t x_t + sigma_data J)
 *   the target of F is F + g / (|g| + c), and the distance the mean square
 *
 * MeanFlow (Geng et al., arXiv:2505.13447; mf models/meanflow.py:36-68) is, on the line y = (1 - s) x + s z with
 * 0 <= q <= s and its velocity v = z - x, of a network of two times that is to answer the mean velocity from s to q:
 *
 *   in = y, the times s and s - q,  along (v, 1, 1), so that J = dF/ds at a fixed q
 *   g  = v - (s - q) J is the target of F, and the distance the sum of squares
 *
 * Consistency training on a grid of infinitely many levels (Song et al., arXiv:2303.01469, appendix B.2) compares the
 * answer f = c_skip x_t + c_out F(c_in x_t, c_noise) at x_t = x + t z with the same a gap dt below, where it is
 * f - dt df/dt along z. A metric is a square there, h/2 |f - f'|^2 (h = 2 for l2, 2 over the number of values for its
 * mean, 1/c for pseudo-huber), and the gradient of lambda d is lambda h dt df/dt, which loss_weight_limit divides by
 * what makes it vanish:
 *
 *   in = c_in x_t,  along t ((c_in' x_t + c_in z), c_noise'), so that J = t dF/dt
 *   g  = -df/dt = -(c_skip' x_t + c_skip z + c_out' F + c_out J / t)
 *   the target of f is f + g, and the distance h/2 |g|^2 */
#ifndef ABLATE_CONTINUOUS_H
#define ABLATE_CONTINUOUS_H

#include "model/config/config.h"
#include "model/nets/net.h"

struct continuous {
	struct tensor *in_x, *in_z, *d_x, *d_z, *to_f, *to_j, *to_x, *to_z; /* inputs (N): coefficients */
	struct tensor *c_noise, *d_noise;                                   /* inputs (N) */
	struct tensor *out_f, *out_x, *out_z;  /* inputs (N) where an answer is compared and not F, or NULL */
	struct tensor *c_gap, *d_gap;          /* inputs (N) of a network of two times, or NULL */
	struct tensor *f, *change, *direction; /* results: F, J, g */
	struct tensor *student, *target;       /* F or f, and what it is to become */
};

/* x, z (N,H,W,C); `in` gives everything but x and c_noise. */
struct continuous continuous_build(struct graph *g, const struct run_config *c, const struct net_spec *net,
                                   const struct params *p, struct tensor *x, struct tensor *z, struct net_inputs in);
/* Sample i at noise sigma; warm: how much of the tangent's second half counts (sCT alone). After graph_plan. Not for
 * MeanFlow. */
void continuous_set(struct continuous *k, const struct run_config *c, int i, double sigma, double warm);
/* The same for MeanFlow: sample i at noise sigma, its mean velocity down to noise `lower`, at most sigma. */
void continuous_set_flow(struct continuous *k, const struct run_config *c, int i, double sigma, double lower);

#endif
