/* launcher.h - what starts the processes of an attempt: nothing where it is one, mpirun or Slurm's srun where several
 * train one cell (model/train/team.h). A table has, of each, how it is called, what is set for it in the environment,
 * and which signals it understands. */
#ifndef ABLATE_LAUNCHER_H
#define ABLATE_LAUNCHER_H

#include <stdbool.h>
#include <stddef.h>

enum launcher_kind { LAUNCHER_NONE, LAUNCHER_MPIRUN, LAUNCHER_SRUN };

/* How the processes of an attempt are started; { 0 } is one process, without a launcher. */
struct launcher {
	enum launcher_kind kind;
	int ranks;
	char mpi[32]; /* srun: by which of its plugins (`srun --mpi=list`) the processes find each other */
	int cpus;     /* srun: processors of each process; 0 = as Slurm divides those of the job */
};

struct launcher_row {
	const char *name; /* of the launcher's program; NULL = there is none */
	const char *const *words;
	const char *const (*settings)[2]; /* name and value, where the user has none; without value: removed */
	size_t n_settings;
	int stop;         /* the signal that asks for a checkpoint and an end; also what it gets when we die */
	int end;          /* the signal that ends all processes at once */
	bool holds_stops; /* the program itself takes a stop that comes before it listens: it starts with them blocked */
};
const struct launcher_row *launcher_row(enum launcher_kind kind);

/* argv for `PROGRAM worker DIR` by this launcher, NULL at its end; heap, for launcher_words_free. */
char **launcher_words(const struct launcher *l, const char *program, const char *dir);
void launcher_words_free(char **words);
/* Is its program in PATH? True for LAUNCHER_NONE. */
bool launcher_installed(enum launcher_kind kind);

#endif
