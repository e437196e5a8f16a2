/* grid_judge.c - the sections of a grid file that change no cell: budget, metrics, tables, gates; [slurm] and
 * [command] are checked here and read in grid_slurm.c and grid_command.c. */
#include "harness/grid/grid_private.h"
#include "harness/grid/grid_command.h"
#include "harness/grid/table_column.h"
#include "harness/record/score_key.h"
#include "metrics/features/extractor_command.h"
#include "metrics/features/published_stats.h"
#include "metrics/scores/score.h"
#include "model/base/mem.h"
#include "model/data/dataset.h"

#include <ctype.h>
#include <string.h>

/* ---- budget ----------------------------------------------------------------------------------------------------- */

static int read_on_failure(struct grid_budget *b, const struct toml_value *t, struct err *e)
{
	const char *text = NULL;
	int rc = toml_string(&text, t, "on_failure", e);
	if (rc)
		return rc < 0 ? -1 : 0;
	char *end = NULL;
	long n = !strncmp(text, "stop-after:", 11) && isdigit((unsigned char)text[11]) ? strtol(text + 11, &end, 10) : 0;
	if (n > 0 && n <= GRID_CELLS_MAX && !*end) {
		b->on_failure = FAILURE_STOP_AFTER;
		b->stop_after = (int)n;
		return 0;
	}
	if (strcmp(text, "continue") != 0 && strcmp(text, "stop") != 0)
		return toml_err(e, toml_find(t, "on_failure")->value, "on_failure: '%s' is not one of %s", text,
		                grid_key(&grid_keys[KEYS_BUDGET], "on_failure")->choices);
	b->on_failure = *text == 'c' ? FAILURE_CONTINUE : FAILURE_STOP;
	return 0;
}

int grid_read_budget(struct grid *g, const struct toml_value *root, struct err *e)
{
	const struct toml_value *t = NULL, *cell = NULL, *whole = NULL;
	const struct grid_keys *cell_keys = &grid_keys[KEYS_BUDGET_CELL], *whole_keys = &grid_keys[KEYS_BUDGET_GRID];
	struct grid_budget *b = &g->budget;
	int rc = toml_typed(&t, root, "budget", TOML_TABLE, e);
	if (rc)
		return rc < 0 ? -1 : 0;
	if (grid_closed(t, &grid_keys[KEYS_BUDGET], e) || toml_typed(&cell, t, "cell", TOML_TABLE, e) < 0 ||
	    toml_typed(&whole, t, "grid", TOML_TABLE, e) < 0 || read_on_failure(b, t, e))
		return -1;
	if (cell && (grid_closed(cell, cell_keys, e) || grid_read_duration(&b->cell_wall_s, cell, "wall", false, e) ||
	             grid_read_duration(&b->cell_checkpoint_s, cell, "checkpoint", true, e) ||
	             grid_int(&b->cell_retries, cell, cell_keys, "retries", e)))
		return -1;
	if (whole && (grid_closed(whole, whole_keys, e) || grid_read_duration(&b->grid_wall_s, whole, "wall", false, e) ||
	              grid_int(&b->grid_cells, whole, whole_keys, "cells", e)))
		return -1;
	return 0;
}

/* ---- metrics ---------------------------------------------------------------------------------------------------- */

static int unknown_of(const struct toml_value *t, const char *key, const char *given, const char *const *names,
                      size_t n, struct err *e)
{
	SCOPED(str) struct str known = { 0 };
	str_suggest(&known, given, names, n);
	if (!known.len)
		str_add(&known, "; known are");
	for (size_t i = 0; i < n && str_text(&known)[known.len - 1] != '?'; i++)
		str_addf(&known, " %s%s", names[i], i + 1 < n ? "," : "");
	return toml_err(e, toml_find(t, key)->value, "unknown %s '%s'%s", key, given, str_text(&known));
}

