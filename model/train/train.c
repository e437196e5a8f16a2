/* train.c - see train.h. One step: draw from counters which images and noise levels the batch has, hand these few
 * numbers to the device, and let it make the batch, run the graph and apply the optimizer and the averages. Of a step
 * in micro-batches all but the last of these is done once for each. Nothing but the step number decides what is drawn.
 * The device is waited for when its answer is needed: every step on the CPU, elsewhere at the points of the curves, at
 * checkpoints and at the end. */
#include "model/train/train.h"

#include "model/cpu/devices.h"
#include "model/base/mem.h"
#include "model/base/progress.h"
#include "model/train/averages.h"
#include "model/train/ckpt.h"
#include "model/consistency/schedule.h"
#include "model/consistency/step.h"
#include "model/consistency/truncated.h"
#include "model/data/dataset.h"
#include "model/train/draw.h"
#include "model/train/fit.h"
#include "model/train/model.h"
#include "model/nets/net_weights.h"
#include "model/graph/optim.h"
#include "model/graph/param_store.h"
#include "model/train/references.h"
#include "model/train/team.h"
#include "model/train/update.h"

#include <stdlib.h>
#include <string.h>

struct trainer {
	const struct run_config *c;
	const struct train_options *o;
	const struct train_hooks *hooks;
	struct team *team; /* borrowed; NULL: alone */
	struct split split;
	int64_t first; /* the place in each batch of the first sample that is this process' */
	struct dataset data;
	struct draws random; /* what the samples of a step are */
	struct references references;
	struct recipe recipe;
	const struct params *params; /* the recipe's */
	struct backend *b;
	float *parts[N_CKPT_PARTS];      /* the device's */
	float *host[N_CKPT_PARTS];       /* where the host reads them; the same memory where that can be */
	struct averages more;            /* averages beside CKPT_EMA */
	void *low[N_CKPT_PARTS];         /* the device's parts in bf16 beside them, where products read that */
	float *frozen, *frozen_on;       /* weights that a loss needs, and the device's copy */
	float *diffusion, *diffusion_on; /* the frozen network of method.kind = "cd", or NULL */
	void *diffusion_low;
	uint8_t *images_on;                   /* the training set on the device */
	struct sample_draw *draws, *draws_on; /* (micro) of the next part of a step */
	struct step_control *control_on;
	struct step_status status, *status_on;
	void *programs[2]; /* recorded: a step, or a part of one and its end; NULL: not yet, or not by this back end */
	bool warm;         /* a step has run: recording may begin */
	struct step step;
	struct graph *g;
	struct update *update;
	char *config_json;
};

static void release_device(struct trainer *t)
{
	const struct backend_ops *ops = t->b->ops;
	for (size_t i = 0; i < sizeof t->programs / sizeof *t->programs; i++)
		if (t->programs[i])
			ops->programs->free(t->b, t->programs[i]);
	update_free(t->update);
	graph_free(t->g);
	for (int i = 0; i < N_CKPT_PARTS; i++) {
		if (t->host[i] != t->parts[i])
			free(t->host[i]);
		if (t->parts[i])
			ops->memory.release(t->b, t->parts[i]);
		if (t->low[i])
			ops->memory.release(t->b, t->low[i]);
	}
	averages_release(&t->more, t->b);
	references_release(&t->references);
	void *const rest[] = { t->draws_on, t->control_on, t->status_on, t->diffusion_low,
		                   t->images_on != t->data.images ? t->images_on : NULL };
	for (size_t i = 0; i < sizeof rest / sizeof *rest; i++)
		if (rest[i])
			ops->memory.release(t->b, rest[i]);
	backend_return(t->b, t->frozen_on, t->frozen);
	backend_return(t->b, t->diffusion_on, t->diffusion);
	backend_free(t->b);
}

