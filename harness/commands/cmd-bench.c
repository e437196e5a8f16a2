/* cmd-bench.c - `ablate bench`: speeds as ratios to the machine's own ceiling or to a peer measured in the same run.
 * One row per benchmark. */
#include "harness/cli/cmd.h"

#include "harness/bench/bench_crowd.h"
#include "harness/bench/bench_features.h"
#include "harness/bench/bench_fid.h"
#include "harness/bench/bench_fid_pictures.h"
#include "harness/bench/bench_lpips.h"
#include "harness/bench/bench_pairs.h"
#include "harness/bench/bench_peer.h"
#include "harness/bench/bench_pictures.h"
#include "harness/bench/bench_profile.h"
#include "harness/bench/bench_scaling.h"
#include "harness/bench/bench_store.h"
#include "harness/bench/bench_tangent.h"
#include "harness/bench/bench_train.h"
#include "harness/cli/device_option.h"
#include "harness/cli/threads_option.h"
#include "harness/commands/bench_keys.h"
#include "model/base/mem.h"
#include "model/config/config.h"
#include "model/train/model.h"

#include <stdio.h>
#include <string.h>

struct request {
	const char *preset;
	bool profile;
	int batch;
	double seconds;
	double dropout, lr;
	struct bench_target target;
	int beside;
	const char *peer;
	int rounds, pictures;
};

static int train(json_t *out, const struct request *r, struct err *e)
{
	return bench_train(out,
	                   &(struct bench_train){ .which = r->preset,
	                                          .profile = r->profile,
	                                          .batch = r->batch,
	                                          .dropout = r->dropout,
	                                          .lr = r->lr,
	                                          .seconds = r->seconds,
	                                          .target = r->target },
	                   e);
}

static struct bench_features scoring(const struct request *r)
{
	return (struct bench_features){ r->batch, r->rounds, r->seconds, r->peer, r->target };
}

static int features(json_t *out, const struct request *r, struct err *e)
{
	struct bench_features o = scoring(r);
	return bench_features(out, &o, e);
}

static int dinov2(json_t *out, const struct request *r, struct err *e)
{
	struct bench_features o = scoring(r);
	return bench_dinov2(out, &o, e);
}

static int pictures(json_t *out, const struct request *r, struct err *e)
{
	return bench_pictures(out, r->seconds, e);
}

static int lpips(json_t *out, const struct request *r, struct err *e)
{
	return bench_lpips(out, r->batch, r->seconds, e);
}

static int tangent(json_t *out, const struct request *r, struct err *e)
{
	return bench_tangent(out, r->preset, r->batch, r->seconds, e);
}

static int fid(json_t *out, const struct request *r, struct err *e)
{
	if (r->peer)
		return bench_fid_pictures(out, &(struct bench_fid_pictures){ r->peer, r->pictures, r->rounds }, e);
	return bench_fid(out, e);
}

static int prdc(json_t *out, const struct request *r, struct err *e)
{
	(void)r;
	return bench_pairs(out, 10000, 2048, 2, e);
}

static int crowd(json_t *out, const struct request *r, struct err *e)
{
	return bench_crowd(out, r->beside, r->seconds, e);
}

static int scaling(json_t *out, const struct request *r, struct err *e)
{
	return bench_scaling(out, r->seconds, e);
}

static int store(json_t *out, const struct request *r, struct err *e)
{
	json_t *all, *row;
	const char *key;
	(void)r;
	if (bench_store(&all, &BENCH_STORE_FULL, e))
		return -1;
	json_object_foreach(all, key, row)
	{
		(void)json_object_set_new(row, "what", json_string(key));
		(void)json_array_append(out, row);
	}
	json_decref(all);
	return 0;
}

struct bench {
	const char *name, *text;
	int (*run)(json_t *out, const struct request *r, struct err *e);
	bool peer; /* takes --peer */
};

