/* verify.c - see verify.h. */
#define _GNU_SOURCE
#include "harness/run/verify.h"

#include "harness/record/env_diff.h"
#include "harness/record/host.h"
#include "harness/record/query_attempt.h"
#include "harness/run/lives.h"
#include "model/base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int64_t ordered(double x)
{
	int64_t bits;
	memcpy(&bits, &x, sizeof bits);
	return bits < 0 ? INT64_MIN - bits : bits; /* negative numbers count down from zero */
}

int64_t verify_ulp(double a, double b)
{
	if (isnan(a) || isnan(b))
		return isnan(a) && isnan(b) ? 0 : INT64_MAX;
	int64_t x = ordered(a), y = ordered(b);
	uint64_t d = x > y ? (uint64_t)x - (uint64_t)y : (uint64_t)y - (uint64_t)x;
	return d > INT64_MAX ? INT64_MAX : (int64_t)d;
}

static void differs(struct verify_result *r, int64_t step, const char *what, const char *a, const char *b)
{
	bool earlier = step >= 0 && (r->first_step < 0 || step < r->first_step);
	r->equal = false;
	if (earlier)
		r->first_step = step;
	if (earlier || !*r->first)
		(void)snprintf(r->first, sizeof r->first, "%s at step %lld: %s, then %s", what, (long long)step, a, b);
}

struct point {
	char *name;
	int64_t step;
	double value;
};
struct points {
	struct point *v;
	int n, cap;
};

static void points_release(struct points *p)
{
	for (int i = 0; i < p->n; i++)
		free(p->v[i].name);
	free(p->v);
}

static int read_curve(struct points *out, struct db *db, const char *attempt, struct err *e)
{
	struct db_rows rows;
	struct curve_row r;
	if (query_curve_by_step(&rows, db, attempt, e))
		return -1;
	while (query_curve_next(&r, &rows))
		VEC_PUSH(out->v, out->n, out->cap) = (struct point){ xstrdup(r.name), r.step, r.value };
	return db_done(&rows, e);
}

static int order(const struct point *a, const struct point *b)
{
	return a->step != b->step ? (a->step < b->step ? -1 : 1) : strcmp(a->name, b->name);
}

static void compare_curves(struct verify_result *r, const struct points *a, const struct points *b)
{
	char x[32], y[32];
	for (int i = 0, k = 0; i < a->n || k < b->n;) {
		int c = i == a->n ? 1 : k == b->n ? -1 : order(&a->v[i], &b->v[k]);
		const struct point *p = c <= 0 ? &a->v[i] : &b->v[k];
		r->n++;
		if (c != 0)
			differs(r, p->step, p->name, c < 0 ? "a value" : "none", c < 0 ? "none" : "a value");
		else {
			int64_t ulp = verify_ulp(a->v[i].value, b->v[k].value);
			r->max_ulp = ulp > r->max_ulp ? ulp : r->max_ulp;
			if (ulp)
				differs(r, p->step, p->name, str_double(x, a->v[i].value), str_double(y, b->v[k].value));
		}
		i += c <= 0;
		k += c >= 0;
	}
}

/* --- lives --- */

/* Both sides; from which step on their environments are known to differ (INT64_MAX: never); is there a difference that
 * nothing known explains? */
struct pair {
	struct verify_result *r;
	struct db *db;
	struct lives a, b;
	int64_t unlike_from;
	bool failed;
};

/* Of what `name` says the circumstances are other ones, too: `text`. */
static void add_unlike(struct verify_result *r, const char *name, const char *text)
{
	size_t n = strlen(r->unlike);
	(void)snprintf(r->unlike + n, sizeof r->unlike - n, "%s%s%s%s", n ? " | " : "", name, *name ? ": " : "", text);
}

/* Calls fn for each two lives that trained, or measured, the same. */
typedef int both_fn(struct pair *p, const struct life *a, const struct life *b, int64_t above, int64_t upto,
                    struct err *e);
static int each_both(struct pair *p, both_fn *fn, struct err *e)
{
	for (int i = 0; i < p->a.n; i++)
		for (int k = 0; k < p->b.n; k++) {
			const struct life *a = &p->a.v[i], *b = &p->b.v[k];
			int64_t above = a->from > b->from ? a->from : b->from, upto = a->to < b->to ? a->to : b->to;
			if (above < upto && fn(p, a, b, above, upto, e))
				return -1;
		}
	return 0;
}

static int compare_places(struct pair *p, const struct life *a, const struct life *b, int64_t above, int64_t upto,
                          struct err *e)
{
	(void)upto, (void)e;
	SCOPED(free) char *name = p->a.all > 1 ? xstrfmt("life %d of %d", a->number, p->a.all) : xstrdup("");
	SCOPED(str) struct str text = { 0 };
	env_diff(&text, ENV_TRAINING, a->env, b->env);
	if (!text.len)
		return 0;
	add_unlike(p->r, name, text.data);
	p->unlike_from = above < p->unlike_from ? above : p->unlike_from;
	return 0;
}

/* Checkpoints of the same step that both wrote. */
static int compare_checkpoints(struct pair *p, const struct life *a, const struct life *b, int64_t above, int64_t upto,
                               struct err *e)
{
	struct db_rows rows;
	struct same_checkpoint_row file;
	if (query_same_checkpoints(&rows, p->db, a->attempt, b->attempt, above, upto, e))
		return -1;
	while (query_same_checkpoint_next(&file, &rows)) {
		p->r->n++;
		if (strcmp(file.a, file.b) != 0)
			differs(p->r, file.step, "checkpoint", file.a, file.b);
	}
	return db_done(&rows, e);
}

/* --- scores --- */

