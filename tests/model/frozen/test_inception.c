/* test_inception.c - Inception v3 on formula weights: against float64 values of pytorch-fid and torch-fidelity, the
 * same in any batch, and clear about weights that do not fit. */
#include "tests/common/formula.h"
#include "model/cpu/devices.h"
#include "tests/common/formula_weights.h"
#include "model/base/mem.h"
#include "model/frozen/inception.h"
#include "model/frozen/resize.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct pictures {
	const char *const *names;
	enum resize_kind resize;
};

static void picture(void *ctx, int i, float *dst)
{
	const struct pictures *p = ctx;
	int h, w;
	SCOPED(free) uint8_t *px = formula_image_named(p->names[i], &h, &w);
	resize_u8(dst, INCEPTION_SIDE, INCEPTION_SIDE, px, h, w, 3, p->resize);
	for (int k = 0; k < INCEPTION_PIXELS; k++)
		dst[k] = p->resize == RESIZE_TORCH_BILINEAR ? (float)(dst[k] * (2.0 / 255) - 1) : (dst[k] - 128) / 128;
}

static struct inception *open_formula(bool bf16)
{
	struct safetensors st = { 0 };
	struct inception *net;
	struct err e = ERR_INIT;
	formula_inception(&st);
	cr_assert_eq(inception_open(&net, INCEPTION_2015, &st, bf16, &e), 0, "%s", e.msg);
	formula_weights_release(&st);
	return net;
}

/* Every step-th value of one picture's array, in double, and 4 times the peer's own float32 deviation. */
struct expected {
	enum resize_kind resize;
	const char *image;
	int array;
	int step;
	double tolerance;
	double v[12];
	int n;
};
enum { D64, D192, D768, D2048, LOGITS, UNBIASED, N_ARRAYS };
static const int widths[N_ARRAYS] = { 64, 192, 768, 2048, INCEPTION_CLASSES, INCEPTION_CLASSES };
static const struct expected expected[] = {
	{ RESIZE_TORCH_BILINEAR,
	  "A32p/0",
	  D64,
	  8,
	  1.2e-6,
	  { 0.5423097199, 0.004321659509, 0.002089335105, 0, 0.4928000976, 0, 1.095207448, 0.2015440417 },
	  8 },
	{ RESIZE_TORCH_BILINEAR,
	  "A32p/0",
	  D192,
	  24,
	  1.7e-6,
	  { 0, 0.3158023186, 0.01070084227, 0, 0.0537007333, 0.02235911089, 0.01862821416, 0.0006958183689 },
	  8 },
	{ RESIZE_TORCH_BILINEAR,
	  "A32p/0",
	  D768,
	  96,
	  3.9e-6,
	  { 0.02057288331, 0, 0, 0.4573085602, 0.1491704962, 0.6832720712, 0.007694512941, 0 },
	  8 },
	{ RESIZE_TORCH_BILINEAR,
	  "A32p/0",
	  D2048,
	  170,
	  7.3e-6,
	  { 0.8629162616, 0, 1.052963671, 0.1036064662, 0.8423319442, 0.2736579775, 2.236398904, 0.2008118704, 3.747908255,
	    2.351801337, 0.566894222, 0 },
	  12 },
	{ RESIZE_TORCH_BILINEAR,
	  "A32p/0",
	  LOGITS,
	  168,
	  5e-6,
	  { -0.259233081, 2.134766991, -1.519127085, 1.230840502, -2.009494471, 1.744711346 },
	  6 },
	{ RESIZE_TORCH_BILINEAR,
	  "A32p/0",
	  UNBIASED,
	  168,
	  4.5e-6,
	  { -0.2547633408, 2.104425521, -1.467253234, 1.176856896, -2.10695641, 1.73601622 },
	  6 },
	{ RESIZE_TORCH_BILINEAR,
	  "D75x53p/0",
	  D2048,
	  170,
	  7.3e-6,
	  { 1.011423593, 0, 0.9373121955, 0.1172637547, 0.5793628665, 0.3100034672, 1.907738, 0.1184912584, 3.420412505,
	    1.985248689, 0.6811020594, 0 },
	  12 },
	{ RESIZE_TF_BILINEAR,
	  "A32p/0",
	  D2048,
	  170,
	  8e-6,
	  { 0.870112704, 0, 1.054009297, 0.1028389927, 0.8490231762, 0.2739862366, 2.238651617, 0.1959718946, 3.738653405,
	    2.352241166, 0.5671757434, 0 },
	  12 },
	{ RESIZE_CLEAN,
	  "E401x350p/0",
	  D2048,
	  170,
	  5.8e-6,
	  { 1.088404731, 0, 1.09051108, 0.11285006, 1.110267663, 0.3551925062, 2.814982772, 0.3051040991, 4.752546074,
	    3.073959066, 0.7807380819, 0 },
	  12 },
};

