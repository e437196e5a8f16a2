/* bench_train.c - see bench_train.h. A step is what training does on the device: student and teacher forward, backward,
 * optimizer with both averages; data and noise are already in place. */
#include "harness/bench/bench_train.h"
#include "model/config/net_spec.h"

#include "model/cpu/devices.h"
#include "model/base/mem.h"
#include "model/base/progress.h"
#include "model/base/rng.h"
#include "model/consistency/step.h"
#include "model/cpu/dnn.h"
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
	enum { N = 2048 };
	float *a = xaligned(sizeof(float) * N * N), *b = xaligned(sizeof(float) * N * N),
		  *c = xaligned(sizeof(float) * N * N);
	rng_normal(a, (size_t)N * N, 1, RNG_SYNTHETIC, 0, 0);
	rng_normal(b, (size_t)N * N, 1, RNG_SYNTHETIC, 1, 0);
	double best = 0;
	for (int i = 0; i < 6; i++) {
		double start = monotonic_s();
		dnn_gemm(DNN_PLAIN, DNN_PLAIN, N, N, N, 1, a, N, b, N, 0, c, N);
		double rate = 2.0 * N * N * N / (monotonic_s() - start) / 1e9;
		best = rate > best ? rate : best;
	}
	free(a);
	free(b);
	free(c);
	return best;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

enum { MAX_STEPS = 1000 };

/* ---- the ceiling of a device: growing products through the same op, until one run is long enough to time --- */

/* Rate of `CHAIN` products in a row, each (high, side) by (side, side); 0 with e set when it cannot be made. */
static double chain_rate(struct backend *b, int64_t high, int64_t side, double *seconds, struct err *e)
{
	enum { CHAIN = 4, RUNS = 5 };
	size_t n = (size_t)(side * side);
	float *w = b->ops->memory.alloc(b, n * sizeof *w, e);
	struct graph *g = graph_new_on(b);
	struct tensor *x = graph_input(g, "x", 1, 2, high / 2, side),
				  *weight = graph_param(g, "w", STORE_FROZEN, 0, side, side, 1, 1);
	for (int i = 0; i < CHAIN; i++)
		x = graph_conv2d(g, x, weight, NULL, 1, 0, 0, false);
	if (b->dtype == DTYPE_BF16)
		(void)graph_set_low(g);
	*seconds = INFINITY;
	if (w && graph_try_plan(g, e) == 0) {
		graph_bind(g, STORE_FROZEN, w);
		for (int i = 0; i <= RUNS; i++) { /* run 0 warms up */
			double start = monotonic_s();
			graph_run(g);
			if (backend_check(b, e))
				break;
			double t = monotonic_s() - start;
			*seconds = i && t < *seconds ? t : *seconds;
		}
	}
	double flops = graph_flops(g);
	graph_free(g);
	if (w)
		b->ops->memory.release(b, w);
	return isfinite(*seconds) ? flops / *seconds / 1e9 : 0;
}

