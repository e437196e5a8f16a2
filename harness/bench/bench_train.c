/* bench_train.c - see bench_train.h. A step is what training does on the device: student and teacher forward, backward,
 * optimizer; its batch is made there from bytes and counters. */
#include "harness/bench/bench_train.h"
#include "harness/bench/bench_profile.h"
#include "metrics/math/sort.h"
#include "model/config/net_spec.h"

#include "model/cpu/devices.h"
#include "model/base/mem.h"
#include "model/base/progress.h"
#include "model/base/rng.h"
#include "model/consistency/step.h"
#include "model/cpu/dnn_product.h"
#include "model/train/model.h"
#include "model/graph/optim.h"
#include "model/graph/param_store.h"
#include "model/train/update.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

struct bench_config {
	const char *name, *text;
	struct net_spec net;
	int batch;
};

static const struct bench_config rows[] = {
	{ "a",
	  "32x32x1, 32 ch, [1,2,2], 1 block, attention 8",
	  { .kind = NET_DDPMPP,
	    .h = 32,
	    .w = 32,
	    .in_c = 1,
	    .out_c = 1,
	    .channels = 32,
	    .blocks = 1,
	    .n_mult = 3,
	    .mult = { 1, 2, 2 },
	    .n_attn = 1,
	    .attn = { 8 },
	    .taps = 2,
	    .noise_mult = 1,
	    .emb_mult = 4 },
	  64 },
	{ "b",
	  "32x32x3, 64 ch, [1,2,2], 2 blocks, attention 16",
	  { .kind = NET_DDPMPP,
	    .h = 32,
	    .w = 32,
	    .in_c = 3,
	    .out_c = 3,
	    .channels = 64,
	    .blocks = 2,
	    .n_mult = 3,
	    .mult = { 1, 2, 2 },
	    .n_attn = 1,
	    .attn = { 16 },
	    .taps = 2,
	    .noise_mult = 1,
	    .emb_mult = 4 },
	  32 },
};

double bench_gemm_ceiling(void)
{
	enum { N = 2000 }; /* of rows a multiple of 4 KiB apart oneDNN 2.6 makes half as much with AVX2 */
	float *a = xaligned(sizeof(float) * N * N), *b = xaligned(sizeof(float) * N * N),
		  *c = xaligned(sizeof(float) * N * N);
	rng_normal(a, (size_t)N * N, 1, RNG_SYNTHETIC, 0, 0);
	rng_normal(b, (size_t)N * N, 1, RNG_SYNTHETIC, 1, 0);
	double best = 0;
	for (int i = 0; i < 6; i++) {
		double start = monotonic_s();
		dnn_product(DNN_PLAIN, N, N, N, a, b, 0, c);
		double rate = 2.0 * N * N * N / (monotonic_s() - start) / 1e9;
		best = rate > best ? rate : best;
	}
	free(a);
	free(b);
	free(c);
	return best;
}

enum { MAX_STEPS = 1000 };

/* ---- the ceiling of a device: growing products through the same op, until one run is long enough to time --- */

/* Standard normal numbers times `scale`, a block of them over and over: drawing 2^28 of them would take longer than the
 * products do. */
static void fill_random(struct graph *g, struct tensor *x, float scale)
{
	enum { BLOCK = (1 << 20) + 7 }; /* no divisor of a row's length, so that rows differ */
	size_t n = tensor_count(x), block = n < BLOCK ? n : BLOCK;
	SCOPED(free) float *values = xmalloc(block * sizeof *values);
	rng_normal(values, block, 1, RNG_SYNTHETIC, 0, 0);
	for (size_t i = 0; i < block; i++)
		values[i] *= scale;
	for (size_t at = 0; at < n; at += block)
		graph_write(g, x, at, values, n - at < block ? n - at : block);
}

/* The products of random numbers are neither zeros nor infinite. */
static int check_product(struct graph *g, const struct tensor *x, struct err *e)
{
	enum { LOOKED_AT = 64 };
	float values[LOOKED_AT];
	double sum = 0;
	graph_read(g, values, x, 0, LOOKED_AT);
	for (int i = 0; i < LOOKED_AT; i++)
		sum += fabs((double)values[i]);
	return sum > 0 && isfinite(sum) ? 0 : err_set(e, "random numbers have a product of mean %g", sum / LOOKED_AT);
}

