/* lpips.c - the distance and its gradient; see lpips.h.
 * At a tap with P pixels, per pixel: n = x s with s = 1 / (|x| + eps), the same m of the other picture, and
 *   d = sum_c w_c (n_c - m_c)^2 / P,   dd/dn_c = g_c = 2 w_c (n_c - m_c) / P,   dd/dx = s g - x (x . g) s^2 / |x|.
 * Sums over channels and pixels are double. */
#include "model/frozen/lpips.h"

#include "model/frozen/lpips_graph.h"
#include "model/frozen/resize.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#define EPS 1e-10

static const double shift[3] = { -0.030, -0.088, -0.188 }, scale[3] = { 0.458, 0.448, 0.450 };

struct lpips {
	struct lpips_options o;
	struct cnn net;
	int taps[LPIPS_MAX_TAPS], n_taps;
	float *heads[LPIPS_MAX_TAPS];
	struct cnn_exec *exec;
	struct thread *threads; /* made when first used */
	int n_threads;
	struct lpips_graph *on; /* another back end's: then neither executor nor threads */
};

struct thread {
	struct cnn_work *work;
	float *input, *gradient;         /* the network's input, and its gradient */
	float *other[LPIPS_MAX_TAPS];    /* the second picture's features, */
	double *inverse[LPIPS_MAX_TAPS]; /* and 1 / (their length + eps) */
};

static size_t tap_pixels(const struct lpips *l, int k)
{
	const struct cnn_tensor *t = &l->net.tensors[l->taps[k]];
	return (size_t)t->h * (size_t)t->w;
}

static size_t tap_channels(const struct lpips *l, int k)
{
	return (size_t)l->net.tensors[l->taps[k]].c;
}

/* ---- life ---- */

static int load_plain(void *ctx, const struct cnn_layer *l, int c_in, float *w, float *bias, struct err *e)
{
	const struct safetensors *weights = ctx;
	const struct st_tensor *tw, *tb;
	char name[96];
	(void)snprintf(name, sizeof name, "%s.weight", l->name);
	if (safetensors_need(&tw, weights, name, 4, (int64_t[]){ l->c, c_in, l->kh, l->kw }, e))
		return -1;
	(void)snprintf(name, sizeof name, "%s.bias", l->name);
	if (safetensors_need(&tb, weights, name, 1, (int64_t[]){ l->c }, e))
		return -1;
	st_to_f32(w, tw);
	st_to_f32(bias, tb);
	return 0;
}

static int load_heads(struct lpips *l, const struct safetensors *heads, struct err *e)
{
	char name[96];
	int n_dims;
	int64_t dims[ST_MAX_DIMS];
	for (int k = 0; lpips_head_weight(l->o.net, k, name, &n_dims, dims); k++) {
		const struct st_tensor *t;
		if (safetensors_need(&t, heads, name, n_dims, dims, e))
			return -1;
		l->heads[k] = xmalloc(st_count(t) * sizeof *l->heads[k]);
		st_to_f32(l->heads[k], t);
	}
	return 0;
}

int lpips_open(struct lpips **out, const struct lpips_options *o, const struct safetensors *backbone,
               const struct safetensors *heads, struct err *e)
{
	struct lpips *l = xcalloc(1, sizeof *l);
	l->o = *o;
	l->n_threads = omp_get_max_threads();
	l->threads = xcalloc((size_t)l->n_threads, sizeof *l->threads);
	int h = o->resize ? o->resize : o->h, w = o->resize ? o->resize : o->w;
	int rc = lpips_describe(&l->net, l->taps, &l->n_taps, o->net, h, w, o->average, e) || load_heads(l, heads, e);
	if (rc == 0) {
		struct cnn_options co = { .backward = o->backward, .keep = l->taps, .n_keep = l->n_taps };
		rc = cnn_exec_open(&l->exec, &l->net, load_plain, (void *)(uintptr_t)backbone, &co, e);
	}
	if (rc) {
		lpips_free(l);
		return -1;
	}
	*out = l;
	return 0;
}

int lpips_open_on(struct lpips **out, const struct lpips_options *o, const struct safetensors *backbone,
                  const struct safetensors *heads, struct backend *b, int batch, struct err *e)
{
	if (b->ops->host_memory)
		return lpips_open(out, o, backbone, heads, e);
	struct lpips *l = xcalloc(1, sizeof *l);
	l->o = *o;
	int h = o->resize ? o->resize : o->h, w = o->resize ? o->resize : o->w;
	if (lpips_describe(&l->net, l->taps, &l->n_taps, o->net, h, w, o->average, e) ||
	    lpips_graph_open(&l->on, o, backbone, heads, b, batch, e)) {
		lpips_free(l);
		return -1;
	}
	*out = l;
	return 0;
}

static int thread_open(struct thread *t, const struct lpips *l, struct err *e)
{
	const struct cnn_tensor *in = &l->net.tensors[0];
	size_t n = (size_t)in->h * (size_t)in->w * 3;
	if (t->work)
		return 0;
	t->input = xaligned(n * sizeof *t->input);
	t->gradient = xaligned(n * sizeof *t->gradient);
	for (int k = 0; k < l->n_taps; k++) {
		t->other[k] = xaligned(tap_pixels(l, k) * tap_channels(l, k) * sizeof *t->other[k]);
		t->inverse[k] = xaligned(tap_pixels(l, k) * sizeof *t->inverse[k]);
	}
	return cnn_work_open(&t->work, l->exec, e);
}

