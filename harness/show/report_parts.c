/* report_parts.c - pieces of HTML that several sections of the report are made of (report_private.h). */
#include "harness/show/report_private.h"

#include "harness/text/escape.h"

void report_tag(struct report_page *p, const char *open, const char *text, const char *close)
{
	str_add(p->out, open);
	escape_html(p->out, text);
	str_add(p->out, close);
}

void report_scroll(struct report_page *p, const char *name)
{
	report_tag(p, "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"", name, "\">");
}

void report_scroll_end(struct report_page *p)
{
	str_add(p->out, "</div>\n");
}

const char *report_label(const struct report_page *p, int arm)
{
	const struct plan *plan = p->s->plan;
	return plan->rows[plan->arms[arm].rows[0]].label;
}