static void release(struct trainer *t)
{
	if (t->b)
		release_device(t);
	free(t->diffusion);
	free(t->draws);
	draws_release(&t->random);
	free(t->config_json);
	recipe_release(&t->recipe);
	dataset_release(&t->data);
}

/* ---- setting up ------------------------------------------------------------------------------ */

/* Random, then overwritten by what net.init has; the frozen network that distillation steps with. */
static int initial_weights(struct trainer *t, struct err *e)
{
	params_init(t->params, t->host[CKPT_STUDENT], t->o->seed);
	if (t->c->net.init[0] && net_weights_load(t->host[CKPT_STUDENT], t->params, t->c->net.init, e))
		return err_in(e, "net.init");
	if (t->c->method.kind != METHOD_CD)
		return 0;
	t->diffusion = xaligned(params_floats(t->params) * sizeof(float));
	params_init(t->params, t->diffusion, t->o->seed);
	if (net_weights_load(t->diffusion, t->params, t->c->cd.teacher, e))
		return err_in(e, "cd.teacher");
	if (params_lend(&t->diffusion_on, t->b, t->params, t->diffusion, e) ||
	    params_low_alloc(&t->diffusion_low, t->b, t->params, e))
		return -1;
	params_round(t->b, t->params, t->diffusion_low, t->diffusion_on);
	return 0;
}

static int device_memory(void *out, struct trainer *t, size_t bytes, const char *what, struct err *e)
{
	void *p = t->b->ops->memory.alloc(t->b, bytes, e);
	if (!p)
		return err_in(e, "%s", what);
	memcpy(out, &p, sizeof p);
	return 0;
}

/* A flat store of the parameters' length on the device, and where the host reads it. */
static int store(float **on, float **host, struct trainer *t, const char *what, struct err *e)
{
	size_t bytes = params_floats(t->params) * sizeof(float);
	if (device_memory(on, t, bytes, what, e))
		return -1;
	*host = t->b->ops->host_memory ? *on : xaligned(bytes);
	return 0;
}

/* Parts from host memory to the device's. */
static void put_parts(struct trainer *t)
{
	for (int i = 0; i < N_CKPT_PARTS; i++) {
		if (t->parts[i])
			params_upload(t->b, t->params, t->parts[i], t->host[i]);
		params_round(t->b, t->params, t->low[i], t->parts[i]);
	}
	averages_upload(&t->more, t->b, t->params);
}

static int set_up_memory(struct trainer *t, struct err *e)
{
	size_t image_bytes = (size_t)t->data.n * (size_t)t->data.h * (size_t)t->data.w * (size_t)t->data.c,
		   batch = (size_t)t->split.micro;
	for (int i = 0; i < N_CKPT_PARTS; i++)
		if ((i != CKPT_TEACHER || step_has_average(t->c)) && store(&t->parts[i], &t->host[i], t, "parameters", e))
			return -1;
	if (averages_alloc(&t->more, t->b, t->params, e))
		return -1;
	if (params_low_alloc(&t->low[CKPT_STUDENT], t->b, t->params, e) ||
	    (step_has_average(t->c) && params_low_alloc(&t->low[CKPT_TEACHER], t->b, t->params, e)))
		return -1;
	t->draws = xcalloc(batch, sizeof *t->draws);
	if (references_open(&t->references, t->b, t->c, &t->data, e) ||
	    device_memory(&t->draws_on, t, batch * sizeof *t->draws, "a batch", e) ||
	    device_memory(&t->control_on, t, sizeof *t->control_on, "a step", e) ||
	    device_memory(&t->status_on, t, sizeof *t->status_on, "a step", e))
		return -1;
	if (t->b->ops->host_memory) {
		t->images_on = t->data.images;
	} else {
		if (device_memory(&t->images_on, t, image_bytes, "the data set", e))
			return -1;
		t->b->ops->memory.upload(t->b, t->images_on, t->data.images, image_bytes);
	}
	const struct params *frozen = recipe_frozen(&t->frozen, &t->recipe);
	return frozen ? params_lend(&t->frozen_on, t->b, frozen, t->frozen, e) : 0;
}

