/* cuda_solver.cu - see cuda_solver.h. The few declarations that are needed are our own, so that no cuSOLVER header is.
 * It is used once per distance: what it needs is allocated for the call. */
#include "model/cuda/cuda_solver.h"

extern "C" {
#include "model/cuda/nvidia.h"
}

#include <stdio.h>

struct solver_handle;
enum { SOLVER_OK = 0, PROPERTY_MAJOR = 0, PROPERTY_MINOR = 1 };

static struct {
	int (*create)(struct solver_handle **out);
	int (*destroy)(struct solver_handle *h);
	int (*set_stream)(struct solver_handle *h, cudaStream_t stream);
	int (*property)(int which, int *value);
	int (*room)(struct solver_handle *h, int m, int n, int *doubles);
	int (*gesvd)(struct solver_handle *h, signed char left, signed char right, int m, int n, double *a, int lda,
	             double *s, double *u, int ldu, double *vt, int ldvt, double *work, int n_work, double *rest,
	             int *info);
} solver;

static const struct nvidia_function functions[] = {
	{ "cusolverDnCreate", &solver.create },
	{ "cusolverDnDestroy", &solver.destroy },
	{ "cusolverDnSetStream", &solver.set_stream },
	{ "cusolverGetProperty", &solver.property },
	{ "cusolverDnDgesvd_bufferSize", &solver.room },
	{ "cusolverDnDgesvd", &solver.gesvd },
	{ NULL, NULL },
};
static struct nvidia_library library = { &nvidia_rows[NVIDIA_SOLVER], functions, false, NULL, "" };

/* Room for n doubles in a multiple of 256 bytes, so that what follows is aligned as an allocation of its own. */
static size_t even(size_t n)
{
	return (n + 31) / 32 * 32;
}

/* Uploads a, waits for its singular values. */
static int run(struct cuda *cu, struct solver_handle *h, double *values, const double *a, int m, int n, struct err *e)
{
	struct backend *b = &cu->base;
	size_t matrix = (size_t)m * (size_t)n, vector = even((size_t)n), doubles;
	int n_work = 0, info = -1, rc = solver.set_stream(h, cu->stream);
	if (rc == SOLVER_OK)
		rc = solver.room(h, m, n, &n_work);
	if (rc != SOLVER_OK)
		return err_set(e, "cusolverDnDgesvd_bufferSize: status %d", rc);
	doubles = even(matrix) + 2 * vector + even((size_t)n_work) + 1;
	double *on = (double *)b->ops->memory.alloc(b, doubles * sizeof *on, e);
	if (!on)
		return -1;
	double *s = on + even(matrix), *rest = s + vector, *work = rest + vector;
	int *info_on = (int *)(void *)(work + even((size_t)n_work));
	b->ops->memory.upload(b, on, a, matrix * sizeof *a);
	rc = solver.gesvd(h, 'N', 'N', m, n, on, m, s, NULL, m, NULL, n, work, n_work, rest, info_on);
	b->ops->memory.download(b, values, s, (size_t)n * sizeof *values);
	b->ops->memory.download(b, &info, info_on, sizeof info);
	b->ops->memory.release(b, on);
	if (rc != SOLVER_OK)
		return err_set(e, "cusolverDnDgesvd: status %d", rc);
	return info ? err_set(e, "cusolverDnDgesvd: info %d", info) : 0;
}

int cuda_singular(struct backend *b, double *values, char by[SINGULAR_TEXT], const double *a, int m, int n,
                  struct err *e)
{
	struct cuda *cu = (struct cuda *)b;
	struct solver_handle *h = NULL;
	int version[2] = { 0, 0 };
	if (!nvidia_open(&library))
		return err_set(e, "%s", library.why_not);
	(void)solver.property(PROPERTY_MAJOR, &version[0]);
	(void)solver.property(PROPERTY_MINOR, &version[1]);
	(void)snprintf(by, SINGULAR_TEXT, "cuSOLVER %d.%d on %s", version[0], version[1], b->name);
	int rc = solver.create(&h);
	if (rc != SOLVER_OK)
		return err_set(e, "cusolverDnCreate: status %d", rc);
	rc = run(cu, h, values, a, m, n, e);
	(void)solver.destroy(h);
	if (cu->failed[0]) {
		rc = err_set(e, "%s", cu->failed);
		cu->failed[0] = '\0';
	}
	return rc;
}
