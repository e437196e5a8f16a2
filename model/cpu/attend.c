/* attend.c - see attend.h. Matrices in scratch have rows of whole vectors, filled up with zeros; a factor that a
 * product takes transposed lies turned, in the panels of winograd_kernel.h. Rows are SKEW further apart than they are
 * long where a column's values would compete for one set of the cache: in blocks of (rows, l), and with many channels.
 *
 * A row's sum or maximum is taken in LANES parts, which are joined by halves: vectors that wait for nothing, and the
 * same bits whatever their length. */
#include "model/cpu/attend.h"

#include "model/cpu/winograd_private.h"
#include "model/base/cpu.h"

#include <math.h>
#include <string.h>

enum {
	LANES = 16,
	ROWS = 64,     /* of queries that go together */
	FEW_ROWS = 48, /* the same where rows are long */
	LONG_ROW = 512,
	DEPTH = 64, /* rows of a factor that stay in the first cache while all of the block's rows pass */
};

/* What a pass has in common: sizes, and where its matrices are in scratch. */
struct plan {
	const struct attend *s;
	const struct kernels *k;
	int64_t lp, cp;          /* l and ch as whole vectors */
	int64_t pitch, ld, rows; /* from row to row of a matrix of ch columns, of a block, and a block's rows */
	float *free;             /* what is left of scratch */
};

static struct plan plan_of(const struct attend *s, float *scratch)
{
	int64_t lp = round_up(s->l, LANES), cp = round_up(s->ch, LANES);
	return (struct plan){ .s = s,
		                  .k = winograd_kernels(),
		                  .lp = lp,
		                  .cp = cp,
		                  .pitch = cp % WIDE ? cp : cp + SKEW,
		                  .ld = lp + SKEW,
		                  .rows = at_most(s->l, lp > LONG_ROW ? FEW_ROWS : ROWS),
		                  .free = scratch };
}

static float *take(struct plan *p, int64_t floats)
{
	float *at = p->free;
	p->free += floats;
	return at;
}

bool attend_here(void)
{
	return winograd_kernels() != NULL;
}

size_t attend_floats(const struct attend *s, enum attend_pass pass)
{
	static const struct {
		int64_t pixels, blocks, outputs; /* matrices of (lp, pitch), (rows, ld) and (rows, pitch) */
	} parts[] = { [ATTEND_FORWARD] = { 4, 1, 1 },
		          [ATTEND_BACKWARD] = { 7, 2, 1 },
		          [ATTEND_CHANGE] = { 9, 2, 1 },
		          [ATTEND_JVP] = { 8, 2, 1 } };
	struct plan p = plan_of(s, NULL);
	return (size_t)(parts[pass].pixels * p.lp * p.pitch +
	                p.rows * (parts[pass].blocks * p.ld + parts[pass].outputs * p.pitch));
}

/* c (m x n) = or += a (m x depth) b (depth x n) */
static void product(const struct plan *p, int64_t m, int64_t n, int64_t depth, const float *a, int64_t row,
                    int64_t step, const float *b, int64_t ldb, float *c, int64_t ldc, bool add)
{
	for (int64_t at = 0; at < depth; at += DEPTH)
		p->k->gemm(m, n, at_most(DEPTH, depth - at), a + at * step, row, step, b + at * ldb, ldb, c, ldc,
		           add || at > 0);
}

/* The same where b lies turned, in panels, as turn() left it: c (m x lp), depth ch. */
static void product_turned(const struct plan *p, int64_t m, const float *a, const float *b, float *c, int64_t ldc,
                           bool add)
{
	for (int64_t panel = 0; panel < p->lp; panel += WIDE) {
		int64_t wide = at_most(WIDE, p->lp - panel);
		product(p, m, wide, p->s->ch, a, p->pitch, 1, b + panel * p->s->ch, wide, c + panel, ldc, add);
	}
}

/* ---- copies ---------------------------------------------------------------------------------- */

