/* test_train_parity.c - is train_run the training that the papers define? Cells of tests/fixtures/train_run, which
 * tests/peers/train_run_peer.py (PyTorch) and tests/peers/jax_run_peer.py (JAX) have trained in double from the
 * definitions alone, are trained here from the same settings: random streams, initial weights, order of the pictures,
 * noise levels, curriculum, loss, optimizer, averages, and what is sampled from them. The steps of build/tests/parity
 * are of a loop of its own; those here are a cell's.
 *
 * A run stops before its first step and after 8, and resumes. Deviations are told with --verbose; bounds are three to
 * four times the largest of any cell, in fp32 on a CPU with AVX-512 and on the emulated device. The README beside the
 * fixtures has how far away PyTorch's fp32 ends. */
#include "model/base/mem.h"
#include "model/config/net_spec.h"
#include "model/consistency/step.h"
#include "model/formats/safetensors.h"
#include "model/train/ckpt.h"
#include "model/train/sample.h"
#include "model/train/train.h"
#include "tests/common/formula.h"
#include "tests/common/tempdir.h"

#include <criterion/criterion.h>
#include <criterion/logging.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { STEPS = 20, HALF = 8, FILES = 5, RECORDS = 9, SIDE = 8, CHANNELS = 3, SCALE = 4, PROBES = 2, FIRST_VALUES = 2 };
enum { PIXELS = SIDE * SIDE * CHANNELS, CLASSES = 10 };

/* ---- the data set: formulas' 8 x 8 pictures, each pixel a square of a record's 32 x 32 ---------- */

static void fill_record(uint8_t *record, int picture)
{
	SCOPED(free) char *name = xstrfmt("train_run/picture/%d", picture);
	*record++ = (uint8_t)(picture * 7 % CLASSES);
	for (uint64_t c = 0; c < CHANNELS; c++)
		for (uint64_t y = 0; y < SIDE * SCALE; y++)
			for (uint64_t x = 0; x < SIDE * SCALE; x++)
				*record++ = (uint8_t)(formula_hash(name, (c * SIDE + y / SCALE) * SIDE + x / SCALE) >> 56);
}

/* Where data.name = "cifar10@8" is read from. */
static char *make_data(void)
{
	enum { RECORD = 1 + CHANNELS * SIDE * SCALE * SIDE * SCALE };
	char *root = tempdir_make();
	SCOPED(free) char *folder = xstrfmt("%s/cifar10", root);
	cr_assert_eq(mkdir(folder, 0777), 0);
	for (int f = 0; f < FILES; f++) {
		static uint8_t records[RECORDS * RECORD];
		SCOPED(free) char *name = xstrfmt("data_batch_%d.bin", f + 1);
		for (int i = 0; i < RECORDS; i++)
			fill_record(records + (size_t)i * RECORD, f * RECORDS + i);
		free(tempdir_file(folder, name, records, sizeof records));
	}
	cr_assert_eq(setenv("ABLATE_DATA", root, 1), 0);
	return root;
}

/* ---- a cell ----------------------------------------------------------------------------------- */

/* Largest deviations that pass: of a parameter's initial values, relative to their length; of a step's loss and
 * gradient norm, relative; of the change since the start, relative to its length, of all parameters together and of any
 * one; of a sample's value, of which 2 is the range; of 255 levels before they are cut off to bytes. */
static const struct {
	double initial, loss, grad_norm, all, one, answer, level;
} bound = {
	.initial = 4e-7, .loss = 3e-6, .grad_norm = 1e-5, .all = 1e-4, .one = 1.2e-2, .answer = 6e-6, .level = 1e-3
};

struct cell {
	struct safetensors *want;
	struct run_config c;
	struct params *params;
	float *start;
	char *data, *dir;
	const char *device;
	double loss[STEPS + 1], grad_norm[STEPS + 1], n[STEPS + 1];
	int left; /* steps until the run is stopped */
};

static const struct st_tensor *tensor(const struct cell *cell, const char *name)
{
	const struct st_tensor *t = safetensors_find(cell->want, name);
	cr_assert(t, "no %s", name);
	return t;
}

