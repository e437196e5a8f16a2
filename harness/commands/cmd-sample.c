/* cmd-sample.c - `ablate sample CHECKPOINT|ATTEMPT|CELL`: images from a checkpoint, to look at or to score
 * elsewhere. */
#include "harness/cli/cmd.h"

#include "harness/sample/checkpoint_find.h"
#include "harness/sample/sample_edit.h"
#include "harness/sample/sample_out.h"
#include "harness/cli/device_option.h"
#include "harness/cli/threads_option.h"
#include "harness/commands/score_cli.h"
#include "harness/text/terminal.h"
#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/base/progress.h"
#include "model/config/config.h"
#include "model/data/shapes.h"
#include "model/train/model.h"
#include "model/formats/safetensors.h"
#include "model/train/sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 500 }; /* whole batches of the sampler, on any device */

static int write_samples(struct sampler *s, const struct data_shape *shape, const char *path, int64_t n, uint64_t seed,
                         int nfe, struct progress *p, struct err *e)
{
	size_t per = (size_t)shape->h * (size_t)shape->w * (size_t)shape->c;
	SCOPED(free) uint8_t *px = xmalloc(CHUNK * per);
	struct sample_out *out;
	if (sample_out_open(&out, path, n, shape->h, shape->w, shape->c, e))
		return -1;
	for (int64_t at = 0; at < n; at += CHUNK) {
		int64_t count = n - at < CHUNK ? n - at : CHUNK;
		int rc = sampler_run(s, px, at, count, seed, nfe, NULL, e);
		for (int64_t i = 0; !rc && i < count; i++)
			rc = sample_out_add(out, px + (size_t)i * per, sampler_label(s, seed, at + i), e);
		if (rc) {
			sample_out_free(out);
			return -1;
		}
		progress_step(p, at + count);
	}
	return sample_out_close(out, e);
}

/* --interpolate, --inpaint, --colorize, --stroke. 1: none of them was given. */
static int edit_asked(struct sample_edit *ask, const struct cli *c, struct err *e)
{
	static const char *const names[] = { [SAMPLE_INTERPOLATE] = "interpolate",
		                                 [SAMPLE_INPAINT] = "inpaint",
		                                 [SAMPLE_COLORIZE] = "colorize",
		                                 [SAMPLE_STROKE] = "stroke" };
	const char *source = NULL;
	int given = 0;
	*ask = (struct sample_edit){ .mask = cli_string(c, "mask", "center"),
		                         .sigmas = cli_string(c, "sigmas", NULL),
		                         .nfe = (int)cli_int(c, "nfe", 0),
		                         .steps = (int)cli_int(c, "interpolate", 0),
		                         .seed = (uint64_t)cli_int(c, "seed", 101),
		                         .output = cli_string(c, "output", "samples.png") };
	for (int i = 0; i < 4; i++)
		if (cli_given(c, names[i])) {
			given++;
			ask->kind = (enum sample_edit_kind)i;
			source = i == SAMPLE_INTERPOLATE ? NULL : cli_string(c, names[i], NULL);
		}
	if (given > 1)
		return err_code(e, EXIT_USAGE, "give only one of --interpolate, --inpaint, --colorize and --stroke");
	if (cli_given(c, "mask") && (!given || ask->kind != SAMPLE_INPAINT))
		return err_code(e, EXIT_USAGE, "--mask belongs to --inpaint");
	if (given && !sample_out_is_grid(ask->output))
		return err_code(e, EXIT_USAGE, "--%s draws one picture of tiles: give -o FILE.png", names[ask->kind]);
	if (ask->sigmas && (!given || ask->kind == SAMPLE_INTERPOLATE))
		return err_code(e, EXIT_USAGE, "--sigmas belongs to --inpaint, --colorize and --stroke");
	if (sample_out_check(ask->output, e))
		return -1;
	ask->n = cli_int(c, "n", 8);
	if (source && source_find(&ask->source, source, SPLIT_TEST, e))
		return -1;
	if (source)
		cli_warn_lines(c, str_text(&ask->source->notes));
	return !given;
}

static int draw(struct cli *c, const struct sample_edit *edit, bool plain)
{
	struct err e = ERR_INIT;
	struct run_config config;
	struct data_shape shape;
	struct sampler *s = NULL;
	struct progress progress;
	const char *output = cli_string(c, "output", "samples.png");
	int64_t n = cli_int(c, "n", 64);
	device_warn(c, "cpu");
	model_init(threads_of(c, 0));
	SCOPED(free) char *path = checkpoint_find(c->db, c->args[0], &e);
	if (!path || checkpoint_config(&config, c->db, c->args[0], path, &e) ||
	    data_shape_find(&shape, config.data.name, &e))
		return cli_fail(c, &e);
	if ((cli_given(c, "weights") && config_set_text(&config, "sample.weights", cli_string(c, "weights", NULL), &e)) ||
	    (cli_given(c, "sigma-mid") &&
	     config_set_text(&config, "sample.sigma_mid", cli_string(c, "sigma-mid", NULL), &e)) ||
	    (cli_given(c, "ema-decay") && config_set_text(&config, "ema.decay", cli_string(c, "ema-decay", NULL), &e)) ||
	    sampler_open(&s, &config, path, cli_string(c, "device", "cpu"), &e))
		return cli_fail(c, &e);
	terminal_progress(&progress, "sample", "images", n);
	progress.quiet = c->quiet;
	int rc = plain ? write_samples(s, &shape, output, n, (uint64_t)cli_int(c, "seed", 101), (int)cli_int(c, "nfe", 1),
	                               &progress, &e)
	               : sample_edit(&n, s, &config, &shape, edit, &e);
	progress_end(&progress);
	sampler_free(s);
	if (rc)
		return cli_fail(c, &e);
	if (c->json)
		return cli_print_json(c, json_pack("{s:s, s:I}", "file", output, "images", (json_int_t)n));
	printf("%s\n", output);
	return EXIT_OK;
}

