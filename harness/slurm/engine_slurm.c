/* engine_slurm.c - submission of a plan's cells to Slurm, and what becomes of it. See engine_slurm.h. */
#define _GNU_SOURCE
#include "harness/slurm/engine_slurm.h"

#include "harness/record/host.h"
#include "harness/record/matching.h"
#include "harness/record/query.h"
#include "harness/slurm/slurm_client.h"
#include "harness/text/json_out.h"
#include "model/base/io.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SHARDS_SHOWN_MAX = 1000 };

void slurm_jobs_release(struct slurm_jobs *j)
{
	free(j->arrays);
	free(j->merge);
	free(j->refused);
	*j = (struct slurm_jobs){ 0 };
}

/* ---- submission ------------------------------------------------------------------------------------------------- */

/* A dependency on a job that does not exist is not a dependency: Slurm would start the merge at once. */
static int check_known(const char *id, struct err *e)
{
	const char *const argv[] = { "scontrol", "-o", "show", "job", id, NULL };
	SCOPED(str) struct str text = { 0 };
	return slurm_call(&text, argv, e)
	           ? err_in(e, "job %s was accepted but is no longer known to Slurm; submit again", id)
	           : 0;
}

/* *id: of the job, heap. */
static int sbatch(char **id, const struct slurm_submission *s, int i, const char *const *ids, struct err *e)
{
	const struct slurm_job *j = &s->v[i];
	SCOPED(free) const char **argv = xcalloc((size_t)j->n_words + 3, sizeof *argv);
	SCOPED(str) struct str after = { 0 }, answer = { 0 };
	int n = j->n_words;
	memcpy(argv, j->word, (size_t)n * sizeof *argv);
	slurm_dependency(&after, s, i, ids);
	SCOPED(free) char *dependency = xstrfmt("--dependency=%s", str_text(&after));
	if (after.len)
		argv[n++] = dependency;
	argv[n] = j->script;
	if (io_write_atomic(j->script, j->text, strlen(j->text), e) || slurm_call(&answer, argv, e))
		return -1;
	size_t digits = strspn(str_text(&answer), "0123456789");
	if (!digits)
		return err_code(e, EXIT_USAGE, "sbatch answered '%.100s' instead of a job's number", str_text(&answer));
	*id = xstrndup(answer.data, digits);
	return j->n ? check_known(*id, e) : 0;
}

static int write_note(const char *dir, const char *plan_hash, const struct slurm_jobs *jobs, struct err *e)
{
	char now[HOST_TIME];
	SCOPED(free) char *path = xstrfmt("%s/submitted.json", dir);
	json_t *o = json_pack("{s:i, s:s, s:s, s:s, s:i, s:s}", "schema", 1, "plan", plan_hash, "array", jobs->arrays,
	                      "merge", jobs->merge, "cells", jobs->tasks, "submitted", host_now(now));
	SCOPED(str) struct str text = { 0 };
	int rc = json_record(&text, o, JSON_INDENT(1));
	json_decref(o);
	return rc ? err_set(e, "%s: a text in it is not UTF-8", path) : io_write_atomic(path, text.data, text.len, e);
}

/* The jobs, until one is refused: then what was accepted keeps its merge job, and the rest is told. */
static int submit_all(struct slurm_jobs *out, const struct slurm_submission *s, struct err *e)
{
	SCOPED(free) char **ids = xcalloc((size_t)s->n, sizeof *ids);
	struct slurm_submission accepted = *s;
	struct str list = { 0 };
	int rc = 0, n = 0;
	for (; n < s->n - 1 && !rc; n += !rc) {
		rc = sbatch(&ids[n], s, n, (const char *const *)ids, e);
		if (rc)
			break;
		str_addf(&list, "%s%s", list.len ? " " : "", ids[n]);
		out->tasks += s->v[n].behind < 0 ? s->v[n].n : 0;
	}
	out->arrays = str_detach(&list);
	out->n_refused = s->tasks - out->tasks;
	if (rc && n) { /* the merge job stands behind those that were accepted */
		out->refused = xstrdup(e->msg);
		accepted.v = xcalloc((size_t)n + 1, sizeof *accepted.v);
		memcpy(accepted.v, s->v, (size_t)n * sizeof *accepted.v);
		accepted.v[n] = s->v[s->n - 1];
		accepted.n = n + 1;
	}
	if (!rc || n) {
		rc = sbatch(&out->merge, &accepted, n, (const char *const *)ids, e);
		if (rc)
			(void)err_in(e, "job %s runs, but its merge was not accepted; run the same command again when it is done",
			             out->arrays);
	}
	if (accepted.v != s->v)
		free(accepted.v);
	for (int i = 0; i < s->n; i++)
		free(ids[i]);
	return rc;
}

struct asked {
	int index;
	long long behind;
};

static int by_wait(const void *a, const void *b)
{
	const struct asked *x = a, *y = b;
	return x->behind != y->behind ? (x->behind > y->behind) - (x->behind < y->behind) : x->index - y->index;
}

