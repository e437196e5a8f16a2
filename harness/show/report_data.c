/* report_data.c - what the pages of single cells are drawn from: compact JSON, each environment, protocol and
 * configuration once. */
#include "harness/show/report.h"

#include "harness/grid/deviations.h"
#include "harness/text/escape.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Texts numbered in order of appearance. */
struct names { const char **v; int n, cap; };

static int number_of(struct names *names, struct arena *a, const char *text)
{
	for (int i = names->n - 1; i >= 0; i--)
		if (strcmp(names->v[i], text) == 0)
			return i;
	VEC_PUSH(names->v, names->n, names->cap) = arena_strdup(a, text);
	return names->n - 1;
}

static void number(struct str *out, double x)
{
	if (isfinite(x))
		str_addf(out, "%.7g", x);
	else
		str_add(out, "null");
}

static void key(struct str *out, const char *name)
{
	str_addf(out, "%s\"%s\":", out->data[out->len - 1] == '{' ? "" : ",", name);
}

static void text(struct str *out, const char *name, const char *value)
{
	key(out, name);
	escape_json(out, value ? value : "");
}

/* JSON of our own making, but inside <script>: "<" must not stand there. */
static void raw_json(struct str *out, const char *json)
{
	for (; *json; json++) {
		if (*json == '<')
			str_add(out, "\\u003c");
		else
			str_addc(out, *json);
	}
}

static int add_arm(struct str *out, struct study *s, int i, bool picture, struct err *e)
{
	const struct plan *p = s->plan;
	const struct plan_arm *arm = &p->arms[i];
	const struct deviation *d;
	const char *preset;
	int n;
	if (deviations_of(&d, &n, &preset, &s->arena, &arm->config, arm->preset, e))
		return -1;
	str_addc(out, '{');
	text(out, "h", arm->hash);
	text(out, "label", p->rows[arm->rows[0]].label);
	text(out, "preset", arm->preset);
	key(out, "labels");
	str_addc(out, '[');
	for (int k = 0; k < arm->n_rows; k++) {
		str_add(out, k ? "," : "");
		escape_json(out, p->rows[arm->rows[k]].name);
	}
	str_add(out, "]");
	if (picture)
		str_addf(out, ",\"picture\":\"sample-%d\"", i);
	key(out, "deviations");
	str_addc(out, '[');
	for (int k = 0; k < n; k++) {
		str_add(out, k ? ",[" : "[");
		escape_json(out, d[k].key);
		str_addc(out, ',');
		escape_json(out, d[k].paper);
		str_addc(out, ']');
	}
	str_add(out, "]");
	key(out, "config");
	raw_json(out, arm->json);
	str_addc(out, '}');
	return 0;
}

struct point { int64_t step; double value; };

static void add_points(struct str *out, const char *name, const struct point *v, int n)
{
	int every = (n + REPORT_CURVE_POINTS - 1) / REPORT_CURVE_POINTS;
	str_add(out, out->data[out->len - 1] == '{' ? "" : ",");
	escape_json(out, name);
	for (int pass = 0; pass < 2; pass++) {
		str_add(out, pass ? "],[" : ":[[");
		for (int i = 0; i < n; i += every) {
			str_add(out, i ? "," : "");
			if (pass)
				number(out, v[i].value);
			else
				str_addf(out, "%lld", (long long)v[i].step);
		}
	}
	str_add(out, "]]");
}

static int add_curves(struct str *out, struct study *s, const char *attempt, struct err *e)
{
	SCOPED(free) struct point *v = NULL;
	SCOPED(str) struct str name = { 0 };
	int n = 0, cap = 0;
	struct db_rows rows;
	if (db_query(&rows, s->db, e, "WITH RECURSIVE life(id, age) AS (SELECT ?, 0 UNION ALL SELECT a.resumed_from, l.age + 1 FROM life l "
	             "JOIN attempt a ON a.id = l.id WHERE a.resumed_from IS NOT NULL AND l.age < 1000) "
	             "SELECT c.name, c.step, c.value, min(l.age) FROM life l JOIN curve c ON c.attempt = l.id GROUP BY c.name, c.step ORDER BY c.name, c.step",
	             "s", attempt))
		return -1;
	key(out, "curves");
	str_addc(out, '{');
	while (db_next(&rows)) {
		if (strcmp(str_text(&name), db_text(&rows, 0)) != 0) {
			if (n)
				add_points(out, str_text(&name), v, n);
			str_release(&name);
			str_add(&name, db_text(&rows, 0));
			n = 0;
		}
		VEC_PUSH(v, n, cap) = (struct point){ db_int(&rows, 1), db_real(&rows, 2) };
	}
	if (n)
		add_points(out, str_text(&name), v, n);
	str_addc(out, '}');
	return db_done(&rows, e);
}

