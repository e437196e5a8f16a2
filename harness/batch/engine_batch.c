/* engine_batch.c - see engine_batch.h. */
#define _GNU_SOURCE
#include "harness/batch/engine_batch.h"

#include "harness/batch/batch_client.h"
#include "harness/slurm/slurm_script.h"
#include "harness/text/json_out.h"
#include "model/base/io.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- who changes the list --------------------------------------------------------------------------------------- */

static int take_lock(struct batch_session *s, const char *db, struct err *e)
{
	*s = (struct batch_session)BATCH_SESSION_INIT;
	s->db = db;
	s->lock.path = xstrdup(db);
	s->lock.runs = batch_dir(db);
	return io_mkdirs(s->lock.runs, e) || store_lock(&s->lock, "ablate --engine command", e) ? -1 : 0;
}

/* A line for each task that failed. */
static void tell_failed(struct str *out, const struct batch_jobs *jobs)
{
	for (int i = 0; i < jobs->n; i++)
		for (int k = 0; k < jobs->v[i].n; k++) {
			const struct batch_entry *j = &jobs->v[i].v[k];
			if (j->state == BATCH_FAILED)
				str_addf(out, "task %d of plan %.12s failed as job %s%s%s\n", j->index, j->plan, j->id,
				         *j->reason ? ": " : "", j->reason);
		}
}

int batch_open(struct batch_session *s, const char *db, struct err *e)
{
	if (take_lock(s, db, e) || batch_jobs_read(&s->jobs, db, e) || batch_jobs_ask(&s->jobs, e)) {
		batch_close(s);
		return -1;
	}
	tell_failed(&s->ended, &s->jobs);
	s->unanswered = s->jobs.unanswered;
	s->jobs.unanswered = 0;
	if ((batch_jobs_drop(&s->jobs) || s->unanswered) && batch_jobs_write(&s->jobs, db, e)) {
		batch_close(s);
		return -1;
	}
	return 0;
}

void batch_close(struct batch_session *s)
{
	store_unlock(&s->lock);
	free(s->lock.path);
	free(s->lock.runs);
	scoped_batch_jobs(&s->jobs);
	str_release(&s->ended);
	*s = (struct batch_session)BATCH_SESSION_INIT;
}

void scoped_batch_session(struct batch_session *s)
{
	batch_close(s);
}

/* ---- submission ------------------------------------------------------------------------------------------------- */

struct batch_resources batch_resources_of(const struct batch_options *o)
{
	int processes = o->job.ranks > 1 ? o->job.ranks : 1, gpus = o->command.gpus;
	if (!gpus && strncmp(o->job.device, "cuda", 4) == 0)
		gpus = 1;
	return (struct batch_resources){ .processes = processes,
		                             .processors = o->job.threads > 0 ? processes * o->job.threads : 0,
		                             .gpus = processes * gpus,
		                             .memory = o->command.memory,
		                             .limit_s = o->command.job.time_s,
		                             .throttle = o->job.jobs > 0 ? o->job.jobs : o->command.job.throttle };
}

/* The script of the plan's tasks, where it is kept, and where they print. All heap. */
struct files {
	char *script, *logs;
	struct str text;
};

static void files_release(struct files *f)
{
	free(f->script);
	free(f->logs);
	str_release(&f->text);
}

static int compose(struct files *f, const struct plan *p, const struct batch_options *o, struct err *e)
{
	char digest[SHA256_HEX];
	const char *db = o->job.db, *glue = db[0] == '/' ? "" : o->dir, *slash = db[0] == '/' ? "" : "/";
	SCOPED(free) char *plan = xstrfmt("%s-runs/plans/%s.plan.json", db, p->hash);
	*f = (struct files){ 0 };
	if (slurm_script_of_index(&f->text, plan, o->dir, &o->job, e))
		return -1;
	io_sha256(digest, f->text.data, f->text.len);
	f->script = xstrfmt("%s%s%s-runs/batch/%.12s/task-%.8s.sh", glue, slash, db, p->hash, digest);
	f->logs = xstrfmt("%s%s%s-runs/batch/%.12s/log", glue, slash, db, p->hash);
	return 0;
}

