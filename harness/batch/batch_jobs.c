/* batch_jobs.c - see batch_jobs.h. */
#define _GNU_SOURCE
#include "harness/batch/batch_jobs.h"

#include "harness/batch/allowed.h"
#include "harness/batch/batch_client.h"
#include "harness/text/json_out.h"
#include "model/base/io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *batch_dir(const char *db)
{
	return xstrfmt("%s-runs/batch", db);
}

static char *file_of(const char *db)
{
	return xstrfmt("%s-runs/batch/jobs.json", db);
}

/* ---- the file --------------------------------------------------------------------------------------------------- */

/* A list of texts, NULL at the end; NULL where it is none, or empty. */
static const char **words_of(struct arena *arena, const json_t *list)
{
	size_t n = json_array_size(list);
	const char **words = arena_alloc(arena, (n + 1) * sizeof *words);
	for (size_t i = 0; i < n; i++) {
		const char *text = json_string_value(json_array_get(list, i));
		if (!text)
			return NULL;
		words[i] = arena_strdup(arena, text);
	}
	return n ? words : NULL;
}

static bool take_job(struct batch_jobs *jobs, struct batch_engine *engine, const json_t *o)
{
	const char *id = json_string_value(json_object_get(o, "id")), *plan = json_string_value(json_object_get(o, "plan")),
			   *key = json_string_value(json_object_get(o, "key"));
	json_int_t index = json_integer_value(json_object_get(o, "index"));
	if (!id || !plan || strlen(plan) != SHA256_HEX - 1 || !key || index < 0 || index > GRID_CELLS_MAX)
		return false;
	batch_jobs_add(jobs, engine, &(struct batch_entry){ .id = id, .plan = plan, .key = key, .index = (int)index });
	return true;
}

static bool take_engine(struct batch_jobs *jobs, const json_t *o)
{
	const char *dir = json_string_value(json_object_get(o, "dir"));
	const char **query = words_of(&jobs->arena, json_object_get(o, "query")),
			   **cancel = words_of(&jobs->arena, json_object_get(o, "cancel"));
	const json_t *list = json_object_get(o, "jobs");
	if (!dir || !query || !cancel || !json_is_array(list))
		return false;
	VEC_PUSH(jobs->v, jobs->n, jobs->cap) =
		(struct batch_engine){ .dir = arena_strdup(&jobs->arena, dir), .query = query, .cancel = cancel };
	for (size_t i = 0; i < json_array_size(list); i++)
		if (!take_job(jobs, &jobs->v[jobs->n - 1], json_array_get(list, i)))
			return false;
	return true;
}

static bool take_all(struct batch_jobs *jobs, const json_t *o)
{
	const json_t *engines = json_object_get(o, "engines"), *unanswered = json_object_get(o, "unanswered");
	if (json_integer_value(json_object_get(o, "schema")) != 1 || !json_is_array(engines) ||
	    !json_is_integer(unanswered))
		return false;
	jobs->unanswered = (int)json_integer_value(unanswered);
	for (size_t i = 0; i < json_array_size(engines); i++)
		if (!take_engine(jobs, json_array_get(engines, i)))
			return false;
	return true;
}

int batch_jobs_read(struct batch_jobs *out, const char *db, struct err *e)
{
	SCOPED(free) char *path = file_of(db);
	SCOPED(str) struct str text = { 0 };
	*out = (struct batch_jobs){ 0 };
	if (!io_exists(path))
		return 0;
	if (io_read(&text, path, (size_t)1 << 30, e))
		return -1;
	json_t *o = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
	bool whole = take_all(out, o);
	json_decref(o);
	if (whole)
		return 0;
	scoped_batch_jobs(out);
	return err_code(e, EXIT_RECORD,
	                "%s: not a list of jobs that this program writes, so it is not known which tasks are in the queue: "
	                "remove it when none is",
	                path);
}

static json_t *list_of(const char *const *words)
{
	json_t *list = json_array();
	for (; *words; words++)
		(void)json_array_append_new(list, json_string(*words));
	return list;
}

