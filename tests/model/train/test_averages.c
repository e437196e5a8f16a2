/* test_averages.c - several averages out of one training: each has the bits that it has alone, on the CPU and on the
 * emulated device, in whole batches, in micro-batches and in bf16; checkpoints hold them by their decays, and what is
 * not there is said. */
#include "model/base/mem.h"
#include "model/config/config.h"
#include "model/config/net_spec.h"
#include "model/nets/net.h"
#include "model/train/ckpt.h"
#include "model/train/sample.h"
#include "model/train/train.h"
#include "tests/common/small_config.h"
#include "tests/common/tmpdir.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void choose_plugin(void)
{
	const char *real = getenv("ABLATE_TEST_PLUGIN"); /* on a machine with a GPU */
	cr_assert_eq(setenv("ABLATE_CUDA_PLUGIN", real ? real : CUDA_EMU, 1), 0);
}

TestSuite(averages, .init = choose_plugin);

static const double decays[] = { 0.99, 0.5, 0.9, 0.5 }; /* in no order, one of them twice */
enum { N_DECAYS = sizeof decays / sizeof *decays };

static struct run_config tiny(const char *decay, const char *const *settings)
{
	const char *const base[] = { "train.steps", "6",           "train.batch", "4",         "net.channels",
		                         "8",           "net.dropout", "0.2",         "ema.decay", decay,
		                         "teacher.ema", "0.7",         NULL };
	return small_config(base, settings);
}

static bool stop_at_four(void *ctx)
{
	return ++*(int *)ctx > 4;
}

struct way {
	const char *device;
	int microbatch;
	const char *const *settings;
};

/* Trains in a folder of the test's; dir is new where NULL. */
static struct train_result train(const struct run_config *c, const struct way *way, const double *ema, int n,
                                 const char *dir, bool stopped)
{
	struct train_result r;
	struct err e = ERR_INIT;
	int steps = 0;
	struct train_hooks hooks = { .ctx = &steps, .stop = stopped ? stop_at_four : NULL };
	struct train_options o = { .seed = 3,
		                       .dir = dir ? dir : tmpdir_keep(tempdir_make()),
		                       .threads = 2,
		                       .curve_every = 1,
		                       .device = way->device,
		                       .microbatch = way->microbatch,
		                       .ema = ema,
		                       .n_ema = n };
	cr_assert_eq(train_run(&r, c, &o, &hooks, &e), 0, "%s", e.msg);
	cr_assert_eq(r.end, stopped ? TRAIN_STOPPED : TRAIN_DONE);
	return r;
}

static float *part_of(const char *path, const struct run_config *c, enum ckpt_part part, double decay, size_t *bytes)
{
	struct net_spec net = net_spec_of(c);
	struct params *p = net_params(&net);
	struct err e = ERR_INIT;
	*bytes = params_floats(p) * sizeof(float);
	float *values = xaligned(*bytes);
	memset(values, 0, *bytes);
	cr_assert_eq(ckpt_load_part(values, p, part, decay, path, &e), 0, "%s", e.msg);
	params_free(p);
	return values;
}

static void expect_same_part(const char *a, const char *b, const struct run_config *c, enum ckpt_part part,
                             double decay)
{
	size_t n;
	SCOPED(free) float *x = part_of(a, c, part, decay, &n), *y = part_of(b, c, part, decay, &n);
	cr_expect(memcmp(x, y, n) == 0, "part %d with decay %g differs", (int)part, decay);
}

static void each_as_alone(const struct way *way)
{
	static const char *const texts[] = { "0.5", "0.9", "0.99" };
	const struct run_config c = tiny("0.9", way->settings);
	struct train_result several = train(&c, way, decays, N_DECAYS, NULL, false);
	for (int i = 0; i < 3; i++) {
		const struct run_config alone = tiny(texts[i], way->settings);
		struct train_result one = train(&alone, way, NULL, 0, NULL, false);
		expect_same_part(several.checkpoint, one.checkpoint, &alone, CKPT_EMA, alone.ema.decay);
		for (int part = 0; part < N_CKPT_PARTS; part++)
			if (part != CKPT_EMA)
				expect_same_part(several.checkpoint, one.checkpoint, &alone, (enum ckpt_part)part, 0);
	}
}

/* Steps take seconds on the emulated device; two are an average of an average. */
static const char *const few[] = { "train.steps", "2", NULL };
static const char *const few_bf16[] = { "train.steps", "2", "train.dtype", "bf16", NULL };

Test(averages, each_has_the_bits_that_it_has_alone)
{
	each_as_alone(&(struct way){ .device = "cpu" });
}

Test(averages, each_has_the_bits_that_it_has_alone_in_microbatches)
{
	each_as_alone(&(struct way){ .device = "cpu", .microbatch = 2 });
}

Test(averages, each_has_the_bits_that_it_has_alone_on_the_device)
{
	each_as_alone(&(struct way){ .device = "cuda", .microbatch = 2, .settings = few });
}

/* Weights have rounded copies beside them there, averages have none. */
Test(averages, each_has_the_bits_that_it_has_alone_on_the_device_in_bf16)
{
	each_as_alone(&(struct way){ .device = "cuda", .settings = few_bf16 });
}

/* Records compare the hashes of checkpoints: a file with one average is what it was before there were several. */
Test(averages, a_list_of_the_own_decay_alone_changes_no_byte)
{
	const struct way way = { .device = "cpu" };
	const struct run_config c = tiny("0.9", NULL);
	struct train_result a = train(&c, &way, NULL, 0, NULL, false), b = train(&c, &way, &c.ema.decay, 1, NULL, false);
	cr_expect_str_eq(a.checkpoint_sha256, b.checkpoint_sha256);
}