json_t *batch_would_submit(const struct plan *p, const int *index, int n, const struct batch_options *o, struct err *e)
{
	char id[SLURM_ID];
	struct files f;
	struct batch_resources r = batch_resources_of(o);
	json_t *request = NULL;
	if (!slurm_id_known(id, o->job.db))
		(void)snprintf(id, sizeof id, "DATABASE"); /* made at the first submission */
	if (!compose(&f, p, o, e))
		request = batch_submit_request(p, id, o->dir, f.script, f.logs, index, n, &r, e);
	files_release(&f);
	return request;
}

void batch_result_release(struct batch_result *r)
{
	free(r->refused);
	free(r->ids);
	free(r->tried);
	*r = (struct batch_result){ 0 };
}

/* Of the cells asked for, those whose trainings no task in the queue works on. */
static int not_in_queue(int *left, struct batch_result *out, const struct slurm_waiting *w, const struct plan *p,
                        const int *index, int n)
{
	int kept = 0;
	for (int i = 0; i < n; i++) {
		int training = p->cells[index[i]].training;
		if (w->covered[training])
			out->waiting++;
		else if (w->behind[training])
			out->behind++;
		else
			left[kept++] = index[i];
	}
	return kept;
}

/* Notes what was accepted of the answer. */
static int take_accepted(struct batch_result *out, struct batch_session *s, const struct plan *p, const int *index,
                         int n, const struct batch_options *o, const json_t *answer, struct err *e)
{
	SCOPED(free) char **ids = xcalloc((size_t)n + 1, sizeof *ids);
	struct str list = { 0 };
	if (batch_read_submitted(ids, index, n, answer, e))
		return -1;
	struct batch_engine *engine = batch_engine_of(&s->jobs, o->dir, &o->command.query, &o->command.cancel);
	int before = engine->n;
	const char *twice = NULL;
	for (int i = 0; i < n; i++) {
		const struct plan_training *t = &p->trainings[p->cells[index[i]].training];
		SCOPED(free) char *key = xstrfmt("%.12s", t->key);
		if (!ids[i])
			continue;
		for (int k = 0; k < before; k++)
			if (strcmp(engine->v[k].id, ids[i]) == 0)
				twice = engine->v[k].id;
		batch_jobs_add(&s->jobs, engine,
		               &(struct batch_entry){ .id = ids[i], .plan = p->hash, .key = key, .index = index[i] });
		str_addf(&list, "%s%s", list.len ? " " : "", ids[i]);
		out->tried[p->cells[index[i]].training] = true;
		out->tasks++;
		free(ids[i]);
	}
	out->ids = str_detach(&list);
	out->n_refused = n - out->tasks;
	if (!twice)
		return 0;
	engine->n = before;
	return err_code(e, EXIT_USAGE, "its answer has the id '%.100s', which is that of a task in the queue", twice);
}

/* Asks, and notes the answer at once. */
static int ask_and_note(struct batch_result *out, struct batch_session *s, const struct plan *p, const int *index,
                        int n, const struct batch_options *o, json_t *request, struct err *e)
{
	SCOPED(free) const char **words = xcalloc((size_t)o->command.submit.n + 1, sizeof *words);
	SCOPED(str) struct str said = { 0 };
	struct batch_call call = { "submit", words, o->dir, BATCH_SUBMIT_S };
	json_t *answer = NULL;
	bool unknown = false;
	memcpy(words, o->command.submit.v, (size_t)o->command.submit.n * sizeof *words);
	s->jobs.unanswered = n;
	if (batch_jobs_write(&s->jobs, s->db, e)) {
		json_decref(request);
		return -1;
	}
	int rc = batch_call(&answer, &said, &unknown, &call, request, e);
	if (!rc && take_accepted(out, s, p, index, n, o, answer, e)) {
		unknown = true;
		rc = err_in(e, "submit: %s", words[0]);
	}
	json_decref(answer);
	if (rc && unknown)
		return err_in(e, "it is not known which of %d task%s were accepted", n, str_plural(n));
	if (out->n_refused)
		out->refused = xstrdup(str_text(&said));
	struct err why = ERR_INIT;
	s->jobs.unanswered = 0;
	if (batch_jobs_write(&s->jobs, s->db, &why))
		return rc ? rc
		          : err_set(e, "%d task%s were submitted but not noted: %s", out->tasks, str_plural(out->tasks),
		                    why.msg);
	return rc;
}