/* A row of the table of metrics, or a score of one. */
static int known_name(const struct toml_value *t, const char *key, const char *given, struct err *e)
{
	int n;
	const struct metric *m = metric_rows(&n);
	const char *names[(1 + METRIC_SCORES_MAX) * 32];
	REQUIRE(n <= 32);
	int n_names = 0;
	for (int i = 0; i < n; i++) {
		int own = metric_scores(&names[n_names], &m[i]);
		bool several = strcmp(names[n_names], m[i].name) != 0;
		n_names += own;
		if (several)
			names[n_names++] = m[i].name;
	}
	if (metric_elsewhere(given))
		return toml_err(e, toml_find(t, key)->value, "%s is no metric of a grid; %s", given, metric_elsewhere(given));
	return metric_of_score(given) ? 0 : unknown_of(t, key, given, names, (size_t)n_names, e);
}

static int known_extractor(const struct toml_value *t, const char *given, struct err *e)
{
	const char *names[32];
	size_t n = 0;
	if (extractor_is_command(given))
		return given[strspn(given + strlen(EXTRACTOR_COMMAND), " ") + strlen(EXTRACTOR_COMMAND)]
		           ? 0
		           : toml_err(e, toml_find(t, "extractor")->value, "extractor: write command:PROGRAM ARGS");
	for (; extractor_rows[n].name; n++) {
		REQUIRE(n < 32);
		names[n] = extractor_rows[n].name;
		if (!strcmp(names[n], given))
			return 0;
	}
	return unknown_of(t, "extractor", given, names, n, e);
}

/* "stats:NAME", where the metric can do with statistics. */
static int known_statistics(const struct grid_metric *m, const struct toml_value *t, const char *name, struct err *e)
{
	const char *names[64];
	const struct stats_row *row = NULL;
	size_t n = 0;
	for (; stats_rows[n].name; n++) {
		REQUIRE(n < sizeof names / sizeof *names);
		names[n] = stats_rows[n].name;
	}
	if (stats_row_find(&row, name, NULL))
		return unknown_of(t, "ref", name, names, n, e);
	bool floats = metric_keep(metric_of_score(m->name), 1, &METRIC_OPTIONS) && strcmp(m->name, "fid_infinity") != 0;
	if (floats)
		return toml_err(e, toml_find(t, "ref")->value,
		                "ref '%s%s' is mean and covariance alone, and %s compares with the features of each picture",
		                STATS_PREFIX, name, m->name);
	return 0;
}

/* A reference is a data set, "NAME-train" or "NAME-test" of it, published statistics, or an .npz of features or
 * statistics, which is looked into when the plan is made. Another source has no name that stays with its pictures: it
 * becomes a data set or an .npz first. */
static int known_ref(const struct grid_metric *m, const struct toml_value *t, const char *given, struct err *e)
{
	if (stats_named(given))
		return known_statistics(m, t, stats_named(given), e);
	int n;
	struct data_shape unused;
	const struct data_shape *rows = data_shapes(&n);
	const char *names[32];
	struct err why = ERR_INIT;
	char base[DATA_NAME_MAX];
	SCOPED(free) char *name = xstrdup(given);
	(void)dataset_cut_split(name);
	if (score_ref_is_file(given) || !data_shape_find(&unused, name, &why))
		return 0;
	if (strpbrk(given, "/."))
		return toml_err(e, toml_find(t, "ref")->value,
		                "ref '%s' is neither a data set nor an .npz: make its features by `ablate features %s -o "
		                "REF.npz`, or a data set of it by `ablate data import NAME %s`",
		                given, given, given);
	if (data_name_side(base, name))
		return toml_err(e, toml_find(t, "ref")->value, "ref: %s", why.msg);
	REQUIRE(n <= 32);
	for (int i = 0; i < n; i++)
		names[i] = rows[i].name;
	return unknown_of(t, "ref", given, names, (size_t)n, e);
}

