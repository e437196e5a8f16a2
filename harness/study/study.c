/* study.c - see study.h. Small plans ask the database cell by cell; large ones read each view once and sort. */
#include "harness/study/study.h"
#include "harness/record/query_study.h"
#include "harness/record/query.h"

#include "harness/judge/stats.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void study_free(struct study *s)
{
	if (!s)
		return;
	for (int i = 0; i < s->plan->n_cells; i++)
		free(s->cells[i].scores);
	free(s->cells);
	builds_free(s->builds);
	arena_release(&s->arena);
	free(s);
}

void scoped_study(struct study **s)
{
	study_free(*s);
}

/* Cells sorted by their hash, to find the cell of a row. */
struct index {
	const char *key;
	int cell;
};

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct index *)a)->key, ((const struct index *)b)->key);
}

static const char *copy(struct study *s, const char *text)
{
	return text && *text ? arena_strdup(&s->arena, text) : "";
}

/* --- which cells a plan means --- */

static int one_identity(struct study *s, struct study_cell *c, struct err *e)
{
	if (s->plan->recorded)
		return 0;
	const struct plan_arm *arm = &s->plan->arms[c->arm];
	struct db_rows rows;
	struct identity_row r;
	if (query_identity(&rows, s->db, arm->hash, c->seed, NUMERICS_VERSION, arm->dataset, e))
		return -1;
	int done = 0;
	for (int k = 0; query_identity_next(&r, &rows); k++) {
		if (!k)
			c->hash = copy(s, r.cell);
		done += r.done > 0;
	}
	if (db_done(&rows, e))
		return -1;
	return done < 2 ? 0
	                : err_code(e, EXIT_RECORD,
	                           "arm %.12s, seed %lld has results on %d data sets: make the data set "
	                           "available, so that its content decides which is meant",
	                           arm->hash, (long long)c->seed, done);
}

static int all_identities(struct study *s, struct err *e)
{
	if (s->plan->recorded)
		return 0;
	int n = s->plan->n_cells;
	SCOPED(free) struct index *want = xcalloc((size_t)n + 1, sizeof *want);
	for (int i = 0; i < n; i++)
		want[i] = (struct index){
			arena_strfmt(&s->arena, "%s %lld", s->plan->arms[s->cells[i].arm].hash, (long long)s->cells[i].seed), i
		};
	qsort(want, (size_t)n, sizeof *want, by_key);
	SCOPED(free) bool *found = xcalloc((size_t)n + 1, sizeof *found);
	struct db_rows rows;
	struct cell_row r;
	if (query_cells(&rows, s->db, NUMERICS_VERSION, e))
		return -1;
	int twice = -1;
	while (query_cell_next(&r, &rows)) {
		char key[SHA256_HEX + 24];
		snprintf(key, sizeof key, "%s %lld", r.arm, (long long)r.seed);
		struct index *hit = bsearch(&(struct index){ key, 0 }, want, (size_t)n, sizeof *want, by_key);
		if (!hit)
			continue;
		struct study_cell *c = &s->cells[hit->cell];
		const char *dataset = s->plan->arms[c->arm].dataset;
		if (*dataset && strcmp(dataset, r.dataset) != 0)
			continue;
		if (found[hit->cell])
			twice = hit->cell;
		found[hit->cell] = true;
		c->hash = copy(s, r.cell);
	}
	if (db_done(&rows, e))
		return -1;
	return twice < 0 ? 0 : one_identity(s, &s->cells[twice], e); /* only that one knows whether it matters */
}

/* --- states and scores --- */

static void take_state(struct study *s, struct study_cell *c, const struct state_row *r)
{
	c->state = r->state;
	c->reason = copy(s, r->reason);
	c->attempt = copy(s, r->attempt);
	c->started = copy(s, r->started);
	c->ended = copy(s, r->ended);
	c->fingerprint = r->attempt ? builds_of(s->builds, r->attempt, r->fingerprint) : "";
	c->step = r->step;
	c->attempts = r->attempts;
	c->seconds = fmax(0, r->seconds); /* clocks are set back at times */
}

/* Repeated texts (names, protocols) are stored once: the last of each kind is remembered. */
struct texts {
	const char *name, *weights, *protocol;
	char protocol_hash[SHA256_HEX];
};

static const char *again(struct study *s, const char **last, const char *text)
{
	if (!*last || strcmp(*last, text) != 0)
		*last = arena_strdup(&s->arena, text);
	return *last;
}