static int submit(struct batch_result *out, struct batch_session *s, const struct plan *p, const int *index, int n,
                  const struct batch_options *o, struct err *e)
{
	char id[SLURM_ID];
	struct files f;
	struct batch_resources r = batch_resources_of(o);
	SCOPED(free) char *shards = xstrfmt("%s-runs/slurm/shards", s->db);
	json_t *request = NULL;
	if (slurm_id(id, s->db, e))
		return -1;
	int rc = compose(&f, p, o, e) || io_mkdirs(f.logs, e) || io_mkdirs(shards, e) ? -1 : 0;
	if (!rc)
		request = batch_submit_request(p, id, o->dir, f.script, f.logs, index, n, &r, e);
	if (request && !io_exists(f.script) && io_write_atomic(f.script, f.text.data, f.text.len, e)) {
		json_decref(request);
		request = NULL;
	}
	files_release(&f);
	if (!request)
		return -1;
	sigset_t ending, before;
	(void)sigemptyset(&ending);
	(void)sigaddset(&ending, SIGINT);
	(void)sigaddset(&ending, SIGTERM);
	(void)sigaddset(&ending, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &ending, &before);
	rc = ask_and_note(out, s, p, index, n, o, request, e);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	return rc;
}

int batch_submit(struct batch_result *out, struct batch_session *s, const struct plan *p, const int *index, int n,
                 const struct batch_options *o, struct err *e)
{
	struct err why = ERR_INIT;
	SCOPED(slurm_queue) struct slurm_queue q = { 0 };
	SCOPED(slurm_waiting) struct slurm_waiting w = { 0 };
	SCOPED(free) int *left = xcalloc((size_t)n + 1, sizeof *left);
	*out = (struct batch_result){ .tried = xcalloc((size_t)p->n_trainings + 1, sizeof *out->tried) };
	batch_jobs_queue(&q, &s->jobs);
	int rc = 0;
	if (slurm_waiting_find(&w, &q, s->db, p, &why)) {
		rc = err_code(
			e, EXIT_RECORD,
			"a task in the queue is of a plan that cannot be read from %s-runs/plans, so it is not known which "
			"cells it trains: wait for it, or `ablate cancel --db %s`",
			s->db, s->db);
	} else {
		int kept = not_in_queue(left, out, &w, p, index, n);
		rc = kept ? submit(out, s, p, left, kept, o, e) : 0;
	}
	if (rc)
		batch_result_release(out);
	return rc;
}

/* ---- afterwards ------------------------------------------------------------------------------------------------- */

static int by_key(const void *a, const void *b)
{
	return strncmp(*(const char *const *)a, *(const char *const *)b, 12);
}

/* The keys of the plan's trainings, sorted. Heap. */
static const char **keys_of(const struct plan *p)
{
	const char **keys = xcalloc((size_t)p->n_trainings + 1, sizeof *keys);
	for (int i = 0; i < p->n_trainings; i++)
		keys[i] = p->trainings[i].key;
	qsort(keys, (size_t)p->n_trainings, sizeof *keys, by_key);
	return keys;
}

