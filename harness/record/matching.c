/* matching.c - see matching.h. */
#define _GNU_SOURCE
#include "harness/record/matching.h"

#include "model/base/mem.h"
#include "model/base/str.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

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