static bool same_score(const struct study_score *a, const struct study_score *b)
{
	return a->nfe == b->nfe && a->step == b->step && !strcmp(a->name, b->name) && !strcmp(a->weights, b->weights) &&
	       !strcmp(a->protocol, b->protocol);
}

static int take_score(struct study *s, struct study_cell *c, const struct score_row *r, struct texts *t,
                      struct str *hashed, struct err *e)
{
	if (!r->good)
		return query_bad_score(e, r->cell, r->name, r->nfe, r->value, r->hex);
	const char *known = t->protocol;
	struct study_score x = { .name = again(s, &t->name, r->name),
		                     .nfe = (int)r->nfe,
		                     .weights = again(s, &t->weights, r->weights),
		                     .step = r->step,
		                     .protocol = again(s, &t->protocol, r->protocol),
		                     .fingerprint = builds_of(s->builds, r->attempt, r->fingerprint),
		                     .value = r->value,
		                     .least = r->value,
		                     .n = r->n,
		                     .lo = r->lo,
		                     .hi = r->hi,
		                     .asked = *r->asked ? arena_strdup(&s->arena, r->asked) : "",
		                     .eval_seed = r->eval_seed,
		                     .evals = 1 };
	if (known != t->protocol)
		io_sha256(t->protocol_hash, t->protocol, strlen(t->protocol));
	str_addf(hashed, "%.20s %s %d %s %lld %.16s %s\n", c->hash, x.name, x.nfe, x.weights, (long long)x.step,
	         t->protocol_hash, r->hex);
	for (int i = c->n_scores - 1; i >= 0; i--) {
		struct study_score *old = &c->scores[i];
		if (same_score(old, &x)) { /* a further evaluation seed */
			old->value += (x.value - old->value) / ++old->evals;
			old->least = isnan(old->value) ? NAN : fmin(old->least, x.least);
			const char *made_by = *x.fingerprint ? x.fingerprint : "none";
			if (strcmp(old->fingerprint, x.fingerprint) != 0 && !strstr(old->fingerprint, made_by))
				old->fingerprint = arena_strfmt(&s->arena, "%s+%s", *old->fingerprint ? old->fingerprint : "none",
				                                made_by);
			return 0;
		}
	}
	VEC_PUSH(c->scores, c->n_scores, c->cap_scores) = x;
	return 0;
}

static int scores_of(struct study *s, struct study_cell *c, struct texts *t, struct str *hashed, struct err *e)
{
	struct db_rows rows;
	struct score_row r;
	if (query_results(&rows, s->db, c->hash, e))
		return -1;
	int rc = 0;
	while (!rc && query_score_next(&r, &rows))
		rc = take_score(s, c, &r, t, hashed, e);
	return db_done(&rows, rc ? NULL : e) || rc ? -1 : 0;
}

static int each_cell(struct study *s, struct str *hashed, struct err *e)
{
	struct texts t = { 0 };
	for (int i = 0; i < s->plan->n_cells; i++) {
		struct study_cell *c = &s->cells[i];
		struct db_rows rows;
		struct state_row r;
		if (one_identity(s, c, e) || query_states(&rows, s->db, c->hash, e))
			return -1;
		while (query_state_next(&r, &rows))
			take_state(s, c, &r);
		if (db_done(&rows, e) || scores_of(s, c, &t, hashed, e))
			return -1;
	}
	return 0;
}

/* The cells of a large plan by their hashes; of the rows of one cell, which follow each other, only the first is
 * searched for. */
struct finder {
	struct index *by_hash;
	int n;
	const struct index *hit;
};

static const struct index *find_cell(struct finder *f, const char *hash)
{
	if (!f->hit || strcmp(f->hit->key, hash) != 0)
		f->hit = bsearch(&(struct index){ hash, 0 }, f->by_hash, (size_t)f->n, sizeof *f->by_hash, by_key);
	return f->hit;
}

static int all_states(struct study *s, struct finder *f, struct err *e)
{
	struct db_rows rows;
	struct state_row r;
	if (query_states(&rows, s->db, NULL, e))
		return -1;
	while (query_state_next(&r, &rows))
		if (find_cell(f, r.cell))
			take_state(s, &s->cells[f->hit->cell], &r);
	return db_done(&rows, e);
}

/* Of a cell with one done attempt, that attempt's scores are its results. The few cells with several are asked for one
 * by one. */