int batch_follow(struct slurm_count *out, char reason[64], const char *db, const struct plan *p, struct err *e)
{
	SCOPED(batch_jobs) struct batch_jobs jobs = { 0 };
	SCOPED(free) const char **keys = keys_of(p);
	*out = (struct slurm_count){ 0 };
	*reason = '\0';
	if (batch_jobs_read(&jobs, db, e) || batch_jobs_ask(&jobs, e))
		return -1;
	for (int i = 0; i < jobs.n; i++)
		for (int k = 0; k < jobs.v[i].n; k++) {
			const struct batch_entry *j = &jobs.v[i].v[k];
			if (!batch_in_queue(j->state) || !bsearch(&j->key, keys, (size_t)p->n_trainings, sizeof *keys, by_key))
				continue;
			out->tasks++;
			out->running += j->state == BATCH_RUNNING;
			out->pending += j->state == BATCH_PENDING;
			if (j->state == BATCH_PENDING && *j->reason)
				(void)snprintf(reason, 64, "%s", j->reason);
		}
	return 0;
}

int batch_cancel(int *cancelled, const char *db, struct err *e)
{
	SCOPED(free) char *dir = batch_dir(db);
	SCOPED(batch_session) struct batch_session s = BATCH_SESSION_INIT;
	*cancelled = 0;
	if (!io_exists(dir)) /* nothing was ever submitted */
		return 0;
	if (batch_open(&s, db, e))
		return -1;
	for (int i = 0; i < s.jobs.n; i++) {
		json_t *answer;
		if (!s.jobs.v[i].n)
			continue;
		if (batch_engine_call(&answer, &s.jobs.v[i], "cancel", e))
			return -1;
		json_decref(answer);
		*cancelled += s.jobs.v[i].n;
	}
	return 0;
}

/* The entry of a plan in the list, made where it is missing. */
static json_t *entry_of(json_t *list, const char *plan)
{
	size_t i;
	json_t *o;
	json_array_foreach(list, i, o) if (strcmp(json_string_value(json_object_get(o, "plan")), plan) == 0) return o;
	o = json_pack("{s:s, s:i, s:i, s:i, s:i}", "plan", plan, "tasks", 0, "running", 0, "pending", 0, "over", 0);
	(void)json_array_append_new(list, o);
	return o;
}

static void count_up(json_t *o, const char *key)
{
	(void)json_object_set_new(o, key, json_integer(json_integer_value(json_object_get(o, key)) + 1));
}

const struct json_key batch_status_keys[] = {
	JSON_KEY("plan", "string", "the plan, by its hash; empty where what was submitted cannot be read"),
	JSON_KEY("tasks", "integer", "tasks that are not known to be over, or are over since",
	         .absent = "where what was submitted cannot be read"),
	JSON_KEY("running", "integer", "tasks that run", .absent = "where what was submitted cannot be read"),
	JSON_KEY("pending", "integer", "tasks that wait", .absent = "where what was submitted cannot be read"),
	JSON_KEY("over", "integer", "tasks whose results can be taken in",
	         .absent = "where what was submitted cannot be read"),
	JSON_KEY("error", "string", "why the queue cannot be asked", .absent = "where it can"),
	JSON_KEY("reason", "string", "why tasks wait, as the scheduler says it", .absent = "where it says nothing"),
	{ 0 },
};

json_t *batch_status(const char *db)
{
	SCOPED(batch_jobs) struct batch_jobs jobs = { 0 };
	struct err e = ERR_INIT;
	json_t *list = json_array();
	if (batch_jobs_read(&jobs, db, &e)) {
		(void)json_array_append_new(list, json_pack("{s:s, s:o}", "plan", "", "error", json_out_text(e.msg)));
		return list;
	}
	int rc = batch_jobs_ask(&jobs, &e);
	for (int i = 0; i < jobs.n; i++)
		for (int k = 0; k < jobs.v[i].n; k++) {
			const struct batch_entry *j = &jobs.v[i].v[k];
			json_t *o = entry_of(list, j->plan);
			count_up(o, "tasks");
			if (rc)
				(void)json_object_set_new(o, "error", json_out_text(e.msg));
			else
				count_up(o, j->state == BATCH_RUNNING ? "running" : batch_in_queue(j->state) ? "pending" : "over");
			if (*j->reason)
				(void)json_object_set_new(o, "reason", json_out_text(j->reason));
		}
	return list;
}
