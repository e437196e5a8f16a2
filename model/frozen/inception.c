/* inception.c - Inception v3 ready to run: folding batch norm, the taps, the class layer; see inception.h. */
#include "model/frozen/inception.h"

#include "model/frozen/cnn_graph.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

struct inception {
	struct cnn net;
	struct inception_taps taps;
	struct cnn_exec *exec; /* on the CPU; else */
	struct cnn_graph *device;
	struct backend *b;              /* its */
	int batch;                      /* of the device */
	struct device_moments *moments; /* NULL: not counted */
	struct cnn_work **work;         /* per thread, created when first used */
	int n_work;
	float *fc, *fc_bias; /* [classes][2048], [classes] */
	int classes;
	bool unit_input;
};

/* ---- weights ---- */

struct loader {
	const struct safetensors *weights;
	double bn_eps;
};

static int need(const struct st_tensor **t, const struct loader *from, const struct cnn_layer *l, const char *part,
                int n_dims, const int64_t *dims, struct err *e)
{
	char name[96];
	(void)snprintf(name, sizeof name, "%s.%s", l->name, part);
	return safetensors_need(t, from->weights, name, n_dims, dims, e);
}

/* y = gamma (conv(x) - mean) / sqrt(var + eps) + beta, as one convolution: folded in double, rounded once. */
static int load_folded(void *ctx, const struct cnn_layer *l, int c_in, float *w, float *bias, struct err *e)
{
	const struct loader *from = ctx;
	static const char *const parts[] = { "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var" };
	enum { GAMMA, BETA, MEAN, VAR };
	const struct st_tensor *conv, *bn[4];
	size_t c = (size_t)l->c, per = (size_t)c_in * (size_t)(l->kh * l->kw);
	if (need(&conv, from, l, "conv.weight", 4, (int64_t[]){ l->c, c_in, l->kh, l->kw }, e))
		return -1;
	SCOPED(free) double *v = xcalloc(4 * c, sizeof *v);
	for (size_t i = 0; i < 4; i++) {
		if (need(&bn[i], from, l, parts[i], 1, (int64_t[]){ l->c }, e))
			return -1;
		st_to_f64(v + i * c, bn[i]);
	}
	st_to_f32(w, conv);
	for (size_t k = 0; k < c; k++) {
		double scale = v[GAMMA * c + k] / sqrt(v[VAR * c + k] + from->bn_eps);
		if (!isfinite(scale))
			return err_set(e, "%s: %s: batch norm of channel %zu is not finite", from->weights->path, l->name, k);
		for (size_t i = 0; i < per; i++)
			w[k * per + i] = (float)((double)w[k * per + i] * scale);
		bias[k] = (float)(v[BETA * c + k] - v[MEAN * c + k] * scale);
	}
	return 0;
}

static int load_classes(struct inception *net, const struct safetensors *weights, struct err *e)
{
	const struct st_tensor *w, *b;
	if (!safetensors_find(weights, "fc.weight"))
		return 0;
	if (safetensors_need(&w, weights, "fc.weight", 2, (int64_t[]){ -1, 2048 }, e) ||
	    safetensors_need(&b, weights, "fc.bias", 1, (int64_t[]){ w->dims[0] }, e))
		return -1;
	if (w->dims[0] < 1 || w->dims[0] > 100000)
		return err_set(e, "%s: fc.weight: %lld classes", weights->path, (long long)w->dims[0]);
	net->classes = (int)w->dims[0];
	net->fc = xmalloc(st_count(w) * sizeof *net->fc);
	net->fc_bias = xmalloc(st_count(b) * sizeof *net->fc_bias);
	st_to_f32(net->fc, w);
	st_to_f32(net->fc_bias, b);
	return 0;
}

/* ---- life ---- */

