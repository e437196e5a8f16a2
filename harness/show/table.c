/* table.c - from a study to the cells of a table. */
#include "harness/show/table_private.h"

#include "harness/plan/row_label.h"
#include "model/base/io.h"
#include "model/base/str.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void table_free(struct table *t)
{
	if (!t)
		return;
	free(t->notes);
	arena_release(&t->arena);
	free(t);
}

void scoped_table(struct table **t)
{
	table_free(*t);
}

/* --- columns --- */

static int add_column(struct build *b, const char *text, const struct metric_ref *before, struct err *e)
{
	struct table *t = b->t;
	if (t->n_cols == COLS_MAX)
		return err_code(e, EXIT_USAGE, "table %s has more than %d columns", t->name, COLS_MAX);
	struct table_column *c = &t->cols[t->n_cols];
	*c = (struct table_column){ .key = arena_strdup(&t->arena, text), .numeric = true };
	struct column_name name;
	if (table_column_parse(&name, text, e) ||
	    (name.metric && grid_metric_ref(&c->ref, b->s->plan->grid, name.metric, e)))
		return err_in(e, "table %s", t->name);
	b->kind[t->n_cols] = name.row ? name.row->kind : COLUMN_METRIC;
	const struct table_column *same = t->cols;
	while (same < c && strcmp(same->key, text) != 0)
		same++;
	if (same < c && name.row && name.row->of_metric && !name.metric) { /* keys are names in JSON */
		SCOPED(free) char *of = metric_ref_text(before);
		c->key = arena_strfmt(&t->arena, "%s:%s", text, of);
	}
	if (name.row) {
		c->head = name.row->head;
		c->numeric = name.row->numeric;
		if (name.row->of_metric && !name.metric)
			c->ref = *before;
		c->ref.least = c->ref.least && !name.row->pairs; /* a verdict is about means, as a gate's is */
		if (name.row->of_metric && !*c->ref.name && name.row->kind != COLUMN_SEEDS)
			return err_code(e, EXIT_USAGE, "table %s: column '%s' needs a metric: %s:fid@1", t->name, text, text);
	} else {
		c->higher_is_better = metric_higher_is_better(c->ref.name);
	}
	t->n_cols++;
	return 0;
}

/* The metric that a bare "delta" before any metric column refers to. */
static int main_metric(struct metric_ref *out, struct build *b, const char *const *cols, int n, struct err *e)
{
	const struct grid *g = b->s->plan->grid;
	*out = (struct metric_ref){ .nfe = -1 };
	if (b->def && *b->def->metric)
		return grid_metric_ref(out, g, b->def->metric, e);
	for (int i = 0; i < n; i++) {
		struct column_name name;
		struct metric_ref ref;
		if (!table_column_parse(&name, cols[i], NULL) && !name.row && !metric_ref_parse(&ref, cols[i], NULL) &&
		    !*ref.weights)
			return grid_metric_ref(out, g, cols[i], e);
	}
	(void)grid_metric_refs(out, 1, g);
	return 0;
}

/* The only column of a table that is to be pivoted. */
static int pivot_column(struct build *b, struct err *e)
{
	struct metric_ref ref;
	if (main_metric(&ref, b, b->def->cols, b->def->n_cols, e))
		return -1;
	if (!*ref.name)
		return err_code(e, EXIT_USAGE, "table %s: a pivot shows a metric, and the grid declares none", b->t->name);
	SCOPED(free) char *text = metric_ref_text(&ref);
	return add_column(b, text, &ref, e);
}

static int make_columns(struct build *b, struct err *e)
{
	const struct grid *g = b->s->plan->grid;
	const char *cols[COLS_MAX];
	int n = 0;
	if (b->def && b->def->pivot[0])
		return pivot_column(b, e);
	for (int i = 0; b->def && i < b->def->n_cols; i++)
		cols[n++] = b->def->cols[i];
	if (!n) {
		struct metric_ref refs[METRIC_REFS_MAX];
		int n_refs = grid_metric_refs(refs, METRIC_REFS_MAX, g);
		for (int i = 0; i < n_refs; i++) {
			SCOPED(free) char *text = metric_ref_text(&refs[i]);
			cols[n++] = arena_strdup(&b->t->arena, text);
			if (i == 0)
				cols[n++] = "delta";
		}
		cols[n++] = "seeds";
	}
	struct metric_ref before;
	bool asked_paper = false;
	for (int i = 0; i < n; i++)
		asked_paper = asked_paper || strncmp(cols[i], "paper", 5) == 0;
	if (main_metric(&before, b, cols, n, e))
		return -1;
	for (int i = 0; i < n; i++) {
		if (add_column(b, cols[i], &before, e))
			return -1;
		int at = b->t->n_cols - 1;
		if (b->kind[at] != COLUMN_METRIC)
			continue;
		before = b->t->cols[at].ref;
		if (b->def && *b->def->paper && !asked_paper && metric_ref_in_papers(&before) &&
		    (add_column(b, "paper", &before, e) || add_column(b, "paper-delta", &before, e)))
			return -1;
	}
	return 0;
}

