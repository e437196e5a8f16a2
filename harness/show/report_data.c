/* report_data.c - what the script draws from: compact JSON. What many cells share is there once and is named by its
 * number: environments, the steps of curves, what a score is; an arm has only what differs from the first arm's
 * configuration. */
#include "harness/show/report_private.h"

#include "harness/attest/signers.h"
#include "harness/grid/deviations.h"
#include "harness/record/query_attempt.h"
#include "harness/text/json_writer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Points of a curve: all of a report's take no more than some megabytes, and a curve of fewer is no curve. */
enum { POINTS_MOST = 100, POINTS_LEAST = 20, POINTS_IN_ALL = 300000 };

/* Texts numbered in order of appearance. */
struct names {
	const char **v;
	int n, cap;
};

struct data {
	struct json_writer w;
	struct study *s;
	struct names envs, scores, steps, papers; /* papers: presets */
	int points;                               /* of a curve, at most */
};

static int number_of(struct names *names, struct arena *a, const char *text)
{
	for (int i = names->n - 1; i >= 0; i--)
		if (strcmp(names->v[i], text) == 0)
			return i;
	VEC_PUSH(names->v, names->n, names->cap) = arena_strdup(a, text);
	return names->n - 1;
}

char *report_safe_json(const char *json)
{
	struct str safe = { 0 };
	for (; *json; json++) {
		if (*json == '<')
			str_add(&safe, "\\u003c");
		else
			str_addc(&safe, *json);
	}
	return safe.len ? str_detach(&safe) : xstrdup("");
}

static void add_safe(struct json_writer *w, const char *name, const char *json)
{
	SCOPED(free) char *safe = report_safe_json(json);
	json_add_raw(w, name, safe);
}

/* --- arms --- */

/* A member of a flat object, as it is written. */
struct member {
	const char *key, *value;
	size_t key_n, value_n;
};

/* The next member of canonical JSON (config_json); false at its end. *at: first its '{'. */
static bool next_member(struct member *m, const char **at)
{
	const char *p = *at;
	if (*p != '{' && *p != ',')
		return false;
	if (*++p != '"')
		return false;
	m->key = ++p;
	m->key_n = strcspn(p, "\"");
	m->value = p += m->key_n + 2;
	bool text = false;
	for (int depth = 0; *p && (text || depth || (*p != ',' && *p != '}')); p++) {
		if (text && *p == '\\')
			p++;
		else if (*p == '"')
			text = !text;
		else if (!text)
			depth += (*p == '[') - (*p == ']');
	}
	m->value_n = (size_t)(p - m->value);
	*at = p;
	return true;
}

static void add_member(struct json_writer *w, const struct member *m, bool value)
{
	SCOPED(free) char *key = xstrndup(m->key, m->key_n), *json = xstrndup(m->value, m->value_n);
	if (value)
		add_safe(w, key, json);
	else
		json_add_null(w, key);
}

/* What differs from the first arm's configuration; null: a setting of that one alone. Both are in order of keys. */
static void add_differences(struct json_writer *w, const char *base, const char *json)
{
	struct member a, b;
	bool has_a = next_member(&a, &base), has_b = next_member(&b, &json);
	json_begin(w, "set", '{');
	while (has_a || has_b) {
		size_t n = has_a && has_b ? (a.key_n < b.key_n ? a.key_n : b.key_n) : 0;
		int order = !has_a ? 1 : !has_b ? -1 : strncmp(a.key, b.key, n);
		if (!order)
			order = (a.key_n > b.key_n) - (a.key_n < b.key_n);
		if (order < 0)
			add_member(w, &a, false);
		else if (order > 0 || a.value_n != b.value_n || strncmp(a.value, b.value, a.value_n) != 0)
			add_member(w, &b, true);
		has_a = order <= 0 ? next_member(&a, &base) : has_a;
		has_b = order >= 0 ? next_member(&b, &json) : has_b;
	}
	json_end(w);
}

static int add_arm(struct data *d, int i, struct err *e)
{
	struct json_writer *w = &d->w;
	const struct plan *p = d->s->plan;
	const struct plan_arm *arm = &p->arms[i];
	const struct deviation *v;
	const char *preset;
	int n;
	if (deviations_of(&v, &n, &preset, &d->s->arena, &arm->config, arm->preset, p->grid->like, e))
		return -1;
	json_begin(w, NULL, '{');
	json_add_text(w, "h", arm->hash);
	json_add_text(w, "label", p->rows[arm->rows[0]].label);
	json_add_text(w, "preset", arm->preset);
	json_begin(w, "labels", '[');
	for (int k = 0; k < arm->n_rows; k++)
		json_add_text(w, NULL, p->rows[arm->rows[k]].name);
	json_end(w);
	/* only what a paper says: a default that no paper gives is nobody's value */
	json_begin(w, "papers", '[');
	for (int k = 0; k < n; k++) {
		SCOPED(str) struct str json = { 0 };
		struct json_writer one = { .to = &json };
		if (!*v[k].source || strcmp(deviations_against(preset), "paper") != 0)
			continue;
		json_add_texts(&one, NULL, (const char *const[]){ v[k].key, v[k].paper, v[k].source }, 3);
		json_add_int(w, NULL, number_of(&d->papers, &d->s->arena, str_text(&json)));
	}
	json_end(w);
	add_differences(w, p->arms[0].json, arm->json);
	json_end(w);
	return 0;
}