static int add_attempt(struct str *out, struct study *s, const struct study_cell *c, struct names *envs, struct err *e)
{
	struct db_rows rows;
	if (add_curves(out, s, c->attempt, e)
	    || db_query(&rows, s->db, e, "SELECT coalesce(host, ''), coalesce(env, '') FROM attempt WHERE id = ?", "s", c->attempt))
		return -1;
	while (db_next(&rows)) {
		text(out, "host", db_text(&rows, 0));
		text(out, "env", db_text(&rows, 1));
		if (*db_text(&rows, 1))
			(void)number_of(envs, &s->arena, db_text(&rows, 1));
	}
	if (db_done(&rows, e)
	    || db_query(&rows, s->db, e, "SELECT i.role, coalesce(a.name, ''), a.hash FROM input i JOIN artifact a ON a.hash = i.artifact WHERE i.attempt = ?1 "
	                "UNION ALL SELECT 'checkpoint at step ' || k.step, coalesce(a.name, ''), a.hash FROM checkpoint k JOIN artifact a ON a.hash = k.artifact "
	                "WHERE k.attempt = ?1 UNION ALL SELECT o.role, coalesce(a.name, ''), a.hash FROM output o JOIN artifact a ON a.hash = o.artifact "
	                "WHERE o.attempt = ?1 ORDER BY 1, 2", "s", c->attempt))
		return -1;
	key(out, "files");
	str_addc(out, '[');
	for (int k = 0; db_next(&rows); k++) {
		str_add(out, k ? ",[" : "[");
		for (int i = 0; i < 3; i++) {
			str_add(out, i ? "," : "");
			escape_json(out, db_text(&rows, i));
		}
		str_addc(out, ']');
	}
	str_addc(out, ']');
	return db_done(&rows, e);
}

static int add_cell(struct str *out, struct study *s, const struct study_cell *c, struct names *envs, struct names *protocols, struct err *e)
{
	str_addc(out, '{');
	text(out, "h", c->hash);
	str_addf(out, ",\"arm\":%d,\"seed\":%lld", c->arm, (long long)c->seed);
	text(out, "state", record_state_name(c->state));
	text(out, "reason", c->reason);
	text(out, "attempt", c->attempt);
	text(out, "started", c->started);
	text(out, "ended", c->ended);
	str_addf(out, ",\"seconds\":%.3f,\"step\":%lld,\"attempts\":%lld,\"scores\":[", c->seconds, (long long)c->step, (long long)c->attempts);
	for (int i = 0; i < c->n_scores; i++) {
		const struct study_score *x = &c->scores[i];
		str_add(out, i ? ",{" : "{");
		text(out, "name", x->name);
		text(out, "weights", x->weights);
		str_addf(out, ",\"nfe\":%d,\"step\":%lld,\"evals\":%d,\"n\":%lld,\"protocol\":%d,\"value\":", x->nfe, (long long)x->step, x->evals,
		         (long long)x->n, number_of(protocols, &s->arena, x->protocol));
		number(out, x->value);
		str_addc(out, '}');
	}
	str_addc(out, ']');
	if (s->db && *c->attempt && add_attempt(out, s, c, envs, e))
		return -1;
	str_addc(out, '}');
	return 0;
}

static int add_envs(struct str *out, struct study *s, const struct names *envs, struct err *e)
{
	str_addc(out, '{');
	for (int i = 0; i < envs->n; i++) {
		SCOPED(free) char *json = NULL;
		if (db_text_of(&json, s->db, e, "SELECT json FROM env WHERE hash = ?", "s", envs->v[i]))
			return -1;
		str_add(out, i ? "," : "");
		escape_json(out, envs->v[i]);
		str_addc(out, ':');
		raw_json(out, json ? json : "{}"); /* the table's CHECK says that it is valid */
	}
	str_addc(out, '}');
	return 0;
}

int report_data(struct str *out, struct study *s, const bool *has_picture, struct err *e)
{
	struct names envs = { 0 }, protocols = { 0 };
	int failed = 0;
	str_add(out, "{\"arms\":[");
	for (int i = 0; i < s->plan->n_arms && !failed; i++) {
		str_add(out, i ? ",\n" : "");
		failed = add_arm(out, s, i, has_picture[i], e);
	}
	str_add(out, "],\n\"cells\":[");
	for (int i = 0; i < s->plan->n_cells && !failed; i++) {
		str_add(out, i ? ",\n" : "");
		failed = add_cell(out, s, &s->cells[i], &envs, &protocols, e);
	}
	str_add(out, "],\n\"protocols\":[");
	for (int i = 0; i < protocols.n; i++) {
		str_add(out, i ? "," : "");
		escape_json(out, protocols.v[i]);
	}
	str_add(out, "],\n\"envs\":");
	failed = failed || add_envs(out, s, &envs, e);
	str_addc(out, '}');
	free(envs.v);
	free(protocols.v);
	return failed ? -1 : 0;
}
