/* test_train.c - training as a whole on generated data: it learns, the same cell gives the same bits, and a run that
 * was stopped or killed at any step and resumed ends in the bits of one that never stopped. */
#include "model/base/mem.h"
#include "model/base/rng.h"
#include "model/train/ckpt.h"
#include "model/data/dataset.h"
#include "model/train/sample.h"
#include "model/train/train.h"
#include "tests/common/tempdir.h"

#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct run_config tiny(const char *const *settings)
{
	struct run_config c;
	struct err e = ERR_INIT;
	config_defaults(&c);
	cr_assert_eq(config_preset(&c, "ict-shapes8-ci", &e), 0, "%s", e.msg);
	cr_assert_eq(config_set_text(&c, "train.steps", "24", &e), 0);
	cr_assert_eq(config_set_text(&c, "train.batch", "8", &e), 0);
	cr_assert_eq(config_set_text(&c, "net.channels", "8", &e), 0);
	cr_assert_eq(config_set_text(&c, "net.dropout", "0.2", &e), 0);
	for (; settings && settings[0]; settings += 2)
		cr_assert_eq(config_set_text(&c, settings[0], settings[1], &e), 0, "%s", e.msg);
	cr_assert_eq(config_finish(&c, &e), 0, "%s", e.msg);
	return c;
}

struct watch {
	int64_t stop_at, kill_at;
	double first_loss, last_loss;
	int warnings;
};

static void curve(void *ctx, const char *name, int64_t step, double value)
{
	struct watch *w = ctx;
	if (strcmp(name, "loss") != 0)
		return;
	if (isnan(w->first_loss))
		w->first_loss = value;
	w->last_loss = value;
	if (step == w->kill_at)
		(void)kill(getpid(), SIGKILL);
	if (step == w->stop_at)
		w->stop_at = -1;
}

static bool stop(void *ctx)
{
	return ((struct watch *)ctx)->stop_at < 0;
}

static void say(void *ctx, const char *line)
{
	(void)line;
	((struct watch *)ctx)->warnings++;
}

static struct train_result run(const struct run_config *c, const char *dir, struct watch *w, int every)
{
	struct train_result r;
	struct err e = ERR_INIT;
	struct train_hooks hooks = { .ctx = w, .curve = curve, .stop = stop, .say = say };
	struct train_options o = { .seed = 3, .dir = dir, .threads = 2, .curve_every = 1, .checkpoint_every = every };
	w->first_loss = NAN;
	cr_assert_eq(train_run(&r, c, &o, &hooks, &e), 0, "%s", e.msg);
	return r;
}

static struct watch watching(void)
{
	return (struct watch){ .stop_at = 1 << 30, .kill_at = 1 << 30 };
}

static void expect_same_bits(const char *const *settings)
{
	struct run_config c = tiny(settings);
	char *a = tempdir_make(), *b = tempdir_make();
	struct watch w = watching();
	struct train_result whole = run(&c, a, &w, 0), again = run(&c, b, &w, 0);
	cr_expect_str_eq(whole.checkpoint_sha256, again.checkpoint_sha256);
	tempdir_remove(b);

	b = tempdir_make();
	w = watching();
	w.stop_at = 7;
	struct train_result part = run(&c, b, &w, 0);
	cr_expect_eq(part.end, TRAIN_STOPPED);
	cr_expect_eq(part.step, 7);
	w = watching();
	struct train_result rest = run(&c, b, &w, 0);
	cr_expect_eq(rest.resumed_from, 7);
	cr_expect_eq(rest.end, TRAIN_DONE);
	cr_expect_str_eq(whole.checkpoint_sha256, rest.checkpoint_sha256);
	tempdir_remove(a);
	tempdir_remove(b);
}

struct points {
	double value[64];
	int asked, stop_after;
};

static void keep_point(void *ctx, const char *name, int64_t step, double value)
{
	if (strcmp(name, "loss") == 0)
		((struct points *)ctx)->value[step] = value;
}

static bool stop_after_some(void *ctx)
{
	struct points *p = ctx;
	return p->asked++ == p->stop_after;
}

