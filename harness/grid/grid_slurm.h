/* grid_slurm.h - what jobs on a cluster ask for: the table [slurm] of a grid, and of the site's file, in which the
 * keys are the same. It changes no cell and no plan. */
#ifndef ABLATE_GRID_SLURM_H
#define ABLATE_GRID_SLURM_H

#include "harness/text/toml.h"

enum { SLURM_LIST_MAX = 32, SLURM_CHAIN = 4 };

/* Keys whose value goes to sbatch as it is, as --KEY=VALUE. */
enum slurm_word {
	SLURM_PARTITION,
	SLURM_ACCOUNT,
	SLURM_QOS,
	SLURM_RESERVATION,
	SLURM_CONSTRAINT,
	SLURM_GRES,
	SLURM_MEM,
	SLURM_WORDS
};
extern const char *const slurm_word_names[SLURM_WORDS];

/* How a task that was asked to stop comes back: Slurm requeues what exits 75; the task calls scontrol; jobs that wait
 * behind it go on; nobody does. */
enum slurm_requeue { SLURM_REQUEUE_AUTO, SLURM_REQUEUE_EXIT, SLURM_REQUEUE_SCONTROL, SLURM_REQUEUE_CHAIN, SLURM_NEVER };

struct slurm_list {
	const char *v[SLURM_LIST_MAX];
	int n;
};
struct slurm_variable {
	const char *name, *value;
};

/* All texts are of the documents that were read; NULL, 0 and empty: not given. */
struct grid_slurm {
	const char *word[SLURM_WORDS];
	const char *program; /* of a container: where ablate is in it */
	double time_s;       /* limit of a task */
	int cpus;            /* of each process */
	int throttle;        /* tasks at once */
	int chain;           /* jobs behind each other, of SLURM_REQUEUE_CHAIN */
	int requeue;         /* enum slurm_requeue */
	struct slurm_list prologue, container, options, merge;
	struct slurm_variable env[SLURM_LIST_MAX];
	int n_env;
};

/* What a table [slurm] gives, over what *io has: a key replaces that key, a variable that variable. */
MUST_CHECK int grid_slurm_read(struct grid_slurm *io, const struct toml_value *table, struct err *e);

#endif