CPU_KERNEL static void split(float *restrict q, float *restrict k, float *restrict v, const float *restrict qkv,
                             int64_t l, int64_t ch, int64_t cp, int64_t pitch, int64_t stride)
{
	for (int64_t i = 0; i < l; i++) {
		for (int64_t c = 0; c < ch; c++) {
			q[i * pitch + c] = qkv[i * stride + c * 3];
			k[i * pitch + c] = qkv[i * stride + c * 3 + 1];
			v[i * pitch + c] = qkv[i * stride + c * 3 + 2];
		}
		for (int64_t c = ch; c < cp; c++)
			q[i * pitch + c] = k[i * pitch + c] = v[i * pitch + c] = 0;
	}
}

CPU_KERNEL static void join(float *restrict qkv, const float *restrict q, const float *restrict k,
                            const float *restrict v, int64_t l, int64_t ch, int64_t pitch, int64_t stride)
{
	for (int64_t i = 0; i < l; i++)
		for (int64_t c = 0; c < ch; c++) {
			qkv[i * stride + c * 3] = q[i * pitch + c];
			qkv[i * stride + c * 3 + 1] = k[i * pitch + c];
			qkv[i * stride + c * 3 + 2] = v[i * pitch + c];
		}
}

/* Panels of ch rows each: x (l,pitch) turned, times scale. */
CPU_KERNEL static void turn(float *restrict out, const float *restrict x, int64_t l, int64_t ch, int64_t pitch,
                            float scale)
{
	int64_t lp = (l + LANES - 1) / LANES * LANES;
	for (int64_t panel = 0; panel < lp; panel += WIDE) {
		int64_t wide = lp - panel < WIDE ? lp - panel : WIDE;
		for (int64_t at = 0; at < wide; at += LANES)
			for (int64_t c = 0; c < ch; c++) {
				float *to = out + panel * ch + c * wide + at;
				const float *from = x + (panel + at) * pitch + c;
				int64_t there = l - panel - at;
				if (there >= LANES)
					for (int64_t i = 0; i < LANES; i++)
						to[i] = from[i * pitch] * scale;
				else
					for (int64_t i = 0; i < LANES; i++)
						to[i] = i < there ? from[i * pitch] * scale : 0;
			}
	}
}

CPU_KERNEL static void sum_of(float *restrict y, const float *restrict a, const float *restrict b, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		y[i] = a[i] + b[i];
}

/* y's rows of ch floats, c apart, from rows that are `pitch` apart. */
static void put_rows(float *y, int64_t c, const float *from, int64_t pitch, int64_t rows, int64_t ch)
{
	for (int64_t i = 0; i < rows; i++)
		memcpy(y + i * c, from + i * pitch, sizeof *y * (size_t)ch);
}

/* Rows of w (rows,l) as a block's, with zeros at their ends. */
static void get_rows(const struct plan *p, float *block, const float *w, int64_t rows)
{
	for (int64_t i = 0; i < rows; i++) {
		memcpy(block + i * p->ld, w + i * p->s->l, sizeof *w * (size_t)p->s->l);
		memset(block + i * p->ld + p->s->l, 0, sizeof *w * (size_t)(p->lp - p->s->l));
	}
}

/* ---- rows, of whole vectors ------------------------------------------------------------------ */

/* of a row's LANES parts, by halves */
ALWAYS_INLINE float total(float *part)
{
#pragma GCC unroll 4
	for (int half = LANES / 2; half > 0; half /= 2)
#pragma GCC unroll 8
		for (int j = 0; j < half; j++)
			part[j] += part[j + half];
	return part[0];
}

ALWAYS_INLINE float most_of(float *part)
{
#pragma GCC unroll 4
	for (int half = LANES / 2; half > 0; half /= 2)
#pragma GCC unroll 8
		for (int j = 0; j < half; j++)
			part[j] = part[j + half] > part[j] ? part[j + half] : part[j];
	return part[0];
}

