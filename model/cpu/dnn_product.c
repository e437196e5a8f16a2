/* dnn_product.c - see dnn_product.h. */
#include "model/cpu/dnn_product.h"

#include "model/base/cpu.h"

/* At most UNITS units, a power of two, of at least UNIT_FLOPS each, below which what a call packs and begins shows. A
 * block of C has at least SIDE rows and columns, a chunk DEPTH terms. All partial sums together take at most SUMS
 * floats. */
enum { UNITS = 16, SIDE = 64, DEPTH = 256, SUMS = 1 << 20 };
#define UNIT_FLOPS 2e6

struct cut {
	int64_t rows, columns, chunks; /* how many of each */
};

struct product {
	enum dnn_stored as, bs;
	int64_t m, n, k;
	const float *a, *b;
	float *c, *sums; /* sums: (chunks, m, n) where there are several */
	float beta;
	struct cut cut;
};

/* The largest power of two up to `most`, of parts of `length` with at least `least` each. */
static int64_t parts_of(int64_t length, int64_t least, int64_t most)
{
	int64_t parts = 1;
	while (2 * parts <= most && 2 * parts * least <= length)
		parts *= 2;
	return parts;
}

static struct cut cut_of(int64_t m, int64_t n, int64_t k, bool sum)
{
	double flops = 2.0 * (double)m * (double)n * (double)k;
	int64_t units = 1;
	while (2 * units <= UNITS && (double)(2 * units) * UNIT_FLOPS <= flops)
		units *= 2;
	struct cut c = { 1, 1, 1 };
	if (sum) {
		int64_t chunks = parts_of(k, DEPTH, units);
		if (chunks * m * n <= SUMS) {
			c.chunks = chunks;
			units /= chunks;
		}
	}
	c.rows = parts_of(m, SIDE, units);
	c.columns = parts_of(n, SIDE, units / c.rows);
	return c;
}

static void units_range(void *ctx, int64_t first, int64_t last)
{
	const struct product *p = ctx;
	int64_t lda = p->as == DNN_PLAIN ? p->k : p->m, ldb = p->bs == DNN_PLAIN ? p->n : p->k;
	for (int64_t unit = first; unit < last; unit++) {
		int64_t row = unit % p->cut.rows, column = unit / p->cut.rows % p->cut.columns,
				chunk = unit / p->cut.rows / p->cut.columns;
		int64_t i = p->m * row / p->cut.rows, rows = p->m * (row + 1) / p->cut.rows - i;
		int64_t j = p->n * column / p->cut.columns, columns = p->n * (column + 1) / p->cut.columns - j;
		int64_t t = p->k * chunk / p->cut.chunks, terms = p->k * (chunk + 1) / p->cut.chunks - t;
		const float *a = p->a + (p->as == DNN_PLAIN ? i * lda + t : t * lda + i);
		const float *b = p->b + (p->bs == DNN_PLAIN ? t * ldb + j : j * ldb + t);
		float *c = p->cut.chunks > 1 ? p->sums + chunk * p->m * p->n : p->c;
		dnn_gemm(p->as, p->bs, rows, columns, terms, 1, a, lda, b, ldb, p->beta, c + i * p->n + j, p->n);
	}
}

static void run(struct product *p)
{
	cpu_split(p->cut.rows * p->cut.columns * p->cut.chunks, 1, units_range, p);
}

void dnn_product(enum dnn_stored bs, int64_t m, int64_t n, int64_t k, const float *a, const float *b, float beta,
                 float *c)
{
	run(&(struct product){ DNN_PLAIN, bs, m, n, k, a, b, c, NULL, beta, cut_of(m, n, k, false) });
}

size_t dnn_product_sum_scratch(int64_t m, int64_t n, int64_t k)
{
	int64_t chunks = cut_of(m, n, k, true).chunks;
	return chunks > 1 ? (size_t)(chunks * m * n) * sizeof(float) : 0;
}

void dnn_product_sum(int64_t m, int64_t n, int64_t k, const float *a, const float *b, float *c, void *scratch)
{
	struct product p = { DNN_TRANSPOSED, DNN_PLAIN, m, n, k, a, b, c, scratch, 0, cut_of(m, n, k, true) };
	run(&p);
	if (p.cut.chunks > 1)
		dnn_add_parts(c, scratch, p.cut.chunks, (size_t)(m * n), m * n);
}

struct adding {
	float *dst;
	const float *parts;
	int64_t n_parts;
	size_t stride;
};

CPU_KERNEL static void add_parts(float *restrict dst, const float *restrict parts, int64_t n_parts, size_t stride,
                                 int64_t first, int64_t last)
{
	for (int64_t i = first; i < last; i++)
		dst[i] = parts[i];
	for (int64_t part = 1; part < n_parts; part++) {
		parts += stride;
		for (int64_t i = first; i < last; i++)
			dst[i] += parts[i];
	}
}

static void adding_range(void *ctx, int64_t first, int64_t last)
{
	enum { BLOCK = 2048 }; /* of dst, which a first-level cache holds */
	const struct adding *a = ctx;
	for (int64_t at = first; at < last; at += BLOCK)
		add_parts(a->dst, a->parts, a->n_parts, a->stride, at, last - at < BLOCK ? last : at + BLOCK);
}

void dnn_add_parts(float *dst, const float *parts, int64_t n_parts, size_t stride, int64_t n)
{
	cpu_split(n, 4096, adding_range, &(struct adding){ dst, parts, n_parts, stride });
}
