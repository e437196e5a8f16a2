/* table_notes.c - the headings of a table's columns, and the notes below it. */
#include "harness/show/table_private.h"

#include "harness/attest/signers.h"
#include "harness/grid/deviations.h"
#include "model/base/str.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void note(struct table *t, const char *text)
{
	for (int i = 0; i < t->n_notes; i++)
		if (strcmp(t->notes[i], text) == 0)
			return;
	VEC_PUSH(t->notes, t->n_notes, t->cap_notes) = arena_strdup(&t->arena, text);
}

void table_heads(struct build *b)
{
	int metrics = 0, metric = -1; /* the metric whose column came last */
	for (int c = 0; c < b->t->n_cols; c++)
		metrics += b->kind[c] == COLUMN_METRIC;
	for (int c = 0; c < b->t->n_cols; c++) {
		struct table_column *col = &b->t->cols[c];
		int64_t images = col->ref.samples;
		for (int r = 0; r < b->n_ours && *col->ref.name; r++)
			images = table_stat(b, r, c)->images ? table_stat(b, r, c)->images : images;
		if (b->kind[c] == COLUMN_METRIC) {
			SCOPED(free) char *title = metric_title(&col->ref, images);
			col->head = arena_strfmt(&b->t->arena, "%s%s%s%s", title, *col->ref.weights ? ", " : "", col->ref.weights,
			                         col->ref.least ? " (paper rule: minimum of the evaluations)" : "");
			metric = c;
		} else if ((b->kind[c] == COLUMN_PAIRED || b->kind[c] == COLUMN_VERDICT) && metric >= 0 &&
		           metric_ref_same(&b->t->cols[metric].ref, &col->ref)) {
			continue; /* three columns about one metric: its name is long, and stands over the first */
		} else if (*col->ref.name && (strchr(col->key, ':') || (metrics > 1 && b->kind[c] != COLUMN_SEEDS))) {
			SCOPED(free) char *title = metric_title(&col->ref, images);
			col->head = arena_strfmt(&b->t->arena, "%s (%s)", col->head, title);
		}
	}
}

static void spread_note(struct build *b)
{
	int least = 0, most = 0;
	for (int r = 0; r < b->n_ours; r++) {
		for (int c = 0; c < b->t->n_cols; c++) {
			const struct table_cell *cell = &b->t->cells[r * b->t->n_cols + c];
			if (cell->kind != TABLE_STAT)
				continue;
			least = !least || cell->n < least ? cell->n : least;
			most = cell->n > most ? cell->n : most;
		}
	}
	if (most < 2)
		return;
	SCOPED(free) char *range = least == most ? xstrfmt("%d", most) : xstrfmt("%d to %d", least, most);
	SCOPED(free)
	char *text = xstrfmt("Mean " PLUS_MINUS
	                     " sample standard deviation over %s training seeds; the best complete rows are marked.",
	                     range);
	note(b->t, text);
}

/* "over 3 pairs of seeds" or "over 2 to 3 ..." of the cells of columns of that kind; NULL without a comparison. */
static char *pairs_text(const struct build *b, enum column_kind kind)
{
	int least = 0, most = 0;
	for (int r = 0; r < b->n_ours; r++) {
		for (int c = 0; c < b->t->n_cols; c++) {
			int n = b->kind[c] == kind ? b->t->cells[r * b->t->n_cols + c].n : 0;
			least = n > 1 && (!least || n < least) ? n : least;
			most = n > most ? n : most;
		}
	}
	return most < 2        ? NULL
	       : least == most ? xstrfmt("%d pairs of seeds", most)
	                       : xstrfmt("%d to %d pairs of seeds", least, most);
}

/* What Holm's rule over the column would take back. */
static void holm_note(struct build *b, int c)
{
	SCOPED(str) struct str lost = { 0 };
	int n = 0, n_lost = 0;
	for (int r = 0; r < b->n_ours; r++) {
		const struct table_cell *cell = &b->t->cells[r * b->t->n_cols + c];
		n += isfinite(cell->p);
		if (isfinite(cell->p) && table_says(cell) && !cell->holm)
			str_addf(&lost, "%s%s", n_lost++ ? ", " : "", b->rows[r]->label);
	}
	if (n < 2)
		return;
	SCOPED(free) char *title = metric_title(&b->t->cols[c].ref, b->t->cols[c].ref.samples);
	SCOPED(free)
	char *text = xstrfmt(
		"Verdicts of %s: not corrected for the number of verdicts, %d; by Holm's rule over them at 5 %%, %s%s.", title,
		n, n_lost ? "these become cannot tell: " : "all stay", str_text(&lost));
	note(b->t, text);
}

