/* report_private.h - the sections of the report, each in a file of its own, in the order of the page. */
#ifndef ABLATE_REPORT_PRIVATE_H
#define ABLATE_REPORT_PRIVATE_H

#include "harness/show/report.h"
#include "harness/show/table.h"

#include "model/base/str.h"

struct report_page {
	struct str *out;
	struct study *s;
	const struct report_ask *ask;
	size_t used; /* bytes of pictures so far */
};

/* `text` escaped, between two pieces of HTML. */
void report_tag(struct report_page *p, const char *open, const char *text, const char *close);
/* Opens and closes what scrolls by itself where the page is narrow, by keyboard too; `name` is said of it. */
void report_scroll(struct report_page *p, const char *name);
void report_scroll_end(struct report_page *p);
/* The label of an arm's first row. */
const char *report_label(const struct report_page *p, int arm);

/* The tables that the grid declares (report_table.c). */
void report_tables(struct report_page *p);
/* Sample pictures of each arm beside real ones (report_samples.c). nearest[arm]: there is an element nearest-ARM. */
MUST_CHECK int report_samples(struct report_page *p, const bool *nearest, struct err *e);
/* Is there a picture to show, or to point at? */
MUST_CHECK int report_has_samples(bool *has, const struct report_page *p, struct err *e);
/* Which builds made the scores, and the place of the chart of them; *data: what that is drawn from, as JSON. */
MUST_CHECK int report_history(struct report_page *p, struct str *data, struct err *e);
/* The table of all cells, and the choice of two of them (report_cells.c). */
void report_cells(struct report_page *p);
/* Of the states, in the order in which they are shown, those that cells have; *n of them, in s->arena. */
const enum record_state *report_states(int *n, struct study *s);
int report_count_state(const struct study *s, enum record_state state);

/* What the script draws from, as JSON; `history` is report_history's (report_data.c). */
MUST_CHECK int report_data(struct str *out, struct study *s, const char *history, struct err *e);
/* JSON of our own making, but inside <script>: "<" must not occur there. Heap text. */
char *report_safe_json(const char *json);

#endif
