/* doctor_next.c - see doctor_next.h. */
#define _GNU_SOURCE
#include "harness/commands/doctor_next.h"

#include "harness/slurm/slurm_client.h"
#include "harness/text/escape.h"
#include "harness/text/json_out.h"
#include "model/base/env.h"
#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/base/own_files.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COLUMN_MAX = 56 }; /* what commands give starts in one column, except after longer commands */

/* ====== the machine ====== */

bool next_can_run(const char *program)
{
	const char *path = env_get(ENV_PATH);
	bool found = false;
	while (path && *path && !found) {
		size_t n = strcspn(path, ":");
		SCOPED(free) char *file = xstrfmt("%.*s/%s", (int)n, path, program);
		found = n && access(file, X_OK) == 0 && !io_is_dir(file);
		path += n + (path[n] == ':');
	}
	return found;
}

/* Is ID or a word of ID_LIKE debian? */
static bool is_debian(const char *os_release)
{
	SCOPED(file) FILE *f = fopen(os_release, "re");
	SCOPED(free) char *line = NULL;
	size_t cap = 0;
	bool debian = false;
	while (f && getline(&line, &cap, f) > 0) {
		char *value = strchr(line, '='), *save = NULL;
		if (!value || (strncmp(line, "ID=", 3) != 0 && strncmp(line, "ID_LIKE=", 8) != 0))
			continue;
		for (char *word = strtok_r(value + 1, " \t\r\n\"'", &save); word; word = strtok_r(NULL, " \t\r\n\"'", &save))
			debian |= strcmp(word, "debian") == 0;
	}
	return debian;
}

static bool has_lists(const char *folder)
{
	DIR *d = opendir(folder);
	bool found = false;
	for (struct dirent *entry; d && !found && (entry = readdir(d));)
		found = strstr(entry->d_name, "_Packages") != NULL;
	if (d)
		(void)closedir(d);
	return found;
}

/* Does the file begin with this text? */
static bool begins(const char *folder, const char *device, const char *file, const char *with)
{
	SCOPED(free) char *path = xstrfmt("%s/%s/%s", folder, device, file);
	SCOPED(file) FILE *f = fopen(path, "re");
	char text[16] = "";
	return f && fgets(text, sizeof text, f) && strncmp(text, with, strlen(with)) == 0;
}

/* NVIDIA's bus number, and a class of displays and 3D controllers: chipsets and sound have other classes. */
static bool has_card(const char *devices)
{
	DIR *d = opendir(devices);
	bool found = false;
	for (struct dirent *entry; d && !found && (entry = readdir(d));)
		found = begins(devices, entry->d_name, "vendor", "0x10de") && begins(devices, entry->d_name, "class", "0x03");
	if (d)
		(void)closedir(d);
	return found;
}

static bool same_file(const char *a, const char *b)
{
	SCOPED(free) char *x = realpath(a, NULL), *y = realpath(b, NULL);
	return x && y && strcmp(x, y) == 0;
}

/* The first file of that name in PATH is the one that a shell would run. */
static bool path_leads_to(const char *name, const char *exe)
{
	const char *path = env_get(ENV_PATH);
	while (path && *path) {
		size_t n = strcspn(path, ":");
		SCOPED(free) char *file = xstrfmt("%.*s/%s", (int)n, path, name);
		if (n && access(file, X_OK) == 0)
			return same_file(file, exe);
		path += n + (path[n] == ':');
	}
	return false;
}

static char *own_name(void)
{
	static const char exe[] = "/proc/self/exe";
	const char *called = program_invocation_name;
	if (path_leads_to("ablate", exe))
		return xstrdup("ablate");
	if (!strchr(called, '/') && path_leads_to(called, exe))
		return next_quoted(called);
	if (strchr(called, '/') && same_file(called, exe))
		return next_quoted(called);
	SCOPED(free) char *path = realpath(exe, NULL);
	return next_quoted(path ? path : "ablate");
}

void next_machine_read(struct next_machine *out)
{
	const char *named = env_get(ENV_ABLATE_DOCTOR_ROOT), *root = named ? named : "";
	SCOPED(free) char *os = xstrfmt("%s/etc/os-release", root), *lists = xstrfmt("%s/var/lib/apt/lists", root);
	SCOPED(free)
	char *driver = xstrfmt("%s/proc/driver/nvidia", root), *devices = xstrfmt("%s/sys/bus/pci/devices", root);
	*out = (struct next_machine){ .root = geteuid() == 0,
		                          .sudo = next_can_run("sudo"),
		                          .apt = is_debian(os) && next_can_run("apt-get"),
		                          .apt_lists = has_lists(lists),
		                          .card = io_is_dir(driver) || has_card(devices),
		                          .self = own_name() };
}