int batch_jobs_write(const struct batch_jobs *jobs, const char *db, struct err *e)
{
	SCOPED(free) char *path = file_of(db);
	SCOPED(str) struct str text = { 0 };
	json_t *o = json_object(), *engines = json_array();
	(void)json_object_set_new(o, "schema", json_integer(1));
	(void)json_object_set_new(o, "unanswered", json_integer(jobs->unanswered));
	for (int i = 0; i < jobs->n; i++) {
		const struct batch_engine *engine = &jobs->v[i];
		json_t *one = json_object(), *list = json_array();
		(void)json_object_set_new(one, "dir", json_string(engine->dir));
		(void)json_object_set_new(one, "query", list_of(engine->query));
		(void)json_object_set_new(one, "cancel", list_of(engine->cancel));
		for (int k = 0; k < engine->n; k++) {
			const struct batch_entry *j = &engine->v[k];
			(void)json_array_append_new(list, json_pack("{s:s, s:s, s:i, s:s}", "id", j->id, "plan", j->plan, "index",
			                                            j->index, "key", j->key));
		}
		(void)json_object_set_new(one, "jobs", list);
		(void)json_array_append_new(engines, one);
	}
	(void)json_object_set_new(o, "engines", engines);
	int rc = json_record(&text, o, JSON_INDENT(1));
	json_decref(o);
	return rc ? err_set(e, "%s: a text in it is not UTF-8", path) : io_write_atomic(path, text.data, text.len, e);
}

void scoped_batch_jobs(struct batch_jobs *jobs)
{
	for (int i = 0; i < jobs->n; i++)
		free(jobs->v[i].v);
	free(jobs->v);
	arena_release(&jobs->arena);
	*jobs = (struct batch_jobs){ 0 };
}

/* ---- jobs ------------------------------------------------------------------------------------------------------- */

int batch_jobs_count(const struct batch_jobs *jobs)
{
	int n = 0;
	for (int i = 0; i < jobs->n; i++)
		n += jobs->v[i].n;
	return n;
}

static bool same_words(const char *const *a, const struct slurm_list *b)
{
	int i = 0;
	while (i < b->n && a[i] && strcmp(a[i], b->v[i]) == 0)
		i++;
	return i == b->n && !a[i];
}

static const char **copy_words(struct arena *arena, const struct slurm_list *list)
{
	const char **words = arena_alloc(arena, ((size_t)list->n + 1) * sizeof *words);
	for (int i = 0; i < list->n; i++)
		words[i] = arena_strdup(arena, list->v[i]);
	return words;
}

struct batch_engine *batch_engine_of(struct batch_jobs *jobs, const char *dir, const struct slurm_list *query,
                                     const struct slurm_list *cancel)
{
	for (int i = 0; i < jobs->n; i++)
		if (strcmp(jobs->v[i].dir, dir) == 0 && same_words(jobs->v[i].query, query) &&
		    same_words(jobs->v[i].cancel, cancel))
			return &jobs->v[i];
	VEC_PUSH(jobs->v, jobs->n, jobs->cap) = (struct batch_engine){ .dir = arena_strdup(&jobs->arena, dir),
		                                                           .query = copy_words(&jobs->arena, query),
		                                                           .cancel = copy_words(&jobs->arena, cancel) };
	return &jobs->v[jobs->n - 1];
}

/* What tells it from others, for allowed.h: folder and commands. */
static void identity_of(struct str *out, const struct batch_engine *engine)
{
	str_addn(out, engine->dir, strlen(engine->dir) + 1);
	for (const char *const *w = engine->query; *w; w++)
		str_addn(out, *w, strlen(*w) + 1);
	str_addc(out, '\0');
	for (const char *const *w = engine->cancel; *w; w++)
		str_addn(out, *w, strlen(*w) + 1);
}

int batch_engine_allow(const char *dir, const struct slurm_list *query, const struct slurm_list *cancel, struct err *e)
{
	SCOPED(batch_jobs) struct batch_jobs jobs = { 0 };
	SCOPED(str) struct str identity = { 0 };
	identity_of(&identity, batch_engine_of(&jobs, dir, query, cancel));
	return allowed_add(identity.data, identity.len, e);
}

