/* edit.c - see edit.h. */
#include "model/consistency/edit.h"

#include "model/base/mem.h"
#include "model/base/str.h"

#include <math.h>
#include <string.h>

/* ---- the map A of one pixel ------------------------------------------------------------------------------------- */

/* Rows: along brightness, and two directions across it (Gram-Schmidt of red and green). Any two would do: the mask
 * refers to their span. */
static void brightness_rows(double q[3][3])
{
	static const double first[3][3] = { { 0.2989, 0.5870, 0.1140 }, { 1, 0, 0 }, { 0, 1, 0 } };
	for (int r = 0; r < 3; r++) {
		memcpy(q[r], first[r], sizeof q[r]);
		for (int k = 0; k < r; k++) {
			double dot = q[r][0] * q[k][0] + q[r][1] * q[k][1] + q[r][2] * q[k][2];
			for (int j = 0; j < 3; j++)
				q[r][j] -= dot * q[k][j];
		}
		double size = sqrt(q[r][0] * q[r][0] + q[r][1] * q[r][1] + q[r][2] * q[r][2]);
		for (int j = 0; j < 3; j++)
			q[r][j] /= size;
	}
}

static bool is_made(const struct edit *e, int64_t i)
{
	return !e->made || e->made[i];
}

/* One picture: A^-1 of A y where the mask keeps it and of A x elsewhere; x NULL is zero. */
static void put_together(double *dst, const double *y, const double *x, const struct edit *e)
{
	int64_t n = (int64_t)e->h * e->w;
	if (e->space == EDIT_PIXELS) {
		for (int64_t i = 0; i < n * e->c; i++)
			dst[i] = !is_made(e, i) ? y[i] : x ? x[i] : 0;
		return;
	}
	double q[3][3];
	brightness_rows(q);
	for (int64_t p = 0; p < n; p++) {
		double v[3], out[3] = { 0 };
		const double *a = y + p * 3, *b = x ? x + p * 3 : NULL;
		for (int r = 0; r < 3; r++) {
			const double *from = is_made(e, p * 3 + r) ? b : a;
			v[r] = from ? q[r][0] * from[0] + q[r][1] * from[1] + q[r][2] * from[2] : 0;
		}
		for (int r = 0; r < 3; r++) /* the inverse of an orthogonal map is its transpose */
			for (int j = 0; j < 3; j++)
				out[j] += q[r][j] * v[r];
		memcpy(dst + p * 3, out, sizeof out);
	}
}

void edit_known(double *dst, const double *y, const struct edit *e)
{
	put_together(dst, y, NULL, e);
}

/* ---- Algorithm 4 ------------------------------------------------------------------------------------------------ */

int edit_check(const struct edit *edit, struct err *e)
{
	if (edit->space == EDIT_BRIGHTNESS && edit->c != 3)
		return err_code(e, EXIT_USAGE, "pictures of %d channel%s cannot be colourised", edit->c, str_plural(edit->c));
	if (edit->n_sigma < 1)
		return err_code(e, EXIT_USAGE, "no noise levels: give at least one");
	for (int k = 0; k < edit->n_sigma; k++)
		if (!(edit->sigma[k] > edit->eps) || !isfinite(edit->sigma[k]) || (k && !(edit->sigma[k] < edit->sigma[k - 1])))
			return err_code(e, EXIT_USAGE, "noise levels must fall and stay above %g: number %d is %g", edit->eps,
			                k + 1, edit->sigma[k]);
	return 0;
}

int edit_run(double *dst, const double *y, int64_t n, const struct edit *edit, const struct edit_model *m,
             struct err *e)
{
	size_t per = (size_t)edit->h * (size_t)edit->w * (size_t)edit->c;
	if (edit_check(edit, e))
		return -1;
	SCOPED(free) double *x = xcalloc(per * (size_t)n + 1, sizeof *x);
	SCOPED(free) double *z = xcalloc(per + 1, sizeof *z);
	for (int64_t i = 0; i < n; i++) {
		if (edit->from_reference)
			memcpy(dst + (size_t)i * per, y + (size_t)i * per, per * sizeof *dst);
		else
			edit_known(dst + (size_t)i * per, y + (size_t)i * per, edit);
	}
	for (int k = 0; k < edit->n_sigma; k++) {
		double s = edit->sigma[k], spread = k ? sqrt(fmax(s * s - edit->eps * edit->eps, 0)) : s;
		for (int64_t i = 0; i < n; i++) {
			m->noise(m->ctx, z, i, k);
			for (size_t j = 0; j < per; j++)
				x[(size_t)i * per + j] = dst[(size_t)i * per + j] + spread * z[j];
		}
		if (m->answer(m->ctx, dst, x, 0, n, s, e))
			return -1;
		for (int64_t i = 0; i < n; i++)
			put_together(dst + (size_t)i * per, y + (size_t)i * per, dst + (size_t)i * per, edit);
	}
	return 0;
}

/* ---- latents and levels ----------------------------------------------------------------------------------------- */

void edit_between(double *dst, const double *a, const double *b, int64_t n, double share)
{
	double ab = 0, aa = 0, bb = 0;
	for (int64_t i = 0; i < n; i++)
		ab += a[i] * b[i], aa += a[i] * a[i], bb += b[i] * b[i];
	double cosine = aa > 0 && bb > 0 ? fmax(-1, fmin(1, ab / sqrt(aa * bb))) : 1, angle = acos(cosine), s = sin(angle);
	double of_a = s > 1e-6 ? sin((1 - share) * angle) / s : 1 - share, of_b = s > 1e-6 ? sin(share * angle) / s : share;
	for (int64_t i = 0; i < n; i++)
		dst[i] = of_a * a[i] + of_b * b[i];
}

void edit_levels(double *sigma, int n, double from, double eps, double rho)
{
	double a = pow(from, 1 / rho), b = pow(eps, 1 / rho);
	for (int k = 0; k < n; k++)
		sigma[k] = pow(a + (b - a) * k / n, rho);
	if (n)
		sigma[0] = from;
}
