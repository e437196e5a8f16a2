/* cmd-classifier.c - `ablate classifier DATA`: rebuilds the committed weights of the in-tree classifier. */
#include "harness/cli/cmd.h"

#include "harness/cli/threads_option.h"
#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/base/progress.h"
#include "model/train/model.h"
#include "model/train/train_classifier.h"

#include <stdio.h>
#include <string.h>

static int run(struct cli *c)
{
	struct err e = ERR_INIT;
	const char *data = c->args[0];
	SCOPED(free) char *named = xstrfmt("classifier-%s.safetensors", data);
	const char *path = cli_string(c, "output", named);
	struct classifier_training o = { (int)cli_int(c, "epochs", 4), (int)cli_int(c, "batch", 32),
		                             cli_double(c, "lr", 1e-3), (uint64_t)cli_int(c, "seed", 1) };
	struct progress progress = { .quiet = c->quiet };
	double accuracy;
	char sha256[SHA256_HEX];
	model_init(threads_of(c, 2));
	if (classifier_train(&accuracy, data, &o, path, c->quiet ? NULL : &progress, &e) ||
	    io_sha256_file(sha256, path, &e))
		return cli_fail(c, &e);
	if (c->json)
		return cli_print_json(c,
		                      json_pack("{s:s, s:s, s:f}", "file", path, "sha256", sha256, "test_accuracy", accuracy));
	printf("%s: test accuracy %.4f, sha256 %s\n", path, accuracy, sha256);
	return EXIT_OK;
}

static const struct opt options[] = {
	{ .name = "output",
	  .letter = 'o',
	  .kind = OPT_STRING,
	  .arg = "FILE",
	  .help = "where to write (default classifier-DATA.safetensors)" },
	{ .name = "epochs",
	  .kind = OPT_INT,
	  .arg = "N",
	  .min = 1,
	  .max = 1000,
	  .help = "passes over the training set (default 4)" },
	{ .name = "batch", .kind = OPT_INT, .arg = "N", .min = 1, .max = 4096, .help = "images per step (default 32)" },
	{ .name = "lr",
	  .kind = OPT_DOUBLE,
	  .arg = "X",
	  .min = 1e-9,
	  .max = 10,
	  .help = "learning rate at the start (default 0.001)" },
	{ .name = "seed", .kind = OPT_INT, .arg = "N", .min = 0, .max = 1e15, .help = "seed (default 1)" },
	THREADS_OPTION("threads (default 2, as the committed weights were made)"),
	{ 0 },
};

const struct cmd cmd_classifier = {
	.name = "classifier",
	.args = "DATA",
	.summary = "train the in-tree classifier of a data set",
	.help =
		"The classifier's pooled features replace Inception's where Inception is meaningless, and its layers serve as "
		"the learned metric lpips-classifier. The same data, settings, machine and threads give the same file, byte "
		"for byte; its metadata says how it was made and what share of the test split it gets right.",
	.options = options,
	.computes = true,
	.run = run,
};
