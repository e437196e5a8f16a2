/* test_cuda_train.c - training and sampling on the CUDA back end against the CPU's, under emulation: whole steps with
 * their losses, recorded and replayed, stopped and resumed, short of memory, with a device that is lost. */
#include "model/base/mem.h"
#include "model/config/config.h"
#include "model/train/sample.h"
#include "model/train/train.h"
#include "tests/common/small_config.h"
#include "tests/common/tempdir.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ABLATE_TEST_PLUGIN: the real plugin, on a machine with a GPU. */
static bool real(void)
{
	return getenv("ABLATE_TEST_PLUGIN");
}

static void choose_plugin(void)
{
	cr_assert_eq(setenv("ABLATE_CUDA_PLUGIN", real() ? getenv("ABLATE_TEST_PLUGIN") : CUDA_EMU, 1), 0);
}

TestSuite(cuda_train, .init = choose_plugin);

/* ---- training -------------------------------------------------------------------------------- */

enum { MAX_STEPS = 20 };

/* A device that is one takes 20 steps; fibers take their time. */
static int steps(void)
{
	return real() ? MAX_STEPS : 8;
}

struct losses {
	double value[MAX_STEPS + 1];
	int asked, stop_after;
};

static void keep(void *ctx, const char *name, int64_t step, double value)
{
	if (strcmp(name, "loss") == 0)
		((struct losses *)ctx)->value[step] = value;
}

static bool stop(void *ctx)
{
	struct losses *l = ctx;
	return l->asked++ == l->stop_after;
}

static struct run_config tiny(const char *const *settings)
{
	const char *const base[] = { "train.steps", real() ? "20" : "8", "train.batch", "4", "net.channels",
		                         "8",           "net.dropout",       "0.2",         NULL };
	return small_config(base, settings);
}

static int train(struct train_result *r, struct losses *l, const struct run_config *c, const char *device,
                 const char *dir, struct err *e)
{
	struct train_hooks hooks = { .ctx = l, .curve = keep, .stop = stop };
	struct train_options o = { .seed = 3, .dir = dir, .threads = 2, .curve_every = 1, .device = device };
	return train_run(r, c, &o, &hooks, e);
}

/* How far a loss in float may be from the CPU's: that data, noise, masks and averages are the same shows in the first
 * digits. Over 20 steps rounding made 1.4e-6 of it at most, by the libraries' twins and by own kernels; whether it is
 * rounding at all is what train_steps judges, against double. */
#define FP32_TOL 2e-5

#define SCT \
	"method.kind", "sct", "precond.kind", "trigflow", "precond.time_scale", "1", "loss.kind", "l2", "loss.reduce", \
		"mean", "weight.kind", "learned", "tangent.warmup", "4"
/* At more it diverges within these steps, which sCT (arXiv:2410.11081, section 4) is made to cure. */
#define CT_CONTINUOUS \
	"method.kind", "ct-continuous", "loss.kind", "l2", "loss.reduce", "mean", "optim.lr", "1e-4", "net.fourier_scale", \
		"0.02"
#define MEANFLOW \
	"method.kind", "meanflow", "precond.kind", "flow", "precond.time_scale", "1", "loss.kind", "l2", "weight.kind", \
		"adaptive"

/* dtype: of the device; the CPU trains in fp32. */
static void expect_same_training_as(const char *dtype, const char *const *settings, double tol)
{
	struct run_config c = tiny(settings), low = c;
	struct losses want = { .stop_after = -1 }, got = want;
	struct train_result r;
	struct err e = ERR_INIT;
	char *a = tempdir_make(), *b = tempdir_make();
	cr_assert_eq(train(&r, &want, &c, "cpu", a, &e), 0, "%s", e.msg);
	cr_assert_eq(config_set_text(&low, "train.dtype", dtype, &e), 0, "%s", e.msg);
	cr_assert_eq(train(&r, &got, &low, "cuda", b, &e), 0, "%s", e.msg);
	cr_expect_eq(r.step, steps());
	for (int k = 1; k <= steps(); k++)
		cr_assert(fabs(got.value[k] - want.value[k]) <= tol * fabs(want.value[k]), "step %d: loss %.9g, the CPU's %.9g",
		          k, got.value[k], want.value[k]);
	tempdir_remove(a);
	tempdir_remove(b);
}

static void expect_same_training(const char *const *settings, double tol)
{
	expect_same_training_as("fp32", settings, tol);
}

/* A low precision's teacher is the student plus a change; the emulated device is told to round nothing to tf32, so only
 * that differs. */
