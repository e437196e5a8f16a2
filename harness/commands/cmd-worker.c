/* cmd-worker.c - `ablate worker DIR`: one attempt at one cell, in a process of its own: data, training, samples,
 * scores. Started by the engines; what to do is in DIR/job.json, what happens goes into DIR/journal.jsonl. */
#define _GNU_SOURCE
#include "harness/cli/cmd.h"
#include "harness/plan/inputs.h"
#include "harness/run/worker_score.h"

#include "model/base/io.h"
#include "model/base/progress.h"
#include "model/train/team.h"
#include "model/train/train.h"

#include <math.h>
#include <signal.h>
#include <string.h>

static const struct opt options[] = {
	{ .name = "fd",
	  .kind = OPT_INT,
	  .arg = "N",
	  .min = 0,
	  .max = 1024,
	  .help = "write progress lines to this open file" },
	{ 0 },
};

struct training {
	struct worker *w;
	struct scorer *scorer;
	struct progress progress;
	const struct run_config *config;
	struct err e;
	bool begun;
	bool kept;      /* a checkpoint has all that was done so far */
	double saved_s; /* monotonic: the last checkpoint, or the first step */
};

static void on_curve(void *ctx, const char *name, int64_t step, double value)
{
	struct training *t = ctx;
	journal_curve(worker_journal(t->w), name, step, value);
}

/* Is the training on its way at a step after which it is looked at? */
static bool looked_at(const struct run_config *c, int64_t step)
{
	return c->eval.every > 0 && step > 0 && step < c->train.steps && step % c->eval.every == 0;
}

/* Pictures and scores of the checkpoint that was just written, or begun with: nothing is lost while they are made,
 * except where other processes wait. A failure is the next checkpoint's. */
static void look(struct training *t, const char *checkpoint, int64_t step)
{
	bool stopped = false;
	struct err why = ERR_INIT;
	worker_at_stake(t->w, worker_job(t->w)->ranks > 1 ? WORKER_WORK : WORKER_NOTHING);
	if (scorer_during(t->scorer, &stopped, checkpoint, step, &why) && !*t->e.msg)
		t->e = why;
	worker_at_stake(t->w, WORKER_WORK);
}

static int on_checkpoint(void *ctx, int64_t step, const char *path, const char *sha256, struct err *e)
{
	struct training *t = ctx;
	const char *name = strrchr(path, '/');
	worker_step(t->w, step);
	t->kept = true;
	if (journal_file(worker_journal(t->w),
	                 &(struct journal_file){ .table = "checkpoint",
	                                         .kind = "checkpoint",
	                                         .name = name ? name + 1 : path,
	                                         .sha256 = sha256,
	                                         .step = step,
	                                         .bytes = -1,
	                                         .n_items = -1 },
	                 e))
		return -1;
	if (looked_at(t->config, step))
		look(t, path, step);
	t->saved_s = monotonic_s();
	return *t->e.msg ? err_code(e, t->e.code, "%s", t->e.msg) : 0;
}

static void on_say(void *ctx, const char *line)
{
	struct training *t = ctx;
	(void)fprintf(stderr, "%s\n", line); /* into DIR/log */
	if (journal_note(worker_journal(t->w), line, &t->e))
		(void)fprintf(stderr, "%s\n", t->e.msg); /* the next line that decides something fails with it */
}

static char *checkpoint_path(const struct worker *w, int64_t step)
{
	return xstrfmt("%s/step-%08lld.ckpt", worker_dir(w), (long long)step);
}

static bool on_stop(void *ctx)
{
	struct training *t = ctx;
	int64_t step = t->progress.done / t->config->train.batch;
	worker_step(t->w, step);
	if (!t->begun)
		worker_resumed(t->w, step);
	if (!t->begun && looked_at(t->config, step)) { /* whoever wrote the checkpoint may have been stopped at it */
		SCOPED(free) char *path = checkpoint_path(t->w, step);
		look(t, path, step);
	}
	worker_say(t->w, t->config->train.steps, t->progress.note);
	int64_t until = worker_job(t->w)->until;
	bool stop = worker_should_stop(t->w) || (until > 0 && step >= until);
	/* a step that follows a checkpoint can be repeated, but later work cannot be distinguished from half a step */
	worker_at_stake(t->w, !stop && (t->kept || !t->begun) ? WORKER_STEP : WORKER_WORK);
	t->begun = true;
	t->kept = false;
	return stop;
}

