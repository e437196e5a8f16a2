/* plan_json.c - a plan as JSON, as text for a person, and its hash. Numbers are shortest round-trip; the configs are the
 * canonical texts that were hashed. */
#include "harness/text/escape.h"
#include "harness/plan/plan.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* ---- small writers ---------------------------------------------------------------------------------------------- */

/* "key": with a comma before it unless it is the first of its object. */
static void key(struct str *out, const char *name)
{
	char last = out->len ? out->data[out->len - 1] : '{';
	str_addf(out, "%s\"%s\":", last == '{' || last == '[' ? "" : ",", name);
}

static void text(struct str *out, const char *name, const char *value)
{
	key(out, name);
	escape_json(out, value);
}

static void integer(struct str *out, const char *name, int64_t value)
{
	key(out, name);
	str_addf(out, "%" PRId64, value);
}

static void number(struct str *out, const char *name, double value)
{
	char buf[32];
	key(out, name);
	str_add(out, str_double(buf, value));
}

static void boolean(struct str *out, const char *name, bool value)
{
	key(out, name);
	str_add(out, value ? "true" : "false");
}

static void texts(struct str *out, const char *name, const char *const *v, int n)
{
	key(out, name);
	str_addc(out, '[');
	for (int i = 0; i < n; i++) {
		str_add(out, i ? "," : "");
		escape_json(out, v[i]);
	}
	str_addc(out, ']');
}

static void ints(struct str *out, const char *name, const int *v, int n)
{
	key(out, name);
	str_addc(out, '[');
	for (int i = 0; i < n; i++)
		str_addf(out, "%s%d", i ? "," : "", v[i]);
	str_addc(out, ']');
}

static void seeds(struct str *out, const char *name, const int64_t *v, int n)
{
	key(out, name);
	str_addc(out, '[');
	for (int i = 0; i < n; i++)
		str_addf(out, "%s%" PRId64, i ? "," : "", v[i]);
	str_addc(out, ']');
}

/* ---- sections of the grid --------------------------------------------------------------------------------------- */

/* {"name":value, ... and the caller closes it: kind s text, i int, d number, b truth, each after its name. */
static void object(struct str *out, const char *kinds, ...)
{
	va_list ap;
	va_start(ap, kinds);
	str_addc(out, '{');
	for (; *kinds; kinds++) {
		const char *name = va_arg(ap, const char *);
		switch (*kinds) {
		case 's': text(out, name, va_arg(ap, const char *)); break;
		case 'i': integer(out, name, va_arg(ap, int)); break;
		case 'd': number(out, name, va_arg(ap, double)); break;
		case 'b': boolean(out, name, va_arg(ap, int)); break;
		default: BUG("kind %c", *kinds);
		}
	}
	va_end(ap);
}

static void add_budget(struct str *out, const struct grid_budget *b)
{
	static const char *const on_failure[] = { "continue", "stop", "stop-after" };
	object(out, "didis", "cell_wall_s", b->cell_wall_s, "cell_retries", b->cell_retries, "grid_wall_s", b->grid_wall_s, "grid_cells",
	       b->grid_cells, "on_failure", on_failure[b->on_failure]);
	if (b->on_failure == FAILURE_STOP_AFTER)
		integer(out, "stop_after", b->stop_after);
	str_addc(out, '}');
}

static void add_metric(struct str *out, const struct grid_metric *m)
{
	object(out, "si", "name", m->name, "samples", m->samples);
	ints(out, "nfe", m->nfe, m->n_nfe);
	text(out, "ref", m->ref);
	text(out, "extractor", m->extractor);
	text(out, "ci", m->ci == CI_JACKKNIFE ? "jackknife" : "none");
	boolean(out, "infinity", m->infinity);
	text(out, "agg", m->agg == AGG_MIN3 ? "min3" : "mean");
	str_addc(out, '}');
}

static void add_table(struct str *out, const struct grid_table *t)
{
	object(out, "ss", "name", t->name, "chain", t->chain);
	texts(out, "cols", t->cols, t->n_cols);
	text(out, "paper", t->paper);
	texts(out, "formats", t->formats, t->n_formats);
	text(out, "metric", t->metric);
	text(out, "text", t->text);
	str_addc(out, '}');
}

