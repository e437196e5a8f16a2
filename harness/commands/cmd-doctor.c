/* cmd-doctor.c - `ablate doctor`: what this program finds on this machine, and what to type next about what it does not
 * find.
 *
 * One check is one row of the output: a state and what was found. A remedy is given where the check is made; the end of
 * the output, the commands to type, follows from the remedies (doctor_next.h). Only "bad" is a failure (exit 1):
 * missing data or weights stop the studies that need them, not the program. */
#define _GNU_SOURCE
#include "harness/cli/cmd.h"

#include "harness/plan/scaling.h"
#include "harness/record/db.h"
#include "harness/commands/doctor_report.h"
#include "harness/text/escape.h"
#include "harness/show/figure.h"
#include "harness/record/host.h"
#include "harness/text/json_out.h"
#include "metrics/math/blas.h"
#include "metrics/features/extractor.h"
#include "metrics/weights/weights.h"
#include "model/cpu/devices.h"
#include "model/base/env.h"
#include "model/base/own_files.h"
#include "model/base/plugin.h"
#include "model/config/config.h"
#include "model/base/cpu.h"
#include "model/base/str.h"
#include "model/data/dataset.h"
#include "model/data/shapes.h"
#include "model/cpu/dnn.h"
#include "model/cuda/nvidia.h"
#include "model/formats/hdf5.h"
#include "model/formats/lmdb.h"
#include "harness/record/provenance.h"
#include "harness/cli/threads.h"

#include <dlfcn.h>
#include <libgen.h>
#include <link.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

static void check_program(struct report *r, const json_t *facts)
{
	doctor_section(r, "program");
	SCOPED(free) char *version = cmd_version_text();
	doctor_row(r, GOOD, "version", "%s", version);
	bool traced = strcmp(provenance_commit(), "unknown") != 0;
	doctor_row(r, !traced || provenance_dirty() ? NOTE : GOOD, "commit", "%s%s", provenance_commit(),
	           !traced ? ": the build found neither git nor a file COMMIT; results will not say what made them"
	           : provenance_dirty() ? ", with uncommitted changes"
	                                : "");
	doctor_row(r, GOOD, "compiler", "%s", json_string_value(json_object_get(facts, "compiler")));
	doctor_row(r, GOOD, "fingerprint", "%.12s: numerics of this build with the CPU's libraries",
	           json_string_value(json_object_get(facts, "fingerprint")));
	struct err e = ERR_INIT;
	char *values = NULL;
	int gone = own_data_need(&values, "results/published.toml", &e);
	doctor_row(r, gone ? BAD : GOOD, "own data", "%s", gone ? e.msg : dirname(dirname(values)));
	free(values);
}

/* Processors of the machine, those that may be used, and the threads on them: three different numbers in a
 * container. */
static void check_processors(struct report *r)
{
	static const char *const why[] = { [THREADS_PROCESSORS] = "one for each processor",
		                               [THREADS_AFFINITY] = "one for each that this process may run on",
		                               [THREADS_QUOTA] = "as the quota allows",
		                               [THREADS_OMP] = "OMP_NUM_THREADS" };
	struct cpus c;
	char waiting[128];
	cpus_find(&c, "");
	enum threads_why because = threads_why(&c);
	doctor_row(r, GOOD, "processors", "%d online, %d that this process may run on", c.online, c.affinity);
	if (isfinite(c.quota))
		doctor_row(r, c.quota < c.affinity ? NOTE : GOOD, "quota", "%.4g processors' worth of time (%s)", c.quota,
		           c.quota_from);
	else
		doctor_row(r, GOOD, "quota", "none");
	doctor_row(r, cpu_threads() > c.usable ? NOTE : GOOD, "threads",
	           "%d: %s%s; `ablate run` shares %d among its --jobs", cpu_threads(), why[because],
	           cpu_threads() > c.usable ? ", more than can run at once" : "", c.usable);
	doctor_row(r, GOOD, "waiting threads", "%s", threads_waiting(waiting));
	SCOPED(free) char *scaling = scaling_told();
	doctor_row(r, GOOD, "cells at once", "%s", scaling);
	r->processors = json_pack("{s:i, s:i, s:o, s:o, s:i, s:i, s:s, s:s}", "online", c.online, "affinity", c.affinity,
	                          "quota", json_out_real(c.quota), "quota_from",
	                          json_out_text(*c.quota_from ? c.quota_from : NULL), "usable", c.usable, "threads",
	                          cpu_threads(), "threads_from",
	                          because == THREADS_OMP        ? "OMP_NUM_THREADS"
	                          : because == THREADS_QUOTA    ? "quota"
	                          : because == THREADS_AFFINITY ? "affinity"
	                                                        : "processors",
	                          "waiting", waiting);
}