static int all_scores(struct study *s, struct finder *f, struct str *hashed, struct err *e)
{
	struct texts t = { 0 };
	struct db_rows rows;
	struct score_row r;
	const char *cell;
	SCOPED(free) bool *several = xcalloc((size_t)f->n + 1, sizeof *several);
	if (query_done_twice(&rows, s->db, e))
		return -1;
	while (query_text_next(&cell, &rows))
		if (find_cell(f, cell))
			several[f->hit->cell] = true;
	if (db_done(&rows, e) || query_done_scores(&rows, s->db, e))
		return -1;
	int rc = 0;
	while (!rc && query_score_next(&r, &rows))
		if (find_cell(f, r.cell) && !several[f->hit->cell])
			rc = take_score(s, &s->cells[f->hit->cell], &r, &t, hashed, e);
	if (db_done(&rows, rc ? NULL : e) || rc)
		return -1;
	for (int i = 0; i < f->n; i++)
		if (several[i] && scores_of(s, &s->cells[i], &t, hashed, e))
			return -1;
	return 0;
}

static int in_bulk(struct study *s, struct str *hashed, struct err *e)
{
	if (all_identities(s, e))
		return -1;
	int n = s->plan->n_cells;
	SCOPED(free) struct index *by_hash = xcalloc((size_t)n + 1, sizeof *by_hash);
	for (int i = 0; i < n; i++)
		by_hash[i] = (struct index){ s->cells[i].hash, i };
	qsort(by_hash, (size_t)n, sizeof *by_hash, by_key);
	struct finder f = { .by_hash = by_hash, .n = n };
	return all_states(s, &f, e) || all_scores(s, &f, hashed, e) ? -1 : 0;
}

/* Lines in any order -> one hash: the order of a plan's cells is not part of the results. */
static void hash_lines(char hex[SHA256_HEX], struct str *text)
{
	SCOPED(free) char **lines = NULL;
	size_t n = 0, cap = 0;
	for (char *p = text->data; p && *p;) {
		char *end = strchr(p, '\n');
		*end = '\0';
		VEC_PUSH(lines, n, cap) = p;
		p = end + 1;
	}
	if (n)
		qsort(lines, n, sizeof *lines, str_order);
	SCOPED(str) struct str sorted = { 0 };
	for (size_t i = 0; i < n; i++) {
		str_add(&sorted, lines[i]);
		str_addc(&sorted, '\n');
	}
	io_sha256(hex, str_text(&sorted), sorted.len);
}

static void index_arms(struct study *s)
{
	const struct plan *p = s->plan;
	s->first = arena_alloc(&s->arena, (size_t)(p->n_arms + 2) * sizeof *s->first);
	s->of_arm = arena_alloc(&s->arena, (size_t)(p->n_cells + 1) * sizeof *s->of_arm);
	for (int i = 0; i < p->n_cells; i++)
		s->first[s->cells[i].arm + 2]++;
	for (int a = 0; a < p->n_arms; a++)
		s->first[a + 2] += s->first[a + 1];
	for (int i = 0; i < p->n_cells; i++) /* first[a + 1] runs from the start of arm a to its end */
		s->of_arm[s->first[s->cells[i].arm + 1]++] = i;
}

static void add_mark(struct study *s, const char *fingerprint)
{
	for (int i = 0; i < s->n_marked; i++)
		if (strcmp(s->marked[i], fingerprint) == 0)
			return;
	if (s->n_marked < STUDY_MARKS_MAX)
		s->marked[s->n_marked++] = fingerprint;
}

/* The builds of what is done, and of the scores that the grid asks for. */
static void make_marks(struct study *s)
{
	struct metric_ref refs[METRIC_REFS_MAX];
	int n = grid_metric_refs(refs, METRIC_REFS_MAX, s->plan->grid);
	s->n_marked = 0;
	for (int i = 0; i < s->plan->n_cells; i++) {
		const struct study_cell *c = &s->cells[i];
		if (c->state == RECORD_DONE)
			add_mark(s, c->fingerprint);
		for (int k = 0; k < n; k++) {
			const struct study_score *x = study_score(s, c, &refs[k]);
			if (x)
				add_mark(s, x->fingerprint);
		}
	}
}