static void add_gate(struct str *out, const struct gate_rule *r)
{
	str_addc(out, '{');
	text(out, "name", r->name);
	text(out, "metric", r->metric);
	text(out, "arm", r->arm);
	text(out, "against", r->against);
	text(out, "test", r->kind == GATE_SUPERIORITY ? "superiority" : "non-inferiority");
	if (r->kind == GATE_NON_INFERIORITY)
		number(out, r->margin_relative ? "margin_relative" : "margin_absolute", r->margin);
	number(out, "alpha", r->alpha);
	boolean(out, "paired", r->paired);
	ints(out, "looks", r->looks, r->n_looks);
	text(out, "on_inconclusive", r->fail_on_inconclusive ? "fail" : "warn");
	str_addc(out, '}');
}

static void add_seeds(struct str *out, const struct grid_seeds *s)
{
	str_addc(out, '{');
	seeds(out, "train", s->train, s->n_train);
	seeds(out, "eval", s->eval, s->n_eval);
	boolean(out, "paired", s->paired);
	str_addc(out, '}');
}

#define EACH(out, name, n, add_one) do { \
	key(out, name); \
	str_addc(out, '['); \
	for (int i_ = 0; i_ < (n); i_++) { \
		str_add(out, i_ ? "," : ""); \
		add_one; \
	} \
	str_addc(out, ']'); \
} while (0)

static void add_source(struct str *out, const struct grid_source *s)
{
	str_addc(out, '{');
	text(out, "file", s->path);
	text(out, "sha256", s->sha256);
	str_addc(out, '}');
}

static void add_grid(struct str *out, const struct plan *p)
{
	const struct grid *g = p->grid;
	str_addc(out, '{');
	text(out, "name", g->name);
	text(out, "file", g->path);
	text(out, "hash", p->hash);
	text(out, "text", g->text);
	integer(out, "numerics", NUMERICS_VERSION);
	key(out, "seeds");
	add_seeds(out, &g->seeds);
	EACH(out, "sources", g->n_sources, add_source(out, &g->sources[i_]));
	texts(out, "set", g->set_texts, g->n_set_texts);
	texts(out, "only", p->only, p->n_only);
	key(out, "budget");
	add_budget(out, &g->budget);
	EACH(out, "metrics", g->n_metrics, add_metric(out, &g->metrics[i_]));
	EACH(out, "tables", g->n_tables, add_table(out, &g->tables[i_]));
	EACH(out, "gates", g->n_gates, add_gate(out, &g->gates[i_].rule));
	str_addc(out, '}');
}

/* ---- arms, cells, totals ---------------------------------------------------------------------------------------- */

static void add_arm(struct str *out, const struct plan *p, const struct plan_arm *a)
{
	str_addc(out, '{');
	text(out, "arm", a->hash);
	EACH(out, "labels", a->n_rows, escape_json(out, p->rows[a->rows[i_]].name));
	text(out, "preset", a->preset);
	text(out, "dataset", a->dataset);
	texts(out, "needs", a->needs, a->n_needs);
	key(out, "config");
	str_add(out, a->json);
	str_addc(out, '}');
}

static void add_cell(struct str *out, const struct plan *p, const struct plan_cell *c)
{
	str_addc(out, '{');
	text(out, "cell", c->hash);
	text(out, "arm", p->arms[c->arm].hash);
	integer(out, "seed", c->seed);
	text(out, "state", cell_state_name(c->state));
	integer(out, "shared", p->arms[c->arm].n_rows);
	if (*c->reason)
		text(out, "reason", c->reason);
	if (c->seconds > 0)
		number(out, "seconds", c->seconds);
	str_addc(out, '}');
}

static void add_row(struct str *out, const struct plan *p, const struct plan_row *r)
{
	str_addc(out, '{');
	text(out, "label", r->label);
	text(out, "chain", r->chain);
	text(out, "arm", p->arms[r->arm].hash);
	str_addc(out, '}');
}

