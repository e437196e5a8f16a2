/* test_lpips_loss.c - LPIPS recorded as a graph gives the numbers of lpips_run(): distance, gradient, resampling,
 * grey. */
#include "tests/common/formula.h"
#include "tests/common/formula_weights.h"
#include "model/cpu/devices.h"
#include "model/base/mem.h"
#include "model/frozen/lpips_loss.h"
#include "model/train/train.h"
#include "tests/common/tempdir.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 2, SIDE = 32 };

static void weights(struct safetensors *backbone, struct safetensors *heads, enum lpips_net kind)
{
	char name[96];
	int n_dims;
	int64_t dims[ST_MAX_DIMS];
	for (int i = 0; lpips_backbone_weight(kind, i, name, &n_dims, dims); i++)
		formula_weights_add(backbone, name, n_dims, dims);
	for (int i = 0; lpips_head_weight(kind, i, name, &n_dims, dims); i++)
		formula_weights_add(heads, name, n_dims, dims);
}

static void picture(float *dst, const char *name, int channels)
{
	int h, w;
	SCOPED(free) uint8_t *px = formula_image_named(name, &h, &w);
	for (int i = 0; i < SIDE * SIDE; i++)
		for (int c = 0; c < channels; c++)
			*dst++ = (float)px[3 * i + c] / 127.5f - 1;
}

static void check_on(struct backend *b, enum lpips_net kind, int side, int channels, bool average)
{
	struct safetensors backbone = { 0 }, heads = { 0 };
	struct lpips_loss loss;
	struct err e = ERR_INIT;
	weights(&backbone, &heads, kind);
	struct lpips_loss_options lo = { .net = kind, .side = side, .channels = channels, .average = average };
	cr_assert_eq(lpips_loss_init(&loss, &lo, &backbone, &heads, &e), 0, "%s", e.msg);
	struct graph *g = graph_new_on(b);
	float *frozen;
	struct tensor *x = graph_input(g, "x", N, SIDE, SIDE, channels),
				  *target = graph_input(g, "target", N, SIDE, SIDE, channels);
	x->needs_grad = true;
	graph_set_exact(g, true);
	struct tensor *d = lpips_loss_distance(g, &loss, x, target);
	graph_keep(d);
	d->grad = graph_input(g, "one", N, 1, 1, 1);
	graph_backward(g, d);
	cr_assert(x->grad, "no gradient reaches the images");
	graph_keep(x->grad);
	graph_plan(g);
	cr_assert_eq(backend_lend(&frozen, b, loss.weights, params_floats(loss.params), &e), 0, "%s", e.msg);
	graph_bind(g, STORE_FROZEN, frozen);
	graph_write(g, d->grad, 0, (const float[N]){ 1, 1 }, N);
	size_t per = (size_t)(SIDE * SIDE * channels), rgb = SIDE * SIDE * 3;
	SCOPED(free) float *px = xcalloc(N * per, sizeof *px), *pt = xcalloc(N * per, sizeof *pt);
	SCOPED(free)
	float *in0 = xcalloc(N * rgb, sizeof *in0), *in1 = xcalloc(N * rgb, sizeof *in1),
		  *want = xcalloc(N * rgb, sizeof *want);
	for (size_t i = 0; i < N; i++) {
		picture(px + i * per, i ? "A32p/1" : "A32p/0", channels);
		picture(pt + i * per, i ? "B32p/1" : "B32p/0", channels);
		for (size_t k = 0; k < rgb; k++) {
			in0[i * rgb + k] = px[i * per + (channels == 3 ? k : k / 3)];
			in1[i * rgb + k] = pt[i * per + (channels == 3 ? k : k / 3)];
		}
	}
	graph_write(g, x, 0, px, N * per);
	graph_write(g, target, 0, pt, N * per);
	graph_run(g);
	float got[N];
	graph_read(g, got, d, 0, N);
	graph_read(g, px, x->grad, 0, N * per);
	cr_assert_eq(backend_check(b, &e), 0, "%s", e.msg);

	struct lpips *l;
	struct lpips_options o = {
		.net = kind, .h = SIDE, .w = SIDE, .resize = side, .average = average, .backward = true
	};
	cr_assert_eq(lpips_open(&l, &o, &backbone, &heads, &e), 0, "%s", e.msg);
	double distance[N], error = 0, size = 0;
	cr_assert_eq(lpips_run(l, distance, NULL, want, in0, in1, N, &e), 0, "%s", e.msg);
	for (size_t i = 0; i < N; i++) /* two ways of rounding 13 convolutions in float, and heads of both signs */
		cr_assert(fabs((double)got[i] - distance[i]) <= 5e-6 * fabs(distance[i]), "%s: %.9g, not %.9g",
		          lpips_net_name(kind), (double)got[i], distance[i]);
	for (size_t i = 0; i < N * per; i++) {
		double w = channels == 3 ? (double)want[i]
		                         : (double)want[3 * i] + (double)want[3 * i + 1] + (double)want[3 * i + 2];
		error += ((double)px[i] - w) * ((double)px[i] - w);
		size += w * w;
	}
	/* Values of a pool or a ReLU that are equal up to rounding may go either way, which moves the gradient of all
	 * pixels that they see: grey vgg by 9.7e-4 of it with oneDNN's kernels for AVX2, none by 5e-5 with AVX-512's. */
	cr_assert(sqrt(error) <= 3e-3 * sqrt(size), "%s: gradient off by %g", lpips_net_name(kind), sqrt(error / size));
	lpips_free(l);
	graph_free(g);
	backend_return(b, frozen, loss.weights);
	lpips_loss_release(&loss);
	formula_weights_release(&backbone);
	formula_weights_release(&heads);
}

