/* locks.c - see locks.h. */
#define _GNU_SOURCE
#include "harness/record/locks.h"

#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/base/str.h"

#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* By which option a type of file system says that locks stay on the machine. nfs: for fcntl's locks, which ours are,
 * local_lock=flock changes nothing. */
static const struct {
	const char *type, *option;
} local[] = {
	{ "nfs", "nolock" },        { "nfs", "local_lock=all" }, { "nfs", "local_lock=posix" },
	{ "cifs", "nobrl" },        { "smb3", "nobrl" },         { "lustre", "localflock" },
	{ "ocfs2", "localflocks" }, { "gfs2", "localflocks" },   { "gfs2", "lockproto=lock_nolock" },
};

/* One line: where it is mounted, what it is, and its options, of the file system's own as well. */
struct mount {
	char at[PATH_MAX], type[32], options[1024];
};

/* \040 and the like, in place. */
static void unescape(char *text)
{
	char *to = text;
	for (const char *from = text; *from; to++) {
		unsigned code;
		if (*from == '\\' && sscanf(from + 1, "%3o", &code) == 1 && strspn(from + 1, "01234567") >= 3) {
			*to = (char)code;
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

static bool read_line(struct mount *out, const char *line, size_t n)
{
	char mine[512] = "", own[512] = "";
	SCOPED(free) char *copy = xstrndup(line, n);
	const char *rest = strstr(copy, " - ");
	if (!rest || sscanf(copy, "%*s %*s %*s %*s %4095s %511s", out->at, mine) != 2 ||
	    sscanf(rest, " - %31s %*s %511s", out->type, own) < 1)
		return false;
	unescape(out->at);
	(void)snprintf(out->options, sizeof out->options, "%s,%s", mine, own);
	return true;
}

static bool is_below(const char *path, const char *folder)
{
	size_t n = strlen(folder);
	return strcmp(folder, "/") == 0 || (strncmp(path, folder, n) == 0 && (path[n] == '/' || path[n] == '\0'));
}

static bool has_option(const char *options, const char *wanted)
{
	size_t n = strlen(wanted);
	for (const char *at = options; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
		if (strncmp(at, wanted, n) == 0 && (at[n] == ',' || at[n] == '\0'))
			return true;
	return false;
}

bool locks_of_mounts(char why[128], const char *mountinfo, const char *path)
{
	struct mount best = { .at = "" }, m;
	*why = '\0';
	for (const char *line = mountinfo; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (read_line(&m, line, strcspn(line, "\n")) && is_below(path, m.at) && strlen(m.at) >= strlen(best.at))
			best = m; /* of two at one place, the later one is on top */
	for (size_t i = 0; i < sizeof local / sizeof *local; i++)
		if ((strcmp(best.type, local[i].type) == 0 ||
		     (strcmp(local[i].type, "nfs") == 0 && !strcmp(best.type, "nfs4"))) &&
		    has_option(best.options, local[i].option)) {
			(void)snprintf(why, 128, "%s, mounted with %s", best.type, local[i].option);
			return false;
		}
	return true;
}

/* What was found of the file system that was asked about last: shards are asked about by the thousand. */
static _Thread_local struct {
	bool known, reach;
	dev_t device;
	char why[128];
} last;

static bool ask_mounts(char why[128], const char *path)
{
	char real[PATH_MAX];
	SCOPED(free) char *copy = xstrdup(path);
	SCOPED(str) struct str text = { 0 };
	const char *at = path;
	*why = '\0';
	while (!realpath(at, real)) {
		if (strcmp(at, ".") == 0 || strcmp(at, "/") == 0)
			return true;
		at = dirname(copy); /* shortens the copy in place */
	}
	return io_read(&text, "/proc/self/mountinfo", (size_t)1 << 24, NULL) || locks_of_mounts(why, str_text(&text), real);
}

bool locks_reach_others(char why[128], const char *path)
{
	struct stat st;
	bool there = stat(path, &st) == 0;
	if (!there || !last.known || last.device != st.st_dev) {
		last.reach = ask_mounts(last.why, path);
		last.known = there;
		last.device = there ? st.st_dev : 0;
	}
	memcpy(why, last.why, sizeof last.why);
	return last.reach;
}