/* A run that was stopped between two points of its curve told the mean over the steps since the resumption only. */
Test(train, curve_points_are_the_same_after_a_stop_between_them)
{
	struct run_config c = tiny(NULL);
	char *a = tempdir_make(), *b = tempdir_make();
	struct points whole = { .stop_after = -1 }, parts = { .stop_after = 7 };
	struct train_result r;
	struct err e = ERR_INIT;
	struct train_hooks hooks = { .ctx = &whole, .curve = keep_point, .stop = stop_after_some };
	struct train_options o = { .seed = 3, .dir = a, .threads = 2, .curve_every = 5 };
	cr_assert_eq(train_run(&r, &c, &o, &hooks, &e), 0, "%s", e.msg);
	hooks.ctx = &parts;
	o.dir = b;
	cr_assert_eq(train_run(&r, &c, &o, &hooks, &e), 0, "%s", e.msg);
	cr_assert_eq(r.end, TRAIN_STOPPED);
	cr_assert_eq(r.step, 7);
	parts.stop_after = -1;
	cr_assert_eq(train_run(&r, &c, &o, &hooks, &e), 0, "%s", e.msg);
	cr_assert_eq(r.end, TRAIN_DONE);
	cr_assert(whole.value[10] > 0);
	for (int i = 0; i < 64; i++)
		cr_assert(whole.value[i] == parts.value[i], "step %d: %.17g, resumed %.17g", i, whole.value[i], parts.value[i]);
	tempdir_remove(a);
	tempdir_remove(b);
}

Test(train, same_bits_twice_and_resumed)
{
	expect_same_bits(NULL);
}

Test(train, same_bits_with_a_teacher_of_its_own)
{
	expect_same_bits(
		(const char *[]){ "teacher.ema", "schedule", "disc.kind", "sqrt", "disc.s0", "2", "net.kind", "ncsnpp", NULL });
}

Test(train, same_bits_under_ect)
{
	expect_same_bits(
		(const char *[]){ "method.kind", "ect", "ect.stage_steps", "8", "precond.kind", "edm", "loss.c", "0", NULL });
}

Test(train, same_bits_in_segments)
{
	expect_same_bits((const char *[]){ "multistep.segments", "3", NULL });
}

Test(train, same_bits_in_segments_under_ect)
{
	expect_same_bits((const char *[]){ "multistep.segments", "2", "method.kind", "ect", "ect.stage_steps", "8", NULL });
}

Test(train, same_bits_under_a_loss_whose_c_falls)
{
	expect_same_bits((const char *[]){ "loss.kind", "cauchy", "loss.reduce", "mean", "loss.c_schedule", "slct", NULL });
}

struct dues {
	int asked;
	int64_t saved[32];
	int n;
};

static bool due(void *ctx)
{
	struct dues *d = ctx;
	return ++d->asked % 5 == 0;
}

static int note_saved(void *ctx, int64_t step, const char *path, const char *sha256, struct err *e)
{
	struct dues *d = ctx;
	(void)path, (void)sha256, (void)e;
	cr_assert_lt(d->n, 32);
	d->saved[d->n++] = step;
	return 0;
}

/* Checkpoints by time are at steps that differ from run to run: they must not show in the bits. */
Test(train, a_checkpoint_that_is_due_is_written_beside_the_others_and_changes_no_bit)
{
	struct run_config c = tiny(NULL);
	static const int64_t wanted[] = { 5, 9, 10, 15, 18, 20, 24 };
	char *a = tempdir_make(), *b = tempdir_make();
	struct dues d = { 0 };
	struct watch w = watching();
	struct train_result r, whole = run(&c, b, &w, 0);
	struct err e = ERR_INIT;
	struct train_hooks hooks = { .ctx = &d, .due = due, .checkpoint = note_saved };
	struct train_options o = { .seed = 3, .dir = a, .threads = 2, .curve_every = 1, .checkpoint_every = 9 };
	cr_assert_eq(train_run(&r, &c, &o, &hooks, &e), 0, "%s", e.msg);
	cr_assert_eq(d.n, 7);
	for (int i = 0; i < 7; i++)
		cr_assert_eq(d.saved[i], wanted[i]);
	cr_assert_str_eq(r.checkpoint_sha256, whole.checkpoint_sha256);
	tempdir_remove(a);
	tempdir_remove(b);
}

