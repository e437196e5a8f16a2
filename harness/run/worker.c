/* worker.c - see worker.h. */
#define _GNU_SOURCE
#include "harness/run/worker.h"

#include "harness/record/env_diff.h"
#include "harness/record/host.h"
#include "harness/text/json_out.h"
#include "model/cpu/devices.h"
#include "model/graph/backend.h"
#include "model/base/env.h"
#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/base/progress.h"
#include "model/base/temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define BEAT_S     5.0
#define LOOK_S     0.1
#define CANCEL_S   0.5 /* how often the cancel file is checked */
#define PATIENCE_S 0.3 /* for the work to reach its next step */

enum cause { NONE, SIGNAL, CANCELLED, TIME, NO_JOURNAL };

struct worker {
	struct job job;
	struct journal *journal;
	char *dir, *cancel_path;
	int pipe_fd;
	double started_s, said_s;
	_Atomic int64_t step, resumed;
	_Atomic bool cancelled, beat_failed;
	atomic_int cause; /* why it should stop: the first request seen */
	struct err beat_error;
	struct err unopened; /* its device: why it cannot be opened; no message if it can */
	pthread_t thread;
	pthread_mutex_t mutex; /* of what follows, and of the journal's first moment */
	pthread_cond_t wake;
	bool leaving;
	enum worker_stake stake;
};

static atomic_int stop_signal; /* 0: none yet */
static atomic_bool passed_on;  /* one that a launcher does not send by itself */

static void on_signal(int number)
{
	int none = 0;
	if (number != SIGTERM)
		atomic_store(&passed_on, true);
	(void)atomic_compare_exchange_strong(&stop_signal, &none,
	                                     number == SIGUSR1 ? SIGTERM : number); /* SIGUSR1: by way of mpirun or srun */
}

static sigset_t stop_signals(void)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2 };
	sigset_t set;
	(void)sigemptyset(&set);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		(void)sigaddset(&set, numbers[i]);
	return set;
}

/* --- why to stop --- */

static bool over_budget(const struct worker *w)
{
	return w->job.wall_s > 0 && monotonic_s() - w->started_s > w->job.wall_s;
}

static enum cause cause_of(struct worker *w)
{
	int number = atomic_load(&stop_signal), none = NONE;
	enum cause seen = atomic_load(&w->beat_failed) ? NO_JOURNAL
	                  : number == SIGUSR2          ? TIME
	                  : number                     ? SIGNAL
	                  : atomic_load(&w->cancelled) ? CANCELLED
	                  : over_budget(w)             ? TIME
	                                               : NONE;
	if (seen)
		(void)atomic_compare_exchange_strong(&w->cause, &none, (int)seen);
	return (enum cause)atomic_load(&w->cause);
}

bool worker_should_stop(struct worker *w)
{
	return cause_of(w) != NONE;
}

void worker_at_stake(struct worker *w, enum worker_stake stake)
{
	(void)pthread_mutex_lock(&w->mutex); /* waits for ever if the process is about to end */
	w->stake = stake;
	(void)pthread_mutex_unlock(&w->mutex);
}

/* --- signs of life --- */

typedef int end_fn(struct journal *j, const struct journal_end *end, struct err *e);
static int end_journal(struct worker *w, enum worker_end end, const char *reason, int exit_code, end_fn *write_end);

/* From beside the work, which cannot react: it is in a library, or waits for another process. Called with the mutex,
 * which is never released. */
static _Noreturn void leave(struct worker *w)
{
	int code = EXIT_BUDGET; /* before there is a journal, the exit code says it all */
	if (w->journal)
		code = end_journal(w, WORKER_STOPPED, NULL, EXIT_BUDGET, journal_end_for_all);
	temporary_remove_all();
	_exit(code);
}

/* A launcher sends SIGTERM to the other processes of a team when one has died. What they wait for never comes, and that
 * they were stopped would be no true account of it: the runner has the launcher's. */
static bool is_ended_by_launcher(const struct worker *w, enum cause why)
{
	return w->job.ranks > 1 && why == SIGNAL && !atomic_load(&passed_on);
}