struct totals { int state[3], shared, guessed; double seconds; };

static struct totals total(const struct plan *p)
{
	struct totals t = { 0 };
	for (int i = 0; i < p->n_cells; i++) {
		const struct plan_cell *c = &p->cells[i];
		t.state[c->state]++;
		if (c->state == CELL_PENDING && c->seconds > 0) {
			t.guessed++;
			t.seconds += c->seconds;
		}
	}
	for (int i = 0; i < p->n_arms; i++)
		t.shared += p->arms[i].n_rows > 1;
	if (t.guessed) /* cells without an estimate of their own count as the mean of the others */
		t.seconds *= (double)t.state[CELL_PENDING] / t.guessed;
	return t;
}

static void add_totals(struct str *out, const struct plan *p)
{
	struct totals t = total(p);
	str_addc(out, '{');
	integer(out, "rows", p->n_rows);
	integer(out, "arms", p->n_arms);
	integer(out, "cells", p->n_cells);
	for (int s = 0; s < 3; s++)
		integer(out, cell_state_name((enum cell_state)s), t.state[s]);
	integer(out, "shared", t.shared);
	if (t.guessed || !t.state[CELL_PENDING]) {
		number(out, "seconds", t.seconds);
	} else {
		key(out, "seconds");
		str_add(out, "null");
	}
	number(out, "disk_bytes", plan_disk_bytes(p));
	str_addc(out, '}');
}

void plan_json(struct str *out, const struct plan *p)
{
	str_add(out, "{\"schema\":1,\n\"grid\":");
	add_grid(out, p);
	str_add(out, ",\n\"arms\":[");
	for (int i = 0; i < p->n_arms; i++) {
		str_add(out, i ? ",\n" : "\n");
		add_arm(out, p, &p->arms[i]);
	}
	str_add(out, "],\n\"cells\":[");
	for (int i = 0; i < p->n_cells; i++) {
		str_add(out, i ? ",\n" : "\n");
		add_cell(out, p, &p->cells[i]);
	}
	str_add(out, "],\n\"rows\":[");
	for (int i = 0; i < p->n_rows; i++) {
		str_add(out, i ? ",\n" : "\n");
		add_row(out, p, &p->rows[i]);
	}
	str_add(out, "],\n\"totals\":");
	add_totals(out, p);
	str_add(out, "}\n");
}

/* ---- the plan's hash -------------------------------------------------------------------------------------------- */

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* One piece per line, sorted, so that the order in which a file lists things does not matter. */
void plan_hash(struct plan *p)
{
	const struct grid *g = p->grid;
	size_t n = 0, max = 3 + (size_t)p->n_rows + (size_t)p->n_cells + (size_t)g->n_metrics + (size_t)g->n_tables + (size_t)g->n_gates;
	SCOPED(free) char **piece = xcalloc(max, sizeof *piece);
	struct str s = { 0 };
	add_seeds(&s, &g->seeds);
	piece[n++] = str_detach(&s);
	add_budget(&s, &g->budget);
	piece[n++] = str_detach(&s);
	text(&s, "name", g->name);
	piece[n++] = str_detach(&s);
	for (int i = 0; i < p->n_rows; i++, piece[n++] = str_detach(&s))
		add_row(&s, p, &p->rows[i]);
	for (int i = 0; i < p->n_cells; i++)
		piece[n++] = xstrdup(p->cells[i].hash);
	for (int i = 0; i < g->n_metrics; i++, piece[n++] = str_detach(&s))
		add_metric(&s, &g->metrics[i]);
	for (int i = 0; i < g->n_tables; i++, piece[n++] = str_detach(&s))
		add_table(&s, &g->tables[i]);
	for (int i = 0; i < g->n_gates; i++, piece[n++] = str_detach(&s))
		add_gate(&s, &g->gates[i].rule);
	qsort(piece, n, sizeof *piece, compare_texts);
	for (size_t i = 0; i < n; i++) {
		str_add(&s, piece[i]);
		str_addc(&s, '\n');
		free(piece[i]);
	}
	io_sha256(p->hash, str_text(&s), s.len);
	str_release(&s);
}