static const struct bench rows[] = {
	{ .name = "train",
	  .run = train,
	  .text = "training step: images/s, GFLOP/s and share of the matrix product's rate" },
	{ .name = "features",
	  .run = features,
	  .peer = true,
	  .text = "Inception features: images/s in fp32 and bf16, and the share" },
	{ .name = "dinov2", .run = dinov2, .peer = true, .text = "DINOv2 features: images/s in fp32, and the share" },
	{ .name = "pictures",
	  .run = pictures,
	  .text = "decoding PNG for scores and imports: images/s by all threads, as a share of one thread's times "
	          "their number" },
	{ .name = "store",
	  .run = store,
	  .text = "records: curve rows/s ingested from 8 writers; plan, status and table of 10,000 cells; overhead "
	          "of a cell; a durable commit" },
	{ .name = "lpips", .run = lpips, .text = "LPIPS at 64 x 64: pairs/s, forward and with gradient" },
	{ .name = "tangent",
	  .run = tangent,
	  .text = "forward pass of a network alone and with its answer's first-order change: images/s and the ratio" },
	{ .name = "crowd",
	  .run = crowd,
	  .text = "training steps/s alone and beside busy processes, by how threads wait, beside the fair share" },
	{ .name = "scaling",
	  .run = scaling,
	  .text = "training steps/s of several cells at once, by cells and threads of each; remembered for `ablate run`" },
	{ .name = "fid",
	  .run = fid,
	  .peer = true,
	  .text = "FID of two 2048-d statistics, beside the Schur form that scipy's sqrtm starts with; with --peer, "
	          "`ablate fid` of two folders of PNG: wall time and memory" },
	{ .name = "prdc",
	  .run = prdc,
	  .text = "density and coverage of 10,000 against 10,000 vectors of 2048 dimensions, as a multiple of the time of "
	          "their matrix product" },
};

static void print_rows(const char *name, const json_t *list)
{
	size_t i;
	const json_t *row, *v;
	const char *key;
	json_array_foreach(list, i, row)
	{
		printf("%s", name);
		json_object_foreach((json_t *)(size_t)row, key, v)
		{
			if (json_is_real(v))
				printf("  %s %.4g", key, json_real_value(v));
			else if (json_is_integer(v))
				printf("  %s %lld", key, (long long)json_integer_value(v));
			else if (json_is_string(v))
				printf("  %s", json_string_value(v));
		}
		printf("\n");
		if ((v = json_object_get(row, "profile")))
			bench_profile_print(stdout, json_string_value(json_object_get(row, "config")), v);
	}
}

static bool takes_peer(const char *name)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (strcmp(name, rows[i].name) == 0)
			return rows[i].peer;
	return false;
}

static int run(struct cli *c)
{
	struct err e = ERR_INIT;
	struct request r = { .preset = cli_string(c, "preset", NULL),
		                 .profile = cli_flag(c, "profile") > 0,
		                 .batch = (int)cli_int(c, "batch", 0),
		                 .seconds = cli_double(c, "seconds", 10),
		                 .dropout = cli_double(c, "dropout", -1),
		                 .lr = cli_double(c, "lr", 1e-4),
		                 .target = { cli_string(c, "device", "cpu"), DTYPE_FP32 },
		                 .beside = (int)cli_int(c, "beside", 16),
		                 .peer = cli_string(c, "peer", NULL),
		                 .rounds = (int)cli_int(c, "rounds", 0),
		                 .pictures = (int)cli_int(c, "pictures", 0) };
	struct run_config settings;
	config_defaults(&settings);
	if (config_set_text(&settings, "train.dtype", cli_string(c, "dtype", "fp32"), &e))
		return cli_fail(c, &e);
	r.target.dtype = settings.train.dtype;
	if (r.peer && !takes_peer(c->args[0]))
		return cli_usage(c, "--peer is for features, dinov2 and fid, not for '%s'", c->args[0]);
	if (r.peer && r.peer[strspn(r.peer, " \t\n")] == '\0')
		return cli_usage(c, "--peer names no command");
	device_warn(c, "cpu");
	json_t *all = json_object();
	model_init(threads_of(c, 0));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (strcmp(c->args[0], "all") != 0 && strcmp(c->args[0], rows[i].name) != 0)
			continue;
		json_t *list = json_array();
		if (rows[i].run(list, &r, &e)) {
			json_decref(list);
			json_decref(all);
			return cli_fail(c, &e);
		}
		if (!c->json)
			print_rows(rows[i].name, list);
		(void)json_object_set_new(all, rows[i].name, list);
	}
	if (c->json)
		return cli_print_json(c, all);
	json_decref(all);
	return EXIT_OK;
}

