/* bench_features.c - see bench_features.h. Rounds of the configurations are interleaved and the median round counts, so
 * that a machine that slows down slows all of them. */
#include "harness/bench/bench_features.h"

#include "harness/bench/bench_train.h"
#include "model/cpu/devices.h"
#include "model/base/mem.h"
#include "model/base/progress.h"
#include "model/base/rng.h"
#include "model/train/model.h"
#include "model/frozen/inception.h"
#include "model/frozen/lpips.h"
#include "model/frozen/resize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 5, MAX_CONFIGS = 8 };

/* ---- random weights that look like a file ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct st_tensor *)a)->name, ((const struct st_tensor *)b)->name);
}

static void add(struct safetensors *st, struct arena *arena, const char *name, int n_dims, const int64_t *dims)
{
	st->tensors = xrealloc(st->tensors, st->n_tensors + 1, sizeof *st->tensors);
	struct st_tensor *t = &st->tensors[st->n_tensors];
	*t = (struct st_tensor){ .name = arena_strdup(arena, name), .dtype = ST_F32, .n_dims = n_dims };
	memcpy(t->dims, dims, (size_t)n_dims * sizeof *dims);
	size_t n = st_count(t);
	float *data = arena_alloc(arena, n * sizeof *data);
	if (n_dims > 1) {
		float scale = sqrtf(2.0f * (float)dims[0] / (float)n);
		rng_normal(data, n, 1, RNG_SYNTHETIC, (uint32_t)st->n_tensors, 0);
		for (size_t i = 0; i < n; i++)
			data[i] *= scale;
	} else {
		float value = strstr(name, "var") || strstr(name, "bn.weight") ? 1 : 0;
		for (size_t i = 0; i < n; i++)
			data[i] = value;
	}
	t->data = data;
	st->n_tensors++;
}

static void finish(struct safetensors *st)
{
	st->path = "random weights";
	qsort(st->tensors, st->n_tensors, sizeof *st->tensors, by_name);
}

/* ---- rounds ---- */

struct config {
	const char *name;
	double gflop;                         /* per item */
	void (*run)(struct config *c, int n); /* n items */
	void *net;
	const void *in0, *in1;
	void *out;
	double wall[ROUNDS], cpu[ROUNDS];
	int n; /* items per round */
};

