/* cusolver_emu.c - stands in for cuSOLVER under emulation: singular values by one-sided Jacobi rotations (Hestenes 1958), in the order of the
 * library, largest first. Device memory is in its reach there (DEVICE_CALL). */
#include <math.h>
#include <stddef.h>
#include <stdlib.h>

int cusolverDnCreate(void **out);
int cusolverDnDestroy(void *h);
int cusolverDnSetStream(void *h, void *stream);
int cusolverGetProperty(int which, int *value);
int cusolverDnDgesvd_bufferSize(void *h, int m, int n, int *doubles);
int cusolverDnDgesvd(void *h, signed char left, signed char right, int m, int n, double *a, int lda, double *s, double *u, int ldu, double *vt,
                     int ldvt, double *work, int n_work, double *rest, int *info);

enum { BAD = 3 };
static int handle;

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
	double z = (b - a) / (2 * c), t = (z < 0 ? -1 : 1) / (fabs(z) + sqrt(1 + z * z)), cosine = 1 / sqrt(1 + t * t), sine = cosine * t;
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

int cusolverDnDgesvd(void *h, signed char left, signed char right, int m, int n, double *a, int lda, double *s, double *u, int ldu, double *vt,
                     int ldvt, double *work, int n_work, double *rest, int *info)
{
	(void)u;
	(void)vt;
	(void)work;
	(void)rest;
	if (h != &handle || left != 'N' || right != 'N' || m < n || lda < m || ldu < 1 || ldvt < 1 || n_work < n)
		return BAD;
	int done = 0;
	for (int sweep = 0; sweep < 60 && !done; sweep++) {
		done = 1;
		for (int i = 0; i < n; i++)
			for (int j = i + 1; j < n; j++)
				done &= rotate(a + (ptrdiff_t)i * lda, a + (ptrdiff_t)j * lda, m);
	}
	for (int i = 0; i < n; i++)
		s[i] = sqrt(dot(a + (ptrdiff_t)i * lda, a + (ptrdiff_t)i * lda, m));
	qsort(s, (size_t)n, sizeof *s, falling);
	*info = 0; /* after 60 sweeps what is left is rounding */
	return 0;
}
