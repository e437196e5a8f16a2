/* bench_fid.c - see bench_fid.h. */
#include "harness/bench/bench_fid.h"

#include "metrics/math/blas.h"
#include "metrics/distances/fid.h"
#include "metrics/math/linalg.h"
#include "model/base/cpu.h"
#include "model/base/mem.h"
#include "model/base/progress.h"
#include "model/base/rng.h"

#include <stdlib.h>
#include <string.h>

enum { D = 2048, ROUNDS = 3 };

/* The covariance of n vectors whose coordinates have standard deviations from 1 down to 1/30. */
static double *covariance(double *mu, int64_t n, uint32_t which)
{
	SCOPED(moments) struct moments m = { 0 };
	SCOPED(free) float *x = xmalloc(sizeof *x * D);
	double *sigma = xmalloc(sizeof *sigma * D * D);
	moments_init(&m, D);
	for (int64_t i = 0; i < n; i++) {
		rng_normal(x, D, 1, RNG_SYNTHETIC, which, (uint64_t)i * D);
		for (int j = 0; j < D; j++)
			x[j] /= (float)(1 + j % 30);
		moments_add(&m, x, 1);
	}
	moments_mean(mu, &m);
	moments_sigma(sigma, &m);
	return sigma;
}

static int once(double *seconds, struct fid_result *r, const double *mu1, const double *s1, const double *mu2,
                const double *s2, struct err *e)
{
	SCOPED(fid_side) struct fid_side a = { 0 }, b = { 0 };
	double start = monotonic_s();
	if (fid_side_of_sigma(&a, mu1, s1, D, 0, "a", e) || fid_side_of_sigma(&b, mu2, s2, D, 0, "b", e) ||
	    fid_compute(r, &a, &b, e))
		return -1;
	double took = monotonic_s() - start;
	*seconds = *seconds == 0 || took < *seconds ? took : *seconds;
	return 0;
}

/* Seconds of the Schur form with vectors of sigma1 sigma2. */
static double schur(const double *s1, const double *s2)
{
	size_t n = (size_t)D * D;
	int d = D, dim, info, lwork = 64 * D;
	SCOPED(free) double *product = xmalloc(sizeof *product * n);
	SCOPED(free) double *vectors = xmalloc(sizeof *vectors * n);
	SCOPED(free) double *w = xmalloc(sizeof *w * (2 * D + (size_t)lwork));
	linalg_gemm_nt(product, s1, s2, D, D, D, 1, 0);
	double start = monotonic_s();
	blas()->set_threads(cpu_threads()); /* as scipy has it */
	blas()->gees("V", "N", NULL, &d, product, &d, &dim, w, w + D, vectors, &d, w + 2 * D, &lwork, NULL, &info);
	blas()->set_threads(1);
	return monotonic_s() - start;
}

static int one(json_t *out, const char *name, int64_t n, struct err *e)
{
	double mu1[D], mu2[D], seconds = 0;
	struct fid_result r;
	SCOPED(free) double *s1 = covariance(mu1, n, 1);
	SCOPED(free) double *s2 = covariance(mu2, n, 2);
	for (int k = 0; k < ROUNDS; k++)
		if (once(&seconds, &r, mu1, s1, mu2, s2, e))
			return -1;
	double peer = schur(s1, s2);
	return json_array_append_new(out, json_pack("{s:s, s:I, s:f, s:f, s:f, s:f, s:s}", "name", name, "images",
	                                            (json_int_t)n, "seconds", seconds, "schur_seconds", peer, "ratio",
	                                            peer / seconds, "fid", r.fid, "kernels", linalg_core()));
}

int bench_fid(json_t *out, struct err *e)
{
	return one(out, "full rank", 3 * D, e) || one(out, "300 images", 300, e) ? -1 : 0;
}