static int open_on(struct inception **out, enum inception_kind kind, const struct safetensors *weights, bool bf16,
                   struct backend *b, int batch, struct err *e)
{
	struct inception *net = xcalloc(1, sizeof *net);
	inception_describe(&net->net, &net->taps, kind);
	const int keep[] = { net->taps.d64, net->taps.d192, net->taps.d768, net->taps.d2048, net->taps.mixed_6d };
	struct cnn_options o = { .bf16 = bf16, .keep = keep, .n_keep = 5 };
	const char *eps = safetensors_meta(weights, "bn_eps"), *range = safetensors_meta(weights, "input_range");
	struct loader from = { weights, eps ? strtod(eps, NULL) : 0.001 };
	net->unit_input = range && strcmp(range, "[0,1]") == 0;
	net->n_work = omp_get_max_threads();
	net->work = xcalloc((size_t)net->n_work, sizeof *net->work);
	int rc = 0;
	if (range && !net->unit_input && strcmp(range, "[-1,1]") != 0)
		rc = err_set(e, "%s: metadata input_range \"%.32s\" is neither [0,1] nor [-1,1]", weights->path, range);
	if (rc == 0 && !(from.bn_eps > 0))
		rc = err_set(e, "%s: metadata bn_eps \"%.32s\" is not a positive number", weights->path, eps);
	if (rc == 0)
		rc = load_classes(net, weights, e);
	net->batch = batch;
	net->b = b;
	if (rc == 0)
		rc = b ? cnn_graph_open(&net->device, &net->net, load_folded, &from, keep, 5, b, batch, e)
		       : cnn_exec_open(&net->exec, &net->net, load_folded, &from, &o, e);
	if (rc) {
		inception_free(net);
		return -1;
	}
	*out = net;
	return 0;
}

int inception_open(struct inception **out, enum inception_kind kind, const struct safetensors *weights, bool bf16,
                   struct err *e)
{
	return open_on(out, kind, weights, bf16, NULL, 0, e);
}

int inception_open_on(struct inception **out, enum inception_kind kind, const struct safetensors *weights,
                      struct backend *b, int batch, struct err *e)
{
	return b->ops->host_memory ? open_on(out, kind, weights, false, NULL, 0, e)
	                           : open_on(out, kind, weights, false, b, batch, e);
}

void inception_free(struct inception *net)
{
	if (!net)
		return;
	for (int i = 0; i < net->n_work; i++)
		cnn_work_free(net->work[i]);
	cnn_exec_free(net->exec);
	device_moments_free(net->moments);
	cnn_graph_free(net->device);
	cnn_release(&net->net);
	free(net->work);
	free(net->fc);
	free(net->fc_bias);
	free(net);
}

int inception_classes(const struct inception *net)
{
	return net->classes;
}

int inception_count(struct device_moments **out, struct inception *net, struct err *e)
{
	if (net->moments)
		device_moments_reset(net->moments);
	else if (net->device && device_moments_new(&net->moments, net->b, 2048, e))
		return -1;
	*out = net->moments;
	return 0;
}

/* ---- running ---- */

static void classify(const struct inception *net, float *logits, float *unbiased, const float *features)
{
	for (int k = 0; k < net->classes; k++) {
		const float *w = net->fc + (size_t)k * 2048;
		double sum[8] = { 0 }; /* eight independent chains, in a fixed order */
		for (int i = 0; i < 2048; i += 8)
			for (int j = 0; j < 8; j++)
				sum[j] += (double)w[i + j] * (double)features[i + j];
		double dot = ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]));
		if (logits)
			logits[k] = (float)(dot + (double)net->fc_bias[k]);
		if (unbiased)
			unbiased[k] = (float)dot;
	}
}

static void take_spatial(const struct cnn_work *w, int tensor, float *dst)
{
	enum { CHANNELS = 768, TAKEN = 7, N = 17 * 17 };
	SCOPED(free) float *all = xmalloc(N * CHANNELS * sizeof *all);
	cnn_read(w, tensor, all);
	for (int i = 0; i < N; i++)
		memcpy(dst + i * TAKEN, all + i * CHANNELS, TAKEN * sizeof *dst);
}

static void take(const struct inception *net, const struct cnn_work *w, const struct inception_out *out, int i)
{
	const struct inception_taps *t = &net->taps;
	const struct {
		float *dst;
		int tensor, n;
	} means[] = { { out->d64, t->d64, 64 }, { out->d192, t->d192, 192 }, { out->d768, t->d768, 768 } };
	for (size_t k = 0; k < 3; k++)
		if (means[k].dst)
			cnn_mean(w, means[k].tensor, means[k].dst + (size_t)i * (size_t)means[k].n);
	if (out->spatial)
		take_spatial(w, t->mixed_6d, out->spatial + (size_t)i * INCEPTION_SPATIAL);
	float pool[2048];
	cnn_mean(w, t->d2048, pool);
	if (out->d2048)
		memcpy(out->d2048 + (size_t)i * 2048, pool, sizeof pool);
	size_t at = (size_t)i * (size_t)net->classes;
	if (net->classes && (out->logits || out->logits_unbiased))
		classify(net, out->logits ? out->logits + at : NULL, out->logits_unbiased ? out->logits_unbiased + at : NULL,
		         pool);
}