double bench_device_ceiling(struct backend *b, struct err *e)
{
	double best = 0, seconds = 0;
	for (int64_t side = 128; side <= 4096 && seconds < 0.05; side *= 2) {
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
	struct params *p;
	struct graph *g;
	struct step s;
	struct update *update;
	float *buffers[N_BUFFERS];
	void *low; /* the student in bf16, where products read that */
	struct step_control *control;
	struct step_status *status;
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
	if (t->control)
		t->b->ops->memory.release(t->b, t->control);
	if (t->status)
		t->b->ops->memory.release(t->b, t->status);
	if (t->low)
		t->b->ops->memory.release(t->b, t->low);
	params_free(t->p);
}

static void upload_normal(struct graph *g, struct tensor *x, enum rng_stream stream)
{
	size_t n = tensor_count(x);
	SCOPED(free) float *values = xcalloc(n, sizeof *values);
	rng_normal(values, n, 1, stream, 0, 0);
	graph_write(g, x, 0, values, n);
}

static int set_up(struct bench_step *t, const struct bench_config *b, struct err *e)
{
	struct run_config c;
	config_defaults(&c);
	c.loss.c.value = 0.03;
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
	t->s = step_build(t->g, &c, &b->net, t->p, &(struct step_options){ .batch = b->batch, .backward = true });
	if (t->b->dtype == DTYPE_BF16)
		(void)graph_set_low(t->g);
	if (update_new(&t->update, t->g, t->b, t->p, NULL, 1, e))
		return -1;
	if (graph_try_plan(t->g, e))
		return err_in(e, "batch %d", b->batch);
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
	upload_normal(t->g, t->s.x0, RNG_SYNTHETIC);
	upload_normal(t->g, t->s.z, RNG_NOISE);
	for (int i = 0; i < b->batch; i++)
		step_set_noise(&t->s, &c, i, 1.5, 1.2, 3);
	graph_send(t->g);
	return 0;
}

/* Step i; -1 warms up, after which whatever can be recorded is recorded. */
static int one_step(struct bench_step *t, int i, struct err *e)
{
	struct optim o = { OPTIM_ADAM, 1e-4, 0.9, 0.999, 1e-8, 0 };
	struct step_control control = { .optim = optim_step_at(&o, i + 2) };
	t->b->ops->memory.upload(t->b, t->control, &control, sizeof control);
	if (i >= 0 && !t->program && t->b->ops->programs && !graph_profiled(t->g)) {
		if (t->b->ops->programs->begin(t->b, e) || update_run(t->update, e))
			return -1;
		if (t->b->ops->programs->end(t->b, &t->program, e))
			return -1;
	}
	if (t->program)
		t->b->ops->programs->replay(t->b, t->program);
	else if (update_run(t->update, e))
		return -1;
	return backend_check(t->b, e);
}

int bench_train_rate(double *steps_per_s, double seconds, struct err *e)
{
	static const char *const settings[][2] = { { "data.name", "fashion-mnist" },
		                                       { "net.kind", "ddpmpp" },
		                                       { "net.channels", "48" },
		                                       { "net.mult", "[1]" },
		                                       { "net.blocks", "1" },
		                                       { "net.attn", "[7]" },
		                                       { "net.patch", "4" } };
	struct run_config c;
	struct backend *device;
	config_defaults(&c);
	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
		if (config_set_text(&c, settings[i][0], settings[i][1], e))
			return -1;
	if (config_finish(&c, e) || backend_open(&device, "cpu", DTYPE_FP32, e))
		return -1;
	struct bench_config b = { .net = net_spec_of(&c), .batch = 24 };
	struct bench_step t = { .b = device };
	int steps = 0, rc = set_up(&t, &b, e) || one_step(&t, -1, e) ? -1 : 0;
	double start = monotonic_s(), used = 0;
	while (!rc && (!steps || used < seconds)) {
		rc = one_step(&t, steps++, e);
		used = monotonic_s() - start;
	}
	release(&t);
	backend_free(device);
	*steps_per_s = steps / used;
	return rc;
}

static int measure(json_t **out, const struct bench_config *b, struct backend *device, double seconds, struct err *e)
{
	struct bench_step t = { .b = device };
	struct backend_facts facts;
	double times[MAX_STEPS];
	int steps = 0, rc = set_up(&t, b, e);
	double start = monotonic_s();
	for (int i = -1; !rc && i < MAX_STEPS && (i < 3 || monotonic_s() - start < seconds); i++) {
		double t0 = monotonic_s();
		rc = one_step(&t, i, e);
		if (i >= 0)
			times[steps++] = monotonic_s() - t0;
	}
	if (rc) {
		release(&t);
		return -1;
	}
	qsort(times, (size_t)steps, sizeof *times, by_value);
	double median = times[steps / 2], gflop = graph_flops(t.g) / 1e9, traffic = graph_traffic(t.g) / 1e9,
		   planned = (double)graph_bytes(t.g) / 1048576;
	int64_t trained = params_trained(t.p);
	struct rusage use;
	(void)getrusage(RUSAGE_SELF, &use); /* the largest so far: of the earlier configurations, too */
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
	if (facts.convolutions[0])
		(void)json_object_set_new(*out, "convolutions", json_string(facts.convolutions));
	return 0;
}

static int measure_on(json_t *out, const struct bench_config *b, const struct bench_target *target, double seconds,
                      struct err *e)
{
	struct backend *device;
	json_t *row;
	if (backend_open(&device, target->device, target->dtype, e))
		return -1;
	int rc = measure(&row, b, device, seconds, e);
	if (!rc)
		(void)json_array_append_new(out, row);
	backend_free(device);
	return rc;
}

int bench_train(json_t *out, const char *which, int batch, double seconds, const struct bench_target *target,
                struct err *e)
{
	int done = 0;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (!which || strcmp(which, rows[i].name) == 0) {
			struct bench_config b = rows[i];
			b.batch = batch > 0 ? batch : b.batch;
			if (measure_on(out, &b, target, seconds, e))
				return -1;
			done++;
		}
	if (done)
		return 0;
	struct run_config c;
	config_defaults(&c);
	if (config_preset(&c, which, e) || config_finish(&c, e))
		return -1;
	struct bench_config b = { .name = which,
		                      .text = "preset",
		                      .net = net_spec_of(&c),
		                      .batch = batch > 0               ? batch
		                               : c.net.kind == NET_ADM ? 1
		                                                       : 4 };
	return measure_on(out, &b, target, seconds, e);
}