/* What `t` gives of a [[metric]] over what m has: the whole of it from a file, one key of it from --set. */
static int take_metric(struct grid_metric *m, const struct toml_value *t, struct err *e)
{
	const struct grid_keys *keys = &grid_keys[KEYS_METRIC];
	int ci = (int)m->ci, agg = (int)m->agg;
	if (grid_int(&m->samples, t, keys, "samples", e) || grid_ints(m->nfe, &m->n_nfe, t, keys, "nfe", e) ||
	    grid_string(&m->ref, t, keys, "ref", e) < 0 || grid_string(&m->extractor, t, keys, "extractor", e) < 0 ||
	    grid_choice(&ci, t, keys, "ci", e) || grid_choice(&agg, t, keys, "agg", e) ||
	    toml_boolean(&m->infinity, t, "infinity", e) < 0 || toml_boolean(&m->allow_leak, t, "allow_leak", e) < 0)
		return -1;
	if (toml_find(t, "extractor") && *m->extractor && known_extractor(t, m->extractor, e))
		return -1;
	if (toml_find(t, "ref") && *m->ref && known_ref(m, t, m->ref, e))
		return -1;
	if (m->infinity && strcmp(m->name, "fid") != 0)
		return toml_err(e, toml_find(t, "infinity") ? toml_find(t, "infinity")->value : t, "infinity belongs to fid");
	m->ci = (enum metric_ci)ci;
	m->agg = (enum metric_agg)agg;
	return 0;
}

static int metric_twice(const struct grid *g, const struct grid_metric *m, const struct toml_value *at, struct err *e)
{
	for (const struct grid_metric *o = g->metrics; o < m; o++)
		if (!strcmp(o->name, m->name) && !strcmp(o->ref, m->ref) && !strcmp(o->extractor, m->extractor) &&
		    o->samples == m->samples)
			return toml_err(e, at, "the same metric is at line %d", o->at.line);
	return 0;
}

/* A score that is asked for by several extractors is called by them: none may be left to the data set. */
static int extractor_unnamed(const struct grid *g, const struct grid_metric *m, const struct toml_value *at,
                             struct err *e)
{
	const char *ours[GRID_OUTPUTS_MAX], *theirs[GRID_OUTPUTS_MAX];
	int n_ours = grid_metric_outputs(ours, m);
	for (const struct grid_metric *o = g->metrics; o < m; o++) {
		int n_theirs = !*o->extractor == !*m->extractor ? 0 : grid_metric_outputs(theirs, o);
		for (int i = 0; i < n_ours * n_theirs; i++)
			if (!strcmp(ours[i % n_ours], theirs[i / n_ours]))
				return toml_err(e, at, "this metric and the one at line %d both give %s: name the extractor of both",
				                o->at.line, ours[i % n_ours]);
	}
	return 0;
}

static int read_metric(struct grid_metric *m, struct grid *g, const struct toml_value *t, struct err *e)
{
	*m = (struct grid_metric){ .ref = "", .extractor = "", .nfe = { 1 }, .n_nfe = 1, .at = grid_at(t) };
	const struct grid_keys *keys = &grid_keys[KEYS_METRIC];
	if (grid_closed(t, keys, e) || grid_string(&m->name, t, keys, "name", e) || known_name(t, "name", m->name, e) ||
	    take_metric(m, t, e))
		return -1;
	if (!m->samples)
		return toml_err(e, t, "samples is missing here: the number of images is part of a metric's name");
	return metric_twice(g, m, t, e) || extractor_unnamed(g, m, t, e) ? -1 : 0;
}

static int unknown_metric(const struct grid *g, struct grid_place at, const char *text, struct err *e)
{
	struct metric_ref ref, all[METRIC_REFS_MAX];
	struct err why = ERR_INIT;
	SCOPED(str) struct str known = { 0 };
	int n = grid_metric_refs(all, METRIC_REFS_MAX, g);
	if (grid_metric_ref(&ref, g, text, &why))
		return grid_err(e, at, "%s", why.msg);
	for (int i = 0; i < n; i++) {
		SCOPED(free) char *one = metric_ref_text(&all[i]);
		str_addf(&known, " %s", one);
	}
	return grid_err(e, at, "'%s' is not a metric of this grid; declared are%s", text,
	                known.len ? str_text(&known) : " none");
}

