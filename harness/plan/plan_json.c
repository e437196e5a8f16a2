/* plan_json.c - a plan as JSON, as text for a person, and its hash. Numbers are shortest round-trip; the configs are
 * the canonical texts that were hashed. */
#include "harness/plan/plan.h"
#include "harness/text/escape.h"
#include "harness/text/json_writer.h"

#include "model/base/disk.h"
#include "model/base/str.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- sections of the grid --------------------------------------------------------------------------------------- */

static void add_ints(struct json_writer *w, const char *name, const int *v, int n)
{
	json_begin(w, name, '[');
	for (int i = 0; i < n; i++)
		json_add_int(w, NULL, v[i]);
	json_end(w);
}

static void add_longs(struct json_writer *w, const char *name, const int64_t *v, int n)
{
	json_begin(w, name, '[');
	for (int i = 0; i < n; i++)
		json_add_int(w, NULL, v[i]);
	json_end(w);
}

static void add_budget(struct json_writer *w, const char *name, const struct grid_budget *b)
{
	static const char *const on_failure[] = { "continue", "stop", "stop-after" };
	json_begin(w, name, '{');
	json_add_number(w, "cell_wall_s", b->cell_wall_s);
	json_add_int(w, "cell_retries", b->cell_retries);
	if (b->cell_checkpoint_s != GRID_CHECKPOINT_S) /* a key that came later: plans without it keep their hash */
		json_add_number(w, "cell_checkpoint_s", b->cell_checkpoint_s);
	json_add_number(w, "grid_wall_s", b->grid_wall_s);
	json_add_int(w, "grid_cells", b->grid_cells);
	json_add_text(w, "on_failure", on_failure[b->on_failure]);
	if (b->on_failure == FAILURE_STOP_AFTER)
		json_add_int(w, "stop_after", b->stop_after);
	json_end(w);
}

static void add_metric(struct json_writer *w, const struct grid_metric *m)
{
	json_begin(w, NULL, '{');
	json_add_text(w, "name", m->name);
	json_add_int(w, "samples", m->samples);
	add_ints(w, "nfe", m->nfe, m->n_nfe);
	json_add_text(w, "ref", m->ref);
	json_add_text(w, "extractor", m->extractor);
	json_add_text(w, "ci", m->ci == CI_JACKKNIFE ? "jackknife" : "none");
	json_add_bool(w, "infinity", m->infinity);
	json_add_text(w, "agg", m->agg == AGG_MIN3 ? "min3" : "mean");
	if (m->allow_leak) /* later than the first plans, whose hash stays */
		json_add_bool(w, "allow_leak", true);
	json_end(w);
}

static void add_table(struct json_writer *w, const struct grid_table *t)
{
	json_begin(w, NULL, '{');
	json_add_text(w, "name", t->name);
	json_add_text(w, "chain", t->chain);
	json_add_texts(w, "cols", t->cols, t->n_cols);
	json_add_text(w, "paper", t->paper);
	json_add_texts(w, "formats", t->formats, t->n_formats);
	json_add_text(w, "metric", t->metric);
	json_add_text(w, "text", t->text);
	json_end(w);
}

static void add_gate(struct json_writer *w, const struct gate_rule *r)
{
	json_begin(w, NULL, '{');
	json_add_text(w, "name", r->name);
	json_add_text(w, "metric", r->metric);
	json_add_text(w, "arm", r->arm);
	json_add_text(w, "against", r->against);
	if (*r->against_grid) /* part of the plan's hash where there is one, so that older plans keep theirs */
		json_add_text(w, "against_grid", r->against_grid);
	json_add_text(w, "test", r->kind == GATE_SUPERIORITY ? "superiority" : "non-inferiority");
	if (r->kind == GATE_NON_INFERIORITY)
		json_add_number(w, r->margin_relative ? "margin_relative" : "margin_absolute", r->margin);
	json_add_number(w, "alpha", r->alpha);
	json_add_bool(w, "paired", r->paired);
	add_ints(w, "looks", r->looks, r->n_looks);
	json_add_text(w, "on_inconclusive", r->fail_on_inconclusive ? "fail" : "warn");
	json_end(w);
}

static void add_seeds(struct json_writer *w, const char *name, const struct grid_seeds *s)
{
	json_begin(w, name, '{');
	add_longs(w, "train", s->train, s->n_train);
	add_longs(w, "eval", s->eval, s->n_eval);
	json_add_bool(w, "paired", s->paired);
	json_end(w);
}

static void add_source(struct json_writer *w, const struct grid_source *s)
{
	json_begin(w, NULL, '{');
	json_add_text(w, "file", s->path);
	json_add_text(w, "sha256", s->sha256);
	json_end(w);
}

