/* paritylib_tensor.c - formula tensors and comparisons of parity. See paritylib.h. Values are made in double, each
 * operation rounding as it is written, and rounded once to float. */
#include "tests/parity/paritylib.h"

#include "tests/common/formula.h"

static double unit(uint64_t base, uint64_t i)
{
	return (double)(formula_splitmix(base + i) >> 40) / 8388608.0 - 1.0;
}

double fx_u(const char *name, uint64_t i)
{
	return unit(formula_fnv(name), i);
}

static double shape_value(double u, enum fx_fill kind, double arg)
{
	switch (kind) {
	case FX_U: return u;
	case FX_UNIT: return u * sqrt(3.0);
	case FX_WEIGHT: return u * sqrt(3.0) / sqrt(arg);
	case FX_BIAS: return 0.1 * u;
	case FX_NORM_WEIGHT: return 1 + 0.1 * u;
	case FX_FREQS: return u * sqrt(3.0) * arg;
	}
	BUG("formula kind %d", (int)kind);
}

void fx_fill(float *dst, const char *name, size_t n, enum fx_fill kind, double arg)
{
	uint64_t base = formula_fnv(name);
	for (size_t i = 0; i < n; i++)
		dst[i] = (float)shape_value(unit(base, i), kind, arg);
}

/* Where element i of an (N,C,H,W) array is in (N,H,W,C). */
static size_t nhwc_at(const struct tensor *t, size_t i)
{
	size_t pixels = (size_t)(t->h * t->w), c = (size_t)t->c;
	return (i / (pixels * c) * pixels + i % pixels) * c + i / pixels % c;
}

void fx_fill_image(struct tensor *t, const char *name, enum fx_fill kind)
{
	uint64_t base = formula_fnv(name);
	for (size_t i = 0; i < tensor_count(t); i++)
		t->data[nhwc_at(t, i)] = (float)shape_value(unit(base, i), kind, 1);
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), k = strlen(end);
	return n >= k && strcmp(s + n - k, end) == 0;
}

void fx_fill_params(float *values, const struct params *p, const char *before, double fourier_scale)
{
	for (int i = 0; i < params_count(p); i++) {
		const struct param *q = params_get(p, i);
		SCOPED(free) char *name = xstrfmt("%s%s", before, q->name);
		enum fx_fill kind = !q->trained                  ? FX_FREQS
		                    : q->ndim > 1                ? FX_WEIGHT
		                    : ends_with(q->name, "bias") ? FX_BIAS
		                                                 : FX_NORM_WEIGHT;
		double arg = kind == FX_FREQS ? fourier_scale : q->ndim > 1 ? (double)(q->count / (size_t)q->dims[0]) : 1;
		fx_fill(values + q->at, name, q->count, kind, arg);
	}
}

double *fx_nchw(const struct tensor *t, bool ref)
{
	size_t n = tensor_count(t);
	double *out = xmalloc(n * sizeof *out);
	for (size_t i = 0; i < n; i++)
		out[i] = ref ? t->ref[nhwc_at(t, i)] : (double)t->data[nhwc_at(t, i)];
	return out;
}

double *fx_widen(const float *v, size_t n)
{
	double *out = xmalloc(n * sizeof *out + 1);
	for (size_t i = 0; i < n; i++)
		out[i] = (double)v[i];
	return out;
}

double fx_l2(const double *v, size_t n)
{
	double sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += v[i] * v[i];
	return sqrt(sum);
}

double fx_rel_l2(const double *got, const double *want, size_t n)
{
	double sum = 0, size = 0;
	for (size_t i = 0; i < n; i++) {
		sum += (got[i] - want[i]) * (got[i] - want[i]);
		size += want[i] * want[i];
	}
	return size > 0 ? sqrt(sum / size) : sqrt(sum);
}

double fx_max_abs(const double *got, const double *want, size_t n)
{
	struct fx_worst w = { 0 };
	for (size_t i = 0; i < n; i++)
		fx_worst(&w, "element", fabs(got[i] - want[i]));
	return w.value;
}

double fx_probe(const double *v, size_t n, const char *before, const char *key)
{
	SCOPED(free) char *name = xstrfmt("%sprobe/%s", before, key);
	uint64_t base = formula_fnv(name);
	double sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += v[i] * unit(base, i);
	return sum;
}

void fx_ref_gradients(double *out, struct graph *g)
{
	struct node **nodes;
	int n = graph_nodes(g, &nodes);
	for (int i = 0; i < n; i++)
		for (int j = 0; j < nodes[i]->n_dst; j++) {
			const struct tensor *t = nodes[i]->dst[j];
			if (t && t->role == TENSOR_PARAM && t->store == STORE_GRAD)
				memcpy(out + t->at, t->ref, tensor_count(t) * sizeof *out);
		}
}
