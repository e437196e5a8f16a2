/* cmd-sigma.c - `ablate sigma CHECKPOINT|ATTEMPT|CELL`: the second noise level of two-step sampling that gives the
 * lowest FID. */
#include "harness/cli/cmd.h"

#include "harness/sample/checkpoint_find.h"
#include "harness/sample/sigma_search.h"
#include "harness/cli/device_option.h"
#include "harness/cli/threads_option.h"
#include "harness/run/worker_score.h"
#include "metrics/scores/score.h"
#include "model/base/io.h"
#include "model/base/progress.h"
#include "model/consistency/schedule.h"
#include "model/data/dataset.h"
#include "model/train/model.h"
#include "model/train/sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct asked {
	const struct cli *cli;
	struct run_config config;
	struct sampler *sampler;
	struct extractor *x;
	struct feature_set reference;
	struct dataset data;
	uint8_t *px;
	int64_t n, points;
	uint64_t seed;
	char protocol[PROTOCOL_TEXT];
};

static int fid_at(void *ctx, double *out, int64_t index, struct err *e)
{
	struct asked *a = ctx;
	double sigma = sigma_at(&a->config, a->points, index);
	struct score_list list = { 0 };
	struct metric_options options = METRIC_OPTIONS;
	struct source samples = { .kind = &source_memory,
		                      .path = (char *)"samples",
		                      .n = a->n,
		                      .h = a->data.h,
		                      .w = a->data.w,
		                      .c = a->data.c,
		                      .self = a->px };
	const struct metric *fid = metric_find("fid");
	unsigned keep = metric_keep(fid, 0, &options);
	struct feature_options want = {
		.keep = keep, .want = keep, .pixels = a->config.sample.quantize == QUANTIZE_ROUND ? "u8-round" : "u8-truncate"
	};
	SCOPED(feature_set) struct feature_set ours = { 0 };
	options.interval = false;
	sampler_set_sigma_mid(a->sampler, sigma);
	if (sampler_run(a->sampler, a->px, 0, a->n, a->seed, 2, NULL, e) ||
	    feature_set_extract(&ours, &samples, a->x, &want, e))
		return -1;
	(void)snprintf(a->reference.protocol, sizeof a->reference.protocol, "%s",
	               ours.protocol); /* bytes against bytes, as cells are scored */
	if (metric_run(&list, fid, &ours, &a->reference, &options, e))
		return -1;
	*out = list.v[0].value;
	(void)snprintf(a->protocol, sizeof a->protocol, "%s", list.v[0].protocol);
	cli_say(a->cli, "sigma %.5g (point %lld of %lld): fid %.4f", sigma, (long long)index, (long long)a->points, *out);
	return 0;
}

static int open_reference(struct asked *a, const char *file, struct err *e)
{
	struct metric_options options = METRIC_OPTIONS;
	unsigned keep = metric_keep(metric_find("fid"), 1, &options);
	if (dataset_open(&a->data, a->config.data.name, SPLIT_TRAIN, e))
		return -1;
	if (file)
		return feature_set_load(&a->reference, file, e);
	struct source all = { .kind = &source_memory,
		                  .path = a->config.data.name,
		                  .n = a->data.n,
		                  .h = a->data.h,
		                  .w = a->data.w,
		                  .c = a->data.c,
		                  .self = a->data.images };
	struct feature_options want = { .keep = keep, .want = keep };
	return feature_set_extract(&a->reference, &all, a->x, &want, e);
}

static int set_up(struct asked *a, struct err *e)
{
	const struct cli *c = a->cli;
	SCOPED(free) char *path = checkpoint_find(c->db, c->args[0], e);
	if (!path || checkpoint_config(&a->config, c->db, c->args[0], path, e))
		return -1;
	const char *extractor = cli_string(c, "extractor", extractor_default(a->config.data.name));
	if (a->config.multistep.segments > 1)
		return err_code(e, EXIT_USAGE, "multistep.segments = %d fix the levels of the steps: there is none to find",
		                a->config.multistep.segments);
	if (a->config.method.kind == METHOD_TCM)
		return err_code(
			e, EXIT_USAGE,
			"levels of all sizes are tried: a model of method.kind = \"tcm\" has no answer below tcm.split = %g",
			a->config.tcm.split);
	if (a->config.method.kind == METHOD_MEANFLOW)
		return err_code(e, EXIT_USAGE,
		                "method.kind = \"meanflow\" takes equal steps of its time: there is no level to find");
	/* as fine as at the end of training */
	a->points = cli_int(c, "points", schedule_n(&a->config, a->config.train.steps > 0 ? a->config.train.steps - 1 : 0));
	if (a->points < 3)
		return err_code(e, EXIT_USAGE, "a grid of %lld points has no noise level between its ends: give --points",
		                (long long)a->points);
	device_warn(c, "cpu");
	struct data_shape shape;
	if (data_shape_find(&shape, a->config.data.name, e) ||
	    extractor_open(&a->x, extractor,
	                   &(struct extractor_options){ .data = a->config.data.name,
	                                                .h = shape.h,
	                                                .w = shape.w,
	                                                .c = shape.c,
	                                                .say = cli_say_line,
	                                                .say_ctx = c },
	                   e) ||
	    open_reference(a, cli_string(c, "ref", NULL), e) ||
	    sampler_open(&a->sampler, &a->config, path, cli_string(c, "device", "cpu"), e))
		return -1;
	a->px = xcalloc((size_t)a->n, (size_t)a->data.h * (size_t)a->data.w * (size_t)a->data.c);
	return 0;
}