/* ---- for a person ----------------------------------------------------------------------------------------------- */

static void add_duration(struct str *out, double s)
{
	if (s < 90)
		str_addf(out, "%.0f s", s);
	else if (s < 5400)
		str_addf(out, "%.0f min", s / 60);
	else if (s < 172800)
		str_addf(out, "%.1f h", s / 3600);
	else
		str_addf(out, "%.1f d", s / 86400);
}

/* "pending", "2 cached, 1 pending": the states of one arm's cells. */
static void add_states(struct str *out, const struct plan *p, int arm, int n_seeds)
{
	int count[3] = { 0 };
	for (int i = arm * n_seeds; i < (arm + 1) * n_seeds; i++)
		count[p->cells[i].state]++;
	for (int s = 0, first = 1; s < 3; s++)
		if (count[s]) {
			if (count[s] == n_seeds)
				str_add(out, cell_state_name((enum cell_state)s));
			else
				str_addf(out, "%s%d %s", first ? "" : ", ", count[s], cell_state_name((enum cell_state)s));
			first = 0;
		}
}

/* Each reason for which cells are blocked, once. */
static void add_reasons(struct str *out, const struct plan *p)
{
	SCOPED(free) const char **said = NULL;
	int n = 0, cap = 0;
	for (int i = 0; i < p->n_cells; i++) {
		const struct plan_cell *c = &p->cells[i];
		int j = 0;
		while (c->state == CELL_BLOCKED && j < n && strcmp(said[j], c->reason) != 0)
			j++;
		if (c->state != CELL_BLOCKED || j < n || n == 20)
			continue;
		VEC_PUSH(said, n, cap) = c->reason;
		str_add(out, n == 1 ? "\nblocked: " : "blocked: ");
		escape_plain(out, c->reason);
		str_addc(out, '\n');
	}
}

void plan_text(struct str *out, const struct plan *p)
{
	const struct grid *g = p->grid;
	struct totals t = total(p);
	escape_plain(out, g->name);
	str_addf(out, "  plan %.12s  ", p->hash);
	escape_plain(out, g->path);
	str_addf(out, "\n%d rows, %d arms, %d cells: %d cached, %d pending, %d blocked; %d arms shared by several rows\n",
	         p->n_rows, p->n_arms, p->n_cells, t.state[CELL_CACHED], t.state[CELL_PENDING], t.state[CELL_BLOCKED], t.shared);
	str_add(out, "train seeds");
	for (int i = 0; i < g->seeds.n_train && i < 20; i++)
		str_addf(out, " %" PRId64, g->seeds.train[i]);
	str_addf(out, "%s\n\n%-14s%-24s%s\n", g->seeds.n_train > 20 ? " ..." : "", "arm", "state", "labels");
	for (int a = 0; a < p->n_arms; a++) {
		SCOPED(str) struct str states = { 0 };
		add_states(&states, p, a, g->seeds.n_train);
		str_addf(out, "%.12s  %-24s", p->arms[a].hash, str_text(&states));
		for (int i = 0; i < p->arms[a].n_rows; i++) {
			str_add(out, i ? "; " : "");
			escape_plain(out, p->rows[p->arms[a].rows[i]].name);
		}
		str_addc(out, '\n');
	}
	add_reasons(out, p);
	if (!t.state[CELL_PENDING]) {
		str_add(out, "\nnothing to run\n");
		return;
	}
	str_add(out, "\nestimated time: ");
	if (t.guessed) {
		add_duration(out, t.seconds);
		str_add(out, " of one worker\n");
	} else {
		str_add(out, "unknown, no finished cell to learn from\n");
	}
	str_addf(out, "checkpoints: %.3g GB of disk\n", plan_disk_bytes(p) / 1e9);
	if (g->budget.grid_cells && t.state[CELL_PENDING] > g->budget.grid_cells)
		str_addf(out, "the budget starts at most %d cells per run\n", g->budget.grid_cells);
}
