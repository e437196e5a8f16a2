/* provenance.c - see provenance.h. */
#define _GNU_SOURCE
#include "harness/record/provenance.h"

#include "harness/record/fingerprint.h"
#include "harness/record/hidden.h"
#include "harness/record/host.h"
#include "harness/text/json_out.h"
#include "model/base/mem.h"
#include "model/base/own_files.h"
#include "model/config/config.h"
#include "generated/provenance_build.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <gnu/libc-version.h>
#include <link.h>
#include <oneapi/dnnl/dnnl_types.h>
#include <spawn.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

const char *provenance_commit(void)
{
	return PROVENANCE_COMMIT;
}

bool provenance_dirty(void)
{
	return *PROVENANCE_DIFF;
}

/* --- the machine --- */

/* The instruction sets that change how libraries compute. */
static const char *const isa_flags[] = { "sse4_2",      "avx",         "fma",      "avx2",     "avx_vnni",
	                                     "avx512f",     "avx512bw",    "avx512dq", "avx512vl", "avx512_vnni",
	                                     "avx512_bf16", "avx512_fp16", "amx_tile", "amx_bf16", "amx_int8",
	                                     "asimd",       "sve",         "bf16" };

static void add_cpu(json_t *o)
{
	SCOPED(file) FILE *f = fopen("/proc/cpuinfo", "re");
	SCOPED(free) char *line = NULL;
	size_t cap = 0;
	json_t *isa = json_array();
	const char *model = "unknown";
	SCOPED(free) char *found = NULL;
	bool have_flags = false;
	while (f && getline(&line, &cap, f) > 0) {
		char *value = strchr(line, ':');
		if (!value)
			continue;
		value[strcspn(value, "\n")] = '\0';
		if (!found && strncmp(line, "model name", 10) == 0)
			model = found = xstrdup(value + 2);
		if (have_flags || (strncmp(line, "flags", 5) != 0 && strncmp(line, "Features", 8) != 0))
			continue;
		have_flags = true;
		SCOPED(free) char *padded = xstrfmt("%s ", value + 1);
		for (size_t i = 0; i < sizeof isa_flags / sizeof *isa_flags; i++) {
			SCOPED(free) char *word = xstrfmt(" %s ", isa_flags[i]);
			if (strstr(padded, word))
				(void)json_array_append_new(isa, json_string(isa_flags[i]));
		}
	}
	(void)json_object_set_new(o, "cpu", json_string(model));
	(void)json_object_set_new(o, "isa", isa);
}

/* --- libraries: asked by name, so that none of their headers is needed and a missing one is reported --- */

static void *symbol(const char *name)
{
	return dlsym(RTLD_DEFAULT, name);
}

typedef const char *text_fn(void);

static void add_text_of(json_t *libs, const char *key, const char *name)
{
	text_fn *f;
	void *p = symbol(name);
	memcpy(&f, &p, sizeof f);
	const char *text = p ? f() : NULL;
	if (text)
		(void)json_object_set_new(libs, key, json_string(text));
}

static void add_dnnl(json_t *libs)
{
	const dnnl_version_t *(*version)(void);
	int (*isa)(void);
	void *p = symbol("dnnl_version"), *q = symbol("dnnl_get_effective_cpu_isa");
	if (!p)
		return;
	memcpy(&version, &p, sizeof version);
	memcpy(&isa, &q, sizeof isa);
	const dnnl_version_t *v = version();
	char text[64];
	(void)snprintf(text, sizeof text, "%d.%d.%d", v->major, v->minor, v->patch);
	(void)json_object_set_new(libs, "oneDNN", json_string(text));
	if (q) {
		(void)snprintf(text, sizeof text, "0x%x", (unsigned)isa());
		(void)json_object_set_new(libs, "oneDNN isa", json_string(text));
	}
}

static json_t *libraries(void)
{
	json_t *libs = json_object();
	add_dnnl(libs);
	add_text_of(libs, "OpenBLAS", "openblas_get_config");
	add_text_of(libs, "OpenBLAS core", "openblas_get_corename");
	add_text_of(libs, "zlib", "zlibVersion");
	add_text_of(libs, "libpng", "png_get_libpng_ver");
	add_text_of(libs, "libzip", "zip_libzip_version");
	add_text_of(libs, "jansson", "jansson_version_str");
	(void)json_object_set_new(libs, "sqlite", json_string(sqlite3_libversion()));
	(void)json_object_set_new(libs, "libc", json_string(gnu_get_libc_version()));
	return libs;
}