/* Before anything is asked of the device: what does not fit is refused with the micro-batch that would. */
static int check_fit(struct trainer *t, struct err *e)
{
	const struct fit_place on = { .b = t->b, .ranks = team_size(t->team), .sharers = 1, .averages = t->more.n };
	struct fit f, small;
	int micro;
	if (t->b->ops->host_memory) /* which grows as it is used, and is shared with all that runs */
		return 0;
	if (fit_measure(&f, &t->recipe, &on, &t->split, e))
		return -1;
	if (fits(&f))
		return 0;
	if (fit_largest(&micro, &small, &t->recipe, &on, e))
		return -1;
	return fit_refuse(e, t->b->name, &f, t->split.micro, micro);
}

/* What computes the step's convolutions, for the record. */
static void tell_device(const struct trainer *t)
{
	struct backend_facts f;
	t->b->ops->facts(t->b, &f);
	if (!f.convolutions[0] || !t->hooks || !t->hooks->say)
		return;
	SCOPED(free) char *line = xstrfmt("%s: convolutions of a step: %s", t->b->name, f.convolutions);
	t->hooks->say(t->hooks->ctx, line);
}

/* Which engine computes each of them, where the clock chose: that decides bits, so the record holds it. Engines are
 * chosen when they first run. */
static void tell_engines(const struct trainer *t)
{
	struct backend_facts f;
	char text[1024];
	t->b->ops->facts(t->b, &f);
	if (!f.timed || !t->hooks || !t->hooks->say)
		return;
	for (int i = 0; t->b->ops->convolution(t->b, i, text, sizeof text); i++) {
		SCOPED(free) char *line = xstrfmt("%s: %s", t->b->name, text);
		t->hooks->say(t->hooks->ctx, line);
	}
}

/* Which part of every batch is ours. */
static int take_share(struct trainer *t, struct err *e)
{
	if (split_of(&t->split, t->c, team_size(t->team), t->o->microbatch, e))
		return -1;
	t->first = (int64_t)t->split.share * team_rank(t->team);
	return 0;
}

static int set_up(struct trainer *t, struct err *e)
{
	const struct run_config *c = t->c;
	char device[32];
	team_device(device, t->team, t->o->device);
	if (backend_open(&t->b, device, c->train.dtype, e) || (t->team && team_join_devices(t->team, t->b, e)) ||
	    dataset_open(&t->data, c->data.name, SPLIT_TRAIN, e) || take_share(t, e) ||
	    averages_list(&t->more, t->o->ema, t->o->n_ema, c->ema.decay, e))
		return -1;
	if (c->net.classes && c->net.classes < t->data.classes)
		return err_code(e, EXIT_USAGE, "net.classes = %d, but %s has %d classes", c->net.classes, c->data.name,
		                t->data.classes);
	if (recipe_open(&t->recipe, c, t->o->lpips_backbone, t->o->lpips_heads, e) || check_fit(t, e))
		return -1;
	t->random = (struct draws){ .c = c, .data = &t->data, .seed = t->o->seed };
	t->config_json = config_json(c);
	t->params = t->recipe.params;
	size_t bytes = params_floats(t->params) * sizeof(float);
	if (set_up_memory(t, e) || initial_weights(t, e))
		return -1;
	memcpy(t->host[CKPT_EMA], t->host[CKPT_STUDENT], bytes);
	averages_begin(&t->more, t->params, t->host[CKPT_STUDENT]);
	if (step_has_average(c))
		memcpy(t->host[CKPT_TEACHER], t->host[CKPT_STUDENT], bytes);

	t->g = recipe_record(&t->step, &t->recipe, t->b, t->split.micro);
	if (update_new(&t->update, t->g, t->b, t->params, t->team, t->split.parts, e))
		return -1;
	if (graph_try_plan(t->g, e))
		return err_in(e, "%d samples at once", t->split.micro);
	tell_device(t);
	enum ckpt_part teacher = step_has_teacher(c) ? CKPT_TEACHER : CKPT_STUDENT;
	graph_bind(t->g, STORE_STUDENT, t->parts[CKPT_STUDENT]);
	graph_bind(t->g, STORE_TEACHER, t->parts[teacher]);
	graph_bind(t->g, STORE_DIFFUSION, t->diffusion_on);
	graph_bind_low(t->g, STORE_STUDENT, t->low[CKPT_STUDENT]);
	graph_bind_low(t->g, STORE_TEACHER, t->low[teacher]);
	graph_bind_low(t->g, STORE_DIFFUSION, t->diffusion_low);
	graph_bind_low(t->g, STORE_AVERAGE, t->low[CKPT_TEACHER]);
	graph_bind(t->g, STORE_FROZEN, t->frozen_on);
	graph_bind(t->g, STORE_AVERAGE, t->parts[CKPT_TEACHER]);
	update_bind(t->update,
	            &(struct update_stores){ .p = t->parts[CKPT_STUDENT],
	                                     .m = t->parts[CKPT_M],
	                                     .v = t->parts[CKPT_V],
	                                     .ema = t->parts[CKPT_EMA],
	                                     .teacher = t->parts[CKPT_TEACHER],
	                                     .more = t->more.v,
	                                     .n_more = t->more.n,
	                                     .low = t->low[CKPT_STUDENT],
	                                     .low_teacher = t->low[CKPT_TEACHER],
	                                     .control = t->control_on,
	                                     .status = t->status_on },
	            t->step.loss);
	return 0;
}