/* On the CPU and on the CUDA back end, which has its own forward and backward of every op here. */
static void check(enum lpips_net kind, int side, int channels, bool average)
{
	struct backend *b;
	struct err e = ERR_INIT;
	check_on(backend_cpu(), kind, side, channels, average);
	const char *plugin = getenv("ABLATE_TEST_PLUGIN"); /* the real one, on a machine with a GPU */
	cr_assert_eq(setenv("ABLATE_CUDA_PLUGIN", plugin ? plugin : CUDA_EMU, 1), 0);
	cr_assert_eq(backend_open(&b, "cuda", DTYPE_TF32, &e), 0, "%s",
	             e.msg); /* a metric of an exact graph rounds no operands */
	check_on(b, kind, side, channels, average);
	backend_free(b);
}

Test(lpips_loss, alex_agrees_with_the_metric)
{
	check(LPIPS_ALEX, 0, 3, false);
}

Test(lpips_loss, squeeze_agrees_after_resampling_with_average_pools)
{
	check(LPIPS_SQUEEZE, 48, 3, true);
}

Test(lpips_loss, vgg_agrees_on_grey_images)
{
	check(LPIPS_VGG, 40, 1, false);
}

Test(lpips_loss, pairs_on_another_back_end_are_as_far_apart)
{
	enum { PAIRS = 3, BATCH = 2, PER = SIDE * SIDE * 3 };
	struct safetensors backbone = { 0 }, heads = { 0 };
	struct lpips_options o = { .net = LPIPS_SQUEEZE, .h = SIDE, .w = SIDE, .resize = 40 };
	struct lpips *on_cpu, *on_cuda;
	struct backend *b;
	struct err e = ERR_INIT;
	double want[PAIRS], got[PAIRS], want_layers[PAIRS][LPIPS_MAX_TAPS], got_layers[PAIRS][LPIPS_MAX_TAPS];
	SCOPED(free) float *in0 = xcalloc(PAIRS * PER, sizeof *in0), *in1 = xcalloc(PAIRS * PER, sizeof *in1);
	for (int i = 0; i < PAIRS; i++) {
		picture(in0 + i * PER, i % 2 ? "A32p/1" : "A32p/0", 3);
		picture(in1 + i * PER, i / 2 ? "B32p/1" : "B32p/0", 3);
	}
	const char *plugin = getenv("ABLATE_TEST_PLUGIN");
	cr_assert_eq(setenv("ABLATE_CUDA_PLUGIN", plugin ? plugin : CUDA_EMU, 1), 0);
	cr_assert_eq(backend_open(&b, "cuda", DTYPE_FP32, &e), 0, "%s", e.msg);
	weights(&backbone, &heads, o.net);
	cr_assert_eq(lpips_open(&on_cpu, &o, &backbone, &heads, &e), 0, "%s", e.msg);
	cr_assert_eq(lpips_open_on(&on_cuda, &o, &backbone, &heads, b, BATCH, &e), 0, "%s", e.msg);
	formula_weights_release(&backbone);
	formula_weights_release(&heads);
	cr_assert_eq(lpips_taps(on_cuda), LPIPS_MAX_TAPS);
	cr_assert_eq(lpips_run(on_cpu, want, want_layers[0], NULL, in0, in1, PAIRS, &e), 0, "%s", e.msg);
	cr_assert_eq(lpips_run(on_cuda, got, got_layers[0], NULL, in0, in1, PAIRS, &e), 0, "%s", e.msg);
	for (int i = 0; i < PAIRS; i++) {
		cr_assert(fabs(got[i] - want[i]) <= 5e-6 * fabs(want[i]), "pair %d: %.9g, not %.9g", i, got[i], want[i]);
		for (int k = 0; k < LPIPS_MAX_TAPS; k++)
			cr_assert(fabs(got_layers[i][k] - want_layers[i][k]) <= 5e-6 * fabs(want[i]),
			          "pair %d, tap %d: %.9g, not %.9g", i, k, got_layers[i][k], want_layers[i][k]);
	}
	lpips_free(on_cuda);
	lpips_free(on_cpu);
	backend_free(b);
}

