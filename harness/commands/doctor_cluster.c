/* doctor_cluster.c - see doctor_report.h. */
#include "harness/commands/doctor_report.h"

#include "harness/slurm/slurm_settings.h"
#include "harness/slurm/slurm_site.h"
#include "model/base/env.h"
#include "model/base/io.h"
#include "model/base/own_files.h"
#include "model/base/plugin.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

/* The plugin is built with the program, if MPI is installed; false: this program was not built here. */
static bool remedy_mpi(struct report *r)
{
	SCOPED(free) char *cache = own_plugin_file("CMakeCache.txt"); /* beside a program that was built here */
	if (!cache)
		return false;
	SCOPED(free) char *folder = xstrndup(cache, (size_t)(strrchr(cache, '/') - cache)), *build = next_quoted(folder);
	SCOPED(free) char *line = xstrfmt("cmake %s && cmake --build %s", build, build);
	doctor_remedy(r, &(struct remedy){ REMEDY_PACKAGE, "libopenmpi-dev", "Open MPI with its headers",
	                                   .gives = "what the plugin for --ranks is built with" });
	doctor_remedy(r, &(struct remedy){ REMEDY_SHELL, line, .gives = "several processes for one cell (--ranks)" });
	return true;
}

/* What the site's Slurm is like, where there is one. */
static void check_site(struct report *r)
{
	struct slurm_site s;
	struct err e = ERR_INIT;
	SCOPED(free) char *file = slurm_site_file();
	if (file)
		doctor_row(r, io_exists(file) ? GOOD : NOTE, "site", "%s%s", file, io_exists(file) ? "" : ": does not exist");
	if (slurm_site_ask(&s, &e)) {
		doctor_row(r, NOTE, "cluster", "%s", e.msg);
		return;
	}
	doctor_row(r, GOOD, "cluster", "%s, Slurm %s: arrays of %d; a task that is stopped before it is done %s",
	           *s.cluster ? s.cluster : "without a name", *s.version ? s.version : "of unknown version", s.max_tasks,
	           slurm_way_text(slurm_way(&s, SLURM_REQUEUE_AUTO)));
}

void doctor_check_cluster(struct report *r)
{
	static const struct remedy mpirun = { REMEDY_PACKAGE, "openmpi-bin", "Open MPI",
		                                  "several processes for one cell (--ranks)", false };
	static const struct remedy slurm = { REMEDY_PACKAGE, "slurm-client", "Slurm's client programs",
		                                 "runs on a cluster (--engine slurm)", false };
	const char *named = env_get(ENV_ABLATE_TEAM_PLUGIN);
	SCOPED(free) char *mpi = named && *named ? xstrdup(named) : own_plugin_file("libablate_mpi.so");
	bool ranks = true; /* with the plugin or by what is proposed */
	doctor_section(r, "several processes");
	if (!mpi) {
		doctor_row(
			r, NOTE, "MPI",
			"no libablate_mpi.so beside the program: `ablate run --ranks N` is not possible; it is built if CMake "
			"finds MPI");
		ranks = remedy_mpi(r);
	} else {
		void *handle;
		struct err e = ERR_INIT;
		bool opened = plugin_open(&handle, mpi, RTLD_LAZY | RTLD_LOCAL, &e) == 0;
		doctor_row(r, opened ? GOOD : NOTE, "MPI", "%s", opened ? mpi : e.msg);
		if (opened)
			(void)dlclose(handle);
		else if (named && *named)
			doctor_remedy(
				r, &(struct remedy){ REMEDY_SHELL, "unset ABLATE_TEAM_PLUGIN",
			                         .gives = "the installation's plugin instead of a file that is not opened" });
	}
	if (doctor_lacks_tool(r, "mpirun", (const char *const[]){ "mpirun", "--version", NULL }, mpirun.gives) && ranks)
		doctor_remedy(r, &mpirun);
	int found = r->n[GOOD];
	if (doctor_lacks_tool(r, "Slurm", (const char *const[]){ "sbatch", "--version", NULL }, slurm.gives))
		doctor_remedy(r, &slurm);
	if (r->n[GOOD] > found)
		check_site(r);
}