int study_load(struct study **out, struct plan *plan, struct db *db, struct err *e)
{
	struct study *s = xcalloc(1, sizeof *s);
	s->plan = plan;
	s->db = db;
	s->cells = xcalloc((size_t)plan->n_cells + 1, sizeof *s->cells);
	for (int i = 0; i < plan->n_cells; i++)
		s->cells[i] = (struct study_cell){ .hash = plan->cells[i].hash,
			                               .arm = plan->cells[i].arm,
			                               .seed = plan->cells[i].seed,
			                               .state = plan->cells[i].state == CELL_BLOCKED ? RECORD_BLOCKED
			                                                                             : RECORD_PENDING,
			                               .reason = plan->cells[i].state == CELL_BLOCKED ? plan->cells[i].reason : "",
			                               .attempt = "",
			                               .fingerprint = "",
			                               .started = "",
			                               .ended = "" };
	index_arms(s);
	SCOPED(str) struct str hashed = { 0 };
	if (builds_read(&s->builds, db, e) ||
	    (db && (plan->n_cells < STUDY_BULK_FROM ? each_cell(s, &hashed, e) : in_bulk(s, &hashed, e)))) {
		study_free(s);
		return -1;
	}
	make_marks(s);
	hash_lines(s->results, &hashed);
	*out = s;
	return 0;
}

/* Is it what the grid asks for under this name? A score without a key says only by its extractor. */
static bool is_asked(const struct study *s, const struct study_cell *c, const struct study_score *x)
{
	SCOPED(free) struct wanted_score *wanted = NULL;
	int n = grid_wanted_scores(&wanted, s->plan->grid);
	bool yes = false;
	for (int i = 0; i < n && !yes; i++)
		if (wanted[i].nfe == x->nfe && wanted[i].eval_seed == x->eval_seed && wanted[i].n == x->n &&
		    !strcmp(wanted[i].name, x->name) &&
		    query_score_is(&yes, s->db, c->hash, &wanted[i], x->asked, x->protocol, NULL))
			yes = false;
	return yes;
}

const struct study_score *study_score(const struct study *s, const struct study_cell *c, const struct metric_ref *ref)
{
	static const char *const choices[] = { "ema", "student", "teacher" };
	const char *weights = *ref->weights ? ref->weights : choices[s->plan->arms[c->arm].config.sample.weights];
	const struct study_score *best = NULL;
	for (int i = 0; i < c->n_scores; i++) {
		const struct study_score *x = &c->scores[i];
		if (strcmp(x->name, ref->name) != 0 || (ref->nfe >= 0 && x->nfe != ref->nfe) ||
		    (*x->weights && strcmp(x->weights, weights) != 0) || (ref->samples && x->n && x->n != ref->samples) ||
		    !metric_ref_made(ref, x->protocol))
			continue;
		if (!best || x->step > best->step ||
		    (x->step == best->step && strcmp(x->protocol, best->protocol) != 0 && is_asked(s, c, x) &&
		     !(is_asked(s, c, best) && (*best->asked || !*x->asked))))
			best = x;
	}
	return best;
}

int study_stat(struct study_stat *out, struct study *s, int arm, const struct metric_ref *ref, struct err *e)
{
	struct study_stat t = { .mean = NAN, .sd = NAN, .reason = "" };
	t.asked = s->first[arm + 1] - s->first[arm];
	t.value = arena_alloc(&s->arena, (size_t)t.asked * sizeof *t.value + 1);
	t.seed = arena_alloc(&s->arena, (size_t)t.asked * sizeof *t.seed + 1);
	t.builds = arena_alloc(&s->arena, (size_t)t.asked * sizeof *t.builds + 1);
	for (int i = s->first[arm]; i < s->first[arm + 1]; i++) {
		const struct study_cell *c = &s->cells[s->of_arm[i]];
		bool done = c->state == RECORD_DONE, blocked = c->state == RECORD_BLOCKED,
			 pending = record_state_is_open(c->state);
		t.done += done, t.blocked += blocked, t.pending += pending, t.failed += !done && !blocked && !pending;
		if (!done && !*t.reason)
			t.reason = c->reason;
		const struct study_score *x = study_score(s, c, ref);
		if (!x)
			continue;
		if (t.protocol && strcmp(t.protocol, x->protocol) != 0)
			return err_code(e, EXIT_RECORD,
			                "%s of arm %.12s has two protocols, which are not comparable: %s and %s; evaluate its "
			                "seeds the same way",
			                ref->name, s->plan->arms[arm].hash, t.protocol, x->protocol);
		t.protocol = x->protocol;
		t.images = x->n;
		int k = 0;
		while (k < t.n_builds && strcmp(t.builds[k], x->fingerprint) != 0)
			k++;
		if (k == t.n_builds)
			t.builds[t.n_builds++] = x->fingerprint;
		t.value[t.n] = ref->least ? x->least : x->value;
		t.seed[t.n++] = c->seed;
	}
	if (t.n) {
		t.mean = stats_mean(t.value, t.n);
		t.sd = stats_sd(t.value, t.n);
	}
	*out = t;
	return 0;
}
