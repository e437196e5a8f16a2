/* test_lpips.c - LPIPS on formula weights against a plain reference in double that walks the same table, and its
 * gradient against differences of that reference. */
#include "tests/common/formula.h"
#include "tests/common/formula_weights.h"
#include "model/base/mem.h"
#include "model/frozen/lpips.h"
#include "model/frozen/resize.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- reference: every tensor in double, by the definitions ---- */

struct reference {
	struct cnn net;
	int taps[LPIPS_MAX_TAPS], n_taps;
	const struct safetensors *backbone, *heads;
	double **v[2]; /* per picture and tensor */
};

static const float *weight(const struct safetensors *st, const char *name, const char *part)
{
	char key[96];
	(void)snprintf(key, sizeof key, "%s.%s", name, part);
	return safetensors_find(st, key)->data;
}

static double at(const struct cnn_tensor *t, const double *v, int y, int x, int c)
{
	return y < 0 || x < 0 || y >= t->h || x >= t->w ? 0 : v[(y * t->w + x) * t->c + c];
}

static double conv_at(const struct reference *r, const struct cnn_layer *l, const double *src, int y, int x, int k)
{
	const struct cnn_tensor *s = &r->net.tensors[l->src];
	const float *w = weight(r->backbone, l->name, "weight") + (size_t)k * (size_t)(s->c * l->kh * l->kw);
	double sum = (double)weight(r->backbone, l->name, "bias")[k];
	for (int c = 0; c < s->c; c++)
		for (int i = 0; i < l->kh; i++)
			for (int j = 0; j < l->kw; j++)
				sum += (double)*w++ * at(s, src, y * l->stride - l->ph + i, x * l->stride - l->pw + j, c);
	return sum > 0 ? sum : 0;
}

static double pool_at(const struct reference *r, const struct cnn_layer *l, const double *src, int y, int x, int k)
{
	const struct cnn_tensor *s = &r->net.tensors[l->src];
	double best = -INFINITY, sum = 0;
	int n = 0;
	for (int i = 0; i < l->kh; i++)
		for (int j = 0; j < l->kw; j++) {
			int sy = y * l->stride - l->ph + i, sx = x * l->stride - l->pw + j;
			if (sy < 0 || sx < 0 || sy >= s->h || sx >= s->w)
				continue;
			best = fmax(best, at(s, src, sy, sx, k));
			sum += at(s, src, sy, sx, k);
			n++;
		}
	return l->kind == CNN_MAX_POOL ? best : sum / n;
}

static void forward(struct reference *r, int which, const float *picture)
{
	static const double shift[3] = { -0.030, -0.088, -0.188 }, scale[3] = { 0.458, 0.448, 0.450 };
	const struct cnn_tensor *in = &r->net.tensors[0];
	for (int i = 0; i < in->h * in->w * 3; i++)
		r->v[which][0][i] = ((double)picture[i] - shift[i % 3]) / scale[i % 3];
	for (int n = 0; n < r->net.n_layers; n++) {
		const struct cnn_layer *l = &r->net.layers[n];
		const struct cnn_tensor *d = &r->net.tensors[l->dst];
		for (int y = 0; y < d->h; y++)
			for (int x = 0; x < d->w; x++)
				for (int k = 0; k < l->c; k++)
					r->v[which][l->dst][(y * d->w + x) * d->c + l->dst_c + k] =
						l->kind == CNN_CONV ? conv_at(r, l, r->v[which][l->src], y, x, k)
											: pool_at(r, l, r->v[which][l->src], y, x, k);
	}
}

static double reference_tap(const struct reference *r, int k)
{
	const struct cnn_tensor *t = &r->net.tensors[r->taps[k]];
	char name[32];
	(void)snprintf(name, sizeof name, "lin%d.model.1", k);
	const float *w = weight(r->heads, name, "weight");
	double sum = 0;
	for (int i = 0; i < t->h * t->w; i++) {
		const double *a = r->v[0][r->taps[k]] + i * t->c, *b = r->v[1][r->taps[k]] + i * t->c;
		double na = 0, nb = 0;
		for (int c = 0; c < t->c; c++) {
			na += a[c] * a[c];
			nb += b[c] * b[c];
		}
		for (int c = 0; c < t->c; c++) {
			double d = a[c] / (sqrt(na) + 1e-10) - b[c] / (sqrt(nb) + 1e-10);
			sum += (double)w[c] * d * d;
		}
	}
	return sum / (t->h * t->w);
}

static double reference_distance(struct reference *r, const float *in0)
{
	double sum = 0;
	forward(r, 0, in0);
	for (int k = 0; k < r->n_taps; k++)
		sum += reference_tap(r, k);
	return sum;
}

