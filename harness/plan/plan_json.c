/* plan_json.c - a plan as JSON, and its hash. Numbers are shortest round-trip; the configs are
 * the canonical texts that were hashed. */
#include "harness/plan/plan_totals.h"
#include "harness/text/escape.h"
#include "harness/text/json_writer.h"

#include "model/base/str.h"

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
	if (*t->reference) /* later than the first plans, whose hash stays */
		json_add_text(w, "reference", t->reference);
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
	json_add_text(w, "like", g->like);
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
	if (plan_lacks_memory(m))
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
	if (a->step_gflop > 0) {
		json_begin(w, "gflop", '{');
		json_add_number(w, "step", a->step_gflop);
		json_add_number(w, "image", a->image_gflop);
		json_end(w);
	}
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

static void add_known(struct json_writer *w, const char *name, double x)
{
	if (x > 0)
		json_add_number(w, name, x);
	else
		json_add_null(w, name);
}

static void add_cost(struct json_writer *w, const char *name, const struct plan *p, bool blocked_too)
{
	struct plan_cost c = plan_cost(p, blocked_too);
	json_begin(w, name, '{');
	json_add_int(w, "cells", c.cells);
	json_add_int(w, "trainings", c.trainings);
	json_add_int(w, "unknown", c.unknown);
	json_add_number(w, "training_gflop", c.training_gflop);
	json_add_number(w, "sampling_gflop", c.sampling_gflop);
	add_known(w, "memory_bytes", c.memory_bytes);
	json_add_number(w, "disk", c.disk_bytes);
	add_known(w, "here_s", c.here_s);
	add_known(w, "card_s", c.card_s);
	add_known(w, "card_bf16_s", c.card_bf16_s);
	json_end(w);
}

static void add_speed(struct json_writer *w, const struct speed *s)
{
	static const char *const from[] = { "unknown", "stated", "measured", "card" };
	json_begin(w, "speed", '{');
	json_begin(w, "here", '{');
	json_add_text(w, "from", from[s->from]);
	if (s->from == SPEED_CARD)
		json_add_text(w, "card", s->its->name);
	json_end(w);
	if (s->card) {
		json_begin(w, "card", '{');
		json_add_text(w, "name", s->card->name);
		json_add_text(w, "text", s->card->text);
		json_add_number(w, "share", s->share);
		json_begin(w, "tflops", '{');
		for (int d = 0; d < N_DTYPES; d++)
			json_add_number(w, dtype_name((enum dtype_kind)d), s->card->tflops[d]);
		json_end(w);
		json_add_number(w, "memory_gb", s->card->memory_gb);
		json_add_text(w, "source", s->card->source);
		json_end(w);
	}
	json_end(w);
}

static void add_missing(struct json_writer *w, const struct plan_missing *m)
{
	json_begin(w, NULL, '{');
	json_add_text(w, "what", m->what);
	json_add_text(w, "about", m->about);
	json_add_texts(w, "get", m->get, !m->get[0] ? 0 : m->get[1] ? 2 : 1);
	json_add_int(w, "cells", m->cells);
	json_end(w);
}

static void add_totals(struct json_writer *w, const struct plan *p)
{
	struct plan_totals t = plan_totals(p);
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
	json_begin(w, "cost", '{');
	add_cost(w, "pending", p, false);
	add_cost(w, "unblocked", p, true);
	json_end(w);
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
	json_line(w);
	add_speed(w, &p->speed);
	json_line(w);
	EACH(w, "missing", p->n_missing, add_missing(w, &p->missing[i_]));
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

/* One piece per line, sorted, so that the order in which a file lists things does not matter. */
void plan_hash(struct plan *p)
{
	const struct grid *g = p->grid;
	size_t n = 0, max = 4 + (size_t)p->n_rows + (size_t)p->n_cells + (size_t)g->n_metrics + (size_t)g->n_tables +
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
	if (*g->like) { /* older plans keep their hash */
		str_add(&s, "\"like\":");
		escape_json(&s, g->like);
		piece[n++] = str_detach(&s);
	}
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
	qsort(piece, n, sizeof *piece, str_order);
	for (size_t i = 0; i < n; i++) {
		str_add(&s, piece[i]);
		str_addc(&s, '\n');
		free(piece[i]);
	}
	io_sha256(p->hash, str_text(&s), s.len);
	str_release(&s);
}
