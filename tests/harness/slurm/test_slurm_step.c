/* test_slurm_step.c - which of srun's plugins an MPI can use, by the lists of several versions of Slurm, and what is
 * chosen where there is none. */
#include "harness/slurm/slurm_step.h"

#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/base/own_files.h"
#include "model/base/str.h"
#include "tests/common/tempdir.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LIST_22_05 \
	"MPI plugin types are...\n\tpmix\n\tnone\n\tcray_shasta\n\tpmi2\nspecific pmix plugin versions available: " \
	"pmix_v3,pmix_v4\n"
#define LIST_20_11 "srun: MPI types are...\nsrun: none\nsrun: pmi2\nsrun: pmix_v2\nsrun: pmix_v3\n"
#define NO_PMIX    "MPI plugin types are...\n\tnone\n\tpmi2\n"
#define OPEN_MPI   "Open MPI v4.1.4, package: Debian OpenMPI, ident: 4.1.4"
#define MPICH      "MPICH Version:\t4.0.2\n"

static const struct {
	const char *list, *version;
	bool pmi2;
	const char *plugin;
} cases[] = {
	{ LIST_22_05, OPEN_MPI, false, "pmix" },
	{ LIST_22_05, OPEN_MPI, true, "pmix" },
	{ LIST_20_11, OPEN_MPI, false, "pmix_v3" },
	{ NO_PMIX, OPEN_MPI, false, NULL },
	{ NO_PMIX, OPEN_MPI, true, "pmi2" },
	{ LIST_22_05, MPICH, false, "pmi2" },
	{ "MPI plugin types are...\n\tnone\n\tpmix\n", MPICH, false, "pmix" },
	{ LIST_22_05, "MPI VERSION    : CRAY MPICH version 8.1.25.17", false, "cray_shasta" },
	{ LIST_22_05, "Intel(R) MPI Library 2021.10 for Linux* OS", true, NULL },
	{ "MPI plugin types are...\n\tpmixture\n\tpmi\n", OPEN_MPI, true, NULL },
	{ "", OPEN_MPI, true, NULL },
};

Test(slurm_step, a_plugin_is_chosen_that_the_mpi_understands)
{
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char plugin[32] = "";
		cr_assert_eq(slurm_mpi_plugin(plugin, cases[i].list, cases[i].version, cases[i].pmi2), cases[i].plugin != NULL,
		             "case %zu: %s", i, plugin);
		if (cases[i].plugin)
			cr_assert_str_eq(plugin, cases[i].plugin, "case %zu", i);
	}
}

/* A folder that is all of PATH but the shell's own. */
static char *folder_of_path(void)
{
	char *dir = tempdir_make();
	SCOPED(free) char *path = xstrfmt("%s:/bin", dir), *plugin = own_plugin_file("libablate_mpi.so");
	if (!plugin)
		cr_skip_test("built without MPI");
	cr_assert_eq(setenv("PATH", path, 1), 0);
	cr_assert_eq(setenv("SLURM_JOB_ID", "7", 1), 0);
	return dir;
}

static void program(const char *dir, const char *name, const char *body)
{
	SCOPED(free) char *text = xstrfmt("#!/bin/sh\n%s\n", body);
	SCOPED(free) char *path = tempdir_file(dir, name, text, strlen(text));
	cr_assert_eq(chmod(path, 0755), 0);
}

#define SRUN(list, then) "[ \"$1\" = --mpi=list ] && { printf '" list "'; exit; }\n" then

Test(slurm_step, srun_with_pmix)
{
	char *dir = folder_of_path();
	SCOPED(free) char *order = xstrfmt("echo \"$@\" >%s/order", dir), *body = xstrfmt(SRUN("pmix_v4", "%s"), order);
	struct launcher l;
	struct err e = ERR_INIT;
	char said[400];
	program(dir, "srun", body);
	cr_assert_eq(slurm_step_launcher(&l, said, 2, 3, &e), 0, "%s", e.msg);
	cr_assert_eq(l.kind, LAUNCHER_SRUN);
	cr_assert_str_eq(l.mpi, "pmix_v4");
	cr_assert_eq(l.cpus, 3);
	cr_assert(strstr(said, "started by srun --mpi=pmix_v4"), "%s", said);
	SCOPED(free) char *path = xstrfmt("%s/order", dir);
	SCOPED(str) struct str asked = { 0 };
	cr_assert_eq(io_read(&asked, path, 4096, &e), 0, "%s", e.msg);
	cr_assert(strstr(asked.data, "--mpi=pmix_v4 --ntasks=2 --cpus-per-task=3 "), "%s", asked.data);
	cr_assert(strstr(asked.data, " true "), "%s", asked.data);
	tempdir_remove(dir);
}

Test(slurm_step, srun_whose_plugin_cannot_be_opened_leaves_it_to_mpirun)
{
	char *dir = folder_of_path();
	struct launcher l;
	struct err e = ERR_INIT;
	char said[400];
	program(dir, "srun", SRUN("pmix", "echo 'can not load PMIx library' >&2; exit 1"));
	program(dir, "mpirun", "");
	cr_assert_eq(slurm_step_launcher(&l, said, 2, 0, &e), 0, "%s", e.msg);
	cr_assert_eq(l.kind, LAUNCHER_MPIRUN);
	cr_assert(strstr(said, "started by mpirun"), "%s", said);
	cr_assert(strstr(said, "can not load PMIx library"), "%s", said);
	tempdir_remove(dir);
}

Test(slurm_step, a_job_that_is_too_small_is_refused_though_there_is_mpirun)
{
	char *dir = folder_of_path();
	struct launcher l;
	struct err e = ERR_INIT;
	char said[400];
	program(dir, "srun",
	        SRUN("pmix",
	             "echo 'srun: error: Unable to create step for job 7: More processors requested than permitted' "
	             ">&2; exit 1"));
	program(dir, "mpirun", "");
	cr_assert_eq(slurm_step_launcher(&l, said, 2, 0, &e), -1);
	cr_assert_eq(e.code, EXIT_USAGE);
	cr_assert(strstr(e.msg, "submit it with --ntasks=2"), "%s", e.msg);
	tempdir_remove(dir);
}

Test(slurm_step, outside_of_a_job_it_is_mpirun)
{
	char *dir = folder_of_path();
	struct launcher l;
	struct err e = ERR_INIT;
	char said[400];
	cr_assert_eq(unsetenv("SLURM_JOB_ID"), 0);
	program(dir, "srun", SRUN("pmix", ""));
	program(dir, "mpirun", "");
	cr_assert_eq(slurm_step_launcher(&l, said, 2, 0, &e), 0, "%s", e.msg);
	cr_assert_eq(l.kind, LAUNCHER_MPIRUN);
	tempdir_remove(dir);
}

Test(slurm_step, neither_is_an_error_with_the_remedy)
{
	char *dir = folder_of_path();
	struct launcher l;
	struct err e = ERR_INIT;
	char said[400];
	SCOPED(free) char *path = xstrdup(dir);
	cr_assert_eq(setenv("PATH", path, 1), 0); /* without the system's mpirun */
	cr_assert_eq(slurm_step_launcher(&l, said, 2, 0, &e), -1);
	cr_assert_eq(e.code, EXIT_USAGE);
	cr_assert(strstr(e.msg, "neither srun nor mpirun can start processes of Open MPI"), "%s", e.msg);
	cr_assert(strstr(e.msg, "openmpi-bin"), "%s", e.msg);
	tempdir_remove(dir);
}
