/* cpus.c - see cpus.h. */
#define _GNU_SOURCE
#include "harness/record/cpus.h"

#include "model/base/mem.h"
#include "model/base/str.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ====== where the process may run ====== */

/* A fixed cpu_set_t ends at 1024 processors, and the call fails where the kernel's own set is larger. */
static int count_affinity(int online)
{
	for (int places = 1024; places <= 1 << 20; places *= 2) {
		cpu_set_t *set = CPU_ALLOC((size_t)places);
		size_t size = CPU_ALLOC_SIZE((size_t)places);
		if (!set)
			break;
		int failed = sched_getaffinity(0, size, set) ? errno : 0, n = failed ? 0 : CPU_COUNT_S(size, set);
		CPU_FREE(set);
		if (!failed)
			return n;
		if (failed != EINVAL)
			break;
	}
	return online;
}

/* ====== control groups ====== */

enum version { V1, V2, VERSIONS };

/* The group of this process in one hierarchy, and where that hierarchy, or a part of it, is mounted. */
struct hierarchy {
	char *group; /* "/a/b", as /proc/self/cgroup names it; NULL: there is none */
	char *top;   /* the group that is mounted ... */
	char *at;    /* ... and the folder on which it is; NULL: not mounted */
	bool holds;  /* the own group of this process lies in `top`, so its folder is there, too */
};

static void set_text(char **to, char *text)
{
	free(*to);
	*to = text;
}

static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);
	for (const char *s = list;; s++) {
		size_t len = strcspn(s, ",");
		if (len == n && memcmp(s, word, n) == 0)
			return true;
		s += len;
		if (!*s)
			return false;
	}
}

/* What follows `top` in `group` ("/b" of "/a/b" for "/a"), or NULL when it is not in there. */
static const char *below(const char *group, const char *top)
{
	size_t n = strcmp(top, "/") == 0 ? 0 : strlen(top);
	return strncmp(group, top, n) == 0 && (group[n] == '/' || !group[n]) ? group + n : NULL;
}

static FILE *open_under(const char *root, const char *path)
{
	SCOPED(free) char *whole = xstrfmt("%s%s", root, path);
	return fopen(whole, "re");
}

/* "4:cpu,cpuacct:/a/b" of version 1, "0::/a/b" of version 2. */
static void read_groups(struct hierarchy h[VERSIONS], const char *root)
{
	SCOPED(file) FILE *f = open_under(root, "/proc/self/cgroup");
	SCOPED(free) char *line = NULL;
	size_t cap = 0;
	while (f && getline(&line, &cap, f) > 0) {
		char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;
		if (!path || path[1] != '/')
			continue;
		*controllers++ = '\0';
		*path++ = '\0';
		path[strcspn(path, "\n")] = '\0';
		if (strcmp(line, "0") == 0 && !*controllers)
			set_text(&h[V2].group, xstrdup(path));
		else if (has_word(controllers, "cpu"))
			set_text(&h[V1].group, xstrdup(path));
	}
}

/* The kernel writes blanks and backslashes of a path as \040 and the like. */
static char *unescaped(const char *text)
{
	struct str s = { 0 };
	for (; *text; text++)
		if (text[0] == '\\' && text[1] >= '0' && text[1] <= '3' && text[2] >= '0' && text[2] <= '7' && text[3] >= '0' &&
		    text[3] <= '7') {
			str_addc(&s, (char)((text[1] - '0') * 64 + (text[2] - '0') * 8 + (text[3] - '0')));
			text += 3;
		} else {
			str_addc(&s, *text);
		}
	return s.len ? str_detach(&s) : xstrdup("");
}

/* A mount of the hierarchy. One that holds the process's own group is better than one that does not: a container that
 * was given the folder of its group, but whose /proc names groups as the host does, or vice versa. What is mounted
 * there is then taken for a group above it. */
static void take_mount(struct hierarchy *h, const char *top, const char *at)
{
	if (!h->group)
		return;
	SCOPED(free) char *plain = unescaped(top);
	bool holds = below(h->group, plain) != NULL;
	if (h->at && (h->holds || !holds))
		return;
	set_text(&h->top, xstrdup(plain));
	set_text(&h->at, unescaped(at));
	h->holds = holds;
}