static void check_machine(struct report *r, const json_t *facts)
{
	SCOPED(str) struct str isa = { 0 };
	const json_t *word;
	size_t i;
	struct host_fs fs;
	struct statvfs space;
	doctor_section(r, "machine");
	json_array_foreach(json_object_get(facts, "isa"), i, word) str_addf(&isa, " %s", json_string_value(word));
	doctor_row(r, GOOD, "processor", "%s:%s", json_string_value(json_object_get(facts, "cpu")), str_text(&isa));
	check_processors(r);
	doctor_row(r, GOOD, "memory", "%.1f GiB",
	           (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE) / (1 << 30));
	host_fs(&fs, ".");
	if (statvfs(".", &space) == 0) {
		double free_gib = (double)space.f_bavail * (double)space.f_frsize / (1 << 30);
		doctor_row(r, free_gib < 1 || fs.network ? NOTE : GOOD, "this folder", "%s, %.1f GiB free%s", fs.name, free_gib,
		           fs.network ? "; a network file system: only one program at a time can use the database" : "");
	}
}

/* OpenBLAS is opened at its first use, and falls back to the kernels of a processor of 2004 where it does not know this
 * one or was told to. */
static void check_blas(struct report *r)
{
	if (blas_missing()) {
		doctor_row(r, MISSING, "OpenBLAS", "%s", blas_missing());
		doctor_remedy(r, &(struct remedy){ REMEDY_PACKAGE, "libopenblas0-pthread",
		                                   "OpenBLAS with LAPACK (libopenblas.so.0)",
		                                   .gives = "FID and the other scores" });
		return;
	}
	const char *core = blas()->corename ? blas()->corename() : "(unknown)", *best = blas_best_core();
	bool slow = strcmp(core, "Prescott") == 0;
	doctor_row(r, slow ? NOTE : GOOD, "OpenBLAS", "kernels for %s%s", core, slow ? " (slow)" : "");
	if (slow && best) {
		SCOPED(free) char *line = xstrfmt("export OPENBLAS_CORETYPE=%s", best);
		doctor_remedy(r, &(struct remedy){ REMEDY_SHELL, line, .gives = "OpenBLAS's fast kernels for this processor" });
	}
}

/* What reads HDF5 and LMDB is opened at its first use, too. */
static void check_containers(struct report *r)
{
	static const struct {
		const char *name;
		int (*look)(const char **path, struct err *e);
		struct remedy remedy;
	} rows[] = {
		{ "HDF5",
		  hdf5_look,
		  { REMEDY_PACKAGE, "libhdf5-103-1", "the HDF5 library, 1.10 to 1.14", "images and features in HDF5 files",
		    false } },
		{ "LMDB", lmdb_look, { REMEDY_PACKAGE, "liblmdb0", "LMDB (liblmdb.so.0)", "images in LMDB databases", false } },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct err e = ERR_INIT;
		const char *path;
		if (rows[i].look(&path, &e)) {
			doctor_row(r, NOTE, rows[i].name, "%s", e.msg);
			doctor_remedy(r, &rows[i].remedy);
		} else {
			doctor_row(r, GOOD, rows[i].name, "%s", path);
		}
	}
}

/* Figures are drawn with a font or with cairo's own strokes. */
static void check_font(struct report *r)
{
	if (figure_has_font()) {
		doctor_row(r, GOOD, "font", "found");
		return;
	}
	doctor_row(r, NOTE, "font", "none: text in figures is drawn in plain strokes");
	doctor_remedy(r, &(struct remedy){ REMEDY_PACKAGE, "fonts-dejavu-core", "a TrueType font such as DejaVu Sans",
	                                   .gives = "text in figures" });
}

