/* report_table.c - the study's tables in the report (report_private.h). */
#include "harness/show/report_private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void add_part(struct str *s, const char *name, double x)
{
	if (isfinite(x))
		str_addf(s, "%s%s%.5g", s->len ? ", " : "", name, x);
}

/* What is behind the text of a cell of numbers: the value, its spread or interval, p, and of how many. Heap text, ""
 * where there is nothing. A member that a kind of cell does not have is NAN or 0. */
static char *evidence(const struct table_cell *x)
{
	struct str s = { 0 };
	bool pairs = x->kind == TABLE_INTERVAL || x->kind == TABLE_VERDICT || x->hi > x->lo;
	if (x->kind == TABLE_TEXT || x->kind == TABLE_STATE || x->kind == TABLE_COUNT)
		return xstrdup("");
	add_part(&s, "", x->value);
	add_part(&s, "standard deviation ", x->sd);
	if (isfinite(x->lo) && isfinite(x->hi) && x->hi > x->lo)
		str_addf(&s, "%s95 %% interval %.5g to %.5g", s.len ? ", " : "", x->lo, x->hi);
	if (x->p > 0 || x->kind == TABLE_VERDICT)
		add_part(&s, "p = ", x->p);
	if (s.len && x->n > 0)
		str_addf(&s, "; %s %d", pairs ? "pairs of seeds:" : "seeds:", x->n);
	if (s.len && x->n > 0 && x->asked > x->n)
		str_addf(&s, " of %d", x->asked);
	return s.len ? str_detach(&s) : xstrdup("");
}

static void one_cell(struct report_page *p, const struct table_cell *x, bool numeric)
{
	SCOPED(free) char *more = evidence(x);
	str_addf(p->out, "<td class=\"%s%s\"", numeric ? "num" : "", x->best ? " best" : "");
	if (*more)
		report_tag(p, " tabindex=\"0\" data-more=\"", more, "\"");
	report_tag(p, ">", x->text, x->best ? " <span role=\"img\" aria-label=\"best\">\xe2\x98\x85</span></td>" : "</td>");
}

static void html_table(struct report_page *p, const struct table *t)
{
	struct str *out = p->out;
	report_scroll(p, t->name && *t->name ? t->name : "table");
	str_add(out, "<table class=\"results\"><thead><tr><th scope=\"col\"></th>");
	for (int c = 0; c < t->n_cols; c++)
		report_tag(p, t->cols[c].numeric ? "<th scope=\"col\" class=\"num\">" : "<th scope=\"col\">", t->cols[c].head,
		           "</th>");
	str_add(out, "</tr></thead>\n<tbody>\n");
	for (int r = 0; r < t->n_rows; r++) {
		if (*t->sections[r] && (!r || strcmp(t->sections[r], t->sections[r - 1]) != 0)) {
			str_addf(out, "<tr class=\"section\"><td colspan=\"%d\">", t->n_cols + 1);
			report_tag(p, "", t->sections[r], "</td></tr>\n");
		}
		report_tag(p, "<tr><th scope=\"row\">", t->labels[r], "</th>");
		for (int c = 0; c < t->n_cols; c++)
			one_cell(p, &t->cells[r * t->n_cols + c], t->cols[c].numeric);
		str_add(out, "</tr>\n");
	}
	str_add(out, "</tbody></table>");
	report_scroll_end(p);
	str_add(out, "<ul class=\"notes\">\n");
	for (int i = 0; i < t->n_notes; i++)
		report_tag(p, "<li>", t->notes[i], "</li>\n");
	str_add(out, "</ul>\n");
}

void report_tables(struct report_page *p)
{
	const struct grid *g = p->s->plan->grid;
	str_add(p->out, "<section id=\"tables\"><h2>Tables</h2>\n");
	for (int i = 0; i < (g->n_tables ? g->n_tables : 1); i++) {
		const struct grid_table *def = g->n_tables ? &g->tables[i] : NULL;
		SCOPED(table) struct table *t = NULL;
		struct err e = ERR_INIT;
		if (def)
			report_tag(p, "<h3>", def->name, "</h3>\n");
		if (table_build(&t, p->s, def, p->ask->pub, p->ask->command, &e))
			report_tag(p, "<p><span class=\"state error\">refused</span> ", e.msg, "</p>\n");
		else
			html_table(p, t);
	}
	str_add(p->out, "</section>\n");
}
