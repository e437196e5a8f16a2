/* differing.c - see differing.h. */
#define _GNU_SOURCE
#include "harness/record/differing.h"

#include "harness/record/env_diff.h"
#include "harness/record/query_attempt.h"
#include "harness/text/json_out.h"
#include "model/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* Done attempts of one cell and generation, in the order in which they speak. */
struct done {
	char id[HOST_UUID], cell[SHA256_HEX];
	char *started;
	int64_t generation;
	bool wanted;
};
struct group {
	struct done *v;
	int n, cap;
};

static void group_clear(struct group *g)
{
	for (int i = 0; i < g->n; i++)
		free(g->v[i].started);
	g->n = 0;
}

static void scoped_group(struct group *g)
{
	group_clear(g);
	free(g->v);
}

static int by_id(const void *a, const void *b)
{
	return strcmp(*(const char(*)[HOST_UUID])a, *(const char(*)[HOST_UUID])b);
}

/* --- what differs --- */

#define SCORE_X "(x.name, x.nfe, x.weights, x.step, x.eval_seed, x.protocol)"
#define SCORE_Y "(y.name, y.nfe, y.weights, y.step, y.eval_seed, y.protocol)"
#define SCORE_Z "(z.name, z.nfe, z.weights, z.step, z.eval_seed, z.protocol)"

/* Scores of both for which no earlier attempt speaks. */
static int compare_scores(struct differing *d, struct db *db, const struct done *first, const struct done *other,
                          struct err *e)
{
	struct db_rows rows;
	if (db_query(&rows, db, e,
	             "SELECT count(*), total(x.hex <> y.hex), "
	             "min(CASE WHEN x.hex <> y.hex THEN x.name || '@' || x.nfe || ' of seed ' || x.eval_seed END) "
	             "FROM metric x JOIN metric y ON y.attempt = ? AND " SCORE_Y " = " SCORE_X " WHERE x.attempt = ? "
	             "AND NOT EXISTS (SELECT 1 FROM attempt a JOIN metric z ON z.attempt = a.id AND " SCORE_Z " = " SCORE_X
	             " WHERE a.cell = ? AND a.state = 'done' AND a.purpose = 'run' AND coalesce(a.generation, 0) = ? "
	             "AND (a.started, a.id) < (?, ?))",
	             "sssiss", other->id, first->id, first->cell, first->generation, first->started, first->id))
		return -1;
	if (db_next(&rows)) {
		d->scores = db_int(&rows, 0);
		d->differ = db_int(&rows, 1);
		d->score = db_text(&rows, 2) ? xstrdup(db_text(&rows, 2)) : NULL;
	}
	return db_done(&rows, e);
}

/* By the checkpoints that both wrote; by their curves where there are none. */
static int compare_training(struct differing *d, struct db *db, struct err *e)
{
	struct db_rows rows;
	int64_t both = 0;
	d->step = -1;
	if (db_query(&rows, db, e,
	             "SELECT count(*), coalesce(min(CASE WHEN x.artifact <> y.artifact THEN x.step END), -1) "
	             "FROM checkpoint x JOIN checkpoint y ON y.attempt = ? AND y.step = x.step WHERE x.attempt = ?",
	             "ss", d->other, d->speaks))
		return -1;
	if (db_next(&rows)) {
		both = db_int(&rows, 0);
		d->step = db_int(&rows, 1);
	}
	if (db_done(&rows, e))
		return -1;
	return both ? 0
	            : db_int_of(&d->step, -1, db, e,
	                        "SELECT min(x.step) FROM curve x JOIN curve y ON y.attempt = ? AND y.name = x.name "
	                        "AND y.step = x.step WHERE x.attempt = ? AND x.value IS NOT y.value",
	                        "ss", d->other, d->speaks);
}

/* --- why --- */

struct envs {
	char **v; /* of its lives, the oldest first; an entry may be NULL */
	int n, cap;
};

