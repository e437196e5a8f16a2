/* cmd-doctor.c - `ablate doctor`: what this program finds on this machine, and what to do about what it does not find.
 *
 * One check is one row of the output: a state, what was found, and the remedy. Only "bad" is a failure (exit 1): missing
 * data or weights stop the studies that need them, not the program. */
#define _GNU_SOURCE
#include "cmd.h"

#include "db.h"
#include "engine_slurm.h"
#include "escape.h"
#include "host.h"
#include "json_out.h"
#include "metrics/blas.h"
#include "metrics/extractor.h"
#include "metrics/weights.h"
#include "model/backend.h"
#include "model/config.h"
#include "model/cpu.h"
#include "model/data/dataset.h"
#include "model/data/shapes.h"
#include "model/dnn.h"
#include "model/nvidia.h"
#include "provenance.h"
#include "threads.h"

#include <dlfcn.h>
#include <link.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum state { GOOD, NOTE, MISSING, BAD };
static const char *const state_names[] = { "ok", "note", "missing", "bad" };

struct report { json_t *rows, *processors; bool as_json; int n[4]; const char *section; };

static void row(struct report *r, enum state state, const char *what, const char *fmt, ...) PRINTF_LIKE(4, 5);
static void row(struct report *r, enum state state, const char *what, const char *fmt, ...)
{
	char text[1200];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	r->n[state]++;
	json_t *o = json_object();
	(void)json_object_set_new(o, "section", json_string(r->section));
	(void)json_object_set_new(o, "state", json_string(state_names[state]));
	(void)json_object_set_new(o, "what", json_out_text(what));
	(void)json_object_set_new(o, "found", json_out_text(text));
	(void)json_array_append_new(r->rows, o);
	SCOPED(str) struct str shown = { 0 }, name = { 0 };
	escape_plain(&shown, text);
	escape_plain(&name, what);
	if (!r->as_json)
		printf("  %-8s %-24s %s\n", state_names[state], str_text(&name), str_text(&shown));
}

static void section(struct report *r, const char *name)
{
	r->section = name;
	if (!r->as_json)
		printf("%s%s\n", json_array_size(r->rows) ? "\n" : "", name);
}

static void check_program(struct report *r, const json_t *facts)
{
	section(r, "program");
	SCOPED(free) char *version = cmd_version_text();
	row(r, GOOD, "version", "%s", version);
	row(r, provenance_dirty() ? NOTE : GOOD, "commit", "%s%s", provenance_commit(), provenance_dirty() ? ", with changes that are not committed" : "");
	row(r, GOOD, "compiler", "%s", json_string_value(json_object_get(facts, "compiler")));
}

/* Processors that are there, those that may be used, and what computes on them: three numbers in a container. */
static void check_processors(struct report *r)
{
	static const char *const why[] = { [THREADS_PROCESSORS] = "one for each processor", [THREADS_AFFINITY] = "one for each that this process may be put on",
		                               [THREADS_QUOTA] = "as the quota allows", [THREADS_OMP] = "OMP_NUM_THREADS" };
	struct cpus c;
	char waiting[128];
	cpus_find(&c, "");
	enum threads_why because = threads_why(&c);
	row(r, GOOD, "processors", "%d online, %d that this process may be put on", c.online, c.affinity);
	if (isfinite(c.quota))
		row(r, c.quota < c.affinity ? NOTE : GOOD, "quota", "%.4g processors' worth of time (%s)", c.quota, c.quota_from);
	else
		row(r, GOOD, "quota", "none");
	row(r, cpu_threads() > c.usable ? NOTE : GOOD, "threads", "%d: %s%s; `ablate run` shares %d among its --jobs", cpu_threads(), why[because],
	    cpu_threads() > c.usable ? ", more than can work at once" : "", c.usable);
	row(r, GOOD, "waiting threads", "%s", threads_waiting(waiting));
	r->processors = json_pack("{s:i, s:i, s:o, s:o, s:i, s:i, s:s, s:s}", "online", c.online, "affinity", c.affinity, "quota", json_out_real(c.quota),
	                          "quota_from", json_out_text(*c.quota_from ? c.quota_from : NULL), "usable", c.usable, "threads", cpu_threads(),
	                          "threads_from", because == THREADS_OMP ? "OMP_NUM_THREADS" : because == THREADS_QUOTA ? "quota" :
	                          because == THREADS_AFFINITY ? "affinity" : "processors", "waiting", waiting);
}