static void reference_open(struct reference *r, enum lpips_net kind, int side, bool average,
                           const struct safetensors *backbone, const struct safetensors *heads)
{
	struct err e = ERR_INIT;
	*r = (struct reference){ .backbone = backbone, .heads = heads };
	cr_assert_eq(lpips_describe(&r->net, r->taps, &r->n_taps, kind, side, side, average, &e), 0, "%s", e.msg);
	for (int p = 0; p < 2; p++) {
		r->v[p] = xcalloc((size_t)r->net.n_tensors, sizeof *r->v[p]);
		for (int t = 0; t < r->net.n_tensors; t++)
			r->v[p][t] = xcalloc((size_t)(r->net.tensors[t].c * r->net.tensors[t].h * r->net.tensors[t].w),
			                     sizeof(double));
	}
}

static void reference_release(struct reference *r)
{
	for (int p = 0; p < 2; p++) {
		for (int t = 0; t < r->net.n_tensors; t++)
			free(r->v[p][t]);
		free(r->v[p]);
	}
	cnn_release(&r->net);
}

/* ---- weights and pictures ---- */

static void weights(struct safetensors *backbone, struct safetensors *heads, enum lpips_net kind)
{
	char name[96];
	int n_dims;
	int64_t dims[ST_MAX_DIMS];
	for (int i = 0; lpips_backbone_weight(kind, i, name, &n_dims, dims); i++)
		formula_weights_add(backbone, name, n_dims, dims);
	for (int i = 0; lpips_head_weight(kind, i, name, &n_dims, dims); i++) {
		formula_weights_add(heads, name, n_dims, dims);
		float *w = (float *)(uintptr_t)safetensors_find(heads, name)->data;
		for (int64_t c = 0; c < dims[1]; c++) /* the published heads are not negative */
			w[c] = fabsf(w[c]);
	}
}

static void pictures(float *dst, const char *name, int side)
{
	int h, w;
	SCOPED(free) uint8_t *px = formula_image_named(name, &h, &w);
	cr_assert(px && h >= side && w >= side);
	for (int y = 0; y < side; y++)
		for (int x = 0; x < side; x++)
			for (int c = 0; c < 3; c++)
				dst[(y * side + x) * 3 + c] = (float)px[(y * w + x) * 3 + c] / 127.5f - 1;
}

static void check(enum lpips_net kind, int side, bool average)
{
	struct safetensors backbone = { 0 }, heads = { 0 };
	struct reference r;
	struct lpips *l;
	struct err e = ERR_INIT;
	weights(&backbone, &heads, kind);
	reference_open(&r, kind, side, average, &backbone, &heads);
	struct lpips_options o = { .net = kind, .h = side, .w = side, .average = average, .backward = true };
	cr_assert_eq(lpips_open(&l, &o, &backbone, &heads, &e), 0, "%s", e.msg);

	size_t n = (size_t)(side * side * 3);
	SCOPED(free)
	float *in0 = xcalloc(3 * n, sizeof *in0), *in1 = xcalloc(3 * n, sizeof *in1), *g = xcalloc(3 * n, sizeof *g);
	static const char *const a[] = { "A32p/0", "A32p/1", "C64p/4" }, *const b[] = { "B32p/0", "B32p/1", "C64p/4" };
	for (size_t i = 0; i < 3; i++) {
		pictures(in0 + i * n, a[i], side);
		pictures(in1 + i * n, b[i], side);
	}
	double d[3], layers[3 * LPIPS_MAX_TAPS], alone;
	cr_assert_eq(lpips_run(l, d, layers, g, in0, in1, 3, &e), 0, "%s", e.msg);
	cr_assert_eq(lpips_run(l, &alone, NULL, NULL, in0 + n, in1 + n, 1, &e), 0);
	cr_assert_eq(alone, d[1], "a distance depends on its batch");
	cr_assert_eq(d[2], 0, "a picture's distance to itself is %g", d[2]);
	for (size_t i = 0; i < n; i++)
		cr_assert_eq(g[2 * n + i], 0);

	forward(&r, 1, in1);
	double want = reference_distance(&r, in0), sum = 0;
	cr_assert(fabs(d[0] - want) <= 1e-6 * want, "%s: %.9g, reference %.9g", lpips_net_name(kind), d[0], want);
	for (int k = 0; k < lpips_taps(l); k++) {
		cr_assert(fabs(layers[k] - reference_tap(&r, k)) <= 2e-6 * want, "tap %d", k);
		sum += layers[k];
	}
	cr_assert(fabs(sum - d[0]) <= 1e-12 * want);
	double largest = 0;
	for (size_t i = 0; i < n; i++)
		largest = fmax(largest, fabs((double)g[i]));
	for (size_t probe = 0; probe < 3; probe++) {
		size_t i = (probe * 7 + 3) * n / 23;
		float keep = in0[i];
		in0[i] = keep + 0x1p-12f;
		double high = reference_distance(&r, in0);
		in0[i] = keep - 0x1p-12f;
		double difference = (high - reference_distance(&r, in0)) / 0x1p-11;
		in0[i] = keep;
		cr_assert(fabs((double)g[i] - difference) <= 2e-3 * largest, "%s: gradient [%zu] %.9g, difference %.9g",
		          lpips_net_name(kind), i, (double)g[i], difference);
	}
	lpips_free(l);
	reference_release(&r);
	formula_weights_release(&backbone);
	formula_weights_release(&heads);
}