/* Heap: the values of a tensor that has n of them. */
static double *wanted(const struct cell *cell, const char *name, size_t n)
{
	const struct st_tensor *t = tensor(cell, name);
	double *v = xcalloc(n, sizeof *v);
	cr_assert_eq(st_count(t), n, "%s has %zu values, not %zu", name, st_count(t), n);
	st_to_f64(v, t);
	return v;
}

static uint64_t given(const struct cell *cell, int which)
{
	SCOPED(free) double *v = wanted(cell, "given", 4);
	return (uint64_t)v[which];
}
enum { GIVEN_SEED, GIVEN_SAMPLES_SEED, GIVEN_FIRST, GIVEN_SAMPLES };

/* The CPU, or the device of a plugin: the emulated one's in the test train_parity_cuda. */
static const char *choose_device(void)
{
	const char *plugin = getenv("ABLATE_TEST_PLUGIN");
	if (!plugin)
		return "cpu";
	cr_assert_eq(setenv("ABLATE_CUDA_PLUGIN", plugin, 1), 0);
	return "cuda";
}

/* A network's weights by formulas, in a file that the student starts from and steps are taken with. */
static void use_file(struct cell *cell)
{
	int n = params_count(cell->params);
	struct err e = ERR_INIT;
	SCOPED(free) char *path = xstrfmt("%s/weights.safetensors", cell->data);
	SCOPED(free) struct st_tensor *tensors = xcalloc((size_t)n, sizeof *tensors);
	for (int i = 0; i < n; i++) {
		const struct param *q = params_get(cell->params, i);
		SCOPED(free) char *name = xstrfmt("train_run/weights/%d", i);
		size_t fan_in = q->count / (size_t)q->dims[0];
		float *v = cell->start + q->at;
		for (size_t j = 0; j < q->count; j++)
			v[j] = (float)(q->ndim > 1 ? formula_u(name, j) * sqrt(3 / (double)fan_in)
			                           : (q->init == INIT_ONE) + 0.1 * formula_u(name, j));
		tensors[i] = (struct st_tensor){ .name = q->name, .dtype = ST_F32, .n_dims = q->ndim, .data = v };
		memcpy(tensors[i].dims, q->dims, (size_t)q->ndim * sizeof *q->dims);
	}
	cr_assert_eq(safetensors_write(path, tensors, (size_t)n, NULL, 0, NULL, &e), 0, "%s", e.msg);
	cr_assert_eq(config_set_text(&cell->c, "net.init", path, &e), 0, "%s", e.msg);
	cr_assert_eq(config_set_text(&cell->c, "cd.teacher", path, &e), 0, "%s", e.msg);
	cr_assert_eq(config_finish(&cell->c, &e), 0, "%s", e.msg);
}

static void open_cell(struct cell *cell, const char *name)
{
	struct err e = ERR_INIT;
	SCOPED(free) char *path = xstrfmt("%s/train_run/%s.safetensors", FIXTURES, name);
	*cell = (struct cell){ .data = make_data(), .dir = tempdir_make(), .device = choose_device() };
	cr_assert_eq(safetensors_open(&cell->want, path, &e), 0, "%s", e.msg);
	config_defaults(&cell->c);
	for (size_t i = 0; i < cell->want->n_meta; i++)
		cr_assert_eq(config_set_text(&cell->c, cell->want->meta[i].key, cell->want->meta[i].value, &e), 0, "%s", e.msg);
	cr_assert_eq(config_finish(&cell->c, &e), 0, "%s", e.msg);
	struct net_spec net = net_spec_of(&cell->c);
	cell->params = net_params(&net);
	cell->start = xaligned(params_floats(cell->params) * sizeof *cell->start);
	if (cell->c.net.init[0])
		use_file(cell);
}

static void close_cell(struct cell *cell)
{
	safetensors_free(cell->want);
	params_free(cell->params);
	free(cell->start);
	tempdir_remove(cell->data);
	tempdir_remove(cell->dir);
}