/* Rate of `CHAIN` products in a row, each (high, side) by (side, side); 0 with e set when it cannot be made. */
static double chain_rate(struct backend *b, int64_t high, int64_t side, double *seconds, struct err *e)
{
	enum { CHAIN = 4, RUNS = 5 };
	size_t n = (size_t)(side * side);
	float *w = b->ops->memory.alloc(b, n * sizeof *w, e);
	struct graph *g = graph_new_on(b);
	struct tensor *in = graph_input(g, "x", 1, 2, high / 2, side), *x = in,
				  *weight = graph_param(g, "w", STORE_FROZEN, 0, side, side, 1, 1);
	for (int i = 0; i < CHAIN; i++)
		x = graph_conv2d(g, x, weight, NULL, 1, 0, 0, false);
	graph_keep(in); /* not a place for later products */
	graph_keep(x);
	if (b->dtype == DTYPE_BF16)
		(void)graph_set_low(g);
	*seconds = INFINITY;
	if (w && graph_try_plan(g, e) == 0) {
		graph_bind(g, STORE_FROZEN, w);
		fill_random(g, in, 1);
		fill_random(g, weight, 1 / sqrtf((float)side)); /* the products are as large as the factors */
		for (int i = 0; i <= RUNS; i++) {               /* run 0 warms up */
			double start = monotonic_s();
			graph_run(g);
			if (backend_check(b, e))
				break;
			double t = monotonic_s() - start;
			*seconds = i && t < *seconds ? t : *seconds;
		}
	}
	if (isfinite(*seconds) && check_product(g, x, e))
		*seconds = INFINITY;
	double flops = graph_flops(g);
	graph_free(g);
	if (w)
		b->ops->memory.release(b, w);
	return isfinite(*seconds) ? flops / *seconds / 1e9 : 0;
}

/* Is there memory for it? Three tensors of (high, side) live at a time, and the factor. */
static bool has_room(struct backend *b, int64_t high, int64_t side)
{
	struct backend_facts f;
	b->ops->facts(b, &f);
	return !f.memory_free || 4.0 * (double)(3 * high + side) * (double)side < (double)f.memory_free;
}

double bench_device_ceiling(struct backend *b, struct err *e)
{
	double best = 0, seconds = 0;
	for (int64_t side = 128; side <= 4096 && seconds < 0.05; side *= 2) {
		if (best > 0 && !has_room(b, 16 * side, side))
			break;
		double rate = chain_rate(b, 16 * side, side, &seconds, e);
		if (!(rate > 0))
			return 0;
		best = rate > best ? rate : best;
	}
	return best;
}

/* ---- the step -------------------------------------------------------------------------------- */

/* Like the peer's step (tests/peers/train_peer.py): the teacher is the student, and no average is kept. */
enum { STUDENT, MOMENT, SQUARE, N_BUFFERS };

struct bench_step {
	struct backend *b;
	double lr;
	struct params *p;
	struct graph *g;
	struct step s;
	struct update *update;
	float *buffers[N_BUFFERS];
	void *low; /* the student in bf16, where products read that */
	struct step_control *control;
	struct step_status *status;
	uint8_t *images;
	struct sample_draw *draws;
	struct batch_job batch;
	void *program;
};

static void release(struct bench_step *t)
{
	if (t->program)
		t->b->ops->programs->free(t->b, t->program);
	update_free(t->update);
	graph_free(t->g);
	for (int i = 0; i < N_BUFFERS; i++)
		if (t->buffers[i])
			t->b->ops->memory.release(t->b, t->buffers[i]);
	void *const blocks[] = { t->control, t->status, t->low, t->images, t->draws };
	for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
		if (blocks[i])
			t->b->ops->memory.release(t->b, blocks[i]);
	params_free(t->p);
}

/* Pictures of random bytes, every other one mirrored, and classes in turn if there are any: what a step makes its batch
 * from. */
