/* report_data.c - what the pages of single cells are drawn from: compact JSON, each environment, protocol and
 * configuration once. */
#include "harness/show/report.h"

#include "harness/attest/signers.h"
#include "harness/grid/deviations.h"
#include "harness/record/query_attempt.h"
#include "harness/text/json_writer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Texts numbered in order of appearance. */
struct names {
	const char **v;
	int n, cap;
};

static int number_of(struct names *names, struct arena *a, const char *text)
{
	for (int i = names->n - 1; i >= 0; i--)
		if (strcmp(names->v[i], text) == 0)
			return i;
	VEC_PUSH(names->v, names->n, names->cap) = arena_strdup(a, text);
	return names->n - 1;
}

/* JSON of our own making, but inside <script>: "<" must not occur there. */
static void add_safe(struct json_writer *w, const char *name, const char *json)
{
	SCOPED(str) struct str safe = { 0 };
	for (; *json; json++) {
		if (*json == '<')
			str_add(&safe, "\\u003c");
		else
			str_addc(&safe, *json);
	}
	json_add_raw(w, name, str_text(&safe));
}

/* Seven digits draw the same. */
static void add_short(struct json_writer *w, const char *name, double x)
{
	if (isfinite(x))
		json_add_format(w, name, "%.7g", x);
	else
		json_add_null(w, name);
}

static int add_arm(struct json_writer *w, struct study *s, int i, bool picture, struct err *e)
{
	const struct plan *p = s->plan;
	const struct plan_arm *arm = &p->arms[i];
	const struct deviation *d;
	const char *preset;
	int n;
	if (deviations_of(&d, &n, &preset, &s->arena, &arm->config, arm->preset, p->grid->like, e))
		return -1;
	json_begin(w, NULL, '{');
	json_add_text(w, "h", arm->hash);
	json_add_text(w, "label", p->rows[arm->rows[0]].label);
	json_add_text(w, "preset", arm->preset);
	json_begin(w, "labels", '[');
	for (int k = 0; k < arm->n_rows; k++)
		json_add_text(w, NULL, p->rows[arm->rows[k]].name);
	json_end(w);
	if (picture)
		json_add_format(w, "picture", "\"sample-%d\"", i);
	json_begin(w, "deviations", '[');
	for (int k = 0; k < n; k++)
		json_add_texts(w, NULL, (const char *const[]){ d[k].key, d[k].paper }, 2);
	json_end(w);
	add_safe(w, "config", arm->json);
	json_end(w);
	return 0;
}

struct point {
	int64_t step;
	double value;
};

/* [[steps], [values]] of at most REPORT_CURVE_POINTS points. */
static void add_points(struct json_writer *w, const char *name, const struct point *v, int n)
{
	int every = (n + REPORT_CURVE_POINTS - 1) / REPORT_CURVE_POINTS;
	json_begin(w, name, '[');
	json_begin(w, NULL, '[');
	for (int i = 0; i < n; i += every)
		json_add_int(w, NULL, v[i].step);
	json_end(w);
	json_begin(w, NULL, '[');
	for (int i = 0; i < n; i += every)
		add_short(w, NULL, v[i].value);
	json_end(w);
	json_end(w);
}

static int add_curves(struct json_writer *w, struct study *s, const char *attempt, struct err *e)
{
	SCOPED(free) struct point *v = NULL;
	SCOPED(str) struct str name = { 0 };
	int n = 0, cap = 0;
	struct db_rows rows;
	struct curve_row r;
	if (query_curve(&rows, s->db, attempt, NULL, e))
		return -1;
	json_begin(w, "curves", '{');
	while (query_curve_next(&r, &rows)) {
		if (strcmp(str_text(&name), r.name) != 0) {
			if (n)
				add_points(w, str_text(&name), v, n);
			str_release(&name);
			str_add(&name, r.name);
			n = 0;
		}
		VEC_PUSH(v, n, cap) = (struct point){ r.step, r.value };
	}
	if (n)
		add_points(w, str_text(&name), v, n);
	json_end(w);
	return db_done(&rows, e);
}

