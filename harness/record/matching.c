/* matching.c - see matching.h. */
#define _GNU_SOURCE
#include "harness/record/matching.h"

#include "model/base/mem.h"
#include "model/base/str.h"

#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* glob(3) gives what it is called with for a folder that cannot be read no place to leave word. */
static _Thread_local struct err unreadable;

static int on_unreadable(const char *path, int error)
{
	if (error == ENOENT || error == ENOTDIR)
		return 0;
	return err_code(&unreadable, EXIT_RECORD, "%s: cannot be listed: %s", path, strerror(error));
}

int matching_find(struct matching *out, const char *stem, const char *pattern, struct err *e)
{
	SCOPED(str) struct str text = { 0 };
	glob_t g = { 0 };
	for (const char *p = stem; *p; p++)
		str_addf(&text, strchr("*?[\\", *p) ? "\\%c" : "%c", *p);
	str_add(&text, pattern);
	unreadable = ERR_INIT;
	int rc = glob(str_text(&text), 0, on_unreadable, &g);
	if (rc == GLOB_NOSPACE)
		err_give_up("out of memory (the names that begin with %s)", stem);
	rc = rc == GLOB_ABORTED ? err_code(e, EXIT_RECORD, "%s", unreadable.msg) : 0;
	if (!rc)
		out->v = xrealloc(out->v, (size_t)out->n + g.gl_pathc, sizeof *out->v);
	for (size_t i = 0; i < g.gl_pathc && !rc; i++)
		out->v[out->n++] = xstrdup(g.gl_pathv[i]);
	globfree(&g);
	return rc;
}

int matching_journals(struct matching *out, const char *runs, struct err *e)
{
	return matching_find(out, runs,
	                     "/????????????"
	                     "/*/journal.jsonl",
	                     e);
}

void scoped_matching(struct matching *m)
{
	for (int i = 0; i < m->n; i++)
		free(m->v[i]);
	free(m->v);
	*m = (struct matching){ 0 };
}

/* --- a run folder, listed once --- */

/* Paths of what is in dir, "." and hidden names left out. None where there is no such folder. */
static int list_folder(struct matching *out, const char *dir, struct err *e)
{
	int cap = 0;
	DIR *d = opendir(dir);
	if (!d && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (!d)
		return err_code(e, EXIT_RECORD, "%s: cannot be listed: %s", dir, strerror(errno));
	errno = 0;
	for (struct dirent *entry; (entry = readdir(d));)
		if (entry->d_name[0] != '.')
			VEC_PUSH(out->v, out->n, cap) = xstrfmt("%s/%s", dir, entry->d_name);
	int why = errno;
	(void)closedir(d);
	return why ? err_code(e, EXIT_RECORD, "%s: cannot be listed: %s", dir, strerror(why)) : 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort(struct matching *m)
{
	if (m->n)
		qsort(m->v, (size_t)m->n, sizeof *m->v, by_text);
}

static int add_journals(struct run_files *out, int *cap, const char *cell, struct err *e)
{
	SCOPED(matching) struct matching attempts = { 0 };
	if (list_folder(&attempts, cell, e))
		return -1;
	for (int i = 0; i < attempts.n; i++) {
		SCOPED(free) char *path = xstrfmt("%s/journal.jsonl", attempts.v[i]);
		if (access(path, F_OK) == 0)
			VEC_PUSH(out->journals.v, out->journals.n, *cap) = xstrdup(path);
	}
	return 0;
}

int matching_run_files(struct run_files *out, const char *runs, struct err *e)
{
	static const char shard[] = ".jsonl.shard";
	SCOPED(matching) struct matching all = { 0 };
	int journals = 0, others = 0, rc = list_folder(&all, runs, e);
	for (int i = 0; i < all.n && !rc; i++) {
		const char *name = strrchr(all.v[i], '/') + 1;
		size_t n = strlen(name);
		if (n == 12)
			rc = add_journals(out, &journals, all.v[i], e);
		if (strcmp(name, "ledger.jsonl") == 0)
			out->ledger = xstrdup(all.v[i]);
		else if (n > sizeof shard && strcmp(name + n + 1 - sizeof shard, shard) == 0)
			VEC_PUSH(out->others.v, out->others.n, others) = xstrdup(all.v[i]);
	}
	sort(&out->journals);
	sort(&out->others);
	return rc || matching_find(&out->others, runs, "/merged/*.jsonl", e) ? -1 : 0;
}

void scoped_run_files(struct run_files *f)
{
	scoped_matching(&f->journals);
	scoped_matching(&f->others);
	free(f->ledger);
	f->ledger = NULL;
}