static void keep_point(void *ctx, const char *name, int64_t step, double value)
{
	struct cell *cell = ctx;
	double *of = strcmp(name, "loss") == 0 ? cell->loss : strcmp(name, "grad_norm") == 0 ? cell->grad_norm : cell->n;
	cr_assert(step > 0 && step <= STEPS);
	of[step] = value;
}

static bool stop(void *ctx)
{
	return ((struct cell *)ctx)->left-- == 0;
}

/* Trains on from the newest checkpoint to step `to`. */
static struct train_result train(struct cell *cell, int from, int to, int microbatch)
{
	struct train_result r;
	struct err e = ERR_INIT;
	struct train_hooks hooks = { .ctx = cell, .curve = keep_point, .stop = stop };
	struct train_options o = { .seed = given(cell, GIVEN_SEED),
		                       .dir = cell->dir,
		                       .threads = 1,
		                       .curve_every = 1,
		                       .microbatch = microbatch,
		                       .device = cell->device };
	cell->left = to - from;
	cr_assert_eq(train_run(&r, &cell->c, &o, &hooks, &e), 0, "%s", e.msg);
	cr_assert_eq(r.resumed_from, from);
	cr_assert_eq(r.step, to);
	return r;
}

/* ---- comparing -------------------------------------------------------------------------------- */

static void check(const char *what, double deviation, double most)
{
	cr_log_info("%-28s %.1e of %.1e", what, deviation, most);
	cr_expect(deviation <= most, "%s: %g away, more than %g", what, deviation, most);
}

static double worse(double a, double b)
{
	return isnan(a) || a > b ? a : b; /* NaN stays */
}

static void check_curve(const struct cell *cell, const char *name, const double *got, double most)
{
	SCOPED(free) double *want = wanted(cell, name, STEPS);
	double worst = 0;
	for (int k = 0; k < STEPS; k++)
		worst = worse(worst, fabs(got[k + 1] - want[k]) / fabs(want[k]));
	check(name, worst, most);
}

/* How far one parameter's values v are from their digests, per length of the wanted: by their products with formulas,
 * which estimate the error's length, and by the first values. `least`: lengths below count as this. */
static double parameter_deviation(const double *v, size_t n, int at, const double *probe, const double *first,
                                  double length, double least)
{
	double error = 0, worst = 0, scale = fmax(length, least);
	for (int p = 0; p < PROBES; p++) {
		SCOPED(free) char *name = xstrfmt("train_run/probe/%d/%d", p, at);
		double sum = 0;
		for (size_t i = 0; i < n; i++)
			sum += v[i] * formula_u(name, i);
		error += 3 * pow(sum - probe[p], 2) / PROBES; /* the mean of u^2 is 1/3 */
	}
	for (size_t i = 0; i < n && i < FIRST_VALUES; i++)
		worst = worse(worst, fabs(v[i] - first[i]));
	return worse(sqrt(error), worst) / scale;
}

/* Weights less `start`, against the digests named `what`. A parameter that changes little beside the others, by less
 * than a thousandth of the largest change, drowns in the rounding of its storage. */
static void check_weights(const struct cell *cell, const char *what, const float *w, const float *start, double all,
                          double one)
{
	size_t n = (size_t)params_count(cell->params);
	SCOPED(free)
	char *probes = xstrfmt("probe.%s", what), *firsts = xstrfmt("first.%s", what),
		 *lengths = xstrfmt("length.%s", what), *single = xstrfmt("%s, one parameter", what);
	SCOPED(free)
	double *probe = wanted(cell, probes, n * PROBES), *first = wanted(cell, firsts, n * FIRST_VALUES),
		   *length = wanted(cell, lengths, n);
	double error = 0, change = 0, largest = 0, worst = 0;
	for (size_t i = 0; i < n; i++)
		largest = fmax(largest, length[i]);
	for (size_t i = 0; i < n; i++) {
		const struct param *q = params_get(cell->params, (int)i);
		SCOPED(free) double *v = xcalloc(q->count, sizeof *v);
		double least = 1e-3 * largest;
		for (size_t j = 0; j < q->count; j++)
			v[j] = (double)w[q->at + j] - (start ? (double)start[q->at + j] : 0);
		double off = parameter_deviation(v, q->count, (int)i, probe + i * PROBES, first + i * FIRST_VALUES, length[i],
		                                 least);
		error += pow(off * fmax(length[i], least), 2);
		change += pow(length[i], 2);
		worst = worse(worst, off);
	}
	check(what, sqrt(error / change), all);
	check(single, worst, one);
}