/* --- rows --- */

static void make_rows(struct build *b)
{
	const struct plan *p = b->s->plan;
	const struct published_value *all = NULL;
	size_t n_all = b->pub && b->def && strcmp(b->def->paper, "all") == 0 ? published_values(&all, b->pub) : 0;
	size_t room = (size_t)p->n_rows + n_all + 1;
	b->rows = arena_alloc(&b->t->arena, room * sizeof *b->rows);
	b->theirs = arena_alloc(&b->t->arena, room * sizeof *b->theirs);
	b->t->labels = arena_alloc(&b->t->arena, room * sizeof *b->t->labels);
	b->t->sections = arena_alloc(&b->t->arena, room * sizeof *b->t->sections);
	b->t->configs = arena_alloc(&b->t->arena, room * sizeof *b->t->configs);
	bool one_chain = b->def && *b->def->chain;
	for (int i = 0; i < p->n_rows; i++) {
		const struct plan_row *row = &p->rows[i];
		if (one_chain && strcmp(row->chain, b->def->chain) != 0)
			continue;
		int at = b->t->n_rows++;
		b->rows[at] = row;
		b->t->configs[at] = &p->arms[row->arm].config;
		b->t->labels[at] = arena_strdup(&b->t->arena, row->label);
		b->t->sections[at] = one_chain ? "" : arena_strdup(&b->t->arena, row->chain);
	}
	b->n_ours = b->t->n_rows;
	for (size_t i = 0; i < n_all && b->n_ours; i++) {
		const struct published_value *v = &all[i];
		bool taken = strcmp(v->data, table_data(b, b->rows[0])) != 0;
		for (int k = b->n_ours; k < b->t->n_rows; k++) /* one row per label, whatever its metrics */
			taken = taken || (!strcmp(b->theirs[k]->label, v->label) && !strcmp(b->theirs[k]->paper, v->paper));
		for (int k = 0; k < b->n_ours && !taken; k++) {
			struct metric_ref ref = { .nfe = v->nfe };
			snprintf(ref.name, sizeof ref.name, "%s", v->metric);
			const struct published_value *ours = table_published(b, b->rows[k], &ref);
			taken = ours && !strcmp(ours->label, v->label) && !strcmp(ours->paper, v->paper);
		}
		if (taken)
			continue;
		int at = b->t->n_rows++;
		b->theirs[at] = v;
		b->t->configs[at] = NULL;
		b->t->labels[at] = arena_strdup(&b->t->arena, v->label);
		b->t->sections[at] = "published";
	}
}

/* --- numbers --- */

/* The row that a row is compared with where the table names a part of labels. */
static int find_named(struct build *b, const char *part, struct err *e)
{
	for (int r = 0; r < b->n_ours; r++) {
		int k = 0;
		while (k < b->n_ours && !(row_label_has(b->rows[k]->label, part, strlen(part)) &&
		                          row_label_swaps(b->rows[k]->label, b->rows[r]->label, part)))
			k++;
		if (k == b->n_ours)
			return err_code(e, EXIT_USAGE, "table %s: no row to compare '%s' with: its label with '%s' in it",
			                b->t->name, b->rows[r]->label, part);
		b->reference[r] = k;
	}
	return 0;
}

static int find_references(struct build *b, struct err *e)
{
	b->reference = arena_alloc(&b->t->arena, (size_t)(b->n_ours + 1) * sizeof *b->reference);
	for (int r = 0; r < b->n_ours; r++) {
		int k = r ? b->reference[r - 1] : 0; /* chains follow each other: nearly always the neighbour's */
		if (strcmp(b->rows[k]->chain, b->rows[r]->chain) != 0)
			for (k = 0; k < r && strcmp(b->rows[k]->chain, b->rows[r]->chain) != 0;)
				k++;
		b->reference[r] = k;
	}
	return b->def && *b->def->reference ? find_named(b, b->def->reference, e) : 0;
}

