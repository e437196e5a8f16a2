/* test_device_singular.c - a distance whose singular values are computed by the CUDA back end's library, against the
 * host's, and what becomes of it where the library is not there. Under emulation the library is
 * tests/shim/cusolver_emu.c; on a GPU (ABLATE_TEST_PLUGIN) the real one. */
#include "tests/common/formula.h"
#include "model/cpu/devices.h"
#include "metrics/distances/fid.h"
#include "model/base/mem.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct backend *open_device(const char *library)
{
	struct backend *b;
	struct err e = ERR_INIT;
	const char *plugin = getenv("ABLATE_TEST_PLUGIN");
	cr_assert_eq(setenv("ABLATE_CUDA_PLUGIN", plugin ? plugin : CUDA_EMU, 1), 0);
	if (library)
		cr_assert_eq(setenv("ABLATE_CUSOLVER", library, 1), 0);
	cr_assert_eq(backend_open(&b, "cuda:0", DTYPE_FP32, &e), 0, "%s", e.msg);
	return b;
}

static struct fid_side side_of(const char *name, int n, int d)
{
	struct err e = ERR_INIT;
	struct fid_side s;
	SCOPED(moments) struct moments m = { 0 };
	SCOPED(free) double *x = xmalloc(sizeof *x * (size_t)(n * d));
	for (int i = 0; i < n * d; i++)
		x[i] = formula_u(name, (uint64_t)i) / (1 + i % d % 30);
	moments_init(&m, d);
	moments_add_double(&m, x, n);
	cr_assert_eq(fid_side_of_moments(&s, &m, name, &e), 0, "%s", e.msg);
	return s;
}

/* Of n and k vectors of d dimensions, on b and on the host. */
static void check(struct backend *b, int n, int k, int d, const char *says)
{
	struct err e = ERR_INIT;
	struct fid_result host, there;
	SCOPED(fid_side) struct fid_side x = side_of("x", n, d), y = side_of("y", k, d);
	cr_assert_eq(fid_compute(&host, &x, &y, &e), 0, "%s", e.msg);
	cr_assert_str_eq(host.by.by, "host");
	y.device = b;
	cr_assert_eq(fid_compute(&there, &x, &y, &e), 0, "%s", e.msg);
	cr_assert(strstr(there.by.by, says), "%d and %d of %d: %s", n, k, d, there.by.by);
	cr_assert(fabs(there.trace_sqrt - host.trace_sqrt) <= 1e-9, "%d and %d of %d: trace %.17g, not %.17g", n, k, d,
	          there.trace_sqrt, host.trace_sqrt);
	cr_assert(fabs(there.fid - host.fid) <= 1e-9, "%d and %d of %d: %.17g, not %.17g", n, k, d, there.fid, host.fid);
	cr_assert_eq(backend_check(b, &e), 0, "%s", e.msg);
}

Test(device_singular, distances_are_the_hosts)
{
	static const int cases[][3] = { { 300, 300, 65 }, { 20, 33, 50 }, { 9, 400, 64 }, { 90, 12, 33 }, { 2, 2, 3 } };
	struct backend *b = open_device(getenv("ABLATE_TEST_PLUGIN") ? NULL : CUSOLVER_EMU);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check(b, cases[i][0], cases[i][1], cases[i][2], "cuSOLVER 12");
	backend_free(b);
}

Test(device_singular, are_the_hosts_own_where_the_library_is_left_out)
{
	struct backend *b = open_device("none");
	check(b, 40, 50, 30, "host (cuda:0: ABLATE_CUSOLVER=none)");
	backend_free(b);
}

Test(device_singular, are_the_hosts_own_where_the_library_is_missing_or_another)
{
	struct backend *b = open_device("/nonexistent/libcusolver.so");
	check(b, 40, 50, 30, "host (cuda:0: no /nonexistent/libcusolver.so)");
	backend_free(b);
}

Test(device_singular, are_the_hosts_own_where_the_device_has_no_room)
{
	if (getenv("ABLATE_TEST_PLUGIN"))
		cr_skip_test("the emulated device is made small");
	struct backend *b = open_device(CUSOLVER_EMU);
	cr_assert_eq(setenv("ABLATE_EMU_MEMORY", "1000", 1), 0);
	check(b, 40, 50, 30, "host (cuda:0: ");
	backend_free(b);
}
