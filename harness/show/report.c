/* report.c - the sections of the report in their order (report.h). */
#include "harness/show/report.h"

#include "harness/attest/dsse.h"
#include "harness/show/chart.h"
#include "harness/text/escape.h"
#include "harness/show/figure.h"
#include "harness/show/report_nearest.h"
#include "harness/show/table.h"

#include "model/base/io.h"
#include "model/base/progress.h"
#include "model/base/str.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const char report_css[], report_js[];
#define EMBED(symbol, file) \
	__asm__(".section .rodata\n.global " #symbol "\n" #symbol ":\n.incbin \"" ABLATE_SOURCE_DIR "/harness/show/" file \
	        "\"\n.byte 0\n.previous\n")
EMBED(report_css, "report.css");
EMBED(report_js, "report.js");

struct page {
	struct str *out;
	struct study *s;
	const struct report_ask *ask;
	size_t used; /* bytes of pictures so far */
};

static void tag(struct page *p, const char *open, const char *text, const char *close)
{
	str_add(p->out, open);
	escape_html(p->out, text);
	str_add(p->out, close);
}

/* --- overview --- */

/* In the order in which they are shown. */
static const enum record_state states[] = { RECORD_DONE,    RECORD_RUNNING, RECORD_PENDING,  RECORD_STOPPED,
	                                        RECORD_BLOCKED, RECORD_FAILED,  RECORD_DIVERGED, RECORD_TIMEOUT,
	                                        RECORD_KILLED,  RECORD_LOST };
enum { N_STATES = sizeof states / sizeof *states };

static int count_state(const struct study *s, enum record_state state)
{
	int n = 0;
	for (int i = 0; i < s->plan->n_cells; i++)
		n += s->cells[i].state == state;
	return n;
}

static void tile(struct page *p, long long n, const char *what, const char *state)
{
	str_addf(p->out, "<div class=\"tile\"><b>%lld</b><span class=\"%s%s\">%s</span></div>\n", n, *state ? "state " : "",
	         state, what);
}

static void overview(struct page *p)
{
	const struct plan *plan = p->s->plan;
	const char *last = "";
	double seconds = 0;
	for (int i = 0; i < plan->n_cells; i++) {
		last = strcmp(p->s->cells[i].ended, last) > 0 ? p->s->cells[i].ended : last;
		seconds += p->s->cells[i].seconds;
	}
	str_add(p->out, "<section id=\"overview\" aria-label=\"overview\">\n");
	tag(p, "<p>", plan->grid->text ? plan->grid->text : "", "</p>\n");
	str_add(p->out, "<div class=\"tiles\">\n");
	tile(p, plan->n_arms, "arms", "");
	tile(p, plan->n_cells, "cells", "");
	for (int i = 0; i < N_STATES; i++)
		if (count_state(p->s, states[i]))
			tile(p, count_state(p->s, states[i]), record_state_name(states[i]), record_state_name(states[i]));
	str_addf(p->out, "</div>\n<dl><dt>plan</dt><dd><code>%s</code></dd><dt>results</dt><dd><code>sha256:%s</code></dd>",
	         plan->hash, p->s->results);
	char took[32];
	str_addf(p->out, "<dt>time in attempts</dt><dd>%s</dd>", duration_text(took, seconds));
	if (*last)
		tag(p, "<dt>last attempt ended</dt><dd>", last, "</dd>");
	str_add(p->out, "</dl>\n</section>\n");
}

/* --- tables --- */

static void html_table(struct page *p, const struct table *t)
{
	struct str *out = p->out;
	str_add(out, "<div class=\"scroll\"><table><thead><tr><th scope=\"col\"></th>");
	for (int c = 0; c < t->n_cols; c++)
		tag(p, t->cols[c].numeric ? "<th scope=\"col\" class=\"num\">" : "<th scope=\"col\">", t->cols[c].head,
		    "</th>");
	str_add(out, "</tr></thead>\n<tbody>\n");
	for (int r = 0; r < t->n_rows; r++) {
		if (*t->sections[r] && (!r || strcmp(t->sections[r], t->sections[r - 1]) != 0)) {
			str_addf(out, "<tr class=\"section\"><td colspan=\"%d\">", t->n_cols + 1);
			tag(p, "", t->sections[r], "</td></tr>\n");
		}
		tag(p, "<tr><th scope=\"row\">", t->labels[r], "</th>");
		for (int c = 0; c < t->n_cols; c++) {
			const struct table_cell *x = &t->cells[r * t->n_cols + c];
			str_addf(out, "<td class=\"%s%s\">", t->cols[c].numeric ? "num" : "", x->best ? " best" : "");
			tag(p, "", x->text,
			    x->best ? " <span title=\"best\" aria-label=\"best\">\xe2\x98\x85</span></td>" : "</td>");
		}
		str_add(out, "</tr>\n");
	}
	str_add(out, "</tbody></table></div>\n<ul class=\"notes\">\n");
	for (int i = 0; i < t->n_notes; i++)
		tag(p, "<li>", t->notes[i], "</li>\n");
	str_add(out, "</ul>\n");
}