#define EACH(w, name, n, add_one) \
	do { \
		json_begin(w, name, '['); \
		for (int i_ = 0; i_ < (n); i_++) \
			add_one; \
		json_end(w); \
	} while (0)

static void add_grid(struct json_writer *w, const struct plan *p)
{
	const struct grid *g = p->grid;
	json_begin(w, "grid", '{');
	json_add_text(w, "name", g->name);
	json_add_text(w, "file", g->path);
	json_add_text(w, "hash", p->hash);
	json_add_text(w, "text", g->text);
	json_add_int(w, "numerics", NUMERICS_VERSION);
	add_seeds(w, "seeds", &g->seeds);
	EACH(w, "sources", g->n_sources, add_source(w, &g->sources[i_]));
	json_add_texts(w, "set", g->set_texts, g->n_set_texts);
	json_add_texts(w, "only", p->only, p->n_only);
	add_budget(w, "budget", &g->budget);
	EACH(w, "metrics", g->n_metrics, add_metric(w, &g->metrics[i_]));
	EACH(w, "tables", g->n_tables, add_table(w, &g->tables[i_]));
	EACH(w, "gates", g->n_gates, add_gate(w, &g->gates[i_].rule));
	json_end(w);
}

/* ---- arms, cells, totals ---------------------------------------------------------------------------------------- */

static bool lacks_memory(const struct plan_memory *m)
{
	return m->limit > 0 && m->bytes > m->limit;
}

static void add_memory(struct json_writer *w, const struct plan_memory *m)
{
	json_begin(w, "memory", '{');
	json_add_text(w, "device", m->device);
	json_add_number(w, "bytes", m->bytes);
	if (m->limit > 0)
		json_add_number(w, "limit", m->limit);
	else
		json_add_null(w, "limit");
	json_add_int(w, "microbatch", m->micro);
	json_add_int(w, "parts", m->parts);
	if (lacks_memory(m))
		json_add_int(w, "would_fit", m->largest);
	json_end(w);
}

static void add_arm(struct json_writer *w, const struct plan *p, const struct plan_arm *a)
{
	json_line(w);
	json_begin(w, NULL, '{');
	json_add_text(w, "arm", a->hash);
	EACH(w, "labels", a->n_rows, json_add_text(w, NULL, p->rows[a->rows[i_]].name));
	json_add_text(w, "preset", a->preset);
	json_add_text(w, "dataset", a->dataset);
	json_add_texts(w, "needs", a->needs, a->n_needs);
	if (*a->memory.device)
		add_memory(w, &a->memory);
	json_add_raw(w, "config", a->json);
	json_end(w);
}

static void add_cell(struct json_writer *w, const struct plan *p, const struct plan_cell *c)
{
	json_line(w);
	json_begin(w, NULL, '{');
	json_add_text(w, "cell", c->hash);
	json_add_text(w, "arm", p->arms[c->arm].hash);
	json_add_int(w, "seed", c->seed);
	json_add_text(w, "training", p->trainings[c->training].key);
	json_add_text(w, "state", cell_state_name(c->state));
	json_add_bool(w, "trained", c->trained);
	json_add_int(w, "shared", p->arms[c->arm].n_rows);
	if (*c->reason)
		json_add_text(w, "reason", c->reason);
	if (*c->made_by)
		json_add_text(w, "made_by", c->made_by);
	if (c->seconds > 0)
		json_add_number(w, "seconds", c->seconds);
	json_end(w);
}

static void add_row(struct json_writer *w, const struct plan *p, const struct plan_row *r)
{
	json_begin(w, NULL, '{');
	json_add_text(w, "label", r->label);
	json_add_text(w, "chain", r->chain);
	json_add_text(w, "arm", p->arms[r->arm].hash);
	json_end(w);
}

struct totals {
	int state[3], shared, of_another_build;
	int guessed; /* trainings with an estimate */
	struct plan_stages stages;
	double seconds;
};

static struct totals total(const struct plan *p)
{
	struct totals t = { .stages = plan_stages(p) };
	SCOPED(free) bool *trains = plan_trainers(p);
	for (int i = 0; i < p->n_cells; i++) {
		const struct plan_cell *c = &p->cells[i];
		t.state[c->state]++;
		t.of_another_build += *c->made_by != '\0';
		if (trains[i] && c->seconds > 0) {
			t.guessed++;
			t.seconds += c->seconds;
		}
	}
	for (int i = 0; i < p->n_arms; i++)
		t.shared += p->arms[i].n_rows > 1;
	if (t.guessed) /* trainings without an estimate of their own count as the mean of the others */
		t.seconds *= (double)t.stages.to_do / t.guessed;
	return t;
}

