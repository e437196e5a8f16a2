/* slurm_step.c - see slurm_step.h. */
#include "harness/slurm/slurm_step.h"

#include "harness/slurm/slurm_client.h"
#include "model/base/env.h"
#include "model/base/mem.h"
#include "model/base/own_files.h"
#include "model/base/plugin.h"
#include "model/base/str.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VERSION_MAX = 1 << 14 }; /* more than any MPI_MAX_LIBRARY_VERSION_STRING (MPICH: 8192) */

/* What each MPI understands, the best first. Intel MPI is not among them: without a setting of its own, each of its
 * processes would be alone. */
static const struct family {
	const char *begins; /* its version */
	const char *plugins[3];
} families[] = {
	{ "Open MPI", { "pmix" } },
	{ "MPICH", { "pmi2", "pmix" } },
	{ "MVAPICH", { "pmi2" } },
	{ "MPI VERSION    : CRAY MPICH", { "cray_shasta" } },
};

/* Is the word in the list? "pmix" is also one of its versions, the highest. */
static bool offers(char out[32], const char *list, const char *wanted)
{
	static const char between[] = " \t\n,:";
	size_t n = strlen(wanted);
	bool found = false;
	for (const char *at = list + strspn(list, between); *at; at += strspn(at, between)) {
		size_t length = strcspn(at, between);
		bool same = length == n && strncmp(at, wanted, n) == 0;
		bool version = strcmp(wanted, "pmix") == 0 && strncmp(at, "pmix_v", 6) == 0;
		if (same || (version && length < 32 && (!found || strncmp(at, out, length) > 0))) {
			(void)snprintf(out, 32, "%.*s", (int)length, at);
			found = true;
		}
		if (same)
			return true;
		at += length;
	}
	return found;
}

bool slurm_mpi_plugin(char out[32], const char *list, const char *version, bool pmi2)
{
	for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
		if (strncmp(version, families[i].begins, strlen(families[i].begins)) != 0)
			continue;
		for (const char *const *p = families[i].plugins; *p; p++)
			if (offers(out, list, *p))
				return true;
		return i == 0 && pmi2 && offers(out, list, "pmi2");
	}
	return false;
}

/* Asks the library of MPI itself; heap text. */
static int mpi_version(char **out, struct err *e)
{
	const char *named = env_get(ENV_ABLATE_TEAM_PLUGIN);
	SCOPED(free) char *path = named && *named ? xstrdup(named) : own_plugin_file("libablate_mpi.so");
	void *library;
	int (*ask)(char *text, int *n), n = 0;
	if (!path)
		return err_code(e, EXIT_USAGE,
		                "--ranks: no libablate_mpi.so beside the program: it is built if CMake finds MPI (Debian: "
		                "libopenmpi-dev)");
	if (plugin_open(&library, path, RTLD_LAZY | RTLD_LOCAL, e))
		return -1;
	*(void **)&ask = dlsym(library, "MPI_Get_library_version");
	*out = xcalloc(1, VERSION_MAX);
	if (!ask || ask(*out, &n))
		(void)snprintf(*out, VERSION_MAX, "an unknown MPI");
	(void)dlclose(library);
	return 0;
}

static bool open_mpi_has_pmi2(void)
{
	static const char *const ask[] = { "ompi_info", "--parsable", NULL };
	SCOPED(str) struct str text = { 0 };
	return slurm_call(&text, ask, NULL) == 0 && strstr(str_text(&text), "mca:pmix:s2:");
}

/* By the words of the real step: the plugin can be opened on the nodes, and the job has room for the processes. */
static int try_step(const struct launcher *l, struct err *e)
{
	SCOPED(str) struct str nothing = { 0 };
	char **words = launcher_words(l, "true", ".");
	int rc = slurm_call(&nothing, (const char *const *)words, e);
	launcher_words_free(words);
	return rc;
}

/* The plugin by which srun can start them; "" with *why where there is none. An error: the job is too small. */
static int find_plugin(struct launcher *l, const char *version, struct err *why, struct err *e)
{
	static const char *const list[] = { "sh", "-c", "srun --mpi=list 2>&1", NULL }; /* on stderr before 21.08 */
	SCOPED(str) struct str text = { 0 };
	if (slurm_call(&text, list, why))
		return 0;
	if (!slurm_mpi_plugin(l->mpi, str_text(&text), version, false) &&
	    !slurm_mpi_plugin(l->mpi, str_text(&text), version, open_mpi_has_pmi2())) {
		(void)err_set(why, "srun offers nothing by which its processes could find each other (srun --mpi=list)");
		return 0;
	}
	if (!try_step(l, why))
		return 0;
	*l->mpi = '\0';
	if (strstr(why->msg, "More processors requested than permitted"))
		return err_code(e, EXIT_USAGE, "--ranks %d: the job has no room for %d processes: submit it with --ntasks=%d",
		                l->ranks, l->ranks, l->ranks);
	return 0;
}

int slurm_step_launcher(struct launcher *out, char said[400], int ranks, int cpus, struct err *e)
{
	SCOPED(free) char *version = NULL;
	struct err why = ERR_INIT;
	*out = (struct launcher){ .kind = LAUNCHER_SRUN, .ranks = ranks, .cpus = cpus };
	if (mpi_version(&version, e))
		return -1;
	int name = (int)strcspn(version, ",\n");
	if (!env_get(ENV_SLURM_JOB_ID))
		(void)err_set(&why, "this is no job of Slurm");
	else if (find_plugin(out, version, &why, e))
		return -1;
	if (*out->mpi) {
		(void)snprintf(said, 400, "%d processes for each cell, started by srun --mpi=%s (%.*s)", ranks, out->mpi, name,
		               version);
		return 0;
	}
	out->kind = LAUNCHER_MPIRUN;
	(void)snprintf(said, 400, "%d processes for each cell, started by mpirun (%.*s): %.200s", ranks, name, version,
	               why.msg);
	if (launcher_installed(LAUNCHER_MPIRUN))
		return 0;
	return err_code(e, EXIT_USAGE,
	                "--ranks %d: neither srun nor mpirun can start processes of %.*s: %.300s; mpirun is not in PATH "
	                "(Open MPI: use a Slurm with PMIx, or install openmpi-bin on the nodes)",
	                ranks, name, version, why.msg);
}