static void check_libraries(struct report *r, const json_t *facts)
{
	const char *name;
	json_t *version;
	doctor_section(r, "libraries");
	doctor_row(r, GOOD, "oneDNN", "%s, uses %s", dnn_version(), dnn_isa());
	check_blas(r);
	json_object_foreach(json_object_get(facts, "libraries"), name,
	                    version) if (strncmp(name, "oneDNN", 6) != 0 && strncmp(name, "OpenBLAS", 8) != 0)
		doctor_row(r, GOOD, name, "%s", json_string_value(version));
	check_containers(r);
	check_font(r);
}

/* One CUDA device, opened to find out what it is. */
static void check_cuda(struct report *r, int number)
{
	char name[32];
	struct err e = ERR_INIT;
	struct backend *b;
	struct backend_facts f;
	(void)snprintf(name, sizeof name, "cuda:%d", number);
	if (backend_open(&b, name, DTYPE_FP32, &e)) {
		doctor_row(r, NOTE, name, "%s", e.msg);
		return;
	}
	b->ops->facts(b, &f);
	doctor_row(r, GOOD, name, "%s, %.1f GiB (%.1f free), PCI %s, %s, driver %s, %s", f.device,
	           (double)f.memory / 0x1p30, (double)f.memory_free / 0x1p30, f.bus, f.uuid, f.driver, f.libraries);
	backend_free(b);
}

/* A name that leads nowhere hides the library that the linker would find. */
static void remedy_library(struct report *r, const struct nvidia_row *l)
{
	const char *named = env_get(l->variable);
	SCOPED(free)
	char *line = xstrfmt("unset %s", env_row(l->variable)->name),
		 *by_hand = xstrfmt("NVIDIA's %s (%s)", l->name, l->file);
	if (named && *named)
		doctor_remedy(r, &(struct remedy){ REMEDY_SHELL, line,
		                                   .gives = "what the linker finds instead of a file that cannot be opened",
		                                   .card = true });
	else
		doctor_remedy(r, &(struct remedy){ REMEDY_PACKAGE, l->package, by_hand, l->with, true });
}

/* The plugin says which of NVIDIA's libraries it took (check_cuda); here each is opened as the plugin would, so that a
 * machine without a device can be made ready. */
static void check_library(struct report *r, const struct nvidia_row *l)
{
	struct nvidia_library opened = { .row = l };
	struct link_map *map = NULL;
	if (nvidia_open(&opened)) {
		bool known = dlinfo(opened.handle, RTLD_DI_LINKMAP, &map) == 0 && map->l_name && *map->l_name;
		doctor_row(r, GOOD, l->name, "%s", known ? map->l_name : l->file);
	} else if (nvidia_unwanted(l)) {
		doctor_row(r, NOTE, l->name, "left out (%s): %s", opened.why_not, l->without);
	} else {
		doctor_row(r, NOTE, l->name, "%s: %s", opened.why_not, l->without);
		remedy_library(r, l);
	}
}

static bool lies_in(const char *const *folders, const char *file)
{
	bool found = false;
	for (; *folders && !found; folders++) {
		SCOPED(free) char *path = xstrfmt("%s/%s", *folders, file);
		found = io_exists(path);
	}
	return found;
}

/* No plugin: it is built from the sources, if they are present, with NVIDIA's compiler and cuDNN's headers. */
static void remedy_plugin(struct report *r)
{
	static const char *const sources[] = { ABLATE_SOURCE_DIR, NULL }, *const compilers[] = { "/usr/local/cuda/bin",
		                                                                                     NULL };
	static const char *const headers[] = { "/usr/local/cuda/include", "/usr/include", "/usr/include/x86_64-linux-gnu",
		                                   NULL };
	static const char with[] = "what the CUDA back end is built with";
	SCOPED(free) char *source = next_quoted(ABLATE_SOURCE_DIR);
	SCOPED(free) char *line = xstrfmt("cmake -S %s --preset cuda && cmake --build %s/build-cuda", source, source);
	if (!lies_in(sources, "CMakePresets.json"))
		return;
	if (!next_can_run("nvcc") && !lies_in(compilers, "nvcc"))
		doctor_remedy(r,
		              &(struct remedy){ REMEDY_PACKAGE, "cuda-toolkit-13-0", "NVIDIA's CUDA Toolkit 13", with, true });
	if (!lies_in(headers, "cudnn.h"))
		doctor_remedy(r, &(struct remedy){ REMEDY_PACKAGE, "libcudnn9-dev-cuda-13", "the headers of NVIDIA's cuDNN 9",
		                                   with, true });
	doctor_remedy(r, &(struct remedy){ REMEDY_SHELL, line,
	                                   .gives = "build-cuda/ablate, which runs on the graphics card", .card = true });
}

