/* train.c - see train.h. One step: draw the batch, its noise and its discretization indices from counters, run the graph,
 * apply the optimizer and both averages. Nothing but the step number decides what is drawn. */
#include "model/train.h"

#include "model/base/mem.h"
#include "model/base/progress.h"
#include "model/base/rng.h"
#include "model/ckpt.h"
#include "model/cpu.h"
#include "model/consistency/schedule.h"
#include "model/consistency/step.h"
#include "model/data/dataset.h"
#include "model/model.h"
#include "model/nets/net_weights.h"
#include "model/optim.h"
#include "model/safetensors.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct trainer {
	const struct run_config *c;
	const struct train_options *o;
	const struct train_hooks *hooks;
	struct dataset data;
	struct net_spec net;
	struct params *params;
	float *parts[N_CKPT_PARTS], *grad, *diffusion; /* diffusion: the frozen network of method.kind = "cd", or NULL */
	struct classifier classifier;
	struct lpips_loss lpips;          /* for loss.kind = "lpips" */
	struct step step;
	struct graph *g;
	double *cdf;                      /* of the current N */
	int64_t cdf_n;
	char *config_json;
	double loss_sum;                  /* since the last curve point */
	int64_t loss_steps;
};

static bool has_teacher(const struct run_config *c)
{
	return c->teacher.ema.named || c->teacher.ema.value > 0;
}

static void release(struct trainer *t)
{
	graph_free(t->g);
	for (int i = 0; i < N_CKPT_PARTS; i++)
		free(t->parts[i]);
	free(t->grad);
	free(t->diffusion);
	free(t->cdf);
	free(t->config_json);
	params_free(t->params);
	classifier_release(&t->classifier);
	lpips_loss_release(&t->lpips);
	dataset_release(&t->data);
}

/* ---- setting up ----------------------------------------------------------------------------------------------------- */

static int supported(const struct run_config *c, const char *device, struct err *e)
{
	if (device && strcmp(device, "cpu") != 0 && strcmp(device, "auto") != 0)
		return err_set(e, "device '%s': this build trains on the cpu only", device);
	if (c->train.dtype != DTYPE_FP32)
		return err_code(e, EXIT_USAGE, "train.dtype: the cpu trains in fp32 only");
	return 0;
}

/* The weights of loss.kind = "lpips" and "lpips-average": VGG16 at 224 x 224, as consistency training has it (jcm losses.py:359-366). */
static int load_lpips(struct trainer *t, struct err *e)
{
	struct safetensors *backbone = NULL, *heads = NULL;
	if (!t->o->lpips_backbone || !t->o->lpips_heads)
		return err_set(e, "loss.kind = \"%s\" needs the weights lpips-vgg-backbone and lpips-vgg (`ablate weights list`); "
		                  "lpips-classifier needs none", t->c->loss.kind == LOSS_LPIPS ? "lpips" : "lpips-average");
	struct lpips_loss_options o = { .net = LPIPS_VGG, .side = LPIPS_LOSS_SIDE, .channels = t->data.c,
	                               .average = t->c->loss.kind == LOSS_LPIPS_AVERAGE };
	int rc = safetensors_open(&backbone, t->o->lpips_backbone, e) || safetensors_open(&heads, t->o->lpips_heads, e) ||
	         lpips_loss_init(&t->lpips, &o, backbone, heads, e) ? -1 : 0;
	safetensors_free(backbone);
	safetensors_free(heads);
	return rc;
}

/* Random, then what net.init holds over it; the frozen network that distillation steps with. */
static int initial_weights(struct trainer *t, struct err *e)
{
	params_init(t->params, t->parts[CKPT_STUDENT], t->o->seed);
	if (t->c->net.init[0] && net_weights_load(t->parts[CKPT_STUDENT], t->params, t->c->net.init, e))
		return err_in(e, "net.init");
	if (t->c->method.kind != METHOD_CD)
		return 0;
	t->diffusion = xaligned(params_floats(t->params) * sizeof(float));
	params_init(t->params, t->diffusion, t->o->seed);
	return net_weights_load(t->diffusion, t->params, t->c->cd.teacher, e) ? err_in(e, "cd.teacher") : 0;
}