/* The results of the last run on the device for n pictures, the first of them number `first`. */
static void take_from_device(struct inception *net, const struct inception_out *out, int first, int n)
{
	const struct inception_taps *t = &net->taps;
	const struct {
		float *dst;
		int tensor, n;
	} means[] = { { out->d64, t->d64, 64 },
		          { out->d192, t->d192, 192 },
		          { out->d768, t->d768, 768 },
		          { out->d2048, t->d2048, 2048 } };
	enum { CHANNELS = 768, TAKEN = 7, PLACES = 17 * 17 };
	if (net->moments)
		device_moments_add(net->moments, cnn_graph_means_there(net->device, t->d2048), n);
	for (size_t k = 0; k < sizeof means / sizeof *means; k++)
		if (means[k].dst)
			cnn_graph_means(net->device, means[k].tensor, means[k].dst + (size_t)first * (size_t)means[k].n, n);
	if (out->spatial) {
		SCOPED(free) float *all = xcalloc((size_t)n * PLACES * CHANNELS, sizeof *all);
		cnn_graph_read(net->device, t->mixed_6d, all, n);
		for (size_t i = 0; i < (size_t)n * PLACES; i++)
			memcpy(out->spatial + (size_t)first * INCEPTION_SPATIAL + i * TAKEN, all + i * CHANNELS,
			       TAKEN * sizeof *all);
	}
	if (!out->logits && !out->logits_unbiased)
		return;
	SCOPED(free) float *pool = xcalloc((size_t)n * 2048, sizeof *pool);
	cnn_graph_means(net->device, t->d2048, pool, n);
	for (int i = 0; i < n; i++) {
		size_t at = (size_t)(first + i) * (size_t)net->classes;
		classify(net, out->logits ? out->logits + at : NULL, out->logits_unbiased ? out->logits_unbiased + at : NULL,
		         pool + (size_t)i * 2048);
	}
}

static int run_on_device(struct inception *net, inception_picture *picture, void *ctx, int first, int n, struct err *e)
{
	SCOPED(free) float *pixels = xaligned((size_t)n * INCEPTION_PIXELS * sizeof *pixels);
#pragma omp parallel for schedule(dynamic)
	for (int i = 0; i < n; i++)
		picture(ctx, first + i, pixels + (size_t)i * INCEPTION_PIXELS);
	return cnn_graph_run(net->device, pixels, n, e);
}

int inception_run(struct inception *net, const struct inception_out *out, inception_picture *picture, void *ctx, int n,
                  struct err *e)
{
	REQUIRE(net->classes || (!out->logits && !out->logits_unbiased));
	if (n < 1)
		return 0;
	for (int first = 0; net->device && first < n; first += net->batch) {
		int some = n - first < net->batch ? n - first : net->batch;
		if (run_on_device(net, picture, ctx, first, some, e))
			return -1;
		take_from_device(net, out, first, some);
	}
	if (net->device)
		return 0;
	int threads = n < net->n_work ? n : net->n_work;
	for (int i = 0; i < threads; i++)
		if (!net->work[i] && cnn_work_open(&net->work[i], net->exec, e))
			return -1;
#pragma omp parallel num_threads(threads)
	{
		struct cnn_work *w = net->work[omp_get_thread_num()];
		SCOPED(free) float *pixels = xaligned(INCEPTION_PIXELS * sizeof *pixels);
#pragma omp for schedule(dynamic)
		for (int i = 0; i < n; i++) {
			picture(ctx, i, pixels);
			cnn_forward(w, pixels);
			take(net, w, out, i);
		}
	}
	return 0;
}

struct bytes {
	const struct image_u8 *images;
	enum resize_kind kind;
	enum picture_scale scale;
};

static void values(void *ctx, int i, float *dst)
{
	const struct bytes *b = ctx;
	picture_values(dst, INCEPTION_SIDE, &b->images[i], b->kind, b->scale);
}

int inception_run_pictures(struct inception *net, const struct inception_out *out, const struct image_u8 *images, int n,
                           enum resize_kind kind, struct err *e)
{
	enum picture_scale scale = net->unit_input                 ? PICTURE_UNIT
	                           : kind == RESIZE_TORCH_BILINEAR ? PICTURE_SIGNED
	                                                           : PICTURE_BY_128;
	if (!net->device || !pictures_alike(images, n))
		return inception_run(net, out, values, &(struct bytes){ images, kind, scale }, n, e);
	REQUIRE(net->classes || (!out->logits && !out->logits_unbiased));
	for (int first = 0; first < n; first += net->batch) {
		int some = n - first < net->batch ? n - first : net->batch;
		if (cnn_graph_run_pictures(net->device, images + first, some, kind, scale, e))
			return -1;
		take_from_device(net, out, first, some);
	}
	return 0;
}
