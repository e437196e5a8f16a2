/* last_words.h - the end of an attempt's log, for the reason that is recorded of an attempt which cannot give one.
 *
 * Where several processes trained together, the log ends with what their launcher and their MPI say: rulers, advice,
 * and in the middle of it which process ended how. That is told apart here from the processes' own lines. The forms
 * are those of Open MPI's mpirun (4.1, and prterun of 5), MPICH's and Intel MPI's Hydra, and Slurm's srun. */
#ifndef ABLATE_LAST_WORDS_H
#define ABLATE_LAST_WORDS_H

#include <stdbool.h>

struct last_words {
	char line[200];        /* the last line that a process wrote; printable ASCII, "" = none */
	int rank;              /* the process that ended first; -1: the launcher does not say */
	int signal, exit_code; /* how it ended; -1: not by one, or not said */
};

/* Of the text of a log. by_launcher: of several processes, otherwise the last line is all. */
void last_words_of(struct last_words *out, const char *log, bool by_launcher);
/* Of the file DIR/log, which need not exist. */
void last_words_read(struct last_words *out, const char *dir, bool by_launcher);
/* Is it known how a process of several ended? */
bool last_words_tell(const struct last_words *w);
/* "rank 1 was killed by signal 9 (Killed)", "rank 0 exited with code 3". */
void last_words_end(char out[160], const struct last_words *w);

#endif