static const struct opt options[] = {
	{ .name = "preset",
	  .kind = OPT_STRING,
	  .arg = "NAME",
	  .help = "train: a, b, quickstart, or a preset such as ict-cifar10; tangent: a preset" },
	{ .name = "profile", .kind = OPT_FLAG, .help = "train: where a step's time goes, by part (CPU only)" },
	{ .name = "batch", .kind = OPT_INT, .arg = "N", .min = 1, .max = 65536, .help = "images per step" },
	{ .name = "dropout",
	  .kind = OPT_DOUBLE,
	  .arg = "P",
	  .min = 0,
	  .max = 0.999,
	  .help = "train: dropout probability (default: the preset's; none for a and b)" },
	{ .name = "lr",
	  .kind = OPT_DOUBLE,
	  .arg = "LR",
	  .min = 0,
	  .max = 1e30,
	  .help = "train: learning rate of Adam (default 1e-4)" },
	{ .name = "device",
	  .kind = OPT_STRING,
	  .arg = "D",
	  .help = "train, features: auto, cpu, cuda or cuda:N (default cpu)" },
	{ .name = "dtype",
	  .kind = OPT_STRING,
	  .arg = "T",
	  .help = "train, features on a device: fp32, tf32 or bf16 (default fp32)" },
	THREADS_OPTION("threads (default: as many as processors may be used)"),
	{ .name = "beside",
	  .kind = OPT_INT,
	  .arg = "N",
	  .min = 1,
	  .max = 1024,
	  .help = "crowd: busy processes beside the training (default 16)" },
	{ .name = "peer",
	  .kind = OPT_STRING,
	  .arg = "COMMAND",
	  .help = "features, dinov2, fid: another project's program, measured in turn (words at blanks, no shell)" },
	{ .name = "rounds",
	  .kind = OPT_INT,
	  .arg = "N",
	  .min = 1,
	  .max = BENCH_MAX_ROUNDS,
	  .help = "features, dinov2, fid --peer: rounds of each in turn (default 5; fid 3)" },
	{ .name = "pictures",
	  .kind = OPT_INT,
	  .arg = "N",
	  .min = 2,
	  .max = 9999,
	  .help = "fid --peer: pictures in each folder (default 300)" },
	{ .name = "seconds", .kind = OPT_DOUBLE, .arg = "S", .min = 0.01, .max = 3600, .help = "time per configuration" },
	{ 0 },
};

const struct cmd cmd_bench = {
	.name = "bench",
	.args = "train|features|dinov2|pictures|store|lpips|tangent|crowd|scaling|fid|prdc|all",
	.summary = "measure speeds as shares of what this machine can do",
	.help =
		"Every figure is shown beside the ceiling measured in the same run: for training, a 2000 x 2000 x 2000 matrix "
		"product of the same library, of random numbers. Training is timed on random pictures and noise, with the "
		"preset's dropout, and a step whose loss is not finite ends the measurement (exit 1): it would update "
		"nothing.\n\n"
		"--profile adds where a step's time goes on the CPU: products, transforms (of Winograd's convolutions), norms, "
		"attention, resampling (with concat, slice and shuffle), optimizer, elementwise, batch, waiting (threads with "
		"nothing to do while others work) and other. A part's seconds are those of all threads divided by their "
		"number, so that the parts add up to the step. Its floor is the longer of two times: of its counted FLOPs (of "
		"products and attention) at the rate of the matrix product, and of its counted bytes (each source and each "
		"result once) at the rate of a copy by all threads, both measured in the same run. What a cache keeps from one "
		"operation to the next takes less than the floor of memory; and beside other work on the machine the product "
		"is slowed more than parts are, which leave waiting out. Without --preset: quickstart, a, b, ict-cifar10 and "
		"ict-imagenet64.\n\n"
		"--peer COMMAND runs another project's program in turn with this one, with the same weights (random, in a "
		"safetensors file below $TMPDIR; dinov2's has 1.2 GB), pictures and threads; the row is its, with the median "
		"ratio and its range. COMMAND gets words behind its own and ends its stdout with a line of JSON:\n"
		"  inception|dinov2 --weights FILE --threads N --seconds S FOLDER\n"
		"    features of the pictures, over and over for some S seconds;\n"
		"    {\"images_per_s\": R, \"mean_abs\": M}, M of the features' absolute values\n"
		"  fid --weights FILE --threads N FOLDER FOLDER\n"
		"    {\"fid\": F}; its wall time and largest memory are measured, as those of\n"
		"    `ablate fid`\n"
		"What it computes must be within 2 % of ours. tests/peers/bench_peer.py does so for pytorch-fid, "
		"torch-fidelity and DINOv2 in PyTorch; ci/bench_peers.sh runs all.\n\n"
		"`bench scaling` is what `ablate run` measures before its first grid, here in full: a small network and "
		"configuration a, trained by as many processes at once, of as many threads, as make up the processors. "
		"of_one_job: all together, to one process with all processors; each: one of them, to the same one with the "
		"machine to itself. It replaces what was remembered (ABLATE_SCALING), so run it on an idle machine.\n\n"
		"ABLATE_PROFILE=1 adds on stderr where a training step's time goes, by kind of "
		"operation and by shape (every operation is waited for, so the step itself takes longer).",
	.options = options,
	.computes = true,
	.json = bench_forms,
	.run = run,
};