static int check_allowed(const struct batch_engine *engine, struct err *e)
{
	SCOPED(str) struct str identity = { 0 };
	identity_of(&identity, engine);
	if (allowed_has(identity.data, identity.len))
		return 0;
	return err_code(e, EXIT_USAGE,
	                "the list of its tasks names a command that you have not run a grid with, so it is not started: "
	                "'%.200s' in %.200s; `ablate run GRID --engine command` with a [command] that has it allows it",
	                engine->query[0], engine->dir);
}

int batch_engine_call(json_t **answer, const struct batch_engine *engine, const char *verb, struct err *e)
{
	SCOPED(free) const char **ids = xcalloc((size_t)engine->n + 1, sizeof *ids);
	SCOPED(str) struct str said = { 0 };
	struct batch_call call = { verb, strcmp(verb, "query") == 0 ? engine->query : engine->cancel, engine->dir,
		                       BATCH_ASK_S };
	bool unknown;
	for (int i = 0; i < engine->n; i++)
		ids[i] = engine->v[i].id;
	return check_allowed(engine, e) || batch_call(answer, &said, &unknown, &call, batch_jobs_request(ids, engine->n), e)
	           ? -1
	           : 0;
}

void batch_jobs_add(struct batch_jobs *jobs, struct batch_engine *engine, const struct batch_entry *job)
{
	struct arena *a = &jobs->arena;
	VEC_PUSH(engine->v, engine->n, engine->cap) = (struct batch_entry){ .id = arena_strdup(a, job->id),
		                                                                .plan = arena_strdup(a, job->plan),
		                                                                .key = arena_strdup(a, job->key),
		                                                                .index = job->index,
		                                                                .state = job->state,
		                                                                .reason = "" };
}

static int ask_engine(struct batch_jobs *jobs, struct batch_engine *engine, struct err *e)
{
	SCOPED(free) const char **ids = xcalloc((size_t)engine->n + 1, sizeof *ids);
	SCOPED(free) enum batch_state *state = xcalloc((size_t)engine->n + 1, sizeof *state);
	SCOPED(free) char **reason = xcalloc((size_t)engine->n + 1, sizeof *reason);
	json_t *answer;
	for (int i = 0; i < engine->n; i++)
		ids[i] = engine->v[i].id;
	if (batch_engine_call(&answer, engine, "query", e))
		return -1;
	int rc = batch_read_states(state, reason, ids, engine->n, answer, e);
	json_decref(answer);
	for (int i = 0; i < engine->n && !rc; i++) {
		engine->v[i].state = state[i];
		engine->v[i].reason = reason[i] ? arena_strdup(&jobs->arena, reason[i]) : "";
		free(reason[i]);
	}
	return rc ? err_in(e, "query: %s", engine->query[0]) : 0;
}

int batch_jobs_ask(struct batch_jobs *jobs, struct err *e)
{
	for (int i = 0; i < jobs->n; i++)
		if (jobs->v[i].n && ask_engine(jobs, &jobs->v[i], e))
			return -1;
	return 0;
}

bool batch_jobs_drop(struct batch_jobs *jobs)
{
	int engines = 0, before = batch_jobs_count(jobs);
	for (int i = 0; i < jobs->n; i++) {
		struct batch_engine engine = jobs->v[i];
		int kept = 0;
		for (int k = 0; k < engine.n; k++)
			if (batch_in_queue(engine.v[k].state))
				engine.v[kept++] = engine.v[k];
		engine.n = kept;
		if (kept)
			jobs->v[engines++] = engine;
		else
			free(engine.v);
	}
	jobs->n = engines;
	return batch_jobs_count(jobs) != before;
}

void batch_jobs_queue(struct slurm_queue *out, const struct batch_jobs *jobs)
{
	int cap = 0;
	*out = (struct slurm_queue){ 0 };
	for (int i = 0; i < jobs->n; i++)
		for (int k = 0; k < jobs->v[i].n; k++) {
			const struct batch_entry *j = &jobs->v[i].v[k];
			if (!batch_in_queue(j->state))
				continue;
			struct slurm_entry entry = { .job = out->n + 1,
				                         .task = j->index,
				                         .state = j->state == BATCH_RUNNING ? SLURM_RUNNING : SLURM_PENDING };
			(void)snprintf(entry.plan, sizeof entry.plan, "%s", j->plan);
			VEC_PUSH(out->v, out->n, cap) = entry;
		}
}