/* --- curves --- */

struct point {
	int64_t step;
	double value;
};

/* Seven digits draw the same. */
static void add_short(struct json_writer *w, const char *name, double x)
{
	if (isfinite(x))
		json_add_format(w, name, "%.7g", x);
	else
		json_add_null(w, name);
}

/* [number of the steps, [values]]. */
static void add_points(struct data *d, const char *name, const struct point *v, int n)
{
	int every = (n + d->points - 1) / d->points;
	SCOPED(str) struct str json = { 0 };
	struct json_writer steps = { .to = &json };
	json_begin(&steps, NULL, '[');
	for (int i = 0; i < n; i += every)
		json_add_int(&steps, NULL, v[i].step);
	json_end(&steps);
	json_begin(&d->w, name, '[');
	json_add_int(&d->w, NULL, number_of(&d->steps, &d->s->arena, str_text(&json)));
	json_begin(&d->w, NULL, '[');
	for (int i = 0; i < n; i += every)
		if (isfinite(v[i].value))
			json_add_format(&d->w, NULL, "%.5g", v[i].value);
		else
			json_add_null(&d->w, NULL);
	json_end(&d->w);
	json_end(&d->w);
}

static int add_curves(struct data *d, const char *attempt, struct err *e)
{
	SCOPED(free) struct point *v = NULL;
	SCOPED(str) struct str name = { 0 };
	int n = 0, cap = 0;
	struct db_rows rows;
	struct curve_row r;
	if (query_curve(&rows, d->s->db, attempt, NULL, e))
		return -1;
	json_begin(&d->w, "curves", '{');
	while (query_curve_next(&r, &rows)) {
		if (strcmp(str_text(&name), r.name) != 0) {
			if (n)
				add_points(d, str_text(&name), v, n);
			str_release(&name);
			str_add(&name, r.name);
			n = 0;
		}
		VEC_PUSH(v, n, cap) = (struct point){ r.step, r.value };
	}
	if (n)
		add_points(d, str_text(&name), v, n);
	json_end(&d->w);
	return db_done(&rows, e);
}

/* --- cells --- */

static int add_attempt(struct data *d, const struct study_cell *c, struct err *e)
{
	struct json_writer *w = &d->w;
	struct study *s = d->s;
	struct db_rows rows;
	struct ran_on_row on;
	struct file_row file;
	if (add_curves(d, c->attempt, e) || query_ran_on(&rows, s->db, c->attempt, e))
		return -1;
	while (query_ran_on_next(&on, &rows)) {
		json_add_text(w, "host", on.host);
		if (*on.env)
			json_add_int(w, "env", number_of(&d->envs, &s->arena, on.env));
	}
	SCOPED(str) struct str said = { 0 };
	if (db_done(&rows, e) || signers_text(&said, s->db, (const char *const[]){ c->attempt }, 1, e))
		return -1;
	if (said.len)
		json_add_text(w, "signed", str_text(&said));
	if (query_files(&rows, s->db, c->attempt, e))
		return -1;
	json_begin(w, "files", '[');
	while (query_file_next(&file, &rows))
		json_add_texts(w, NULL, (const char *const[]){ file.role, file.name, file.hash }, 3);
	json_end(w);
	return db_done(&rows, e);
}

/* [number of what it is, value, evaluation seeds, images]. */
static void add_score(struct data *d, const struct study_score *x)
{
	SCOPED(str) struct str json = { 0 };
	struct json_writer what = { .to = &json }, *w = &d->w;
	json_begin(&what, NULL, '{');
	json_add_text(&what, "name", x->name);
	json_add_text(&what, "weights", x->weights);
	json_add_int(&what, "nfe", x->nfe);
	json_add_int(&what, "step", x->step);
	json_add_text(&what, "protocol", x->protocol);
	json_end(&what);
	json_begin(w, NULL, '[');
	json_add_int(w, NULL, number_of(&d->scores, &d->s->arena, str_text(&json)));
	add_short(w, NULL, x->value);
	json_add_int(w, NULL, x->evals);
	json_add_int(w, NULL, x->n);
	json_end(w);
}