/* ---- one step -------------------------------------------------------------------------------- */

/* What the device does in one part of a step, in order. */
static int enqueue_part(struct trainer *t, struct err *e)
{
	(void)e;
	struct batch_job batch = { .control = t->control_on,
		                       .draws = t->draws_on,
		                       .images = t->images_on,
		                       .batch = t->split.micro,
		                       .h = t->data.h,
		                       .w = t->data.w,
		                       .c = t->data.c,
		                       .classes = t->recipe.net.classes,
		                       .x0 = t->step.x0->data,
		                       .z = t->step.z->data,
		                       .labels = t->step.labels ? t->step.labels->data : NULL };
	t->b->ops->training.batch(t->b, &batch);
	references_fill(&t->references, &t->step, t->control_on, t->images_on);
	update_part(t->update);
	return 0;
}

static int enqueue_end(struct trainer *t, struct err *e)
{
	return update_end(t->update, e);
}

static int enqueue_step(struct trainer *t, struct err *e)
{
	return enqueue_part(t, e) || enqueue_end(t, e) ? -1 : 0;
}

/* Starts what `enqueue` does. In the first step it runs directly; back ends that can record replay the record from the
 * second on. */
static int start(struct trainer *t, void **program, int (*enqueue)(struct trainer *t, struct err *e), struct err *e)
{
	const struct backend_programs *programs = t->b->ops->programs;
	if (!*program && t->warm && programs && !graph_profiled(t->g) &&
	    (programs->begin(t->b, e) || enqueue(t, e) || programs->end(t->b, program, e)))
		return -1;
	if (!*program)
		return enqueue(t, e);
	programs->replay(t->b, *program);
	return 0;
}