static int set_up_batch(struct bench_step *t, int batch, int classes, struct err *e)
{
	const struct backend_memory *m = &t->b->ops->memory;
	const struct tensor *x0 = t->s.x0;
	size_t pixels = tensor_count(x0);
	if (!(t->images = m->alloc(t->b, pixels, e)) || !(t->draws = m->alloc(t->b, (size_t)batch * sizeof *t->draws, e)))
		return -1;
	SCOPED(free) uint8_t *images = xmalloc(pixels);
	SCOPED(free) struct sample_draw *draws = xcalloc((size_t)batch, sizeof *draws);
	for (size_t i = 0; i < pixels; i++)
		images[i] = (uint8_t)(256 * rng_uniform(1, RNG_SYNTHETIC, 0, i));
	for (int i = 0; i < batch; i++)
		draws[i] = (struct sample_draw){ .image = i, .flip = i % 2, .label = classes ? i % classes : 0 };
	m->upload(t->b, t->images, images, pixels);
	m->upload(t->b, t->draws, draws, (size_t)batch * sizeof *draws);
	t->batch = (struct batch_job){ .control = t->control,
		                           .draws = t->draws,
		                           .images = t->images,
		                           .batch = batch,
		                           .h = (int)x0->h,
		                           .w = (int)x0->w,
		                           .c = (int)x0->c,
		                           .classes = classes,
		                           .x0 = x0->data,
		                           .z = t->s.z->data,
		                           .labels = t->s.labels ? t->s.labels->data : NULL };
	return 0;
}

/* Plans the step's memory; where it does not fit, the batch that would. */
static int plan(struct bench_step *t, int batch, struct err *e)
{
	struct backend_facts f;
	if (graph_try_plan(t->g, e) == 0)
		return 0;
	t->b->ops->facts(t->b, &f);
	double need = (double)graph_bytes(t->g), fits = floor(batch * (double)f.memory_free / need);
	if (need > 0 && f.memory_free && fits >= 1)
		return err_set(e, "--batch %d needs %.1f MiB of %s's memory and %.1f are free; --batch %.0f would fit", batch,
		               need / 0x1p20, t->b->name, (double)f.memory_free / 0x1p20, fits);
	return err_in(e, "--batch %d", batch);
}

static int set_up(struct bench_step *t, const struct bench_config *b, struct err *e)
{
	struct run_config c;
	config_defaults(&c);
	c.loss.c.value = 0.00054 * sqrt((double)b->net.h * b->net.w * b->net.in_c); /* iCT section 3.3 */
	t->p = net_params(&b->net);
	size_t n = params_floats(t->p);
	for (int i = 0; i < N_BUFFERS; i++)
		if (!(t->buffers[i] = t->b->ops->memory.alloc(t->b, n * sizeof(float), e)))
			return -1;
	if (params_low_alloc(&t->low, t->b, t->p, e))
		return -1;
	if (!(t->control = t->b->ops->memory.alloc(t->b, sizeof *t->control, e)) ||
	    !(t->status = t->b->ops->memory.alloc(t->b, sizeof *t->status, e)))
		return -1;
	float *weights = t->b->ops->host_memory ? t->buffers[STUDENT] : xaligned(n * sizeof *weights);
	params_init(t->p, weights, 1);
	params_upload(t->b, t->p, t->buffers[STUDENT], weights);
	params_round(t->b, t->p, t->low, t->buffers[STUDENT]);
	if (weights != t->buffers[STUDENT])
		free(weights);
	t->g = graph_new_on(t->b);
	graph_by_taps(t->g, STORE_STUDENT);
	graph_by_taps(t->g, STORE_TEACHER);
	t->s = step_build(t->g, &c, &b->net, t->p,
	                  &(struct step_options){ .batch = b->batch, .dropout = true, .backward = true });
	if (t->b->dtype == DTYPE_BF16)
		(void)graph_set_low(t->g);
	if (update_new(&t->update, t->g, t->b, t->p, NULL, 1, e) || plan(t, b->batch, e))
		return -1;
	graph_bind(t->g, STORE_STUDENT, t->buffers[STUDENT]);
	graph_bind(t->g, STORE_TEACHER, t->buffers[STUDENT]);
	graph_bind_low(t->g, STORE_STUDENT, t->low);
	graph_bind_low(t->g, STORE_TEACHER, t->low);
	update_bind(t->update,
	            &(struct update_stores){ .p = t->buffers[STUDENT],
	                                     .m = t->buffers[MOMENT],
	                                     .v = t->buffers[SQUARE],
	                                     .low = t->low,
	                                     .control = t->control,
	                                     .status = t->status },
	            t->s.loss);
	for (int i = 0; i < b->batch; i++) { /* levels as in the peer: from e^-4 to e^3, the teacher's a tenth below */
		double high = exp(-4 + 7 * (i + 0.5) / b->batch), low = 0.9 * high;
		step_set_noise(&t->s, &c, i, high, low, 1 / (high - low));
	}
	step_set_c(&t->s, c.loss.c.value);
	return set_up_batch(t, b->batch, b->net.classes, e);
}

