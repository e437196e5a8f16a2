/* test_plan_cost.c - what a plan costs: arithmetic that was counted without weights or memory, time by a stated rate,
 * by what was measured, and by the table of cards; each missing thing once. */
#include "harness/plan/plan_memory.h"
#include "harness/plan/plan_needs.h"
#include "harness/record/score_key.h"
#include "metrics/features/published_stats.h"
#include "model/base/mem.h"
#include "model/config/net_spec.h"
#include "model/data/shapes.h"
#include "model/formats/npz.h"
#include "model/nets/net.h"
#include "tests/common/tmpdir.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define GRID \
	"schema = 1\n[grid]\nname = \"g\"\nseeds = { train = [1, 2, 3], eval = [101, 102] }\n" \
	"[base]\npreset = \"ict-shapes8-ci\"\n"
#define AXIS   "[[axis]]\nkey = \"train.steps\"\nvalues = [10, 30]\n"
#define METRIC "[[metric]]\nname = \"fid\"\nsamples = 50\nnfe = [1, 2]\n"

static struct plan *must(const char *text)
{
	struct grid_source source = { .path = "g.toml", .text = text, .n = strlen(text) };
	struct err e = ERR_INIT;
	struct grid *g = NULL;
	struct plan *p = NULL;
	cr_assert_eq(grid_parse(&g, &source, 1, &e), 0, "%s", e.msg);
	cr_assert_eq(plan_expand(&p, g, NULL, &e), 0, "%s", e.msg);
	return p;
}

static void must_measure(struct plan *p, int microbatch)
{
	struct err e = ERR_INIT;
	struct plan_place place = { .device = "cpu", .ranks = 1, .jobs = 1, .microbatch = microbatch };
	cr_assert_eq(plan_memory(p, &place, &e), 0, "%s", e.msg);
}

/* Six cells whose arms have 2 and 4 GFLOP a step, and 0.5 an image: what is done is not to be paid, what is blocked is
 * told apart, and what is not known counts as the mean. */
Test(plan_cost, adds_up)
{
	SCOPED(plan) struct plan *p = must(GRID AXIS METRIC);
	const double samples = (50 + 2 * 50) * 2 * 0.5; /* of a cell: both steps, two evaluation seeds */
	p->arms[0].step_gflop = 2, p->arms[1].step_gflop = 4;
	p->arms[0].image_gflop = p->arms[1].image_gflop = 0.5;
	p->cells[0].state = CELL_CACHED;
	p->cells[3].state = CELL_BLOCKED;
	p->speed = (struct speed){ .from = SPEED_STATED, .stated = 10, .card = card_find("h100"), .share = 0.5 };
	struct plan_cost c = plan_cost(p, false);
	cr_expect(c.cells == 4 && c.trainings == 4 && c.unknown == 0, "%d %d %d", c.cells, c.trainings, c.unknown);
	cr_expect_float_eq(c.training_gflop, 2 * 10 * 2 + 2 * 30 * 4, 1e-9, "%g", c.training_gflop);
	cr_expect_float_eq(c.sampling_gflop, 4 * samples, 1e-9, "%g", c.sampling_gflop);
	cr_expect_float_eq(c.here_s, (280 + 4 * samples) / 10, 1e-9, "%g", c.here_s);
	cr_expect_float_eq(c.card_s, (280 + 4 * samples) / (0.5 * 66900), 1e-9, "%g", c.card_s);
	cr_expect_float_eq(c.card_bf16_s, (280 + 4 * samples) / (0.5 * 989400), 1e-9, "%g", c.card_bf16_s);
	cr_expect(c.idle, "such steps take microseconds");
	struct plan_cost all = plan_cost(p, true);
	cr_expect(all.cells == 5 && all.trainings == 5);
	cr_expect_float_eq(all.training_gflop, c.training_gflop + 30 * 4, 1e-9);
	cr_expect_gt(all.disk_bytes, c.disk_bytes);
	cr_expect_float_eq(c.disk_bytes, plan_disk_bytes(p), 1e-9);
	p->arms[1].step_gflop = 0;
	c = plan_cost(p, false);
	cr_expect_eq(c.unknown, 2);
	cr_expect_float_eq(c.training_gflop, 2 * (2 * 10 * 2), 1e-9, "%g", c.training_gflop);
	p->arms[0].step_gflop = p->arms[0].image_gflop = p->arms[1].image_gflop = 0;
	c = plan_cost(p, false);
	cr_expect(c.here_s == 0 && c.card_s == 0, "nothing known is no time");
}