static int make_stats(struct build *b, struct err *e)
{
	b->stats = arena_alloc(&b->t->arena, (size_t)(b->n_ours * b->t->n_cols + 1) * sizeof *b->stats);
	for (int c = 0; c < b->t->n_cols; c++) {
		const struct metric_ref *ref = &b->t->cols[c].ref;
		for (int r = 0; r < b->n_ours; r++)
			if (study_stat(table_stat(b, r, c), b->s, b->rows[r]->arm, ref, e))
				return err_in(e, "table %s, row %s", b->t->name, b->rows[r]->name);
	}
	return 0;
}

static int refuse_mixed(const struct build *b, int c, struct err *e)
{
	if ((b->def && b->def->across) || !table_mixes_protocols(b, c))
		return 0;
	SCOPED(str) struct str list = { 0 };
	for (int r = 0; r < b->n_ours; r++)
		if (table_begins_protocol(b, r, c))
			str_addf(&list, "%s%s (%s)", list.len ? "; " : "", table_stat(b, r, c)->protocol, b->rows[r]->name);
	return err_code(e, EXIT_RECORD,
	                "table %s: column %s mixes protocols, which are not comparable: %s; if the table is about them, "
	                "set across = true in it",
	                b->t->name, b->t->cols[c].key, str_text(&list));
}

/* Decimals of a column: two significant digits of its smallest spread, else four of its largest mean. */
static int decimals(const struct build *b, const struct metric_ref *ref)
{
	double sd = INFINITY, size = 0;
	for (int c = 0; c < b->t->n_cols; c++) {
		const struct metric_ref *r = &b->t->cols[c].ref;
		if (!metric_ref_same(r, ref))
			continue;
		for (int k = 0; k < b->n_ours; k++) {
			const struct study_stat *s = table_stat(b, k, c);
			if (s->n > 1 && s->sd > 0)
				sd = fmin(sd, s->sd);
			if (s->n && isfinite(s->mean))
				size = fmax(size, fabs(s->mean));
		}
	}
	double d = isfinite(sd) ? 1 - floor(log10(sd)) : size > 0 ? 3 - floor(log10(size)) : 2;
	return (int)fmin(fmax(d, 0), 6);
}

static char *signed_text(char buf[48], double x, int d)
{
	char digits[40];
	snprintf(digits, sizeof digits, "%.*f", d, fabs(x));
	bool zero = strspn(digits, "0.") == strlen(digits);
	snprintf(buf, 48, "%s%s", zero ? "" : x < 0 ? MINUS : "+", digits);
	return buf;
}

static struct table_cell stat_cell(struct build *b, const struct study_stat *s, int d)
{
	struct table_cell c = { .kind = TABLE_STAT, .value = s->mean, .sd = s->sd, .n = s->n, .asked = s->asked };
	c.builds = s->builds, c.n_builds = s->n_builds;
	struct arena *a = &b->t->arena;
	if (!s->n) {
		c.kind = TABLE_STATE;
		c.text = s->done && s->done == s->asked ? "not scored" : table_state_text(b, s);
		return c;
	}
	char mean[40], sd[40] = "";
	snprintf(mean, sizeof mean, "%.*f", d, s->mean);
	if (s->n > 1)
		snprintf(sd, sizeof sd, " " PLUS_MINUS " %.*f", d, s->sd);
	c.text = isfinite(s->mean) ? arena_strfmt(a, "%s%s", mean, sd) : "diverged";
	if (s->n < s->asked)
		c.text = arena_strfmt(a, "%s (%d of %d)", c.text, s->n, s->asked);
	c.text = arena_strfmt(a, "%s%s", c.text, study_mark(b->s, a, s->builds, s->n_builds));
	return c;
}

static struct table_cell number_cell(struct build *b, double x, const char *text)
{
	return (struct table_cell){
		.kind = TABLE_NUMBER, .value = x, .sd = NAN, .text = isfinite(x) ? arena_strdup(&b->t->arena, text) : ""
	};
}

static struct table_cell text_cell(const char *text)
{
	return (struct table_cell){ .kind = TABLE_TEXT, .value = NAN, .sd = NAN, .text = text };
}

static const char *with_missing(struct build *b, const char *text, int n, int asked)
{
	return *text && n < asked ? arena_strfmt(&b->t->arena, "%s (%d of %d)", text, n, asked) : text;
}