static void scoped_envs(struct envs *l)
{
	for (int i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
}

static int read_envs(struct envs *out, struct db *db, const char *attempt, struct err *e)
{
	struct db_rows rows;
	struct life_row r;
	if (query_lives(&rows, db, attempt, e))
		return -1;
	while (query_life_next(&r, &rows))
		VEC_PUSH(out->v, out->n, out->cap) = r.env ? xstrdup(r.env) : NULL;
	return db_done(&rows, e);
}

/* Where they ended; if that was alike, the first two of their earlier lives that were not. */
static int explain(struct differing *d, struct db *db, struct err *e)
{
	SCOPED(envs) struct envs a = { 0 }, b = { 0 };
	struct str text = { 0 };
	enum env_work work = d->step >= 0 ? ENV_TRAINING : ENV_SCORES;
	if (read_envs(&a, db, d->speaks, e) || read_envs(&b, db, d->other, e))
		return -1;
	if (a.n && b.n)
		env_diff(&text, work, a.v[a.n - 1], b.v[b.n - 1]);
	for (int i = 0; i < a.n && !text.len && work == ENV_TRAINING; i++)
		for (int k = 0; k < b.n && !text.len; k++) {
			env_diff(&text, work, a.v[i], b.v[k]);
			if (text.len)
				str_add(&text, ", in an earlier life");
		}
	d->unlike = str_detach(&text);
	return 0;
}

static int describe(struct differing *d, struct db *db, struct err *e)
{
	struct db_rows rows;
	if (db_query(
			&rows, db, e,
			"SELECT coalesce((SELECT min(label) FROM grid_cell WHERE cell = c.hash), substr(c.arm, 1, 12)), c.seed "
			"FROM cell c WHERE c.hash = ?",
			"s", d->cell))
		return -1;
	bool there = db_next(&rows);
	d->label = xstrdup(there ? db_text(&rows, 0) : "");
	d->seed = there ? db_int(&rows, 1) : 0;
	return db_done(&rows, e) || explain(d, db, e) ? -1 : 0;
}

static void release_one(struct differing *d)
{
	free(d->label);
	free(d->score);
	free(d->unlike);
}

/* --- cells --- */

static int compare_two(struct differing_list *out, struct db *db, const struct done *first, const struct done *other,
                       bool of_cell, struct err *e)
{
	struct differing d = { .for_scores = !of_cell, .at_once = strcmp(first->started, other->started) == 0, .step = -1 };
	memcpy(d.cell, first->cell, sizeof d.cell);
	memcpy(d.speaks, first->id, sizeof d.speaks);
	memcpy(d.other, other->id, sizeof d.other);
	int rc = compare_scores(&d, db, first, other, e) || (of_cell && compare_training(&d, db, e)) ? -1 : 0;
	bool differs = d.differ || d.step >= 0, kept = differs && out->n < DIFFERING_SHOWN;
	if (!rc && kept)
		rc = describe(&d, db, e);
	if (!rc && kept) {
		out->v = xrealloc(out->v, (size_t)out->n + 1, sizeof *out->v);
		out->v[out->n++] = d;
	} else
		release_one(&d);
	out->all += !rc && differs;
	return rc;
}

/* The first speaks for the cell; each other one for the scores that those before it lack. */
static int compare_group(struct differing_list *out, struct db *db, const struct group *g, struct err *e)
{
	bool wanted = false;
	for (int i = 0; i < g->n; i++)
		wanted |= g->v[i].wanted;
	for (int i = 0; i < g->n && wanted; i++)
		for (int k = i + 1; k < g->n; k++)
			if (compare_two(out, db, &g->v[i], &g->v[k], i == 0, e))
				return -1;
	return 0;
}

static bool is_of(const struct group *g, const struct done *d)
{
	return g->n && g->v[0].generation == d->generation && strcmp(g->v[0].cell, d->cell) == 0;
}

static int find(struct differing_list *out, struct db_rows *rows, struct db *db, const char (*wanted)[HOST_UUID], int n,
                struct err *e)
{
	SCOPED(group) struct group g = { 0 };
	int rc = 0;
	while (!rc && db_next(rows)) {
		struct done one = { .generation = db_int(rows, 2) };
		(void)snprintf(one.cell, sizeof one.cell, "%s", db_text(rows, 0));
		(void)snprintf(one.id, sizeof one.id, "%s", db_text(rows, 1));
		one.wanted = !wanted || bsearch(one.id, wanted, (size_t)n, sizeof *wanted, by_id);
		if (g.n && strcmp(g.v[0].cell, one.cell) == 0 && !is_of(&g, &one))
			continue; /* an older generation: nothing of it is used but what the latest one lacks */
		if (!is_of(&g, &one)) {
			rc = compare_group(out, db, &g, e);
			group_clear(&g);
		}
		one.started = xstrdup(db_text(rows, 3));
		VEC_PUSH(g.v, g.n, g.cap) = one;
	}
	return rc ? -1 : compare_group(out, db, &g, e);
}

#define DONE    "FROM attempt WHERE state = 'done' AND purpose = 'run' "
#define BY_RULE "ORDER BY cell, 3 DESC, started, id"

int differing_find(struct differing_list *out, struct db *db, const char (*attempts)[HOST_UUID], int n, struct err *e)
{
	struct db_rows rows;
	SCOPED(free) char(*sorted)[HOST_UUID] = NULL;
	*out = (struct differing_list){ 0 };
	if (attempts) {
		sorted = xcalloc((size_t)n, sizeof *sorted);
		memcpy(sorted, attempts, (size_t)n * sizeof *sorted);
		qsort(sorted, (size_t)n, sizeof *sorted, by_id);
	}
	if (db_query(&rows, db, e,
	             "SELECT cell, id, coalesce(generation, 0), started " DONE "AND cell IN (SELECT cell " DONE
	             "GROUP BY cell HAVING count(*) > 1) " BY_RULE,
	             ""))
		return -1;
	int rc = find(out, &rows, db, (const char(*)[HOST_UUID])sorted, n, e);
	return db_done(&rows, rc ? NULL : e) || rc ? -1 : 0;
}

int differing_of_cell(struct differing_list *out, struct db *db, const char *cell, struct err *e)
{
	struct db_rows rows;
	*out = (struct differing_list){ 0 };
	if (db_query(&rows, db, e, "SELECT cell, id, coalesce(generation, 0), started " DONE "AND cell = ? " BY_RULE, "s",
	             cell))
		return -1;
	int rc = find(out, &rows, db, NULL, 0, e);
	return db_done(&rows, rc ? NULL : e) || rc ? -1 : 0;
}

void differing_release(struct differing_list *l)
{
	for (int i = 0; i < l->n; i++)
		release_one(&l->v[i]);
	free(l->v);
	*l = (struct differing_list){ 0 };
}

void scoped_differing(struct differing_list *l)
{
	differing_release(l);
}

/* --- in words --- */

static const char *why(const struct differing *d)
{
	return d->at_once ? "both started in the same millisecond, and its id is the smaller one" : "it started first";
}

void differing_text(struct str *out, const struct differing *d)
{
	str_addf(out, "%s seed %lld (%.12s): attempts %.8s and %.8s are both done, with different bits (", d->label,
	         (long long)d->seed, d->cell, d->speaks, d->other);
	if (d->differ)
		str_addf(out, "%lld of %lld score%s, %s first", (long long)d->differ, (long long)d->scores,
		         str_plural(d->scores), d->score);
	if (d->step >= 0)
		str_addf(out, "%straining by step %lld", d->differ ? "; " : "", (long long)d->step);
	str_addf(out, "): %.8s speaks for %s, as %s; ", d->speaks, d->for_scores ? "these scores" : "the cell", why(d));
	*d->unlike ? str_addf(out, "environments: %s", d->unlike)
			   : str_add(out, "no difference between their environments is known");
}

const struct json_key differing_keys[] = {
	JSON_KEY("cell", "string", "the cell, by its hash"),
	JSON_KEY("label", "string", "what the cell is called in its grid"),
	JSON_KEY("seed", "integer", "its training seed"),
	JSON_KEY("speaks", "string", "the attempt whose results are used"),
	JSON_KEY("other", "string", "the attempt that is done, too, with other bits"),
	JSON_KEY("why", "string", "why the one speaks"),
	JSON_KEY("scores", "integer", "scores that both have"),
	JSON_KEY("scores_differ", "integer", "of these, those whose bits differ"),
	JSON_KEY("environments", "string", "what differs between their environments; empty where nothing is known to"),
	JSON_KEY("first_score", "string", "the first score that differs", .absent = "where no score differs"),
	JSON_KEY("first_step", "integer", "the first step of the training that is known to differ",
	         .absent = "where none is"),
	{ 0 },
};

json_t *differing_json(const struct differing_list *l)
{
	json_t *list = json_array();
	for (int i = 0; i < l->n; i++) {
		const struct differing *d = &l->v[i];
		json_t *o = json_pack("{s:s, s:o, s:I, s:s, s:s, s:s, s:I, s:I, s:o}", "cell", d->cell, "label",
		                      json_out_text(d->label), "seed", (json_int_t)d->seed, "speaks", d->speaks, "other",
		                      d->other, "why", why(d), "scores", (json_int_t)d->scores, "scores_differ",
		                      (json_int_t)d->differ, "environments", json_out_text(d->unlike));
		if (d->score)
			(void)json_object_set_new(o, "first_score", json_string(d->score));
		if (d->step >= 0)
			(void)json_object_set_new(o, "first_step", json_integer(d->step));
		(void)json_array_append_new(list, o);
	}
	return list;
}