/* Is it explained why a score is not the same? It was measured in another way (with other weights of the extractor,
 * against another reference), in another environment (by its own attempt, or by the one that it was taken from), or of
 * another training. */
static int explain(bool *out, struct pair *p, const struct same_score_row *score, struct err *e)
{
	SCOPED(str) struct str text = { 0 };
	SCOPED(free) char *env = NULL, *name = xstrfmt("%.127s", score->what);
	const char *of_b = p->b.v[p->b.n - 1].env;
	if (score->other)
		str_addf(&text, "protocol %s, then %s", score->protocol, score->other);
	else if (score->taken_from) {
		if (query_env(&env, p->db, score->taken_from, e))
			return -1;
		env_diff(&text, ENV_SCORES, env, of_b);
	} else if (score->hex_b && p->unlike_from == INT64_MAX) /* else what differs between the two is said already */
		env_diff(&text, ENV_SCORES, p->a.v[p->a.n - 1].env, of_b);
	if (text.len && score->taken_from && !score->other) {
		SCOPED(free) char *taken = xstrfmt("%s, taken from %.8s", name, score->taken_from);
		add_unlike(p->r, taken, text.data);
	} else if (text.len)
		add_unlike(p->r, name, text.data);
	*out = text.len || p->unlike_from < INT64_MAX;
	return 0;
}

static int compare_score(struct pair *p, const struct same_score_row *score, struct err *e)
{
	struct verify_result *r = p->r;
	bool explained;
	r->n++;
	if (score->hex_b) {
		int64_t ulp = verify_ulp(score->a, score->b);
		r->max_ulp = ulp > r->max_ulp ? ulp : r->max_ulp;
	}
	if (score->hex_b && strcmp(score->hex_a, score->hex_b) == 0)
		return 0;
	r->equal = false;
	if (explain(&explained, p, score, e))
		return -1;
	if (!*r->first || (!explained && !p->failed && r->first_step < 0))
		(void)snprintf(r->first, sizeof r->first, "%.127s: %s, then %s", score->what, score->hex_a,
		               score->hex_b ? score->hex_b : "none");
	p->failed |= !explained;
	return 0;
}

static int compare_scores(struct pair *p, const char *a, const char *b, struct err *e)
{
	struct db_rows rows;
	struct same_score_row score;
	int rc = 0;
	if (query_same_scores(&rows, p->db, a, b, e))
		return -1;
	while (!rc && query_same_score_next(&score, &rows))
		rc = compare_score(p, &score, e);
	return db_done(&rows, rc ? NULL : e) || rc ? -1 : 0;
}

static json_t *env_of(struct db *db, const char *attempt)
{
	SCOPED(free) char *text = NULL;
	if (query_env(&text, db, attempt, NULL) || !text)
		return NULL;
	return json_loads(text, 0, NULL);
}

static void compare_env(struct verify_result *r, struct db *db, const char *a, const char *b)
{
	json_t *x = env_of(db, a), *y = env_of(db, b), *v;
	const char *key;
	size_t n = 0;
	json_object_foreach(x, key, v) if (!json_equal(v, json_object_get(y, key)) && n < sizeof r->env - 40)
		n += (size_t)snprintf(r->env + n, sizeof r->env - n, "%s%.30s", n ? ", " : "", key);
	json_decref(x);
	json_decref(y);
}

static int compare(struct pair *p, const char *a, const char *b, struct err *e)
{
	struct points x = { 0 }, y = { 0 };
	int rc = read_curve(&x, p->db, a, e) || read_curve(&y, p->db, b, e) ? -1 : 0;
	if (!rc)
		compare_curves(p->r, &x, &y);
	points_release(&x);
	points_release(&y);
	if (rc || each_both(p, compare_places, e) || each_both(p, compare_checkpoints, e))
		return -1;
	/* what differs before the environments do has another cause */
	p->failed = p->r->first_step >= 0 && p->r->first_step <= p->unlike_from;
	return compare_scores(p, a, b, e);
}

int verify_compare(struct verify_result *out, struct db *db, const char *a, const char *b, struct err *e)
{
	struct pair p = { .r = out, .db = db, .unlike_from = INT64_MAX };
	*out = (struct verify_result){ .equal = true, .first_step = -1 };
	int rc = lives_read(&p.a, db, a, e) || lives_read(&p.b, db, b, e) || compare(&p, a, b, e) ? -1 : 0;
	out->lives = p.a.n;
	lives_release(&p.a);
	lives_release(&p.b);
	if (!rc && out->n == 0)
		rc = err_code(e, EXIT_USAGE, "attempt %.8s has neither curves nor scores: there is nothing to compare", a);
	if (!rc)
		compare_env(out, db, a, b);
	out->inconclusive = !out->equal && !p.failed;
	return rc;
}

int verify_record(struct store *s, const struct verify_result *r, const char *a, const char *b, struct err *e)
{
	char id[HOST_UUID], now[HOST_TIME];
	json_t *line = json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:I, s:I, s:s}", "t", "verify", "id", host_uuid(id), "a",
	                         a, "b", b, "scope", "bits", "equal", (int)r->equal, "n", (json_int_t)r->n, "max_ulp",
	                         (json_int_t)r->max_ulp, "created", host_now(now));
	if (r->first_step >= 0)
		(void)json_object_set_new(line, "first_diff_step", json_integer(r->first_step));
	if (*r->first)
		(void)json_object_set_new(line, "first_diff", json_string(r->first));
	if (r->lives > 1)
		(void)json_object_set_new(line, "lives", json_integer(r->lives));
	if (*r->unlike)
		(void)json_object_set_new(line, "unlike", json_string(r->unlike));
	json_t *lines = json_pack("[o]", line);
	int rc = store_record(s, lines, e);
	json_decref(lines);
	return rc;
}