/* The linker's hash of this program's code: two builds with the same one are the same program. */
static int read_build_id(struct dl_phdr_info *info, size_t size, void *ctx)
{
	(void)size;
	char *out = ctx;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		if (info->dlpi_phdr[i].p_type != PT_NOTE)
			continue;
		const char *at = (const char *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr),
				   *end = at + info->dlpi_phdr[i].p_memsz;
		while (at + sizeof(ElfW(Nhdr)) <= end) {
			ElfW(Nhdr) note;
			memcpy(&note, at, sizeof note);
			const unsigned char *desc = (const unsigned char *)at + sizeof note + ((note.n_namesz + 3U) & ~3U);
			if (note.n_type == NT_GNU_BUILD_ID && note.n_descsz <= 32) {
				for (unsigned k = 0; k < note.n_descsz; k++)
					(void)snprintf(out + 2 * k, 3, "%02x", desc[k]);
				return 1;
			}
			at = (const char *)desc + ((note.n_descsz + 3U) & ~3U);
		}
	}
	return 1; /* the first object is the program: look no further */
}

const struct json_key provenance_keys[] = {
	JSON_KEY("ablate", "string", "version of the program"),
	JSON_KEY("numerics", "integer", "numerics version: part of the identity of a cell"),
	JSON_KEY("commit", "string", "commit of the sources that it was built from; empty where that is not known"),
	JSON_KEY("diff", "string", "SHA-256 of what differed from the commit; empty for nothing"),
	JSON_KEY("build_id", "string", "build id of the executable"),
	JSON_KEY("compiler", "string", "compiler and its version"),
	JSON_KEY("flags", "string", "flags of the compiler that decide numbers"),
	JSON_KEY("kernel", "string", "release of the operating system's kernel"),
	JSON_KEY("machine", "string", "architecture, such as x86_64"),
	JSON_KEY("fingerprint_of", "object", "what the numerics fingerprint is made of"),
	JSON_KEY("fingerprint_of.build", "string", "hash of the sources and flags that decide numbers"),
	JSON_KEY("fingerprint_of.libraries", "object", "the libraries that compute"),
	JSON_KEY("fingerprint_of.libraries.*", "string", "version of that library"),
	JSON_KEY("fingerprint_of.device", "object", "of a device: its kernels and libraries", .absent = "on the CPU"),
	JSON_KEY("fingerprint_of.device.*", "string", "kernels, or libraries", .absent = "on the CPU"),
	JSON_KEY("fingerprint", "string", "numerics fingerprint: where it is equal, equal cells have equal bits"),
	JSON_KEY("cpu", "string", "model of the processor"),
	JSON_KEY("isa", "string[]", "instruction sets of it that libraries choose by"),
	JSON_KEY("libraries", "object", "libraries that are loaded"),
	JSON_KEY("libraries.*", "string", "version of that library, or another fact of it"),
	{ 0 },
};

json_t *provenance_facts(void)
{
	struct utsname os;
	char build_id[72] = "";
	(void)uname(&os);
	(void)dl_iterate_phdr(read_build_id, build_id);
	json_t *o = json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "ablate", ABLATE_VERSION, "numerics",
	                      NUMERICS_VERSION, "commit", PROVENANCE_COMMIT, "diff", PROVENANCE_DIFF, "build_id", build_id,
	                      "compiler", PROVENANCE_COMPILER, "flags", PROVENANCE_FLAGS, "kernel", os.release, "machine",
	                      os.machine);
	char fingerprint[SHA256_HEX];
	(void)json_object_set_new(o, "fingerprint_of", fingerprint_parts(fingerprint, "cpu", NULL));
	(void)json_object_set_new(o, "fingerprint", json_string(fingerprint));
	add_cpu(o);
	(void)json_object_set_new(o, "libraries", libraries());
	return o;
}