/* Since when it has been asked to stop and has not. */
static void leave_if_idle(struct worker *w, double *asked_s)
{
	enum cause why = cause_of(w);
	if (why == NONE || is_ended_by_launcher(w, why))
		return;
	double now = monotonic_s();
	*asked_s = *asked_s > 0 ? *asked_s : now;
	if (now - *asked_s >= PATIENCE_S && (w->stake == WORKER_NOTHING || (w->stake == WORKER_STEP && why != TIME)))
		leave(w);
}

static void *heartbeat_thread(void *ctx)
{
	struct worker *w = ctx;
	double last = monotonic_s(), looked = 0, asked = 0;
	const sigset_t heard = stop_signals();
	(void)pthread_sigmask(SIG_UNBLOCK, &heard, NULL); /* here and nowhere else: see worker_hear_signals() */
	(void)pthread_mutex_lock(&w->mutex);
	while (!w->leaving) {
		struct timespec until;
		(void)clock_gettime(CLOCK_MONOTONIC, &until);
		long ns = until.tv_nsec + (long)(LOOK_S * 1e9);
		until.tv_sec += ns / 1000000000;
		until.tv_nsec = ns % 1000000000;
		(void)pthread_cond_timedwait(&w->wake, &w->mutex, &until);
		if (w->leaving)
			break;
		if (monotonic_s() - looked >= CANCEL_S) {
			looked = monotonic_s();
			if (access(w->cancel_path, F_OK) == 0)
				atomic_store(&w->cancelled, true);
		}
		leave_if_idle(w, &asked);
		if (!w->journal || monotonic_s() - last < BEAT_S)
			continue;
		last = monotonic_s();
		if (!atomic_load(&w->beat_failed) && journal_beat(w->journal, atomic_load(&w->step), &w->beat_error))
			atomic_store(&w->beat_failed, true);
	}
	(void)pthread_mutex_unlock(&w->mutex);
	return NULL;
}

static int start_thread(struct worker *w, struct err *e)
{
	pthread_condattr_t attr;
	(void)pthread_mutex_init(&w->mutex, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&w->wake, &attr);
	(void)pthread_condattr_destroy(&attr);
	sigset_t all, before;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	int rc = pthread_create(&w->thread, NULL, heartbeat_thread, w);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc ? err_set(e, "cannot start a thread: %s", strerror(rc)) : 0;
}

static bool is_ignored(int number)
{
	struct sigaction now;
	return sigaction(number, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

/* No handler may run on a thread that computes: the matrix products that oneDNN 2.6 generates keep values further below
 * the stack pointer than a signal frame leaves alone, and a SIGTERM that met one ended in a damaged heap. So every
 * thread has these signals blocked, those of OpenMP too, which inherit it; the thread of the signs of life takes
 * them. */
void worker_hear_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	const sigset_t heard = stop_signals();
	(void)sigemptyset(&action.sa_mask);
	(void)pthread_sigmask(SIG_BLOCK, &heard, NULL); /* one that arrives early waits for the thread */
	for (int number = 1; number < NSIG; number++)
		if (sigismember(&heard, number) == 1 && !(number == SIGHUP && is_ignored(number)))
			(void)sigaction(number, &action, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
}

static void end_thread(struct worker *w)
{
	(void)pthread_mutex_lock(&w->mutex);
	w->leaving = true;
	(void)pthread_cond_signal(&w->wake);
	(void)pthread_mutex_unlock(&w->mutex);
	(void)pthread_join(w->thread, NULL);
	(void)pthread_cond_destroy(&w->wake);
	(void)pthread_mutex_destroy(&w->mutex);
}

static void worker_free(struct worker *w)
{
	journal_close(w->journal);
	job_release(&w->job);
	free(w->dir);
	free(w->cancel_path);
	free(w);
}

/* What the device is, for the record; NULL for the CPU, whose facts are the environment's own, and with *e set for one
 * that cannot be opened. */
static json_t *device_facts(const char *device, struct err *e)
{
	struct backend *b;
	struct backend_facts f;
	if (strcmp(device, "cpu") == 0 || backend_open(&b, device, DTYPE_FP32, e))
		return NULL;
	b->ops->facts(b, &f);
	backend_free(b);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I}", "device", f.device, "uuid", f.uuid, "bus", f.bus, "driver",
	                 f.driver, "libraries", f.libraries, "kernels", f.kernels, "memory", (json_int_t)f.memory);
}