Test(cuda_train, teacher_by_its_change_trains_as_one_apart)
{
	cr_assert_eq(setenv("ABLATE_EMU_EXACT", "1", 1), 0);
	double tol = real() ? 2e-2 : 5e-5;
	expect_same_training_as("tf32", (const char *[]){ "net.attn", "[4]", NULL }, tol);
	expect_same_training_as(
		"tf32", (const char *[]){ "teacher.ema", "0.9", "net.attn", "[8]", "net.kind", "ncsnpp", NULL }, tol);
	expect_same_training_as("tf32", (const char *[]){ "teacher.shared_dropout", "false", NULL }, tol);
}

Test(cuda_train, bf16_stays_near_fp32)
{
	expect_same_training_as("bf16", (const char *[]){ "net.attn", "[4]", NULL }, 2e-2);
	expect_same_training_as("bf16", (const char *[]){ "method.kind", "tcm", "tcm.first", "0.4", NULL }, 2e-2);
	expect_same_training_as("bf16", (const char *[]){ "coupling.generator_share", "0.5", "coupling.ema", "0.9", NULL },
	                        2e-2);
	expect_same_training_as("bf16", (const char *[]){ "target.references", "300", NULL }, 2e-2);
}

Test(cuda_train, training_is_the_same_as_on_the_cpu)
{
	expect_same_training(NULL, FP32_TOL);
	expect_same_training((const char *[]){ "teacher.ema", "0.9", "optim.kind", "adam", "loss.kind", "l2", NULL },
	                     FP32_TOL);
	expect_same_training((const char *[]){ "net.attn", "[4]", "net.kind", "ncsnpp", NULL }, FP32_TOL);
	expect_same_training((const char *[]){ "method.kind", "tcm", "tcm.first", "0.4", NULL }, FP32_TOL);
	expect_same_training((const char *[]){ SCT, "net.attn", "[4]", "net.patch", "2", NULL }, FP32_TOL);
	expect_same_training((const char *[]){ CT_CONTINUOUS, "net.attn", "[4]", NULL }, FP32_TOL);
	expect_same_training((const char *[]){ "coupling.generator_share", "0.5", "coupling.ema", "0.9", NULL }, FP32_TOL);
	expect_same_training((const char *[]){ "target.references", "300", "net.classes", "4", NULL }, FP32_TOL);
	expect_same_training((const char *[]){ MEANFLOW, "net.attn", "[4]", NULL }, FP32_TOL);
}

/* Where cuBLASLt and cuDNN are missing. */
Test(cuda_train, own_products_and_convolutions_train_as_the_cpu_does)
{
	cr_assert_eq(setenv("ABLATE_CUBLASLT", "none", 1), 0);
	cr_assert_eq(setenv("ABLATE_CUDNN", "none", 1), 0);
	expect_same_training((const char *[]){ "net.attn", "[4]", "net.kind", "ncsnpp", NULL }, FP32_TOL);
	expect_same_training_as("bf16", (const char *[]){ "net.attn", "[4]", NULL }, 2e-2);
	expect_same_training_as("tf32", (const char *[]){ "net.attn", "[4]", NULL }, 5e-3);
}

/* Where nobody asks for a loss before the end, steps are enqueued while earlier ones have not read what they were
 * given: neither may that be written over, nor may the host run further ahead than it can stop. */
Test(cuda_train, steps_that_nobody_waits_for_end_in_the_same_bits)
{
	struct run_config c = tiny(NULL);
	struct losses l = { .stop_after = -1 };
	struct train_result want, got;
	struct err e = ERR_INIT;
	char *a = tempdir_make(), *b = tempdir_make();
	struct train_options o = { .seed = 3, .dir = b, .threads = 2, .curve_every = 1000, .device = "cuda" };
	cr_assert_eq(train(&want, &l, &c, "cuda", a, &e), 0, "%s", e.msg);
	cr_assert_eq(setenv("ABLATE_EMU_AHEAD", "4", 1), 0);
	cr_assert_eq(train_run(&got, &c, &o, NULL, &e), 0, "%s", e.msg);
	cr_expect_eq(got.final_loss, want.final_loss);
	tempdir_remove(a);
	tempdir_remove(b);
}

Test(cuda_train, training_stopped_and_resumed_ends_in_the_same_bits)
{
	struct run_config c = tiny(NULL);
	struct losses l = { .stop_after = -1 };
	struct train_result whole, part, rest;
	struct err e = ERR_INIT;
	char *a = tempdir_make(), *b = tempdir_make();
	cr_assert_eq(train(&whole, &l, &c, "cuda", a, &e), 0, "%s", e.msg);
	l = (struct losses){ .stop_after = 5 };
	cr_assert_eq(train(&part, &l, &c, "cuda", b, &e), 0, "%s", e.msg);
	cr_expect_eq(part.end, TRAIN_STOPPED);
	cr_expect_eq(part.step, 5);
	l = (struct losses){ .stop_after = -1 };
	cr_assert_eq(train(&rest, &l, &c, "cuda", b, &e), 0, "%s", e.msg);
	cr_expect_eq(rest.resumed_from, 5);
	cr_expect_str_eq(whole.checkpoint_sha256, rest.checkpoint_sha256);
	tempdir_remove(a);
	tempdir_remove(b);
}

