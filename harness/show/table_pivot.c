/* table_pivot.c - a table of one metric and a row per arm, made one of two settings: a row per value of the one, a
 * column per value of the other. Arms that differ in further settings are parts of their own, never pooled. See
 * table_private.h. */
#include "harness/show/table_private.h"

#include "model/base/str.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EMPTY "\xe2\x80\x93" /* an en dash */

/* A value of a setting, as it is written, with its place in the order of the values. */
struct value {
	char *text;
	double number; /* where all are numbers */
	int at;        /* of its first row */
};
struct values {
	struct value *v;
	int n, cap;
	bool numbers;
};

static void scoped_values(struct values *x)
{
	for (int i = 0; i < x->n; i++)
		free(x->v[i].text);
	free(x->v);
}

/* As labels have it: without the quotes of a text. Heap. */
static char *value_of(const struct run_config *c, const struct knob *k)
{
	char *text = config_value_text(c, k);
	size_t n = strlen(text);
	if (n < 2 || text[0] != '"')
		return text;
	char *plain = xstrndup(text + 1, n - 2);
	free(text);
	return plain;
}

/* The place of that text, which is taken over; a new one is added. */
static int place_of(struct values *x, char *text, int row)
{
	for (int i = 0; i < x->n; i++)
		if (strcmp(x->v[i].text, text) == 0) {
			free(text);
			return i;
		}
	char *end;
	double number = strtod(text, &end);
	x->numbers = (x->n == 0 || x->numbers) && *text && !*end;
	VEC_PUSH(x->v, x->n, x->cap) = (struct value){ text, number, row };
	return x->n - 1;
}

static int by_number(const void *pa, const void *pb)
{
	const struct value *a = pa, *b = pb;
	return a->number > b->number ? 1 : a->number < b->number ? -1 : a->at - b->at;
}

/* The values that a setting has in the rows: numbers ascending, others in the order of the rows. */
static void values_of(struct values *out, const struct table *t, const struct knob *k)
{
	for (int r = 0; r < t->n_rows; r++)
		if (t->configs[r])
			(void)place_of(out, value_of(t->configs[r], k), r);
	if (out->n > 1 && out->numbers)
		qsort(out->v, (size_t)out->n, sizeof *out->v, by_number);
}

/* Which settings, besides those two, differ between rows. */
static bool *find_others(const struct table *t, const struct knob *a, const struct knob *b)
{
	int n;
	const struct knob *knobs = config_knobs(&n);
	bool *differs = xcalloc((size_t)n, sizeof *differs);
	for (int k = 0; k < n; k++) {
		SCOPED(values) struct values x = { 0 };
		if (&knobs[k] != a && &knobs[k] != b && !knobs[k].looks)
			values_of(&x, t, &knobs[k]);
		differs[k] = x.n > 1;
	}
	return differs;
}

/* "loss.kind=l2, train.batch=8" of the settings that differ; heap. */
static char *others_of(const struct run_config *c, const bool *differs)
{
	struct str s = { 0 };
	int n;
	const struct knob *knobs = config_knobs(&n);
	for (int k = 0; k < n; k++) {
		if (!differs[k])
			continue;
		SCOPED(free) char *value = value_of(c, &knobs[k]);
		str_addf(&s, "%s%s=%s", s.len ? ", " : "", knobs[k].key, value);
	}
	return str_detach(&s);
}

static void add_note(struct table *t, const struct knob *rows, const struct knob *cols, bool empty)
{
	const char *text = arena_strfmt(&t->arena, "%s by %s (rows) and %s (columns)%s.", t->cols[0].head, rows->key,
	                                cols->key, empty ? "; " EMPTY ": the grid has no such arm" : "");
	VEC_PUSH(t->notes, t->n_notes, t->cap_notes) = NULL;
	memmove(t->notes + 1, t->notes, (size_t)(t->n_notes - 1) * sizeof *t->notes);
	t->notes[0] = text;
	t->n_reader++;
}

static struct table_column *make_columns(struct table *t, const struct knob *k, const struct values *x)
{
	struct table_column *cols = arena_alloc(&t->arena, (size_t)(x->n + 1) * sizeof *cols);
	for (int c = 0; c < x->n; c++) {
		cols[c] = t->cols[0];
		cols[c].key = arena_strfmt(&t->arena, "%s=%s", k->key, x->v[c].text);
		cols[c].head = arena_strfmt(&t->arena, "%s = %s", k->key, x->v[c].text);
	}
	return cols;
}

int table_pivot(struct table *t, const char *const by[2], struct err *e)
{
	const struct knob *a = config_find(by[0]), *b = config_find(by[1]);
	if (!a || !b)
		return config_unknown(a ? by[1] : by[0], e);
	SCOPED(values) struct values rows = { 0 }, cols = { 0 }, parts = { 0 };
	values_of(&rows, t, a);
	values_of(&cols, t, b);
	if (rows.n * cols.n == 0 || cols.n > TABLE_PIVOT_COLS)
		return err_code(e, EXIT_USAGE, "table %s: %s has %d values here: a pivot has 1 to %d columns", t->name, b->key,
		                cols.n, TABLE_PIVOT_COLS);
	SCOPED(free) bool *differs = find_others(t, a, b);
	for (int r = 0; r < t->n_rows; r++)
		if (t->configs[r])
			(void)place_of(&parts, others_of(t->configs[r], differs), r);
	size_t n_rows = (size_t)parts.n * (size_t)rows.n, n_cols = (size_t)cols.n;
	struct table_cell *cells = arena_alloc(&t->arena, n_rows * n_cols * sizeof *cells);
	SCOPED(free) bool *used = xcalloc(n_rows, sizeof *used);
	int n_used = 0, filled = 0;
	for (int r = 0; r < t->n_rows; r++) {
		if (!t->configs[r])
			continue;
		int part = place_of(&parts, others_of(t->configs[r], differs), r);
		int row = part * rows.n + place_of(&rows, value_of(t->configs[r], a), r);
		struct table_cell *cell = &cells[(size_t)row * n_cols + (size_t)place_of(&cols, value_of(t->configs[r], b), r)];
		filled += !cell->text;
		n_used += !used[row];
		used[row] = true;
		*cell = t->cells[r * t->n_cols]; /* rows that share a place share their arm */
	}
	t->labels = arena_alloc(&t->arena, (size_t)(n_used + 1) * sizeof *t->labels);
	t->sections = arena_alloc(&t->arena, (size_t)(n_used + 1) * sizeof *t->sections);
	t->configs = arena_alloc(&t->arena, (size_t)(n_used + 1) * sizeof *t->configs);
	t->n_rows = 0;
	for (int row = 0; row < (int)n_rows; row++) {
		if (!used[row])
			continue;
		int at = t->n_rows++;
		t->labels[at] = arena_strfmt(&t->arena, "%s=%s", a->key, rows.v[row % rows.n].text);
		t->sections[at] = arena_strdup(&t->arena, parts.v[row / rows.n].text);
		for (size_t c = 0; c < n_cols; c++) {
			struct table_cell *cell = &cells[(size_t)at * n_cols + c];
			*cell = cells[(size_t)row * n_cols + c];
			if (!cell->text)
				*cell = (struct table_cell){ .kind = TABLE_TEXT, .value = NAN, .sd = NAN, .text = EMPTY };
		}
	}
	add_note(t, a, b, filled < n_used * cols.n);
	t->cols = make_columns(t, b, &cols);
	t->n_cols = cols.n;
	t->cells = cells;
	table_shown_labels(t);
	return 0;
}