static void tables(struct page *p)
{
	const struct grid *g = p->s->plan->grid;
	str_add(p->out, "<section id=\"tables\"><h2>Tables</h2>\n");
	for (int i = 0; i < (g->n_tables ? g->n_tables : 1); i++) {
		const struct grid_table *def = g->n_tables ? &g->tables[i] : NULL;
		SCOPED(table) struct table *t = NULL;
		struct err e = ERR_INIT;
		if (def)
			tag(p, "<h3>", def->name, "</h3>\n");
		if (table_build(&t, p->s, def, p->ask->pub, p->ask->command, &e))
			tag(p, "<p><span class=\"state error\">refused</span> ", e.msg, "</p>\n");
		else
			html_table(p, t);
	}
	str_add(p->out, "</section>\n");
}

/* --- gates --- */

static void verdicts(struct page *p)
{
	const struct gates *g = p->ask->gates;
	if (!g || !g->n)
		return;
	char summary[120];
	gate_summary(summary, sizeof summary, g->results, g->n);
	str_add(p->out, "<section id=\"gates\"><h2>Gates</h2>\n");
	tag(p, "<p>", summary,
	    "</p>\n<div class=\"scroll\"><table><thead><tr><th scope=\"col\">gate</th><th scope=\"col\">verdict</th><th "
	    "scope=\"col\">test</th><th scope=\"col\" class=\"num\">difference</th><th scope=\"col\" "
	    "class=\"num\">bounds</th><th scope=\"col\" class=\"num\">margin</th><th "
	    "scope=\"col\">why</th></tr></thead><tbody>\n");
	for (int i = 0; i < g->n; i++) {
		const struct gate_result *r = &g->results[i];
		tag(p, "<tr><th scope=\"row\">", r->rule->name, "</th>");
		str_addf(p->out, "<td><span class=\"state %s\">%s</span>", gate_verdict_name(r->verdict),
		         gate_verdict_name(r->verdict));
		str_addf(p->out, "%s%s</td><td>%s</td>", *r->lean ? ", " : "", r->lean, gate_test_name(r->test));
		if (isfinite(r->diff))
			str_addf(p->out,
			         "<td class=\"num\">%+.4g</td><td class=\"num\">%+.4g to %+.4g</td><td class=\"num\">%.4g</td>",
			         r->diff, r->lo, r->hi, r->margin);
		else
			str_add(p->out, "<td></td><td></td><td></td>");
		tag(p, "<td class=\"wrap\">", r->why, "</td></tr>\n");
	}
	str_add(p->out, "</tbody></table></div></section>\n");
}

/* --- charts --- */

static void one_chart(struct page *p, const struct chart_ask *ask, const char *caption)
{
	SCOPED(chart) struct chart *c = NULL;
	SCOPED(str) struct str svg = { 0 };
	struct err e = ERR_INIT;
	if (chart_build(&c, p->s, ask, &e) || figure_render(&svg, &c->figure, "svg", &e)) {
		tag(p, "<p class=\"soft\">", e.msg, "</p>\n");
		return;
	}
	tag(p, "<figure><img alt=\"", caption, "\" src=\"data:image/svg+xml;base64,");
	dsse_base64(p->out, svg.data, svg.len);
	tag(p, "\"><figcaption>", caption, "</figcaption></figure>\n");
}