/* What the device does in one step, as in training. */
static int enqueue(struct bench_step *t, struct err *e)
{
	t->b->ops->training.batch(t->b, &t->batch);
	return update_run(t->update, e);
}

/* Step i; -1 warms up, after which whatever can be recorded is recorded. */
static int one_step(struct bench_step *t, int i, struct err *e)
{
	struct optim o = { OPTIM_ADAM, t->lr, 0.9, 0.999, 1e-8, 0 };
	struct step_control control = { .scalars = { 1, (uint32_t)(i + 1), 0 }, .optim = optim_step_at(&o, i + 2) };
	t->b->ops->memory.upload(t->b, t->control, &control, sizeof control);
	graph_send(t->g);
	graph_set_step(t->g, 1, (uint32_t)(i + 1)); /* what dropout draws by */
	if (i >= 0 && !t->program && t->b->ops->programs && !graph_profiled(t->g)) {
		if (t->b->ops->programs->begin(t->b, e) || enqueue(t, e))
			return -1;
		if (t->b->ops->programs->end(t->b, &t->program, e))
			return -1;
	}
	if (t->program)
		t->b->ops->programs->replay(t->b, t->program);
	else if (enqueue(t, e))
		return -1;
	return backend_check(t->b, e);
}

/* The loss of the last step. */
static int look(double *loss, const struct bench_step *t, struct err *e)
{
	struct step_status s;
	t->b->ops->memory.download(t->b, &s, t->status, sizeof s);
	*loss = (double)s.loss;
	return s.diverged || !isfinite(s.loss)
	           ? err_set(e, "the loss is not finite after step %lld: such a step updates nothing and is not timed",
	                     (long long)s.done + 1)
	           : 0;
}

/* The network of ablations/quickstart.toml, as a config. */
static int quickstart(struct run_config *c, struct bench_config *out, struct err *e)
{
	static const char *const settings[][2] = { { "data.name", "fashion-mnist@14" },
		                                       { "net.kind", "ddpmpp" },
		                                       { "net.channels", "32" },
		                                       { "net.mult", "[1]" },
		                                       { "net.blocks", "1" },
		                                       { "net.attn", "[7]" },
		                                       { "net.patch", "2" } };
	config_defaults(c);
	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
		if (config_set_text(c, settings[i][0], settings[i][1], e))
			return -1;
	if (config_finish(c, e))
		return -1;
	*out = (struct bench_config){
		.name = "quickstart", .text = "ablations/quickstart.toml", .net = net_spec_of(c), .batch = 24
	};
	return 0;
}

int bench_train_rate(double *steps_per_s, const struct bench_rate *what, struct err *e)
{
	struct run_config c;
	struct backend *device;
	struct bench_config b = rows[0];
	config_defaults(&c);
	b.batch = 16;
	if ((!what->large && quickstart(&c, &b, e)) || backend_open(&device, "cpu", DTYPE_FP32, e))
		return -1;
	struct bench_step t = { .b = device, .lr = c.optim.lr };
	int steps = 0, rc = set_up(&t, &b, e) || one_step(&t, -1, e) ? -1 : 0;
	if (!rc && what->ready)
		rc = what->ready(graph_flops(t.g) / 1e9, e);
	double loss, start = monotonic_s(), used = 0;
	while (!rc && (!steps || used < what->seconds)) {
		rc = one_step(&t, steps++, e);
		used = monotonic_s() - start;
	}
	rc = rc || look(&loss, &t, e) ? -1 : 0;
	release(&t);
	backend_free(device);
	*steps_per_s = steps / used;
	return rc;
}

/* As one_step, clocked by part. */
static int profiled_step(struct bench_profile *p, struct bench_step *t, int i, struct err *e)
{
	double start = monotonic_s();
	cpu_clock_start();
	int rc = one_step(t, i, e);
	cpu_clock_stop(p->parts);
	p->seconds += monotonic_s() - start;
	p->steps++;
	return rc;
}