static const char *interval_text(struct build *b, const struct table_pairs *x, int d)
{
	char diff[48], lo[48], hi[48];
	return !isfinite(x->diff) ? ""
	       : isfinite(x->lo)  ? arena_strfmt(&b->t->arena, "%s [%s, %s]", signed_text(diff, x->diff, d),
	                                         signed_text(lo, x->lo, d), signed_text(hi, x->hi, d))
	                          : arena_strdup(&b->t->arena, signed_text(diff, x->diff, d));
}

static struct table_cell pairs_cell(struct build *b, int r, int c)
{
	bool interval = b->kind[c] == COLUMN_PAIRED;
	int asked = table_stat(b, r, c)->asked, d = b->digits[c];
	struct table_cell cell = { .kind = interval ? TABLE_INTERVAL : TABLE_VERDICT,
		                       .text = table_stat(b, r, c)->n ? "reference" : "",
		                       .value = NAN,
		                       .sd = NAN,
		                       .lo = NAN,
		                       .hi = NAN,
		                       .p = NAN,
		                       .verdict = "",
		                       .asked = asked };
	if (b->reference[r] == r)
		return cell;
	struct table_pairs x = table_compare(b, r, c);
	cell.n = x.n;
	if (interval) {
		cell.value = x.diff, cell.lo = x.lo, cell.hi = x.hi, cell.p = x.p;
		cell.test = isfinite(x.lo) ? TABLE_PAIRED_T : TABLE_NO_TEST;
		cell.text = with_missing(b, interval_text(b, &x, d), x.n, asked);
	} else {
		cell.p = x.p, cell.verdict = x.verdict;
		cell.text = isfinite(x.p) ? with_missing(b, x.verdict, x.n, asked) : x.verdict;
	}
	return cell;
}

static struct table_cell delta_cell(struct build *b, int r, int c)
{
	const struct study_stat *s = table_stat(b, r, c);
	if (b->reference[r] == r)
		return text_cell(s->n ? "reference" : "");
	const char *test;
	struct table_pairs x = table_difference(&test, b, r, c);
	struct table_cell cell = { .kind = TABLE_INTERVAL,
		                       .value = x.diff,
		                       .sd = NAN,
		                       .lo = x.lo,
		                       .hi = x.hi,
		                       .p = x.p,
		                       .n = x.n,
		                       .asked = s->asked,
		                       .test = test,
		                       .verdict = "" };
	cell.text = interval_text(b, &x, b->digits[c]);
	char p[32];
	snprintf(p, sizeof p, x.p < 0.001 ? "p < 0.001" : "p = %.*f", x.p < 0.1 ? 3 : 2, x.p);
	if (isfinite(x.p))
		cell.text = arena_strfmt(&b->t->arena, "%s, %s%s", cell.text, p,
		                         strcmp(test, TABLE_WELCH_T) == 0 ? " (Welch)" : "");
	else if (*cell.text && x.n == 1)
		cell.text = arena_strfmt(&b->t->arena, "%s (one seed)", cell.text);
	return cell;
}

static struct table_cell paper_cell(struct build *b, const struct published_value *v)
{
	char buf[32], text[48];
	if (!v)
		return number_cell(b, NAN, "");
	snprintf(text, sizeof text, "%s%s", str_double(buf, v->value), v->confirmed ? "" : "?");
	return number_cell(b, v->value, text);
}

