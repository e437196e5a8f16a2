/* batch_contract.c - see batch_contract.h. */
#define _GNU_SOURCE
#include "harness/batch/batch_contract.h"

#include "harness/text/json_out.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- requests --------------------------------------------------------------------------------------------------- */

static json_t *count_or_null(int n)
{
	return n > 0 ? json_integer(n) : json_null();
}

static json_t *resources_of(const struct batch_resources *r)
{
	json_t *o = json_object();
	(void)json_object_set_new(o, "processes", json_integer(r->processes));
	(void)json_object_set_new(o, "processors", count_or_null(r->processors));
	(void)json_object_set_new(o, "gpus", json_integer(r->gpus));
	(void)json_object_set_new(o, "memory", json_out_text(r->memory));
	(void)json_object_set_new(o, "limit_s", r->limit_s > 0 ? json_real(r->limit_s) : json_null());
	return o;
}

static json_t *task_of(const struct plan *p, int index, const char *name, const char *script, const char *logs)
{
	const struct plan_cell *cell = &p->cells[index];
	const struct plan_arm *arm = &p->arms[cell->arm];
	SCOPED(free) char *number = xstrfmt("%d", index), *own = xstrfmt("%s-%d", name, index);
	SCOPED(free)
	char *label = xstrfmt("%s seed %lld", arm->n_rows ? p->rows[arm->rows[0]].name : arm->hash, (long long)cell->seed);
	SCOPED(free) char *log = xstrfmt("%s/%d.out", logs, index);
	json_t *o = json_object(), *command = json_array();
	(void)json_array_append_new(command, json_string("sh"));
	(void)json_array_append_new(command, json_string(script));
	(void)json_array_append_new(command, json_string(number));
	(void)json_object_set_new(o, "index", json_integer(index));
	(void)json_object_set_new(o, "name", json_string(own));
	(void)json_object_set_new(o, "label", json_out_text(label));
	(void)json_object_set_new(o, "key", json_stringn(p->trainings[cell->training].key, 12));
	(void)json_object_set_new(o, "command", command);
	(void)json_object_set_new(o, "log", json_string(log));
	return o;
}

const struct json_key batch_request_keys[] = {
	JSON_KEY("schema", "integer", "1"),
	JSON_KEY("name", "string", "what the submission is called"),
	JSON_KEY("database", "string", "id of the database"),
	JSON_KEY("plan", "string", "the plan, by its hash"),
	JSON_KEY("dir", "string", "folder in which the command is called"),
	JSON_KEY("throttle", "integer?", "tasks at once; null: no limit"),
	JSON_KEY("resources", "object", "what each task needs"),
	JSON_KEY("resources.processes", "integer", "processes"),
	JSON_KEY("resources.processors", "integer?", "processors of each process; null: as the scheduler gives"),
	JSON_KEY("resources.gpus", "integer", "GPUs"),
	JSON_KEY("resources.memory", "string?", "memory, in words of the scheduler; null: as it gives"),
	JSON_KEY("resources.limit_s", "number?", "time limit; null: none", .unit = "s"),
	JSON_KEY("tasks", "object[]", "the tasks, one for each training"),
	JSON_KEY("tasks[].index", "integer", "the first cell of it in the plan, from 0"),
	JSON_KEY("tasks[].name", "string", "what the task is called"),
	JSON_KEY("tasks[].label", "string", "what the training is called, for people"),
	JSON_KEY("tasks[].key", "string", "the first digits of the training's key"),
	JSON_KEY("tasks[].command", "string[]", "the words of the command that does it"),
	JSON_KEY("tasks[].log", "string", "file for what it prints"),
	{ 0 },
};

json_t *batch_submit_request(const struct plan *p, const char *id, const char *dir, const char *script,
                             const char *logs, const int *index, int n, const struct batch_resources *r, struct err *e)
{
	const char *const paths[] = { dir, script, logs };
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		json_t *text = json_string(paths[i]);
		json_decref(text);
		if (!text) {
			(void)err_code(e, EXIT_USAGE, "%s: this path is no UTF-8, which --engine command needs: rename it",
			               paths[i]);
			return NULL;
		}
	}
	SCOPED(free) char *name = xstrfmt("ablate-%s-%.12s", id, p->hash);
	json_t *o = json_object(), *tasks = json_array();
	(void)json_object_set_new(o, "schema", json_integer(1));
	(void)json_object_set_new(o, "name", json_string(name));
	(void)json_object_set_new(o, "database", json_string(id));
	(void)json_object_set_new(o, "plan", json_string(p->hash));
	(void)json_object_set_new(o, "dir", json_string(dir));
	(void)json_object_set_new(o, "throttle", count_or_null(r->throttle));
	(void)json_object_set_new(o, "resources", resources_of(r));
	for (int i = 0; i < n; i++)
		(void)json_array_append_new(tasks, task_of(p, index[i], name, script, logs));
	(void)json_object_set_new(o, "tasks", tasks);
	return o;
}

json_t *batch_jobs_request(const char *const *ids, int n)
{
	json_t *o = json_object(), *jobs = json_array();
	(void)json_object_set_new(o, "schema", json_integer(1));
	for (int i = 0; i < n; i++)
		(void)json_array_append_new(jobs, json_string(ids[i]));
	(void)json_object_set_new(o, "jobs", jobs);
	return o;
}

/* ---- answers ---------------------------------------------------------------------------------------------------- */

