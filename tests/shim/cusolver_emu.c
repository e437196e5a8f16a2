/* cusolver_emu.c - replaces cuSOLVER under emulation: singular values by one-sided Jacobi rotations (Hestenes 1958), in
 * the order of the library, largest first. It runs when its stream does, as what NVIDIA's enqueues. */
#include "tests/cuda_emu/emu_stream.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>

int cusolverDnCreate(void **out);
int cusolverDnDestroy(void *h);
int cusolverDnSetStream(void *h, void *stream);
int cusolverGetProperty(int which, int *value);
int cusolverDnDgesvd_bufferSize(void *h, int m, int n, int *doubles);
int cusolverDnDgesvd(void *h, signed char left, signed char right, int m, int n, double *a, int lda, double *s,
                     double *u, int ldu, double *vt, int ldvt, double *work, int n_work, double *rest, int *info);

enum { BAD = 3 };
static struct {
	struct emu_stream_head *stream;
} handle;

int cusolverDnCreate(void **out)
{
	*out = &handle;
	return 0;
}

int cusolverDnDestroy(void *h)
{
	return h == &handle ? 0 : BAD;
}

int cusolverDnSetStream(void *h, void *stream)
{
	handle.stream = stream;
	return h == &handle && stream ? 0 : BAD;
}

int cusolverGetProperty(int which, int *value)
{
	*value = which == 0 ? 12 : 0;
	return 0;
}

int cusolverDnDgesvd_bufferSize(void *h, int m, int n, int *doubles)
{
	*doubles = n;
	return h == &handle && m >= n ? 0 : BAD;
}

static double dot(const double *a, const double *b, int m)
{
	double sum = 0;
	for (int i = 0; i < m; i++)
		sum += a[i] * b[i];
	return sum;
}

/* Makes two columns orthogonal; were they? */
static int rotate(double *x, double *y, int m)
{
	double a = dot(x, x, m), b = dot(y, y, m), c = dot(x, y, m);
	if (fabs(c) <= 1e-16 * sqrt(a * b) || c == 0)
		return 1;
	double z = (b - a) / (2 * c), t = (z < 0 ? -1 : 1) / (fabs(z) + sqrt(1 + z * z)), cosine = 1 / sqrt(1 + t * t),
		   sine = cosine * t;
	for (int i = 0; i < m; i++) {
		double u = x[i];
		x[i] = cosine * u - sine * y[i];
		y[i] = sine * u + cosine * y[i];
	}
	return 0;
}

static int falling(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x < y) - (x > y);
}

/* One call, kept until the stream comes to it. */
struct job {
	double *a, *s;
	int *info, m, n, lda;
};

static void singular(void *arg)
{
	struct job j = *(struct job *)arg;
	int done = 0;
	free(arg);
	for (int sweep = 0; sweep < 60 && !done; sweep++) {
		done = 1;
		for (int i = 0; i < j.n; i++)
			for (int k = i + 1; k < j.n; k++)
				done &= rotate(j.a + (ptrdiff_t)i * j.lda, j.a + (ptrdiff_t)k * j.lda, j.m);
	}
	for (int i = 0; i < j.n; i++)
		j.s[i] = sqrt(dot(j.a + (ptrdiff_t)i * j.lda, j.a + (ptrdiff_t)i * j.lda, j.m));
	qsort(j.s, (size_t)j.n, sizeof *j.s, falling);
	*j.info = 0; /* after 60 sweeps what is left is rounding */
}

int cusolverDnDgesvd(void *h, signed char left, signed char right, int m, int n, double *a, int lda, double *s,
                     double *u, int ldu, double *vt, int ldvt, double *work, int n_work, double *rest, int *info)
{
	(void)u;
	(void)vt;
	(void)work;
	(void)rest;
	if (h != &handle || left != 'N' || right != 'N' || m < n || lda < m || ldu < 1 || ldvt < 1 || n_work < n)
		return BAD;
	struct job *j = malloc(sizeof *j);
	if (!j)
		return BAD;
	*j = (struct job){ a, s, info, m, n, lda };
	handle.stream->enqueue(handle.stream, singular, j);
	return 0;
}