static int set_up(struct trainer *t, struct err *e)
{
	const struct run_config *c = t->c;
	if (supported(c, t->o->device, e) || dataset_open(&t->data, c->data.name, SPLIT_TRAIN, e))
		return -1;
	if (c->net.classes && c->net.classes < t->data.classes)
		return err_code(e, EXIT_USAGE, "net.classes = %d, but %s has %d classes", c->net.classes, c->data.name, t->data.classes);
	if (c->loss.kind == LOSS_LPIPS_CLASSIFIER && classifier_load(&t->classifier, c->data.name, e))
		return -1;
	if (config_needs_lpips(c) && load_lpips(t, e))
		return -1;
	t->config_json = config_json(c);
	t->net = net_spec_of(c);
	t->params = net_params(&t->net);
	size_t bytes = params_floats(t->params) * sizeof(float);
	for (int i = 0; i < N_CKPT_PARTS; i++)
		if (i != CKPT_TEACHER || has_teacher(c))
			t->parts[i] = xaligned(bytes);
	t->grad = xaligned(bytes);
	if (initial_weights(t, e))
		return -1;
	memcpy(t->parts[CKPT_EMA], t->parts[CKPT_STUDENT], bytes);
	if (has_teacher(c))
		memcpy(t->parts[CKPT_TEACHER], t->parts[CKPT_STUDENT], bytes);

	t->g = graph_new();
	t->step = step_build(t->g, c, &t->net, t->params, &(struct step_options){ .batch = c->train.batch, .dropout = true, .backward = true,
	                     .classifier = t->classifier.params ? &t->classifier : NULL, .lpips = t->lpips.params ? &t->lpips : NULL });
	graph_plan(t->g);
	graph_bind(t->g, STORE_STUDENT, t->parts[CKPT_STUDENT]);
	graph_bind(t->g, STORE_TEACHER, t->parts[has_teacher(c) ? CKPT_TEACHER : CKPT_STUDENT]);
	graph_bind(t->g, STORE_GRAD, t->grad);
	graph_bind(t->g, STORE_DIFFUSION, t->diffusion);
	graph_bind(t->g, STORE_FROZEN, t->lpips.params ? t->lpips.weights : t->classifier.weights);
	return 0;
}

/* ---- one step --------------------------------------------------------------------------------------------------------- */

/* Sample i of step k: which image, mirrored or not. Epochs are permutations of the training set. */
static int64_t pick(const struct trainer *t, int64_t k, int i, int *flip)
{
	uint64_t at = (uint64_t)k * (uint64_t)t->c->train.batch + (uint64_t)i, n = (uint64_t)t->data.n;
	*flip = t->c->data.flip && rng_uniform(t->o->seed, RNG_FLIP, (uint32_t)k, (uint64_t)i) < 0.5f;
	return (int64_t)rng_permute(at % n, n, t->o->seed, RNG_ORDER, (uint32_t)(at / n));
}

struct batch { struct trainer *t; int64_t k; };

static void batch_range(void *ctx, int64_t first, int64_t last)
{
	struct batch *b = ctx;
	struct trainer *t = b->t;
	int64_t per = (int64_t)t->data.h * t->data.w * t->data.c;
	for (int64_t i = first; i < last; i++) {
		int flip;
		int64_t image = pick(t, b->k, (int)i, &flip);
		dataset_image(t->step.x0->data + i * per, &t->data, image, flip);
		rng_normal(t->step.z->data + i * per, (size_t)per, t->o->seed, RNG_NOISE, (uint32_t)b->k, (uint64_t)(i * ((per + 3) / 4 * 4)));
		for (int64_t l = 0; t->step.labels && l < t->net.classes; l++)
			t->step.labels->data[i * t->net.classes + l] = t->data.labels[image] == l;
	}
}

/* Standard normal by inverting its distribution function in double. */
static double normal_of(double u)
{
	double lo = -40, hi = 40; /* bisection on erfc: 100 halvings are exact, and this is drawn once per sample */
	for (int i = 0; i < 100; i++) {
		double mid = (lo + hi) / 2;
		if (0.5 * erfc(-mid / sqrt(2)) < u)
			lo = mid;
		else
			hi = mid;
	}
	return (lo + hi) / 2;
}

static void draw_noise_levels(struct trainer *t, int64_t k, int64_t n)
{
	const struct run_config *c = t->c;
	if (c->method.kind != METHOD_ECT && t->cdf_n != n) {
		t->cdf = xrealloc(t->cdf, (size_t)n, sizeof *t->cdf);
		t->cdf_n = n;
		index_cdf(t->cdf, c, n);
	}
	for (int i = 0; i < c->train.batch; i++) {
		double u = rng_uniform_double(t->o->seed, RNG_SIGMA, (uint32_t)k, (uint64_t)i), big, small;
		if (c->method.kind == METHOD_ECT) {
			if (c->noise.dist == NOISE_LOGNORMAL)
				big = exp(c->noise.mean + c->noise.std * normal_of(u));
			else
				big = c->sigma.min + u * (c->sigma.max - c->sigma.min);
			small = ect_r(c, big, k);
		} else {
			int64_t index = index_of(t->cdf, n, u);
			small = sigma_at(c, n, index);
			big = sigma_at(c, n, index + 1);
		}
		step_set_noise(&t->step, c, i, big, small, loss_weight(c, big, small));
	}
}

/* Runs step k. Returns false when the loss is not finite: then nothing was updated. */
static bool one_step(struct trainer *t, int64_t k)
{
	const struct run_config *c = t->c;
	int64_t n = schedule_n(c, k);
	draw_noise_levels(t, k, n);
	cpu_split(c->train.batch, 4, batch_range, &(struct batch){ t, k });
	graph_set_step(t->g, t->o->seed, (uint32_t)k);
	graph_run(t->g);
	double loss = (double)t->step.loss->data[0];
	if (!isfinite(loss))
		return false;
	struct optim o = { (enum optim_kind)c->optim.kind, c->optim.lr, c->optim.beta1, c->optim.beta2, c->optim.eps, 0 };
	struct optim_step s = optim_step_at(&o, k + 1);
	optim_apply(&s, params_floats(t->params), t->parts[CKPT_STUDENT], t->grad, t->parts[CKPT_M], t->parts[CKPT_V], t->parts[CKPT_EMA],
	            c->ema.decay, t->parts[CKPT_TEACHER], has_teacher(c) ? schedule_mu(c, k) : 0);
	t->loss_sum += loss;
	t->loss_steps++;
	return true;
}