void lpips_free(struct lpips *l)
{
	if (!l)
		return;
	for (int i = 0; i < l->n_threads; i++) {
		cnn_work_free(l->threads[i].work);
		free(l->threads[i].input);
		free(l->threads[i].gradient);
		for (int k = 0; k < LPIPS_MAX_TAPS; k++) {
			free(l->threads[i].other[k]);
			free(l->threads[i].inverse[k]);
		}
	}
	for (int k = 0; k < LPIPS_MAX_TAPS; k++)
		free(l->heads[k]);
	cnn_exec_free(l->exec);
	cnn_release(&l->net);
	lpips_graph_free(l->on);
	free(l->threads);
	free(l);
}

int lpips_taps(const struct lpips *l)
{
	return l->n_taps;
}

/* ---- one pair ---- */

static void run_picture(const struct lpips *l, struct thread *t, const float *picture)
{
	const struct cnn_tensor *in = &l->net.tensors[0];
	size_t n = (size_t)in->h * (size_t)in->w;
	if (l->o.resize)
		resize_f32(t->input, in->h, in->w, picture, l->o.h, l->o.w, 3, RESIZE_TORCH_BILINEAR);
	const float *src = l->o.resize ? t->input : picture;
	for (size_t i = 0; i < n; i++)
		for (size_t c = 0; c < 3; c++)
			t->input[3 * i + c] = (float)(((double)src[3 * i + c] - shift[c]) / scale[c]);
	cnn_forward(t->work, t->input);
}

static double length(const float *x, size_t n)
{
	double sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += (double)x[i] * (double)x[i];
	return sqrt(sum);
}

static void keep_other(const struct lpips *l, struct thread *t)
{
	for (int k = 0; k < l->n_taps; k++) {
		size_t n = tap_pixels(l, k), c = tap_channels(l, k);
		memcpy(t->other[k], cnn_data(t->work, l->taps[k]), n * c * sizeof *t->other[k]);
		for (size_t i = 0; i < n; i++)
			t->inverse[k][i] = 1 / (length(t->other[k] + i * c, c) + EPS);
	}
}

/* One pixel: returns its weighted squared difference; fills its gradient over `pixels` when dx is not NULL. */
static double pixel(float *dx, const float *x, const float *y, double sy, const float *w, size_t c, double pixels)
{
	double r = length(x, c), s = 1 / (r + EPS), sum = 0, dot = 0;
	for (size_t j = 0; j < c; j++) {
		double d = (double)x[j] * s - (double)y[j] * sy;
		sum += (double)w[j] * d * d;
		dot += (double)x[j] * (double)w[j] * d;
	}
	if (!dx)
		return sum;
	double pull = r > 0 ? dot * s * s / r : 0, gain = r > 0 ? 2 / pixels : 0;
	for (size_t j = 0; j < c; j++)
		dx[j] = (float)(gain * (s * (double)w[j] * ((double)x[j] * s - (double)y[j] * sy) - (double)x[j] * pull));
	return sum;
}

static double tap_distance(const struct lpips *l, struct thread *t, int k, bool gradient)
{
	size_t n = tap_pixels(l, k), c = tap_channels(l, k);
	const float *x = cnn_data(t->work, l->taps[k]);
	float *dx = gradient ? cnn_grad(t->work, l->taps[k]) : NULL;
	double sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += pixel(dx ? dx + i * c : NULL, x + i * c, t->other[k] + i * c, t->inverse[k][i], l->heads[k], c,
		             (double)n);
	return sum / (double)n;
}

static void backward(const struct lpips *l, struct thread *t, float *d_in0)
{
	const struct cnn_tensor *in = &l->net.tensors[0];
	size_t n = (size_t)in->h * (size_t)in->w;
	cnn_backward(t->work, t->gradient);
	for (size_t i = 0; i < n; i++)
		for (size_t c = 0; c < 3; c++)
			t->gradient[3 * i + c] = (float)((double)t->gradient[3 * i + c] / scale[c]);
	memset(d_in0, 0, (size_t)l->o.h * (size_t)l->o.w * 3 * sizeof *d_in0);
	if (l->o.resize)
		resize_backward(d_in0, l->o.h, l->o.w, t->gradient, in->h, in->w, 3);
	else
		memcpy(d_in0, t->gradient, 3 * n * sizeof *d_in0);
}

static double pair(const struct lpips *l, struct thread *t, double *layers, float *d_in0, const float *in0,
                   const float *in1)
{
	double sum = 0;
	run_picture(l, t, in1);
	keep_other(l, t);
	run_picture(l, t, in0);
	for (int k = 0; k < l->n_taps; k++) {
		double d = tap_distance(l, t, k, d_in0 != NULL);
		if (layers)
			layers[k] = d;
		sum += d;
	}
	if (d_in0)
		backward(l, t, d_in0);
	return sum;
}

int lpips_run(struct lpips *l, double *distance, double *layers, float *d_in0, const float *in0, const float *in1,
              int n, struct err *e)
{
	REQUIRE(!d_in0 || (l->o.backward && !l->on));
	if (n < 1)
		return 0;
	if (l->on)
		return lpips_graph_run(l->on, distance, layers, in0, in1, n, e);
	int threads = n < l->n_threads ? n : l->n_threads;
	for (int i = 0; i < threads; i++)
		if (thread_open(&l->threads[i], l, e))
			return -1;
	size_t per = (size_t)l->o.h * (size_t)l->o.w * 3;
#pragma omp parallel for schedule(dynamic) num_threads(threads)
	for (int i = 0; i < n; i++) {
		size_t k = (size_t)i;
		distance[i] = pair(l, &l->threads[omp_get_thread_num()], layers ? layers + k * (size_t)l->n_taps : NULL,
		                   d_in0 ? d_in0 + k * per : NULL, in0 + k * per, in1 + k * per);
	}
	return 0;
}
