/* cmd-classifier.c - `ablate classifier DATA`: rebuilds the committed weights of the in-tree classifiers, or makes
 * those of another data set. */
#include "harness/cli/cmd.h"

#include "harness/cli/threads_option.h"
#include "harness/text/terminal.h"
#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/base/progress.h"
#include "model/train/model.h"
#include "model/train/train_classifier.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int run(struct cli *c)
{
	struct err e = ERR_INIT;
	const char *data = c->args[0];
	const char *which = cli_string(c, "network", NULL);
	SCOPED(free) char *named = xstrfmt("classifier-%s%s%s.safetensors", data, which ? "-" : "", which ? which : "");
	const char *path = cli_string(c, "output", named);
	struct classifier_training o = { .epochs = 4, .batch = 32, .lr = 1e-3, .seed = 1 };
	if (which && classifier_training_of(&o, which, &e))
		return cli_fail(c, &e);
	o.epochs = (int)cli_int(c, "epochs", o.epochs);
	o.batch = (int)cli_int(c, "batch", o.batch);
	o.lr = cli_double(c, "lr", o.lr);
	o.seed = (uint64_t)cli_int(c, "seed", (int64_t)o.seed);
	struct progress progress = { .quiet = c->quiet };
	double accuracy;
	char sha256[SHA256_HEX];
	model_init(threads_of(c, 2));
	/* its bar is redrawn, which a terminal must be able to do */
	bool shown = !c->quiet && (!isatty(STDERR_FILENO) || terminal_draws(STDERR_FILENO));
	if (classifier_train(&accuracy, data, &o, path, shown ? &progress : NULL, &e) || io_sha256_file(sha256, path, &e))
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
	  .help = "where to write (default classifier-DATA-NETWORK.safetensors)" },
	{ .name = "network",
	  .kind = OPT_STRING,
	  .arg = "a|b",
	  .help = "on its half of the training set, from its seed, for 8 epochs" },
	{ .name = "epochs",
	  .kind = OPT_INT,
	  .arg = "N",
	  .min = 1,
	  .max = 1000,
	  .help = "passes over the training set (default 4, or NETWORK's 8)" },
	{ .name = "batch", .kind = OPT_INT, .arg = "N", .min = 1, .max = 4096, .help = "images per step (default 32)" },
	{ .name = "lr",
	  .kind = OPT_DOUBLE,
	  .arg = "X",
	  .min = 1e-9,
	  .max = 10,
	  .help = "learning rate at the start (default 0.001)" },
	{ .name = "seed", .kind = OPT_INT, .arg = "N", .min = 0, .max = 1e15, .help = "seed (default 1, of network b 2)" },
	THREADS_OPTION("threads (default 2, as the committed weights were made)"),
	{ 0 },
};

static const struct json_key json_keys[] = {
	JSON_KEY("file", "string", "the file that was written"),
	JSON_KEY("sha256", "string", "of the file"),
	JSON_KEY("test_accuracy", "number", "share of the test split that it gets right"),
	{ 0 },
};

static const struct json_form json[] = { JSON_FORM("", json_keys), { 0 } };

const struct cmd cmd_classifier = {
	.name = "classifier",
	.args = "DATA",
	.summary = "train the in-tree classifier of a data set",
	.help =
		"A classifier's pooled features replace Inception's where Inception is meaningless, and its layers serve as "
		"the learned metric lpips-classifier. There are two, so that no network scores what it has trained: --network "
		"a, whose layers are the metric, is trained on the even pictures of the training split, --network b, which "
		"scores (extractor classifier:b), on the odd ones from another seed. Without --network all pictures are used. "
		"DATA may be NAME@SIDE: the set made smaller. `ablate fid -e classifier -w FILE` scores with a FILE of this "
		"command.\n"
		"The same data, settings, machine and threads give the same file, byte for byte; its metadata says how it was "
		"made and what share of the test split it gets right.",
	.options = options,
	.computes = true,
	.json = json,
	.run = run,
};
