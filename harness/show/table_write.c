/* table_write.c - a table as Markdown, LaTeX, CSV, JSON and terminal text: one function and one row of `formats`
 * each. */
#include "harness/show/table_layout.h"

#include "harness/cli/cmd.h"
#include "harness/text/escape.h"
#include "harness/text/json_out.h"

#include "model/base/io.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct table_cell *cell(const struct table *t, int r, int c)
{
	return &t->cells[r * t->n_cols + c];
}

/* A row's label and cells: what stands before the label, before a cell, around the best one, and at the end. */
struct row_markup {
	const char *start, *next, *next_best, *end_best, *end;
	void (*escape)(struct str *out, const char *text);
};

static void add_row(struct str *out, const struct table *t, int r, const struct row_markup *m)
{
	str_add(out, m->start);
	m->escape(out, t->shown[r]);
	for (int c = 0; c < t->n_cols; c++) {
		const struct table_cell *x = cell(t, r, c);
		str_add(out, x->best ? m->next_best : m->next);
		m->escape(out, x->text);
		str_add(out, x->best ? m->end_best : "");
	}
	str_add(out, m->end);
}

static const struct row_markup markdown_row = {
	.start = "| ",
	.next = " | ",
	.next_best = " | **",
	.end_best = "**",
	.end = " |\n",
	.escape = escape_markdown,
};

static void write_markdown(struct str *out, const struct table *t)
{
	str_add(out, "<!-- made by: ");
	table_comment(out, t->command);
	str_addf(out, "; values sha256:%s -->\n| ", t->results);
	for (int c = 0; c < t->n_cols; c++) {
		str_add(out, c ? " | " : "| ");
		escape_markdown(out, t->cols[c].head);
	}
	str_add(out, " |\n|:--");
	for (int c = 0; c < t->n_cols; c++)
		str_add(out, t->cols[c].numeric ? "|--:" : "|:--");
	str_add(out, "|\n");
	for (int r = 0; r < t->n_rows; r++) {
		if (table_opens_section(t, r)) {
			str_add(out, "| *");
			escape_markdown(out, t->sections[r]);
			str_add(out, "*");
			for (int c = 0; c < t->n_cols; c++)
				str_add(out, " |");
			str_add(out, " |\n");
		}
		add_row(out, t, r, &markdown_row);
	}
	for (int i = 0; i < t->n_notes; i++) {
		str_add(out, i ? "" : "\n");
		str_add(out, "- ");
		escape_markdown(out, t->notes[i]);
		str_addc(out, '\n');
	}
}

static void csv_number(struct str *out, double x)
{
	char buf[32];
	str_addc(out, ',');
	if (isfinite(x))
		str_add(out, str_double(buf, x));
}

static void csv_head(struct str *out, const struct table_column *c, const char *suffix)
{
	SCOPED(free) char *text = xstrfmt("%s%s", c->key, suffix);
	str_addc(out, ',');
	escape_csv(out, text);
}

/* What a column has in CSV, by the first cell that tells: a published row has a number or nothing in any. */
enum csv_kind { CSV_ONE, CSV_METRIC, CSV_INTERVAL, CSV_VERDICT };

static enum csv_kind csv_kind_of(const struct table *t, int c)
{
	for (int r = 0; r < t->n_rows; r++)
		switch (cell(t, r, c)->kind) {
		case TABLE_STAT: /* a column of metrics, even if all its cells are states */
		case TABLE_STATE: return CSV_METRIC;
		case TABLE_INTERVAL: return CSV_INTERVAL;
		case TABLE_VERDICT: return CSV_VERDICT;
		case TABLE_TEXT:
		case TABLE_NUMBER:
		case TABLE_COUNT: break;
		}
	return CSV_ONE;
}

/* What stands behind the column's own field. */
static void csv_heads(struct str *out, const struct table_column *c, enum csv_kind kind)
{
	static const char *const more[][6] = { [CSV_ONE] = { NULL },
		                                   [CSV_METRIC] = { " sd", " n", " state", " fingerprint", NULL },
		                                   [CSV_INTERVAL] = { " lo", " hi", " p", " n", " test", NULL },
		                                   [CSV_VERDICT] = { " p", " n", NULL } };
	csv_head(out, c, "");
	for (const char *const *m = more[kind]; *m; m++)
		csv_head(out, c, *m);
}

