/* grid_command.h - the table [command] of a grid, and of the site's file: the three commands of --engine command
 * (harness/batch/engine_batch.h) and what tasks ask for. It changes no cell and no plan. */
#ifndef ABLATE_GRID_COMMAND_H
#define ABLATE_GRID_COMMAND_H

#include "harness/grid/grid_keys.h"
#include "harness/grid/grid_slurm.h"

/* Texts are of the documents that were read; NULL, 0 and empty: not given. */
struct grid_command {
	struct slurm_list submit, query, cancel; /* a program and its arguments */
	const char *memory;
	int gpus;              /* of each process */
	struct grid_slurm job; /* as in [slurm]: program, time_s, cpus, throttle, prologue, container, env */
};

/* What a table [command] gives, over what *io has: a key replaces that key, a variable that variable. */
MUST_CHECK int grid_command_read(struct grid_command *io, const struct toml_value *table, struct err *e);

/* Of a table with `keys`, what [slurm] and [command] have alike: time, throttle, program, prologue, container, env. */
MUST_CHECK int grid_job_read(struct grid_slurm *io, const struct toml_value *table, const struct grid_keys *keys,
                             struct err *e);
/* A list of texts of a line each; *io keeps what it has if the key is absent. */
MUST_CHECK int grid_words(struct slurm_list *io, const struct toml_value *table, const struct grid_keys *keys,
                          const char *key, struct err *e);
/* Is the text one word: not empty, no blanks, nothing that is not printed? */
MUST_CHECK int grid_check_word(const struct toml_value *at, const char *key, const char *text, struct err *e);

#endif