/* What the interval of a plain difference is, by the tests that made those of this table. */
static void delta_note(struct build *b)
{
	int paired = 0, welch = 0;
	for (int r = 0; r < b->n_ours; r++)
		for (int c = 0; c < b->t->n_cols; c++) {
			const char *test = b->kind[c] == COLUMN_DELTA ? b->t->cells[r * b->t->n_cols + c].test : NULL;
			paired += test && strcmp(test, TABLE_PAIRED_T) == 0;
			welch += test && strcmp(test, TABLE_WELCH_T) == 0;
		}
	if (!paired && !welch)
		return;
	SCOPED(free)
	char *text = xstrfmt("Difference: of the means, with the two-sided 95 %% interval and p, not corrected for their "
	                     "number, %s.",
	                     !welch    ? "by the paired t test over the seeds of both rows"
	                     : !paired ? "by Welch's t test, unpaired"
	                               : "by the paired t test over the seeds of both rows; (Welch): unpaired, by Welch's "
	                                 "t test, as the rows do not have the same seeds");
	note(b->t, text);
}

static void pairs_notes(struct build *b)
{
	SCOPED(free) char *intervals = pairs_text(b, COLUMN_PAIRED);
	SCOPED(free) char *verdicts = pairs_text(b, COLUMN_VERDICT);
	const char *part = b->def ? b->def->reference : "";
	if (intervals) {
		SCOPED(free)
		char *text = xstrfmt("Paired difference: mean over %s of row less %s%s, with the two-sided 95 %% interval by "
		                     "Student's t.",
		                     intervals, *part ? "the row of " : "first row of its chain", part);
		note(b->t, text);
	}
	if (verdicts) {
		SCOPED(free)
		char *text = xstrfmt("Verdict: paired t test over %s, one-sided alpha = %g in either direction, as a gate with "
		                     "test = \"superiority\" makes it; better or worse only where the 95 %% interval of the "
		                     "paired difference is without 0.",
		                     verdicts, TABLE_ALPHA);
		note(b->t, text);
	}
	for (int c = 0; c < b->t->n_cols; c++)
		if (b->kind[c] == COLUMN_VERDICT)
			holm_note(b, c);
}

static int deviation_notes(struct build *b, struct err *e)
{
	int alone = 0;
	for (int r = 0; r < b->n_ours; r++) {
		/* Within a chain the label says what changes; of a long product the first rows represent the others. */
		if (b->reference[r] != r && (*b->rows[r]->chain || ++alone > NOTED_ROWS))
			continue;
		const struct plan_arm *arm = &b->s->plan->arms[b->rows[r]->arm];
		const struct deviation *d;
		const char *preset;
		int n;
		if (deviations_of(&d, &n, &preset, &b->t->arena, &arm->config, arm->preset, b->s->plan->grid->like, e))
			return -1;
		SCOPED(str) struct str s = { 0 };
		if (!*arm->preset && n) { /* nearly every setting */
			SCOPED(free)
			char *count = xstrfmt(
				"%s is a smaller study of %s: %d setting%s differ%s, which `ablate diff-paper` lists.",
				b->rows[r]->label, preset, n, str_plural(n), n == 1 ? "s" : "");
			note(b->t, count);
			continue;
		}
		for (int i = 0; i < n; i++)
			str_addf(&s, "%s%s = %s (%s: %s)", i ? ", " : "", d[i].key, d[i].ours, deviations_against(preset),
			         d[i].paper);
		SCOPED(free)
		char *text = n ? xstrfmt("%s deviates from %s in %d setting%s: %s.", b->rows[r]->label, preset, n,
		                         str_plural(n), s.data)
		               : NULL;
		if (text)
			note(b->t, text);
	}
	return 0;
}

static void paper_notes(struct build *b)
{
	for (int c = 0; c < b->t->n_cols; c++) {
		if (b->kind[c] != COLUMN_PAPER || !b->pub)
			continue;
		for (int r = 0; r < b->t->n_rows; r++) {
			const struct metric_ref *ref = &b->t->cols[c].ref;
			const struct published_value *v = r < b->n_ours
			                                      ? table_published(b, b->rows[r], ref)
			                                      : published_find(b->pub, b->theirs[r]->paper, b->theirs[r]->label,
			                                                       b->theirs[r]->data, ref->name, ref->nfe);
			if (!v && r >= b->n_ours && strcmp(b->theirs[r]->metric, ref->name) == 0)
				v = b->theirs[r]; /* at steps that no column has */
			if (!v)
				continue;
			const char *cite = published_cite(b->pub, v->paper);
			SCOPED(free)
			char *text = xstrfmt("Published %s of %s: %s (%s), read from: %s%s", v->metric, v->label, cite ? cite : "",
			                     v->paper, v->from, v->confirmed ? "." : "; not confirmed.");
			note(b->t, text);
		}
	}
}