static void add_totals(struct json_writer *w, const struct plan *p)
{
	struct totals t = total(p);
	json_begin(w, "totals", '{');
	json_add_int(w, "rows", p->n_rows);
	json_add_int(w, "arms", p->n_arms);
	json_add_int(w, "cells", p->n_cells);
	for (int s = 0; s < 3; s++)
		json_add_int(w, cell_state_name((enum cell_state)s), t.state[s]);
	json_add_int(w, "of_another_build", t.of_another_build);
	json_add_int(w, "shared", t.shared);
	json_begin(w, "trainings", '{');
	json_add_int(w, "all", t.stages.trainings);
	json_add_int(w, "to_do", t.stages.to_do);
	json_add_int(w, "at_hand", t.stages.at_hand);
	json_add_int(w, "shared_by", t.stages.sharing);
	json_end(w);
	json_add_int(w, "samplings", t.stages.samplings);
	json_add_int(w, "scores", t.stages.scores);
	if (t.guessed || !t.state[CELL_PENDING])
		json_add_number(w, "seconds", t.seconds);
	else
		json_add_null(w, "seconds");
	json_add_number(w, "disk_bytes", plan_disk_bytes(p));
	if (p->disk_known)
		json_add_number(w, "disk_free_bytes", p->disk_free);
	json_end(w);
}

void plan_add_json(struct json_writer *w, const char *name, const struct plan *p)
{
	json_begin(w, name, '{');
	json_add_int(w, "schema", 1);
	json_line(w);
	add_grid(w, p);
	json_line(w);
	EACH(w, "arms", p->n_arms, add_arm(w, p, &p->arms[i_]));
	json_line(w);
	EACH(w, "cells", p->n_cells, add_cell(w, p, &p->cells[i_]));
	json_line(w);
	EACH(w, "rows", p->n_rows, (json_line(w), add_row(w, p, &p->rows[i_])));
	json_line(w);
	add_totals(w, p);
	if (p->jobs.why != JOBS_UNKNOWN) {
		json_line(w);
		jobs_add_json(w, "jobs", &p->jobs);
	}
	json_end(w);
}

