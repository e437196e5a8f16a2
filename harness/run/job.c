/* job.c - see job.h. Tables say what the file holds; both directions follow them. */
#define _GNU_SOURCE
#include "harness/run/job.h"

#include "harness/text/json_out.h"
#include "model/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { JOB_BYTES_MAX = 64 << 20 };

/* INTEGER is an int64_t, COUNT an int that is not negative, LIST int64_t whose number is an int at `count`, REALS
 * double likewise; END a double that may be NAN. */
enum kind { TEXT, INTEGER, COUNT, NUMBER, TRUTH, LIST, REALS, END };
/* optional: may be missing, and then stays zero, or NAN; a text that is NULL, no reals and NAN are not written. */
struct field {
	const char *key;
	enum kind kind;
	size_t at, count;
	bool optional, positive;
};

#define FIELD(name, kind_of, ...) \
	{ \
		.key = #name, .kind = (kind_of), .at = offsetof(struct OF, name), __VA_ARGS__ \
	}

#define OF job
static const struct field job_fields[] = {
	FIELD(attempt, TEXT),
	FIELD(cell, TEXT),
	FIELD(arm, TEXT),
	FIELD(config, TEXT),
	FIELD(dataset, TEXT),
	FIELD(purpose, TEXT),
	FIELD(label, TEXT, .optional = true),
	FIELD(device, TEXT),
	FIELD(seed, INTEGER),
	FIELD(numerics, INTEGER),
	FIELD(n, INTEGER),
	FIELD(threads, COUNT, .positive = true),
	FIELD(wall_s, NUMBER),
	FIELD(checkpoint_s, NUMBER, .optional = true),
	FIELD(ranks, COUNT, .optional = true),
	FIELD(microbatch, COUNT, .optional = true),
	FIELD(resumed_from, TEXT, .optional = true),
	FIELD(training, TEXT, .optional = true),
	FIELD(ema, REALS, .optional = true, .count = offsetof(struct job, n_ema)),
	FIELD(generation, INTEGER, .optional = true),
	FIELD(resumed_env, TEXT, .optional = true),
	FIELD(until, INTEGER, .optional = true),
};
#undef OF
#define OF job_score
static const struct field score_fields[] = {
	FIELD(name, TEXT),
	FIELD(samples, INTEGER, .positive = true),
	FIELD(ref, TEXT),
	FIELD(extractor, TEXT),
	FIELD(interval, TRUTH),
	FIELD(infinity, TRUTH),
	FIELD(nfe, LIST, .count = offsetof(struct job_score, n_nfe)),
	FIELD(eval_seeds, LIST, .count = offsetof(struct job_score, n_eval_seeds)),
};
#undef OF
#define OF job_sampling
static const struct field sampling_fields[] = {
	FIELD(key, TEXT),
	FIELD(path, TEXT),
	FIELD(sha256, TEXT),
	FIELD(n, INTEGER, .positive = true),
	FIELD(attempt, TEXT, .optional = true),
};
#undef OF
#define OF job_known
static const struct field known_fields[] = {
	FIELD(key, TEXT),
	FIELD(attempt, TEXT),
	FIELD(name, TEXT),
	FIELD(weights, TEXT),
	FIELD(protocol, TEXT),
	FIELD(hex, TEXT),
	FIELD(computed_by, TEXT, .optional = true),
	FIELD(lo, END, .optional = true),
	FIELD(hi, END, .optional = true),
	FIELD(nfe, INTEGER),
	FIELD(eval_seed, INTEGER),
	FIELD(step, INTEGER),
	FIELD(n, INTEGER),
};
#undef OF

/* A list of objects: a pointer at `at`, their number at `count`. optional: one that is empty is not written. */
struct list {
	const char *key;
	const struct field *fields;
	int n_fields;
	size_t at, count, size;
	bool optional;
};

#define LIST_OF(name, number, table, type, ...) \
	{ \
		.key = #name, .fields = (table), .n_fields = sizeof(table) / sizeof *(table), \
		.at = offsetof(struct job, name), .count = offsetof(struct job, number), .size = sizeof(struct type), \
		__VA_ARGS__ \
	}
static const struct list job_lists[] = {
	LIST_OF(scores, n_scores, score_fields, job_score),
	LIST_OF(samplings, n_samplings, sampling_fields, job_sampling, .optional = true),
	LIST_OF(known, n_known, known_fields, job_known, .optional = true),
};
enum { N_JOB_FIELDS = sizeof job_fields / sizeof *job_fields, N_JOB_LISTS = sizeof job_lists / sizeof *job_lists };

char *job_path(const char *dir)
{
	return xstrfmt("%s/job.json", dir);
}

/* ---- writing --------------------------------------------------------------------------------- */

