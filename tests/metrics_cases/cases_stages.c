/* cases_stages.c - the inside of Inception on one picture: mean, spread, range, length and 16 samples of each stage. */
#include "tests/metrics_cases/cases.h"

#include "tests/common/formula_weights.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_STAGES = 32, SAMPLES = 16, SUMMARY = 5 + SAMPLES };

/* Batch norm folded into its convolution, eps 0.001. */
static int load(void *ctx, const struct cnn_layer *l, int c_in, float *w, float *bias, struct err *e)
{
	static const char *const parts[] = { "conv.weight", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var" };
	const struct st_tensor *t[5];
	const float *v[5];
	size_t per = (size_t)c_in * (size_t)(l->kh * l->kw);
	for (int i = 0; i < 5; i++) {
		SCOPED(free) char *name = xstrfmt("%s.%s", l->name, parts[i]);
		t[i] = safetensors_find(ctx, name);
		if (!t[i])
			return err_set(e, "no %s", name);
		v[i] = t[i]->data;
	}
	for (size_t k = 0; k < (size_t)l->c; k++) {
		double scale = (double)v[1][k] / sqrt((double)v[4][k] + 0.001);
		bias[k] = (float)((double)v[2][k] - (double)v[3][k] * scale);
		for (size_t i = 0; i < per; i++)
			w[k * per + i] = (float)((double)v[0][k * per + i] * scale);
	}
	return 0;
}

/* The tensor that a stage of the network ends in; -1 when there is none of that name. */
static int stage_tensor(const struct cnn *net, const struct inception_taps *taps, const char *stage)
{
	int found = -1;
	size_t n = strlen(stage);
	if (strcmp(stage, "input_resized_scaled") == 0)
		return 0;
	if (strcmp(stage, "maxpool1") == 0 || strcmp(stage, "maxpool2") == 0)
		return stage[7] == '1' ? taps->d64 : taps->d192;
	if (strcmp(stage, "pool") == 0)
		return taps->d2048;
	for (int i = 0; i < net->n_layers; i++) {
		const char *name = net->layers[i].name;
		if (name && strncmp(name, stage, n) == 0 && (name[n] == '\0' || name[n] == '.'))
			found = net->layers[i].dst;
	}
	return found;
}

/* mean, std, min, max, l2 and the samples at floor(i * n / 16), in N,C,H,W order. */
static void summarise(double out[SUMMARY], const float *x, const struct cnn_tensor *t)
{
	int64_t n = (int64_t)t->c * t->h * t->w, area = (int64_t)t->h * t->w;
	double sum = 0, square = 0, var = 0;
	out[2] = out[3] = x[0];
	for (int64_t i = 0; i < n; i++) {
		sum += x[i];
		square += (double)x[i] * x[i];
		out[2] = fmin(out[2], x[i]);
		out[3] = fmax(out[3], x[i]);
	}
	for (int64_t i = 0; i < n; i++)
		var += (x[i] - sum / (double)n) * (x[i] - sum / (double)n);
	out[0] = sum / (double)n;
	out[1] = sqrt(var / (double)n);
	out[4] = sqrt(square);
	for (int k = 0; k < SAMPLES; k++) {
		int64_t at = k * n / SAMPLES;
		out[5 + k] = x[at % area * t->c + at / area];
	}
}

static bool wanted_summary(double out[SUMMARY], const json_t *stage)
{
	static const char *const keys[] = { "mean", "std", "min", "max", "l2" };
	const json_t *sample = json_object_get(stage, "sample");
	for (int k = 0; k < 5; k++)
		out[k] = cases_number(stage, keys[k]);
	for (int k = 0; k < SAMPLES; k++)
		out[5 + k] = json_array_size(sample) == SAMPLES ? json_number_value(json_array_get(sample, (size_t)k)) : NAN;
	return stage != NULL;
}

/* One check each for the four moments, the length and the samples. The yardstick is the peer's largest deviation among
 * the numbers of this stage and those before it, *noise: a single number may be right by luck, and what a stage gets
 * wrong it passes on. */
static void compare(struct cases *c, const char *stage, const double *got, const double *want, const double *peer,
                    double *noise)
{
	SCOPED(free) char *a = xstrfmt("%s mean std min max", stage), *b = xstrfmt("%s samples", stage);
	double scale = fmax(fabs(want[3]), fabs(want[2]));
	for (int k = 0; k < SUMMARY; k++)
		*noise = fmax(*noise, k == 4 ? 0 : fabs(peer[k] - want[k]));
	double allowed = fmax(4 * *noise, 4 * 1.1920929e-7 * scale);
	cases_array(c, a, got, want, NULL, 4, allowed, INFINITY);
	cases_array(c, b, got + 5, want + 5, NULL, SAMPLES, allowed, INFINITY);
	SCOPED(free) char *l = xstrfmt("%s l2", stage);
	cases_value(c, l, got[4], want[4], fmax(4 * fabs(peer[4] - want[4]), 4 * 1.1920929e-7 * want[4]));
}

static void run_stages(struct cases *c, const json_t *json, const char *picture)
{
	struct safetensors st = { 0 };
	struct cnn net = { 0 };
	struct inception_taps taps;
	struct cnn_exec *exec;
	struct cnn_work *work;
	struct err e = ERR_INIT;
	int keep[MAX_STAGES], n = 0;
	const char *names[MAX_STAGES], *name;
	json_t *stage;
	const json_t *f64 = json_object_get(json, "f64"), *f32 = json_object_get(json, "f32");
	inception_describe(&net, &taps, INCEPTION_2015);
	json_object_foreach((json_t *)(uintptr_t)f64, name, stage)
	{
		int t = stage_tensor(&net, &taps, name);
		if (t < 0)
			cases_skip(c, name, "no stage of this name");
		else if (n < MAX_STAGES) {
			names[n] = name;
			keep[n++] = t;
		}
	}
	formula_inception(&st);
	struct cnn_options o = { .keep = keep, .n_keep = n };
	if (cnn_exec_open(&exec, &net, load, &st, &o, &e) || cnn_work_open(&work, exec, &e))
		BUG("%s", e.msg);
	SCOPED(free) float *in = xaligned(sizeof *in * INCEPTION_PIXELS);
	cases_input(in, picture, INPUT_PYTORCH_FID);
	cnn_forward(work, in);
	double noise = 0;
	for (int k = 0; k < n; k++) {
		struct cnn_tensor t = net.tensors[keep[k]];
		double got[SUMMARY], want[SUMMARY], peer[SUMMARY];
		SCOPED(free) float *x = xmalloc(sizeof *x * (size_t)t.c * (size_t)t.h * (size_t)t.w);
		if (keep[k] == 0)
			memcpy(x, in, sizeof *x * INCEPTION_PIXELS);
		else
			cnn_read(work, keep[k], x);
		if (strcmp(names[k], "pool") == 0) {
			cnn_mean(work, keep[k], x);
			t.h = t.w = 1;
		}
		summarise(got, x, &t);
		if (wanted_summary(want, json_object_get(f64, names[k])) &&
		    wanted_summary(peer, json_object_get(f32, names[k])))
			compare(c, names[k], got, want, peer, &noise);
		else
			cases_skip(c, names[k], "not in both precisions");
	}
	cnn_work_free(work);
	cnn_exec_free(exec);
	cnn_release(&net);
	formula_weights_release(&st);
}

void family_block_stats(struct cases *c)
{
	json_t *json;
	if (!cases_json(&json, c, "pytorch_fid_block_stats.json"))
		return;
	const char *image = json_string_value(json_object_get(json, "image"));
	if (image) {
		SCOPED(free) char *picture = cases_picture(c, image);
		run_stages(c, json, picture);
	} else {
		cases_skip(c, "pytorch_fid_block_stats", "names no image");
	}
	json_decref(json);
}