static void release(struct asked *a)
{
	sampler_free(a->sampler);
	extractor_free(a->x);
	feature_set_release(&a->reference);
	dataset_release(&a->data);
	free(a->px);
}

static int tell(struct asked *a, const struct sigma_search *s)
{
	double best = sigma_at(&a->config, a->points, s->best), value = 0;
	json_t *list = json_array();
	for (int i = 0; i < s->n_tried; i++) {
		double sigma = sigma_at(&a->config, a->points, s->tried[i].index);
		value = s->tried[i].index == s->best ? s->tried[i].value : value;
		if (!a->cli->json)
			printf("%-12.6g %.6f%s\n", sigma, s->tried[i].value, s->tried[i].index == s->best ? "  least" : "");
		(void)json_array_append_new(list, json_pack("{s:I, s:f, s:f}", "point", (json_int_t)s->tried[i].index, "sigma",
		                                            sigma, "fid", s->tried[i].value));
	}
	if (a->cli->json)
		return cli_print_json(a->cli, json_pack("{s:f, s:f, s:I, s:I, s:f, s:s, s:o}", "sigma_mid", best, "fid", value,
		                                        "points", (json_int_t)a->points, "samples", (json_int_t)a->n,
		                                        "config_sigma_mid", a->config.sample.sigma_mid, "protocol", a->protocol,
		                                        "tried", list));
	json_decref(list);
	printf("sample.sigma_mid = %.6g   %s (the config has %.6g)\n", best, a->protocol, a->config.sample.sigma_mid);
	return EXIT_OK;
}

static int run(struct cli *c)
{
	struct err e = ERR_INIT;
	struct asked a = { .cli = c, .n = cli_int(c, "n", 10000), .seed = (uint64_t)cli_int(c, "seed", 42) };
	struct sigma_search s = { 0 };
	model_init(threads_of(c, 0));
	int failed = set_up(&a, &e) || sigma_search(&s, 1, a.points - 2, fid_at, &a, &e);
	int code = failed ? cli_fail(c, &e) : tell(&a, &s);
	sigma_search_release(&s);
	release(&a);
	return code;
}

static const struct opt options[] = {
	{ .name = "n",
	  .letter = 'n',
	  .kind = OPT_INT,
	  .arg = "N",
	  .min = 2,
	  .max = 1000000,
	  .help = "images per try (default 10000)" },
	{ .name = "points",
	  .kind = OPT_INT,
	  .arg = "N",
	  .min = 3,
	  .max = 1000000,
	  .help = "noise levels to choose from: the points of the Karras grid (default: as many as training ended with)" },
	{ .name = "extractor",
	  .letter = 'e',
	  .kind = OPT_STRING,
	  .arg = "NAME",
	  .help = "whose features FID uses (default: the data set's own)" },
	{ .name = "ref",
	  .kind = OPT_STRING,
	  .arg = "FILE",
	  .help = "reference statistics as .npz (default: the training set)" },
	{ .name = "seed",
	  .kind = OPT_INT,
	  .arg = "N",
	  .min = 0,
	  .max = 1e15,
	  .help = "seed of the latents, the same for all tries (default 42)" },
	{ .name = "device", .kind = OPT_STRING, .arg = "D", .help = "auto, cpu, cuda or cuda:N (default cpu)" },
	THREADS_OPTION("threads (default: as many as processors may be used)"),
	{ 0 },
};

static const struct json_key json_keys[] = {
	JSON_KEY("sigma_mid", "number", "the noise level with the least FID"),
	JSON_KEY("fid", "number", "its FID"),
	JSON_KEY("points", "integer", "levels of the grid that was searched"),
	JSON_KEY("samples", "integer", "images of each try"),
	JSON_KEY("config_sigma_mid", "number", "sample.sigma_mid of the checkpoint's settings"),
	JSON_KEY("protocol", "string", "all that a comparable value has to share"),
	JSON_KEY("tried", "object[]", "the levels that were tried, in order"),
	JSON_KEY("tried[].point", "integer", "number of the level"),
	JSON_KEY("tried[].sigma", "number", "the level"),
	JSON_KEY("tried[].fid", "number", "its FID"),
	{ 0 },
};

static const struct json_form json[] = { JSON_FORM("", json_keys), { 0 } };

const struct cmd cmd_sigma = {
	.name = "sigma",
	.args = "CHECKPOINT|ATTEMPT|CELL",
	.summary = "search the second noise level of two-step sampling by FID",
	.help =
		"Ternary search over the points of the Karras grid, as the authors of consistency models did it; every noise "
		"level that was tried is printed with its FID. Set the result as sample.sigma_mid; the presets have the "
		"published values.\n\n"
		"Search with other latents than the scores are measured with, and with fewer images: the lowest of many tries "
		"is too good a number to report.",
	.options = options,
	.computes = true,
	.json = json,
	.run = run,
};