static json_t *list_json(const int64_t *v, int n)
{
	json_t *list = json_array();
	for (int i = 0; i < n; i++)
		(void)json_array_append_new(list, json_integer(v[i]));
	return list;
}

static json_t *reals_json(const double *v, int n)
{
	json_t *list = json_array();
	for (int i = 0; i < n; i++)
		if (json_array_append_new(list, json_real(v[i]))) {
			json_decref(list);
			return NULL;
		}
	return list;
}

/* NULL: not UTF-8, or no finite number. */
static json_t *value_json(const struct field *f, const char *at, const char *count)
{
	switch (f->kind) {
	case TEXT: return json_string(*(const char *const *)at);
	case INTEGER: return json_integer(*(const int64_t *)at);
	case COUNT: return json_integer(*(const int *)at);
	case NUMBER: return json_real(*(const double *)at);
	case TRUTH: return json_boolean(*(const bool *)at);
	case LIST: return list_json(*(const int64_t *const *)at, *(const int *)count);
	case REALS: return reals_json(*(const double *const *)at, *(const int *)count);
	case END: return json_real(*(const double *)at);
	}
	BUG("kind %d", (int)f->kind);
}

static bool left_out(const struct field *f, const char *at, const char *count)
{
	if (!f->optional)
		return false;
	return f->kind == TEXT    ? !*(const char *const *)at
	       : f->kind == REALS ? !*(const int *)count
	       : f->kind == END   ? isnan(*(const double *)at)
	                          : false;
}

/* NULL with e set, such as "label is not UTF-8". */
static json_t *object_json(const struct field *fields, int n, const void *of, struct err *e)
{
	json_t *o = json_object();
	for (int i = 0; i < n; i++) {
		const struct field *f = &fields[i];
		const char *at = (const char *)of + f->at;
		if (left_out(f, at, (const char *)of + f->count))
			continue;
		if (json_object_set_new(o, f->key, value_json(f, at, (const char *)of + f->count))) {
			(void)err_set(e, "%s is not %s", f->key, f->kind == TEXT ? "UTF-8" : "a finite number");
			json_decref(o);
			return NULL;
		}
	}
	return o;
}

/* The members of a list; NULL with e. */
static json_t *members_json(const struct list *l, const struct job *job, struct err *e)
{
	const char *first = *(const char *const *)((const char *)job + l->at);
	int n = *(const int *)((const char *)job + l->count);
	json_t *all = json_array();
	for (int i = 0; i < n; i++) {
		json_t *o = object_json(l->fields, l->n_fields, first + (size_t)i * l->size, e);
		if (!o) {
			(void)err_in(e, "%s[%d]", l->key, i);
			json_decref(all);
			return NULL;
		}
		(void)json_array_append_new(all, o);
	}
	return all;
}

static json_t *job_json(const struct job *job, struct err *e)
{
	json_t *o = object_json(job_fields, N_JOB_FIELDS, job, e);
	for (int i = 0; o && i < N_JOB_LISTS; i++) {
		json_t *members = members_json(&job_lists[i], job, e);
		if (!members) {
			json_decref(o);
			return NULL;
		}
		if (json_array_size(members) || !job_lists[i].optional)
			(void)json_object_set(o, job_lists[i].key, members);
		json_decref(members);
	}
	return o;
}