/* An interval or a verdict, or the empty fields of a row that has none. */
static void csv_pairs(struct str *out, const struct table_cell *x, bool interval)
{
	bool ours = x->kind == TABLE_INTERVAL || x->kind == TABLE_VERDICT;
	if (interval) {
		csv_number(out, ours ? x->value : NAN);
		csv_number(out, ours ? x->lo : NAN);
		csv_number(out, ours ? x->hi : NAN);
		csv_number(out, ours ? x->p : NAN);
	} else {
		str_addc(out, ',');
		escape_csv(out, ours ? x->verdict : "");
		csv_number(out, ours ? x->p : NAN);
	}
	str_addf(out, ours ? ",%d" : ",", x->n);
	if (interval)
		str_addf(out, ",%s", ours && x->test ? x->test : "");
}

/* Fingerprints of a cell's values, with blanks between; "none" for one that was not recorded, where others were. */
static char *builds_joined(const struct table_cell *x)
{
	struct str s = { 0 };
	for (int i = 0; i < x->n_builds && (x->n_builds > 1 || *x->builds[i]); i++)
		str_addf(&s, "%s%s", i ? " " : "", *x->builds[i] ? x->builds[i] : "none");
	return str_detach(&s);
}

/* Settings in which rows differ, each a column: values[i * n_rows + r], NULL for a published row. */
struct csv_settings {
	const struct knob **knobs;
	char **values;
	int n, n_values;
};

static struct csv_settings differing_settings(const struct table *t)
{
	int n_knobs;
	const struct knob *knobs = config_knobs(&n_knobs);
	size_t rows = (size_t)t->n_rows;
	struct csv_settings s = { .knobs = xcalloc((size_t)n_knobs, sizeof *s.knobs),
		                      .values = xcalloc((size_t)n_knobs * rows + 1, sizeof *s.values) };
	for (int k = 0; k < n_knobs; k++) {
		char **values = s.values + (size_t)s.n * rows;
		const char *first = NULL;
		bool differ = false;
		for (size_t r = 0; r < rows; r++) {
			values[r] = t->configs[r] ? config_value_text(t->configs[r], &knobs[k]) : NULL;
			first = first ? first : values[r];
			differ = differ || (values[r] && strcmp(first, values[r]) != 0);
		}
		if (differ)
			s.knobs[s.n++] = &knobs[k];
		for (size_t r = 0; r < rows && !differ; r++) {
			free(values[r]);
			values[r] = NULL;
		}
	}
	s.n_values = s.n * t->n_rows;
	return s;
}

static void free_settings(struct csv_settings *s)
{
	for (int i = 0; i < s->n_values; i++)
		free(s->values[i]);
	free(s->values);
	free(s->knobs);
}

static const char *csv_state(const struct table_cell *x)
{
	bool stat = x->kind == TABLE_STAT, incomplete = stat && x->n < x->asked;
	return x->kind == TABLE_STATE   ? x->text
	       : incomplete && x->leaks ? "incomplete leak"
	       : incomplete             ? "incomplete"
	       : stat && x->leaks       ? "leak"
	                                : "";
}

/* Columns of numbers in full precision: a mean, its sd, n and what made it are five, a difference with its interval,
 * p, n and test are six; behind them a column for each setting in which the rows differ. */
static void write_csv(struct str *out, const struct table *t)
{
	str_add(out, "chain,label");
	SCOPED(free) enum csv_kind *kind = xcalloc((size_t)t->n_cols + 1, sizeof *kind);
	for (int c = 0; c < t->n_cols; c++) {
		kind[c] = csv_kind_of(t, c);
		csv_heads(out, &t->cols[c], kind[c]);
	}
	struct csv_settings settings = differing_settings(t);
	for (int i = 0; i < settings.n; i++)
		str_addf(out, ",%s", settings.knobs[i]->key);
	str_add(out, ",made_by,values_sha256\n");
	for (int r = 0; r < t->n_rows; r++) {
		escape_csv(out, t->sections[r]);
		str_addc(out, ',');
		escape_csv(out, t->labels[r]);
		for (int c = 0; c < t->n_cols; c++) {
			const struct table_cell *x = cell(t, r, c);
			if (kind[c] == CSV_METRIC) {
				csv_number(out, x->value);
				csv_number(out, x->sd);
				str_addf(out, ",%d,", x->n);
				escape_csv(out, csv_state(x));
				SCOPED(free) char *builds = builds_joined(x);
				str_addc(out, ',');
				escape_csv(out, builds);
			} else if (kind[c] != CSV_ONE) {
				csv_pairs(out, x, kind[c] == CSV_INTERVAL);
			} else if (x->kind == TABLE_TEXT) {
				str_addc(out, ',');
				escape_csv(out, x->text);
			} else {
				csv_number(out, x->value);
			}
		}
		for (int i = 0; i < settings.n; i++) {
			const char *value = settings.values[i * t->n_rows + r];
			size_t n = value ? strlen(value) : 0, quote = n > 1 && *value == '"';
			SCOPED(free) char *bare = xstrndup(value ? value + quote : "", n - 2 * quote);
			str_addc(out, ',');
			escape_csv(out, bare);
		}
		str_addc(out, ',');
		escape_csv(out, t->command);
		str_addf(out, ",%s\n", t->results);
	}
	free_settings(&settings);
}

