/* launcher.c - see launcher.h. */
#include "harness/run/launcher.h"

#include "model/base/env.h"
#include "model/base/err.h"
#include "model/base/mem.h"
#include "model/base/str.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* In a word, %p is the program, %d the attempt's folder, %n the number of processes, %m the plugin for MPI and %c the
 * processors of each; a word whose value is not known is left out. */
static const char *const alone[] = { "ablate", "worker", "%d", "--fd", "3", NULL };
static const char *const by_mpirun[] = { "mpirun", "-n", "%n", "%p", "worker", "%d", NULL };

/* What Slurm of 21.08 and later understands. The environment is that of the job's script, whatever sbatch was told of
 * it (SLURM_EXPORT_ENV); the step takes its processors beside what else runs in the job; the processes other than the
 * first end long before it, which samples and scores (--wait); one that fails ends the others. Bound to nothing, the
 * threads of a process have all processors of the step. */
static const char *const by_srun[] = {
	"srun",
	"--mpi=%m",
	"--ntasks=%n",
	"--cpus-per-task=%c",
	"--export=ALL",
	"--overlap",
	"--kill-on-bad-exit=1",
	"--wait=0",
	"--cpu-bind=none",
	"--input=none",
	"%p",
	"worker",
	"%d",
	NULL,
};

/* Settings of Open MPI, in the environment so that another MPI's mpirun accepts the same command line: as many
 * processes as are asked for whatever the machine has, the threads where OpenMP puts them, root in a container. Those
 * of its library count without mpirun, too. */
#define OPEN_MPI \
	{ "OMPI_MCA_rmaps_base_oversubscribe", "1" }, { "OMPI_MCA_hwloc_base_binding_policy", "none" }, \
		{ "OMPI_ALLOW_RUN_AS_ROOT", "1" }, { "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1" }, \
		{ "OMPI_MCA_btl_base_warn_component_unused", "0" }, \
	{ \
		"OMPI_MCA_mpi_yield_when_idle", "1" \
	}
static const char *const for_mpirun[][2] = { OPEN_MPI };

/* A process takes one of the GPUs that it sees, by its number on the node (team_device), so it has to see all of the
 * job's. Where the job was submitted with --gpus-per-task, srun would bind each to one, as number 0; --gpu-bind=none
 * would show it those of other jobs as well, if Slurm does not confine devices (22.05). */
static const char *const for_srun[][2] = { OPEN_MPI, { "SLURM_GPUS_PER_TASK", NULL }, { "SLURM_TRES_PER_TASK", NULL } };
#define COUNT(list) (sizeof(list) / sizeof *(list))

/* mpirun and srun pass SIGUSR1 and SIGUSR2 on and wait; after SIGTERM they would kill the processes before their
 * checkpoint. That is how srun ends a step: killed itself it would leave the processes to run on. */
static const struct launcher_row rows[] = {
	[LAUNCHER_NONE] = { NULL, alone, NULL, 0, .stop = SIGTERM, .end = SIGKILL, .holds_stops = true },
	[LAUNCHER_MPIRUN] = { "mpirun", by_mpirun, for_mpirun, COUNT(for_mpirun), .stop = SIGUSR1, .end = SIGKILL },
	[LAUNCHER_SRUN] = { "srun", by_srun, for_srun, COUNT(for_srun), .stop = SIGUSR1, .end = SIGTERM },
};

const struct launcher_row *launcher_row(enum launcher_kind kind)
{
	REQUIRE((size_t)kind < COUNT(rows));
	return &rows[kind];
}

/* The word with its value; NULL: left out. */
static char *word_of(const char *word, const struct launcher *l, const char *program, const char *dir)
{
	const char *at = strchr(word, '%');
	if (!at)
		return xstrdup(word);
	int before = (int)(at - word);
	switch (at[1]) {
	case 'p': return xstrfmt("%.*s%s", before, word, program);
	case 'd': return xstrfmt("%.*s%s%s", before, word, *dir == '-' ? "./" : "", dir); /* no option */
	case 'n': return xstrfmt("%.*s%d", before, word, l->ranks);
	case 'm': return *l->mpi ? xstrfmt("%.*s%s", before, word, l->mpi) : NULL;
	case 'c': return l->cpus > 0 ? xstrfmt("%.*s%d", before, word, l->cpus) : NULL;
	}
	BUG("%s: no such value", word);
}

char **launcher_words(const struct launcher *l, const char *program, const char *dir)
{
	const char *const *words = launcher_row(l->kind)->words;
	size_t n = 0;
	while (words[n])
		n++;
	char **out = xcalloc(n + 1, sizeof *out);
	for (size_t i = 0, k = 0; i < n; i++) {
		out[k] = word_of(words[i], l, program, dir);
		k += out[k] != NULL;
	}
	return out;
}

void launcher_words_free(char **words)
{
	for (char **w = words; w && *w; w++)
		free(*w);
	free(words);
}

bool launcher_installed(enum launcher_kind kind)
{
	const char *path = env_get(ENV_PATH), *name = launcher_row(kind)->name;
	if (!name)
		return true;
	for (const char *at = path; at; at = strchr(at, ':') ? strchr(at, ':') + 1 : NULL) {
		SCOPED(free) char *file = xstrfmt("%.*s/%s", (int)strcspn(at, ":"), at, name);
		if (access(file, X_OK) == 0)
			return true;
	}
	return false;
}