int job_write(const struct job *job, const char *dir, struct err *e)
{
	SCOPED(free) char *path = job_path(dir);
	SCOPED(str) struct str text = { 0 };
	json_t *o = job_json(job, e);
	if (!o)
		return err_in(e, "%s", path);
	if (json_record(&text, o, JSON_INDENT(1)))
		BUG("%s: a document that has no text", path);
	json_decref(o);
	SCOPED(fd) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_set(e, "%s: cannot create: %s", path, strerror(errno));
	return io_write_all(fd, text.data, text.len, path, e);
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool is_list(const json_t *v)
{
	size_t i;
	json_t *item;
	json_array_foreach(v, i, item) if (!json_is_integer(item)) return false;
	return json_is_array(v);
}

static bool is_reals(const json_t *v)
{
	size_t i;
	json_t *item;
	json_array_foreach(v, i, item) if (!json_is_number(item)) return false;
	return json_is_array(v);
}

static bool fits(enum kind kind, const json_t *v)
{
	switch (kind) {
	case TEXT: return json_is_string(v);
	case INTEGER:
	case COUNT: return json_is_integer(v);
	case END:
	case NUMBER: return json_is_number(v);
	case TRUTH: return json_is_boolean(v);
	case LIST: return is_list(v);
	case REALS: return is_reals(v);
	}
	return false;
}

static const char *kind_name(enum kind kind)
{
	static const char *const names[] = {
		[TEXT] = "a string",       [INTEGER] = "an integer",      [COUNT] = "an integer",        [NUMBER] = "a number",
		[TRUTH] = "true or false", [LIST] = "a list of integers", [REALS] = "a list of numbers", [END] = "a number"
	};
	return names[kind];
}

static void take(const struct field *f, void *of, struct arena *a, const json_t *v)
{
	char *at = (char *)of + f->at;
	if (f->kind == TEXT) {
		*(const char **)at = arena_strdup(a, json_string_value(v));
	} else if (f->kind == INTEGER) {
		*(int64_t *)at = json_integer_value(v);
	} else if (f->kind == COUNT) {
		*(int *)at = (int)json_integer_value(v);
	} else if (f->kind == NUMBER || f->kind == END) {
		*(double *)at = json_number_value(v);
	} else if (f->kind == TRUTH) {
		*(bool *)at = json_is_true(v);
	} else if (f->kind == REALS) {
		size_t n = json_array_size(v);
		double *list = arena_alloc(a, n * sizeof *list + 1);
		for (size_t i = 0; i < n; i++)
			list[i] = json_number_value(json_array_get(v, i));
		*(const double **)at = list;
		*(int *)((char *)of + f->count) = (int)n;
	} else {
		size_t n = json_array_size(v);
		int64_t *list = arena_alloc(a, n * sizeof *list + 1);
		for (size_t i = 0; i < n; i++)
			list[i] = json_integer_value(json_array_get(v, i));
		*(const int64_t **)at = list;
		*(int *)((char *)of + f->count) = (int)n;
	}
}

/* `where`: "" or "scores[2].", before the field in messages. */
static int take_fields(void *of, struct arena *a, const struct field *fields, int n, const json_t *o, const char *where,
                       struct err *e)
{
	for (int i = 0; i < n; i++) {
		const struct field *f = &fields[i];
		const json_t *v = json_object_get(o, f->key);
		if (!v && f->optional && f->kind == END)
			*(double *)((char *)of + f->at) = NAN;
		if (!v && f->optional)
			continue;
		if (!v)
			return err_set(e, "%s%s is missing", where, f->key);
		if (!fits(f->kind, v))
			return err_set(e, "%s%s must be %s", where, f->key, kind_name(f->kind));
		if (f->positive && json_integer_value(v) < 1)
			return err_set(e, "%s%s must be at least 1", where, f->key);
		if (f->kind == COUNT && (json_integer_value(v) < 0 || json_integer_value(v) > INT_MAX))
			return err_set(e, "%s%s must be 0 to %d", where, f->key, INT_MAX);
		take(f, of, a, v);
	}
	return 0;
}

static int take_list(struct job *job, const struct list *l, const json_t *list, struct err *e)
{
	if (list && !json_is_array(list))
		return err_set(e, "%s must be a list", l->key);
	size_t n = json_array_size(list);
	char *all = arena_alloc(&job->arena, (n + 1) * l->size);
	for (size_t i = 0; i < n; i++) {
		char where[40];
		(void)snprintf(where, sizeof where, "%s[%zu].", l->key, i);
		if (take_fields(all + i * l->size, &job->arena, l->fields, l->n_fields, json_array_get(list, i), where, e))
			return -1;
	}
	*(const char **)((char *)job + l->at) = all;
	*(int *)((char *)job + l->count) = (int)n;
	return 0;
}

static int take_lists(struct job *job, const json_t *o, struct err *e)
{
	for (int i = 0; i < N_JOB_LISTS; i++)
		if (take_list(job, &job_lists[i], json_object_get(o, job_lists[i].key), e))
			return -1;
	return 0;
}

int job_read(struct job *out, const char *dir, struct err *e)
{
	SCOPED(free) char *path = job_path(dir);
	SCOPED(str) struct str text = { 0 };
	struct job job = { 0 };
	json_error_t why;
	if (io_read(&text, path, JOB_BYTES_MAX, e))
		return -1;
	json_t *o = json_loadb(str_text(&text), text.len, JSON_REJECT_DUPLICATES, &why);
	int rc = !o ? err_set(e, "not JSON: %s", why.text)
	         : take_fields(&job, &job.arena, job_fields, N_JOB_FIELDS, o, "", e) || take_lists(&job, o, e) ? -1
	                                                                                                       : 0;
	json_decref(o);
	if (rc) {
		job_release(&job);
		if (e)
			e->code = EXIT_USAGE;
		return err_in(e, "%s: not a job of ablate", path);
	}
	*out = job;
	return 0;
}

void job_release(struct job *job)
{
	arena_release(&job->arena);
	*job = (struct job){ 0 };
}

bool job_list_has(const int64_t *list, int n, int64_t x)
{
	for (int i = 0; i < n; i++)
		if (list[i] == x)
			return true;
	return false;
}
