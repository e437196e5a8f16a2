/* watch_read.c - see watch_read.h. */
#define _GNU_SOURCE
#include "harness/watch/watch_read.h"

#include "harness/record/host.h"
#include "harness/record/query.h"
#include "harness/record/query_attempt.h"
#include "harness/record/query_grid.h"
#include "harness/text/escape.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW_S 60.0 /* a rate is that of the last one to two of these */

/* Two moments of an attempt. */
struct watch_mark {
	char attempt[64], from[HOST_TIME], mid[HOST_TIME];
	int64_t from_step, mid_step;
	bool seen; /* in this round */
};

void watch_memory_release(struct watch_memory *m)
{
	free(m->v);
	*m = (struct watch_memory){ 0 };
}

static struct watch_mark *mark_of(struct watch_memory *m, const char *attempt)
{
	for (int i = 0; i < m->n; i++)
		if (strcmp(m->v[i].attempt, attempt) == 0)
			return &m->v[i];
	struct watch_mark *mark = &VEC_PUSH(m->v, m->n, m->cap);
	*mark = (struct watch_mark){ .from_step = -1 };
	(void)snprintf(mark->attempt, sizeof mark->attempt, "%s", attempt);
	return mark;
}

/* Those that are over are forgotten. */
static void forget(struct watch_memory *m)
{
	int kept = 0;
	for (int i = 0; i < m->n; i++)
		if (m->v[i].seen) {
			m->v[kept] = m->v[i];
			m->v[kept++].seen = false;
		}
	m->n = kept;
}

/* Steps in a second since the older mark; before there is one, since the attempt began. */
static double rate_of(struct watch_memory *m, const struct watch_row *r)
{
	struct watch_mark *mark = mark_of(m, r->attempt);
	mark->seen = true;
	if (!*r->heartbeat || strlen(r->heartbeat) >= HOST_TIME)
		return NAN;
	if (mark->from_step < 0 && r->step > r->resumed_step) { /* the first sign of life from within the training */
		mark->from_step = mark->mid_step = r->step;
		memcpy(mark->from, r->heartbeat, strlen(r->heartbeat) + 1);
		memcpy(mark->mid, mark->from, HOST_TIME);
	}
	if (mark->from_step >= 0 && host_seconds_between(mark->mid, r->heartbeat) > WINDOW_S) {
		memcpy(mark->from, mark->mid, HOST_TIME);
		mark->from_step = mark->mid_step;
		mark->mid_step = r->step;
		memcpy(mark->mid, r->heartbeat, strlen(r->heartbeat) + 1);
	}
	bool since_mark = mark->from_step >= 0 && r->step > mark->from_step;
	double seconds = host_seconds_between(since_mark ? mark->from : r->started, r->heartbeat);
	int64_t steps = r->step - (since_mark ? mark->from_step : r->resumed_step);
	return steps > 0 && seconds > 0 ? (double)steps / seconds : NAN;
}

/* As text of one line; in the arena. */
static const char *plain(struct watch *w, const char *text)
{
	SCOPED(str) struct str s = { 0 };
	escape_plain(&s, text);
	return arena_strdup(&w->arena, str_text(&s));
}

static int read_curve(struct watch_cell *c, struct watch *w, struct db *db, struct err *e)
{
	struct db_rows rows;
	struct curve_row r;
	SCOPED(free) double *v = NULL;
	int n = 0, cap = 0;
	if (query_curve(&rows, db, c->attempt, "loss", e))
		return -1;
	while (query_curve_next(&r, &rows)) {
		VEC_PUSH(v, n, cap) = r.value;
		c->step = r.step > c->step ? r.step : c->step; /* newer than the last sign of life */
	}
	if (n) {
		double *kept = arena_alloc(&w->arena, (size_t)n * sizeof *kept);
		memcpy(kept, v, (size_t)n * sizeof *kept);
		c->curve = kept;
		c->n_curve = n;
		c->loss = v[n - 1];
	}
	return db_done(&rows, e);
}

/* What the evidence says of a running attempt; NULL = it has ended since. */
static const json_t *evidence_of(const struct status *st, const char *attempt)
{
	size_t i;
	json_t *o;
	json_array_foreach(st->running, i,
	                   o) if (strcmp(json_string_value(json_object_get(o, "attempt")), attempt) == 0) return o;
	return NULL;
}

static void judge(struct watch_cell *c, struct watch *w, const struct status *st)
{
	const json_t *o = evidence_of(st, c->attempt);
	if (o && strcmp(json_string_value(json_object_get(o, "life")), "gone") == 0) {
		c->gone = true;
		c->reason = plain(w, json_string_value(json_object_get(o, "evidence")));
		c->rate = NAN;
	}
}

static int read_cells(struct watch *w, struct watch_memory *memory, const struct status *st, struct db *db,
                      const char *only, struct err *e)
{
	struct db_rows rows;
	struct watch_row r;
	int cap = 0;
	if (query_watch(&rows, db, only, e))
		return -1;
	while (query_watch_next(&r, &rows)) {
		struct watch_cell c = { .cell = arena_strdup(&w->arena, r.cell),
			                    .label = plain(w, r.label),
			                    .attempt = arena_strdup(&w->arena, r.attempt),
			                    .reason = plain(w, r.reason),
			                    .ended = arena_strdup(&w->arena, r.ended),
			                    .state = r.state,
			                    .seed = r.seed,
			                    .step = r.step,
			                    .steps = r.steps,
			                    .rate = NAN,
			                    .eta_s = NAN,
			                    .seconds = r.seconds,
			                    .loss = NAN };
		if (c.state == RECORD_RUNNING) {
			c.rate = rate_of(memory, &r);
			judge(&c, w, st);
		}
		VEC_PUSH(w->cells, w->n, cap) = c;
	}
	forget(memory);
	if (db_done(&rows, e))
		return -1;
	for (int i = 0; i < w->n; i++) {
		struct watch_cell *c = &w->cells[i];
		if (c->state == RECORD_RUNNING && read_curve(c, w, db, e))
			return -1;
		if (c->rate > 0 && c->step <= c->steps)
			c->eta_s = (double)(c->steps - c->step) / c->rate;
	}
	return 0;
}