Test(lpips, alex_is_the_definition_and_its_derivative)
{
	check(LPIPS_ALEX, 32, false);
}

Test(lpips, squeeze_is_the_definition_and_its_derivative)
{
	check(LPIPS_SQUEEZE, 32, false);
}

Test(lpips, average_pools_are_the_definition_and_its_derivative)
{
	check(LPIPS_SQUEEZE, 30, true);
}

Test(lpips, vgg_is_the_definition_and_its_derivative)
{
	check(LPIPS_VGG, 16, false);
}

/* LPIPS of resampled pictures is LPIPS after resampling, and its gradient is carried back. */
Test(lpips, resize_comes_first)
{
	enum { SIDE = 32, BIG = 48, N = SIDE * SIDE * 3, M = BIG * BIG * 3 };
	struct safetensors backbone = { 0 }, heads = { 0 };
	struct lpips *small, *big;
	struct err e = ERR_INIT;
	weights(&backbone, &heads, LPIPS_ALEX);
	struct lpips_options o = { .net = LPIPS_ALEX, .h = SIDE, .w = SIDE, .resize = BIG, .backward = true };
	cr_assert_eq(lpips_open(&small, &o, &backbone, &heads, &e), 0, "%s", e.msg);
	o = (struct lpips_options){ .net = LPIPS_ALEX, .h = BIG, .w = BIG, .backward = true };
	cr_assert_eq(lpips_open(&big, &o, &backbone, &heads, &e), 0, "%s", e.msg);
	static float in0[N], in1[N], g[N], big0[M], big1[M], big_g[M], back[N];
	pictures(in0, "A32p/0", SIDE);
	pictures(in1, "B32p/0", SIDE);
	resize_f32(big0, BIG, BIG, in0, SIDE, SIDE, 3, RESIZE_TORCH_BILINEAR);
	resize_f32(big1, BIG, BIG, in1, SIDE, SIDE, 3, RESIZE_TORCH_BILINEAR);
	double d, big_d;
	cr_assert_eq(lpips_run(small, &d, NULL, g, in0, in1, 1, &e), 0);
	cr_assert_eq(lpips_run(big, &big_d, NULL, big_g, big0, big1, 1, &e), 0);
	cr_assert_eq(d, big_d);
	resize_backward(back, SIDE, SIDE, big_g, BIG, BIG, 3);
	cr_assert_arr_eq(g, back, sizeof g);
	lpips_free(small);
	lpips_free(big);
	formula_weights_release(&backbone);
	formula_weights_release(&heads);
}

Test(lpips, what_does_not_fit_is_refused)
{
	struct safetensors backbone = { 0 }, heads = { 0 };
	struct lpips *l;
	struct err e = ERR_INIT;
	weights(&backbone, &heads, LPIPS_ALEX);
	struct lpips_options o = { .net = LPIPS_ALEX, .h = 28, .w = 28 };
	cr_assert_eq(lpips_open(&l, &o, &backbone, &heads, &e), -1);
	cr_assert(strstr(e.msg, "at least 31 x 31, not 28 x 28"), "%s", e.msg);
	o = (struct lpips_options){ .net = LPIPS_SQUEEZE, .h = 64, .w = 64 };
	cr_assert_eq(lpips_open(&l, &o, &backbone, &heads, &e), -1);
	cr_assert(strstr(e.msg, "lin1.model.1.weight: shape [1, 192, 1, 1], expected [1, 128, 1, 1]"), "%s", e.msg);
	enum lpips_net net;
	cr_assert_eq(lpips_net_by_name(&net, "resnet", &e), -1);
	cr_assert_eq(lpips_net_by_name(&net, "vgg", &e), 0);
	cr_assert_eq(net, LPIPS_VGG);
	formula_weights_release(&backbone);
	formula_weights_release(&heads);
}
