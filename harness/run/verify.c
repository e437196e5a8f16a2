/* verify.c - see verify.h. */
#define _GNU_SOURCE
#include "harness/run/verify.h"

#include "harness/record/host.h"
#include "harness/record/query_attempt.h"
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

/* Checkpoints of the same step that both wrote, and scores of both. */
static int compare_rest(struct verify_result *r, struct db *db, const char *a, const char *b, struct err *e)
{
	struct db_rows rows;
	struct same_checkpoint_row file;
	struct same_score_row score;
	if (query_same_checkpoints(&rows, db, a, b, e))
		return -1;
	while (query_same_checkpoint_next(&file, &rows)) {
		r->n++;
		if (strcmp(file.a, file.b) != 0)
			differs(r, file.step, "checkpoint", file.a, file.b);
	}
	if (db_done(&rows, e) || query_same_scores(&rows, db, a, b, e))
		return -1;
	while (query_same_score_next(&score, &rows)) {
		r->n++;
		if (score.hex_b) {
			int64_t ulp = verify_ulp(score.a, score.b);
			r->max_ulp = ulp > r->max_ulp ? ulp : r->max_ulp;
		}
		if (!score.hex_b || strcmp(score.hex_a, score.hex_b) != 0) {
			r->equal = false;
			if (!*r->first)
				(void)snprintf(r->first, sizeof r->first, "%.127s: %s, then %s", score.what, score.hex_a,
				               score.hex_b ? score.hex_b : "none");
		}
	}
	return db_done(&rows, e);
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

int verify_compare(struct verify_result *out, struct db *db, const char *a, const char *b, struct err *e)
{
	struct points x = { 0 }, y = { 0 };
	*out = (struct verify_result){ .equal = true, .first_step = -1 };
	int rc = read_curve(&x, db, a, e) || read_curve(&y, db, b, e) ? -1 : 0;
	if (!rc) {
		compare_curves(out, &x, &y);
		rc = compare_rest(out, db, a, b, e);
	}
	points_release(&x);
	points_release(&y);
	if (!rc && out->n == 0)
		rc = err_code(e, EXIT_USAGE, "attempt %.8s has neither curves nor scores: there is nothing to compare", a);
	if (!rc)
		compare_env(out, db, a, b);
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
	json_t *lines = json_pack("[o]", line);
	int rc = store_record(s, lines, e);
	json_decref(lines);
	return rc;
}
