/* run_command.h - what `run` and `resume` share: options, a run with progress on stderr, its summary. */
#ifndef ABLATE_RUN_COMMAND_H
#define ABLATE_RUN_COMMAND_H

#include "harness/cli/cmd.h"
#include "harness/plan/plan.h"
#include "harness/run/run_plan.h"
#include "harness/run/runner.h"
#include "harness/cli/threads_option.h"
#include "harness/commands/on_finish.h"
#include "harness/commands/place_options.h"
#include "harness/commands/slurm_ask.h"
#include "harness/commands/batch_ask.h"
#include "harness/commands/shard_results.h"

#define RUN_OPTIONS \
	PLACE_OPTIONS, THREADS_OPTION("threads of each cell (default: see --jobs)"), \
		{ .name = "again", .kind = OPT_FLAG, .help = "also rerun cells that diverged" }, \
		{ .name = "no-identity", \
		  .kind = OPT_FLAG, \
		  .help = "record no host name, no path and no device's number ($ABLATE_NO_IDENTITY)" }, \
		{ .name = "ignore-disk", \
		  .kind = OPT_FLAG, \
		  .help = "begin though the disk seems too small for the checkpoints" }, \
		{ .name = "rebuild", \
		  .kind = OPT_STRING, \
		  .arg = "stale", \
		  .help = "stale: make cells again, from nothing, whose results another build of the numerics made" }, \
		ON_FINISH_OPTION, ENGINE_OPTIONS, \
	{ \
		.name = "wait", .kind = OPT_FLAG, .help = "slurm, command: wait until the jobs have ended, then collect" \
	}

/* What --json prints: of the cells, or of what was submitted. */
extern const struct json_key run_keys[], slurm_submitted_keys[], batch_submitted_keys[];
#define RUN_FORMS \
	JSON_FORM("the outcome, without --engine", run_keys), \
		JSON_FORM("with --engine slurm: what was submitted", slurm_submitted_keys, \
	              .unseen = "Slurm (tests/e2e/slurm.sh)"), \
		JSON_FORM("with --engine command: what was submitted", batch_submitted_keys), \
		JSON_FORM("with --engine, and --wait or nothing left to submit: what the tasks have produced", \
	              shards_report_keys)

/* Runs all cells of the plan; returns the exit code. */
int run_command(struct cli *c, struct plan *p, const char *what);
/* The same by --engine slurm (slurm_command.c): the plan is frozen already. o: options and budgets; ask: of the
 * jobs. */
int slurm_command(struct cli *c, struct plan *p, const struct run_set *set, struct run_options *o,
                  const struct slurm_options *ask);
/* The same by --engine command (batch_command.c). */
int batch_command(struct cli *c, struct plan *p, const struct run_set *set, struct run_options *o,
                  const struct batch_options *ask);
/* Collects what the tasks have produced and reports what is missing (exit 1). */
int slurm_finish(struct cli *c, const struct run_plan *run);
void run_budget_of(struct run_options *o, const struct grid_budget *b);
/* A line about cells that another build made, with the command that makes them again. */
void run_tell_stale(const struct cli *c, const struct run_result *r);
/* Sets the options given on the command line (not db, budgets). */
void run_options_of(struct run_options *o, const struct cli *c);

/* Which of --microbatch and --device were given (enum run_said); auto is the default's word. */
unsigned said_of(const struct cli *c);

/* Lines and a bar on stderr for a run of `steps` steps. */
struct run_display;
struct run_display *run_display_new(const struct cli *c, const char *what, struct run_options *o);
void run_display_free(struct run_display *d,
                      bool patient); /* patient: waits until someone reads the remaining output */

#endif