static int measure(json_t **out, const struct bench_config *b, const struct bench_train *what, struct backend *device,
                   struct err *e)
{
	struct bench_step t = { .b = device, .lr = what->lr };
	struct backend_facts facts;
	struct bench_profile profile = { 0 };
	double times[MAX_STEPS], loss = 0;
	int steps = 0, rc = set_up(&t, b, e);
	double start = monotonic_s();
	for (int i = -1; !rc && i < MAX_STEPS && (i < 3 || monotonic_s() - start < what->seconds); i++) {
		double t0 = monotonic_s();
		rc = what->profile && i >= 0 ? profiled_step(&profile, &t, i, e) : one_step(&t, i, e);
		double took = monotonic_s() - t0;
		rc = rc || look(&loss, &t, e) ? -1 : 0;
		if (i >= 0)
			times[steps++] = took;
	}
	if (rc) {
		release(&t);
		return err_in(e, "%s", b->name);
	}
	sort_doubles(times, steps);
	double median = times[steps / 2], gflop = graph_flops(t.g) / 1e9, traffic = graph_traffic(t.g) / 1e9,
		   planned = (double)graph_bytes(t.g) / 1048576;
	int64_t trained = params_trained(t.p);
	struct rusage use;
	(void)getrusage(RUSAGE_SELF, &use); /* the largest so far: of the earlier configurations and their copies, too */
	graph_profile(t.g, stderr);
	release(&t);
	double ceiling = device->ops->host_memory ? bench_gemm_ceiling() : bench_device_ceiling(device, e);
	if (!(ceiling > 0))
		return err_in(e, "the matrix product beside it");
	device->ops->facts(device, &facts);
	*out = json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "config",
	                 b->name, "net", b->text, "device", device->name, "device_is", facts.device, "dtype",
	                 dtype_name(device->dtype), "batch", b->batch, "threads", model_threads(), "parameters",
	                 (json_int_t)trained, "step_s", median, "images_per_s", b->batch / median, "gflop_per_step", gflop,
	                 "gbyte_per_step", traffic, "gflop_per_s", gflop / median, "ceiling_gflop_per_s", ceiling,
	                 "share_of_ceiling", gflop / median / ceiling, "planned_mib", planned, "peak_rss_mib",
	                 (double)use.ru_maxrss / 1024);
	if (facts.libraries[0])
		(void)json_object_set_new(*out, "libraries", json_string(facts.libraries));
	(void)json_object_update_new(*out, json_pack("{s:f, s:f, s:i, s:f, s:b}", "dropout", b->net.dropout, "lr", what->lr,
	                                             "steps", steps, "loss", loss, "loss_finite", true));
	if (facts.convolutions[0])
		(void)json_object_set_new(*out, "convolutions", json_string(facts.convolutions));
	if (what->profile)
		(void)json_object_set_new(*out, "profile", bench_profile_json(&profile, ceiling, bench_copy_ceiling()));
	return 0;
}

static int measure_on(json_t *out, const struct bench_config *config, const struct bench_train *what, struct err *e)
{
	struct bench_config b = *config;
	struct backend *device;
	json_t *row;
	b.batch = what->batch > 0 ? what->batch : b.batch;
	b.net.dropout = what->dropout >= 0 ? what->dropout : b.net.dropout;
	if (backend_open(&device, what->target.device, what->target.dtype, e))
		return -1;
	int rc = what->profile && !device->ops->host_memory
	             ? err_set(e, "--profile clocks the CPU, not %s: ABLATE_PROFILE=1 times the operations of a device",
	                       device->name)
	             : measure(&row, &b, what, device, e);
	if (!rc)
		(void)json_array_append_new(out, row);
	backend_free(device);
	return rc;
}

/* A configuration by its name: a row, the quickstart's, or a preset. */
static int find(struct bench_config *out, const char *name, struct err *e)
{
	struct run_config c;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (strcmp(name, rows[i].name) == 0) {
			*out = rows[i];
			return 0;
		}
	if (strcmp(name, "quickstart") == 0)
		return quickstart(&c, out, e);
	config_defaults(&c);
	if (config_preset(&c, name, e) || config_finish(&c, e))
		return -1;
	*out = (struct bench_config){
		.name = name, .text = "preset", .net = net_spec_of(&c), .batch = c.net.kind == NET_ADM ? 1 : 4
	};
	out->net.second_time = false; /* the steps that are timed are iCT's */
	return 0;
}

int bench_train(json_t *out, const struct bench_train *what, struct err *e)
{
	static const char *const measured[] = { "a", "b", NULL }, *const profiled[] = {
		"quickstart", "a", "b", "ict-cifar10", "ict-imagenet64", NULL
	};
	const char *const one[] = { what->which, NULL };
	struct bench_config b;
	for (const char *const *name = what->which ? one : what->profile ? profiled : measured; *name; name++)
		if (find(&b, *name, e) || measure_on(out, &b, what, e))
			return -1;
	return 0;
}