/* ---- tables ----------------------------------------------------------------------------------------------------- */

static int unknown_chain(const struct grid *g, const struct toml_value *at, const char *name, struct err *e)
{
	SCOPED(free) const char **names = xcalloc((size_t)g->n_chains, sizeof *names);
	SCOPED(str) struct str near = { 0 };
	for (int i = 0; i < g->n_chains; i++)
		names[i] = g->chains[i].name;
	str_suggest(&near, name, names, (size_t)g->n_chains);
	return toml_err(e, at, "no chain '%s'%s", name, str_text(&near));
}

static int read_pivot(struct grid_table *out, const struct toml_value *pivot, struct err *e)
{
	int n;
	struct err why = ERR_INIT;
	if (grid_strings(out->pivot, &n, 2, pivot, e))
		return -1;
	if (n != 2 || strcmp(out->pivot[0], out->pivot[1]) == 0)
		return toml_err(e, pivot, "pivot names two settings: that of the rows, that of the columns");
	for (size_t i = 0; i < 2; i++)
		if (!config_find(out->pivot[i]))
			return toml_err(e, toml_at(pivot, i), "%s", config_unknown(out->pivot[i], &why) ? why.msg : "");
	return 0;
}

static int read_table(struct grid_table *out, struct grid *g, const struct toml_value *t, struct err *e)
{
	const struct toml_value *cols = NULL, *formats = NULL, *pivot = NULL;
	*out = (struct grid_table){ .chain = "",
		                        .paper = "",
		                        .metric = "",
		                        .reference = "",
		                        .text = "",
		                        .latex_label = "",
		                        .latex_width = GRID_LATEX_WIDTH,
		                        .latex_notes = true,
		                        .at = grid_at(t) };
	const struct grid_keys *keys = &grid_keys[KEYS_TABLE];
	if (grid_closed(t, keys, e) || grid_string(&out->name, t, keys, "name", e) ||
	    grid_name_ok(out->name, out->at, "the name", e) || grid_string(&out->chain, t, keys, "chain", e) < 0 ||
	    grid_string(&out->paper, t, keys, "paper", e) < 0 || grid_string(&out->metric, t, keys, "metric", e) < 0 ||
	    grid_string(&out->reference, t, keys, "reference", e) < 0 || grid_string(&out->text, t, keys, "text", e) < 0 ||
	    grid_array(&cols, t, keys, "cols", e) < 0 || grid_array(&formats, t, keys, "formats", e) < 0 ||
	    toml_boolean(&out->across, t, "across", e) < 0 || grid_array(&pivot, t, keys, "pivot", e) < 0 ||
	    grid_string(&out->latex_label, t, keys, "latex_label", e) < 0 ||
	    grid_int(&out->latex_width, t, keys, "latex_width", e) < 0 ||
	    toml_boolean(&out->latex_notes, t, "latex_notes", e) < 0)
		return -1;
	if (*out->chain && !grid_chain(g, out->chain))
		return unknown_chain(g, toml_find(t, "chain")->value, out->chain, e);
	if (*out->metric && !grid_measures(g, out->metric))
		return unknown_metric(g, grid_at(toml_find(t, "metric")->value), out->metric, e);
	if (*out->reference && *out->chain)
		return toml_err(e, toml_find(t, "reference")->value,
		                "reference is for tables without chain, whose first row is it");
	if ((cols && grid_strings(out->cols, &out->n_cols, GRID_COLS_MAX, cols, e)) ||
	    (formats && grid_strings(out->formats, &out->n_formats, GRID_FORMATS_MAX, formats, e)))
		return -1;
	for (int i = 0; i < out->n_cols; i++) {
		struct err why = ERR_INIT;
		struct column_name name;
		if (table_column_parse(&name, out->cols[i], &why))
			return toml_err(e, toml_at(cols, (size_t)i), "%s", why.msg);
		if (name.row && name.row->pairs && !g->seeds.paired)
			return toml_err(e, toml_at(cols, (size_t)i),
			                "'%s' compares seed by seed: write paired = true in the seeds of [grid]", out->cols[i]);
		if (name.metric && !grid_measures(g, name.metric))
			return unknown_metric(g, grid_at(toml_at(cols, (size_t)i)), name.metric, e);
	}
	if (pivot && read_pivot(out, pivot, e))
		return -1;
	const char *known_formats = grid_key(keys, "formats")->choices;
	for (int i = 0; i < out->n_formats; i++)
		if (!grid_is_choice(known_formats, out->formats[i]))
			return toml_err(e, toml_at(formats, (size_t)i), "'%s' is not one of %s", out->formats[i], known_formats);
	for (const struct grid_table *o = g->tables; o < out; o++)
		if (!strcmp(o->name, out->name))
			return toml_err(e, toml_find(t, "name")->value, "a table of that name is at line %d", o->at.line);
	return 0;
}