static void compute(struct inception *net, float *out[N_ARRAYS], const char *image, enum resize_kind resize)
{
	struct pictures p = { &image, resize };
	struct inception_out o = { out[D64], out[D192], out[D768], out[D2048], out[LOGITS], out[UNBIASED], NULL };
	struct err e = ERR_INIT;
	cr_assert_eq(inception_run(net, &o, picture, &p, 1, &e), 0, "%s", e.msg);
}

Test(inception, features_are_those_of_the_peers_in_double)
{
	struct inception *net = open_formula(false);
	cr_assert_eq(inception_classes(net), INCEPTION_CLASSES);
	float *out[N_ARRAYS];
	for (int k = 0; k < N_ARRAYS; k++)
		out[k] = xcalloc((size_t)widths[k], sizeof **out);
	for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
		const struct expected *x = &expected[i];
		compute(net, out, x->image, x->resize);
		for (int k = 0; k < x->n; k++) {
			double got = out[x->array][k * x->step];
			cr_assert(fabs(got - x->v[k]) <= x->tolerance, "%s %s array %d [%d]: %.9g, expected %.9g",
			          resize_name(x->resize), x->image, x->array, k * x->step, got, x->v[k]);
		}
	}
	for (int k = 0; k < N_ARRAYS; k++)
		free(out[k]);
	inception_free(net);
}

Test(inception, a_feature_does_not_depend_on_its_batch)
{
	enum { N = 64 };
	static const char *const base[] = { "A32p/0", "B32p/1", "C64p/2", "D75x53p/3", "A32p/4", "B32p/5", "A32p/6" };
	const char *names[N];
	for (int i = 0; i < N; i++)
		names[i] = base[i * 5 % 7];
	struct inception *net = open_formula(false);
	SCOPED(free) float *of_64 = xcalloc(N * 2048, sizeof *of_64), *of_7 = xcalloc(7 * 2048, sizeof *of_7);
	SCOPED(free) float *spatial = xcalloc(7 * INCEPTION_SPATIAL, sizeof *spatial);
	float of_1[2048], spatial_1[INCEPTION_SPATIAL];
	struct pictures p = { names, RESIZE_TORCH_BILINEAR };
	struct err e = ERR_INIT;
	cr_assert_eq(inception_run(net, &(struct inception_out){ .d2048 = of_64 }, picture, &p, N, &e), 0);
	cr_assert_eq(inception_run(net, &(struct inception_out){ .d2048 = of_7, .spatial = spatial }, picture, &p, 7, &e),
	             0);
	cr_assert_eq(inception_run(net, &(struct inception_out){ .d2048 = of_1, .spatial = spatial_1 }, picture, &p, 1, &e),
	             0);
	cr_assert_arr_eq(of_7, of_64, 7 * 2048 * sizeof *of_7, "7 against 64");
	cr_assert_arr_eq(of_1, of_64, sizeof of_1, "1 against 64");
	cr_assert_arr_eq(spatial_1, spatial, sizeof spatial_1);
	cr_assert_arr_eq(of_64 + 2048, of_64 + 8 * 2048, sizeof of_1, "the same picture at two places of a batch");
	for (int i = 0; i < INCEPTION_SPATIAL; i++)
		cr_assert(spatial_1[i] >= 0 && spatial_1[i] < 1000, "spatial feature %d is %g", i, (double)spatial_1[i]);
	inception_free(net);
}

