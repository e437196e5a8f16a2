/* device_moments.c - see device_moments.h. */
#include "model/frozen/device_moments.h"

#include "model/base/mem.h"

#include <stdlib.h>

struct device_moments {
	struct backend *b;
	int d;
	int64_t cap, n_rows, n_folded;
	float *rows; /* (cap, d), on the device as what follows */
	double *fresh, *mean, *scatter;
};

static void forget(struct backend *b, void *p)
{
	if (p)
		b->ops->memory.release(b, p);
}

void device_moments_free(struct device_moments *m)
{
	if (!m)
		return;
	forget(m->b, m->rows);
	forget(m->b, m->fresh);
	forget(m->b, m->mean);
	forget(m->b, m->scatter);
	free(m);
}

int device_moments_new(struct device_moments **out, struct backend *b, int d, struct err *e)
{
	REQUIRE(b->ops->scores && d > 0);
	struct device_moments *m = xcalloc(1, sizeof *m);
	size_t line = (size_t)d * sizeof(double);
	*m = (struct device_moments){ .b = b, .d = d, .cap = d > 256 ? d : 256 };
	if (!(m->rows = b->ops->memory.alloc(b, (size_t)m->cap * (size_t)d * sizeof *m->rows, e)) ||
	    !(m->fresh = b->ops->memory.alloc(b, line, e)) || !(m->mean = b->ops->memory.alloc(b, line, e)) ||
	    !(m->scatter = b->ops->memory.alloc(b, line * (size_t)d, e))) {
		device_moments_free(m);
		return err_in(e, "moments of %d dimensions on the device", d);
	}
	*out = m;
	return 0;
}

void device_moments_reset(struct device_moments *m)
{
	size_t line = (size_t)m->d * sizeof(double);
	m->n_rows = m->n_folded = 0;
	m->b->ops->scores->clear(m->b, m->mean, line);
	m->b->ops->scores->clear(m->b, m->scatter, line * (size_t)m->d);
}

static void fold(struct device_moments *m)
{
	m->b->ops->scores->fold(m->b, &(struct fold_job){ .rows = m->rows,
	                                                  .n = m->n_rows,
	                                                  .n_folded = m->n_folded,
	                                                  .d = m->d,
	                                                  .fresh = m->fresh,
	                                                  .mean = m->mean,
	                                                  .scatter = m->scatter });
	m->n_folded += m->n_rows;
	m->n_rows = 0;
}

void device_moments_add(struct device_moments *m, const float *x, int64_t n)
{
	while (n > 0) {
		if (m->n_rows == m->cap)
			fold(m);
		int64_t some = n < m->cap - m->n_rows ? n : m->cap - m->n_rows;
		m->b->ops->scores->copy(m->b, m->rows + m->n_rows * m->d, x, (size_t)(some * m->d) * sizeof *x);
		m->n_rows += some;
		x += some * m->d;
		n -= some;
	}
}

void moment_parts_release(struct moment_parts *p)
{
	free(p->rows);
	free(p->mean);
	free(p->scatter);
	*p = (struct moment_parts){ 0 };
}

void scoped_moment_parts(struct moment_parts *p)
{
	moment_parts_release(p);
}

int device_moments_read(struct moment_parts *out, const struct device_moments *m, struct err *e)
{
	SCOPED(moment_parts) struct moment_parts p = { .n_rows = m->n_rows, .n_folded = m->n_folded };
	size_t d = (size_t)m->d, rows = (size_t)m->n_rows * d * sizeof *p.rows, line = d * sizeof *p.mean;
	p.rows = xmalloc(rows ? rows : 1);
	if (rows)
		m->b->ops->memory.download(m->b, p.rows, m->rows, rows);
	if (m->n_folded) {
		p.mean = xmalloc(line);
		p.scatter = xmalloc(line * d);
		m->b->ops->memory.download(m->b, p.mean, m->mean, line);
		m->b->ops->memory.download(m->b, p.scatter, m->scatter, line * d);
	}
	if (backend_check(m->b, e))
		return -1;
	*out = p;
	p = (struct moment_parts){ 0 };
	return 0;
}