void plan_json(struct str *out, const struct plan *p)
{
	struct json_writer w = { .to = out };
	plan_add_json(&w, NULL, p);
	str_addc(out, '\n');
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
	size_t n = 0, max = 3 + (size_t)p->n_rows + (size_t)p->n_cells + (size_t)g->n_metrics + (size_t)g->n_tables +
	                    (size_t)g->n_gates;
	SCOPED(free) char **piece = xcalloc(max, sizeof *piece);
	struct str s = { 0 };
	struct json_writer w = { .to = &s };
	add_seeds(&w, NULL, &g->seeds);
	piece[n++] = str_detach(&s);
	add_budget(&w, NULL, &g->budget);
	piece[n++] = str_detach(&s);
	str_add(&s, "\"name\":");
	escape_json(&s, g->name);
	piece[n++] = str_detach(&s);
	for (int i = 0; i < p->n_rows; i++, piece[n++] = str_detach(&s))
		add_row(&w, p, &p->rows[i]);
	for (int i = 0; i < p->n_cells; i++)
		piece[n++] = xstrdup(p->cells[i].hash);
	for (int i = 0; i < g->n_metrics; i++, piece[n++] = str_detach(&s))
		add_metric(&w, &g->metrics[i]);
	for (int i = 0; i < g->n_tables; i++, piece[n++] = str_detach(&s))
		add_table(&w, &g->tables[i]);
	for (int i = 0; i < g->n_gates; i++, piece[n++] = str_detach(&s))
		add_gate(&w, &g->gates[i].rule);
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

/* "18 trainings (9 to do, 6 at hand), 42 samplings, 84 scores; 36 cells share a training": what is to be made. */
static void add_stages(struct str *out, const struct plan_stages *s)
{
	str_addf(out, "%d training%s: %d to do", s->trainings, str_plural(s->trainings), s->to_do);
	if (s->at_hand)
		str_addf(out, ", %d at hand", s->at_hand);
	str_addf(out, "; %d sampling%s and %d score%s to do", s->samplings, str_plural(s->samplings), s->scores,
	         str_plural(s->scores));
	if (s->sharing)
		str_addf(out, "; %d cells share a training", s->sharing);
	str_addc(out, '\n');
}

/* " (trained as base)": the arm whose training it samples, too. */
static void add_sharing(struct str *out, const struct plan *p, int arm, int n_seeds)
{
	int first = n_seeds ? p->cells[p->trainings[p->cells[arm * n_seeds].training].first].arm : arm;
	if (first == arm)
		return;
	str_add(out, "  (trained as ");
	escape_plain(out, p->rows[p->arms[first].rows[0]].name);
	str_addc(out, ')');
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

/* Cells whose results another build made; the first of them says which. */
static void add_builds(struct str *out, const struct plan *p, int n)
{
	int i = 0;
	while (n && !*p->cells[i].made_by)
		i++;
	if (n)
		str_addf(out,
		         "\n%d of the cached cells %s made by another build (fingerprint %s): `ablate run --rebuild stale` "
		         "makes %s again\n",
		         n, n == 1 ? "was" : "were", p->cells[i].made_by, n == 1 ? "it" : "them");
}

/* Arms that take the same. */
struct amount {
	const struct plan_memory *m;
	int arms;
};

/* What cells that are not finished take of the device's memory: a line for each amount, with the number of its arms. */
static void add_memory_text(struct str *out, const struct plan *p)
{
	SCOPED(free) struct amount *v = NULL;
	int n = 0, cap = 0, last = -1;
	for (int i = 0; i < p->n_cells; i++) {
		const struct plan_memory *m = &p->arms[p->cells[i].arm].memory;
		int k = 0;
		if (p->cells[i].state == CELL_CACHED || p->cells[i].arm == last || !*m->device)
			continue;
		last = p->cells[i].arm;
		while (k < n && memcmp(v[k].m, m, sizeof *m) != 0)
			k++;
		if (k == n)
			VEC_PUSH(v, n, cap) = (struct amount){ .m = m };
		v[k].arms++;
	}
	for (int k = 0; k < n && k < 20; k++) {
		const struct plan_memory *m = v[k].m;
		str_addf(out, "%smemory of %s: %.3g GB", k ? "" : "\n", m->device, m->bytes / 1e9);
		if (m->limit > 0)
			str_addf(out, " of %.3g", m->limit / 1e9);
		str_addf(out, ", %d sample%s at once", m->micro, str_plural(m->micro));
		if (m->parts > 1)
			str_addf(out, ", %d times for each step", m->parts);
		if (lacks_memory(m) && m->largest > 0)
			str_addf(out, ": does not fit, --microbatch %d would", m->largest);
		else if (lacks_memory(m))
			str_add(out, ": does not fit, nor does one sample at once");
		if (n > 1)
			str_addf(out, " (%d arm%s)", v[k].arms, str_plural(v[k].arms));
		str_addc(out, '\n');
	}
}

static void add_disk(struct str *out, const struct plan *p)
{
	char need[24], there[24];
	str_addf(out, "checkpoints and samples: %s of disk", disk_bytes_text(need, plan_disk_bytes(p)));
	if (p->disk_known)
		str_addf(out, ", of %s free%s", disk_bytes_text(there, p->disk_free),
		         plan_disk_bytes(p) > p->disk_free ? ": too little" : "");
	str_addc(out, '\n');
}

static void add_jobs(struct str *out, const struct plan *p)
{
	SCOPED(str) struct str s = { 0 };
	jobs_text(&s, &p->jobs);
	if (s.len)
		str_addf(out, "\n%s", str_text(&s));
}

void plan_text(struct str *out, const struct plan *p)
{
	const struct grid *g = p->grid;
	struct totals t = total(p);
	escape_plain(out, g->name);
	str_addf(out, "  plan %.12s  ", p->hash);
	escape_plain(out, g->path);
	str_addf(out,
	         "\n%d row%s, %d arm%s, %d cell%s: %d cached, %d pending, %d blocked; %d arm%s shared by several rows\n",
	         p->n_rows, str_plural(p->n_rows), p->n_arms, str_plural(p->n_arms), p->n_cells, str_plural(p->n_cells),
	         t.state[CELL_CACHED], t.state[CELL_PENDING], t.state[CELL_BLOCKED], t.shared, str_plural(t.shared));
	add_stages(out, &t.stages);
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
		add_sharing(out, p, a, g->seeds.n_train);
		str_addc(out, '\n');
	}
	add_builds(out, p, t.of_another_build);
	add_reasons(out, p);
	add_memory_text(out, p);
	if (!t.state[CELL_PENDING]) {
		str_add(out, "\nnothing to run\n");
		return;
	}
	add_jobs(out, p);
	str_add(out, "\nestimated time: ");
	if (t.guessed) {
		add_duration(out, t.seconds);
		str_add(out, " of one worker\n");
	} else {
		str_add(out, t.stages.to_do ? "unknown, no finished cell to learn from\n" : "that of sampling\n");
	}
	add_disk(out, p);
	if (g->budget.grid_cells && t.state[CELL_PENDING] > g->budget.grid_cells)
		str_addf(out, "the budget starts at most %d cell%s per run\n", g->budget.grid_cells,
		         str_plural(g->budget.grid_cells));
}
