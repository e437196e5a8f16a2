/* test_ckpt.c - a checkpoint's own word on itself: all that resuming reads is under its checksum, and what is another
 * training's is told from what is damaged. Whole runs that stop and resume are in test_train.c. */
#include "model/base/mem.h"
#include "model/config/config.h"
#include "model/formats/safetensors.h"
#include "model/train/ckpt.h"
#include "tests/common/ok.h"
#include "tests/common/tempdir.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct err e;

enum { FLOATS = 16 };

struct saved {
	char *dir, *path, *config;
	struct params *params;
	float values[N_CKPT_PARTS][FLOATS];
	struct ckpt_state s;
};

/* Of the test's own process, so that its state may point to its values. */
static struct saved *save(int64_t step)
{
	static struct saved x;
	x = (struct saved){ .dir = tempdir_make(), .params = params_new() };
	struct run_config c;
	char sha256[SHA256_HEX];
	config_defaults(&c);
	OK(config_finish(&c, &e));
	x.config = config_json(&c);
	(void)params_add(x.params, "w", 1, (int64_t[]){ 5 }, INIT_ZERO, 1, 5, 5);
	cr_assert_eq(params_floats(x.params), FLOATS);
	x.s = (struct ckpt_state){ .params = x.params,
		                       .decay = c.ema.decay,
		                       .step = step,
		                       .seed = 7,
		                       .config = x.config,
		                       .loss_sum = 1.5,
		                       .loss_steps = 3 };
	for (int part = 0; part < N_CKPT_PARTS; part++)
		for (int i = 0; i < FLOATS; i++)
			x.values[part][i] = (float)(10 * part + i);
	for (int part = 0; part < N_CKPT_PARTS; part++)
		x.s.parts[part] = x.values[part];
	OK(ckpt_save(&x.path, sha256, x.dir, &x.s, &e));
	return &x;
}

static void release(struct saved *x)
{
	tempdir_remove(x->dir);
	free(x->path);
	free(x->config);
	params_free(x->params);
}

/* Into buffers of its own. */
static int load(struct ckpt_state *out, float values[N_CKPT_PARTS][FLOATS], const struct saved *x, const char *path)
{
	*out = x->s;
	out->step = -1;
	for (int part = 0; part < N_CKPT_PARTS; part++)
		out->parts[part] = memset(values[part], 0, sizeof values[part]);
	e = ERR_INIT;
	return ckpt_load(out, path, &e);
}

Test(ckpt, what_is_saved_is_loaded)
{
	struct saved *x = save(12);
	struct ckpt_state got;
	float values[N_CKPT_PARTS][FLOATS];
	cr_assert_eq(load(&got, values, x, x->path), 0, "%s", e.msg);
	cr_expect(got.step == 12 && got.loss_sum == 1.5 && got.loss_steps == 3);
	for (int part = 0; part < N_CKPT_PARTS; part++)
		for (int i = 0; i < 5; i++)
			cr_expect_eq(values[part][i], (float)(10 * part + i), "part %d, %d", part, i);
	release(x);
}

/* A step that is one too many would train on as if nothing were wrong. */
Test(ckpt, each_of_its_words_is_under_the_checksum)
{
	struct saved *x = save(12);
	struct ckpt_state got;
	float values[N_CKPT_PARTS][FLOATS];
	static const char *const keys[] = { "step", "seed", "curve", "config", "checksum" };
	SCOPED(free) char *changed = xstrfmt("%s/changed.ckpt", x->dir);
	for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
		struct safetensors *st;
		OK(safetensors_open(&st, x->path, &e));
		struct st_meta meta[8];
		cr_assert_leq(st->n_meta, 8);
		SCOPED(free) char *other = NULL;
		for (size_t i = 0; i < st->n_meta; i++) {
			meta[i] = st->meta[i];
			if (strcmp(meta[i].key, keys[k]) != 0)
				continue;
			other = xstrdup(meta[i].value);
			char *last = other + strlen(other) - 1;
			*last = *last == '1' ? '2' : *last == '}' ? ' ' : '1';
			meta[i].value = other;
		}
		cr_assert(other, "%s", keys[k]);
		OK(safetensors_write(changed, st->tensors, st->n_tensors, meta, st->n_meta, NULL, &e));
		safetensors_free(st);
		cr_expect_eq(load(&got, values, x, changed), -1, "%s", keys[k]);
		cr_expect(strstr(e.msg, "damaged: its content does not match its checksum"), "%s: %s", keys[k], e.msg);
	}
	SCOPED(str) struct str bytes = { 0 };
	OK(io_read(&bytes, x->path, 1 << 20, &e));
	bytes.data[bytes.len - 1] ^= 1; /* a value */
	SCOPED(free) char *turned = tempdir_file(x->dir, "turned.ckpt", bytes.data, bytes.len);
	cr_expect_eq(load(&got, values, x, turned), -1);
	cr_expect(strstr(e.msg, "damaged"), "%s", e.msg);
	release(x);
}

Test(ckpt, another_seed_or_training_is_no_damage)
{
	struct saved *x = save(12);
	struct ckpt_state got;
	float values[N_CKPT_PARTS][FLOATS];
	struct run_config c;
	x->s.seed = 8;
	cr_expect(load(&got, values, x, x->path) == -1 && e.code == EXIT_RECORD, "%s", e.msg);
	x->s.seed = 7;
	config_defaults(&c);
	OK(config_set_text(&c, "optim.lr", "0.5", &e));
	OK(config_finish(&c, &e));
	SCOPED(free) char *other = config_json(&c);
	x->s.config = other;
	cr_expect(load(&got, values, x, x->path) == -1 && e.code == EXIT_RECORD, "%s", e.msg);
	release(x);
}

/* The one before the newest stays, for the newest may turn out damaged. */
Test(ckpt, the_newest_two_stay)
{
	struct saved *x = save(1);
	char sha256[SHA256_HEX];
	for (int64_t step = 2; step <= 4; step++) {
		char *path;
		x->s.step = step;
		OK(ckpt_save(&path, sha256, x->dir, &x->s, &e));
		free(path);
	}
	for (int step = 1; step <= 4; step++) {
		struct stat st;
		SCOPED(free) char *path = xstrfmt("%s/step-%08d.ckpt", x->dir, step);
		cr_expect_eq(stat(path, &st) == 0, step >= 3, "step %d", step);
	}
	release(x);
}
