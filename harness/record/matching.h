/* matching.h - the files below a folder that a pattern names, whatever the folder itself is called. */
#ifndef ABLATE_RECORD_MATCHING_H
#define ABLATE_RECORD_MATCHING_H

#include "model/base/err.h"

struct matching {
	char **v; /* sorted */
	int n;
}; /* zero-initialised is empty */

/* The paths that begin with `stem`, taken as it is, and go on as `pattern`, one of glob(3), says. None is no error; a
 * folder that cannot be read is, as what it holds would not be missed. */
int matching_find(struct matching *out, const char *stem, const char *pattern, struct err *e);
void scoped_matching(struct matching *m); /* SCOPED(matching) struct matching m = { 0 }; */

/* The journals of a run folder, a file for each attempt. */
int matching_journals(struct matching *out, const char *runs, struct err *e);

/* Everything of a run folder that records something; each of its folders is read once. */
struct run_files {
	struct matching journals, others; /* others: what was merged into it from elsewhere */
	char *ledger;                     /* NULL: there is none */
};
int matching_run_files(struct run_files *out, const char *runs, struct err *e);
void scoped_run_files(struct run_files *f); /* SCOPED(run_files) struct run_files f = { 0 }; */

#endif