/* Going on elsewhere than the attempt whose checkpoint it is: possible, and gives other last bits than either alone. */
static int tell_other_place(struct journal *j, const struct job *job, const char *env, struct err *e)
{
	SCOPED(str) struct str changes = { 0 };
	if (!job->resumed_from || !job->resumed_env)
		return 0;
	env_diff(&changes, ENV_TRAINING, job->resumed_env, env);
	if (!changes.len)
		return 0;
	SCOPED(free)
	char *line = xstrfmt(
		"goes on in another environment than attempt %.8s (%s): the same up to rounding, not to the bit",
		job->resumed_from, changes.data);
	return journal_note(j, line, e);
}

/* The journal of the attempt, with what it is run from and on. Opening a device takes seconds: the thread that receives
 * signals runs already. */
static int open_journal(struct worker *w, struct err *e)
{
	const struct job *job = &w->job;
	const char *array = env_get(ENV_SLURM_ARRAY_JOB_ID), *task = env_get(ENV_SLURM_ARRAY_TASK_ID);
	const char *slurm = env_get(ENV_SLURM_JOB_ID);
	const char *restart = env_get(ENV_SLURM_RESTART_COUNT);
	SCOPED(free) char *slurm_job = array && task ? xstrfmt("%s_%s", array, task) : slurm ? xstrdup(slurm) : NULL;
	SCOPED(free) char *path = xstrfmt("%s/journal.jsonl", w->dir);
	struct provenance env = { 0 };
	json_t *facts = device_facts(job->device, &w->unopened);
	provenance_take(&env, &(struct provenance_place){ .threads = job->threads,
	                                                  .ranks = job->ranks,
	                                                  .microbatch = job->microbatch,
	                                                  .device = job->device,
	                                                  .device_facts = facts,
	                                                  .ema = job->ema,
	                                                  .n_ema = job->n_ema,
	                                                  .work_dir = w->dir });
	json_decref(facts);
	struct journal_head head = {
		.attempt = job->attempt,
		.cell = job->cell,
		.arm = job->arm,
		.config = job->config,
		.dataset = job->dataset,
		.seed = job->seed,
		.numerics = job->numerics,
		.n = job->n,
		.purpose = job->purpose,
		.resumed_from = job->resumed_from,
		.env_hash = env.hash,
		.env_json = env.json,
		.fingerprint = env.fingerprint,
		.generation = job->generation,
		.slurm_job = slurm_job,
		.slurm_restart = restart ? strtol(restart, NULL, 10) : 0,
	};
	struct journal *journal;
	int rc = journal_create(&journal, path, &head, e);
	if (!rc && tell_other_place(journal, job, env.json, e)) {
		journal_close(journal);
		rc = -1;
	}
	provenance_release(&env);
	if (rc)
		return -1;
	(void)pthread_mutex_lock(&w->mutex);
	w->journal = journal;
	w->stake = WORKER_WORK;
	(void)pthread_mutex_unlock(&w->mutex);
	return 0;
}

int worker_open(struct worker **out, const char *dir, int pipe_fd, struct err *e)
{
	worker_hear_signals();
	struct worker *w = xcalloc(1, sizeof *w);
	w->dir = xstrdup(dir);
	w->cancel_path = xstrfmt("%s/cancel", dir);
	w->pipe_fd = pipe_fd;
	w->started_s = monotonic_s();
	if (pipe_fd >= 0) {
		(void)fcntl(pipe_fd, F_SETFL, fcntl(pipe_fd, F_GETFL) | O_NONBLOCK);
		(void)fcntl(pipe_fd, F_SETFD, FD_CLOEXEC);
	}
	w->stake = WORKER_NOTHING;
	if (job_read(&w->job, dir, e) || start_thread(w, e)) {
		worker_free(w);
		return -1;
	}
	if (open_journal(w, e)) {
		end_thread(w);
		worker_free(w);
		return -1;
	}
	*out = w;
	return 0;
}

const struct job *worker_job(const struct worker *w)
{
	return &w->job;
}

int worker_device(const struct worker *w, struct err *e)
{
	return *w->unopened.msg ? err_code(e, EXIT_DEVICE, "%s", w->unopened.msg) : 0;
}

struct journal *worker_journal(struct worker *w)
{
	return w->journal;
}

const char *worker_dir(const struct worker *w)
{
	return w->dir;
}

