/* cases_features.c - Inception features, stage by stage and whole, in the pre-processings of the three peers. */
#include "tests/metrics_cases/cases.h"

#include "tests/common/formula.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* metrics/README.md, "Tolerances": ten times the float32 noise, two to three decades below the smallest mistake; used
 * where no double is. */
#define FEATURE_MAX 2e-5
#define FEATURE_RMS 2e-6

static double *widen(const float *x, int64_t n)
{
	double *d = xmalloc(sizeof *d * (size_t)n);
	for (int64_t i = 0; i < n; i++)
		d[i] = x[i];
	return d;
}

/* got against KEY_f64 beside KEY_f32, or against KEY_f32 alone. */
static void against(struct cases *c, struct npz *z, const char *key, const double *got, int64_t n)
{
	SCOPED(free) char *key64 = xstrfmt("%s_f64", key), *key32 = xstrfmt("%s_f32", key);
	int64_t n64 = n, n32 = n;
	SCOPED(free) double *want = cases_doubles(c, NULL, z, key64, &n64), *peer = cases_doubles(c, NULL, z, key32, &n32);
	if (!want && !peer) {
		cases_skip(c, key, "absent");
		return;
	}
	if (n64 != n || n32 != n) {
		cases_equal(c, key, false, "another shape than expected");
		return;
	}
	if (want)
		cases_array(c, key, got, want, peer, n, FEATURE_MAX, FEATURE_RMS);
	else
		cases_array(c, key32, got, peer, NULL, n, FEATURE_MAX, FEATURE_RMS);
}

/* The names of the "images" array with their letters; *n of them. The caller frees each and the array. */
static char **image_names(struct cases *c, const json_t *json, int *n)
{
	const json_t *list = json_object_get(json, "images");
	char **names = xcalloc(json_array_size(list) + 1, sizeof *names);
	*n = (int)json_array_size(list);
	for (int i = 0; i < *n; i++) {
		const char *text = json_string_value(json_array_get(list, (size_t)i));
		names[i] = cases_picture(c, text ? text : "");
	}
	return names;
}

static void free_names(char **names, int n)
{
	for (int i = 0; i < n; i++)
		free(names[i]);
	free(names);
}

/* Every 13th pixel of the network's input, channel by channel. */
static void check_resized(struct cases *c, struct npz *z, const char *picture, enum cases_input how)
{
	enum { STEP = 13, SIDE = 23 };
	SCOPED(free) float *in = xmalloc(sizeof *in * INCEPTION_PIXELS);
	double got[3 * SIDE * SIDE];
	cases_input(in, picture, how);
	for (int ch = 0; ch < 3; ch++)
		for (int y = 0; y < SIDE; y++)
			for (int x = 0; x < SIDE; x++)
				got[(ch * SIDE + y) * SIDE + x] = in[(y * STEP * INCEPTION_SIDE + x * STEP) * 3 + ch];
	against(c, z, "resized", got, 3 * SIDE * SIDE);
}

static void one_peer(struct cases *c, const char *stem, const char *resized_key, enum cases_input how)
{
	SCOPED(free) char *json_name = xstrfmt("%s.json", stem), *npz_file = xstrfmt("%s.npz", stem);
	SCOPED(npz) struct npz *z = NULL;
	json_t *json;
	if (!cases_json(&json, c, json_name))
		return;
	if (cases_npz(&z, c, npz_file)) {
		int n;
		char **names = image_names(c, json, &n);
		static const struct {
			const char *key;
			int width;
		} arrays[] = {
			{ "d64", 64 },
			{ "d192", 192 },
			{ "d768", 768 },
			{ "d2048", 2048 },
			{ "logits", INCEPTION_CLASSES },
			{ "logits_unbiased", INCEPTION_CLASSES },
		};
		float *out[6];
		for (int k = 0; k < 6; k++)
			out[k] = xcalloc((size_t)n * (size_t)arrays[k].width, sizeof(float));
		printf("  %s, %d pictures\n", stem, n);
		cases_run(c, (const char *const *)names, n, how,
		          &(struct inception_out){ out[0], out[1], out[2], out[3], out[4], out[5], NULL });
		for (int k = 0; k < 6; k++) {
			SCOPED(free) double *got = widen(out[k], (int64_t)n * arrays[k].width);
			against(c, z, arrays[k].key, got, (int64_t)n * arrays[k].width);
			free(out[k]);
		}
		const char *resized = json_string_value(json_object_get(json, resized_key));
		if (resized) {
			SCOPED(free) char *picture = cases_picture(c, resized);
			check_resized(c, z, picture, how);
		}
		free_names(names, n);
	}
	json_decref(json);
}

void family_features(struct cases *c)
{
	one_peer(c, "pytorch_fid_features", "block_stats_image", INPUT_PYTORCH_FID);
	one_peer(c, "torch_fidelity_features", "resized_image", INPUT_TORCH_FIDELITY);
}

/* ---- clean-fid ---- */

