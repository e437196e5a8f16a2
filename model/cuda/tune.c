/* tune.c - see tune.h. */
#include "model/cuda/tune.h"
#include "model/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char FIRST_LINE[] = "ablate engines 1\n";
enum { FIELDS = 5, LINE = 2048, LARGEST = 64 << 20 };

struct row {
	char *what;
	struct tune_engine engine;
};

struct tune {
	char *path;
	struct row *rows;
	size_t n;
	off_t read; /* bytes of the file that are rows by now */
};

/* ---- lines ----------------------------------------------------------------------------------- */

static bool number(const char **at, int64_t *out)
{
	char *end;
	errno = 0;
	*out = strtoll(*at, &end, 10);
	bool ok = end != *at && errno == 0;
	*at = end;
	return ok;
}

static bool whole_number(const char *text, int64_t *out)
{
	return number(&text, out) && *text == '\0' && *out >= 0;
}

static bool knobs_of(const char *text, struct tune_engine *e)
{
	if (strcmp(text, "-") == 0)
		return true;
	for (;; text++) {
		if (e->n_knobs == TUNE_KNOBS || !number(&text, &e->knobs[e->n_knobs].type) || *text++ != '=' ||
		    !number(&text, &e->knobs[e->n_knobs].value))
			return false;
		e->n_knobs++;
		if (*text != ' ')
			return *text == '\0';
	}
}

/* A line without its end, taken apart in place. */
static bool row_of(char *line, struct row *r)
{
	char *field[FIELDS] = { line }, *end;
	memset(r, 0, sizeof *r);
	for (int i = 1; i < FIELDS; i++) {
		field[i] = strchr(field[i - 1], '\t');
		if (!field[i])
			return false;
		*field[i]++ = '\0';
	}
	r->what = field[0];
	r->engine.us = strtod(field[4], &end);
	return *r->what && whole_number(field[1], &r->engine.engine) && knobs_of(field[2], &r->engine) &&
	       whole_number(field[3], &r->engine.workspace) && end != field[4] && *end == '\0' && r->engine.us > 0;
}

static void knobs_text(char *out, size_t bytes, const struct tune_engine *e)
{
	size_t at = 0;
	(void)snprintf(out, bytes, "-");
	for (int i = 0; i < e->n_knobs && at < bytes; i++)
		at += (size_t)snprintf(out + at, bytes - at, "%s%" PRId64 "=%" PRId64, i ? " " : "", e->knobs[i].type,
		                       e->knobs[i].value);
}

void tune_text(char *out, size_t bytes, const struct tune_engine *e)
{
	char knobs[TUNE_KNOBS * 24], timed[48] = "";
	knobs_text(knobs, sizeof knobs, e);
	if (e->us > 0)
		(void)snprintf(timed, sizeof timed, ", %.1f us when it was chosen", e->us);
	(void)snprintf(out, bytes, "engine %" PRId64 ", knobs %s, workspace %" PRId64 " bytes%s%s", e->engine, knobs,
	               e->workspace, timed, e->fallback ? ", a fallback" : "");
}

/* ---- the file -------------------------------------------------------------------------------- */

/* What was added to the file since it was read last. */
static int read_on(struct tune *t, int fd, struct err *e)
{
	struct stat st;
	if (fstat(fd, &st))
		return err_set(e, "%s: %s", t->path, strerror(errno));
	if (st.st_size < t->read || st.st_size > LARGEST || !S_ISREG(st.st_mode))
		return err_set(e, "%s: not a file of engines (ABLATE_CUDNN_TUNE)", t->path);
	size_t bytes = (size_t)(st.st_size - t->read);
	SCOPED(free) char *text = xcalloc(bytes + 1, 1);
	if (pread(fd, text, bytes, t->read) != (ssize_t)bytes)
		return err_set(e, "%s: cannot be read", t->path);
	for (char *line = text, *end; *line; line = end) {
		struct row r;
		end = strchr(line, '\n');
		if (end)
			*end++ = '\0';
		bool first = t->read == 0;
		if (!end || (first ? strncmp(line, FIRST_LINE, sizeof FIRST_LINE - 2) != 0 || line[sizeof FIRST_LINE - 2]
		                   : !row_of(line, &r)))
			return err_set(e,
			               "%s: line %zu is not one of a file of engines (ABLATE_CUDNN_TUNE): delete it, or the file",
			               t->path, first ? 1 : t->n + 2);
		t->read += end - line;
		if (first)
			continue;
		r.what = xstrdup(r.what);
		t->rows = xrealloc(t->rows, t->n + 1, sizeof *t->rows);
		t->rows[t->n++] = r;
	}
	return 0;
}

int tune_open(struct tune **out, const char *path, struct err *e)
{
	struct tune *t = xcalloc(1, sizeof *t);
	t->path = xstrdup(path);
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;
	if (fd >= 0) {
		rc = flock(fd, LOCK_SH) ? err_set(e, "%s: %s", path, strerror(errno)) : read_on(t, fd, e);
		(void)close(fd);
	} else if (errno != ENOENT) {
		rc = err_set(e, "%s: cannot open: %s", path, strerror(errno));
	}
	if (rc)
		tune_free(t);
	else
		*out = t;
	return rc;
}

void tune_free(struct tune *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n; i++)
		free(t->rows[i].what);
	free(t->rows);
	free(t->path);
	free(t);
}

const struct tune_engine *tune_find(const struct tune *t, const char *what)
{
	for (size_t i = 0; i < t->n; i++)
		if (strcmp(t->rows[i].what, what) == 0)
			return &t->rows[i].engine;
	return NULL;
}

/* Under the lock: adds the row unless there is one. */
static int add(struct tune *t, int fd, const char *what, struct tune_engine *engine, struct err *e)
{
	char knobs[TUNE_KNOBS * 24], line[LINE];
	if (read_on(t, fd, e))
		return -1;
	const struct tune_engine *there = tune_find(t, what);
	if (there) {
		*engine = *there;
		return 0;
	}
	knobs_text(knobs, sizeof knobs, engine);
	int n = snprintf(line, sizeof line, "%s%s\t%" PRId64 "\t%s\t%" PRId64 "\t%.1f\n", t->read ? "" : FIRST_LINE, what,
	                 engine->engine, knobs, engine->workspace, engine->us > 0.1 ? engine->us : 0.1);
	if (n >= (int)sizeof line || write(fd, line, (size_t)n) != n)
		return err_set(e, "%s: a line could not be added: %s", t->path,
		               strerror(n >= (int)sizeof line ? E2BIG : errno));
	return read_on(t, fd, e);
}

int tune_keep(struct tune *t, const char *what, struct tune_engine *engine, struct err *e)
{
	/* through a link, too: the name is the user's, of a file that is to stay */
	int fd = open(t->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666), rc;
	if (fd < 0)
		return err_set(e, "%s: cannot open: %s", t->path, strerror(errno));
	rc = flock(fd, LOCK_EX) ? err_set(e, "%s: %s", t->path, strerror(errno)) : add(t, fd, what, engine, e);
	(void)close(fd);
	return rc;
}

int tune_fastest(const double *us, int n)
{
	int best = -1;
	for (int i = 0; i < n; i++)
		if (us[i] > 0 && (best < 0 || us[i] < us[best]))
			best = i;
	return best;
}
