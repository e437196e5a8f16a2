/* test_device_moments.c - moments counted on the CUDA back end against the host's, under emulation or on a GPU:
 * dimensions around a tile, few and many vectors, cuts across folds, merged with the host's, counted twice. */
#include "tests/common/formula.h"
#include "model/cpu/devices.h"
#include "metrics/math/moments.h"
#include "model/base/mem.h"
#include "model/frozen/device_moments.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

static struct backend *open_device(void)
{
	struct backend *b;
	struct err e = ERR_INIT;
	cr_assert_eq(
		setenv("ABLATE_CUDA_PLUGIN", getenv("ABLATE_TEST_PLUGIN") ? getenv("ABLATE_TEST_PLUGIN") : CUDA_EMU, 1), 0);
	cr_assert_eq(backend_open(&b, "cuda:0", DTYPE_FP32, &e), 0, "%s", e.msg);
	return b;
}

/* Far from the origin, as in test_moments.c. */
static float *sample(int n, int d)
{
	float *x = xmalloc(sizeof *x * (size_t)(n * d));
	for (int i = 0; i < n * d; i++)
		x[i] = (float)(1000 + formula_u("device-moments", (uint64_t)i) * (1 + i % d));
	return x;
}

static void close_to(struct moments *got, struct moments *want, const char *what)
{
	int d = want->d;
	SCOPED(free) double *a = xmalloc(sizeof *a * (size_t)(d * d)), *b = xmalloc(sizeof *b * (size_t)(d * d));
	double top = 0;
	cr_assert(got->n == want->n, "%s of %d: %lld vectors", what, d, (long long)got->n);
	moments_mean(a, got);
	moments_mean(b, want);
	for (int j = 0; j < d; j++)
		cr_assert(fabs(a[j] - b[j]) <= 1e-12 * 1000, "%s of %d: mean %d: %.17g, not %.17g", what, d, j, a[j], b[j]);
	moments_sigma(a, got);
	moments_sigma(b, want);
	for (int j = 0; j < d; j++)
		top = fmax(top, b[j * (d + 1)]);
	for (int j = 0; j < d * d; j++)
		cr_assert(fabs(a[j] - b[j]) <= 1e-12 * top, "%s of %d: sigma %d: %.17g, not %.17g", what, d, j, a[j], b[j]);
}

/* Adds x in calls of `cut` vectors. */
static void add(struct device_moments *m, const float *on, int n, int d, int cut)
{
	for (int i = 0; i < n; i += cut)
		device_moments_add(m, on + (int64_t)i * d, n - i < cut ? n - i : cut);
}

static void read_back(struct moments *out, const struct device_moments *m, int d)
{
	struct err e = ERR_INIT;
	SCOPED(moment_parts) struct moment_parts p = { 0 };
	cr_assert_eq(device_moments_read(&p, m, &e), 0, "%s", e.msg);
	moments_init_folded(out, d, p.n_folded, p.mean, p.scatter);
	p.mean = p.scatter = NULL;
	moments_add(out, p.rows, p.n_rows);
}

static void check(struct backend *b, int n, int d, int cut)
{
	struct err e = ERR_INIT;
	struct device_moments *m;
	SCOPED(moments) struct moments want = { 0 }, got = { 0 }, again = { 0 }, sum = { 0 };
	SCOPED(free) float *x = sample(n, d);
	float *on;
	cr_assert_eq(backend_lend(&on, b, x, (size_t)(n * d), &e), 0, "%s", e.msg);
	cr_assert_eq(device_moments_new(&m, b, d, &e), 0, "%s", e.msg);
	moments_init(&want, d);
	moments_add(&want, x, n);
	add(m, on, n, d, cut);
	read_back(&got, m, d);
	if (n <= d) {
		SCOPED(free) double *factor = moments_factor(&got);
		cr_assert(factor, "few vectors keep their exact factor");
	}
	close_to(&got, &want, "counted there");
	device_moments_reset(m);
	add(m, on, n, d, n);
	read_back(&again, m, d);
	close_to(&again, &want, "counted again");
	moments_init(&sum, d);
	moments_add(&sum, x, n);
	moments_add(&want, x, n);
	moments_merge(&sum, &again);
	close_to(&sum, &want, "merged with the host's");
	device_moments_free(m);
	backend_return(b, on, x);
}

Test(device_moments, are_the_hosts)
{
	static const int cases[][3] = { { 2, 1, 1 },      { 7, 63, 7 },     { 700, 5, 33 },  { 513, 64, 100 },
		                            { 600, 65, 256 }, { 257, 130, 19 }, { 280, 263, 80 } };
	struct backend *b = open_device();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check(b, cases[i][0], cases[i][1], cases[i][2]);
	backend_free(b);
}
