/* test_threads.c - training gives the same bits on any number of threads: how many a cell has follows from how many
 * cells are left to run, and a cell that is repeated alone must not differ. What differed where sums were cut as
 * threads are: matrix products, and the weights gradients of convolutions by oneDNN. */
#include "model/config/config.h"
#include "model/train/train.h"
#include "tests/common/tempdir.h"

#include <criterion/criterion.h>
#include <string.h>

enum { MOST_SETTINGS = 16 };
static const int threads[] = { 2, 3, 7 };

struct arm {
	const char *settings[MOST_SETTINGS];
	int microbatch;
};

/* Each family, with attention; widths of Winograd's convolutions and (20) of oneDNN's; the whole batch, and one sample
 * at once, where a convolution may be cut as a matrix product and attention has fewer heads than there are threads; and
 * the knobs of a step's pair. */
static const struct arm arms[] = {
	{ { "train.batch", "64" }, 0 },
	{ { "net.kind", "ddpmpp", "net.channels", "32", "net.attn", "[8]", "train.batch", "16" }, 0 },
	{ { "net.kind", "ncsnpp", "net.channels", "20", "net.attn", "[8]", "train.batch", "16" }, 0 },
	{ { "net.kind", "adm", "net.channels", "64", "net.attn", "[8]", "train.batch", "16" }, 0 },
	{ { "net.kind", "ddpmpp", "net.channels", "64", "net.attn", "[8]", "train.batch", "2" }, 1 },
	{ { "train.batch", "16", "coupling.generator_share", "0.5" }, 0 },
	{ { "train.batch", "16", "target.references", "500" }, 4 },
};

/* Weights, averages and moments are in the checkpoint that some steps end with. */
static struct train_result train(const struct arm *arm, int n_threads)
{
	struct run_config c;
	struct train_result r;
	struct err e = ERR_INIT;
	char *dir = tempdir_make();
	config_defaults(&c);
	cr_assert_eq(config_preset(&c, "ict-shapes8-ci", &e) || config_set_text(&c, "train.steps", "2", &e), 0, "%s",
	             e.msg);
	for (const char *const *s = arm->settings; s[0]; s += 2)
		cr_assert_eq(config_set_text(&c, s[0], s[1], &e), 0, "%s", e.msg);
	cr_assert_eq(config_finish(&c, &e), 0, "%s", e.msg);
	struct train_options o = {
		.seed = 3, .dir = dir, .threads = n_threads, .device = "cpu", .microbatch = arm->microbatch
	};
	cr_assert_eq(train_run(&r, &c, &o, &(struct train_hooks){ 0 }, &e), 0, "%s", e.msg);
	cr_assert_eq(r.step, 2);
	tempdir_remove(dir);
	return r;
}

Test(threads, training_has_the_same_bits_on_any_number)
{
	for (size_t i = 0; i < sizeof arms / sizeof *arms; i++) {
		struct train_result one = train(&arms[i], 1);
		for (size_t k = 0; k < sizeof threads / sizeof *threads; k++) {
			struct train_result more = train(&arms[i], threads[k]);
			cr_expect_str_eq(more.checkpoint_sha256, one.checkpoint_sha256,
			                 "arm %zu on %d threads: loss %.9g, on one %.9g", i, threads[k], more.final_loss,
			                 one.final_loss);
		}
	}
}
