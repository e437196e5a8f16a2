/* report.c - the sections of the report in their order (report.h). */
#include "harness/show/report_private.h"

#include "harness/attest/dsse.h"
#include "harness/show/chart.h"
#include "harness/show/figure.h"
#include "harness/show/report_nearest.h"

#include "model/base/progress.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EMBED(symbol, file) \
	__asm__(".section .rodata\n.global " #symbol "\n" #symbol ":\n.incbin \"" ABLATE_SOURCE_DIR "/harness/show/" file \
	        "\"\n.byte 0\n.previous\n")
extern const char report_css[], report_js[], report_cells_js[], report_plot_js[], report_explore_js[],
	report_samples_js[], report_compare_js[];
EMBED(report_css, "report.css");
EMBED(report_js, "report.js");
EMBED(report_cells_js, "report_cells.js");
EMBED(report_plot_js, "report_plot.js");
EMBED(report_explore_js, "report_explore.js");
EMBED(report_samples_js, "report_samples.js");
EMBED(report_compare_js, "report_compare.js");
/* One script: the first part makes what the others use, the last one reads the address and shows what it names. */
static const char *const scripts[] = { report_js,         report_plot_js,    report_cells_js,
	                                   report_explore_js, report_samples_js, report_compare_js };

/* --- overview --- */

static void tile(struct report_page *p, long long n, const char *what, const char *state)
{
	str_addf(p->out, "<div class=\"tile\"><b>%lld</b><span class=\"%s%s\">%s</span></div>\n", n, *state ? "state " : "",
	         state, what);
}

static void overview(struct report_page *p)
{
	const struct plan *plan = p->s->plan;
	const char *last = "";
	double seconds = 0;
	for (int i = 0; i < plan->n_cells; i++) {
		last = strcmp(p->s->cells[i].ended, last) > 0 ? p->s->cells[i].ended : last;
		seconds += p->s->cells[i].seconds;
	}
	str_add(p->out, "<section id=\"overview\" aria-label=\"overview\">\n");
	report_tag(p, "<p>", plan->grid->text ? plan->grid->text : "", "</p>\n");
	str_add(p->out, "<div class=\"tiles\">\n");
	tile(p, plan->n_arms, "arms", "");
	tile(p, plan->n_cells, "cells", "");
	int n_states;
	const enum record_state *states = report_states(&n_states, p->s);
	for (int i = 0; i < n_states; i++)
		tile(p, report_count_state(p->s, states[i]), record_state_name(states[i]), record_state_name(states[i]));
	str_addf(p->out, "</div>\n<dl><dt>plan</dt><dd><code>%s</code></dd><dt>results</dt><dd><code>sha256:%s</code></dd>",
	         plan->hash, p->s->results);
	char took[32];
	str_addf(p->out, "<dt>time in attempts</dt><dd>%s</dd>", duration_text(took, seconds));
	if (*last)
		report_tag(p, "<dt>last attempt ended</dt><dd>", last, "</dd>");
	str_add(p->out, "</dl>\n</section>\n");
}

/* --- gates --- */

static void verdicts(struct report_page *p)
{
	const struct gates *g = p->ask->gates;
	if (!g || !g->n)
		return;
	char summary[120];
	gate_summary(summary, sizeof summary, g->results, g->n);
	str_add(p->out, "<section id=\"gates\"><h2>Gates</h2>\n");
	report_tag(p, "<p>", summary, "</p>\n");
	report_scroll(p, "gates");
	str_add(p->out, "<table class=\"results\"><thead><tr><th scope=\"col\">gate</th><th scope=\"col\">verdict</th><th "
	                "scope=\"col\">test</th><th scope=\"col\" class=\"num\">difference</th><th scope=\"col\" "
	                "class=\"num\">bounds</th><th scope=\"col\" class=\"num\">margin</th><th "
	                "scope=\"col\">why</th></tr></thead><tbody>\n");
	for (int i = 0; i < g->n; i++) {
		const struct gate_result *r = &g->results[i];
		report_tag(p, "<tr><th scope=\"row\">", r->rule->name, "</th>");
		str_addf(p->out, "<td><span class=\"state %s\">%s</span>", gate_verdict_name(r->verdict),
		         gate_verdict_name(r->verdict));
		str_addf(p->out, "%s%s</td><td>%s</td>", *r->lean ? ", " : "", r->lean, gate_test_name(r->test));
		if (isfinite(r->diff))
			str_addf(p->out,
			         "<td class=\"num\">%+.4g</td><td class=\"num\">%+.4g to %+.4g</td><td class=\"num\">%.4g</td>",
			         r->diff, r->lo, r->hi, r->margin);
		else
			str_add(p->out, "<td></td><td></td><td></td>");
		report_tag(p, "<td class=\"wrap\">", r->why, "</td></tr>\n");
	}
	str_add(p->out, "</tbody></table>");
	report_scroll_end(p);
	str_add(p->out, "</section>\n");
}

/* --- charts --- */