/* Work on a GPU needs a plugin beside the program and a driver. */
static void check_device(struct report *r)
{
	int n = 0;
	struct err e = ERR_INIT;
	SCOPED(free) char *plugin = backend_cuda_plugin();
	doctor_section(r, "devices");
	doctor_row(r, GOOD, "cpu", "used by --device cpu, and by auto when there is no other");
	if (backend_cuda_devices(&n, &e)) {
		doctor_row(r, NOTE, "cuda", "%s", e.msg);
		if (!plugin)
			remedy_plugin(r);
		else if (!io_exists("/proc/driver/nvidia/version"))
			doctor_remedy(r, &(struct remedy){ REMEDY_PACKAGE, "cuda-drivers",
			                                   "NVIDIA's driver for CUDA 13 (580 or newer)",
			                                   "work on the graphics card", true });
	} else {
		doctor_row(r, GOOD, "cuda", "%s: %d device%s", plugin ? plugin : "", n, str_plural(n));
		for (int i = 0; i < n; i++)
			check_cuda(r, i);
	}
	for (int i = 0; i < NVIDIA_LIBRARIES; i++)
		check_library(r, &nvidia_rows[i]);
}

static void check_downloads(struct report *r)
{
	static const struct remedy curl = { REMEDY_PACKAGE, "curl", "curl", "downloads by `data fetch` and `weights fetch`",
		                                false };
	doctor_section(r, "downloads");
	if (doctor_lacks_tool(r, "curl", (const char *const[]){ "curl", "--version", NULL }, curl.gives))
		doctor_remedy(r, &curl);
}

static void data_lacks(struct report *r, const struct data_shape *s)
{
	doctor_row(r, MISSING, s->name, "%s; licence %s", s->origin, s->licence);
	SCOPED(free) char *fetch = xstrfmt("data fetch %s", s->name), *import = xstrfmt("data import %s FOLDER", s->name);
	SCOPED(free)
	char *gives = xstrfmt("the data set %s; licence: %s", s->name, s->licence),
		 *gives_import = xstrfmt("%s, once FOLDER holds it", gives);
	if (s->package && r->machine.apt)
		doctor_remedy(r, &(struct remedy){ REMEDY_PACKAGE, s->package, .gives = gives });
	else
		doctor_remedy(
			r, &(struct remedy){ REMEDY_ABLATE, s->url ? fetch : import, .gives = s->url ? gives : gives_import });
}

static void check_data(struct report *r)
{
	int n;
	const struct data_shape *s = data_shapes(&n);
	doctor_section(r, "data sets");
	for (int i = 0; i < n; i++) {
		SCOPED(free) char *folder = dataset_folder(s[i].name);
		if (folder)
			doctor_row(r, GOOD, s[i].name, "%s", folder);
		else
			data_lacks(r, &s[i]);
	}
}

/* Weights that are missing or, for the reason `why`, unusable. */
static void weights_lack(struct report *r, const struct weights_row *w, const char *why)
{
	SCOPED(free)
	char *fetch = xstrfmt("weights fetch %s", w->name), *import = xstrfmt("weights import %s FILE", w->name);
	SCOPED(free)
	char *gives = xstrfmt("%s; licence: %s%s", w->text, w->licence, w->url ? "" : "; FILE is your own copy");
	doctor_row(r, MISSING, w->name, "%s", why);
	doctor_remedy(r, &(struct remedy){ REMEDY_ABLATE, w->url ? fetch : import, .gives = gives });
}