static struct table_cell our_cell(struct build *b, int r, int c)
{
	const struct plan_arm *arm = &b->s->plan->arms[b->rows[r]->arm];
	struct table_column *col = &b->t->cols[c];
	const struct study_stat *s = table_stat(b, r, c);
	const struct published_value *v;
	struct table_cell cell;
	char buf[48];
	int d = b->digits[c];
	switch (b->kind[c]) {
	case COLUMN_METRIC: return stat_cell(b, s, d);
	case COLUMN_DELTA: return delta_cell(b, r, c);
	case COLUMN_PAIRED:
	case COLUMN_VERDICT: return pairs_cell(b, r, c);
	case COLUMN_PAPER: return paper_cell(b, table_published(b, b->rows[r], &col->ref));
	case COLUMN_PAPER_DELTA:
		v = table_published(b, b->rows[r], &col->ref);
		return v ? number_cell(b, s->mean - v->value, signed_text(buf, s->mean - v->value, d))
		         : number_cell(b, NAN, "");
	case COLUMN_SEEDS:
		cell = (struct table_cell){
			.kind = TABLE_COUNT, .value = s->n, .sd = NAN, .n = *col->ref.name ? s->n : s->done, .asked = s->asked
		};
		cell.value = cell.n;
		cell.text = cell.n == cell.asked ? arena_strfmt(&b->t->arena, "%d", cell.n)
		                                 : arena_strfmt(&b->t->arena, "%d of %d", cell.n, cell.asked);
		return cell;
	case COLUMN_STATE: return text_cell(table_state_text(b, s));
	case COLUMN_ARM: return text_cell(arena_strfmt(&b->t->arena, "%.12s", arm->hash));
	case COLUMN_PRESET: return text_cell(arena_strdup(&b->t->arena, arm->preset));
	case COLUMN_STEPS:
	case COLUMN_BATCH:
		d = b->kind[c] == COLUMN_STEPS ? arm->config.train.steps : arm->config.train.batch;
		snprintf(buf, sizeof buf, "%d", d);
		return number_cell(b, d, buf);
	}
	return text_cell("");
}

/* The value of a published row at a number of steps that no column has (a diffusion model's 35, say), in the first
 * column of published values of that metric, with the steps beside. */
static struct table_cell their_other_steps(struct build *b, const struct published_value *v, int c)
{
	const struct table_column *cols = b->t->cols;
	bool shown = strcmp(v->metric, cols[c].ref.name) != 0;
	for (int k = 0; k < b->t->n_cols && !shown; k++)
		if (b->kind[k] == COLUMN_PAPER && !strcmp(cols[k].ref.name, v->metric))
			shown = cols[k].ref.nfe == v->nfe || k < c ||
			        published_find(b->pub, v->paper, v->label, v->data, v->metric, cols[k].ref.nfe);
	if (shown)
		return text_cell("");
	struct table_cell cell = paper_cell(b, v);
	cell.text = arena_strfmt(&b->t->arena, "%s (%d step%s)", cell.text, v->nfe, str_plural(v->nfe));
	return cell;
}

static struct table_cell their_cell(struct build *b, const struct published_value *v, int c)
{
	const struct metric_ref *ref = &b->t->cols[c].ref;
	if (b->kind[c] != COLUMN_PAPER)
		return text_cell("");
	const struct published_value *here = published_find(b->pub, v->paper, v->label, v->data, ref->name, ref->nfe);
	return here ? paper_cell(b, here) : their_other_steps(b, v, c);
}

/* A cell of a complete arm: one that lacks seeds is not compared. */
static struct table_cell *racer(const struct build *b, int r, int c)
{
	struct table_cell *cell = &b->t->cells[r * b->t->n_cols + c];
	return cell->kind == TABLE_STAT && isfinite(cell->value) && cell->n >= cell->asked && !cell->leaks ? cell : NULL;
}

/* Orders by better; equal where both print the same. */
static double rank_of(const struct build *b, const struct table_cell *cell, int c)
{
	return round(cell->value * pow(10, b->digits[c])) * (b->t->cols[c].higher_is_better ? -1 : 1);
}

/* All that print like the best are best; where all of them do, none is. */
static void mark_best(struct build *b, int c)
{
	double best = NAN, worst = NAN;
	for (int r = 0; r < b->n_ours; r++) {
		const struct table_cell *cell = racer(b, r, c);
		if (!cell)
			continue;
		best = fmin(best, rank_of(b, cell, c));
		worst = fmax(worst, rank_of(b, cell, c));
	}
	for (int r = 0; r < b->n_ours && best < worst; r++) {
		struct table_cell *cell = racer(b, r, c);
		if (cell)
			cell->best = rank_of(b, cell, c) == best;
	}
}

static void mark_leak(struct build *b, int r, int c, struct table_cell *cell)
{
	const struct metric_ref *ref = &b->t->cols[c].ref;
	bool first = b->reference[r] == r,
		 compared = b->kind[c] == COLUMN_DELTA || b->kind[c] == COLUMN_PAIRED || b->kind[c] == COLUMN_VERDICT;
	if (cell->kind == TABLE_STATE || !*cell->text || (b->kind[c] != COLUMN_METRIC && (!compared || first)))
		return;
	cell->leaks = table_leaks(b, b->rows[r]->arm, ref) ||
	              (compared && table_leaks(b, b->rows[b->reference[r]]->arm, ref));
	if (cell->leaks)
		cell->text = arena_strfmt(&b->t->arena, "%s" DAGGER, cell->text);
}

