/* plan_open.h - from a command line to a plan: --set, --only, the data on this machine, and what the database has. The
 * commands that take a grid file (plan, run, status, table, gate, ...) begin here.
 *
 *     static const struct opt options[] = { PLAN_OPTIONS, { 0 } };
 *     SCOPED(plan) struct plan *p = NULL;
 *     if (plan_open(&p, c, c->args[0], &e)) return cli_fail(c, &e); */
#ifndef ABLATE_PLAN_OPEN_H
#define ABLATE_PLAN_OPEN_H

#include "harness/cli/cmd.h"
#include "harness/plan/plan.h"

#define PLAN_OPTIONS \
	{ .name = "set", \
	  .kind = OPT_STRINGS, \
	  .arg = "KEY=VALUE", \
	  .help = "override a setting of every row, the preset, or seeds, budget.*, metric.*, grid.name (TOML value or " \
		      "bare word)" }, \
	{ \
		.name = "only", .kind = OPT_STRINGS, .arg = "LABEL", \
		.help = "only rows with that label, variant, arm hash or pattern" \
	}

/* Heap text: the file of the study of that name that comes with the program ("quickstart", "paper/ect"); NULL when
 * there is none, and for anything written like a path. */
char *shipped_study(const char *name);

/* Reads the grid (a file, or the name of a study that comes with the program; or a frozen plan, by its name
 * *.plan.json) with --set and --only of c, asks the data sets for their hashes and c->db, if it is there, for finished
 * cells. Data that is missing blocks its cells; it is not an error. */
MUST_CHECK int plan_open(struct plan **out, const struct cli *c, const char *path, struct err *e);
/* For commands that only look at configs: asks neither data nor database, and takes a preset's name for the grid that
 * is this preset alone. */
MUST_CHECK int plan_open_any(struct plan **out, const struct cli *c, const char *path, struct err *e);
/* Warns of what is allowed and rarely meant (plan_doubts.h). */
void tell_doubts(const struct cli *c, const struct plan *p);
/* Prints the plan, as text or with --json as JSON. Returns the exit code. What `plan` and `run --dry-run` do. */
int plan_show(const struct cli *c, const struct plan *p);
/* "ablate run GRID --set 'K=V' --only 'L' --db DB": the same cells by `verb`, as a command to type; heap text. */
char *plan_command(const struct cli *c, const char *verb);

#endif