static bool on_due(void *ctx)
{
	struct training *t = ctx;
	if (looked_at(t->config, t->progress.done / t->config->train.batch + 1))
		return true;
	double every = worker_job(t->w)->checkpoint_s, now = monotonic_s();
	if (t->saved_s <= 0)
		t->saved_s = now;
	return every > 0 && now - t->saved_s >= every;
}

/* The job must be from this program: same config text, same numerics, same data and weights. */
static int check_identity(struct run_config *config, struct input in[INPUTS_MAX], int *n_in, const struct job *job,
                          struct err *e)
{
	char arm[SHA256_HEX], inputs[SHA256_HEX];
	if (config_from_json(config, job->config, e))
		return -1;
	config_hash(arm, config);
	if (strcmp(arm, job->arm) != 0 || job->numerics != NUMERICS_VERSION)
		return err_code(
			e, EXIT_RECORD,
			"the cell was planned by another version of ablate (numerics %lld, arm %.12s; here %d, %.12s): run the "
			"grid again",
			(long long)job->numerics, job->arm, NUMERICS_VERSION, arm);
	if (inputs_of(in, n_in, config, e))
		return -1;
	inputs_hash(inputs, in, *n_in);
	if (strcmp(inputs, job->dataset) != 0)
		return err_code(e, EXIT_RECORD,
		                "%s %s%s changed since the grid was planned (%.12s, planned %.12s): run the grid again",
		                *n_in == 1 ? "data set" : "the data set", config->data.name,
		                *n_in == 1 ? " has" : " or weights have", inputs, job->dataset);
	return 0;
}

static int record_inputs(struct worker *w, const struct input *in, int n, struct err *e)
{
	for (int i = 0; i < n; i++) {
		SCOPED(free)
		char *role = strcmp(in[i].role, "lpips") == 0 ? xstrfmt("%s %s", in[i].role, in[i].name) : xstrdup(in[i].role);
		if (journal_file(worker_journal(w),
		                 &(struct journal_file){ .table = "input",
		                                         .role = role,
		                                         .kind = in[i].kind,
		                                         .name = in[i].name,
		                                         .sha256 = in[i].sha256,
		                                         .bytes = -1,
		                                         .n_items = -1 },
		                 e))
			return -1;
	}
	return 0;
}

static int checkpoint_every(const struct run_config *c)
{
	return c->train.steps / 10 > 25 ? c->train.steps / 10 : 25;
}

/* Where every score is known, a training that is at its end need not even be loaded. */
static bool is_trained(struct train_result *r, const struct worker *w, const struct run_config *config)
{
	SCOPED(free) char *path = checkpoint_path(w, config->train.steps);
	int n = snprintf(r->checkpoint, sizeof r->checkpoint, "%s", path);
	r->step = r->resumed_from = config->train.steps;
	if (n > 0 && (size_t)n < sizeof r->checkpoint && worker_job(w)->resumed_from && io_exists(r->checkpoint))
		return true;
	*r = (struct train_result){ 0 };
	return false;
}

/* Everything between the journal's first and last line. Returns the kind of end; e says why where it is not DONE. */
static enum worker_end work(struct worker *w, struct team **team, struct err *e)
{
	const struct job *job = worker_job(w);
	struct run_config config;
	struct scorer *scorer = NULL;
	struct train_result r = { 0 };
	bool stopped = false;
	struct input in[INPUTS_MAX];
	int n_in = 0;
	worker_at_stake(w, WORKER_NOTHING); /* until the first step, and again when the last checkpoint is written */
	if (worker_device(w, e) || check_identity(&config, in, &n_in, job, e))
		return WORKER_FAILED;
	if (scorer_open(&scorer, w, &config, e))
		return e->code == EXIT_USAGE ? WORKER_FAILED : WORKER_BLOCKED;
	struct training t = {
		.w = w, .scorer = scorer, .config = &config, .progress = { .unit = "images", .plain_every_s = INFINITY }
	};
	struct train_hooks hooks = { .ctx = &t,
		                         .curve = on_curve,
		                         .checkpoint = on_checkpoint,
		                         .say = on_say,
		                         .stop = on_stop,
		                         .due = on_due,
		                         .progress = &t.progress };
	SCOPED(free)
	char *backbone = inputs_weights(&config, "lpips-vgg-backbone"), *heads = inputs_weights(&config, "lpips-vgg");
	struct train_options o = { .seed = (uint64_t)job->seed,
		                       .dir = worker_dir(w),
		                       .checkpoint_every = checkpoint_every(&config),
		                       .threads = job->threads,
		                       .microbatch = job->microbatch,
		                       .ema = job->ema,
		                       .n_ema = job->n_ema,
		                       .team = *team,
		                       .device = job->device,
		                       .lpips_backbone = backbone,
		                       .lpips_heads = heads };
	int rc = record_inputs(w, in, n_in, e) || (!(scorer_knows_all(scorer) && !*team && is_trained(&r, w, &config)) &&
	                                           train_run(&r, &config, &o, &hooks, e))
	             ? -1
	             : 0;
	enum worker_end end = rc                        ? WORKER_FAILED
	                      : r.end == TRAIN_STOPPED  ? WORKER_STOPPED
	                      : r.end == TRAIN_DIVERGED ? WORKER_DIVERGED
	                                                : WORKER_DONE;
	if (!rc) {
		worker_step(w, r.step);
		worker_resumed(w, r.resumed_from);
		team_leave(*team); /* the others are done; after a failure they are ended by our exit code */
		*team = NULL;
	}
	if (end == WORKER_DONE && job->until > 0) /* up to the last step: it is for another to measure */
		end = WORKER_STOPPED;
	if (end == WORKER_DIVERGED)
		(void)err_set(e, "the loss is not finite at step %lld", (long long)r.step + 1);
	worker_at_stake(w, end == WORKER_DONE ? WORKER_NOTHING : WORKER_WORK);
	if (end == WORKER_DONE && scorer_run(scorer, &stopped, r.checkpoint, r.step, e))
		end = WORKER_FAILED;
	if (end == WORKER_DONE && stopped)
		end = WORKER_STOPPED;
	worker_at_stake(w, WORKER_WORK);
	scorer_free(scorer);
	return end;
}