/* What is kept on disk: of each training, which cells that sample it otherwise share, two checkpoints of so many
 * tensors of the network's size, and of each cell the most pictures that a metric asks for, at each number of steps. */
Test(plan_cost, disk)
{
	static const struct {
		const char *more;
		int trainings, tensors;
	} cases[] = { { "", 3, 4 }, { "teacher.ema = 0.9\n", 3, 5 } };
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		SCOPED(free)
		char *text = xstrfmt(GRID "%s[[axis]]\nkey = \"sample.weights\"\n"
		                          "values = [\"ema\", \"student\"]\n" METRIC
		                          "[[metric]]\nname = \"precision\"\nsamples = 80\nnfe = [1]\n",
		                     cases[i].more);
		SCOPED(plan) struct plan *p = must(text);
		const struct run_config *config = &p->arms[0].config;
		struct net_spec spec = net_spec_of(config);
		struct params *params = net_params(&spec);
		struct data_shape shape;
		cr_assert_eq(data_shape_find(&shape, config->data.name, NULL), 0);
		double net = 4.0 * (double)params_floats(params), pictures = 6 * (80 + 50) * 2,
			   want = 2 * cases[i].trainings * cases[i].tensors * net + pictures * shape.h * shape.w * shape.c;
		struct plan_cost c = plan_cost(p, false);
		cr_expect(c.cells == 6 && c.trainings == cases[i].trainings, "%d cells, %d trainings", c.cells, c.trainings);
		cr_expect_float_eq(c.disk_bytes, want, 1e-6 * want, "%g, not %g", c.disk_bytes, want);
		params_free(params);
	}
}

/* On two processors: three cells are two rounds; the network that is nearest gives the rate. */
Test(plan_cost, time_by_what_was_measured)
{
	struct speed s = { .from = SPEED_MEASURED };
	scaling_init(&s.measured, 2);
	s.measured.gflop[SCALING_SMALL] = 1, s.measured.gflop[SCALING_LARGE] = 100;
	for (int i = 0; i < 2; i++) {
		s.measured.v[i].steps_per_s[SCALING_SMALL] = i ? 80 : 50;
		s.measured.v[i].steps_per_s[SCALING_LARGE] = i ? 0.9 : 1;
	}
	struct jobs two = { .jobs = 2, .threads = 1, .why = JOBS_MEASURED },
				one = { .jobs = 1, .threads = 2, .why = JOBS_GIVEN },
				lone = { .jobs = 1, .threads = 1, .why = JOBS_GIVEN }, unknown = { 0 };
	struct work w = { .gflop[SCALING_SMALL][DTYPE_FP32] = 800, .cells = 4 };
	cr_expect_float_eq(speed_here(&s, &w, &two), 10, 1e-9);
	cr_expect_float_eq(speed_here(&s, &w, &one), 16, 1e-9);
	cr_expect_float_eq(speed_here(&s, &w, &lone), 20, 1e-9, "half of the processors do nothing");
	cr_expect_float_eq(speed_here(&s, &w, &unknown), 10, 1e-9, "the best there is");
	w.cells = 3;
	cr_expect_float_eq(speed_here(&s, &w, &two), 10 * 4 / 3.0, 1e-9);
	struct work large = { .gflop[SCALING_LARGE][DTYPE_FP32] = 800, .cells = 4 };
	cr_expect_float_eq(speed_here(&s, &large, &unknown), 8, 1e-9);
	cr_expect_eq(scaling_nearest(&s.measured, 9), SCALING_SMALL);
	cr_expect_eq(scaling_nearest(&s.measured, 11), SCALING_LARGE);
}

/* Weights that are missing do not keep arithmetic and memory from being known, nor does how a batch is divided change
 * the arithmetic. */
Test(plan_cost, counted_without_weights_and_whatever_the_microbatch)
{
	SCOPED(plan)
	struct plan *p = must(GRID "data.name = \"cifar10\"\ntrain.batch = 8\n"
	                           "[[axis]]\nkey = \"loss.kind\"\nvalues = [\"pseudo-huber\", \"lpips\"]\n");
	must_measure(p, 0);
	double whole = p->arms[0].step_gflop, image = p->arms[0].image_gflop;
	cr_expect_gt(image, 0);
	cr_expect_gt(whole, 8 * 3 * image, "forward and backward of the student, and the teacher");
	cr_expect_gt(p->arms[1].step_gflop, 8 * 2 * 30, "VGG16 sees both pictures: 31 GFLOP each");
	cr_expect_gt(p->arms[1].memory.bytes, p->arms[0].memory.bytes);
	must_measure(p, 2);
	cr_expect_eq(p->arms[0].memory.parts, 4);
	cr_expect_float_eq(p->arms[0].step_gflop, whole, 1e-6 * whole);
	cr_expect_float_eq(p->arms[0].image_gflop, image, 1e-9);
}

