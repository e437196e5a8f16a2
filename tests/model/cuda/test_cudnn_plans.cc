/* test_cudnn_plans.cc - model/cuda/cuda_dnn.cu asks the real cuDNN for plans, for one card of each generation, on a
 * machine that has none of them (shim/cudnn_offline.c). Which engine it is and how fast is the library's; that there is
 * one, on tensor cores and fused where the back end counts on it, and that nothing is left behind, is tested. Skipped
 * without cuDNN, or with one that plans for no described card. */
#include <criterion/criterion.h>

#include "model/cuda/cuda_dnn.cu" /* whole: a plan is looked into */
extern "C" {
#include "tests/model/cuda/convs_of_step.h"
}
#include "tests/shim/cudnn_offline.h"

#include <dlfcn.h>

void cuda_fail(struct cuda *cu, const char *file, int line, const char *what, const char *why)
{
	(void)snprintf(cu->failed, sizeof cu->failed, "%s:%d: %s: %s", file, line, what, why);
}

void cuda_fail_call(struct cuda *cu, const char *file, int line, const char *call, cudaError_t rc)
{
	cuda_fail(cu, file, line, call, rc == cudaErrorMemoryAllocation ? "out of memory" : "an error of CUDA's");
}

enum wanted { PLAIN, FUSED, LOW_WEIGHTS };
static const enum tensor_type F32 = TENSOR_F32, BF16 = TENSOR_BF16;

/* n, h, w, ic, oc, kh, kw, oh, ow, stride, pad_h, pad_w */
static const struct {
	const char *what;
	struct cuda_conv_shape s;
	enum dtype_kind dtype;
	enum wanted wanted;
} cases[] = {
	{ "a block's",
	  { { 64, 32, 32, 256, 256, 3, 3, 32, 32, 1, 1, 1 }, DNN_FORWARD, BF16, true, false, false },
	  DTYPE_BF16,
	  FUSED },
	{ "a change's, without bias",
	  { { 64, 32, 32, 256, 256, 3, 3, 32, 32, 1, 1, 1 }, DNN_FORWARD, BF16, false, false, false },
	  DTYPE_BF16,
	  PLAIN },
	{ "the first, of three channels",
	  { { 64, 32, 32, 3, 128, 3, 3, 32, 32, 1, 1, 1 }, DNN_FORWARD, BF16, true, false, false },
	  DTYPE_BF16,
	  FUSED },
	{ "NCSN++'s aux, padded wide",
	  { { 64, 16, 16, 256, 256, 3, 3, 18, 18, 1, 2, 2 }, DNN_FORWARD, BF16, true, false, false },
	  DTYPE_BF16,
	  FUSED },
	{ "Inception's first",
	  { { 32, 299, 299, 3, 32, 3, 3, 149, 149, 2, 0, 0 }, DNN_FORWARD, BF16, true, true, false },
	  DTYPE_BF16,
	  FUSED },
	{ "Inception's 1x7",
	  { { 32, 17, 17, 160, 192, 1, 7, 17, 17, 1, 0, 3 }, DNN_FORWARD, BF16, true, true, false },
	  DTYPE_BF16,
	  FUSED },
	{ "VGG's",
	  { { 32, 64, 64, 64, 64, 3, 3, 64, 64, 1, 1, 1 }, DNN_FORWARD, BF16, true, true, false },
	  DTYPE_BF16,
	  FUSED },
	{ "ImageNet's widest",
	  { { 32, 8, 8, 1536, 768, 3, 3, 8, 8, 1, 1, 1 }, DNN_FORWARD, BF16, true, false, false },
	  DTYPE_BF16,
	  FUSED },
	{ "its data gradient",
	  { { 32, 8, 8, 1536, 768, 3, 3, 8, 8, 1, 1, 1 }, DNN_BACKWARD_DATA, BF16, false, false, false },
	  DTYPE_BF16,
	  PLAIN },
	{ "its weights gradient",
	  { { 32, 8, 8, 1536, 768, 3, 3, 8, 8, 1, 1, 1 }, DNN_BACKWARD_WEIGHTS, BF16, false, false, false },
	  DTYPE_BF16,
	  LOW_WEIGHTS },
	{ "the first's weights gradient",
	  { { 64, 32, 32, 3, 128, 3, 3, 32, 32, 1, 1, 1 }, DNN_BACKWARD_WEIGHTS, BF16, false, false, false },
	  DTYPE_BF16,
	  LOW_WEIGHTS },
	{ "floats",
	  { { 64, 32, 32, 256, 256, 3, 3, 32, 32, 1, 1, 1 }, DNN_FORWARD, F32, true, false, false },
	  DTYPE_FP32,
	  FUSED },
	{ "floats, data gradient",
	  { { 64, 32, 32, 256, 256, 3, 3, 32, 32, 1, 1, 1 }, DNN_BACKWARD_DATA, F32, false, false, false },
	  DTYPE_FP32,
	  PLAIN },
	{ "floats, weights gradient",
	  { { 64, 32, 32, 256, 256, 3, 3, 32, 32, 1, 1, 1 }, DNN_BACKWARD_WEIGHTS, F32, false, false, false },
	  DTYPE_FP32,
	  PLAIN },
	{ "TF32",
	  { { 64, 32, 32, 256, 256, 3, 3, 32, 32, 1, 1, 1 }, DNN_FORWARD, F32, true, false, false },
	  DTYPE_TF32,
	  FUSED },
};
enum { CASES = sizeof cases / sizeof *cases };