/* Of the cells asked for, those that no task in the queue does, by the array that they have to wait for. */
static int not_covered(struct asked **out, const struct slurm_waiting *w, const struct plan *p, const int *index, int n)
{
	int kept = 0;
	*out = xcalloc((size_t)n + 1, sizeof **out);
	for (int i = 0; i < n; i++) {
		int training = p->cells[index[i]].training;
		if (!w->covered[training])
			(*out)[kept++] = (struct asked){ index[i], w->behind[training] };
	}
	qsort(*out, (size_t)kept, sizeof **out, by_wait);
	return kept;
}

int slurm_submit(struct slurm_jobs *out, const struct plan *p, const int *index, int n, const struct slurm_options *o,
                 struct err *e)
{
	char id[SLURM_ID];
	SCOPED(slurm_queue) struct slurm_queue q = { 0 };
	SCOPED(slurm_waiting) struct slurm_waiting w = { 0 };
	SCOPED(slurm_submission) struct slurm_submission s = { 0 };
	SCOPED(free) struct asked *asked = NULL;
	SCOPED(free) char *dir = slurm_dir(o->db, p->hash);
	SCOPED(free) char *logs = xstrfmt("%s/log", dir);
	SCOPED(free) char *shards = xstrfmt("%s-runs/slurm/shards", o->db);
	*out = (struct slurm_jobs){ 0 };
	if (slurm_id(id, o->db, e) || slurm_queue_read(&q, id, e) || slurm_waiting_find(&w, &q, o->db, p, e))
		return -1;
	int left = not_covered(&asked, &w, p, index, n);
	out->waiting = n - left;
	if (!left)
		return 0;
	SCOPED(free) int *cells = xcalloc((size_t)left, sizeof *cells);
	SCOPED(free) long long *behind = xcalloc((size_t)left, sizeof *behind);
	for (int i = 0; i < left; i++) {
		cells[i] = asked[i].index;
		behind[i] = asked[i].behind;
	}
	if (slurm_compose(&s, p->hash, id, cells, behind, left, o, e) || io_mkdirs(logs, e) || io_mkdirs(shards, e))
		return -1;
	out->way = s.way;
	int rc = submit_all(out, &s, e);
	if (!rc)
		rc = write_note(dir, p->hash, out, e);
	if (rc)
		slurm_jobs_release(out);
	return rc;
}

/* ---- afterwards ------------------------------------------------------------------------------------------------- */

int slurm_follow(struct slurm_count *out, char reason[64], const char *db, const struct plan *p, struct err *e)
{
	char id[SLURM_ID];
	SCOPED(slurm_queue) struct slurm_queue q = { 0 };
	SCOPED(slurm_waiting) struct slurm_waiting w = { 0 };
	*out = (struct slurm_count){ 0 };
	*reason = '\0';
	if (!slurm_id_known(id, db))
		return 0;
	if (slurm_queue_read(&q, id, e) || slurm_waiting_find(&w, &q, db, p, e))
		return -1;
	*out = slurm_queue_count(&q, p->hash);
	int others = w.n_covered - out->tasks; /* other plans' tasks that do ours */
	if (others > 0)
		out->running += others;
	memcpy(reason, q.reason, sizeof q.reason);
	return 0;
}

void slurm_forget(const char *db, const char *plan_hash)
{
	SCOPED(free) char *dir = slurm_dir(db, plan_hash);
	SCOPED(free) char *path = xstrfmt("%s/submitted.json", dir);
	(void)unlink(path);
}

/* Shards of the database in which a cell is done; below 0 where they are too many to look into. */
static int shards_done(const char *db)
{
	SCOPED(free) char *dir = xstrfmt("%s-runs/slurm/shards", db);
	SCOPED(matching) struct matching shards = { 0 };
	int n = 0;
	(void)matching_find(&shards, dir, "/*.db", NULL);
	if (shards.n > SHARDS_SHOWN_MAX)
		return -1;
	for (int i = 0; i < shards.n; i++) {
		SCOPED(db) struct db *shard = NULL;
		int64_t done = 0;
		n += !db_open(&shard, shards.v[i], DB_READ, NULL) && !query_count_in_state(&done, shard, RECORD_DONE, NULL) &&
		     done;
	}
	return n;
}

/* The notes of submissions that are not known to be over. */
static void find_notes(struct matching *out, const char *db)
{
	SCOPED(free) char *root = xstrfmt("%s-runs/slurm", db);
	(void)matching_find(out, root, "/*/submitted.json", NULL);
}

/* Every name of the database's jobs in the queue, each once, merge jobs first: these depend on the arrays, whatever
 * their end, and would start. */
static int names_in_queue(char ***names, const struct slurm_queue *q, const char *id)
{
	int n = 0, cap = 0;
	*names = NULL;
	for (int pass = 0; pass < 2; pass++)
		for (int i = 0; i < q->n; i++) {
			int k = 0;
			if ((q->v[i].base < 0) != (pass == 0))
				continue;
			SCOPED(free) char *name = slurm_job_name(id, q->v[i].plan, q->v[i].base);
			while (k < n && strcmp((*names)[k], name) != 0)
				k++;
			if (k == n)
				VEC_PUSH(*names, n, cap) = xstrdup(name);
		}
	return n;
}

