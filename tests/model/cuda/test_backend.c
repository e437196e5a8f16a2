/* test_backend.c - the CUDA back end against the CPU's, under emulation (the same .cu files, compiled for the host):
 * names and what is missing, the batch, the update. What only a GPU can show (its numerics, speed) is not shown
 * here. */
#include "model/cpu/devices.h"
#include "model/cpu/winograd.h"
#include "model/base/rng.h"
#include "model/config/config.h"
#include "model/graph/optim.h"

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

static struct backend *open_device(const char *name, int dtype)
{
	struct backend *b;
	struct err e = ERR_INIT;
	cr_assert_eq(backend_open(&b, name, dtype, &e), 0, "%s", e.msg);
	return b;
}

static void expect_refused(const char *device, int dtype, int code, const char *part)
{
	struct backend *b;
	struct err e = ERR_INIT;
	cr_assert_eq(backend_open(&b, device, dtype, &e), -1, "%s", device);
	cr_expect_eq(err_exit_code(&e), code, "%s: %d", e.msg, err_exit_code(&e));
	cr_expect(strstr(e.msg, part), "'%s' in: %s", part, e.msg);
}

TestSuite(backend, .init = choose_plugin);

/* ---- names, versions, what is missing -------------------------------------------------------- */

Test(backend, names_say_what_is_wrong_with_them)
{
	expect_refused("gpu", DTYPE_FP32, EXIT_USAGE, "not auto, cpu or cuda[:N]");
	expect_refused("cuda:x", DTYPE_FP32, EXIT_USAGE, "not auto, cpu or cuda[:N]");
	expect_refused("cuda:77", DTYPE_FP32, EXIT_USAGE, real() ? "CUDA device" : "there is 1 CUDA device");
	expect_refused("cpu", DTYPE_TF32, EXIT_USAGE, "no CPU has it");
	if (winograd_has_bf16())
		cr_expect_eq(open_device("cpu", DTYPE_BF16), backend_cpu_bf16());
	else
		expect_refused("cpu", DTYPE_BF16, EXIT_USAGE, "no products of bf16");
	cr_expect_str_eq(open_device("auto", DTYPE_FP32)->name, "cuda:0");
	cr_expect_str_eq(open_device("cuda", DTYPE_FP32)->name, "cuda:0");
}

Test(backend, what_is_missing_is_told)
{
	char name[32];
	struct err e = ERR_INIT;
	cr_assert_eq(setenv("ABLATE_CUDA_PLUGIN", "/nonexistent/libablate_cuda.so", 1), 0);
	expect_refused("cuda", DTYPE_FP32, EXIT_USAGE, "/nonexistent/libablate_cuda.so");
	cr_assert_eq(backend_name(name, "auto", &e), 0);
	cr_expect_str_eq(name, "cpu", "auto needs no plugin");
}

Test(backend, no_device_and_an_old_driver_are_told)
{
	if (real())
		cr_skip_test("the emulated device is told to fail");
	cr_assert_eq(setenv("ABLATE_EMU_DEVICES", "0", 1), 0);
	expect_refused("cuda", DTYPE_FP32, EXIT_USAGE, "no CUDA device");
	cr_assert_eq(setenv("ABLATE_EMU_DRIVER", "12040", 1), 0);
	expect_refused("cuda", DTYPE_FP32, EXIT_USAGE, "has CUDA 12.4, the plugin needs 13.0");
	cr_assert_eq(setenv("ABLATE_EMU_DRIVER", "0", 1), 0);
	expect_refused("cuda", DTYPE_FP32, EXIT_USAGE,
	               "no NVIDIA driver on this machine (libcuda.so.1): install one that has CUDA 13.0");
}

/* What a machine with eight cards says before its switch is up, and any machine between an update of its driver and the
 * reboot. */
Test(backend, a_driver_that_is_not_ready_is_told_with_what_to_do)
{
	if (real())
		cr_skip_test("the emulated device is told to fail");
	cr_assert_eq(setenv("ABLATE_EMU_LOST_AT", "1", 1), 0);
	cr_assert_eq(setenv("ABLATE_EMU_LOST_WITH", "802", 1), 0);
	expect_refused("cuda", DTYPE_FP32, EXIT_USAGE, "system not yet initialized; start NVIDIA's fabric manager");
}

/* A plugin that was built for other cards finds that out at its first kernel, in the middle of a cell, if it does not
 * ask before. */
