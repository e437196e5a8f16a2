/* gate_others.h - the grids that gates compare with besides their own (against_grid), opened when asked for. */
#ifndef ABLATE_GATE_OTHERS_H
#define ABLATE_GATE_OTHERS_H

#include "harness/commands/study_open.h"

struct gate_others {
	const struct cli *c;
	const char *db; /* where their results are; NULL = the command's database */
	struct gate_other {
		char *name;
		struct opened opened;
	} * v;
	int n, cap;
};

/* ctx: a struct gate_others. The study of that grid as its file has it: the command's --set and --only are for its own
 * grid. NULL with e: exit 2 for a grid that cannot be read, 5 where there is no database. */
struct study *gate_others_study(void *ctx, const char *grid, struct err *e);
void gate_others_close(struct gate_others *o);
void scoped_gate_others(struct gate_others *o);

#endif