static void check_weights(struct report *r)
{
	doctor_section(r, "feature extractors");
	for (const struct extractor_row *x = extractor_rows; x->name; x++) {
		struct err e = ERR_INIT;
		SCOPED(extractor) struct extractor *opened = NULL;
		struct extractor_options options = { .h = 32, .w = 32, .c = 3 }; /* all-pixels needs some size */
		const struct weights_row *w = NULL;
		bool public = weights_row_find(&w, x->name, NULL) == 0;
		if (!extractor_open(&opened, x->name, &options, &e))
			doctor_row(r, GOOD, x->name, "%d features%s%.12s", opened->dim,
			           *opened->weights_sha256 ? ", weights " : ", no weights needed", opened->weights_sha256);
		else if (public)
			weights_lack(r, w, weights_here(w) ? e.msg : x->text);
		else
			doctor_row(r, MISSING, x->name, "%s", e.msg);
	}
}

/* Weights of no extractor: those of learned metrics, and those that training starts from. */
static void check_other_weights(struct report *r)
{
	doctor_section(r, "other weights");
	for (const struct weights_row *w = weights_rows; w->name; w++) {
		const struct extractor_row *x = extractor_rows;
		while (x->name && strcmp(x->name, w->name) != 0)
			x++;
		SCOPED(free) char *path = weights_path(w);
		if (!x->name && weights_here(w))
			doctor_row(r, GOOD, w->name, "%s", path);
		else if (!x->name)
			weights_lack(r, w, w->text);
	}
}

/* A damaged database is rebuilt from its journals, which are beside it. */
static void database_is_bad(struct report *r, const char *path, const char *why)
{
	SCOPED(free)
	char *runs = xstrfmt("%s-runs", path), *quoted = next_quoted(path),
		 *arguments = xstrfmt("merge --rebuild --db %s", quoted);
	doctor_row(r, BAD, path, "%s", why);
	if (io_is_dir(runs) && !escape_has_control(path))
		doctor_remedy(r,
		              &(struct remedy){ REMEDY_ABLATE, arguments,
		                                .gives = "the database, rebuilt from its journals; the damaged file is kept" });
}

static void cache_is_bad(struct report *r, const char *cache)
{
	static const char here[] = "export ABLATE_CACHE=\"$PWD/ablate-cache\"",
					  somewhere[] = "export ABLATE_CACHE=\"$(mktemp -d)\"";
	doctor_row(r, BAD, "cache", "%s cannot be written", cache);
	doctor_remedy(r, &(struct remedy){ REMEDY_SHELL, access(".", W_OK) ? somewhere : here,
	                                   .gives = "a writable folder, for this shell" });
}

static void check_records(struct report *r, const char *path)
{
	struct err e = ERR_INIT;
	SCOPED(db) struct db *db = NULL;
	SCOPED(free) char *cache = io_cache_dir();
	doctor_section(r, "records");
	if (!io_exists(path))
		doctor_row(r, NOTE, path, "not there yet: `ablate run` creates it");
	else if (db_open(&db, path, DB_READ, &e) || db_check(db, &e))
		database_is_bad(r, path, e.msg);
	else
		doctor_row(r, GOOD, path, "whole%s%s", *db_note(db) ? "; " : "", db_note(db));
	if (io_mkdirs(cache, &e) || access(cache, W_OK))
		cache_is_bad(r, cache);
	else
		doctor_row(r, GOOD, "cache", "%s", cache);
}

#define FIRST_GIVES "a first study: four changes of iCT on Fashion-MNIST; `ablate plan` says what it takes"

static void tell_next(const struct report *r)
{
	SCOPED(str) struct str lines = { 0 }, shown = { 0 };
	SCOPED(free) char *first = next_first(&r->machine);
	printf("\n%d ok, %d to note, %d missing, %d bad\n\nnext\n", r->n[GOOD], r->n[NOTE], r->n[MISSING], r->n[BAD]);
	next_text(&lines, &r->next, first, FIRST_GIVES);
	escape_lines(&shown, str_text(&lines));
	printf("%s", str_text(&shown));
}

static json_t *report_json(const struct report *r)
{
	json_t *o = json_object(), *next = next_json(&r->next);
	SCOPED(free) char *first = next_first(&r->machine);
	next_into_rows(r->rows, next);
	(void)json_object_set(o, "checks", r->rows);
	(void)json_object_set(o, "processors", r->processors);
	for (int i = 0; i < 4; i++)
		(void)json_object_set_new(o, doctor_states[i], json_integer(r->n[i]));
	(void)json_object_set_new(o, "next", next);
	(void)json_object_set_new(o, "first",
	                          json_pack("{s:o, s:s}", "command", json_out_text(first), "gives", FIRST_GIVES));
	return o;
}