/* Hands the device what a part of step k has. */
static void send_part(struct trainer *t, int64_t k, int part, const struct step_control *of_step)
{
	const struct backend_memory *memory = &t->b->ops->memory;
	int64_t first = t->first + (int64_t)part * t->split.micro;
	struct step_control control = *of_step;
	control.scalars = (struct step_scalars){ t->o->seed, (uint32_t)k, (uint32_t)first };
	control.part = part;
	draw_noise_levels(&t->step, &t->random, &t->split, k, first);
	draw_coupling(&t->step, &t->random, k, first, t->split.micro);
	draw_images(t->draws, &t->random, k, first, t->split.micro);
	references_draw(&t->references, &t->random, k);
	references_tell(&t->references, &t->step, t->draws, t->split.micro);
	memory->upload(t->b, t->draws_on, t->draws, (size_t)t->split.micro * sizeof *t->draws);
	memory->upload(t->b, t->control_on, &control, sizeof control);
	graph_send(t->g);
	graph_set_first(t->g, (uint32_t)first);
	graph_set_step(t->g, t->o->seed, (uint32_t)k);
}

/* TCM: the first stage's average is where the second begins, and stays as its frozen network. */
static void begin_second_stage(struct trainer *t)
{
	size_t bytes = params_floats(t->params) * sizeof(float);
	params_download(t->b, t->params, t->host[CKPT_TEACHER], t->parts[CKPT_TEACHER]);
	memcpy(t->host[CKPT_STUDENT], t->host[CKPT_TEACHER], bytes);
	memcpy(t->host[CKPT_EMA], t->host[CKPT_TEACHER], bytes);
	memset(t->host[CKPT_M], 0, bytes);
	memset(t->host[CKPT_V], 0, bytes);
	averages_begin(&t->more, t->params, t->host[CKPT_TEACHER]);
	put_parts(t);
}

/* The decay of the second average (step_has_average); TCM's is kept by the second stage. */
static double second_decay(const struct run_config *c, int64_t k)
{
	if (config_generator_share(c) > 0)
		return c->coupling.ema;
	if (c->method.kind == METHOD_TCM)
		return truncated_at(c, k) ? 1 : c->tcm.ema;
	return step_has_teacher(c) ? schedule_mu(c, k) : 0;
}

/* Starts step k. */
static int one_step(struct trainer *t, int64_t k, struct err *e)
{
	const struct run_config *c = t->c;
	int parts = t->split.parts;
	int64_t stage = truncated_at(c, k) ? truncated_first_steps(c) : 0; /* where the optimizer begins */
	struct optim o = {
		(enum optim_kind)c->optim.kind, truncated_rate(c, k), c->optim.beta1, c->optim.beta2, c->optim.eps, 0
	};
	if (stage == k && truncated_at(c, k))
		begin_second_stage(t);
	struct step_control control = { .optim = optim_step_at(&o, k - stage + 1),
		                            .ema = average_of(c->ema.decay),
		                            .teacher = average_of(second_decay(c, k)) };
	for (int part = 0; part < parts; part++) {
		send_part(t, k, part, &control);
		if (start(t, &t->programs[0], parts > 1 ? enqueue_part : enqueue_step, e))
			return -1;
	}
	if (parts > 1 && start(t, &t->programs[1], enqueue_end, e))
		return -1;
	if (!t->warm)
		tell_engines(t);
	t->warm = true;
	return 0;
}

/* Waits for the steps so far and reads what they left behind. If one diverged, r->step is its number. */
static int look(struct train_result *r, struct trainer *t, struct err *e)
{
	t->b->ops->memory.download(t->b, &t->status, t->status_on, sizeof t->status);
	if (backend_check(t->b, e))
		return err_in(e, "step %lld on %s", (long long)r->step, t->b->name);
	if (t->status.diverged) {
		r->step = t->status.done;
		r->end = TRAIN_DIVERGED;
	} else {
		r->final_loss = (double)t->status.loss;
	}
	return 0;
}

static void put_status(struct trainer *t)
{
	t->b->ops->memory.upload(t->b, t->status_on, &t->status, sizeof t->status);
}

/* ---- the run --------------------------------------------------------------------------------- */

