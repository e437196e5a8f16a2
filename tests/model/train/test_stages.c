/* test_stages.c - a truncated training (TCM) goes from its first stage to its second: the first is ECT to the bit, its
 * average is where the second begins and its frozen network to the end, and the optimizer begins anew. On the CPU and
 * on the CUDA back end under emulation. */
#include "model/base/mem.h"
#include "model/config/net_spec.h"
#include "model/train/ckpt.h"
#include "model/train/train.h"
#include "tests/common/small_config.h"
#include "tests/common/tempdir.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST = 3, STEPS = 6, N_DEVICES = 2 };
static const char *const devices[N_DEVICES] = { "cpu", "cuda" };

static void choose_plugin(void)
{
	cr_assert_eq(setenv("ABLATE_CUDA_PLUGIN", CUDA_EMU, 1), 0);
}

TestSuite(stages, .init = choose_plugin);

static struct run_config settings(const char *const *more)
{
	static const char *const base[] = { "method.kind", "tcm",  "train.steps",  "6",    "tcm.first", "0.5",
		                                "train.batch", "8",    "net.channels", "8",    "tcm.ema",   "0.7",
		                                "net.dropout", "0.3",  "optim.kind",   "adam", "tcm.lr",    "0.002",
		                                "noise.mean",  "-0.5", "ect.q",        "4",    NULL };
	return small_config(base, more);
}

static bool stop(void *ctx)
{
	return (*(int *)ctx)-- == 0;
}

/* Trains until `steps` are done in all. */
static struct train_result train_to(const struct run_config *c, const char *device, int steps, int from,
                                    const char *dir)
{
	int left = steps - from;
	struct train_hooks hooks = { .ctx = &left, .stop = stop };
	struct train_options o = { .seed = 3, .dir = dir, .threads = 1, .device = device };
	struct train_result r;
	struct err e = ERR_INIT;
	cr_assert_eq(train_run(&r, c, &o, &hooks, &e), 0, "%s", e.msg);
	cr_assert_eq(r.step, steps);
	return r;
}

/* A part of a checkpoint; heap. */
static float *part(const struct run_config *c, const char *path, enum ckpt_part which, size_t *n)
{
	struct net_spec net = net_spec_of(c);
	struct params *p = net_params(&net);
	struct err e = ERR_INIT;
	*n = params_floats(p);
	float *v = xcalloc(*n, sizeof *v); /* between parameters there is room that nothing fills */
	cr_assert_eq(ckpt_load_part(v, p, which, c->ema.decay, path, &e), 0, "%s", e.msg);
	params_free(p);
	return v;
}

static void expect_equal(const struct run_config *a, const char *path, enum ckpt_part part_a,
                         const struct run_config *b, const char *other, enum ckpt_part part_b, const char *what)
{
	size_t n, m;
	SCOPED(free) float *x = part(a, path, part_a, &n);
	SCOPED(free) float *y = part(b, other, part_b, &m);
	cr_assert_eq(n, m);
	cr_expect_eq(memcmp(x, y, n * sizeof *x), 0, "%s", what);
}

Test(stages, the_first_is_ect_and_its_average_is_kept)
{
	struct run_config c = settings(NULL),
					  ect = settings((const char *[]){ "method.kind", "ect", "ema.decay", "0.7", NULL });
	for (int d = 0; d < N_DEVICES; d++) {
		char *dir = tempdir_make(), *alone = tempdir_make();
		struct train_result first = train_to(&c, devices[d], FIRST, 0, dir),
							plain = train_to(&ect, devices[d], FIRST, 0, alone);
		expect_equal(&c, first.checkpoint, CKPT_STUDENT, &ect, plain.checkpoint, CKPT_STUDENT, "the student of ECT");
		expect_equal(&c, first.checkpoint, CKPT_TEACHER, &ect, plain.checkpoint, CKPT_EMA, "its average");
		struct train_result last = train_to(&c, devices[d], STEPS, FIRST, dir);
		expect_equal(&c, first.checkpoint, CKPT_TEACHER, &c, last.checkpoint, CKPT_TEACHER, "the frozen network");
		tempdir_remove(dir);
		tempdir_remove(alone);
	}
}

/* Adam's first step changes each weight by the learning rate, whatever its gradient; no later step does. */
Test(stages, the_second_begins_at_the_average_with_a_new_optimizer)
{
	struct run_config c = settings(NULL);
	for (int d = 0; d < N_DEVICES; d++) {
		char *dir = tempdir_make();
		struct train_result r = train_to(&c, devices[d], FIRST + 1, 0, dir);
		size_t n, moved = 0, by_rate = 0;
		SCOPED(free) float *student = part(&c, r.checkpoint, CKPT_STUDENT, &n);
		SCOPED(free) float *frozen = part(&c, r.checkpoint, CKPT_TEACHER, &n);
		SCOPED(free) float *ema = part(&c, r.checkpoint, CKPT_EMA, &n);
		for (size_t i = 0; i < n; i++) {
			double change = fabs((double)student[i] - (double)frozen[i]);
			moved += change > 0;
			by_rate += fabs(change - 0.002) < 2e-5;
			cr_assert_float_eq(ema[i], (double)frozen[i] + (1 - c.ema.decay) * ((double)student[i] - (double)frozen[i]),
			                   1e-6);
		}
		cr_expect(moved > n / 2 && by_rate > moved * 9 / 10, "%zu of %zu moved, %zu by the rate", moved, n, by_rate);
		tempdir_remove(dir);
	}
}

/* A checkpoint is written in each stage and just between them; the bits are those of a training that is never
 * stopped. */
Test(stages, a_training_that_stops_in_either_goes_on_to_the_same_bits)
{
	struct run_config c = settings(NULL);
	for (int d = 0; d < N_DEVICES; d++) {
		char *dir = tempdir_make();
		char whole[SHA256_HEX];
		memcpy(whole, train_to(&c, devices[d], STEPS, 0, dir).checkpoint_sha256, sizeof whole);
		tempdir_remove(dir);
		for (int at = FIRST - 1; at <= FIRST + 1; at++) {
			dir = tempdir_make();
			(void)train_to(&c, devices[d], at, 0, dir);
			struct train_result r = train_to(&c, devices[d], STEPS, at, dir);
			cr_expect_eq(r.resumed_from, at);
			cr_expect_str_eq(r.checkpoint_sha256, whole, "%s, stopped at %d", devices[d], at);
			tempdir_remove(dir);
		}
	}
}
