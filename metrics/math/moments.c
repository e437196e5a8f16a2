/* moments.c - see moments.h. */
#include "metrics/math/moments.h"

#include "metrics/math/linalg.h"
#include "model/base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void moments_init(struct moments *m, int d)
{
	REQUIRE(d > 0);
	*m = (struct moments){ .d = d, .cap = d > 256 ? d : 256 };
	m->rows = xmalloc(sizeof *m->rows * (size_t)m->cap * (size_t)d);
	m->mean = xcalloc((size_t)d, sizeof *m->mean);
}

void moments_init_folded(struct moments *m, int d, int64_t n_folded, double *mean, double *scatter)
{
	moments_init(m, d);
	if (!n_folded)
		return;
	REQUIRE(mean && scatter);
	free(m->mean);
	m->mean = mean;
	m->scatter = scatter;
	m->n = m->n_folded = n_folded;
}

void moments_release(struct moments *m)
{
	free(m->rows);
	free(m->mean);
	free(m->scatter);
	*m = (struct moments){ 0 };
}

void scoped_moments(struct moments *m)
{
	moments_release(m);
}

static void mean_of(double *mean, const double *rows, int n, int d)
{
	memset(mean, 0, sizeof *mean * (size_t)d);
	for (int64_t i = 0; i < n; i++)
		for (int j = 0; j < d; j++)
			mean[j] += rows[i * d + j];
	for (int j = 0; j < d; j++)
		mean[j] /= n;
}

static void subtract(double *rows, const double *mean, int n, int d)
{
	for (int64_t i = 0; i < n; i++)
		for (int j = 0; j < d; j++)
			rows[i * d + j] -= mean[j];
}

/* The upper triangle += f * v v^T. */
static void rank_one(double *scatter, double f, const double *v, int d)
{
	for (int64_t i = 0; i < d; i++)
		for (int64_t j = i; j < d; j++)
			scatter[i * d + j] += f * v[i] * v[j];
}

/* (n, mean, scatter) takes in the mean of k more vectors, whose scatter about it has been added already. */
static void take_in(struct moments *m, const double *mean, int64_t k)
{
	double share = (double)k / (double)(m->n_folded + k);
	double *delta = xmalloc(sizeof *delta * (size_t)m->d);
	for (int j = 0; j < m->d; j++) {
		delta[j] = mean[j] - m->mean[j];
		m->mean[j] += delta[j] * share;
	}
	rank_one(m->scatter, (double)m->n_folded * share, delta, m->d);
	m->n_folded += k;
	free(delta);
}

static void fold(struct moments *m)
{
	if (!m->scatter)
		m->scatter = xcalloc((size_t)m->d * (size_t)m->d, sizeof *m->scatter);
	if (m->n_rows == 0)
		return;
	double *mean = xmalloc(sizeof *mean * (size_t)m->d);
	mean_of(mean, m->rows, m->n_rows, m->d);
	subtract(m->rows, mean, m->n_rows, m->d);
	linalg_syrk_upper(m->scatter, m->rows, m->n_rows, m->d);
	take_in(m, mean, m->n_rows);
	m->n_rows = 0;
	free(mean);
}

/* Room for one more vector. */
static double *next_row(struct moments *m)
{
	if (m->n_rows == m->cap)
		fold(m);
	m->n++;
	return m->rows + (int64_t)m->n_rows++ * m->d;
}

void moments_add(struct moments *m, const float *x, int64_t n)
{
	for (int64_t i = 0; i < n; i++) {
		double *row = next_row(m);
		for (int j = 0; j < m->d; j++)
			row[j] = x[i * m->d + j];
	}
}

void moments_add_double(struct moments *m, const double *x, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		memcpy(next_row(m), x + i * m->d, sizeof *x * (size_t)m->d);
}

void moments_merge(struct moments *m, struct moments *from)
{
	REQUIRE(m->d == from->d);
	if (!from->scatter) {
		moments_add_double(m, from->rows, from->n_rows);
		return;
	}
	fold(m);
	fold(from);
	for (size_t i = 0; i < (size_t)m->d * (size_t)m->d; i++)
		m->scatter[i] += from->scatter[i];
	if (from->n_folded)
		take_in(m, from->mean, from->n_folded);
	m->n += from->n_folded;
}

void moments_without(struct moments *out, struct moments *all, struct moments *part)
{
	REQUIRE(all->d == part->d && part->n < all->n);
	moments_init(out, all->d);
	fold(all);
	fold(part);
	size_t d2 = (size_t)all->d * (size_t)all->d;
	int64_t n = all->n - part->n;
	out->scatter = xmalloc(sizeof *out->scatter * d2);
	for (size_t i = 0; i < d2; i++)
		out->scatter[i] = all->scatter[i] - part->scatter[i];
	double *delta = xmalloc(sizeof *delta * (size_t)all->d);
	for (int j = 0; j < all->d; j++) {
		out->mean[j] = all->mean[j] + (all->mean[j] - part->mean[j]) * (double)part->n / (double)n;
		delta[j] = part->mean[j] - out->mean[j];
	}
	rank_one(out->scatter, -(double)n * (double)part->n / (double)all->n, delta, all->d);
	out->n = out->n_folded = n;
	free(delta);
}

void moments_mean(double *mu, const struct moments *m)
{
	REQUIRE(m->n > 0);
	if (m->n_rows == 0) {
		memcpy(mu, m->mean, sizeof *mu * (size_t)m->d);
		return;
	}
	mean_of(mu, m->rows, m->n_rows, m->d);
	for (int j = 0; j < m->d; j++)
		mu[j] = m->mean[j] + (mu[j] - m->mean[j]) * ((double)m->n_rows / (double)m->n);
}

void moments_sigma(double *sigma, struct moments *m)
{
	REQUIRE(m->n >= 2);
	fold(m);
	for (size_t i = 0; i < (size_t)m->d * (size_t)m->d; i++)
		sigma[i] = m->scatter[i] / (double)(m->n - 1);
	linalg_mirror(sigma, m->d);
}

double *moments_factor(const struct moments *m)
{
	if (m->scatter || m->n < 2)
		return NULL;
	double *f = xmalloc(sizeof *f * (size_t)m->n_rows * (size_t)m->d), *mean = xmalloc(sizeof *mean * (size_t)m->d);
	memcpy(f, m->rows, sizeof *f * (size_t)m->n_rows * (size_t)m->d);
	mean_of(mean, m->rows, m->n_rows, m->d);
	subtract(f, mean, m->n_rows, m->d);
	double scale = 1 / sqrt((double)(m->n - 1));
	for (int64_t i = 0; i < (int64_t)m->n_rows * m->d; i++)
		f[i] *= scale;
	free(mean);
	return f;
}
