/* test_is.c - the Inception Score against torch-fidelity and by hand. */
#include "tests/common/formula.h"
#include "metrics/distances/inception_score.h"
#include "metrics/math/randomstate.h"
#include "model/base/mem.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

Test(inception_score, agrees_with_torch_fidelity_plain_and_shuffled)
{
	enum { N = 1003, C = 10 };
	SCOPED(free) double *g = xmalloc(sizeof *g * N * C);
	SCOPED(free) float *x = xmalloc(sizeof *x * N * C);
	SCOPED(free) int64_t *order = xmalloc(sizeof *order * N);
	formula_ih12(g, "isLp", N, C);
	for (int i = 0; i < N * C; i++)
		x[i] = (float)(3 * g[i]);
	struct err e = ERR_INIT;
	struct inception_score r;
	cr_assert_eq(inception_score(&r, x, N, C, 10, NULL, &e), 0, "%s", e.msg);
	cr_assert(fabs(r.mean - 3.770307866812356) <= 1e-11 && fabs(r.std - 0.20282227374102738) <= 1e-11, "%.17g %.17g",
	          r.mean, r.std);
	struct randomstate rs;
	randomstate_seed(&rs, 2020);
	randomstate_permutation(&rs, order, N);
	cr_assert_eq(inception_score(&r, x, N, C, 10, order, &e), 0, "%s", e.msg);
	cr_assert(fabs(r.mean - 3.797400354168107) <= 1e-11 && fabs(r.std - 0.22009047620856645) <= 1e-11, "%.17g %.17g",
	          r.mean, r.std);
}

Test(inception_score, ends_of_the_scale)
{
	struct err e = ERR_INIT;
	struct inception_score r;
	float same[4 * 3] = { 0 }, sure[3 * 3] = { 500, 0, 0, 0, 500, 0, 0, 0, 500 };
	float never[2 * 3] = { 1000, 1000, 0, 1000, 1000, 0 }; /* exp(-1000) is 0, and so is the class's share of all */
	cr_assert_eq(inception_score(&r, same, 4, 3, 1, NULL, &e), 0);
	cr_assert(fabs(r.mean - 1) <= 1e-15);
	cr_assert_eq(inception_score(&r, sure, 3, 3, 1, NULL, &e), 0);
	cr_assert(fabs(r.mean - 3) <= 1e-13);
	cr_assert_eq(inception_score(&r, never, 2, 3, 1, NULL, &e), 0);
	cr_assert(fabs(r.mean - 1) <= 1e-15, "a class without any probability: %g", r.mean);
	cr_assert_eq(inception_score(&r, sure, 3, 3, 10, NULL, &e), -1, "fewer images than splits");
	sure[4] = NAN;
	cr_assert_eq(inception_score(&r, sure, 3, 3, 1, NULL, &e), -1);
	cr_assert(strstr(e.msg, "class score 1 of image 1"), "%s", e.msg);
}