void provenance_take(struct provenance *out, const struct provenance_place *at)
{
	struct host_fs fs;
	host_fs(&fs, at->work_dir);
	json_t *o = provenance_facts();
	if (hidden_host())
		(void)json_object_set_new(o, "host", json_string(hidden_host()));
	if (at->threads > 0)
		(void)json_object_set_new(o, "threads", json_integer(at->threads));
	if (at->ranks > 1)
		(void)json_object_set_new(o, "ranks", json_integer(at->ranks));
	if (at->microbatch > 0)
		(void)json_object_set_new(o, "microbatch", json_integer(at->microbatch));
	(void)json_object_set_new(o, "device", json_string(at->device));
	if (at->n_ema > 1) {
		json_t *list = json_array();
		for (int i = 0; i < at->n_ema; i++)
			(void)json_array_append_new(list, json_real(at->ema[i]));
		(void)json_object_set_new(o, "ema", list);
	}
	(void)json_object_set_new(o, "fs", json_string(fs.name));
	if (at->device_facts) {
		json_t *facts = json_copy(at->device_facts);
		if (hidden_on()) {
			(void)json_object_del(facts, "uuid");
			(void)json_object_del(facts, "bus");
		}
		(void)json_object_set_new(o, "device_facts", facts);
	}
	(void)json_object_set_new(o, "fingerprint_of", fingerprint_parts(out->fingerprint, at->device, at->device_facts));
	(void)json_object_set_new(o, "fingerprint", json_string(out->fingerprint));
	struct str text = { 0 };
	if (json_record(&text, o, JSON_COMPACT | JSON_SORT_KEYS))
		BUG("the facts of this machine are not JSON");
	json_decref(o);
	if (hidden_on()) { /* of flags, of a file that a device's library read */
		struct str whole = text;
		text = (struct str){ 0 };
		hidden_paths(&text, str_text(&whole));
		str_release(&whole);
	}
	out->json = str_detach(&text);
	io_sha256(out->hash, out->json, strlen(out->json));
}

void provenance_release(struct provenance *p)
{
	free(p->json);
	*p = (struct provenance){ 0 };
}

/* --- has the source changed? --- */

/* What a program prints; at most 64 MiB. false when it fails. */
static bool output_of(struct str *out, const char *const argv[])
{
	int pipe_fd[2];
	if (pipe2(pipe_fd, O_CLOEXEC))
		return false;
	posix_spawn_file_actions_t actions;
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_adddup2(&actions, pipe_fd[1], STDOUT_FILENO);
	(void)posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	(void)posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	pid_t pid;
	int failed = posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)argv, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)close(pipe_fd[1]);
	char buf[1 << 14];
	ssize_t n;
	while (!failed && ((n = read(pipe_fd[0], buf, sizeof buf)) > 0 || (n < 0 && errno == EINTR)))
		if (n > 0 && out->len < (size_t)64 << 20)
			str_addn(out, buf, (size_t)n);
	(void)close(pipe_fd[0]);
	int status = 1;
	while (!failed && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return !failed && status == 0;
}

bool provenance_tree_changed(void)
{
	static const char *const head[] = { "git",  "-c", "safe.directory=*", "-C", ABLATE_SOURCE_DIR, "rev-parse",
		                                "HEAD", NULL };
	static const char *const diff[] = { "git",    "-c",       "safe.directory=*", "-C",         ABLATE_SOURCE_DIR,
		                                "diff",   "--binary", "--no-ext-diff",    "--no-color", "HEAD",
		                                "--",     "model",    "metrics",          "harness",    "CMakeLists.txt",
		                                ":!*.md", NULL };
	SCOPED(str) struct str commit = { 0 };
	SCOPED(str) struct str changes = { 0 };
	/* only a build in its tree can be behind it; a source tarball has no history to ask */
	if (!own_is_build() || io_exists(ABLATE_SOURCE_DIR "/COMMIT") || strcmp(PROVENANCE_COMMIT, "unknown") == 0 ||
	    !output_of(&commit, head) || !output_of(&changes, diff))
		return false;
	char hex[SHA256_HEX] = "";
	if (changes.len)
		io_sha256(hex, changes.data, changes.len);
	return strncmp(str_text(&commit), PROVENANCE_COMMIT, strlen(PROVENANCE_COMMIT)) != 0 ||
	       strcmp(hex, PROVENANCE_DIFF) != 0;
}