static json_t *text_json(const char *s)
{
	SCOPED(str) struct str clean = { 0 };
	escape_plain(&clean, s);
	return json_string(str_text(&clean));
}

static json_t *number_json(double x)
{
	return isfinite(x) ? json_real(x) : json_null();
}

static void json_pairs(json_t *o, const struct table_cell *x)
{
	json_object_set_new(o, "n", json_integer(x->n));
	json_object_set_new(o, "asked", json_integer(x->asked));
	json_object_set_new(o, "leaks", json_boolean(x->leaks));
	if (x->kind == TABLE_INTERVAL) {
		json_object_set_new(o, "lo", number_json(x->lo));
		json_object_set_new(o, "hi", number_json(x->hi));
		json_object_set_new(o, "p", number_json(x->p));
		json_object_set_new(o, "test", x->test ? json_string(x->test) : json_null());
	} else {
		json_object_set_new(o, "verdict", json_string(x->verdict));
		json_object_set_new(o, "p", number_json(x->p));
		json_object_set_new(o, "holm", isfinite(x->p) ? json_boolean(x->holm) : json_null());
	}
}

static void write_json(struct str *out, const struct table *t)
{
	json_t *rows = json_array(), *cols = json_array(), *notes = json_array();
	for (int c = 0; c < t->n_cols; c++)
		json_array_append_new(cols, json_pack("{s:s, s:o}", "key", t->cols[c].key, "head", text_json(t->cols[c].head)));
	for (int r = 0; r < t->n_rows; r++) {
		json_t *cells = json_object();
		for (int c = 0; c < t->n_cols; c++) {
			const struct table_cell *x = cell(t, r, c);
			json_t *o = json_pack("{s:o, s:o}", "text", text_json(x->text), "value", number_json(x->value));
			if (x->kind == TABLE_STAT || x->kind == TABLE_STATE || x->kind == TABLE_COUNT) {
				json_object_set_new(o, "sd", number_json(x->sd));
				json_object_set_new(o, "n", json_integer(x->n));
				json_object_set_new(o, "asked", json_integer(x->asked));
				json_object_set_new(o, "best", json_boolean(x->best));
				json_object_set_new(o, "leaks", json_boolean(x->leaks));
				json_t *builds = json_array();
				for (int i = 0; i < x->n_builds; i++)
					json_array_append_new(builds, *x->builds[i] ? json_string(x->builds[i]) : json_null());
				json_object_set_new(o, "fingerprints", builds);
			} else if (x->kind == TABLE_INTERVAL || x->kind == TABLE_VERDICT) {
				json_pairs(o, x);
			}
			json_object_set_new(cells, t->cols[c].key, o);
		}
		json_array_append_new(rows, json_pack("{s:o, s:o, s:o}", "chain", text_json(t->sections[r]), "label",
		                                      text_json(t->labels[r]), "cells", cells));
	}
	for (int i = 0; i < t->n_notes; i++)
		json_array_append_new(notes, text_json(t->notes[i]));
	json_t *all = json_pack("{s:i, s:o, s:o, s:o, s:o, s:o, s:s}", "schema", 1, "table", text_json(t->name), "columns",
	                        cols, "rows", rows, "notes", notes, "made_by", text_json(t->command), "values_sha256",
	                        t->results);
	if (json_record(out, all, JSON_INDENT(1)))
		str_add(out, "{}");
	str_addc(out, '\n');
	json_decref(all);
}

static void pad(struct str *out, const char *text, size_t width, bool right)
{
	SCOPED(str) struct str plain = { 0 };
	escape_plain(&plain, text);
	size_t have = escape_width(str_text(&plain)), fill = have < width ? width - have : 0;
	for (size_t i = 0; right && i < fill; i++)
		str_addc(out, ' ');
	str_add(out, str_text(&plain));
	for (size_t i = 0; !right && i < fill; i++)
		str_addc(out, ' ');
}

static void end_line(struct str *out)
{
	while (out->len && out->data[out->len - 1] == ' ')
		out->data[--out->len] = '\0';
	str_addc(out, '\n');
}