static void charts(struct page *p)
{
	const struct grid *g = p->s->plan->grid;
	str_add(p->out, "<section id=\"charts\"><h2>Charts</h2><div class=\"charts\">\n");
	for (int i = 0; i < (g->n_chains ? g->n_chains : 1) && i < 8; i++) {
		const char *chain = g->n_chains ? g->chains[i].name : "";
		struct chart_ask ask = { .kind = "curves",
			                     .chain = chain,
			                     .metric = "",
			                     .curve = "",
			                     .knob = "",
			                     .runs = p->ask->runs,
			                     .pub = p->ask->pub };
		SCOPED(free)
		char *loss = xstrfmt("loss%s%s", *chain ? ", chain " : "", chain),
			 *bars = xstrfmt("metric by arm%s%s", *chain ? ", chain " : "", chain);
		SCOPED(free) char *noise = xstrfmt("noise levels%s%s", *chain ? ", chain " : "", chain);
		one_chart(p, &ask, loss);
		ask.kind = "bars";
		if (g->n_metrics)
			one_chart(p, &ask, bars);
		ask.kind = "sigma";
		one_chart(p, &ask, noise);
	}
	str_add(p->out, "</div></section>\n");
}

/* --- samples --- */

static void samples(struct page *p, bool *has_picture)
{
	const struct plan *plan = p->s->plan;
	int shown = 0, left_out = 0;
	for (int i = 0; i < plan->n_arms; i++) {
		SCOPED(free) char *path = NULL;
		SCOPED(str) struct str png = { 0 };
		struct err e = ERR_INIT;
		const struct study_cell *c = NULL;
		for (int k = 0; k < plan->n_cells && !path; k++) {
			c = &p->s->cells[k];
			path = c->arm == i ? chart_picture(p->s, c, p->ask->runs, -1) : NULL;
		}
		if (!path)
			continue;
		if (io_read(&png, path, REPORT_PICTURES_MAX, &e) || p->used + png.len > REPORT_PICTURES_MAX) {
			left_out++;
			continue;
		}
		p->used += png.len;
		str_add(
			p->out,
			shown++
				? ""
				: "<section id=\"samples\"><h2>Samples</h2>\n<p class=\"soft\">First training seed of each arm, the "
				  "same latents.</p><div class=\"samples\">\n");
		str_addf(p->out, "<figure><img id=\"sample-%d\" alt=\"samples of ", i);
		tag(p, "", plan->rows[plan->arms[i].rows[0]].label, "\" src=\"data:image/png;base64,");
		dsse_base64(p->out, png.data, png.len);
		str_addf(p->out, "\"><figcaption><a href=\"#cell-%.12s\">", c->hash);
		tag(p, "", plan->rows[plan->arms[i].rows[0]].label, "</a></figcaption></figure>\n");
		has_picture[i] = true;
	}
	if (shown)
		str_add(p->out, "</div>\n");
	if (shown && left_out)
		str_addf(p->out, "<p class=\"soft\">The pictures of %d more arm%s were left out to keep the file small.</p>\n",
		         left_out, str_plural(left_out));
	if (shown)
		str_add(p->out, "</section>\n");
}

/* --- cells --- */

static void head(struct page *p, const char *text, bool numeric)
{
	str_addf(p->out, "<th scope=\"col\"%s><button type=\"button\">", numeric ? " class=\"num\"" : "");
	tag(p, "", text, "</button></th>");
}

static void numeric_cell(struct page *p, double x, const char *format)
{
	char shown[40] = "", full[32] = "";
	if (isfinite(x)) {
		snprintf(shown, sizeof shown, strcmp(format, "s") == 0 ? "%.1f" : "%.5g", x);
		str_double(full, x);
	}
	str_addf(p->out, "<td class=\"num\" data-v=\"%s\">%s</td>", full, shown);
}

