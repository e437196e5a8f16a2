/* team.h - the processes that train one cell together. Each takes an equal share of every batch; gradients and loss are
 * averaged over all, so that every process applies the same update and holds the same weights.
 *
 * Processes find each other, and numbers in host memory are carried, by a plugin beside the program: `libablate_mpi.so`
 * (built where CMake finds MPI; ABLATE_TEAM_PLUGIN names another). Rank and size come from it, so from whatever started
 * the processes: mpirun or srun. Numbers in a device's memory are carried by its back end (backend.h), each process
 * having a device of its own.
 *
 * Sums go in buckets, each as soon as the backward pass has written the last of its gradients, while the pass goes
 * on. */
#ifndef ABLATE_TEAM_H
#define ABLATE_TEAM_H

#include "model/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct backend;
struct graph;

/* What a plugin of the same build (model/base/plugin.h) exports as `ablate_team_plugin`. Errors are its own messages,
 * "" when there was none. */
struct team_plugin {
	int (*join)(int *rank, int *size, char error[200]);
	int (*sum_begin)(float *values, size_t n, char error[200]); /* in place, over all ranks, in the background */
	int (*sums_end)(char error[200]);                           /* waits for all that were begun */
	int (*poll)(char error[200]);                               /* lets the background sums proceed */
	int (*tell)(void *bytes, size_t n, char error[200]);        /* from rank 0 to all */
	void (*leave)(void);
};

struct team;
/* Joins the other processes; `expected` is their number, and any other number is an error. */
MUST_CHECK int team_join(struct team **out, int expected, struct err *e);
/* The device of this process, when the first on this machine has `asked`: "cuda:N" counts up from N by the rank on this
 * machine, which Open MPI, MPICH or Slurm say. Others, and NULL, are left unchanged. */
void team_device(char out[32], const struct team *t, const char *asked);
/* Lets the devices of all processes find each other; before team_watch with a graph of b. Nothing to do for the
 * CPU's. */
MUST_CHECK int team_join_devices(struct team *t, struct backend *b, struct err *e);
void team_leave(struct team *t);     /* accepts NULL */
int team_rank(const struct team *t); /* NULL: 0 */
int team_size(const struct team *t); /* NULL: 1 */
/* From here on, running g also averages its gradients (STORE_GRAD of n floats, bound before) and `loss` over the
 * team. g NULL: nothing is summed before team_average, since `grad` is whole only then. */
void team_watch(struct team *t, struct graph *g, float *grad, size_t n, float *loss);
/* After graph_run, or once grad and loss are whole: the averages are there. */
MUST_CHECK int team_average(struct team *t, struct err *e);
/* Gives all processes rank 0's values, by one message; `also` may be NULL. */
MUST_CHECK int team_agree(struct team *t, bool *value, bool *also, struct err *e);

#endif