/* One training step with the papers' metric, from weights in files; and the words when they are missing. */
Test(lpips_loss, trains)
{
	struct safetensors backbone = { 0 }, heads = { 0 };
	struct err e = ERR_INIT;
	char *dir = tempdir_make();
	SCOPED(free)
	char *b = tempdir_file(dir, "b.safetensors", NULL, 0), *h = tempdir_file(dir, "h.safetensors", NULL, 0);
	weights(&backbone, &heads, LPIPS_VGG);
	cr_assert(safetensors_write(b, backbone.tensors, backbone.n_tensors, NULL, 0, NULL, &e) == 0 &&
	              safetensors_write(h, heads.tensors, heads.n_tensors, NULL, 0, NULL, &e) == 0,
	          "%s", e.msg);
	formula_weights_release(&backbone);
	formula_weights_release(&heads);
	static const char *const settings[][2] = {
		{ "net.channels", "8" }, { "train.batch", "1" }, { "train.steps", "1" }, { "loss.kind", "lpips-average" }
	};
	struct run_config c;
	config_defaults(&c);
	cr_assert_eq(config_preset(&c, "ict-shapes8-ci", &e), 0, "%s", e.msg);
	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
		cr_assert_eq(config_set_text(&c, settings[i][0], settings[i][1], &e), 0, "%s", e.msg);
	cr_assert_eq(config_finish(&c, &e), 0, "%s", e.msg);
	struct train_result r;
	struct train_options o = { .seed = 1, .dir = dir };
	double loss;
	cr_assert_eq(train_run(&r, &c, &o, NULL, &e), -1);
	cr_assert(strstr(e.msg, "lpips-vgg-backbone"), "%s", e.msg);
	o.lpips_backbone = b;
	o.lpips_heads = h;
	cr_assert_eq(train_run(&r, &c, &o, NULL, &e), 0, "%s", e.msg);
	cr_assert(r.end == TRAIN_DONE && isfinite(r.final_loss) && r.final_loss != 0, "loss %g", r.final_loss);
	loss = r.final_loss;
	char *other = tempdir_make();
	const char *plugin = getenv("ABLATE_TEST_PLUGIN");
	cr_assert_eq(setenv("ABLATE_CUDA_PLUGIN", plugin ? plugin : CUDA_EMU, 1), 0);
	o.device = "cuda";
	o.dir = other;
	cr_assert_eq(train_run(&r, &c, &o, NULL, &e), 0, "%s", e.msg);
	cr_assert(fabs(r.final_loss - loss) <= 2e-4 * fabs(loss), "loss %.9g on the device, %.9g on the CPU", r.final_loss,
	          loss);
	tempdir_remove(other);
	tempdir_remove(dir);
}