/* One part of a checkpoint; heap. */
static float *part_of(const struct cell *cell, const char *checkpoint, enum ckpt_part part)
{
	struct err e = ERR_INIT;
	float *w = xaligned(params_floats(cell->params) * sizeof *w);
	cr_assert_eq(ckpt_load_part(w, cell->params, part, cell->c.ema.decay, checkpoint, &e), 0, "%s", e.msg);
	return w;
}

/* Answers to latents, one evaluation each, before they are pixels. */
static void check_answers(const struct cell *cell, struct sampler *s, int step)
{
	int64_t n = (int64_t)given(cell, GIVEN_SAMPLES), first = (int64_t)given(cell, GIVEN_FIRST);
	uint64_t seed = given(cell, GIVEN_SAMPLES_SEED);
	size_t all = (size_t)n * PIXELS;
	struct err e = ERR_INIT;
	SCOPED(free) char *name = xstrfmt("answer@%d", step);
	SCOPED(free) double *want = wanted(cell, name, all);
	SCOPED(free) float *x = xaligned(all * sizeof *x);
	SCOPED(free) int64_t *numbers = xcalloc((size_t)n, sizeof *numbers);
	for (int64_t i = 0; i < n; i++) {
		numbers[i] = first + i;
		sampler_latent(x + i * PIXELS, s, seed, 0, first + i);
	}
	for (size_t j = 0; j < all; j++)
		x[j] *= (float)cell->c.sigma.max;
	cr_assert_eq(sampler_denoise(s, x, x, numbers, n, cell->c.sigma.max, seed, &e), 0, "%s", e.msg);
	double worst = 0;
	for (size_t j = 0; j < all; j++)
		worst = worse(worst, fabs((double)x[j] - want[j]));
	check(name, worst, bound.answer);
}

/* Bytes: levels, as far away as may be, without their fractions. */
static void check_bytes(const struct cell *cell, struct sampler *s, int step, int nfe)
{
	int64_t n = (int64_t)given(cell, GIVEN_SAMPLES);
	size_t all = (size_t)n * PIXELS, wrong = 0;
	struct err e = ERR_INIT;
	SCOPED(free) char *name = xstrfmt("level%d@%d", nfe, step);
	SCOPED(free) double *level = wanted(cell, name, all);
	SCOPED(free) uint8_t *bytes = xcalloc(all, 1);
	cr_assert_eq(
		sampler_run(s, bytes, (int64_t)given(cell, GIVEN_FIRST), n, given(cell, GIVEN_SAMPLES_SEED), nfe, NULL, &e), 0,
		"%s", e.msg);
	for (size_t j = 0; j < all; j++)
		wrong += !(bytes[j] >= floor(level[j] - bound.level) && bytes[j] <= floor(level[j] + bound.level));
	cr_expect_eq(wrong, 0, "%s: %zu of %zu bytes", name, wrong, all);
}

static void check_checkpoint(const struct cell *cell, const char *path, int step)
{
	static const struct {
		const char *name;
		enum ckpt_part part;
	} parts[] = { { "student", CKPT_STUDENT }, { "ema", CKPT_EMA }, { "teacher", CKPT_TEACHER } };
	struct sampler *s;
	struct err e = ERR_INIT;
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		SCOPED(free) char *what = xstrfmt("%s@%d", parts[i].name, step);
		if (parts[i].part == CKPT_TEACHER && !step_has_average(&cell->c))
			continue;
		SCOPED(free) float *w = part_of(cell, path, parts[i].part);
		check_weights(cell, what, w, cell->start, bound.all, bound.one);
	}
	cr_assert_eq(sampler_open(&s, &cell->c, path, "cpu", &e), 0, "%s", e.msg);
	check_answers(cell, s, step);
	for (int nfe = 1; nfe <= 2; nfe++)
		check_bytes(cell, s, step, nfe);
	sampler_free(s);
}