Test(inception, bf16_is_near_and_declared)
{
	struct safetensors st = { 0 };
	struct inception *net = NULL;
	struct err e = ERR_INIT;
	if (!cnn_bf16_available()) {
		formula_inception(&st);
		cr_assert_eq(inception_open(&net, INCEPTION_2015, &st, true, &e), -1);
		cr_assert(strstr(e.msg, "avx512_bf16"), "%s", e.msg);
		formula_weights_release(&st);
		return;
	}
	net = open_formula(true);
	const char *image = "A32p/0";
	struct pictures p = { &image, RESIZE_TORCH_BILINEAR };
	float got[2048];
	cr_assert_eq(inception_run(net, &(struct inception_out){ .d2048 = got }, picture, &p, 1, &e), 0);
	for (int k = 0; k < 12; k++) /* metrics/README.md, "Tolerances": bf16 inputs cost up to 4.5e-2 */
		cr_assert(fabs((double)got[k * 170] - expected[3].v[k]) <= 9e-2, "[%d]: %g", k * 170, (double)got[k * 170]);
	inception_free(net);
}

Test(inception, weights_that_do_not_fit_are_named)
{
	struct safetensors st = { 0 };
	struct inception *net;
	struct err e = ERR_INIT;
	formula_weights_add(&st, "Conv2d_1a_3x3.conv.weight", 4, (int64_t[]){ 32, 3, 3, 3 });
	cr_assert_eq(inception_open(&net, INCEPTION_2015, &st, false, &e), -1);
	cr_assert(strstr(e.msg, "no tensor named Conv2d_1a_3x3.bn.weight"), "%s", e.msg);
	formula_weights_release(&st);
	formula_weights_add(&st, "Conv2d_1a_3x3.conv.weight", 4, (int64_t[]){ 32, 3, 5, 5 });
	cr_assert_eq(inception_open(&net, INCEPTION_2015, &st, false, &e), -1);
	cr_assert(strstr(e.msg, "shape [32, 3, 5, 5], expected [32, 3, 3, 3]"), "%s", e.msg);
	const struct st_meta range = { "input_range", "[0,255]" };
	st.meta = (struct st_meta *)(uintptr_t)&range;
	st.n_meta = 1;
	cr_assert_eq(inception_open(&net, INCEPTION_2015, &st, false, &e), -1);
	cr_assert(strstr(e.msg, "input_range"), "%s", e.msg);
	formula_weights_release(&st);
}

/* The CUDA back end, under emulation where ABLATE_TEST_PLUGIN names no real one. */
static struct backend *open_cuda(int dtype)
{
	const char *plugin = getenv("ABLATE_TEST_PLUGIN");
	struct backend *b;
	struct err e = ERR_INIT;
	cr_assert_eq(setenv("ABLATE_CUDA_PLUGIN", plugin ? plugin : CUDA_EMU, 1), 0);
	cr_assert_eq(backend_open(&b, "cuda", dtype, &e), 0, "%s", e.msg);
	return b;
}

static double relative_l2(const float *got, const float *want, int n)
{
	double diff = 0, all = 0;
	for (int k = 0; k < n; k++) {
		diff += ((double)got[k] - (double)want[k]) * ((double)got[k] - (double)want[k]);
		all += (double)want[k] * (double)want[k];
	}
	return sqrt(diff / all);
}