static int run(struct cli *c)
{
	struct err e = ERR_INIT;
	struct sample_edit edit;
	int plain = edit_asked(&edit, c, &e), code = plain < 0 ? cli_fail(c, &e) : draw(c, &edit, plain);
	source_free(edit.source);
	return code;
}

static const struct opt options[] = {
	{ .name = "n",
	  .letter = 'n',
	  .kind = OPT_INT,
	  .arg = "N",
	  .min = 1,
	  .max = 1000000,
	  .help = "images (default 64); pairs of latents, or pictures to edit (default 8)" },
	{ .name = "nfe",
	  .kind = OPT_INT,
	  .arg = "N",
	  .min = 1,
	  .max = 64,
	  .help = "network evaluations per image (default 1; for an edit 18, for a stroke drawing 2)" },
	{ .name = "seed", .kind = OPT_INT, .arg = "N", .min = 0, .max = 1e15, .help = "seed of the latents (default 101)" },
	{ .name = "weights",
	  .kind = OPT_STRING,
	  .arg = "ema|student|teacher",
	  .help = "which weights (default: as the config says)" },
	{ .name = "ema-decay",
	  .kind = OPT_STRING,
	  .arg = "X",
	  .help = "which of the checkpoint's averages (default: the config's ema.decay)" },
	{ .name = "sigma-mid",
	  .kind = OPT_STRING,
	  .arg = "X",
	  .help = "noise level of the second step (default: as the config says)" },
	{ .name = "interpolate",
	  .kind = OPT_INT,
	  .arg = "K",
	  .min = 2,
	  .max = 1000,
	  .help = "rows of K images from one latent to another, along the great circle" },
	{ .name = "inpaint",
	  .kind = OPT_STRING,
	  .arg = "SRC",
	  .help = "fill the masked part of these pictures (any source of `ablate fid`; of a data set, the test split)" },
	{ .name = "mask",
	  .kind = OPT_STRING,
	  .arg = "center|border|left|right|top|bottom|FILE",
	  .help = "what is filled: a place, or a PNG's light pixels (default center)" },
	{ .name = "colorize",
	  .kind = OPT_STRING,
	  .arg = "SRC",
	  .help = "give these pictures new colours of the same brightness" },
	{ .name = "stroke", .kind = OPT_STRING, .arg = "SRC", .help = "make pictures of these drawings" },
	{ .name = "sigmas",
	  .kind = OPT_STRING,
	  .arg = "A,B,..",
	  .help = "noise levels of an edit, descending (default: nfe of the training's grid)" },
	{ .name = "device", .kind = OPT_STRING, .arg = "D", .help = "auto, cpu, cuda or cuda:N (default cpu)" },
	THREADS_OPTION("threads (default: as many as processors may be used)"),
	{ .name = "output",
	  .letter = 'o',
	  .kind = OPT_STRING,
	  .arg = "OUT",
	  .help = SAMPLE_OUT_TEXT " (default samples.png)" },
	{ 0 },
};

static const struct json_key json_keys[] = {
	JSON_KEY("file", "string", "the file that was written"),
	JSON_KEY("images", "integer", "images in it"),
	{ 0 },
};

static const struct json_form json[] = { JSON_FORM("", json_keys), { 0 } };

const struct cmd cmd_sample = {
	.name = "sample",
	.args = "CHECKPOINT|ATTEMPT|CELL",
	.summary = "draw images from a checkpoint, an attempt or a cell",
	.help =
		"An attempt or a cell is named by the first digits of its hash; its newest checkpoint is taken, which names "
		"its own configuration. Image i of a seed is the same in any batch and any number of images, so two arms "
		"sampled with one seed can be compared tile by tile.\n\n"
		"A folder or an .npz of images (uint8; arr_1: the classes of a conditional model) is what `ablate fid`, "
		"pytorch-fid, clean-fid, torch-fidelity and guided-diffusion's evaluator read: any number from this program "
		"can be recomputed by another.\n\n"
		"Edits need no further training (Song et al. 2023, Algorithm 4): the model denoises at descending noise "
		"levels, and what is known of the picture is put back each time. Tiles of --inpaint and --colorize: the known "
		"part, the result, the picture itself; of --stroke: the drawing and the result.",
	.options = options,
	.computes = true,
	.json = json,
	.run = run,
};