Test(cuda_train, two_runs_end_in_the_same_bits)
{
	struct run_config c = tiny((const char *[]){ "train.dtype", "bf16", "net.attn", "[4]", NULL });
	struct losses l[2] = { { .stop_after = -1 }, { .stop_after = -1 } };
	struct train_result r[2];
	struct err e = ERR_INIT;
	for (int i = 0; i < 2; i++) {
		char *dir = tempdir_make();
		cr_assert_eq(train(&r[i], &l[i], &c, "cuda", dir, &e), 0, "%s", e.msg);
		tempdir_remove(dir);
	}
	cr_expect_str_eq(r[0].checkpoint_sha256, r[1].checkpoint_sha256);
	for (int k = 1; k <= steps(); k++)
		cr_expect_eq(l[0].value[k], l[1].value[k], "step %d", k);
}

Test(cuda_train, out_of_memory_names_the_micro_batch_that_would_fit)
{
	if (real())
		cr_skip_test("the emulated device is told to fail");
	struct run_config c = tiny((const char *[]){ "train.batch", "512", NULL });
	struct losses l = { .stop_after = -1 };
	struct train_result r;
	struct err e = ERR_INIT;
	char *dir = tempdir_make();
	cr_assert_eq(setenv("ABLATE_EMU_MEMORY", "90000000", 1), 0);
	cr_assert_eq(train(&r, &l, &c, "cuda", dir, &e), -1);
	const char *fits = strstr(e.msg, "--microbatch ");
	cr_assert(fits && strstr(e.msg, "would fit") && strstr(e.msg, "512 samples at once"), "%s", e.msg);
	int micro = (int)strtol(fits + strlen("--microbatch "), NULL, 10);
	cr_assert(micro >= 8 && micro < 512, "%s", e.msg);
	c.train.steps = 1;
	struct train_options o = { .seed = 3, .dir = dir, .threads = 2, .device = "cuda", .microbatch = micro };
	cr_expect_eq(train_run(&r, &c, &o, NULL, &e), 0, "%s", e.msg);
	o.microbatch = 2 * micro; /* no more than would fit was named, and no less */
	cr_expect_eq(train_run(&r, &c, &o, NULL, &e), -1);
	tempdir_remove(dir);
}

Test(cuda_train, lost_device_ends_the_run_with_a_reason)
{
	if (real())
		cr_skip_test("the emulated device is told to fail");
	struct run_config c = tiny(NULL);
	struct losses l = { .stop_after = 5 };
	struct train_result r;
	struct err e = ERR_INIT;
	char *dir = tempdir_make();
	cr_assert_eq(train(&r, &l, &c, "cuda", dir, &e), 0, "%s", e.msg);
	cr_assert_eq(setenv("ABLATE_EMU_FAIL_AT", "1", 1), 0);
	l = (struct losses){ .stop_after = -1 };
	cr_assert_eq(train(&r, &l, &c, "cuda", dir, &e), -1);
	cr_expect(strstr(e.msg, "cuda:0") && strstr(e.msg, "launch failure"), "%s", e.msg);
	tempdir_remove(dir);
}

/* ---- sampling -------------------------------------------------------------------------------- */

Test(cuda_train, samples_are_the_same_as_on_the_cpu)
{
	enum { IMAGES_MADE = 6, BYTES = IMAGES_MADE * 8 * 8 }; /* of shapes8, which is gray */
	struct run_config c = tiny(NULL);
	struct losses l = { .stop_after = -1 };
	struct train_result r;
	struct err e = ERR_INIT;
	char *dir = tempdir_make();
	uint8_t want[BYTES], got[BYTES];
	cr_assert_eq(train(&r, &l, &c, "cpu", dir, &e), 0, "%s", e.msg);
	for (int on_cuda = 0; on_cuda < 2; on_cuda++) {
		struct sampler *s;
		cr_assert_eq(sampler_open(&s, &c, r.checkpoint, on_cuda ? "cuda" : "cpu", &e), 0, "%s", e.msg);
		cr_assert_eq(sampler_run(s, on_cuda ? got : want, 0, IMAGES_MADE, 9, 2, NULL, &e), 0, "%s", e.msg);
		sampler_free(s);
	}
	int apart = 0;
	for (size_t i = 0; i < sizeof want; i++) { /* a value on the edge between two bytes may fall to either side */
		int d = abs(want[i] - got[i]);
		cr_assert(d <= 1, "value %zu: %d, the CPU's %d", i, got[i], want[i]);
		apart += d;
	}
	cr_expect_leq(apart, 6);
	tempdir_remove(dir);
}