static int (*card)(int i), (*live)(void);
static long long (*memory)(int i);

static void open_library(void)
{
	void *h = dlopen(CUDNN_OFFLINE, RTLD_NOW | RTLD_LOCAL);
	cr_assert(h, "%s", dlerror());
	int (*open)(const char *) = (int (*)(const char *))dlsym(h, "cudnn_offline_open");
	card = (int (*)(int))dlsym(h, "cudnn_offline_card");
	live = (int (*)(void))dlsym(h, "cudnn_offline_live");
	memory = (long long (*)(int))dlsym(h, "cudnn_offline_memory");
	cr_assert(open && card && live && memory);
	if (open(CUDNN_LIBRARY))
		cr_skip_test("no " CUDNN_LIBRARY);
	if (card(0) < 0)
		cr_skip_test("this cuDNN plans for no described card");
	(void)setenv("ABLATE_CUDNN", CUDNN_OFFLINE, 1);
	cr_assert(dnn_there());
}

TestSuite(cudnn_plans, .init = open_library);

static void check_card(int capability, struct cuda *cu)
{
	for (int i = 0; i < CASES; i++) {
		cu->base.dtype = cases[i].dtype;
		struct dnn_plan *c = dnn_plan_of(cu, &cases[i].s, 1);
		cr_assert(!cu->failed[0], "%s", cu->failed);
		cr_expect(c, "sm_%d: no engine for %s", capability / 10, cases[i].what);
		if (!c)
			continue;
		cr_expect_eq(dnn_plan_fused(c), cases[i].wanted == FUSED, "sm_%d: %s", capability / 10, cases[i].what);
		cr_expect_eq(dnn_plan_bias(c), cases[i].wanted == FUSED ? cases[i].s.type : F32);
		cr_expect_eq(dnn_plan_dw(c), cases[i].wanted == LOW_WEIGHTS ? BF16 : F32, "sm_%d: %s", capability / 10,
		             cases[i].what);
		int before = live();
		cr_expect_eq(dnn_plan_of(cu, &cases[i].s, 1), c, "planned twice");
		cr_expect_eq(live(), before);
	}
}

Test(cudnn_plans, every_card_has_engines_for_what_training_and_scoring_ask)
{
	int capability;
	for (int i = 0; (capability = card(i)) != 0; i++) {
		struct cuda cu;
		memset(&cu, 0, sizeof cu);
		cr_assert_gt(capability, 0);
		cu.workspace_bytes = (size_t)320 << 20;
		check_card(capability, &cu);
		cr_expect_gt(live(), 0);
		dnn_close(&cu);
		cr_expect_eq(live(), 0, "sm_%d: %d descriptors are left", capability / 10, live());
	}
}

Test(cudnn_plans, what_no_engine_takes_is_no_failure_and_asked_once)
{
	struct cuda cu;
	memset(&cu, 0, sizeof cu);
	cu.base.dtype = DTYPE_BF16; /* and no workspace at all */
	struct cuda_conv_shape odd = {
		{ 2, 5, 5, 3, 7, 3, 3, 3, 3, 2, 1, 1 }, DNN_BACKWARD_WEIGHTS, BF16, false, false, false
	};
	odd.shape.h = 0;
	cr_expect_null(dnn_plan_of(&cu, &odd, DNN_MOST_ENGINES));
	int left = live();
	cr_expect_null(dnn_plan_of(&cu, &odd, DNN_MOST_ENGINES));
	cr_expect_eq(live(), left);
	cr_expect_eq(cu.failed[0], '\0', "%s", cu.failed);
	dnn_close(&cu);
	cr_expect_eq(live(), 0);
}

Test(cudnn_plans, engines_keep_within_the_workspace)
{
	static const size_t rooms[] = { 0, 1 << 20, 64 << 20, 320 << 20 };
	size_t largest[4] = { 0 };
	cr_assert_gt(card(3), 0);
	for (int r = 0; r < 4; r++) {
		struct cuda cu;
		memset(&cu, 0, sizeof cu);
		cu.workspace_bytes = rooms[r];
		for (int i = 0; i < CASES; i++) {
			cu.base.dtype = cases[i].dtype;
			struct dnn_plan *c = dnn_plan_of(&cu, &cases[i].s, 1);
			size_t wanted = c ? (size_t)dnn_plan_engine(c, 0)->workspace : 0;
			cr_expect(wanted <= rooms[r], "%s", cases[i].what);
			largest[r] = wanted > largest[r] ? wanted : largest[r];
		}
		dnn_close(&cu);
		cr_expect_eq(live(), 0);
	}
	cr_expect_gt(largest[3], largest[0], "nothing wants a workspace: the limit was not tested");
}