/* "ID PARENT MAJOR:MINOR TOP AT OPTIONS [TAG]... - TYPE SOURCE OPTIONS" */
static void read_mounts(struct hierarchy h[VERSIONS], const char *root)
{
	SCOPED(file) FILE *f = open_under(root, "/proc/self/mountinfo");
	SCOPED(free) char *line = NULL;
	size_t cap = 0;
	while (f && getline(&line, &cap, f) > 0) {
		char *words[5], *save, *rest = strstr(line, " - ");
		if (!rest)
			continue;
		*rest = '\0';
		rest += 3;
		int n = 0;
		for (char *w = strtok_r(line, " ", &save); w && n < 5; w = strtok_r(NULL, " ", &save))
			words[n++] = w;
		char *type = strtok_r(rest, " \n", &save), *source = strtok_r(NULL, " \n", &save),
			 *options = strtok_r(NULL, " \n", &save);
		if (n < 5 || !type || !source)
			continue;
		if (strcmp(type, "cgroup2") == 0)
			take_mount(&h[V2], words[3], words[4]);
		else if (strcmp(type, "cgroup") == 0 && options && has_word(options, "cpu"))
			take_mount(&h[V1], words[3], words[4]);
	}
}

/* Reads at most n whole numbers from a file; the word "max" is -1. Returns how many there are. */
static int read_numbers(long long *out, int n, const char *root, const char *path)
{
	SCOPED(file) FILE *f = open_under(root, path);
	char text[128], *save;
	int found = 0;
	if (!f || !fgets(text, sizeof text, f))
		return 0;
	for (char *w = strtok_r(text, " \n", &save), *end; w && found < n; w = strtok_r(NULL, " \n", &save)) {
		out[found++] = strcmp(w, "max") == 0 ? -1 : strtoll(w, &end, 10);
		if (out[found - 1] != -1 && *end)
			return 0;
	}
	return found;
}

/* The limit that the group in the folder `dir` sets itself. */
static void take_limit(struct cpus *c, const char *root, const char *dir, enum version version)
{
	long long v[2];
	SCOPED(free) char *path = xstrfmt("%s/%s", dir, version == V2 ? "cpu.max" : "cpu.cfs_quota_us");
	int n = read_numbers(v, version == V2 ? 2 : 1, root, path);
	if (n == 1 && version == V1) {
		SCOPED(free) char *period = xstrfmt("%s/cpu.cfs_period_us", dir);
		n += read_numbers(v + 1, 1, root, period);
	}
	if (n != 2 || v[0] <= 0 || v[1] <= 0)
		return;
	double quota = (double)v[0] / (double)v[1];
	if (quota < c->quota) {
		c->quota = quota;
		(void)snprintf(c->quota_from, sizeof c->quota_from, "%s", path);
	}
}

/* From the process's group up to what is mounted: every group above it limits it, too. */
static void take_limits(struct cpus *c, const char *root, const struct hierarchy *h, enum version version)
{
	if (!h->at)
		return;
	SCOPED(free) char *inside = xstrdup(h->holds ? below(h->group, h->top) : "");
	for (;;) {
		size_t n = strlen(inside);
		while (n && inside[n - 1] == '/')
			inside[--n] = '\0';
		SCOPED(free) char *dir = xstrfmt("%s%s", h->at, inside);
		take_limit(c, root, dir, version);
		char *last = strrchr(inside, '/');
		if (!last)
			return;
		*last = '\0';
	}
}

int cpus_of_quota(double quota)
{
	return !(quota < INT_MAX) ? INT_MAX : quota < 1 ? 1 : (int)(quota + 0.5);
}

void cpus_find(struct cpus *out, const char *root)
{
	struct hierarchy h[VERSIONS] = { 0 };
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	*out = (struct cpus){ .online = online > 0 ? (int)online : 1, .quota = INFINITY };
	out->affinity = count_affinity(out->online);
	read_groups(h, root);
	read_mounts(h, root);
	for (enum version v = V1; v < VERSIONS; v++) {
		take_limits(out, root, &h[v], v);
		free(h[v].group);
		free(h[v].top);
		free(h[v].at);
	}
	int most = cpus_of_quota(out->quota);
	out->usable = out->affinity < most ? out->affinity : most;
	out->usable = out->usable > 0 ? out->usable : 1;
}