/* ---- gates ------------------------------------------------------------------------------------------------------ */

static int read_margin(struct gate_rule *r, const struct toml_value *t, struct err *e)
{
	const struct toml_value *margin = NULL;
	int rc = toml_typed(&margin, t, "margin", TOML_TABLE, e);
	if (rc < 0)
		return -1;
	if (rc && r->kind == GATE_NON_INFERIORITY)
		return toml_err(e, t,
		                "margin is missing here: a non-inferiority gate needs margin = { relative = 0.05 } or "
		                "{ absolute = 0.1 }, chosen before looking");
	if (rc)
		return 0;
	if (r->kind == GATE_SUPERIORITY)
		return toml_err(e, margin, "a superiority gate has no margin");
	if (grid_closed(margin, &grid_keys[KEYS_MARGIN], e))
		return -1;
	if (toml_len(margin) != 1)
		return toml_err(e, margin, "give either relative or absolute");
	r->margin_relative = toml_find(margin, "relative") != NULL;
	return toml_float(&r->margin, margin, r->margin_relative ? "relative" : "absolute", e) ? -1 : 0;
}

static int read_gate(struct grid_gate *out, struct grid *g, const struct toml_value *t, struct err *e)
{
	struct gate_rule *r = &out->rule;
	int kind = GATE_NON_INFERIORITY, warn = 0;
	*out = (struct grid_gate){ .at = grid_at(t),
		                       .rule = { .alpha = 0.05, .paired = g->seeds.paired, .against_grid = "" } };
	const struct grid_keys *keys = &grid_keys[KEYS_GATE];
	if (grid_closed(t, keys, e) || grid_string(&r->name, t, keys, "name", e) ||
	    grid_name_ok(r->name, out->at, "the name", e) || grid_string(&r->metric, t, keys, "metric", e) ||
	    grid_string(&r->arm, t, keys, "arm", e) || grid_string(&r->against, t, keys, "against", e) ||
	    grid_string(&r->against_grid, t, keys, "against_grid", e) < 0 || grid_choice(&kind, t, keys, "test", e) ||
	    toml_float(&r->alpha, t, "alpha", e) < 0 || grid_ints(r->looks, &r->n_looks, t, keys, "looks", e) ||
	    grid_choice(&warn, t, keys, "on_inconclusive", e))
		return -1;
	if (*r->against_grid && !strcmp(r->against, "baseline"))
		return toml_err(e, toml_find(t, "against_grid")->value,
		                "a stored baseline is of no grid: name a row of %s as against, or remove against_grid",
		                r->against_grid);
	r->kind = (enum gate_kind)kind;
	r->fail_on_inconclusive = !warn;
	if (read_margin(r, t, e))
		return -1;
	if (!grid_measures(g, r->metric))
		return unknown_metric(g, grid_at(toml_find(t, "metric")->value), r->metric, e);
	struct err why = ERR_INIT;
	if (gate_rule_check(r, &why))
		return toml_err(e, t, "%s", why.msg);
	for (const struct grid_gate *o = g->gates; o < out; o++)
		if (!strcmp(o->rule.name, r->name))
			return toml_err(e, toml_find(t, "name")->value, "a gate of that name is at line %d", o->at.line);
	return 0;
}