static void one_chart(struct report_page *p, const struct chart_ask *ask, const char *caption)
{
	SCOPED(chart) struct chart *c = NULL;
	SCOPED(str) struct str svg = { 0 };
	struct err e = ERR_INIT;
	if (chart_build(&c, p->s, ask, &e) || figure_render(&svg, &c->figure, "svg", &e)) {
		if (e.code == EXIT_INCOMPLETE)
			report_tag(p, "<p class=\"soft\">Nothing to draw yet: ", caption, ".</p>\n");
		else
			report_tag(p, "<p class=\"soft\">", e.msg, "</p>\n");
		return;
	}
	report_tag(p, "<figure><img alt=\"", caption, "\" src=\"data:image/svg+xml;base64,");
	dsse_base64(p->out, svg.data, svg.len);
	report_tag(p, "\"><figcaption>", caption, "</figcaption></figure>\n");
}

static void charts(struct report_page *p)
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

/* --- the page --- */

static void explore(struct report_page *p)
{
	str_add(
		p->out,
		"<section id=\"explore\"><h2>Explore</h2>\n<noscript><p>This part needs scripts, which are switched "
		"off.</p></noscript><h3>A setting against a metric</h3><div id=\"scatter\"></div>\n<h3>Settings and "
		"metrics together</h3><div id=\"parallel\"></div>\n<h3>Training curves</h3><div id=\"curves\"></div></section>\n");
}

struct parts {
	bool gates, samples, nearest, explore, compare;
};

static void navigation(struct report_page *p, const struct parts *has)
{
	const struct {
		const char *id, *text;
		bool there;
	} links[] = { { "overview", "Overview", true },       { "tables", "Tables", true },
		          { "gates", "Gates", has->gates },       { "charts", "Charts", true },
		          { "explore", "Explore", has->explore }, { "samples", "Samples", has->samples },
		          { "nearest", "Nearest", has->nearest }, { "history", "History", true },
		          { "compare", "Compare", has->compare }, { "cells", "Cells", true } };
	str_add(p->out, "<nav aria-label=\"sections\">");
	for (size_t i = 0; i < sizeof links / sizeof *links; i++)
		if (links[i].there)
			str_addf(p->out, "<a href=\"#%s\">%s</a>", links[i].id, links[i].text);
	str_add(p->out, "<button type=\"button\" id=\"theme\">light / dark</button></nav>\n");
}

static void head(struct report_page *p)
{
	str_add(p->out,
	        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
	        "content=\"width=device-width, initial-scale=1\">\n"
	        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src "
	        "'unsafe-inline'; script-src 'unsafe-inline'\">\n"
	        "<link rel=\"icon\" href=\"data:,\">\n");
	report_tag(p, "<title>", p->s->plan->grid->name, " - ablate report</title>\n<style>\n");
	str_add(p->out, report_css);
	str_add(p->out, "</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#cells\">skip to the cells</a>\n<header>\n");
	report_tag(p, "<h1>", p->s->plan->grid->name, "</h1>\n");
}

static int foot(struct report_page *p, const char *history, struct err *e)
{
	report_tag(
		p,
		"</div>\n<article id=\"page\" hidden></article>\n</main>\n<div id=\"tip\" role=\"tooltip\" hidden></div>\n"
		"<footer class=\"soft\"><p>Made by: <code>",
		p->ask->command, "</code></p>\n");
	report_tag(p, "<p>", p->ask->version, "</p></footer>\n<script type=\"application/json\" id=\"data\">\n");
	if (report_data(p->out, p->s, history, e))
		return -1;
	str_add(p->out, "\n</script>\n<script>\n\"use strict\";\n");
	for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++)
		str_add(p->out, scripts[i]);
	str_add(p->out, "</script>\n</body>\n</html>\n");
	return 0;
}

int report_html(struct str *out, struct study *s, const struct report_ask *ask, struct err *e)
{
	struct report_page page = { .out = out, .s = s, .ask = ask }, *p = &page;
	SCOPED(free) bool *near = xcalloc((size_t)s->plan->n_arms + 1, sizeof *near);
	SCOPED(str) struct str nearest = { 0 }, history = { 0 };
	/* first, since the samples point at it; at most half of the room for pictures is taken by it */
	if (report_nearest(&nearest, near, s, ask->runs, &p->used, REPORT_PICTURES_MAX / 2, e))
		return -1;
	struct parts has = { .gates = ask->gates && ask->gates->n,
		                 .nearest = nearest.len > 0,
		                 .explore = report_count_state(s, RECORD_DONE) > 0,
		                 .compare = s->plan->n_cells > 1 };
	if (report_has_samples(&has.samples, p, e))
		return -1;
	head(p);
	navigation(p, &has);
	str_add(out, "</header>\n<main>\n<div id=\"overview-all\">\n");
	overview(p);
	report_tables(p);
	verdicts(p);
	charts(p);
	if (has.explore)
		explore(p);
	if (has.samples && report_samples(p, near, e))
		return -1;
	str_addn(out, str_text(&nearest), nearest.len);
	if (report_history(p, &history, e))
		return -1;
	report_cells(p);
	return foot(p, str_text(&history), e);
}