int slurm_cancel(int *cancelled, const char *db, struct err *e)
{
	char id[SLURM_ID];
	SCOPED(slurm_queue) struct slurm_queue q = { 0 };
	char **names;
	int rc = 0;
	*cancelled = 0;
	SCOPED(matching) struct matching notes = { 0 };
	find_notes(&notes, db);
	if (!notes.n || !slurm_id_known(id, db)) /* nothing was submitted that is not collected: Slurm need not be here */
		return 0;
	if (slurm_queue_read(&q, id, e))
		return -1;
	int n = names_in_queue(&names, &q, id);
	for (int i = 0; i < n; i++) {
		SCOPED(free) char *name = xstrfmt("--name=%s", names[i]);
		const char *const argv[] = { "scancel", "--me", name, NULL };
		SCOPED(str) struct str answer = { 0 };
		rc = rc ? rc : slurm_call(&answer, argv, e);
		free(names[i]);
	}
	free(names);
	for (int i = 0; i < q.n && !rc; i++) {
		int k = 0;
		while (strcmp(q.v[k].plan, q.v[i].plan) != 0)
			k++;
		*cancelled += k == i;
	}
	return rc;
}

/* Adds "12" to "5 8" where it is not there. */
static void add_id(struct str *list, long long id)
{
	SCOPED(free) char *padded = xstrfmt(" %s ", str_text(list)), *one = xstrfmt(" %lld ", id);
	if (!strstr(padded, one))
		str_addf(list, "%s%lld", list->len ? " " : "", id);
}

/* The jobs of a plan that are in the queue, over what the note of its last submission says. */
static void take_queue(json_t *o, const struct slurm_queue *q, const char *plan)
{
	SCOPED(str) struct str arrays = { 0 }, merges = { 0 };
	struct slurm_count count = slurm_queue_count(q, plan);
	for (int i = 0; i < q->n; i++)
		if (strncmp(plan, q->v[i].plan, SLURM_PLAN - 1) == 0)
			add_id(q->v[i].base < 0 ? &merges : &arrays, q->v[i].job);
	if (arrays.len)
		(void)json_object_set_new(o, "array", json_string(arrays.data));
	if (merges.len)
		(void)json_object_set_new(o, "merge", json_string(merges.data));
	(void)json_object_set_new(o, "running", json_integer(count.running));
	(void)json_object_set_new(o, "pending", json_integer(count.pending));
	(void)json_object_set_new(o, "reason", json_string(count.pending ? q->reason : ""));
}

const struct json_key slurm_status_keys[] = {
	JSON_KEY("schema", "integer", "1"),
	JSON_KEY("plan", "string", "the plan, by its hash"),
	JSON_KEY("array", "string", "ids of the arrays of tasks"),
	JSON_KEY("merge", "string", "id of the job that merges their records"),
	JSON_KEY("cells", "integer", "tasks that were submitted"),
	JSON_KEY("submitted", "string", "when: UTC, ISO 8601"),
	JSON_KEY("running", "integer", "tasks that run", .absent = "where the queue cannot be asked"),
	JSON_KEY("pending", "integer", "tasks that wait", .absent = "where the queue cannot be asked"),
	JSON_KEY("reason", "string", "why they wait; empty where none does", .absent = "where the queue cannot be asked"),
	JSON_KEY("error", "string", "why the queue cannot be asked", .absent = "where it can"),
	JSON_KEY("done", "integer?", "shards with a finished cell; null where there are too many to look at"),
	{ 0 },
};

json_t *slurm_status(const char *db)
{
	char id[SLURM_ID];
	SCOPED(slurm_queue) struct slurm_queue q = { 0 };
	SCOPED(matching) struct matching notes = { 0 };
	struct err e = ERR_INIT;
	json_t *list = json_array();
	bool known = slurm_id_known(id, db), asked = false;
	int rc = 0, done = 0;
	find_notes(&notes, db);
	for (int i = 0; i < notes.n && known; i++) {
		SCOPED(str) struct str text = { 0 };
		json_t *o = io_read(&text, notes.v[i], (size_t)1 << 20, NULL) ? NULL : json_loadb(text.data, text.len, 0, NULL);
		const char *plan = json_string_value(json_object_get(o, "plan"));
		if (plan && !asked)
			rc = slurm_queue_read(&q, id, &e);
		asked |= plan != NULL;
		struct slurm_count count = plan ? slurm_queue_count(&q, plan) : (struct slurm_count){ 0 };
		if (plan && rc) {
			(void)json_object_set_new(o, "error", json_string(e.msg));
		} else if (plan && count.running + count.pending) {
			take_queue(o, &q, plan);
		} else {
			json_decref(o); /* over */
			continue;
		}
		done = json_array_size(list) ? done : shards_done(db);
		(void)json_object_set_new(o, "done", done < 0 ? json_null() : json_integer(done));
		(void)json_array_append_new(list, o);
	}
	return list;
}