/* Every table and gate still refers to a declared metric: --set may have taken one away. */
static int check_metric_names(const struct grid *g, struct err *e)
{
	for (int i = 0; i < g->n_tables; i++) {
		const struct grid_table *t = &g->tables[i];
		if (*t->metric && !grid_measures(g, t->metric))
			return unknown_metric(g, t->at, t->metric, e);
		for (int k = 0; k < t->n_cols; k++) {
			struct column_name name;
			if (!table_column_parse(&name, t->cols[k], NULL) && name.metric && !grid_measures(g, name.metric))
				return unknown_metric(g, t->at, name.metric, e);
		}
	}
	for (int i = 0; i < g->n_gates; i++)
		if (!grid_measures(g, g->gates[i].rule.metric))
			return unknown_metric(g, g->gates[i].at, g->gates[i].rule.metric, e);
	return 0;
}

int grid_override_metrics(struct grid *g, const char *name, const struct toml_value *t, struct err *e)
{
	const struct grid_keys *metric = &grid_keys[KEYS_METRIC];
	struct grid_keys keys = { .header = "metric", .v = metric->v + 1, .n = metric->n - 1 }; /* all but the name */
	int n = 0;
	if (grid_closed(t, &keys, e))
		return -1;
	for (int i = 0; i < g->n_metrics; i++)
		if (!*name || !strcmp(g->metrics[i].name, name)) {
			n++;
			if (take_metric(&g->metrics[i], t, e) || metric_twice(g, &g->metrics[i], t, e) ||
			    extractor_unnamed(g, &g->metrics[i], t, e))
				return -1;
		}
	if (!n)
		return toml_err(e, t, "this grid has no metric %s", name);
	return check_metric_names(g, e);
}

/* What jobs ask for, by --engine slurm and by --engine command. */
static int read_jobs(struct grid *g, const struct toml_value *root, struct err *e)
{
	struct grid_slurm slurm = { 0 };
	struct grid_command command = { 0 };
	int rc = toml_typed(&g->slurm, root, "slurm", TOML_TABLE, e);
	if (rc < 0 || (!rc && grid_slurm_read(&slurm, g->slurm, e)))
		return -1;
	rc = toml_typed(&g->command, root, "command", TOML_TABLE, e);
	return rc < 0 || (!rc && grid_command_read(&command, g->command, e)) ? -1 : 0;
}

int grid_read_judges(struct grid *g, const struct toml_value *root, struct err *e)
{
	const struct toml_value *metrics = NULL, *tables = NULL, *gates = NULL;
	int n_metrics, n_tables, n_gates;
	if (read_jobs(g, root, e) || grid_read_budget(g, root, e) || grid_tables(&metrics, &n_metrics, root, "metric", e) ||
	    grid_tables(&tables, &n_tables, root, "table", e) || grid_tables(&gates, &n_gates, root, "gate", e))
		return -1;
	g->metrics = arena_alloc(&g->arena, (size_t)n_metrics * sizeof *g->metrics);
	for (; g->n_metrics < n_metrics; g->n_metrics++)
		if (read_metric(&g->metrics[g->n_metrics], g, toml_at(metrics, (size_t)g->n_metrics), e))
			return -1;
	g->tables = arena_alloc(&g->arena, (size_t)n_tables * sizeof *g->tables);
	for (; g->n_tables < n_tables; g->n_tables++)
		if (read_table(&g->tables[g->n_tables], g, toml_at(tables, (size_t)g->n_tables), e))
			return -1;
	g->gates = arena_alloc(&g->arena, (size_t)n_gates * sizeof *g->gates);
	for (; g->n_gates < n_gates; g->n_gates++)
		if (read_gate(&g->gates[g->n_gates], g, toml_at(gates, (size_t)g->n_gates), e))
			return -1;
	return 0;
}
