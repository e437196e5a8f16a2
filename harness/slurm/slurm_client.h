/* slurm_client.h - Slurm's client programs, called with a time limit. */
#ifndef ABLATE_SLURM_CLIENT_H
#define ABLATE_SLURM_CLIENT_H

#include "model/base/err.h"
#include "model/base/str.h"

#define SLURM_CALL_S 20.0 /* a client that hangs longer is killed: the controller does not answer */

/* Runs a client program; its stdout into *out. Not installed, refused (its message is passed on) or silent for
 * SLURM_CALL_S: EXIT_USAGE, as nothing was run. */
MUST_CHECK int slurm_call(struct str *out, const char *const argv[], struct err *e);
MUST_CHECK int slurm_is_here(struct err *e); /* 0 when sbatch can be started */

#endif