/* 0: at work; 1: needs somebody; 2: goes on later; 3: not begun; 4: done. */
static int rank(const struct watch_cell *c)
{
	switch (c->state) {
	case RECORD_RUNNING: return c->gone ? 1 : 0;
	case RECORD_STOPPED: return 2;
	case RECORD_PENDING: return 3;
	case RECORD_DONE: return 4;
	default: return 1;
	}
}

struct placed {
	struct watch_cell cell;
	int at;
};

static int by_rank(const void *a, const void *b)
{
	const struct placed *x = a, *y = b;
	int d = rank(&x->cell) - rank(&y->cell);
	if (!d && rank(&x->cell) == 1)
		d = strcmp(y->cell.ended, x->cell.ended);
	return d ? d : x->at - y->at;
}

static void sort_cells(struct watch *w)
{
	SCOPED(free) struct placed *v = xcalloc((size_t)w->n + 1, sizeof *v);
	for (int i = 0; i < w->n; i++)
		v[i] = (struct placed){ w->cells[i], i };
	qsort(v, (size_t)w->n, sizeof *v, by_rank);
	for (int i = 0; i < w->n; i++)
		w->cells[i] = v[i].cell;
}

static void count(struct watch *w)
{
	double done = 0, all = 0;
	for (int i = 0; i < w->n; i++) {
		const struct watch_cell *c = &w->cells[i];
		int r = rank(c);
		w->running += r == 0;
		w->failed += r == 1;
		w->waiting += r == 2 || r == 3;
		w->done += r == 4;
		double steps = c->steps > 0 ? (double)c->steps : 1;
		all += steps;
		done += r == 4 ? steps : (double)c->step < steps ? (double)c->step : steps;
	}
	w->share = all > 0 ? done / all : 0;
}

/* A cell that has not begun takes as long as the finished ones took for a step, or as the running ones take; as many as
 * run now go on side by side. */
static double guess_eta(const struct watch *w)
{
	double took = 0, steps = 0, rates = 0, longest = 0, work = 0;
	int n_rates = 0;
	for (int i = 0; i < w->n; i++) {
		const struct watch_cell *c = &w->cells[i];
		if (c->state == RECORD_DONE && c->seconds > 0 && c->steps > 0) {
			took += c->seconds;
			steps += (double)c->steps;
		} else if (c->rate > 0) {
			rates += c->rate;
			n_rates++;
		}
	}
	double of_step = steps > 0 ? took / steps : rates > 0 ? n_rates / rates : NAN;
	for (int i = 0; i < w->n; i++) {
		const struct watch_cell *c = &w->cells[i];
		int r = rank(c);
		double left = r == 0 && !isnan(c->eta_s)   ? c->eta_s
		              : r == 0 || r == 2 || r == 3 ? of_step * (double)(c->steps > c->step ? c->steps - c->step : 0)
		                                           : 0;
		work += left;
		longest = left > longest ? left : longest;
	}
	if (!w->running)
		return NAN;
	return isnan(work) || work / w->running > longest ? work / w->running : longest;
}

static void add_line(struct watch *w, const char *text, size_t n)
{
	SCOPED(free) char *line = xstrndup(text, n);
	if (w->n_lines < (int)(sizeof w->lines / sizeof *w->lines))
		w->lines[w->n_lines++] = plain(w, line);
}

static void read_lines(struct watch *w, const struct status *st, const char *db)
{
	SCOPED(str) struct str text = { 0 };
	size_t i;
	json_t *o;
	status_runner_line(&text, st);
	status_queue_lines(&text, st, db);
	json_array_foreach(st->running, i, o) if (strcmp(json_string_value(json_object_get(o, "purpose")), "run") != 0)
		str_addf(&text, "%s of %s seed %lld: step %lld of %lld\n", json_string_value(json_object_get(o, "purpose")),
	             json_string_value(json_object_get(o, "label")),
	             (long long)json_integer_value(json_object_get(o, "seed")),
	             (long long)json_integer_value(json_object_get(o, "step")),
	             (long long)json_integer_value(json_object_get(o, "steps")));
	for (const char *at = str_text(&text), *end; (end = strchr(at, '\n')); at = end + 1)
		add_line(w, at, (size_t)(end - at));
}

int watch_read(struct watch *out, struct watch_memory *memory, const struct store *s, const struct status *st,
               const char *only, struct err *e)
{
	SCOPED(free) char *place = NULL;
	*out = (struct watch){ .picture = "", .busy = status_is_busy(st) };
	if (read_cells(out, memory, st, s->db, only, e) || query_last_picture(&place, s->db, only, e))
		return -1;
	size_t grids = json_array_size(st->grids);
	out->title = grids == 1 ? plain(out, json_string_value(json_object_get(json_array_get(st->grids, 0), "name")))
	                        : arena_strfmt(&out->arena, "%zu grids", grids);
	sort_cells(out);
	count(out);
	out->eta_s = guess_eta(out);
	if (place) {
		SCOPED(free) char *path = xstrfmt("%s/%s", s->runs, place);
		out->picture = plain(out, path);
	}
	read_lines(out, st, s->path);
	out->n_gpus = gpus_read(out->gpus);
	return 0;
}

void scoped_watch(struct watch *w)
{
	free(w->cells);
	arena_release(&w->arena);
	*w = (struct watch){ 0 };
}
