/* slurm_script.h - job scripts: POSIX shell, in which every word that comes from outside is quoted. */
#ifndef ABLATE_SLURM_SCRIPT_H
#define ABLATE_SLURM_SCRIPT_H

#include "harness/slurm/slurm_submission.h"

/* Appends the text in single quotes of a shell. */
void slurm_quote(struct str *out, const char *text);
/* The script of a task (base >= 0), or of the merge job. plan: path of the frozen plan. */
MUST_CHECK int slurm_script(struct str *out, const char *plan, int base, enum slurm_requeue way,
                            const struct slurm_options *o, struct err *e);

/* The script of any task of the plan, for --engine command: its argument is an index into the plan. dir: where it
 * runs. */
MUST_CHECK int slurm_script_of_index(struct str *out, const char *plan, const char *dir, const struct slurm_options *o,
                                     struct err *e);

#endif