static void tell_curve(struct trainer *t, int64_t step)
{
	const struct train_hooks *h = t->hooks;
	if (h && h->curve && t->status.loss_steps) {
		h->curve(h->ctx, "loss", step, t->status.loss_sum / (double)t->status.loss_steps);
		h->curve(h->ctx, "grad_norm", step, update_norm(t->update));
		h->curve(h->ctx, "n", step, (double)schedule_n(t->c, step - 1));
	}
	t->status.loss_sum = 0;
	t->status.loss_steps = 0;
	put_status(t);
}

static struct ckpt_state state_of(struct trainer *t, int64_t step)
{
	struct ckpt_state s = { .params = t->params,
		                    .step = step,
		                    .seed = t->o->seed,
		                    .config = t->config_json,
		                    .decay = t->c->ema.decay,
		                    .more = t->more.host,
		                    .n_more = t->more.n,
		                    .loss_sum = t->status.loss_sum,
		                    .loss_steps = t->status.loss_steps };
	memcpy(s.parts, t->host, sizeof s.parts);
	return s;
}

/* After look(). Of a team, one writes. */
static int save(struct train_result *r, struct trainer *t, int64_t step, struct err *e)
{
	if (team_rank(t->team) > 0)
		return 0;
	struct ckpt_state s = state_of(t, step);
	for (int i = 0; i < N_CKPT_PARTS; i++)
		if (t->parts[i])
			params_download(t->b, t->params, t->host[i], t->parts[i]);
	averages_download(&t->more, t->b, t->params);
	if (backend_check(t->b, e))
		return -1;
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
	if (found < 0)
		return -1;
	put_parts(t);
	if (found) {
		r->step = r->resumed_from = s.step;
		t->status = (struct step_status){ .loss_sum = s.loss_sum, .loss_steps = s.loss_steps, .done = s.step };
	}
	put_status(t);
	if (!found)
		return 0;
	if (strlen(path) >= sizeof r->checkpoint)
		return err_set(e, "%s: path too long", path);
	memcpy(r->checkpoint, path, strlen(path) + 1);
	return io_sha256_file(r->checkpoint_sha256, path, e);
}

static int run(struct train_result *r, struct trainer *t, struct err *e)
{
	const struct train_hooks *h = t->hooks;
	int64_t total = t->c->train.steps, every = t->o->curve_every ? t->o->curve_every
	                                           : total / 100 > 0 ? total / 100
	                                                             : 1;
	struct progress *progress = h ? h->progress : NULL;
	int64_t saved_at = r->checkpoint[0] ? r->step : -1;
	if (progress)
		progress->done = r->step * t->c->train.batch;
	while (r->step < total) {
		bool stop = h && h->stop && h->stop(h->ctx);
		bool due = !stop && h && h->due && h->due(h->ctx);
		if (t->team && team_agree(t->team, &stop, &due, e))
			return -1;
		bool point = !stop && ((r->step + 1) % every == 0 || r->step + 1 == total);
		if (point && h && h->curve)
			update_keep(t->update);
		if (!stop && one_step(t, r->step, e))
			return -1;
		r->step += !stop;
		bool keep = due || (t->o->checkpoint_every && r->step % t->o->checkpoint_every == 0);
		if ((stop || point || keep || t->b->ops->host_memory) && look(r, t, e))
			return -1;
		if (r->end == TRAIN_DIVERGED)
			return 0;
		if (stop) {
			r->end = TRAIN_STOPPED;
			break;
		}
		if (point)
			tell_curve(t, r->step);
		if (progress) {
			(void)snprintf(progress->note, sizeof progress->note, "loss %.4g", r->final_loss);
			progress_step(progress, r->step * t->c->train.batch);
		}
		if (keep && r->step < total) {
			if (save(r, t, r->step, e))
				return -1;
			saved_at = r->step;
		}
	}
	return saved_at == r->step ? 0 : save(r, t, r->step, e);
}

int train_run(struct train_result *out, const struct run_config *config, const struct train_options *options,
              const struct train_hooks *hooks, struct err *e)
{
	struct trainer t = { .c = config, .o = options, .hooks = hooks, .team = options->team };
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