/* Each convolution of a step of ict-cifar10 at the paper's batch, at a small one and between them, with the workspace
 * that the back end has on such a card. What depends on the batch, the workspace above all, goes by unseen at another:
 * the last layer's engine wanted 259 MiB at batch 64 and none was left at 512. */
enum { MOST_CONVS = 256, H100 = 3 };

static struct cuda_conv_shape asked(const struct step_conv *s)
{
	return { s->shape, s->pass, s->low ? BF16 : F32, s->bias, s->relu, s->exact };
}

Test(cudnn_plans, training_has_engines_at_every_batch, .timeout = 120)
{
	static const int batches[] = { 8, 256, 1024 };
	static struct step_conv convs[MOST_CONVS];
	struct cuda cu;
	cr_assert_eq(card(H100), 900);
	for (int k = 0; k < 3; k++) {
		int n = convs_of_step(convs, MOST_CONVS, "ict-cifar10", batches[k]), own = 0;
		cr_assert(n > 20 && n < MOST_CONVS, "%d convolutions", n);
		memset(&cu, 0, sizeof cu);
		cu.base.dtype = DTYPE_BF16;
		cu.workspace_bytes = cuda_workspace((size_t)memory(H100));
		for (int i = 0; i < n; i++) {
			const struct cuda_conv_shape s = asked(&convs[i]);
			const struct dnn_shape *p = &s.shape;
			if (p->oc <= 4) { /* thin_conv.h's */
				own++;
				continue;
			}
			struct dnn_plan *c = dnn_plan_of(&cu, &s, 1);
			cr_assert(c, "batch %d: no engine for pass %d of %d to %d at %dx%d", batches[k], s.pass, (int)p->ic,
			          (int)p->oc, (int)p->h, (int)p->w);
			char engine[512];
			tune_text(engine, sizeof engine, dnn_plan_engine(c, 0));
			cr_log_info("batch %d, pass %d, %d to %d at %dx%d: %s", batches[k], s.pass, (int)p->ic, (int)p->oc,
			            (int)p->h, (int)p->w, engine);
			cr_expect_not(dnn_plan_engine(c, 0)->fallback, "batch %d, pass %d, %d to %d: %s", batches[k], s.pass,
			              (int)p->ic, (int)p->oc, engine);
			cr_expect_eq(dnn_plan_fused(c), s.bias || s.relu);
		}
		cr_expect_eq(own, 4, "passes of the last layer, with its change, which has no bias: %d", own);
		dnn_close(&cu);
		cr_expect_eq(live(), 0);
	}
}

/* A choice that was timed once is taken up again from a file: number and knobs have to make the same engine, also in a
 * plan that never had it among its candidates. */
Test(cudnn_plans, an_engine_is_built_again_from_its_number_and_knobs, .timeout = 120)
{
	int again = 0, knobs = 0;
	cr_assert_eq(card(H100), 900);
	for (int i = 0; i < CASES; i++) {
		struct cuda cu, other;
		memset(&cu, 0, sizeof cu);
		cu.base.dtype = cases[i].dtype;
		cu.workspace_bytes = (size_t)320 << 20;
		other = cu;
		struct dnn_plan *c = dnn_plan_of(&cu, &cases[i].s, DNN_MOST_ENGINES);
		cr_assert(c, "%s", cases[i].what);
		int n = dnn_plan_engines(c);
		cr_expect(n >= 1 && n <= DNN_MOST_ENGINES);
		for (int k = n - 1; k >= 0; k--, dnn_close(&other)) {
			struct tune_engine said = *dnn_plan_engine(c, k);
			said.us = 7;
			struct dnn_plan *d = dnn_plan_of(&other, &cases[i].s, 1);
			cr_assert(d && dnn_plan_keep(&other, d, &said), "%s: candidate %d", cases[i].what, k);
			const struct tune_engine *got = dnn_plan_engine(d, 0);
			cr_expect_eq(dnn_plan_engines(d), 1);
			cr_expect(same_engine(got, &said) && got->workspace == said.workspace && got->us == said.us, "%s",
			          cases[i].what);
			again += k > 0;
			knobs += said.n_knobs > 0;
		}
		struct tune_engine none = *dnn_plan_engine(c, 0);
		none.engine = 123456;
		int before = live();
		cr_expect_not(dnn_plan_keep(&cu, c, &none), "an engine that there is not");
		cr_expect(live() == before && dnn_plan_engines(c) == n);
		struct tune_engine last = *dnn_plan_engine(c, n - 1);
		cr_expect(dnn_plan_keep(&cu, c, &last) && dnn_plan_engines(c) == 1 &&
		          same_engine(dnn_plan_engine(c, 0), &last));
		dnn_close(&cu);
		cr_expect_eq(live(), 0, "%s: %d descriptors are left", cases[i].what, live());
	}
	cr_expect(again > 0 && knobs > 0, "no engine was built anew: nothing was tested");
}