void worker_step(struct worker *w, int64_t step)
{
	atomic_store(&w->step, step);
}

void worker_resumed(struct worker *w, int64_t step)
{
	if (step <= 0 || atomic_exchange(&w->resumed, step) == step)
		return;
	if (journal_resumed(w->journal, step, &w->beat_error)) /* so that it is known of a life that is killed, too */
		atomic_store(&w->beat_failed, true);
}

void worker_say(struct worker *w, int64_t total, const char *note)
{
	int64_t step = atomic_load(&w->step);
	double now = monotonic_s();
	if (w->pipe_fd < 0 || (now - w->said_s < 0.1 && step < total))
		return;
	w->said_s = now;
	json_t *o = json_pack("{s:I, s:I, s:s}", "step", (json_int_t)step, "total", (json_int_t)total, "note", note);
	SCOPED(str) struct str line = { 0 };
	int rc = json_record(&line, o, JSON_COMPACT);
	json_decref(o);
	if (rc)
		return;
	str_addc(&line, '\n');
	ssize_t n = write(w->pipe_fd, line.data, line.len); /* below PIPE_BUF: whole or not at all */
	(void)n;                                            /* a watcher that does not read misses a line, nothing more */
}

/* --- the end --- */

static enum record_state state_of(struct worker *w, enum worker_end end)
{
	switch (end) {
	case WORKER_DONE: return RECORD_DONE;
	case WORKER_DIVERGED: return RECORD_DIVERGED;
	case WORKER_BLOCKED: return RECORD_BLOCKED;
	case WORKER_STOPPED: return cause_of(w) == TIME ? RECORD_TIMEOUT : RECORD_STOPPED;
	case WORKER_FAILED: break;
	}
	return RECORD_FAILED;
}

static char *stop_reason(struct worker *w)
{
	long long step = (long long)atomic_load(&w->step);
	SCOPED(free)
	char *where = step ? xstrfmt("at step %lld; its checkpoint is kept", step) : xstrdup("before its first step");
	switch (cause_of(w)) {
	case CANCELLED: return xstrfmt("cancelled %s", where);
	case TIME:
		return over_budget(w) ? xstrfmt("over its wall budget of %.0f s %s", w->job.wall_s, where)
		                      : xstrfmt("its wall budget or the grid's is used up %s", where);
	case SIGNAL:
	case NO_JOURNAL:
	case NONE: break;
	}
	if (w->job.until > 0 && step >= w->job.until)
		return xstrfmt("trained to step %lld, as it was told", step);
	return xstrfmt("asked to stop (signal %d) %s", atomic_load(&stop_signal), where);
}

static int end_journal(struct worker *w, enum worker_end end, const char *reason, int exit_code, end_fn *write_end)
{
	SCOPED(free) char *why = NULL;
	if (end == WORKER_STOPPED && cause_of(w) == NO_JOURNAL) {
		end = WORKER_FAILED;
		reason = w->beat_error.msg;
		exit_code = err_exit_code(&w->beat_error);
	} else if (end == WORKER_STOPPED) {
		reason = why = stop_reason(w);
		exit_code = EXIT_BUDGET;
	}
	struct rusage use;
	(void)getrusage(RUSAGE_SELF, &use);
	int64_t resumed = atomic_load(&w->resumed);
	struct journal_end last = {
		.state = state_of(w, end),
		.reason = reason,
		.exit_code = exit_code,
		.signal = -1,
		.step = atomic_load(&w->step),
		.resumed_step = resumed > 0 ? resumed : -1,
		.wall_s = monotonic_s() - w->started_s,
		.cpu_s = (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
		         1e-6 * (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec),
		.max_rss = (int64_t)use.ru_maxrss * 1024,
	};
	struct err e = ERR_INIT;
	if (write_end(w->journal, &last, &e)) {
		(void)fprintf(stderr, "ablate worker: %s\n",
		              e.msg); /* into DIR/log; the watcher sees an attempt without an end */
		exit_code = exit_code ? exit_code : EXIT_INCOMPLETE;
	}
	return exit_code;
}

int worker_finish(struct worker *w, enum worker_end end, const char *reason, int exit_code)
{
	end_thread(w);
	exit_code = end_journal(w, end, reason, exit_code, journal_end);
	worker_free(w);
	return exit_code;
}