/* The choices of the command line are the rows. */
Test(plan_cost, cards)
{
	char *choices = strdup(CARD_CHOICES), *rest = choices;
	for (const char *name = strtok_r(rest, "|", &rest); name; name = strtok_r(NULL, "|", &rest)) {
		const struct card *c = card_find(name);
		cr_assert(c, "%s", name);
		cr_expect(c->tflops[DTYPE_FP32] > 0 && c->tflops[DTYPE_TF32] >= c->tflops[DTYPE_FP32] &&
		              c->tflops[DTYPE_BF16] >= 1.9 * c->tflops[DTYPE_TF32] && *c->source && c->memory_gb > 0,
		          "%s", name);
	}
	free(choices);
	cr_expect_null(card_find("voodoo"));
	cr_expect_str_eq(card_of_device("NVIDIA H100 80GB HBM3")->name, "h100");
	cr_expect_str_eq(card_of_device("NVIDIA A100-SXM4-80GB")->name, "a100");
	cr_expect_str_eq(card_of_device("NVIDIA L40S")->name, "l40s");
	cr_expect_str_eq(card_of_device("NVIDIA L4")->name, "l4");
	cr_expect_null(card_of_device("NVIDIA GeForce RTX 3060"));
	cr_expect_null(card_of_device("NVIDIA L400"), "a word of the name, not its beginning");
}

/* Each once, with all cells that wait for it, and not only what was found first. */
Test(plan_cost, all_that_is_missing)
{
	(void)setenv("ABLATE_CACHE", tmpdir(), 1);
	(void)setenv("ABLATE_DATA", tmpdir(), 1);
	SCOPED(plan)
	struct plan *p = must(GRID "data.name = \"cifar10\"\n[[axis]]\nkey = \"loss.kind\"\n"
	                           "values = [\"pseudo-huber\", \"lpips\", \"l2\"]\n");
	p->cells[0].state = CELL_CACHED;
	plan_find_missing(p);
	cr_assert_eq(p->n_missing, 3);
	cr_expect_str_eq(p->missing[0].what, "data set cifar10");
	cr_expect_str_eq(p->missing[0].get[0], "ablate data fetch cifar10");
	cr_expect_eq(p->missing[0].cells, 8);
	cr_expect_str_eq(p->missing[2].what, "weights lpips-vgg");
	cr_expect_eq(p->missing[2].cells, 3);
	char reason[PLAN_REASON];
	cr_expect(plan_arm_lacks(reason, sizeof reason, p, &p->arms[1]));
	cr_expect_str_eq(reason, p->missing[1].reason);
	cr_expect_not(plan_arm_lacks(reason, sizeof reason, p, &p->arms[2]));
}

/* Without what its scores compare with a cell would train in vain. */
Test(plan_cost, references_that_are_missing)
{
	(void)setenv("ABLATE_CACHE", tmpdir(), 1);
	SCOPED(plan)
	struct plan *p = must(GRID
	                      "[[metric]]\nname = \"fid\"\nsamples = 50\nref = \"cifar10-test\"\nextractor = \"pixels\"\n"
	                      "[[metric]]\nname = \"kid\"\nsamples = 50\nref = \"gone.npz\"\nextractor = \"pixels\"\n"
	                      "[[metric]]\nname = \"is\"\nsamples = 50\nref = \"shapes8-test\"\nextractor = \"pixels\"\n");
	plan_find_missing(p);
	cr_assert_eq(p->n_missing, 2);
	cr_expect_str_eq(p->missing[0].what, "data set cifar10");
	cr_expect_str_eq(p->missing[0].get[0], "ablate data fetch cifar10");
	cr_expect_eq(p->missing[0].cells, p->n_cells);
	cr_expect_str_eq(p->missing[1].what, "the file ref = \"gone.npz\" of a metric");
	char reason[PLAN_REASON];
	cr_expect(plan_arm_lacks(reason, sizeof reason, p, &p->arms[0]), "not even begun");
}

