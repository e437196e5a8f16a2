/* slurm_step.h - what starts the processes of one cell inside a job of Slurm: srun, where it has a plugin by which the
 * processes of our MPI (libablate_mpi.so) find each other, else mpirun, which starts its daemons through Slurm. */
#ifndef ABLATE_SLURM_STEP_H
#define ABLATE_SLURM_STEP_H

#include "harness/run/launcher.h"
#include "model/base/err.h"

/* The plugin, of those that `srun --mpi=list` prints, that an MPI can use: "pmix". version: as MPI_Get_library_version
 * says; pmi2: an Open MPI has been built for that as well. false: none. */
bool slurm_mpi_plugin(char out[32], const char *list, const char *version, bool pmi2);

/* The launcher for `ranks` processes (> 1) of `cpus` processors each (0: not said), after a trial step by srun. said:
 * one line for people, what was chosen and why. EXIT_USAGE: the job has no room for so many, or there is neither
 * launcher; with the remedy. Outside of a job: mpirun. */
MUST_CHECK int slurm_step_launcher(struct launcher *out, char said[400], int ranks, int cpus, struct err *e);

#endif