static void cells(struct page *p)
{
	const struct plan *plan = p->s->plan;
	struct metric_ref refs[METRIC_REFS_MAX];
	int n_refs = grid_metric_refs(refs, METRIC_REFS_MAX, plan->grid);
	str_add(p->out,
	        "<section id=\"cells\"><h2>Cells</h2>\n<div class=\"controls\"><label for=\"filter\">filter</label><input "
	        "id=\"filter\" type=\"search\" placeholder=\"label, chain, seed, hash ...\"><label "
	        "for=\"state\">state</label><select id=\"state\"><option value=\"\">all</option>");
	for (int i = 0; i < N_STATES; i++)
		if (count_state(p->s, states[i]))
			str_addf(p->out, "<option>%s</option>", record_state_name(states[i]));
	str_add(p->out,
	        "</select><span id=\"shown\" class=\"soft\" role=\"status\"></span></div>\n<div class=\"scroll\"><table "
	        "id=\"cells-table\"><thead><tr>");
	head(p, "cell", false), head(p, "arm", false), head(p, "chain", false), head(p, "seed", true),
		head(p, "state", false), head(p, "steps", true);
	for (int i = 0; i < n_refs; i++) {
		SCOPED(free) char *title = metric_title(&refs[i], refs[i].samples);
		head(p, title, true);
	}
	head(p, "seconds", true);
	str_add(p->out, "</tr></thead>\n<tbody>\n");
	for (int i = 0; i < plan->n_cells; i++) {
		const struct study_cell *c = &p->s->cells[i];
		const struct plan_row *row = &plan->rows[plan->arms[c->arm].rows[0]];
		const char *state = record_state_name(c->state);
		str_addf(p->out, "<tr data-state=\"%s\"><td><a href=\"#cell-%.12s\"><code>%.12s</code></a></td>", state,
		         c->hash, c->hash);
		tag(p, "<td>", row->label, "</td>");
		tag(p, "<td>", row->chain, "</td>");
		str_addf(p->out, "<td class=\"num\" data-v=\"%lld\">%lld</td><td title=\"", (long long)c->seed,
		         (long long)c->seed);
		tag(p, "", c->reason, "\">");
		str_addf(p->out, "<span class=\"state %s\">%s</span></td><td class=\"num\" data-v=\"%lld\">%lld</td>", state,
		         state, (long long)c->step, (long long)c->step);
		for (int k = 0; k < n_refs; k++) {
			const struct study_score *x = study_score(p->s, c, &refs[k]);
			numeric_cell(p, x ? x->value : NAN, "g");
		}
		numeric_cell(p, c->seconds > 0 ? c->seconds : NAN, "s");
		str_add(p->out, "</tr>\n");
	}
	str_add(p->out, "</tbody></table></div></section>\n");
}

int report_html(struct str *out, struct study *s, const struct report_ask *ask, struct err *e)
{
	struct page page = { .out = out, .s = s, .ask = ask }, *p = &page;
	const struct grid *g = s->plan->grid;
	SCOPED(free) bool *has_picture = xcalloc((size_t)s->plan->n_arms + 1, sizeof *has_picture);
	bool gates = ask->gates && ask->gates->n;
	str_add(out, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
	             "content=\"width=device-width, initial-scale=1\">\n"
	             "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src "
	             "'unsafe-inline'; script-src 'unsafe-inline'\">\n"
	             "<link rel=\"icon\" href=\"data:,\">\n");
	tag(p, "<title>", g->name, " - ablate report</title>\n<style>\n");
	str_add(out, report_css);
	str_add(out, "</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#cells\">skip to the cells</a>\n<header>\n");
	tag(p, "<h1>", g->name,
	    "</h1>\n<nav aria-label=\"sections\"><a href=\"#overview\">Overview</a><a href=\"#tables\">Tables</a>");
	str_add(out, gates ? "<a href=\"#gates\">Gates</a>" : "");
	str_add(out,
	        "<a href=\"#charts\">Charts</a><a href=\"#cells\">Cells</a><button type=\"button\" id=\"theme\">light / "
	        "dark</button></nav>\n</header>\n<main>\n"
	        "<div id=\"overview-all\">\n");
	overview(p);
	tables(p);
	verdicts(p);
	charts(p);
	samples(p, has_picture);
	if (report_nearest(out, s, ask->runs, &p->used, REPORT_PICTURES_MAX, e))
		return -1;
	cells(p);
	str_add(out, "</div>\n<article id=\"page\" hidden></article>\n</main>\n<footer class=\"soft\"><p>Made by: <code>");
	tag(p, "", ask->command, "</code></p>\n");
	tag(p, "<p>", ask->version, "</p></footer>\n<script type=\"application/json\" id=\"data\">\n");
	if (report_data(out, s, has_picture, e))
		return -1;
	str_add(out, "\n</script>\n<script>\n");
	str_add(out, report_js);
	str_add(out, "</script>\n</body>\n</html>\n");
	return 0;
}