Test(backend, a_card_without_code_for_it_is_told)
{
	if (real())
		cr_skip_test("the emulated device is told to fail");
	cr_assert_eq(setenv("ABLATE_EMU_NO_IMAGE", "1", 1), 0);
	expect_refused("cuda", DTYPE_FP32, EXIT_USAGE,
	               "cuda:0: the plugin holds no code for emulated device (host) (compute capability 9.0), only for the "
	               "host: build it with -DABLATE_CUDA_ARCHITECTURES=90-real");
}

Test(backend, plugin_of_another_build_is_refused)
{
	if (real())
		cr_skip_test("the other plugin is left where it was built");
	cr_assert_eq(setenv("ABLATE_CUDA_PLUGIN", STRANGE_PLUGIN, 1), 0);
	expect_refused("cuda", DTYPE_FP32, EXIT_USAGE, "built from other sources");
}

/* Cards of one kind differ in nothing else, and a record that cannot tell them apart cannot name the one that errs. */
Test(backend, a_card_is_told_from_another_of_its_kind)
{
	struct backend_facts f;
	if (real())
		cr_skip_test("the emulated device's numbers are known");
	cr_assert_eq(setenv("ABLATE_EMU_DEVICES", "2", 1), 0);
	struct backend *b = open_device("cuda:1", DTYPE_FP32);
	b->ops->facts(b, &f);
	cr_expect_str_eq(f.uuid, "GPU-00112233-4455-6677-8899-aabbccddeef1");
	cr_expect_str_eq(f.bus, "0000:02:00.0");
	backend_free(b);
}

/* ---- around the graph ------------------------------------------------------------------------ */

enum { BATCH = 5, H = 6, W = 5, C = 3, CLASSES = 4, IMAGES = 9, PER = H * W * C };

struct made {
	float x0[BATCH * PER], z[BATCH * PER], labels[BATCH * CLASSES];
};

static void *on(struct backend *b, const void *src, size_t bytes)
{
	struct err e = ERR_INIT;
	void *p = b->ops->memory.alloc(b, bytes, &e);
	cr_assert(p, "%s", e.msg);
	if (src)
		b->ops->memory.upload(b, p, src, bytes);
	return p;
}

static void make_batch(struct made *out, struct backend *b)
{
	uint8_t images[IMAGES * PER];
	struct sample_draw draws[BATCH];
	struct step_control control = { .scalars = { 0x123456789abcULL, 77 } };
	struct err e = ERR_INIT;
	for (int i = 0; i < IMAGES * PER; i++)
		images[i] = (uint8_t)(i * 37 + i / 11);
	for (int i = 0; i < BATCH; i++)
		draws[i] = (struct sample_draw){ (i * 4) % IMAGES, i % 2, i % CLASSES };
	struct batch_job j = { .control = on(b, &control, sizeof control),
		                   .draws = on(b, draws, sizeof draws),
		                   .images = on(b, images, sizeof images),
		                   .batch = BATCH,
		                   .h = H,
		                   .w = W,
		                   .c = C,
		                   .classes = CLASSES,
		                   .x0 = on(b, NULL, sizeof out->x0),
		                   .z = on(b, NULL, sizeof out->z),
		                   .labels = on(b, NULL, sizeof out->labels) };
	b->ops->training.batch(b, &j);
	b->ops->memory.download(b, out->x0, j.x0, sizeof out->x0);
	b->ops->memory.download(b, out->z, j.z, sizeof out->z);
	b->ops->memory.download(b, out->labels, j.labels, sizeof out->labels);
	cr_assert_eq(backend_check(b, &e), 0, "%s", e.msg);
}

Test(backend, batches_are_equal)
{
	struct made want, got;
	make_batch(&want, backend_cpu());
	make_batch(&got, open_device("cuda", DTYPE_FP32));
	cr_expect_arr_eq(got.x0, want.x0, sizeof want.x0);
	cr_expect_arr_eq(got.labels, want.labels, sizeof want.labels);
	for (int i = 0; i < BATCH * PER; i++)
		cr_assert(fabsf(got.z[i] - want.z[i]) <= 2e-6f, "noise %d: %g, not %g", i, (double)got.z[i], (double)want.z[i]);
}

enum { N = 1037, STORES = 6 };