/* Of n values; what fills the last vector up becomes 0. */
CPU_KERNEL static void softmax_row(float *restrict w, int64_t n)
{
	float part[LANES];
	int64_t whole = n / LANES * LANES;
	int rest = (int)(n - whole);
	for (int j = 0; j < LANES; j++)
		part[j] = w[whole ? j : 0];
	for (int64_t i = LANES; i < whole; i += LANES)
		for (int j = 0; j < LANES; j++)
			part[j] = w[i + j] > part[j] ? w[i + j] : part[j];
	if (rest)
		for (int j = 0; j < LANES; j++) {
			float x = j < rest ? w[whole + j] : part[j];
			part[j] = x > part[j] ? x : part[j];
		}
	float most = most_of(part);
	for (int j = 0; j < LANES; j++)
		part[j] = 0;
	for (int64_t i = 0; i < whole; i += LANES)
		for (int j = 0; j < LANES; j++) {
			w[i + j] = exp_approx(w[i + j] - most);
			part[j] += w[i + j];
		}
	if (rest)
		for (int j = 0; j < LANES; j++) {
			float e = exp_approx(w[whole + j] - most);
			w[whole + j] = j < rest ? e : 0;
			part[j] += w[whole + j];
		}
	float one = 1.0f / total(part);
	for (int64_t i = 0; i < n; i += LANES)
		for (int j = 0; j < LANES; j++)
			w[i + j] *= one;
}

/* ds = w * (dw - sum(w dw)) scale, in place of dw. */
CPU_KERNEL static void softmax_gradient(float *restrict dw, const float *restrict w, int64_t n, float scale)
{
	float part[LANES] = { 0 };
	for (int64_t i = 0; i < n; i += LANES)
		for (int j = 0; j < LANES; j++)
			part[j] += w[i + j] * dw[i + j];
	float dot = total(part);
	for (int64_t i = 0; i < n; i++)
		dw[i] = w[i] * (dw[i] - dot) * scale;
}

/* ---- forward --------------------------------------------------------------------------------- */

void attend_forward(const struct attend *s, const float *qkv, float *w, float *y, float *scratch)
{
	struct plan p = plan_of(s, scratch);
	int64_t pixels = p.lp * p.pitch, ld = p.lp == s->l ? s->l : p.ld;
	float *q = take(&p, pixels), *k = take(&p, pixels), *v = take(&p, pixels), *turned = take(&p, pixels),
		  *block = take(&p, p.rows * p.ld), *out = take(&p, p.rows * p.pitch);
	split(q, k, v, qkv, s->l, s->ch, p.cp, p.pitch, 3 * s->c);
	turn(turned, k, s->l, s->ch, p.pitch, s->scale);
	for (int64_t first = 0; first < s->l; first += p.rows) {
		int64_t rows = at_most(p.rows, s->l - first);
		float *at = p.lp == s->l ? w + first * s->l : block;
		product_turned(&p, rows, q + first * p.pitch, turned, at, ld, false);
		for (int64_t i = 0; i < rows; i++)
			softmax_row(at + i * ld, s->l);
		if (at == block)
			put_rows(w + first * s->l, s->l, block, ld, rows, s->l);
		bool whole = p.cp == s->ch;
		float *to = whole ? y + first * s->c : out;
		product(&p, rows, p.cp, s->l, at, ld, 1, v, p.pitch, to, whole ? s->c : p.pitch, false);
		if (!whole)
			put_rows(y + first * s->c, s->c, out, p.pitch, rows, s->ch);
	}
}

/* ---- backward -------------------------------------------------------------------------------- */