static void clean_pixels(struct cases *c, struct npz *z, char **names, int n)
{
	enum { STEP = 7, SIDE = 43, FULL = INCEPTION_SIDE };
	int64_t n_grid, n_stats, n_full;
	SCOPED(free) double *grid = cases_doubles(c, "clean", z, "resized_grid", &n_grid);
	SCOPED(free) double *stats = cases_doubles(c, "clean", z, "resized_mean_std", &n_stats);
	SCOPED(free) float *in = xmalloc(sizeof *in * INCEPTION_PIXELS);
	int64_t wrong = 0, wrong_full = 0, fulls = 0;
	if ((grid && n_grid != (int64_t)n * 3 * SIDE * SIDE) || (stats && n_stats != (int64_t)n * 6)) {
		cases_equal(c, "resized_grid resized_mean_std", false, "another shape than expected");
		return;
	}
	double worst = 0;
	for (int i = 0; i < n; i++) {
		int h, w;
		SCOPED(free) uint8_t *px = formula_image_named(names[i], &h, &w);
		resize_u8(in, FULL, FULL, px, h, w, 3, RESIZE_CLEAN);
		for (int64_t k = 0; grid && k < 3 * SIDE * SIDE; k++) {
			int64_t ch = k / (SIDE * SIDE), y = k / SIDE % SIDE, x = k % SIDE;
			wrong += (double)in[(y * STEP * FULL + x * STEP) * 3 + ch] != grid[i * 3 * SIDE * SIDE + k];
		}
		for (int ch = 0; stats && ch < 3; ch++) {
			double mean = 0, var = 0;
			for (int k = 0; k < FULL * FULL; k++)
				mean += (double)in[3 * k + ch] / (FULL * FULL);
			for (int k = 0; k < FULL * FULL; k++)
				var += ((double)in[3 * k + ch] - mean) * ((double)in[3 * k + ch] - mean) / (FULL * FULL);
			worst = fmax(worst, fabs(mean - stats[i * 6 + ch]));
			worst = fmax(worst, fabs(sqrt(var) - stats[i * 6 + 3 + ch]));
		}
		SCOPED(free)
		char *kind = xstrndup(names[i], strcspn(names[i], "/") - 1), *key = xstrfmt("resized_full_%s", kind);
		SCOPED(free) double *full = strstr(names[i], "/0") ? cases_doubles(c, NULL, z, key, &n_full) : NULL;
		fulls += full != NULL;
		if (full && n_full != INCEPTION_PIXELS)
			wrong_full = INT64_MAX / 2;
		for (int64_t k = 0; full && n_full == INCEPTION_PIXELS && k < INCEPTION_PIXELS; k++)
			wrong_full += (double)in[k % (FULL * FULL) * 3 + k / (FULL * FULL)] != full[k];
	}
	char what[80];
	(void)snprintf(what, sizeof what, "%lld of %lld pixels differ (bit-exact asked)", (long long)wrong,
	               (long long)(grid ? n_grid : 0));
	if (grid)
		cases_equal(c, "resized_grid", wrong == 0, what);
	if (stats)
		cases_value(c, "resized_mean_std", worst, 0, 1e-4);
	(void)snprintf(what, sizeof what, "%lld pixels of %lld whole pictures differ", (long long)wrong_full,
	               (long long)fulls);
	if (fulls)
		cases_equal(c, "resized_full_*", wrong_full == 0, what);
}

static void clean_features(struct cases *c, struct npz *z, char **names, int n)
{
	static const struct {
		const char *key;
		enum cases_input how;
	} modes[] = {
		{ "feat_clean", INPUT_CLEAN },
		{ "feat_legacy_pytorch", INPUT_PYTORCH_FID },
		{ "feat_legacy_tensorflow", INPUT_TORCH_FIDELITY },
	};
	SCOPED(free) float *out = xmalloc(sizeof *out * (size_t)n * 2048);
	for (size_t k = 0; k < 3; k++) {
		cases_run(c, (const char *const *)names, n, modes[k].how, &(struct inception_out){ .d2048 = out });
		SCOPED(free) double *got = widen(out, (int64_t)n * 2048);
		against(c, z, modes[k].key, got, (int64_t)n * 2048);
	}
	if (npz_has(z, "feat_clean_but_quantized_f32"))
		cases_skip(c, "feat_clean_but_quantized", "a mistake kept for contrast, not a mode");
}

void family_clean(struct cases *c)
{
	SCOPED(npz) struct npz *z = NULL;
	json_t *json;
	if (!cases_json(&json, c, "clean_fid.json"))
		return;
	if (cases_npz(&z, c, "clean_fid.npz")) {
		int n;
		char **names = image_names(c, json, &n);
		clean_pixels(c, z, names, n);
		clean_features(c, z, names, n);
		free_names(names, n);
	}
	json_decref(json);
}

/* ---- two whole sets ---- */

void family_feature_sets(struct cases *c)
{
	enum { N = 300 };
	SCOPED(npz) struct npz *z = NULL;
	if (!cases_npz(&z, c, "features_A32_B32.npz"))
		return;
	for (int k = 0; k < 2; k++) {
		char *names[N], key[2] = { (char)('A' + k), '\0' };
		int64_t n;
		SCOPED(free) double *want = cases_doubles(c, "features_A32_B32", z, key, &n);
		if (!want || n % 2048 || n / 2048 > N)
			continue;
		int count = (int)(n / 2048);
		for (int i = 0; i < count; i++)
			names[i] = xstrfmt("%c32%c/%d", 'A' + k, c->letter, i);
		SCOPED(free) float *out = xmalloc(sizeof *out * (size_t)n);
		cases_run(c, (const char *const *)names, count, INPUT_PYTORCH_FID, &(struct inception_out){ .d2048 = out });
		SCOPED(free) double *got = widen(out, n);
		cases_array(c, key, got, want, NULL, n, FEATURE_MAX, FEATURE_RMS);
		for (int i = 0; i < count; i++)
			free(names[i]);
	}
}