static int add_cell(struct data *d, const struct study_cell *c, const struct metric_ref *refs, int n_refs,
                    struct err *e)
{
	struct json_writer *w = &d->w;
	json_begin(w, NULL, '{');
	json_add_text(w, "h", c->hash);
	json_add_int(w, "arm", c->arm);
	json_add_int(w, "seed", c->seed);
	json_add_text(w, "state", record_state_name(c->state));
	if (*c->reason)
		json_add_text(w, "reason", c->reason);
	if (*c->attempt) {
		json_add_text(w, "attempt", c->attempt);
		json_add_text(w, "fingerprint", c->fingerprint);
		json_add_text(w, "started", c->started);
		json_add_text(w, "ended", c->ended);
		json_add_format(w, "seconds", "%.3f", c->seconds);
		json_add_int(w, "step", c->step);
	}
	json_add_int(w, "attempts", c->attempts);
	json_begin(w, "m", '['); /* of the metrics in their order */
	for (int i = 0; i < n_refs; i++) {
		const struct study_score *x = study_score(d->s, c, &refs[i]);
		add_short(w, NULL, x ? x->value : NAN);
	}
	json_end(w);
	json_begin(w, "scores", '[');
	for (int i = 0; i < c->n_scores; i++)
		add_score(d, &c->scores[i]);
	json_end(w);
	if (d->s->db && *c->attempt && add_attempt(d, c, e))
		return -1;
	json_end(w);
	return 0;
}

/* --- all --- */

static int add_envs(struct data *d, struct err *e)
{
	json_begin(&d->w, "envs", '[');
	for (int i = 0; i < d->envs.n; i++) {
		SCOPED(free) char *json = NULL;
		if (query_env_of_hash(&json, d->s->db, d->envs.v[i], e))
			return -1;
		json_begin(&d->w, NULL, '{');
		json_add_text(&d->w, "h", d->envs.v[i]);
		add_safe(&d->w, "facts", json ? json : "{}"); /* the table's CHECK guarantees that it is valid */
		json_end(&d->w);
	}
	json_end(&d->w);
	return 0;
}

static void add_named(struct json_writer *w, const char *name, const struct names *names)
{
	json_line(w);
	json_begin(w, name, '[');
	for (int i = 0; i < names->n; i++)
		add_safe(w, NULL, names->v[i]);
	json_end(w);
}

static void add_metrics(struct json_writer *w, const struct metric_ref *refs, int n)
{
	json_begin(w, "metrics", '[');
	for (int i = 0; i < n; i++) {
		SCOPED(free) char *title = metric_title(&refs[i], refs[i].samples);
		json_begin(w, NULL, '{');
		json_add_text(w, "title", title);
		json_add_bool(w, "higher", metric_higher_is_better(refs[i].name));
		json_end(w);
	}
	json_end(w);
}

static int add_all(struct data *d, const char *history, struct err *e)
{
	struct json_writer *w = &d->w;
	const struct plan *p = d->s->plan;
	struct metric_ref refs[METRIC_REFS_MAX];
	int n_refs = grid_metric_refs(refs, METRIC_REFS_MAX, p->grid);
	json_begin(w, NULL, '{');
	add_metrics(w, refs, n_refs);
	json_line(w);
	if (p->n_arms)
		add_safe(w, "base", p->arms[0].json);
	json_line(w);
	json_begin(w, "arms", '[');
	for (int i = 0; i < p->n_arms; i++) {
		json_line(w);
		if (add_arm(d, i, e))
			return -1;
	}
	json_end(w);
	json_line(w);
	json_begin(w, "cells", '[');
	for (int i = 0; i < p->n_cells; i++) {
		json_line(w);
		if (add_cell(d, &d->s->cells[i], refs, n_refs, e))
			return -1;
	}
	json_end(w);
	add_named(w, "scores", &d->scores);
	add_named(w, "steps", &d->steps);
	add_named(w, "papers", &d->papers);
	json_line(w);
	if (add_envs(d, e))
		return -1;
	json_line(w);
	json_add_raw(w, "history", history); /* made safe where it was made */
	json_end(w);
	return 0;
}

int report_data(struct str *out, struct study *s, const char *history, struct err *e)
{
	struct data d = { .w = { .to = out }, .s = s };
	int n = s->plan->n_cells ? POINTS_IN_ALL / s->plan->n_cells : POINTS_MOST;
	d.points = n > POINTS_MOST ? POINTS_MOST : n < POINTS_LEAST ? POINTS_LEAST : n;
	int rc = add_all(&d, history, e);
	free(d.envs.v);
	free(d.scores.v);
	free(d.steps.v);
	free(d.papers.v);
	return rc;
}