void attend_backward(const struct attend *s, const float *dy, const float *qkv, const float *w, float *dqkv,
                     float *scratch)
{
	struct plan p = plan_of(s, scratch);
	int64_t pixels = p.lp * p.pitch;
	float *q = take(&p, pixels), *k = take(&p, pixels), *v = take(&p, pixels), *turned = take(&p, pixels),
		  *dq = take(&p, pixels), *dk = take(&p, pixels), *dv = take(&p, pixels), *ds = take(&p, p.rows * p.ld),
		  *weights = take(&p, p.rows * p.ld), *g = take(&p, p.rows * p.pitch);
	split(q, k, v, qkv, s->l, s->ch, p.cp, p.pitch, 3 * s->c);
	turn(turned, v, s->l, s->ch, p.pitch, 1);
	memset(g, 0, sizeof *g * (size_t)(p.rows * p.pitch));
	for (int64_t first = 0; first < s->l; first += p.rows) {
		int64_t rows = at_most(p.rows, s->l - first);
		put_rows(g, p.pitch, dy + first * s->c, s->c, rows, s->ch);
		get_rows(&p, weights, w + first * s->l, rows);
		product_turned(&p, rows, g, turned, ds, p.ld, false);
		for (int64_t i = 0; i < rows; i++)
			softmax_gradient(ds + i * p.ld, weights + i * p.ld, p.lp, s->scale);
		product(&p, s->l, p.cp, rows, weights, 1, p.ld, g, p.pitch, dv, p.pitch, first > 0);
		product(&p, s->l, p.cp, rows, ds, 1, p.ld, q + first * p.pitch, p.pitch, dk, p.pitch, first > 0);
		product(&p, rows, p.cp, s->l, ds, p.ld, 1, k, p.pitch, dq + first * p.pitch, p.pitch, false);
	}
	join(dqkv, dq, dk, dv, s->l, s->ch, p.pitch, 3 * s->c);
}

/* ---- change ----------------------------------------------------------------------------------
 *   ds = ((q + dq) dk' + dq k') scale,  z = log of sum(w exp(ds)),  w2 - w = w expm1(ds - z),
 *   y = w2 dv + (w2 - w) v
 * To first order ds = (dq k' + q dk') scale, w2 = w, and what stands for w2 - w is w (ds - sum(w ds)). */

/* exp(x) - 1, relative to itself near 0, too. One degree more than expm1_within, and not shortened to it: bits of
 * trainings would change. */
ALWAYS_INLINE float expm1_approx(float x)
{
	x = CPU_OPAQUE(x < -87.0f ? -87.0f : x);
	x = CPU_OPAQUE(x > 88.0f ? 88.0f : x);
	float r, s = exp_reduced(&r, x), p = 1.0f / 5040;
	p = p * r + 1.0f / 720;
	p = p * r + 1.0f / 120;
	p = p * r + 1.0f / 24;
	p = p * r + 1.0f / 6;
	p = p * r + 0.5f;
	p = p * r * r + r;
	return p * s + (s - 1.0f);
}

CPU_KERNEL static float sum_expm1(const float *restrict w, const float *restrict ds, int64_t n)
{
	float part[LANES] = { 0 };
	for (int64_t i = 0; i < n; i += LANES)
		for (int j = 0; j < LANES; j++)
			part[j] += w[i + j] * expm1_approx(ds[i + j]);
	return total(part);
}

CPU_KERNEL static float sum_exp(const float *restrict w, const float *restrict ds, float most, int64_t n)
{
	float part[LANES] = { 0 };
	for (int64_t i = 0; i < n; i += LANES)
		for (int j = 0; j < LANES; j++)
			part[j] += w[i + j] * exp_approx(ds[i + j] - most);
	return total(part);
}

/* The least and the greatest. */
CPU_KERNEL static void range_of(float *restrict range, const float *restrict x, int64_t n)
{
	float low[LANES], high[LANES];
	for (int j = 0; j < LANES; j++) {
		low[j] = -x[j];
		high[j] = x[j];
	}
	for (int64_t i = LANES; i < n; i += LANES)
		for (int j = 0; j < LANES; j++) {
			low[j] = -x[i + j] > low[j] ? -x[i + j] : low[j];
			high[j] = x[i + j] > high[j] ? x[i + j] : high[j];
		}
	range[0] = -most_of(low);
	range[1] = most_of(high);
}