static int run(struct cli *c)
{
	struct report r = { .rows = json_array(), .as_json = c->json };
	json_t *facts = provenance_facts();
	next_machine_read(&r.machine);
	check_program(&r, facts);
	check_machine(&r, facts);
	check_libraries(&r, facts);
	check_device(&r);
	doctor_check_cluster(&r);
	check_downloads(&r);
	check_data(&r);
	check_weights(&r);
	check_other_weights(&r);
	check_records(&r, c->db);
	json_decref(facts);
	next_finish(&r.next, &r.machine);
	if (c->json)
		(void)cli_print_json(c, report_json(&r));
	else
		tell_next(&r);
	int code = r.n[BAD] ? EXIT_INCOMPLETE : EXIT_OK;
	json_decref(r.rows);
	json_decref(r.processors);
	next_release(&r.next);
	next_machine_release(&r.machine);
	return code;
}

static const struct json_key json_keys[] = {
	JSON_KEY("checks", "object[]", "what was looked at"),
	JSON_KEY("checks[].section", "string", "what it belongs to"),
	JSON_KEY("checks[].state", "string", "ok, note, missing or bad"),
	JSON_KEY("checks[].what", "string", "what was looked at"),
	JSON_KEY("checks[].found", "string", "what was found"),
	JSON_KEY("checks[].remedy", "string[]", "commands that help", .absent = "where none does"),
	JSON_KEY("processors", "object", "the processors, and who limits them"),
	JSON_KEY("processors.online", "integer", "that there are"),
	JSON_KEY("processors.affinity", "integer", "that this process may run on"),
	JSON_KEY("processors.quota", "number?", "processors' worth of time that it may use; null: no limit"),
	JSON_KEY("processors.quota_from", "string?", "the file that says so; null without a limit"),
	JSON_KEY("processors.usable", "integer", "what follows from these"),
	JSON_KEY("processors.threads", "integer", "threads that this process would use"),
	JSON_KEY("processors.threads_from", "string", "what decides that"),
	JSON_KEY("processors.waiting", "string", "how threads wait for each other"),
	JSON_KEY("ok", "integer", "checks that are well"),
	JSON_KEY("note", "integer", "checks with something to know"),
	JSON_KEY("missing", "integer", "checks that lack something"),
	JSON_KEY("bad", "integer", "checks that found something broken"),
	JSON_KEY("next", "object[]", "what to do next"),
	JSON_KEY("next[].command", "string", "what to type", .absent = "where install says it"),
	JSON_KEY("next[].install", "string", "what to install", .absent = "where command says it",
	         .unseen = "a machine without apt (tests/e2e/doctor.sh)"),
	JSON_KEY("next[].as_root", "boolean", "true: it has to be typed as root", .absent = "where it has not",
	         .unseen = "a user without sudo (tests/e2e/doctor.sh)"),
	JSON_KEY("next[].gives", "string[]", "what that gives"),
	JSON_KEY("next[].for", "string[]", "the checks that need it"),
	JSON_KEY("first", "object", "what to begin with"),
	JSON_KEY("first.command", "string", "what to type"),
	JSON_KEY("first.gives", "string", "what that gives"),
	{ 0 },
};

static const struct json_form json[] = { JSON_FORM("", json_keys), { 0 } };

const struct cmd cmd_doctor = {
	.name = "doctor",
	.summary = "show what is found on this machine, and what to type next: libraries, devices, data, weights, records",
	.help =
		"Looks at everything that runs depend on. Under \"next\" is a command for each missing thing that can be "
		"installed, with what it gives: as typed on this machine, packages in one command. FILE and FOLDER are what "
		"you have to provide yourself; where the machine does not use apt, the name of the software is given instead. "
		"With --json, \"next\" is a list of {command, gives, for}, \"for\" naming the checks, and a check has its "
		"commands in \"remedy\".\n\n"
		"Nothing is fetched or installed. Exit 1 only when something is broken (a damaged database, a cache that is "
		"not writable).",
	.json = json,
	.run = run,
};