static void check_machine(struct report *r, const json_t *facts)
{
	SCOPED(str) struct str isa = { 0 };
	const json_t *word;
	size_t i;
	struct host_fs fs;
	struct statvfs space;
	section(r, "machine");
	json_array_foreach(json_object_get(facts, "isa"), i, word)
		str_addf(&isa, " %s", json_string_value(word));
	row(r, GOOD, "processor", "%s:%s", json_string_value(json_object_get(facts, "cpu")), str_text(&isa));
	check_processors(r);
	row(r, GOOD, "memory", "%.1f GiB", (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE) / (1 << 30));
	host_fs(&fs, ".");
	if (statvfs(".", &space) == 0) {
		double free_gib = (double)space.f_bavail * (double)space.f_frsize / (1 << 30);
		row(r, free_gib < 1 || fs.network ? NOTE : GOOD, "this folder", "%s, %.1f GiB free%s", fs.name, free_gib,
		    fs.network ? "; a network file system: the database is used by one program at a time" : "");
	}
}

static void check_libraries(struct report *r, const json_t *facts)
{
	const char *name, *core = blas()->corename ? blas()->corename() : NULL;
	json_t *version;
	section(r, "libraries");
	row(r, GOOD, "oneDNN", "%s, uses %s", dnn_version(), dnn_isa());
	row(r, core && strcmp(core, "Prescott") == 0 ? NOTE : GOOD, "OpenBLAS", "kernels for %s%s", core ? core : "(not told)",
	    core && strcmp(core, "Prescott") == 0 ? ": slow ones; set OPENBLAS_CORETYPE to Haswell or SkylakeX" : "");
	json_object_foreach(json_object_get(facts, "libraries"), name, version)
		if (strncmp(name, "oneDNN", 6) != 0 && strncmp(name, "OpenBLAS", 8) != 0)
			row(r, GOOD, name, "%s", json_string_value(version));
}

/* One CUDA device, opened to be asked what it is. */
static void check_cuda(struct report *r, int number)
{
	char name[32];
	struct err e = ERR_INIT;
	struct backend *b;
	struct backend_facts f;
	(void)snprintf(name, sizeof name, "cuda:%d", number);
	if (backend_open(&b, name, DTYPE_FP32, &e)) {
		row(r, NOTE, name, "%s", e.msg);
		return;
	}
	b->ops->facts(b, &f);
	row(r, GOOD, name, "%s, %.1f GiB (%.1f free), driver %s, %s", f.device, (double)f.memory / 0x1p30, (double)f.memory_free / 0x1p30, f.driver,
	    f.libraries);
	backend_free(b);
}

/* The plugin says which of NVIDIA's libraries it took (check_cuda); here each is opened as the plugin would, so that a machine without a device
 * can be made ready. */
static void check_library(struct report *r, struct nvidia_library *l)
{
	struct link_map *map = NULL;
	if (nvidia_open(l, NULL))
		row(r, GOOD, l->name, "%s", dlinfo(l->handle, RTLD_DI_LINKMAP, &map) == 0 && map->l_name && *map->l_name ? map->l_name : l->file);
	else if (nvidia_unwanted(l))
		row(r, NOTE, l->name, "left out (%s): %s", l->why_not, l->without);
	else
		row(r, NOTE, l->name, "%s: %s; install %s, or name the file in %s", l->why_not, l->without, l->remedy, l->variable);
}

/* Work on a GPU needs a plugin beside the program and a driver. */
static void check_device(struct report *r)
{
	int n = 0;
	struct err e = ERR_INIT;
	SCOPED(free) char *plugin = backend_cuda_plugin();
	section(r, "devices");
	row(r, GOOD, "cpu", "used by --device cpu, and by auto where there is no other");
	if (backend_cuda_devices(&n, &e)) {
		row(r, NOTE, "cuda", "%s", e.msg);
	} else {
		row(r, GOOD, "cuda", "%s: %d device%s", plugin ? plugin : "", n, n == 1 ? "" : "s");
		for (int i = 0; i < n; i++)
			check_cuda(r, i);
	}
	for (int i = 0; i < NVIDIA_LIBRARIES; i++)
		check_library(r, &nvidia[i]);
}

/* The first "NAME VERSION" line that a program prints of itself. */
static void check_tool(struct report *r, const char *what, const char *const argv[], const char *without)
{
	struct err e = ERR_INIT;
	SCOPED(str) struct str answer = { 0 };
	if (slurm_call(&answer, argv, &e))
		row(r, NOTE, what, "%s: %s", e.msg, without);
	else
		row(r, GOOD, what, "%.*s", (int)strcspn(str_text(&answer), "\n"), str_text(&answer));
}