static void state_notes(struct build *b)
{
	int told = 0;
	for (int r = 0; r < b->n_ours; r++) {
		const struct study_stat *s = NULL;
		for (int c = 0; c < b->t->n_cols && !s; c++)
			s = *b->t->cols[c].ref.name ? table_stat(b, r, c) : NULL;
		if (!s || (!s->failed && !s->blocked) || ++told > 2 * NOTED_ROWS)
			continue;
		SCOPED(free)
		char *text = xstrfmt("%s: %s%s%s.", b->rows[r]->name, table_state_text(b, s), *s->reason ? ": " : "",
		                     s->reason);
		note(b->t, text);
	}
}

/* Published scores are on the features of Inception-2015 over 50,000 samples; where ours are not, a difference does not
 * compare like with like. */
static void comparable_note(struct build *b, const char *protocol, const struct metric_ref *ref)
{
	bool beside = false;
	for (int c = 0; b->pub && c < b->t->n_cols; c++)
		beside = beside || ((b->kind[c] == COLUMN_PAPER || b->kind[c] == COLUMN_PAPER_DELTA) &&
		                    metric_ref_same(&b->t->cols[c].ref, ref));
	if (!beside || !metric_ref_in_papers(ref) || (strstr(protocol, ":inception-2015:") && strstr(protocol, ":n50000")))
		return;
	SCOPED(free)
	char *text = xstrfmt(
		"Published values are of inception-2015 features over 50,000 samples, ours of %s: a difference between them "
		"does not compare like with like.",
		protocol);
	note(b->t, text);
}

/* Each protocol of a column, with the rows that it applies to where there are several (across = true). */
static void protocol_notes(struct build *b, int c)
{
	bool several = table_mixes_protocols(b, c);
	for (int r = 0; r < b->n_ours; r++) {
		if (!table_begins_protocol(b, r, c))
			continue;
		SCOPED(str) struct str rows = { 0 };
		const char *p = table_stat(b, r, c)->protocol;
		for (int k = r; several && k < b->n_ours; k++)
			if (table_stat(b, k, c)->protocol && strcmp(table_stat(b, k, c)->protocol, p) == 0)
				str_addf(&rows, "%s%s", rows.len ? ", " : " of ", b->rows[k]->name);
		SCOPED(free) char *text = xstrfmt("%s: protocol %s%s.", b->t->cols[c].head, p, str_text(&rows));
		note(b->t, text);
		comparable_note(b, p, &b->t->cols[c].ref);
	}
	if (several)
		note(b->t, "The rows have different protocols on purpose: the differences between rows include those of the "
		           "protocols.");
}

/* Whose word the numbers of the rows have. */
static int signers_note(struct build *b, struct err *e)
{
	const struct plan *p = b->s->plan;
	SCOPED(free) const char **attempts = xcalloc((size_t)p->n_cells + 1, sizeof *attempts);
	SCOPED(free) bool *shown = xcalloc((size_t)p->n_arms + 1, sizeof *shown);
	SCOPED(str) struct str text = { 0 };
	int n = 0;
	for (int r = 0; r < b->n_ours; r++)
		shown[b->rows[r]->arm] = true;
	for (int i = 0; i < p->n_cells; i++)
		if (shown[b->s->cells[i].arm] && b->s->cells[i].state == RECORD_DONE)
			attempts[n++] = b->s->cells[i].attempt;
	if (n && b->s->db && signers_text(&text, b->s->db, attempts, n, e))
		return -1;
	if (text.len) {
		str_addc(&text, '.');
		note(b->t, text.data);
	}
	return 0;
}

/* Numbers of several builds stand side by side: nothing else says that a difference may be theirs. Which of them is
 * this program's is not said: a table is the same whoever draws it. */
static void build_notes(struct build *b)
{
	const char *text;
	for (int i = 0; (text = study_mark_note(b->s, &b->t->arena, i)); i++)
		note(b->t, text);
	if (study_is_mixed(b->s))
		note(b->t,
		     "Numbers with different marks were computed by different builds of the program: a difference between "
		     "them may be the builds'. `ablate run GRID --rebuild stale` makes them again with one.");
}

static void leak_note(struct build *b)
{
	for (int i = 0; i < b->n_ours * b->t->n_cols; i++)
		if (b->t->cells[i].leaks)
			note(b->t, DAGGER ": scored by the network that its loss was made of, or compared with such a score; never "
			                  "counted as the best.");
}

int table_notes(struct build *b, struct err *e)
{
	if (b->def && *b->def->text)
		note(b->t, b->def->text);
	spread_note(b);
	leak_note(b);
	delta_note(b);
	pairs_notes(b);
	build_notes(b);
	b->t->n_reader = b->t->n_notes;
	for (int c = 0; c < b->t->n_cols; c++)
		if (b->kind[c] == COLUMN_METRIC)
			protocol_notes(b, c);
	if (deviation_notes(b, e))
		return -1;
	paper_notes(b);
	state_notes(b);
	return signers_note(b, e);
}