void next_machine_release(struct next_machine *m)
{
	free(m->self);
	*m = (struct next_machine){ 0 };
}

void scoped_next_machine(struct next_machine *m)
{
	next_machine_release(m);
}

/* ====== lines ====== */

static void line_release(struct next_line *l)
{
	free(l->what);
	free(l->by_hand);
	free(l->command);
	json_decref(l->gives);
	json_decref(l->of);
}

void next_release(struct next *n)
{
	for (int i = 0; i < n->n; i++)
		line_release(&n->line[i]);
	free(n->line);
	*n = (struct next){ 0 };
}

void scoped_next(struct next *n)
{
	next_release(n);
}

static void add_once(json_t *texts, const char *text)
{
	const json_t *t;
	size_t i;
	json_array_foreach(texts, i, t) if (strcmp(json_string_value(t), text) == 0) return;
	(void)json_array_append_new(texts, json_out_text(text));
}

static void add_all(json_t *texts, const json_t *more)
{
	const json_t *t;
	size_t i;
	json_array_foreach(more, i, t) add_once(texts, json_string_value(t));
}

void next_add(struct next *n, const struct next_machine *m, const char *of, const struct remedy *r)
{
	int i = 0;
	if (r->card && !m->card)
		return;
	while (i < n->n && (n->line[i].kind != r->kind || strcmp(n->line[i].what, r->what) != 0))
		i++;
	if (i == n->n)
		VEC_PUSH(n->line, n->n, n->cap) = (struct next_line){ .kind = r->kind,
			                                                  .what = xstrdup(r->what),
			                                                  .gives = json_array(),
			                                                  .of = json_array(),
			                                                  .by_hand = xstrdup(r->by_hand ? r->by_hand : r->what) };
	add_once(n->line[i].gives, r->gives);
	add_once(n->line[i].of, of);
}

bool next_apt_has(const char *policy, const char *package)
{
	size_t n = strlen(package);
	for (const char *at = policy; at && *at; at = strchr(at, '\n'), at += at != NULL) {
		if (strncmp(at, package, n) != 0 || at[n] != ':' || at[n + 1] != '\n')
			continue;
		const char *candidate = strstr(at, "\n  Candidate: ");
		return candidate && strncmp(candidate + 14, "(none)", 6) != 0;
	}
	return false;
}

/* What apt-cache says of all packages; empty if it cannot be asked, in which case apt-get will complain. */
static bool ask_apt(struct str *policy, const struct next *n)
{
	struct err ignored = ERR_INIT;
	int argc = 4;
	SCOPED(free) const char **argv = xcalloc((size_t)n->n + 5, sizeof *argv);
	argv[0] = "env";
	argv[1] = "LC_ALL=C";
	argv[2] = "apt-cache";
	argv[3] = "policy";
	for (int i = 0; i < n->n; i++)
		if (n->line[i].kind == REMEDY_PACKAGE)
			argv[argc++] = n->line[i].what;
	return argc > 4 && slurm_call(policy, argv, &ignored) == 0;
}

/* One line for all the packages that apt has; the others are named, each on a line of its own. */
static void join_packages(struct next *n, const struct next_machine *m)
{
	SCOPED(str) struct str policy = { 0 };
	bool asked = m->apt && m->apt_lists && ask_apt(&policy, n);
	const char *sudo = m->root || !m->sudo ? "" : "sudo ";
	struct str names = { 0 };
	struct next_line *all = NULL;
	for (int i = 0; i < n->n; i++) {
		struct next_line *l = &n->line[i];
		if (l->kind != REMEDY_PACKAGE || !m->apt || (asked && !next_apt_has(str_text(&policy), l->what)))
			continue;
		str_addf(&names, " %s", l->what);
		if (!all) {
			all = l;
			continue;
		}
		add_all(all->gives, l->gives);
		add_all(all->of, l->of);
		line_release(l);
		memmove(l, l + 1, (size_t)(--n->n - i--) * sizeof *l);
	}
	if (all) {
		all->as_root = !m->root && !m->sudo;
		all->command = m->apt_lists ? xstrfmt("%sapt-get install%s", sudo, str_text(&names))
		                            : xstrfmt("%sapt-get update && %sapt-get install%s", sudo, sudo, str_text(&names));
	}
	str_release(&names);
}