static void terminal_block(struct str *out, const struct table *t, int from, int to, size_t label, const double *width)
{
	pad(out, "", label, false);
	for (int c = from; c < to; c++) {
		str_add(out, "  ");
		pad(out, t->cols[c].head, (size_t)width[c] - 3, t->cols[c].numeric);
		str_add(out, c + 1 < to ? " " : "");
	}
	end_line(out);
	for (int r = 0; r < t->n_rows; r++) {
		if (table_opens_section(t, r)) {
			pad(out, t->sections[r], 0, false);
			str_addc(out, '\n');
		}
		str_add(out, *t->sections[r] ? "  " : "");
		pad(out, t->shown[r], label - (*t->sections[r] ? 2 : 0), false);
		for (int c = from; c < to; c++) {
			str_add(out, "  ");
			pad(out, cell(t, r, c)->text, (size_t)width[c] - 3, t->cols[c].numeric);
			str_add(out, cell(t, r, c)->best ? "*" : c + 1 < to ? " " : "");
		}
		end_line(out);
	}
}

/* The best of a column carries a star: meaning is never in colour alone. */
static void write_terminal(struct str *out, const struct table *t)
{
	size_t label = 0;
	SCOPED(free) double *width = xcalloc((size_t)t->n_cols + 1, sizeof *width); /* with what stands between */
	SCOPED(free) int *end = xcalloc((size_t)t->n_cols + 1, sizeof *end);
	for (int r = 0; r < t->n_rows; r++) {
		size_t w = escape_width(t->shown[r]) + (*t->sections[r] ? 2 : 0);
		label = w > label ? w : label;
	}
	for (int c = 0; c < t->n_cols; c++) {
		size_t most = escape_width(t->cols[c].head);
		for (int r = 0; r < t->n_rows; r++) {
			size_t w = escape_width(cell(t, r, c)->text);
			most = w > most ? w : most;
		}
		width[c] = (double)most + 3;
	}
	int blocks = table_blocks(end, t, (double)label, width, t->columns ? (double)t->columns : HUGE_VAL);
	for (int k = 0; k < blocks; k++) {
		const char *about = table_block_about(t, k ? end[k - 1] : 0);
		str_add(out, k ? "\n" : "");
		if (*about)
			str_addf(out, "%s:\n", about);
		terminal_block(out, t, k ? end[k - 1] : 0, end[k], label, width);
	}
	for (int i = 0; i < t->n_notes; i++) {
		SCOPED(str) struct str plain = { 0 };
		escape_plain(&plain, t->notes[i]);
		str_add(out, i ? "" : "\n");
		if (t->columns)
			cmd_wrap(out, str_text(&plain), 0, 2, t->columns);
		else
			str_addf(out, "%s\n", str_text(&plain));
	}
}

static const struct table_format formats[] = {
	{ "terminal", "txt", "aligned text; a star marks the best", write_terminal },
	{ "md", "md", "Markdown", write_markdown },
	{ "latex", "tex", "LaTeX table with booktabs rules", table_write_latex },
	{ "csv", "csv", "numbers in full precision", write_csv },
	{ "json", "json", "the same with text and notes", write_json },
};

const struct table_format *table_formats(int *n)
{
	*n = sizeof formats / sizeof *formats;
	return formats;
}

const struct table_format *table_format(const char *name)
{
	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
		if (strcmp(formats[i].name, name) == 0 || strcmp(formats[i].extension, name) == 0)
			return &formats[i];
	return NULL;
}

int table_check(const struct table *t, const char *path, struct err *e)
{
	const char *dot = strrchr(path, '.');
	const struct table_format *f = dot ? table_format(dot + 1) : NULL;
	if (!f)
		return err_code(e, EXIT_USAGE, "%s: its extension must be a table format: md, tex, csv, json or txt", path);
	SCOPED(str) struct str want = { 0 }, have = { 0 };
	if (io_read(&have, path, (size_t)64 << 20, e))
		return -1;
	f->write(&want, t);
	if (have.len == want.len && memcmp(str_text(&have), str_text(&want), have.len) == 0)
		return 0;
	if (strstr(str_text(&have), "results sha256:") || strstr(str_text(&have), "results_sha256"))
		return err_code(e, EXIT_RECORD,
		                "%s: written by an earlier ablate, whose hash was of the whole study and not of this table: "
		                "write it again with `ablate table -o`, and compare the numbers",
		                path);
	size_t line = 1, at = 0, start = 0;
	while (at < have.len && at < want.len && have.data[at] == want.data[at])
		if (have.data[at++] == '\n')
			line++, start = at;
	return err_code(
		e, EXIT_RECORD,
		"%s:%zu: no longer matches the database: the file has \"%.*s\", the table \"%.*s\"; write it again with "
		"`ablate table -o`",
		path, line, (int)strcspn(str_text(&have) + start, "\n"), str_text(&have) + start,
		(int)strcspn(str_text(&want) + start, "\n"), str_text(&want) + start);
}