Test(averages, bytes_do_not_depend_on_the_order_of_the_list_or_on_a_stop)
{
	static const double sorted[] = { 0.5, 0.99 };
	const struct way way = { .device = "cpu" };
	const struct run_config c = tiny("0.9", NULL);
	char *dir = tmpdir_keep(tempdir_make());
	struct train_result a = train(&c, &way, decays, N_DECAYS, NULL, false), b = train(&c, &way, sorted, 2, NULL, false);
	cr_expect_str_eq(a.checkpoint_sha256, b.checkpoint_sha256);
	(void)train(&c, &way, decays, N_DECAYS, dir, true);
	struct train_result rest = train(&c, &way, sorted, 2, dir, false);
	cr_expect_eq(rest.resumed_from, 4);
	cr_expect_str_eq(a.checkpoint_sha256, rest.checkpoint_sha256);
}

/* What a cell began, another one of the same training may end: its file is as if it had trained alone. */
Test(averages, another_cell_of_the_training_continues_with_its_own)
{
	const struct way way = { .device = "cpu" };
	const struct run_config first = tiny("0.9", NULL);
	const struct run_config other = tiny("0.5", (const char *const[]){ "sample.sigma_mid", "0.5", NULL });
	char *dir = tmpdir_keep(tempdir_make());
	(void)train(&first, &way, decays, N_DECAYS, dir, true);
	struct train_result ended = train(&other, &way, NULL, 0, dir, false),
						alone = train(&other, &way, NULL, 0, NULL, false);
	cr_expect_eq(ended.resumed_from, 4);
	cr_expect_str_eq(ended.checkpoint_sha256, alone.checkpoint_sha256);
}

Test(averages, a_checkpoint_without_the_average_is_refused_with_what_it_has)
{
	const struct way way = { .device = "cpu" };
	const struct run_config c = tiny("0.9", NULL), other = tiny("0.25", NULL);
	char *dir = tmpdir_keep(tempdir_make());
	static const double wanted[] = { 0.9, 0.75 };
	struct train_result r;
	struct sampler *s;
	struct err e = ERR_INIT;
	(void)train(&c, &way, decays, N_DECAYS, dir, true);
	cr_expect_eq(
		train_run(&r, &c, &(struct train_options){ .seed = 3, .dir = dir, .ema = wanted, .n_ema = 2 }, NULL, &e), -1);
	cr_expect_eq(e.code, EXIT_RECORD);
	cr_expect(strstr(e.msg, "has no average with ema.decay = 0.75; it has 0.9, 0.5 and 0.99"), "%s", e.msg);
	e = (struct err)ERR_INIT;
	cr_expect_eq(sampler_open(&s, &other, FMT("%s/step-00000004.ckpt", dir), "cpu", &e), -1);
	cr_expect(strstr(e.msg, "has no average with ema.decay = 0.25; it has 0.9, 0.5 and 0.99"), "%s", e.msg);
}

static void draw(uint8_t px[256], const struct run_config *c, const char *path)
{
	struct sampler *s;
	struct err e = ERR_INIT;
	cr_assert_eq(sampler_open(&s, c, path, "cpu", &e), 0, "%s", e.msg);
	cr_assert_eq(sampler_run(s, px, 0, 4, 9, 1, NULL, &e), 0, "%s", e.msg);
	sampler_free(s);
}

Test(averages, the_sampler_takes_the_one_of_its_config)
{
	const struct way way = { .device = "cpu" };
	const struct run_config c = tiny("0.9", NULL), other = tiny("0.99", NULL);
	struct train_result several = train(&c, &way, decays, N_DECAYS, NULL, false),
						alone = train(&other, &way, NULL, 0, NULL, false);
	uint8_t want[256], got[256], own[256];
	draw(want, &other, alone.checkpoint);
	draw(got, &other, several.checkpoint);
	draw(own, &c, several.checkpoint);
	cr_expect_arr_eq(got, want, sizeof want);
	cr_expect_neq(memcmp(own, want, sizeof want), 0, "two decays that draw alike prove nothing");
}

Test(averages, a_file_says_which_it_has)
{
	const struct way way = { .device = "cpu" };
	const struct run_config c = tiny("0.9", NULL);
	struct train_result one = train(&c, &way, NULL, 0, NULL, false),
						several = train(&c, &way, decays, N_DECAYS, NULL, false);
	SCOPED(free) double *v = NULL, *own = NULL;
	struct err e = ERR_INIT;
	int n = 0;
	bool has = false;
	cr_assert_eq(ckpt_decays(&own, &n, one.checkpoint, &e), 0, "%s", e.msg);
	cr_assert_eq(n, 1);
	cr_expect(own[0] >= 0.9 && own[0] <= 0.9);
	cr_assert_eq(ckpt_decays(&v, &n, several.checkpoint, &e), 0, "%s", e.msg);
	cr_assert_eq(n, 3);
	static const double sorted[] = { 0.5, 0.9, 0.99 };
	cr_expect_arr_eq(v, sorted, sizeof sorted);
	cr_assert(ckpt_has_decays(&has, several.checkpoint, decays, N_DECAYS, &e) == 0 && has);
	cr_assert(ckpt_has_decays(&has, one.checkpoint, decays, N_DECAYS, &e) == 0 && !has);
	cr_assert(ckpt_has_decays(&has, one.checkpoint, NULL, 0, &e) == 0 && has);
	cr_expect_eq(ckpt_decays(&own, &n, TMP("none.ckpt"), &e), -1);
}
