/* slurm_ask.h - what a command line, a grid and the site say of jobs on a cluster, for the commands that submit or
 * plan. */
#ifndef ABLATE_SLURM_ASK_H
#define ABLATE_SLURM_ASK_H

#include "harness/cli/cmd.h"
#include "harness/slurm/slurm_settings.h"
#include "harness/slurm/slurm_submission.h"

#define ENGINE_OPTIONS \
	{ .name = "engine", \
	  .kind = OPT_STRING, \
	  .arg = "local|slurm|command", \
	  .help = "processes of this machine (default), arrays of Slurm, or tasks of the three commands of [command]" }, \
	{ \
		.name = "sbatch", .kind = OPT_STRINGS, .arg = "OPTION", \
		.help = "slurm: give tasks this option of sbatch, too, e.g. --sbatch=--exclusive" \
	}

/* What jobs are asked for. Texts are of the command line, the grid and the site's file. */
struct slurm_ask {
	struct slurm_options options;
	struct slurm_settings settings;
	const char **extra;
};
/* What a command line says of a job, whichever the engine; checked. */
MUST_CHECK int slurm_options_of(struct slurm_options *out, const struct cli *c, struct err *e);
/* All of it but what the site's Slurm is like (options.site): everything is checked before anything is written. */
MUST_CHECK int slurm_ask(struct slurm_ask *out, const struct cli *c, const struct grid *g, struct err *e);
void scoped_slurm_ask(struct slurm_ask *a); /* SCOPED(slurm_ask) struct slurm_ask a = { 0 }; */

#endif
