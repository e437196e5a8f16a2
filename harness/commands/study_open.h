/* study_open.h - what table, gate, figure and report begin with: a grid (a file, or the name of one in the database),
 * its plan, the database if there is one, and the study over both. */
#ifndef ABLATE_STUDY_OPEN_H
#define ABLATE_STUDY_OPEN_H

#include "harness/cli/cmd.h"
#include "harness/study/published.h"
#include "harness/study/study.h"

struct opened {
	struct plan *plan;
	struct db *db; /* NULL: there is no database yet, all cells are pending */
	struct study *study;
	struct published *pub;
	char *runs;    /* folder of the attempts' files */
	char *command; /* "ablate table ablations/NAME.toml --set a=b", as a reader would retype it */
};

/* `grid`: a grid file or frozen plan, the [grid] name of a grid that ran into the database, or else a study that comes
 * with the program (paper/cifar10 is its ablations/paper/cifar10.toml): what was not run is pending. The command's
 * options hold PLAN_OPTIONS. No data set is looked for: cells are found by arm and seed, those of a grid opened by name
 * by what was recorded, whichever program did. Exit 2 for a grid that cannot be read. */
MUST_CHECK int study_open(struct opened *out, const struct cli *c, const char *grid, struct err *e);
/* The same for what others will read: without identity (harness/record/hidden.h) unless it is asked for. */
MUST_CHECK int study_open_for_others(struct opened *out, const struct cli *c, const char *grid, bool identity,
                                     struct err *e);
void study_close(struct opened *o);
void scoped_opened(struct opened *o);

#endif