/* The children are killed by SIGKILL right after a random step; checkpoints are every 3 steps. */
Test(train, killed_at_random_steps_it_ends_in_the_same_bits)
{
	struct run_config c = tiny(NULL);
	char *a = tempdir_make(), *b = tempdir_make();
	int64_t last = 0;
	for (uint64_t life = 0; life < 5; life++) {
		int64_t at = last + 1 + (int64_t)(rng_uniform_double(1, RNG_SYNTHETIC, 0, life) * 6);
		pid_t child = fork();
		if (child == 0) {
			struct watch w = watching();
			w.kill_at = at;
			(void)run(&c, b, &w, 3);
			_exit(0);
		}
		int status;
		cr_assert_eq(waitpid(child, &status, 0), child);
		cr_assert(WIFSIGNALED(status) || at > c.train.steps);
		last = at / 3 * 3;
	}
	struct watch w = watching();
	struct train_result killed = run(&c, b, &w, 3), whole = run(&c, a, &w, 0);
	cr_expect_str_eq(killed.checkpoint_sha256, whole.checkpoint_sha256);
	tempdir_remove(a);
	tempdir_remove(b);
}

Test(train, a_damaged_checkpoint_is_passed_over_and_said)
{
	struct run_config c = tiny(NULL);
	char *a = tempdir_make(), *b = tempdir_make();
	struct watch w = watching();
	w.stop_at = 10;
	(void)run(&c, b, &w, 4); /* checkpoints at 8 and 10 */
	SCOPED(free) char *newest = xstrfmt("%s/step-00000010.ckpt", b);
	FILE *f = fopen(newest, "r+b");
	cr_assert(f);
	(void)fseek(f, -5, SEEK_END);
	(void)fputc(0x5a, f);
	(void)fclose(f);
	w = watching();
	struct train_result r = run(&c, b, &w, 0);
	cr_expect_eq(w.warnings, 1);
	cr_expect_eq(r.resumed_from, 8);
	struct train_result whole = run(&c, a, &w, 0);
	cr_expect_str_eq(r.checkpoint_sha256, whole.checkpoint_sha256);
	tempdir_remove(a);
	tempdir_remove(b);
}

Test(train, a_checkpoint_of_another_cell_is_refused)
{
	struct run_config c = tiny(NULL), other = tiny((const char *[]){ "optim.lr", "0.01", NULL });
	char *dir = tempdir_make();
	struct watch w = watching();
	(void)run(&c, dir, &w, 0);
	struct train_result r;
	struct err e = ERR_INIT;
	cr_expect_eq(train_run(&r, &other, &(struct train_options){ .seed = 3, .dir = dir }, NULL, &e), -1);
	cr_expect_eq(e.code, EXIT_RECORD);
	cr_expect(strstr(e.msg, "another config"), "%s", e.msg);
	tempdir_remove(dir);
}

static double mean_of(const uint8_t *bytes, size_t n)
{
	double sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += bytes[i];
	return sum / (double)n;
}

/* An untrained network answers mid-grey; the shapes are bright on black. */
Test(train, samples_take_on_the_brightness_of_the_data)
{
	struct run_config c = tiny(
		(const char *[]){ "train.steps", "80", "optim.lr", "0.003", "net.dropout", "0", "ema.decay", "0.9", NULL });
	char *dir = tempdir_make();
	struct watch w = watching();
	struct train_result r = run(&c, dir, &w, 0);
	struct dataset data;
	struct sampler *s;
	struct err e = ERR_INIT;
	uint8_t samples[100 * 64];
	cr_assert_eq(dataset_open(&data, "shapes8", SPLIT_TRAIN, &e), 0);
	cr_assert_eq(sampler_open(&s, &c, r.checkpoint, "cpu", &e), 0, "%s", e.msg);
	cr_assert_eq(sampler_run(s, samples, 0, 100, 9, 1, NULL, &e), 0);
	double want = mean_of(data.images, (size_t)data.n * 64), got = mean_of(samples, sizeof samples);
	cr_expect(fabs(got - want) < 0.5 * fabs(128 - want), "samples %g, data %g", got, want);
	dataset_release(&data);
	sampler_free(s);
	tempdir_remove(dir);
}

