/* report.h - a study as one HTML file that needs nothing else: overview, tables, gate verdicts, charts, settings
 * against metrics, samples beside real images, a metric over builds, a table of cells in pages, and a page for each
 * cell with its provenance, alone or beside another's.
 *
 * The file fetches nothing (its content security policy forbids it), works from a disk, by keyboard, on a phone, in
 * light and dark, and prints. Style and script are report.css and report*.js, compiled in. Every text from outside is
 * escaped. The same database, files and data sets give the same bytes. */
#ifndef ABLATE_REPORT_H
#define ABLATE_REPORT_H

#include "harness/study/gate_grid.h"
#include "harness/study/published.h"
#include "harness/study/study.h"

struct report_ask {
	const char *command;         /* shown in the footer */
	const char *runs;            /* folder of the attempts' files, for pictures */
	const char *runs_link;       /* the same from where the report will lie, for links to pictures; NULL: no links */
	const char *version;         /* of the program */
	const struct gates *gates;   /* judged; may be NULL */
	const struct published *pub; /* may be NULL */
};

enum { REPORT_PICTURES_MAX = 4 << 20 }; /* bytes of pictures in all; further ones are links, or left out */

/* Exit 5 for a table with mixed protocols, as for `ablate table`: the refusal is then shown in its place, and the
 * report is written all the same. -1 only for what the database refuses. */
MUST_CHECK int report_html(struct str *out, struct study *s, const struct report_ask *ask, struct err *e);

#endif
