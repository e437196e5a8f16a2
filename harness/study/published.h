/* published.h - results/published.toml: numbers from papers, each with its source and how certain it is.
 *
 * The file describes itself in its head comment. The reader is strict: unknown keys, papers that are not declared and
 * two values for one (paper, label, data, metric, nfe) are errors with file and line (exit 2). */
#ifndef ABLATE_PUBLISHED_H
#define ABLATE_PUBLISHED_H

#include "model/base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct published_paper {
	const char *id, *cite;
};

struct published_value {
	const char *paper, *label, *data, *metric; /* arXiv id; the row's name; cifar10; fid */
	const char *const *aliases;                /* n_aliases further labels */
	size_t n_aliases;
	int nfe;
	double value;
	const char *from, *read_from; /* where it was read; "table", "text" or "figure" */
	bool confirmed;
};

struct published; /* owns every text of its values */

/* path NULL: the file that comes with the program. */
MUST_CHECK int published_read(struct published **out, const char *path, struct err *e);
void published_free(struct published *p); /* accepts NULL */
void scoped_published(struct published **p);
size_t published_papers(const struct published_paper **out, const struct published *p);
size_t published_values(const struct published_value **out, const struct published *p);
/* The value for an arm's label (or alias) on a data set, NULL when none is known. paper NULL or "" = any. Labels
 * compare without regard to case. */
const struct published_value *published_find(const struct published *p, const char *paper, const char *label,
                                             const char *data, const char *metric, int nfe);
const char *published_cite(const struct published *p, const char *paper); /* NULL for an unknown paper */

#endif
