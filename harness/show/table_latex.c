/* table_latex.c - a table for a paper: its caption and label, blocks of columns that fit the text's width, the notes
 * that explain it below, and everything for the record in comments. Needs booktabs and nothing else. */
#include "harness/show/table_layout.h"

#include "harness/text/escape.h"

#include "model/base/mem.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define BETWEEN 12.0 /* points between two columns: twice LaTeX's \tabcolsep */

static const struct {
	const char *command;
	double scale;
} sizes[] = { { "", 1 }, { "\\small\n", 0.92 }, { "\\footnotesize\n", 0.83 } };
enum { N_SIZES = sizeof sizes / sizeof *sizes };

/* Points at 10 pt, on the safe side: Computer Modern's classes of letters. */
static double letter_width(unsigned char c)
{
	return c >= 0xc0                        ? 7.8 /* a sign: plus-minus, minus, dagger */
	       : c >= 0x80                      ? 0   /* the rest of one */
	       : strchr("mwMW+=<>&%@", c)       ? 8.6
	       : isupper(c)                     ? 7.5
	       : strchr("ijlt.,:;'()[]!|/ ", c) ? 4
	                                        : 5.3;
}

static double text_width(const char *text, size_t n, bool bold)
{
	double sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += letter_width((unsigned char)text[i]);
	return bold ? 1.15 * sum : sum;
}

/* The next line of a heading: as many words as fit, one at least. */
static size_t head_line(const char *text, double limit)
{
	size_t n = strcspn(text, " ");
	while (text[n]) {
		size_t more = n + 1 + strcspn(text + n + 1, " ");
		if (text_width(text, more, false) > limit)
			break;
		n = more;
	}
	return n;
}

static double widest_word(const char *text)
{
	double most = 0;
	while (*text) {
		size_t n = strcspn(text, " ");
		double w = text_width(text, n, false);
		most = w > most ? w : most;
		text += n + (text[n] == ' ');
	}
	return most;
}

static void add_head(struct str *out, const struct table_column *c, double limit)
{
	const char *text = c->head;
	size_t n = head_line(text, limit);
	if (!text[n]) {
		escape_latex(out, text);
		return;
	}
	str_addf(out, "\\begin{tabular}[b]{@{}%c@{}}", c->numeric ? 'r' : 'l');
	while (*text) {
		SCOPED(free) char *line = xstrndup(text, n);
		escape_latex(out, line);
		text += n + (text[n] == ' ');
		n = head_line(text, limit);
		str_add(out, *text ? " \\\\ {}" : "");
	}
	str_add(out, "\\end{tabular}");
}

static void add_block(struct str *out, const struct table *t, int from, int to, const double *room)
{
	str_add(out, "\\begin{tabular}{@{}l");
	for (int c = from; c < to; c++)
		str_addc(out, t->cols[c].numeric ? 'r' : 'l');
	str_add(out, "@{}}\n\\toprule\n");
	for (int c = from; c < to; c++) {
		str_add(out, " & ");
		add_head(out, &t->cols[c], room[c]);
	}
	str_add(out, " \\\\\n\\midrule\n");
	for (int r = 0; r < t->n_rows; r++) {
		if (table_opens_section(t, r)) {
			str_addf(out, "%s\\multicolumn{%d}{@{}l}{\\emph{", r ? "\\midrule\n" : "", to - from + 1);
			escape_latex(out, t->sections[r]);
			str_add(out, "}} \\\\\n");
		}
		str_add(out, "{}"); /* so that a label in square brackets is not taken for an argument of the \\ before it */
		escape_latex(out, t->shown[r]);
		for (int c = from; c < to; c++) {
			const struct table_cell *x = &t->cells[r * t->n_cols + c];
			str_add(out, x->best ? " & {\\boldmath\\bfseries " : " & ");
			escape_latex(out, x->text);
			str_add(out, x->best ? "}" : "");
		}
		str_add(out, " \\\\\n");
	}
	str_add(out, "\\bottomrule\n\\end{tabular}\n");
}

/* What LaTeX takes as a label in any class. */
static void add_label(struct str *out, const char *label)
{
	for (; *label; label++)
		str_addc(out, isalnum((unsigned char)*label) || strchr(":.-+/", *label) ? *label : '-');
}

static void add_notes(struct str *out, const struct table *t)
{
	bool begun = false;
	for (int i = 0; i < t->n_reader && t->latex_notes; i++) {
		if (strcmp(t->notes[i], t->caption) == 0)
			continue;
		if (!begun)
			str_addf(out, "\\par\\smallskip\n\\begin{minipage}{%dpt}\\footnotesize\\raggedright\n", t->latex_width);
		begun = true;
		escape_latex(out, t->notes[i]);
		str_addc(out, '\n');
	}
	str_add(out, begun ? "\\end{minipage}\n" : "");
}

/* At that size of letters. */
static int cut(int *end, double *width, const struct table *t, double label, const double *room, int size)
{
	for (int c = 0; c < t->n_cols; c++)
		width[c] = room[c] * sizes[size].scale + BETWEEN;
	return table_blocks(end, t, label * sizes[size].scale, width, t->latex_width);
}

void table_write_latex(struct str *out, const struct table *t)
{
	SCOPED(free) double *room = xcalloc((size_t)t->n_cols + 1, sizeof *room);
	SCOPED(free) double *width = xcalloc((size_t)t->n_cols + 1, sizeof *width);
	SCOPED(free) int *end = xcalloc((size_t)t->n_cols + 1, sizeof *end);
	double label = 0;
	for (int r = 0; r < t->n_rows; r++) {
		double w = text_width(t->shown[r], strlen(t->shown[r]), false);
		label = w > label ? w : label;
	}
	for (int c = 0; c < t->n_cols; c++) {
		room[c] = widest_word(t->cols[c].head);
		for (int r = 0; r < t->n_rows; r++) {
			const struct table_cell *x = &t->cells[r * t->n_cols + c];
			double w = text_width(x->text, strlen(x->text), x->best);
			room[c] = w > room[c] ? w : room[c];
		}
	}
	/* the largest letters that need no more blocks than the smallest */
	int size = 0, least = cut(end, width, t, label, room, N_SIZES - 1);
	while (cut(end, width, t, label, room, size) > least)
		size++;
	str_add(out, "% made by: ");
	table_comment(out, t->command);
	str_addf(out, "; values sha256:%s\n", t->results);
	for (int i = t->latex_notes ? t->n_reader : 0; i < t->n_notes; i++) {
		str_add(out, "% ");
		table_comment(out, t->notes[i]);
		str_addc(out, '\n');
	}
	str_add(out, "% needs \\usepackage{booktabs}\n\\begin{table}\n\\centering\n\\caption{");
	escape_latex(out, t->caption);
	str_add(out, "}\n\\label{");
	add_label(out, t->latex_label);
	str_addf(out, "}\n%s", sizes[size].command);
	for (int k = 0; k < least; k++) {
		const char *about = table_block_about(t, k ? end[k - 1] : 0);
		str_add(out, k ? "\\par\\medskip\n" : "");
		if (*about) {
			str_add(out, "\\emph{");
			escape_latex(out, about);
			str_add(out, ":}\\par\\smallskip\n");
		}
		add_block(out, t, k ? end[k - 1] : 0, end[k], room);
	}
	add_notes(out, t);
	str_add(out, "\\end{table}\n");
}