/* Three updates; the loss of the second is `second`. */
static struct step_status update(float out[STORES][N], struct backend *b, enum optim_kind kind, float second)
{
	float *store[STORES];
	struct step_status status = { 0 }, *status_on = on(b, &status, sizeof status);
	for (int s = 0; s < STORES; s++) { /* p, g, m, v, ema, teacher */
		float values[N];
		rng_normal(values, N, 5, RNG_SYNTHETIC, (uint32_t)s, 0);
		for (int i = 0; s == 3 && i < N; i++)
			values[i] *= values[i];
		store[s] = on(b, values, sizeof values);
	}
	for (int k = 0; k < 3; k++) {
		struct optim o = { kind, 1e-2, 0.9, 0.999, 1e-8, 0.01 };
		struct step_control control = { .optim = optim_step_at(&o, 4 + k),
			                            .ema = average_of(0.99),
			                            .teacher = average_of(0.5) };
		float loss = k == 1 ? second : 1.5f;
		struct update_job j = { .control = on(b, &control, sizeof control),
			                    .status = status_on,
			                    .grad = store[1],
			                    .p = store[0],
			                    .m = store[2],
			                    .v = store[3],
			                    .ema = store[4],
			                    .teacher = store[5],
			                    .n = N };
		b->ops->training.settle(b, status_on, on(b, &loss, sizeof loss));
		b->ops->training.update(b, &j);
	}
	for (int s = 0; s < STORES; s++)
		b->ops->memory.download(b, out[s], store[s], N * sizeof(float));
	b->ops->memory.download(b, &status, status_on, sizeof status);
	return status;
}

/* What products read in bf16 must be what they would make of p themselves, to the bit: of p and teacher after the
 * update's own rounding, in its wide form and in that for stores that are not aligned. */
Test(backend, an_update_rounds_what_it_writes)
{
	struct backend *b = open_device("cuda", DTYPE_BF16);
	struct step_status status = { 0 };
	struct optim o = { OPTIM_ADAM, 1e-2, 0.9, 0.999, 1e-8, 0 };
	struct step_control control = { .optim = optim_step_at(&o, 1), .teacher = average_of(0.5) };
	for (int skip = 0; skip < 2; skip++) {
		float *store[STORES], values[N];
		uint16_t got[2][N], want[2][N];
		for (int s = 0; s < STORES; s++) {
			rng_normal(values, N, 5, RNG_SYNTHETIC, (uint32_t)s, 0);
			store[s] = on(b, values, sizeof values);
		}
		uint16_t *low[2] = { on(b, want[0], sizeof want[0]), on(b, want[1], sizeof want[1]) };
		struct update_job j = { .control = on(b, &control, sizeof control),
			                    .status = on(b, &status, sizeof status),
			                    .grad = store[1] + skip,
			                    .p = store[0] + skip,
			                    .m = store[2] + skip,
			                    .v = store[3] + skip,
			                    .teacher = store[5] + skip,
			                    .low = low[0] + skip,
			                    .low_teacher = low[1] + skip,
			                    .n = N - 1 };
		b->ops->training.update(b, &j);
		for (int k = 0; k < 2; k++) {
			b->ops->memory.download(b, got[k], low[k], sizeof got[k]);
			b->ops->training.round(b, low[k], store[k ? 5 : 0], N);
			b->ops->memory.download(b, want[k], low[k], sizeof want[k]);
			cr_expect_arr_eq(got[k] + skip, want[k] + skip, (N - 1) * sizeof **got, "store %d, from %d", k, skip);
		}
	}
}

static void expect_same_update(enum optim_kind kind, float second)
{
	static float want[STORES][N], got[STORES][N];
	struct step_status a = update(want, backend_cpu(), kind, second),
					   b = update(got, open_device("cuda", DTYPE_FP32), kind, second);
	for (int s = 0; s < STORES; s++)
		for (int i = 0; i < N; i++)
			cr_assert(fabsf(got[s][i] - want[s][i]) <= 1e-6f * (1 + fabsf(want[s][i])), "store %d, %d: %g, not %g", s,
			          i, (double)got[s][i], (double)want[s][i]);
	cr_expect_eq(a.done, b.done);
	cr_expect_eq(a.loss_steps, b.loss_steps);
	cr_expect_eq(a.diverged, b.diverged);
	cr_expect(a.loss_sum == b.loss_sum);
	cr_expect_eq(b.done, isfinite(second) ? 3 : 1);
}

Test(backend, updates_are_equal)
{
	expect_same_update(OPTIM_ADAM, 2);
	expect_same_update(OPTIM_RADAM, 2);
}

Test(backend, nothing_is_updated_from_the_first_loss_on_that_is_not_finite)
{
	expect_same_update(OPTIM_RADAM, NAN);
	expect_same_update(OPTIM_ADAM, INFINITY);
}