static void fill(struct build *b)
{
	struct table *t = b->t;
	t->cells = arena_alloc(&t->arena, (size_t)(t->n_rows * t->n_cols + 1) * sizeof *t->cells);
	for (int c = 0; c < t->n_cols; c++)
		b->digits[c] = *t->cols[c].ref.name ? decimals(b, &t->cols[c].ref) : 0;
	for (int r = 0; r < t->n_rows; r++)
		for (int c = 0; c < t->n_cols; c++)
			t->cells[r * t->n_cols + c] = r < b->n_ours ? our_cell(b, r, c) : their_cell(b, b->theirs[r], c);
	for (int r = 0; r < b->n_ours; r++)
		for (int c = 0; c < t->n_cols; c++)
			mark_leak(b, r, c, &t->cells[r * t->n_cols + c]);
	for (int c = 0; c < t->n_cols; c++)
		if (b->kind[c] == COLUMN_METRIC && !(b->def && b->def->across))
			mark_best(b, c);
		else if (b->kind[c] == COLUMN_VERDICT)
			table_holm(b, c);
}

/* What the table shows of the study: adding a metric, a row or a grid elsewhere leaves it as it is. */
static void hash_results(struct build *b)
{
	SCOPED(str) struct str all = { 0 };
	for (int c = 0; c < b->t->n_cols; c++) {
		if (!*b->t->cols[c].ref.name)
			continue;
		SCOPED(free) char *metric = metric_ref_text(&b->t->cols[c].ref);
		for (int r = 0; r < b->n_ours; r++) {
			const struct study_stat *s = table_stat(b, r, c);
			str_addf(&all, "%s %s %s", metric, b->s->plan->arms[b->rows[r]->arm].hash, s->protocol ? s->protocol : "");
			for (int i = 0; i < s->n; i++)
				str_addf(&all, " %lld=%a", (long long)s->seed[i], s->value[i]);
			str_addc(&all, '\n');
		}
	}
	io_sha256(b->t->results, str_text(&all), all.len);
}

int table_build(struct table **out, struct study *s, const struct grid_table *def, const struct published *pub,
                const char *command, struct err *e)
{
	struct table *t = xcalloc(1, sizeof *t);
	struct build b = { .t = t, .s = s, .def = def, .pub = pub };
	t->name = arena_strdup(&t->arena, def ? def->name : s->plan->grid->name);
	t->title = arena_strfmt(&t->arena, "%s%s%s", s->plan->grid->name, def ? ": " : "", def ? def->name : "");
	t->command = arena_strdup(&t->arena, command);
	t->caption = def && *def->text ? arena_strdup(&t->arena, def->text) : t->title;
	t->latex_label = def && *def->latex_label ? arena_strdup(&t->arena, def->latex_label)
	                                          : arena_strfmt(&t->arena, "tab:%s", t->name);
	t->latex_width = def ? def->latex_width : GRID_LATEX_WIDTH;
	t->latex_notes = !def || def->latex_notes;
	t->cols = arena_alloc(&t->arena, COLS_MAX * sizeof *t->cols);
	int failed = make_columns(&b, e);
	if (!failed) {
		make_rows(&b);
		table_shown_labels(t);
		failed = find_references(&b, e) || make_stats(&b, e);
	}
	for (int c = 0; !failed && c < t->n_cols; c++)
		failed = b.kind[c] == COLUMN_METRIC && refuse_mixed(&b, c, e);
	if (!failed) {
		table_heads(&b);
		fill(&b);
		hash_results(&b);
		failed = table_notes(&b, e) || (def && def->pivot[0] && table_pivot(t, def->pivot, e));
	}
	if (failed) {
		table_free(t);
		return -1;
	}
	*out = t;
	return 0;
}

int tables_text(struct str *out, struct study *s, const struct published *pub, const char *command, struct err *e)
{
	const struct grid *g = s->plan->grid;
	for (int i = 0; i < (g->n_tables ? g->n_tables : 1); i++) {
		SCOPED(table) struct table *t = NULL;
		if (table_build(&t, s, g->n_tables ? &g->tables[i] : NULL, pub, command, e))
			return -1;
		t->columns = table_terminal_columns();
		str_addf(out, "%s%s\n", i ? "\n" : "", t->title);
		table_format("terminal")->write(out, t);
	}
	return 0;
}