static double cpu_s(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* One warm run shows how many items fill a round. */
static void measure(struct config *configs, int n_configs, int batch, double seconds)
{
	for (int i = 0; i < n_configs; i++) {
		configs[i].run(&configs[i], batch);
		double start = monotonic_s();
		configs[i].run(&configs[i], batch);
		double batches = seconds / ROUNDS / (monotonic_s() - start);
		configs[i].n = batch * (int)fmin(fmax(batches, 1), 1000);
	}
	for (int round = 0; round < ROUNDS; round++)
		for (int i = 0; i < n_configs; i++) {
			struct config *c = &configs[i];
			double wall = monotonic_s(), cpu = cpu_s();
			for (int done = 0; done < c->n; done += batch)
				c->run(c, batch);
			c->wall[round] = (monotonic_s() - wall) / c->n;
			c->cpu[round] = (cpu_s() - cpu) / c->n;
		}
}

static void report(json_t *out, struct config *configs, int n_configs, const char *unit, double ceiling)
{
	for (int i = 0; i < n_configs; i++) {
		struct config *c = &configs[i];
		SCOPED(free)
		char *rate = xstrfmt("%s_per_s", unit), *cpu = xstrfmt("cpu_s_per_%.*s", (int)strlen(unit) - 1, unit);
		qsort(c->wall, ROUNDS, sizeof *c->wall, by_value);
		qsort(c->cpu, ROUNDS, sizeof *c->cpu, by_value);
		double s = c->wall[ROUNDS / 2], gflop_s = c->gflop / s;
		(void)json_array_append_new(
			out, json_pack("{s:s, s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "config", c->name, "threads",
		                   model_threads(), rate, 1 / s, "of_the_first", configs[0].wall[ROUNDS / 2] / s, cpu,
		                   c->cpu[ROUNDS / 2], "gflop_each", c->gflop, "gflop_per_s", gflop_s, "ceiling_gflop_per_s",
		                   ceiling, "share_of_ceiling", gflop_s / ceiling));
	}
}

/* ---- Inception ---- */

static void run_inception(struct config *c, int n)
{
	struct err e = ERR_INIT;
	struct inception_out out = { .d2048 = c->out };
	if (inception_run_pictures(c->net, &out, c->in0, n, RESIZE_TORCH_BILINEAR, &e))
		BUG("%s", e.msg);
}

int bench_features(json_t *out, int batch, double seconds, const struct bench_target *target, struct err *e)
{
	enum { SIDE = 32, PICTURES = 4 };
	static uint8_t pixels[PICTURES][SIDE * SIDE * 3];
	struct safetensors st = { 0 };
	struct arena arena = { 0 };
	struct cnn table = { 0 };
	struct inception_taps taps;
	char name[96];
	int n_dims, n = 0, rc = 0;
	int64_t dims[ST_MAX_DIMS];
	batch = batch > 0 ? batch : 8;
	for (size_t i = 0; i < sizeof pixels; i++)
		pixels[i / sizeof *pixels][i % sizeof *pixels] = (uint8_t)(256 * rng_uniform(1, RNG_SYNTHETIC, 0, i));
	SCOPED(free) struct image_u8 *images = xcalloc((size_t)batch, sizeof *images);
	for (int i = 0; i < batch; i++)
		images[i] = (struct image_u8){ .h = SIDE, .w = SIDE, .c = 3, .px = pixels[i % PICTURES] };
	inception_describe(&table, &taps, INCEPTION_2015);
	for (int i = 0; inception_weight(&table, i, name, &n_dims, dims); i++)
		add(&st, &arena, name, n_dims, dims);
	finish(&st);
	SCOPED(free) float *features = xmalloc((size_t)batch * 2048 * sizeof *features);
	struct config configs[2];
	double open_s[2];
	struct backend *b;
	rc = backend_open(&b, target->device, target->dtype, e);
	bool host = rc == 0 && b->ops->host_memory, opened = rc == 0;
	for (int bf16 = 0; rc == 0 && bf16 <= (host ? cnn_bf16_available() : 0); bf16++) {
		struct inception *net = NULL;
		double start = monotonic_s();
		rc = host ? inception_open(&net, INCEPTION_2015, &st, bf16, e)
		          : inception_open_on(&net, INCEPTION_2015, &st, b, batch, e);
		open_s[n] = monotonic_s() - start;
		struct device_moments *moments; /* a FID's, in addition to the features */
		if (rc == 0)
			rc = inception_count(&moments, net, e);
		const char *dtype = dtype_name(bf16 ? DTYPE_BF16 : target->dtype);
		configs[n++] = (struct config){ .name = arena_strfmt(&arena, "inception-2015 %s", dtype),
			                            .net = net,
			                            .in0 = images,
			                            .run = run_inception,
			                            .gflop = cnn_flops(&table) / 1e9,
			                            .out = features };
	}
	double ceiling = rc ? 0 : host ? bench_gemm_ceiling() : bench_device_ceiling(b, e);
	if (rc == 0 && !(ceiling > 0))
		rc = err_in(e, "the matrix product beside it");
	if (rc == 0) {
		measure(configs, n, batch, seconds);
		report(out, configs, n, "images", ceiling);
		for (int i = 0; i < n; i++)
			(void)json_object_set_new(json_array_get(out, json_array_size(out) - (size_t)(n - i)), "open_s",
			                          json_real(open_s[i]));
	}
	for (int i = 0; i < n; i++)
		inception_free(configs[i].net);
	if (opened)
		backend_free(b);
	cnn_release(&table);
	free(st.tensors);
	arena_release(&arena);
	return rc;
}

/* ---- LPIPS ---- */

enum { SIDE = 64 };

static void run_lpips(struct config *c, int n)
{
	struct err e = ERR_INIT;
	SCOPED(free) double *distance = xmalloc((size_t)n * sizeof *distance);
	if (lpips_run(c->net, distance, NULL, c->out, c->in0, c->in1, n, &e))
		BUG("%s", e.msg);
}

static int open_lpips(struct config *configs, enum lpips_net kind, float *in0, float *in1, float *gradient,
                      struct err *e)
{
	static const char *const names[LPIPS_N_NETS][2] = { { "lpips alex", "lpips alex, gradient" },
		                                                { "lpips vgg", "lpips vgg, gradient" },
		                                                { "lpips squeeze", "lpips squeeze, gradient" } };
	struct safetensors backbone = { 0 }, heads = { 0 };
	struct arena arena = { 0 };
	struct cnn table = { 0 };
	char name[96];
	int n_dims, taps[LPIPS_MAX_TAPS], n_taps, rc = 0;
	int64_t dims[ST_MAX_DIMS];
	for (int i = 0; lpips_backbone_weight(kind, i, name, &n_dims, dims); i++)
		add(&backbone, &arena, name, n_dims, dims);
	for (int i = 0; lpips_head_weight(kind, i, name, &n_dims, dims); i++)
		add(&heads, &arena, name, n_dims, dims);
	finish(&backbone);
	finish(&heads);
	rc = lpips_describe(&table, taps, &n_taps, kind, SIDE, SIDE, false, e);
	for (int g = 0; rc == 0 && g < 2; g++) {
		struct lpips *net = NULL;
		struct lpips_options o = { .net = kind, .h = SIDE, .w = SIDE, .backward = g };
		rc = lpips_open(&net, &o, &backbone, &heads, e);
		configs[g] = (struct config){ .name = names[kind][g],
			                          .net = net,
			                          .in0 = in0,
			                          .in1 = in1,
			                          .out = g ? gradient : NULL,
			                          .run = run_lpips,
			                          .gflop = cnn_flops(&table) / 1e9 * (g ? 3 : 2) };
	}
	cnn_release(&table);
	free(backbone.tensors);
	free(heads.tensors);
	arena_release(&arena);
	return rc;
}

int bench_lpips(json_t *out, int batch, double seconds, struct err *e)
{
	batch = batch > 0 ? batch : 16;
	size_t n = (size_t)batch * SIDE * SIDE * 3;
	SCOPED(free)
	float *in0 = xmalloc(n * sizeof *in0), *in1 = xmalloc(n * sizeof *in1), *gradient = xmalloc(n * sizeof *gradient);
	for (size_t i = 0; i < n; i++) {
		in0[i] = 2 * rng_uniform(1, RNG_SYNTHETIC, 0, i) - 1;
		in1[i] = 2 * rng_uniform(1, RNG_SYNTHETIC, 1, i) - 1;
	}
	struct config configs[MAX_CONFIGS] = { 0 };
	int rc = 0;
	for (int k = 0; rc == 0 && k < LPIPS_N_NETS; k++)
		rc = open_lpips(configs + 2 * k, (enum lpips_net)k, in0, in1, gradient, e);
	if (rc == 0) {
		measure(configs, 2 * LPIPS_N_NETS, batch, seconds);
		report(out, configs, 2 * LPIPS_N_NETS, "pairs", bench_gemm_ceiling());
	}
	for (int i = 0; i < MAX_CONFIGS; i++)
		lpips_free(configs[i].net);
	return rc;
}