/* ---- the run ------------------------------------------------------------------------------------------------------------ */

static double grad_norm(const struct trainer *t)
{
	double sum = 0;
	for (size_t i = 0; i < params_floats(t->params); i++)
		sum += (double)t->grad[i] * (double)t->grad[i];
	return sqrt(sum);
}

static void tell_curve(struct trainer *t, int64_t step)
{
	const struct train_hooks *h = t->hooks;
	if (h && h->curve && t->loss_steps) {
		h->curve(h->ctx, "loss", step, t->loss_sum / (double)t->loss_steps);
		h->curve(h->ctx, "grad_norm", step, grad_norm(t));
		h->curve(h->ctx, "n", step, (double)schedule_n(t->c, step - 1));
	}
	t->loss_sum = 0;
	t->loss_steps = 0;
}

static struct ckpt_state state_of(struct trainer *t, int64_t step)
{
	struct ckpt_state s = { .params = t->params, .step = step, .seed = t->o->seed, .config = t->config_json,
	                        .loss_sum = t->loss_sum, .loss_steps = t->loss_steps };
	memcpy(s.parts, t->parts, sizeof s.parts);
	return s;
}

static int save(struct train_result *r, struct trainer *t, int64_t step, struct err *e)
{
	struct ckpt_state s = state_of(t, step);
	SCOPED(free) char *path = NULL;
	if (ckpt_save(&path, r->checkpoint_sha256, t->o->dir, &s, e))
		return -1;
	if (strlen(path) >= sizeof r->checkpoint)
		return err_set(e, "%s: path too long", path);
	memcpy(r->checkpoint, path, strlen(path) + 1);
	const struct train_hooks *h = t->hooks;
	return h && h->checkpoint ? h->checkpoint(h->ctx, step, path, r->checkpoint_sha256, e) : 0;
}

static int resume(struct train_result *r, struct trainer *t, struct err *e)
{
	struct ckpt_state s = state_of(t, 0);
	SCOPED(free) char *path = NULL;
	int found = ckpt_resume(&s, &path, t->o->dir, t->hooks ? t->hooks->say : NULL, t->hooks ? t->hooks->ctx : NULL, e);
	if (found <= 0)
		return found;
	r->step = r->resumed_from = s.step;
	t->loss_sum = s.loss_sum;
	t->loss_steps = s.loss_steps;
	if (strlen(path) >= sizeof r->checkpoint)
		return err_set(e, "%s: path too long", path);
	memcpy(r->checkpoint, path, strlen(path) + 1);
	return io_sha256_file(r->checkpoint_sha256, path, e);
}

static int run(struct train_result *r, struct trainer *t, struct err *e)
{
	const struct train_hooks *h = t->hooks;
	int64_t total = t->c->train.steps, every = t->o->curve_every ? t->o->curve_every : total / 100 > 0 ? total / 100 : 1;
	struct progress *progress = h ? h->progress : NULL;
	int64_t saved_at = r->checkpoint[0] ? r->step : -1;
	while (r->step < total) {
		if (h && h->stop && h->stop(h->ctx)) {
			r->end = TRAIN_STOPPED;
			break;
		}
		if (!one_step(t, r->step)) {
			r->end = TRAIN_DIVERGED;
			return 0;
		}
		r->step++;
		r->final_loss = (double)t->step.loss->data[0];
		if (r->step % every == 0 || r->step == total)
			tell_curve(t, r->step);
		if (progress) {
			(void)snprintf(progress->note, sizeof progress->note, "loss %.4g", r->final_loss);
			progress_step(progress, r->step * t->c->train.batch);
		}
		if (t->o->checkpoint_every && r->step % t->o->checkpoint_every == 0 && r->step < total) {
			if (save(r, t, r->step, e))
				return -1;
			saved_at = r->step;
		}
	}
	return saved_at == r->step ? 0 : save(r, t, r->step, e);
}

int train_data_sha256(char hex[SHA256_HEX], const struct run_config *config, struct err *e)
{
	return dataset_sha256(hex, config->data.name, SPLIT_TRAIN, e);
}

int train_run(struct train_result *out, const struct run_config *config, const struct train_options *options,
              const struct train_hooks *hooks, struct err *e)
{
	struct trainer t = { .c = config, .o = options, .hooks = hooks };
	struct train_result r = { .end = TRAIN_DONE };
	model_init(options->threads);
	int rc = set_up(&t, e);
	if (!rc)
		rc = resume(&r, &t, e);
	if (!rc) {
		memcpy(r.data_sha256, t.data.sha256, sizeof r.data_sha256);
		rc = run(&r, &t, e);
	}
	release(&t);
	if (!rc)
		*out = r;
	return rc;
}