static void write_statistics(const char *path)
{
	const int64_t d = STATS_DIM;
	struct npz_writer w;
	struct err e = ERR_INIT;
	SCOPED(free) double *mu = xcalloc((size_t)d, sizeof *mu), *sigma = xcalloc((size_t)(d * d), sizeof *sigma);
	cr_assert_eq(npz_create(&w, path, &e) || npz_add(&w, "mu", "<f8", &d, 1, mu, &e) ||
	                 npz_add(&w, "sigma", "<f8", (int64_t[]){ d, d }, 2, sigma, &e) || npz_commit(&w, &e),
	             0, "%s", e.msg);
}

/* Published statistics could be a reference by the path of their copy alone, which no other machine has. What is wrong
 * with them is told before anything trains, and their content is in the keys of the scores. */
Test(plan_cost, published_statistics_are_judged_as_references)
{
#define OF(ref, extractor) \
	"[[metric]]\nname = \"fid\"\nsamples = 50\nref = \"stats:" ref "\"\nextractor = \"" extractor "\"\n"
	(void)setenv("ABLATE_CACHE", tmpdir(), 1);
	char reason[PLAN_REASON], sha256[SHA256_HEX];
	struct err e = ERR_INIT;
	const struct stats_row *row;
	SCOPED(plan) struct plan *edm = must(GRID OF("cifar10-edm", "inception-2015"));
	SCOPED(plan) struct plan *pixels = must(GRID OF("cifar10-pytorch-test", "pixels"));
	SCOPED(plan) struct plan *p = must(GRID OF("cifar10-pytorch-test", "inception-2015"));
	cr_assert(plan_arm_lacks(reason, sizeof reason, pixels, &pixels->arms[0]));
	cr_expect(strstr(reason, "those of the extractor 'pixels' in a study differ"), "%s", reason);
	plan_find_missing(p);
	plan_find_missing(edm);
	cr_assert(p->n_missing == 2 && edm->n_missing == 2, "the weights, too");
	cr_expect_str_eq(p->missing[1].what, "statistics cifar10-pytorch-test");
	cr_expect_str_eq(p->missing[1].get[0], "ablate stats fetch cifar10-pytorch-test");
	cr_expect(strstr(edm->missing[1].what, "inception-2015:tf-bilinear:u8"), "%s", edm->missing[1].what);
	SCOPED(free) char *before = score_ref("shapes8", "stats:cifar10-pytorch-test");
	cr_expect_str_eq(before, "stats:cifar10-pytorch-test");
	SCOPED(free) char *file = xstrfmt("%s/published.npz", tmpdir());
	write_statistics(file);
	cr_assert_eq(stats_row_find(&row, "cifar10-pytorch-test", &e) || stats_import(row, file, sha256, &e), 0, "%s",
	             e.msg);
	SCOPED(plan) struct plan *here = must(GRID OF("cifar10-pytorch-test", "inception-2015"));
	plan_find_missing(here);
	cr_expect_eq(here->n_missing, 1, "the weights alone");
	SCOPED(free) char *path = stats_path(row);
	SCOPED(free) char *by_path = score_ref("shapes8", path);
	SCOPED(free) char *by_name = score_ref("shapes8", "stats:cifar10-pytorch-test");
	cr_expect_str_eq(by_name, by_path, "one content is one reference, however it is named");
	cr_expect(strncmp(by_name, "file ", 5) == 0, "%s", by_name);
	cr_assert_eq(io_write_atomic(path, "other", 5, &e), 0);
	SCOPED(plan) struct plan *changed = must(GRID OF("cifar10-pytorch-test", "inception-2015"));
	plan_find_missing(changed);
	cr_assert_eq(changed->n_missing, 2);
	cr_expect(strstr(changed->missing[1].what, "is not what was imported"), "%s", changed->missing[1].what);
#undef OF
}

/* A dtype that the device lacks blocks a cell; what it would compute is told all the same, as on a card that has it. */
Test(plan_cost, counted_for_a_dtype_that_is_not_here)
{
	SCOPED(plan) struct plan *p = must(GRID "[[axis]]\nkey = \"train.dtype\"\nvalues = [\"fp32\", \"tf32\"]\n");
	must_measure(p, 0);
	cr_expect_eq(p->cells[0].state, CELL_PENDING);
	cr_expect_eq(p->cells[3].state, CELL_BLOCKED);
	cr_expect_gt(p->arms[0].step_gflop, 0);
	cr_expect_float_eq(p->arms[1].step_gflop, p->arms[0].step_gflop, 1e-9);
	cr_expect_float_eq(p->arms[1].image_gflop, p->arms[0].image_gflop, 1e-9);
	cr_expect_eq(p->arms[1].memory.bytes, 0);
}