/* The list of jobs, each an object with an id; NULL with the reason. */
static const json_t *jobs_of(const json_t *answer, struct err *e)
{
	const json_t *jobs = json_object_get(answer, "jobs");
	if (!json_is_array(jobs)) {
		(void)err_code(e, EXIT_USAGE, "its answer has no list \"jobs\"");
		return NULL;
	}
	for (size_t i = 0; i < json_array_size(jobs); i++) {
		const json_t *id = json_object_get(json_array_get(jobs, i), "id");
		const char *text = json_string_value(id), *p = text ? text : "";
		while (*p && !iscntrl((unsigned char)*p))
			p++;
		if (text && *text && !*p && json_string_length(id) == strlen(text) && json_string_length(id) <= BATCH_ID_MAX)
			continue;
		(void)err_code(e, EXIT_USAGE,
		               "jobs[%zu] of its answer has no \"id\" that is a text of 1 to %d bytes in one line", i,
		               BATCH_ID_MAX);
		return NULL;
	}
	return jobs;
}

struct known_id {
	const char *id;
	int place;
};

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct known_id *)a)->id, ((const struct known_id *)b)->id);
}

static int by_number(const void *a, const void *b)
{
	return (*(const int *)a > *(const int *)b) - (*(const int *)a < *(const int *)b);
}

/* Is an id there twice? Jobs could not be told apart. */
static int check_twice(char *const *ids, int n, struct err *e)
{
	SCOPED(free) struct known_id *sorted = xcalloc((size_t)n + 1, sizeof *sorted);
	int k = 0;
	for (int i = 0; i < n; i++)
		if (ids[i])
			sorted[k++] = (struct known_id){ ids[i], i };
	qsort(sorted, (size_t)k, sizeof *sorted, by_id);
	for (int i = 1; i < k; i++)
		if (strcmp(sorted[i - 1].id, sorted[i].id) == 0)
			return err_code(e, EXIT_USAGE, "its answer has the id '%.100s' for two tasks", sorted[i].id);
	return 0;
}

static int take_submitted(char **ids, const int *index, int n, const json_t *jobs, struct err *e)
{
	for (size_t i = 0; i < json_array_size(jobs); i++) {
		const json_t *job = json_array_get(jobs, i), *number = json_object_get(job, "index");
		json_int_t value = json_is_integer(number) ? json_integer_value(number) : -1;
		int wanted = value >= 0 && value < INT32_MAX ? (int)value : -1;
		const int *found = bsearch(&wanted, index, (size_t)n, sizeof *index, by_number);
		if (!found)
			return err_code(e, EXIT_USAGE, "jobs[%zu] of its answer has no \"index\" of a task that it was given", i);
		char **id = &ids[found - index];
		if (*id)
			return err_code(e, EXIT_USAGE, "its answer has task %d twice", wanted);
		*id = xstrdup(json_string_value(json_object_get(job, "id")));
	}
	return check_twice(ids, n, e);
}

int batch_read_submitted(char **ids, const int *index, int n, const json_t *answer, struct err *e)
{
	const json_t *jobs = jobs_of(answer, e);
	memset(ids, 0, (size_t)n * sizeof *ids);
	if (jobs && !take_submitted(ids, index, n, jobs, e))
		return 0;
	for (int i = 0; i < n; i++) {
		free(ids[i]);
		ids[i] = NULL;
	}
	return -1;
}

static int state_of(enum batch_state *out, const json_t *job, struct err *e)
{
	static const char *const names[] = { "pending", "running", "done", "failed" };
	const char *text = json_string_value(json_object_get(job, "state"));
	for (int i = 0; text && i < BATCH_OVER; i++)
		if (strcmp(text, names[i]) == 0) {
			*out = (enum batch_state)i;
			return 0;
		}
	return err_code(e, EXIT_USAGE, "its answer has the state '%.40s' of job '%.100s': pending, running, done or failed",
	                text ? text : "", json_string_value(json_object_get(job, "id")));
}

int batch_read_states(enum batch_state *state, char **reason, const char *const *ids, int n, const json_t *answer,
                      struct err *e)
{
	SCOPED(free) struct known_id *sorted = xcalloc((size_t)n + 1, sizeof *sorted);
	const json_t *jobs = jobs_of(answer, e);
	int rc = jobs ? 0 : -1;
	for (int i = 0; i < n; i++) {
		sorted[i] = (struct known_id){ ids[i], i };
		state[i] = BATCH_OVER;
		reason[i] = NULL;
	}
	qsort(sorted, (size_t)n, sizeof *sorted, by_id);
	for (size_t i = 0; i < json_array_size(jobs) && !rc; i++) {
		const json_t *job = json_array_get(jobs, i);
		struct known_id wanted = { json_string_value(json_object_get(job, "id")), 0 };
		const struct known_id *found = bsearch(&wanted, sorted, (size_t)n, sizeof *sorted, by_id);
		enum batch_state now = BATCH_OVER;
		if (state_of(&now, job, e)) {
			rc = -1;
		} else if (found && state[found->place] != BATCH_OVER) {
			rc = err_code(e, EXIT_USAGE, "its answer has job '%.100s' twice", wanted.id);
		} else if (found) { /* others are not ours: a scheduler may tell all that it has */
			const char *why = json_string_value(json_object_get(job, "reason"));
			state[found->place] = now;
			reason[found->place] = why && *why ? xstrdup(why) : NULL;
		}
	}
	for (int i = 0; i < n && rc; i++) {
		free(reason[i]);
		reason[i] = NULL;
	}
	return rc;
}