/* A process that shares the training and nothing else: it stops when rank 0 says so, and writes nothing. */
static int follow(const struct job *job, const char *dir, struct team *team, struct err *e)
{
	struct run_config config;
	struct input in[INPUTS_MAX];
	int n_in = 0;
	struct train_result r;
	static const int passed_on[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2 }; /* by mpirun, to all of us */
	for (size_t i = 0; i < sizeof passed_on / sizeof *passed_on; i++)
		(void)signal(passed_on[i], SIG_IGN);
	if (check_identity(&config, in, &n_in, job, e))
		return -1;
	SCOPED(free)
	char *backbone = inputs_weights(&config, "lpips-vgg-backbone"), *heads = inputs_weights(&config, "lpips-vgg");
	struct train_options o = { .seed = (uint64_t)job->seed,
		                       .dir = dir,
		                       .checkpoint_every = checkpoint_every(&config),
		                       .threads = job->threads,
		                       .microbatch = job->microbatch,
		                       .ema = job->ema,
		                       .n_ema = job->n_ema,
		                       .team = team,
		                       .device = job->device,
		                       .lpips_backbone = backbone,
		                       .lpips_heads = heads };
	return train_run(&r, &config, &o, NULL, e);
}

/* Joins the others of a job for several processes. *follower: the work of one that is not rank 0 is done, or has
 * failed. */
static int join(struct team **team, bool *follower, const char *dir, struct err *e)
{
	struct job job = { 0 };
	if (job_read(&job, dir, e))
		return -1;
	int rc = job.ranks > 1 ? team_join(team, job.ranks, e) : 0;
	*follower = team_rank(*team) > 0;
	if (!rc && *follower)
		rc = follow(&job, dir, *team, e);
	job_release(&job);
	return rc;
}

static int run(struct cli *c)
{
	struct err e = ERR_INIT;
	struct worker *w;
	struct team *team = NULL;
	bool follower = false;
	worker_hear_signals(); /* joining takes a while */
	if (join(&team, &follower, c->args[0], &e))
		return cli_fail(c, &e);
	if (follower) {
		team_leave(team);
		return EXIT_OK;
	}
	if (worker_open(&w, c->args[0], (int)cli_int(c, "fd", -1), &e))
		return cli_fail(c, &e);
	enum worker_end end = work(w, &team, &e);
	if (end == WORKER_FAILED || end == WORKER_BLOCKED)
		cli_warn(c, "%s", e.msg);
	return worker_finish(w, end, *e.msg ? e.msg : NULL, end == WORKER_DONE ? EXIT_OK : err_exit_code(&e));
}

const struct cmd cmd_worker = {
	.name = "worker",
	.args = "DIR",
	.summary = "do the job in DIR (called by `ablate run`)",
	.help =
		"DIR/job.json says which cell; what happens is written to DIR/journal.jsonl; SIGTERM writes a checkpoint and "
		"stops with exit code 75, and so does SIGUSR2, which means that a wall budget is used up.",
	.options = options,
	.hidden = true,
	.computes = true,
	.run = run,
};