static void sort_by_kind(struct next *n)
{
	for (int i = 1; i < n->n; i++) /* few, and stable within a kind */
		for (int k = i; k > 0 && n->line[k - 1].kind > n->line[k].kind; k--) {
			struct next_line l = n->line[k];
			n->line[k] = n->line[k - 1];
			n->line[k - 1] = l;
		}
}

void next_finish(struct next *n, const struct next_machine *m)
{
	join_packages(n, m);
	sort_by_kind(n);
	for (int i = 0; i < n->n; i++) {
		struct next_line *l = &n->line[i];
		if (l->kind == REMEDY_SHELL)
			l->command = xstrdup(l->what);
		else if (l->kind == REMEDY_ABLATE)
			l->command = xstrfmt("%s %s", m->self, l->what);
	}
}

/* ====== output ====== */

static void add_typed(struct str *s, const struct next_line *l)
{
	if (l->command)
		str_addf(s, "%s%s", l->as_root ? "as root: " : "", l->command);
	else
		str_addf(s, "# install %s", l->by_hand);
}

/* A command padded to the column, and what it gives after it. */
static void add_line(struct str *dst, const char *typed, size_t column, const char *gives)
{
	size_t w = escape_width(typed);
	str_addf(dst, "  %s%*s    # %s\n", typed, w < column ? (int)(column - w) : 0, "", gives);
}

static size_t wider(size_t column, const char *typed)
{
	size_t w = escape_width(typed);
	return w > column && w <= COLUMN_MAX ? w : column;
}

void next_text(struct str *dst, const struct next *n, const char *first, const char *first_gives)
{
	size_t column = wider(0, first);
	for (int i = 0; i < n->n; i++) {
		SCOPED(str) struct str typed = { 0 };
		add_typed(&typed, &n->line[i]);
		column = wider(column, str_text(&typed));
	}
	for (int i = 0; i < n->n; i++) {
		SCOPED(str) struct str typed = { 0 }, gives = { 0 };
		const json_t *text;
		size_t k;
		add_typed(&typed, &n->line[i]);
		json_array_foreach(n->line[i].gives, k, text) str_addf(&gives, "%s%s", k ? "; " : "", json_string_value(text));
		add_line(dst, str_text(&typed), column, str_text(&gives));
	}
	if (!n->n)
		str_add(dst, "  nothing to do; to begin with:\n");
	add_line(dst, first, column, first_gives);
}

json_t *next_json(const struct next *n)
{
	json_t *all = json_array();
	for (int i = 0; i < n->n; i++) {
		const struct next_line *l = &n->line[i];
		json_t *o = json_object();
		(void)json_object_set_new(o, l->command ? "command" : "install",
		                          json_out_text(l->command ? l->command : l->by_hand));
		if (l->as_root)
			(void)json_object_set_new(o, "as_root", json_true());
		(void)json_object_set(o, "gives", l->gives);
		(void)json_object_set(o, "for", l->of);
		(void)json_array_append_new(all, o);
	}
	return all;
}

char *next_quoted(const char *text)
{
	struct str s = { 0 };
	const char *at = text;
	while (isalnum((unsigned char)*at) || (*at && strchr("_-./+:@%,=", *at)))
		at++;
	if (*text && !*at)
		return xstrdup(text);
	str_addc(&s, '\'');
	for (; *text; text++)
		if (*text == '\'')
			str_add(&s, "'\\''");
		else
			str_addc(&s, *text);
	str_addc(&s, '\'');
	return str_detach(&s);
}

void next_into_rows(json_t *rows, const json_t *next)
{
	json_t *checked;
	const json_t *line, *of;
	size_t i, k, j;
	json_array_foreach(rows, i, checked)
	{
		json_t *remedies = json_array();
		json_array_foreach(next, k, line) json_array_foreach(json_object_get(line, "for"), j,
		                                                     of) if (json_equal(of, json_object_get(checked, "what")) &&
		                                                             json_object_get(line, "command"))(void)
			json_array_append(remedies, json_object_get(line, "command"));
		if (json_array_size(remedies))
			(void)json_object_set(checked, "remedy", remedies);
		json_decref(remedies);
	}
}

char *next_first(const struct next_machine *m)
{
	SCOPED(free) char *found = own_data_file("ablations/quickstart.toml");
	return xstrfmt("%s %s", m->self, found ? "run quickstart" : "--help");
}
