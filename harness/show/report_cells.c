/* report_cells.c - the report's table of all cells, and the choice of two to compare (report_private.h). The numbers
 * come before what only identifies a cell, so that a phone shows them. */
#include "harness/show/report_private.h"

#include "harness/grid/metric_ref.h"

#include <math.h>
#include <stdio.h>

/* In the order in which they are shown. */
static const enum record_state states[] = { RECORD_DONE,    RECORD_RUNNING, RECORD_PENDING,  RECORD_STOPPED,
	                                        RECORD_BLOCKED, RECORD_FAILED,  RECORD_DIVERGED, RECORD_TIMEOUT,
	                                        RECORD_KILLED,  RECORD_LOST };
enum { N_STATES = sizeof states / sizeof *states };

int report_count_state(const struct study *s, enum record_state state)
{
	int n = 0;
	for (int i = 0; i < s->plan->n_cells; i++)
		n += s->cells[i].state == state;
	return n;
}

const enum record_state *report_states(int *n, struct study *s)
{
	enum record_state *v = arena_alloc(&s->arena, sizeof states);
	*n = 0;
	for (int i = 0; i < N_STATES; i++)
		if (report_count_state(s, states[i]))
			v[(*n)++] = states[i];
	return v;
}

static void head(struct report_page *p, const char *text, bool numeric)
{
	str_addf(p->out, "<th scope=\"col\"%s><button type=\"button\">", numeric ? " class=\"num\"" : "");
	report_tag(p, "", text, "</button></th>");
}

static void numeric_cell(struct report_page *p, double x, const char *format)
{
	char full[32];
	if (!isfinite(x)) {
		str_add(p->out, "<td class=\"num\" data-v=\"\">");
		return;
	}
	str_addf(p->out, "<td class=\"num\" data-v=\"%s\">", str_double(full, x));
	str_addf(p->out, *format == 's' ? "%.1f" : "%.5g", x);
}

enum { PAGE = 200 }; /* rows that are shown at once; a browser lays out ten thousand in seconds */

/* End tags of td and tr may be left out in HTML; of ten thousand rows they are a megabyte. */
static void one_row(struct report_page *p, const struct study_cell *c, bool hidden, const struct metric_ref *refs,
                    int n_refs)
{
	const struct plan *plan = p->s->plan;
	const char *state = record_state_name(c->state);
	str_addf(p->out, "<tr data-state=\"%s\"%s><th scope=\"row\"><a href=\"#cell-%.12s\">", state,
	         hidden ? " hidden" : "", c->hash);
	report_tag(p, "", report_label(p, c->arm), "</a></th>");
	str_addf(p->out, "<td class=\"num\" data-v=\"%lld\">%lld", (long long)c->seed, (long long)c->seed);
	if (*c->reason)
		report_tag(p, "<td tabindex=\"0\" data-more=\"", c->reason, "\">");
	else
		str_add(p->out, "<td>");
	str_addf(p->out, "<span class=\"state %s\">%s</span>", state, state);
	for (int k = 0; k < n_refs; k++) {
		const struct study_score *x = study_score(p->s, c, &refs[k]);
		numeric_cell(p, x ? x->value : NAN, "g");
	}
	str_addf(p->out, "<td class=\"num\" data-v=\"%lld\">%lld", (long long)c->step, (long long)c->step);
	numeric_cell(p, c->seconds > 0 ? c->seconds : NAN, "s");
	report_tag(p, "<td>", plan->rows[plan->arms[c->arm].rows[0]].chain, "");
	str_addf(p->out, "<td><code>%.12s</code>\n", c->hash);
}

static void compare(struct report_page *p)
{
	str_add(p->out, "<section id=\"compare\"><h2>Compare two cells</h2>\n<noscript><p>This part needs scripts, which "
	                "are switched off.</p></noscript><form class=\"controls\" id=\"compare-form\" hidden>"
	                "<label>first <select id=\"compare-arm-0\"></select></label>"
	                "<label>seed <select id=\"compare-seed-0\"></select></label>"
	                "<label>second <select id=\"compare-arm-1\"></select></label>"
	                "<label>seed <select id=\"compare-seed-1\"></select></label>"
	                "<button type=\"submit\">compare</button></form></section>\n");
}

void report_cells(struct report_page *p)
{
	const struct plan *plan = p->s->plan;
	struct metric_ref refs[METRIC_REFS_MAX];
	int n_refs = grid_metric_refs(refs, METRIC_REFS_MAX, plan->grid), n_states;
	const enum record_state *shown = report_states(&n_states, p->s);
	if (plan->n_cells > 1)
		compare(p);
	str_add(p->out,
	        "<section id=\"cells\"><h2>Cells</h2>\n<div class=\"controls\"><label class=\"find\" for=\"filter\">filter "
	        "<input id=\"filter\" type=\"search\" placeholder=\"label, chain, hash ...\"></label><label "
	        "for=\"state\">state <select id=\"state\"><option value=\"\">all</option>");
	for (int i = 0; i < n_states; i++)
		str_addf(p->out, "<option>%s</option>", record_state_name(shown[i]));
	str_add(p->out, "</select></label><span id=\"shown\" class=\"soft\" role=\"status\"></span></div>\n");
	report_scroll(p, "cells");
	str_add(p->out, "<noscript><style>#cells-table tr[hidden] { display: table-row !important; }</style></noscript>\n");
	str_addf(p->out, "<table id=\"cells-table\" class=\"results\" data-page=\"%d\"><thead><tr>", PAGE);
	head(p, "arm", false), head(p, "seed", true), head(p, "state", false);
	for (int i = 0; i < n_refs; i++) {
		SCOPED(free) char *title = metric_title(&refs[i], refs[i].samples);
		head(p, title, true);
	}
	head(p, "steps", true), head(p, "seconds", true), head(p, "chain", false), head(p, "cell", false);
	str_add(p->out, "</tr></thead>\n<tbody>\n");
	for (int i = 0; i < plan->n_cells; i++)
		one_row(p, &p->s->cells[i], i >= PAGE, refs, n_refs);
	str_add(p->out, "</tbody></table>");
	report_scroll_end(p);
	str_add(p->out, "<div class=\"controls\" id=\"pages\" hidden></div></section>\n");
}