/* w becomes w2, and ds w2 - w. */
CPU_KERNEL static void move_weights(float *restrict w, float *restrict ds, float z, int64_t n)
{
	for (int64_t i = 0; i < n; i++) {
		ds[i] = w[i] * expm1_approx(ds[i] - z);
		w[i] += ds[i];
	}
}

/* The same in double, for logits that change by more than a float's exponential can hold. */
static void move_weights_far(float *w, float *ds, double most, int64_t n)
{
	double sum = 0;
	for (int64_t i = 0; i < n; i++)
		sum += w[i] * exp(ds[i] - most);
	for (int64_t i = 0; i < n; i++) {
		double moved = w[i] * exp(ds[i] - most) / sum;
		ds[i] = (float)(moved - w[i]);
		w[i] = (float)moved;
	}
}

static void change_row(float *w, float *ds, int64_t n)
{
	float range[2];
	range_of(range, ds, n);
	if (range[0] > -0.5f && range[1] < 0.5f)
		move_weights(w, ds, (float)log1p((double)sum_expm1(w, ds, n)), n);
	else if (range[1] - range[0] < 40)
		move_weights(w, ds, (float)(range[1] + log((double)sum_exp(w, ds, range[1], n))), n);
	else
		move_weights_far(w, ds, range[1], n);
}

/* Of a finite change, or of one to first order. */
static void change(const struct attend *s, const float *qkv, const float *d, const float *w, float *y, float *scratch,
                   bool first_order)
{
	struct plan p = plan_of(s, scratch);
	int64_t pixels = p.lp * p.pitch;
	float *q = take(&p, pixels), *k = take(&p, pixels), *v = take(&p, pixels), *dq = take(&p, pixels),
		  *dk = take(&p, pixels), *dv = take(&p, pixels), *turned_dk = take(&p, pixels), *turned_k = take(&p, pixels),
		  *ds = take(&p, p.rows * p.ld), *weights = take(&p, p.rows * p.ld), *out = take(&p, p.rows * p.pitch),
		  *moved = first_order ? q : take(&p, pixels);
	split(q, k, v, qkv, s->l, s->ch, p.cp, p.pitch, 3 * s->c);
	split(dq, dk, dv, d, s->l, s->ch, p.cp, p.pitch, 3 * s->c);
	if (!first_order)
		sum_of(moved, q, dq, s->l * p.pitch);
	turn(turned_dk, dk, s->l, s->ch, p.pitch, s->scale);
	turn(turned_k, k, s->l, s->ch, p.pitch, s->scale);
	for (int64_t first = 0; first < s->l; first += p.rows) {
		int64_t rows = at_most(p.rows, s->l - first);
		get_rows(&p, weights, w + first * s->l, rows);
		product_turned(&p, rows, moved + first * p.pitch, turned_dk, ds, p.ld, false);
		product_turned(&p, rows, dq + first * p.pitch, turned_k, ds, p.ld, true);
		for (int64_t i = 0; i < rows; i++)
			if (first_order)
				softmax_gradient(ds + i * p.ld, weights + i * p.ld, p.lp, 1);
			else
				change_row(weights + i * p.ld, ds + i * p.ld, p.lp);
		product(&p, rows, p.cp, s->l, weights, p.ld, 1, dv, p.pitch, out, p.pitch, false);
		product(&p, rows, p.cp, s->l, ds, p.ld, 1, v, p.pitch, out, p.pitch, true);
		put_rows(y + first * s->c, s->c, out, p.pitch, rows, s->ch);
	}
}

void attend_change(const struct attend *s, const float *qkv, const float *d, const float *w, float *y, float *scratch)
{
	change(s, qkv, d, w, y, scratch, false);
}

void attend_jvp(const struct attend *s, const float *qkv, const float *d, const float *w, float *y, float *scratch)
{
	change(s, qkv, d, w, y, scratch, true);
}