Test(inception, features_of_another_back_end_in_bf16_are_near_the_cpus)
{
	static const char *const names[] = { "A32p/0" };
	struct safetensors st = { 0 };
	struct inception *cpu = open_formula(false), *cuda;
	struct backend *b = open_cuda(DTYPE_BF16);
	struct err e = ERR_INIT;
	struct pictures p = { names, RESIZE_TORCH_BILINEAR };
	float want[2048], got[2048];
	formula_inception(&st);
	cr_assert_eq(inception_open_on(&cuda, INCEPTION_2015, &st, b, 1, &e), 0, "%s", e.msg);
	cr_assert_eq(inception_run(cpu, &(struct inception_out){ .d2048 = want }, picture, &p, 1, &e), 0);
	cr_assert_eq(inception_run(cuda, &(struct inception_out){ .d2048 = got }, picture, &p, 1, &e), 0, "%s", e.msg);
	cr_assert(relative_l2(got, want, 2048) <= 1.6e-2, "features: %g relative", relative_l2(got, want, 2048));
	inception_free(cuda);
	inception_free(cpu);
	backend_free(b);
	formula_weights_release(&st);
}

/* The same network as a graph, one picture in a batch of two; the moments that are counted there are of the features
 * that are read. */
Test(inception, features_of_another_back_end_are_the_cpus)
{
	enum { N = 1 };
	static const char *const names[] = { "A32p/0" };
	struct safetensors st = { 0 };
	struct inception *cpu = open_formula(false), *cuda;
	struct backend *b = open_cuda(DTYPE_FP32);
	struct err e = ERR_INIT;
	struct pictures p = { names, RESIZE_TORCH_BILINEAR };
	float want[2048], got[2048], want_logits[INCEPTION_CLASSES], got_logits[INCEPTION_CLASSES];
	SCOPED(free)
	float *want_spatial = xcalloc(INCEPTION_SPATIAL, sizeof *want_spatial),
		  *got_spatial = xcalloc(INCEPTION_SPATIAL, sizeof *got_spatial);
	formula_inception(&st);
	cr_assert_eq(inception_open_on(&cuda, INCEPTION_2015, &st, b, 2, &e), 0, "%s", e.msg);
	cr_assert_eq(inception_run(cpu,
	                           &(struct inception_out){ .d2048 = want, .logits = want_logits, .spatial = want_spatial },
	                           picture, &p, N, &e),
	             0);
	struct device_moments *on_cpu, *counted;
	cr_assert_eq(inception_count(&on_cpu, cpu, &e) || inception_count(&counted, cuda, &e), 0, "%s", e.msg);
	cr_assert(counted && !on_cpu);
	SCOPED(image_u8) struct image_u8 bytes = { .c = 3 };
	bytes.px = formula_image_named(names[0], &bytes.h, &bytes.w);
	cr_assert_eq(inception_run_pictures(
					 cuda, &(struct inception_out){ .d2048 = got, .logits = got_logits, .spatial = got_spatial },
					 &bytes, N, p.resize, &e),
	             0, "%s", e.msg);
	cr_assert(relative_l2(got, want, 2048) <= (getenv("ABLATE_TEST_PLUGIN") ? 1e-5 : 3e-6), "features: %g relative",
	          relative_l2(got, want, 2048));
	SCOPED(moment_parts) struct moment_parts parts = { 0 };
	cr_assert_eq(device_moments_read(&parts, counted, &e), 0, "%s", e.msg);
	cr_assert(parts.n_rows == N && parts.n_folded == 0);
	cr_assert_arr_eq(parts.rows, got, sizeof got);
	for (int k = 0; k < INCEPTION_CLASSES; k++)
		cr_assert(fabsf(got_logits[k] - want_logits[k]) <= (getenv("ABLATE_TEST_PLUGIN") ? 5e-5f : 1e-5f),
		          "logit %d: %g, not %g", k, (double)got_logits[k], (double)want_logits[k]);
	for (int k = 0; k < INCEPTION_SPATIAL; k++)
		cr_assert(fabsf(got_spatial[k] - want_spatial[k]) <= 1e-4f * (1 + fabsf(want_spatial[k])),
		          "spatial %d: %g, not %g", k, (double)got_spatial[k], (double)want_spatial[k]);
	inception_free(cuda);
	inception_free(cpu);
	backend_free(b);
	formula_weights_release(&st);
}