static int add_attempt(struct json_writer *w, struct study *s, const struct study_cell *c, struct names *envs,
                       struct err *e)
{
	struct db_rows rows;
	struct ran_on_row on;
	struct file_row file;
	if (add_curves(w, s, c->attempt, e) || query_ran_on(&rows, s->db, c->attempt, e))
		return -1;
	while (query_ran_on_next(&on, &rows)) {
		json_add_text(w, "host", on.host);
		json_add_text(w, "env", on.env);
		if (*on.env)
			(void)number_of(envs, &s->arena, on.env);
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

static void add_score(struct json_writer *w, const struct study_score *x, int protocol)
{
	json_begin(w, NULL, '{');
	json_add_text(w, "name", x->name);
	json_add_text(w, "weights", x->weights);
	json_add_int(w, "nfe", x->nfe);
	json_add_int(w, "step", x->step);
	json_add_int(w, "evals", x->evals);
	json_add_int(w, "n", x->n);
	json_add_int(w, "protocol", protocol);
	add_short(w, "value", x->value);
	json_end(w);
}

static int add_cell(struct json_writer *w, struct study *s, const struct study_cell *c, struct names *envs,
                    struct names *protocols, struct err *e)
{
	json_begin(w, NULL, '{');
	json_add_text(w, "h", c->hash);
	json_add_int(w, "arm", c->arm);
	json_add_int(w, "seed", c->seed);
	json_add_text(w, "state", record_state_name(c->state));
	json_add_text(w, "reason", c->reason);
	json_add_text(w, "attempt", c->attempt);
	json_add_text(w, "fingerprint", c->fingerprint);
	json_add_text(w, "started", c->started);
	json_add_text(w, "ended", c->ended);
	json_add_format(w, "seconds", "%.3f", c->seconds);
	json_add_int(w, "step", c->step);
	json_add_int(w, "attempts", c->attempts);
	json_begin(w, "scores", '[');
	for (int i = 0; i < c->n_scores; i++)
		add_score(w, &c->scores[i], number_of(protocols, &s->arena, c->scores[i].protocol));
	json_end(w);
	if (s->db && *c->attempt && add_attempt(w, s, c, envs, e))
		return -1;
	json_end(w);
	return 0;
}

static int add_envs(struct json_writer *w, struct study *s, const struct names *envs, struct err *e)
{
	json_begin(w, "envs", '{');
	for (int i = 0; i < envs->n; i++) {
		SCOPED(free) char *json = NULL;
		if (query_env_of_hash(&json, s->db, envs->v[i], e))
			return -1;
		add_safe(w, envs->v[i], json ? json : "{}"); /* the table's CHECK guarantees that it is valid */
	}
	json_end(w);
	return 0;
}

static int add_all(struct json_writer *w, struct study *s, const bool *has_picture, struct names *envs,
                   struct names *protocols, struct err *e)
{
	json_begin(w, NULL, '{');
	json_begin(w, "arms", '[');
	for (int i = 0; i < s->plan->n_arms; i++) {
		if (i)
			json_line(w);
		if (add_arm(w, s, i, has_picture[i], e))
			return -1;
	}
	json_end(w);
	json_line(w);
	json_begin(w, "cells", '[');
	for (int i = 0; i < s->plan->n_cells; i++) {
		if (i)
			json_line(w);
		if (add_cell(w, s, &s->cells[i], envs, protocols, e))
			return -1;
	}
	json_end(w);
	json_line(w);
	json_add_texts(w, "protocols", protocols->v, protocols->n);
	json_line(w);
	if (add_envs(w, s, envs, e))
		return -1;
	json_end(w);
	return 0;
}

int report_data(struct str *out, struct study *s, const bool *has_picture, struct err *e)
{
	struct names envs = { 0 }, protocols = { 0 };
	struct json_writer w = { .to = out };
	int rc = add_all(&w, s, has_picture, &envs, &protocols, e);
	free(envs.v);
	free(protocols.v);
	return rc;
}