/* Several processes for a cell, several machines for a grid. */
static void check_cluster(struct report *r)
{
	const char *named = getenv("ABLATE_TEAM_PLUGIN");
	SCOPED(free) char *mpi = named && *named ? xstrdup(named) : io_data_file("libablate_mpi.so");
	section(r, "several processes");
	if (!mpi) {
		row(r, NOTE, "MPI", "no libablate_mpi.so beside the program: `ablate run --ranks N` is not possible; it is built where CMake finds MPI "
		    "(Debian: libopenmpi-dev)");
	} else {
		void *handle = dlopen(mpi, RTLD_LAZY | RTLD_LOCAL);
		if (handle)
			row(r, GOOD, "MPI", "%s", mpi);
		else
			row(r, NOTE, "MPI", "%s; install its MPI library (Debian: libopenmpi3), or build again", dlerror());
		if (handle)
			(void)dlclose(handle);
	}
	check_tool(r, "mpirun", (const char *const[]){ "mpirun", "--version", NULL }, "it starts the processes of --ranks (Debian: openmpi-bin)");
	check_tool(r, "Slurm", (const char *const[]){ "sbatch", "--version", NULL }, "--engine slurm submits by it (Debian: slurm-client)");
}

static void check_data(struct report *r)
{
	int n;
	const struct data_shape *s = data_shapes(&n);
	section(r, "data sets");
	for (int i = 0; i < n; i++) {
		SCOPED(free) char *folder = dataset_folder(s[i].name);
		if (folder)
			row(r, GOOD, s[i].name, "%s", folder);
		else
			row(r, MISSING, s[i].name, "%s; licence %s; `ablate data import %s FILE`", s[i].origin, s[i].licence, s[i].name);
	}
}

static void check_weights(struct report *r)
{
	section(r, "feature extractors");
	for (const struct extractor_row *x = extractor_rows; x->name; x++) {
		struct err e = ERR_INIT;
		SCOPED(extractor) struct extractor *opened = NULL;
		struct extractor_options options = { 0 };
		if (extractor_open(&opened, x->name, &options, &e))
			row(r, MISSING, x->name, "%s", e.msg);
		else
			row(r, GOOD, x->name, "%d features%s%.12s", opened->dim, *opened->weights_sha256 ? ", weights " : ", no weights needed",
			    opened->weights_sha256);
	}
}

/* Weights that are no extractor's: of learned metrics, and what training starts from. */
static void check_other_weights(struct report *r)
{
	section(r, "other weights");
	for (const struct weights_row *w = weights_rows; w->name; w++) {
		const struct extractor_row *x = extractor_rows;
		while (x->name && strcmp(x->name, w->name) != 0)
			x++;
		if (x->name)
			continue;
		SCOPED(free) char *path = weights_path(w);
		if (weights_here(w))
			row(r, GOOD, w->name, "%s", path);
		else
			row(r, MISSING, w->name, "%s; `ablate weights %s %s%s`", w->text, w->url ? "fetch" : "import", w->name, w->url ? "" : " FILE");
	}
}

static void check_records(struct report *r, const char *path)
{
	struct err e = ERR_INIT;
	SCOPED(db) struct db *db = NULL;
	SCOPED(free) char *cache = io_cache_dir();
	section(r, "records");
	if (!io_exists(path))
		row(r, NOTE, path, "not there yet: `ablate run` makes it");
	else if (db_open(&db, path, DB_READ, &e) || db_check(db, &e))
		row(r, BAD, path, "%s", e.msg);
	else
		row(r, GOOD, path, "whole%s%s", *db_note(db) ? "; " : "", db_note(db));
	if (io_mkdirs(cache, &e) || access(cache, W_OK))
		row(r, BAD, "cache", "%s cannot be written; set ABLATE_CACHE", cache);
	else
		row(r, GOOD, "cache", "%s", cache);
}

static int run(struct cli *c)
{
	struct report r = { .rows = json_array(), .as_json = c->json };
	json_t *facts = provenance_facts();
	check_program(&r, facts);
	check_machine(&r, facts);
	check_libraries(&r, facts);
	check_device(&r);
	check_cluster(&r);
	check_data(&r);
	check_weights(&r);
	check_other_weights(&r);
	check_records(&r, c->db);
	json_decref(facts);
	int code = r.n[BAD] ? EXIT_INCOMPLETE : EXIT_OK;
	if (c->json) {
		json_t *o = json_object();
		(void)json_object_set(o, "checks", r.rows);
		(void)json_object_set(o, "processors", r.processors);
		for (int i = 0; i < 4; i++)
			(void)json_object_set_new(o, state_names[i], json_integer(r.n[i]));
		(void)cli_print_json(c, o);
	} else {
		printf("\n%d ok, %d to note, %d missing, %d bad\n", r.n[GOOD], r.n[NOTE], r.n[MISSING], r.n[BAD]);
	}
	json_decref(r.rows);
	json_decref(r.processors);
	return code;
}

const struct cmd cmd_doctor = {
	.name = "doctor",
	.summary = "show what is found on this machine: libraries, devices, data, weights, records",
	.help = "Looks at everything that runs depend on and says what to do about what is missing. Nothing is fetched. Exit 1 only "
	        "when something is broken (a damaged database, a cache that cannot be written).",
	.run = run,
};