static void check_cell(const char *name, int microbatch)
{
	struct cell cell;
	open_cell(&cell, name);
	struct train_result r = train(&cell, 0, 0, microbatch);
	SCOPED(free) float *start = part_of(&cell, r.checkpoint, CKPT_STUDENT);
	memcpy(cell.start, start, params_floats(cell.params) * sizeof *start);
	check_weights(&cell, "initial@0", start, NULL, bound.initial, bound.initial);

	r = train(&cell, 0, HALF, microbatch);
	check_checkpoint(&cell, r.checkpoint, HALF);
	r = train(&cell, HALF, STEPS, microbatch);
	cr_expect_eq(r.end, TRAIN_DONE);
	check_checkpoint(&cell, r.checkpoint, STEPS);

	if (config_has_grid(&cell.c))
		check_curve(&cell, "n", cell.n, 0);
	check_curve(&cell, "loss", cell.loss, bound.loss);
	check_curve(&cell, "grad_norm", cell.grad_norm, bound.grad_norm);
	close_cell(&cell);
}

/* ---- cells ------------------------------------------------------------------------------------ */

/* NCSN++ with attention, RAdam, Pseudo-Huber, lognormal levels, N doubling twice, dropout, flips. */
Test(train_parity, improved_consistency_training, .timeout = 600)
{
	check_cell("ict", 0);
}

/* ADM of ten classes, Adam, an averaged teacher by mu(k), L2, uniform levels, bytes cut off; samples that are clipped
 * between their steps; in two micro-batches. */
Test(train_parity, consistency_training, .timeout = 600)
{
	check_cell("ct", 4);
}

/* DDPM++ of ten classes under ECT, across its stages, against a teacher of a constant average with masks of its own;
 * samples that nothing clips. */
Test(train_parity, easy_consistency_tuning, .timeout = 600)
{
	check_cell("ect", 0);
}

/* ADM without scale and shift, distilled from the network of a file, which it starts as, by Heun's steps; Adam, L2
 * summed, dropout at the smaller sides alone, samples of the student. */
Test(train_parity, consistency_distillation, .timeout = 600)
{
	check_cell("cd", 0);
}

/* DDPM++ with attention and dropout under sCT: the target by the change of the answer, which PyTorch has from its own
 * forward mode, tangent warm-up, a learned weight; samples by TrigFlow's preconditioning. */
Test(train_parity, continuous_time_consistency_training, .timeout = 600)
{
	check_cell("sct", 0);
}

/* DDPM++ of two times under MeanFlow, with attention, dropout and flips: the target by the change of the answer, which
 * JAX has from its own forward mode; adaptive weight, Adam; samples of one step and of two equal ones. */
Test(train_parity, mean_velocities, .timeout = 600)
{
	check_cell("meanflow", 0);
}

/* Both stages of TCM, resumed in the first: the average that becomes the frozen network, boundary samples, a cut t
 * distribution, the gap's limit, RAdam beginning anew. */
Test(train_parity, truncated_consistency_training, .timeout = 600)
{
	check_cell("tcm", 0);
}

/* CT on a grid of infinitely many levels: the change of the whole answer, which JAX has from its own forward mode as a
 * function of the level alone; a cut law of the noise, the grid's weight, Pseudo-Huber's limit. */
Test(train_parity, consistency_training_in_continuous_time, .timeout = 600)
{
	check_cell("ct-continuous", 0);
}

/* ECT of ten classes whose targets begin at the mean of reference pictures. */
Test(train_parity, variance_reduced_targets, .timeout = 600)
{
	check_cell("references", 0);
}

/* iCT's levels with half of the pictures made by an average, pairs by optimal transport, Cauchy's loss with a c that
 * falls as N grows. */
Test(train_parity, generated_pictures_and_transport, .timeout = 600)
{
	check_cell("coupling", 0);
}