Test(sample, a_sample_does_not_depend_on_its_batch)
{
	struct run_config c = tiny(NULL);
	char *dir = tempdir_make();
	struct watch w = watching();
	struct train_result r = run(&c, dir, &w, 0);
	struct sampler *s;
	struct err e = ERR_INIT;
	cr_assert_eq(sampler_open(&s, &c, r.checkpoint, "cpu", &e), 0, "%s", e.msg);
	uint8_t all[60 * 64], part[3 * 64];
	for (int nfe = 1; nfe <= 2; nfe++) {
		cr_assert_eq(sampler_run(s, all, 0, 60, 9, nfe, NULL, &e), 0, "%s", e.msg);
		cr_assert_eq(sampler_run(s, part, 55, 3, 9, nfe, NULL, &e), 0, "%s", e.msg);
		cr_expect_arr_eq(part, all + 55 * 64, sizeof part);
	}
	sampler_free(s);
	tempdir_remove(dir);
}

/* One segment after the other: x = 80 z, then for each an answer, and an Euler step from it to where the next begins. A
 * third evaluation returns to sample.sigma_mid with new noise. */
Test(sample, a_model_of_two_segments_walks_from_end_to_end)
{
	enum { PER = 64 };
	struct run_config c = tiny((const char *[]){ "multistep.segments", "2", NULL });
	char *dir = tempdir_make();
	struct watch w = watching();
	struct train_result r = run(&c, dir, &w, 0);
	struct sampler *s;
	struct err e = ERR_INIT;
	double end = pow((pow(0.002, 1 / 7.0) + pow(80, 1 / 7.0)) / 2, 7);
	float x[PER], d[PER], z[PER];
	uint8_t two[PER], three[PER];
	const int64_t number = 5;
	cr_assert_eq(sampler_open(&s, &c, r.checkpoint, "cpu", &e), 0, "%s", e.msg);
	cr_assert_eq(sampler_run(s, two, number, 1, 9, 2, NULL, &e), 0, "%s", e.msg);
	cr_assert_eq(sampler_run(s, three, number, 1, 9, 3, NULL, &e), 0, "%s", e.msg);
	sampler_latent(x, s, 9, 0, number);
	for (int i = 0; i < PER; i++)
		x[i] *= 80;
	cr_assert_eq(sampler_denoise(s, d, x, &number, 1, 80, 9, &e), 0, "%s", e.msg);
	for (int i = 0; i < PER; i++)
		x[i] = (float)(end / 80 * (double)x[i] + (1 - end / 80) * (double)d[i]);
	cr_assert_eq(sampler_denoise(s, d, x, &number, 1, end, 9, &e), 0, "%s", e.msg);
	for (int i = 0; i < PER; i++)
		cr_expect(abs((int)sampler_pixel(s, (double)d[i]) - two[i]) <= 1, "%d: %g, but %d", i, (double)d[i], two[i]);
	sampler_latent(z, s, 9, 2, number);
	for (int i = 0; i < PER; i++)
		x[i] = d[i] + (float)sqrt(0.821 * 0.821 - 0.002 * 0.002) * z[i];
	cr_assert_eq(sampler_denoise(s, d, x, &number, 1, 0.821, 9, &e), 0, "%s", e.msg);
	for (int i = 0; i < PER; i++)
		cr_expect(abs((int)sampler_pixel(s, (double)d[i]) - three[i]) <= 1, "%d: %g, but %d", i, (double)d[i],
		          three[i]);
	cr_expect_eq(sampler_run(s, two, number, 1, 9, 1, NULL, &e), -1);
	cr_expect(strstr(e.msg, "multistep.segments = 2 needs 2 network evaluations"), "%s", e.msg);
	sampler_free(s);
	tempdir_remove(dir);
}
