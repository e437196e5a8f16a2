/* gate_power.c - what a gate can resolve: its own rule, applied to samples whose truth is known. */
#include "harness/judge/gate.h"
#include "harness/judge/stats.h"

#include "model/base/mem.h"
#include "model/base/rng.h"

#include <math.h>

struct gate_chances gate_simulate(const struct gate_rule *rule, int n, double sd, double rho, double theta, int reps)
{
	REQUIRE(n >= 2 && n <= GATE_SEEDS_MAX && sd > 0 && rho >= 0 && rho <= 1 && reps > 0);
	SCOPED(free) double *a = xcalloc((size_t)n, sizeof *a);
	SCOPED(free) double *b = xcalloc((size_t)n, sizeof *b);
	SCOPED(free) float *z = xcalloc((size_t)n * 3, sizeof *z);
	struct gate_rule quiet = *rule; /* a margin in the metric's units: the simulated baseline's mean is 0 */
	quiet.margin_relative = false;
	int counts[4] = { 0 };
	for (int rep = 0; rep < reps; rep++) {
		rng_normal(z, 3 * (size_t)n, 0, RNG_EVAL, (uint32_t)rep, 0);
		for (int i = 0; i < n; i++) { /* a shared part of variance rho, an own part of 1 - rho */
			double shared = sqrt(rho) * (double)z[i], own = sqrt(1 - rho);
			a[i] = theta + sd * (shared + own * (double)z[n + i]);
			b[i] = sd * (shared + own * (double)z[2 * n + i]);
		}
		counts[gate_judge_looks(&quiet, a, b, n)]++;
	}
	return (struct gate_chances){ .pass = (double)counts[GATE_PASS] / reps,
		                          .fail = (double)counts[GATE_FAIL] / reps,
		                          .inconclusive = (double)counts[GATE_INCONCLUSIVE] / reps };
}
