/* test_launcher.c - the command lines by which the processes of an attempt are started. */
#include "harness/run/launcher.h"

#include "model/base/str.h"
#include "tests/common/tempdir.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

static const struct {
	struct launcher by;
	const char *dir, *words;
} cases[] = {
	{ { 0 }, "runs/1", "ablate worker runs/1 --fd 3" },
	{ { 0 }, "-runs", "ablate worker ./-runs --fd 3" },
	{ { .kind = LAUNCHER_MPIRUN, .ranks = 3 }, "runs/1", "mpirun -n 3 /opt/ablate worker runs/1" },
	{ { .kind = LAUNCHER_SRUN, .ranks = 2, .mpi = "pmix_v4", .cpus = 8 },
	  "runs/1",
	  "srun --mpi=pmix_v4 --ntasks=2 --cpus-per-task=8 --export=ALL --overlap --kill-on-bad-exit=1 --wait=0 "
	  "--cpu-bind=none --input=none /opt/ablate worker runs/1" },
	{ { .kind = LAUNCHER_SRUN, .ranks = 2, .mpi = "pmi2" },
	  "runs/1",
	  "srun --mpi=pmi2 --ntasks=2 --export=ALL --overlap --kill-on-bad-exit=1 --wait=0 --cpu-bind=none "
	  "--input=none /opt/ablate worker runs/1" },
};

Test(launcher, words_are_those_of_its_row)
{
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct str line = { 0 };
		char **words = launcher_words(&cases[i].by, "/opt/ablate", cases[i].dir);
		for (char **w = words; *w; w++)
			str_addf(&line, "%s%s", w == words ? "" : " ", *w);
		cr_assert_str_eq(line.data, cases[i].words);
		launcher_words_free(words);
		str_release(&line);
	}
}

/* SIGTERM to mpirun or srun would end the processes before their checkpoint; SIGKILL to srun would leave them. */
Test(launcher, signals_are_those_that_it_understands)
{
	cr_assert_eq(launcher_row(LAUNCHER_NONE)->stop, SIGTERM);
	cr_assert_eq(launcher_row(LAUNCHER_MPIRUN)->stop, SIGUSR1);
	cr_assert_eq(launcher_row(LAUNCHER_SRUN)->stop, SIGUSR1);
	cr_assert_eq(launcher_row(LAUNCHER_NONE)->end, SIGKILL);
	cr_assert_eq(launcher_row(LAUNCHER_MPIRUN)->end, SIGKILL);
	cr_assert_eq(launcher_row(LAUNCHER_SRUN)->end, SIGTERM);
}

Test(launcher, is_installed_if_it_is_in_path)
{
	char *dir = tempdir_make(), *path;
	cr_assert_eq(setenv("PATH", dir, 1), 0);
	cr_assert(launcher_installed(LAUNCHER_NONE));
	cr_assert_not(launcher_installed(LAUNCHER_SRUN));
	path = tempdir_file(dir, "srun", "#!/bin/sh\n", 10);
	cr_assert_not(launcher_installed(LAUNCHER_SRUN), "it cannot be executed");
	cr_assert_eq(chmod(path, 0755), 0);
	cr_assert(launcher_installed(LAUNCHER_SRUN));
	cr_assert_not(launcher_installed(LAUNCHER_MPIRUN));
	free(path);
	tempdir_remove(dir);
}
