/* prune.c - see prune.h: what can go. Its removal is in prune_remove.c. */
#define _GNU_SOURCE
#include "harness/record/prune.h"

#include "harness/record/matching.h"
#include "harness/record/query.h"
#include "model/base/io.h"
#include "model/base/mem.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Younger than this, a folder without a journal may be of a worker that is only starting, also on another machine. */
#define STALE_S 3600

const struct prune_kind_row prune_kinds[N_PRUNE_KINDS] = {
	[PRUNE_SUPERSEDED] = { "superseded", "checkpoints that a later one has replaced", true },
	[PRUNE_STALE] = { "stale", "what processes that are gone left half-written", true },
	[PRUNE_FINAL] = { "final", "last checkpoints of finished cells: for `ablate sample`, and for more scores", false },
	[PRUNE_SAMPLES] = { "samples", "generated images as arrays: for scores that are asked for later", false },
	[PRUNE_PICTURES] = { "pictures", "pictures of samples: in reports", false },
	[PRUNE_LOGS] = { "logs", "output of workers: why an attempt failed", false },
	[PRUNE_REFS] = { "refs", "features of references: made again when they are needed", false },
	[PRUNE_BACKUPS] = { "backups", "databases as they were before they were brought up to date or rebuilt", false },
};

struct owner {
	char id[HOST_UUID], cell[65];
	bool running, repeats; /* repeats: of verify */
	bool done, wanted;     /* its cell is; cells of a grid that have its training are not */
};

/* NULL: it is no file, or gone. */
static struct prune_file *add(struct prune_list *list, enum prune_kind kind, const char *path, const struct owner *of)
{
	struct stat st;
	if (lstat(path, &st) || !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
		return NULL;
	struct prune_file *f = &VEC_PUSH(list->v, list->n, list->cap);
	*f = (struct prune_file){ .kind = kind,
		                      .path = xstrdup(path),
		                      .step = -1,
		                      .folder = S_ISDIR(st.st_mode),
		                      .size = S_ISDIR(st.st_mode) ? 0 : (int64_t)st.st_size,
		                      .dev = st.st_dev,
		                      .ino = st.st_ino,
		                      .links = st.st_nlink };
	if (of) {
		memcpy(f->cell, of->cell, sizeof f->cell);
		memcpy(f->attempt, of->id, sizeof f->attempt);
		f->repeats = of->repeats;
	}
	return f;
}

static bool ends_with(const char *name, const char *tail)
{
	size_t n = strlen(name), m = strlen(tail);
	return n >= m && strcmp(name + n - m, tail) == 0;
}

static int64_t step_of(const char *name)
{
	int64_t step;
	int n = 0;
	return sscanf(name, "step-%ld.ckpt%n", &step, &n) == 1 && n && !name[n] ? step : -1;
}

static bool is_old(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0 && time(NULL) - st.st_mtime > STALE_S;
}

/* NAME.tmp-PID or NAME.tmp-PID-DIGITS of io_temporary: of a process that is gone, here and, as far as its age says,
 * elsewhere. */
static bool is_left_over(const char *path)
{
	const char *tail = strstr(strrchr(path, '/') ? strrchr(path, '/') : path, ".tmp-");
	char *end = NULL;
	long pid = tail ? strtol(tail + 5, &end, 10) : 0;
	if (pid > 0 && *end == '-' && end[1])
		end += 1 + strspn(end + 1, "0123456789abcdef");
	return pid > 0 && !*end && is_old(path) && !host_pid_alive((pid_t)pid);
}

/* ---- of attempts ----------------------------------------------------------------------------- */

static int files_of(struct prune_list *list, struct store *s, const struct owner *of, struct err *e)
{
	SCOPED(free) char *dir = store_attempt_dir(s, of->cell, of->id);
	DIR *d = opendir(dir);
	int rc = 0;
	for (struct dirent *entry; d && !rc && (entry = readdir(d));) {
		const char *name = entry->d_name;
		SCOPED(free) char *path = xstrfmt("%s/%s", dir, name);
		bool sample = strncmp(name, "samples", 7) == 0, recorded = false;
		int64_t step = step_of(name);
		if (step >= 0 && !(rc = query_has_checkpoint(&recorded, s->db, of->id, step, e))) {
			struct prune_file *f = add(list, PRUNE_SUPERSEDED, path, of);
			if (f && recorded) { /* nobody goes on from one whose journal was lost */
				int64_t own;
				f->step = step;
				rc = db_int_of(&own, 0, s->db, e, "SELECT count(*) FROM checkpoint WHERE attempt = ? AND step = ?",
				               "si", of->id, step);
				f->own = !rc && own;
			}
		} else if (is_left_over(path)) {
			(void)add(list, PRUNE_STALE, path, of);
		} else if (strcmp(name, "log") == 0) {
			(void)add(list, PRUNE_LOGS, path, of);
		} else if ((sample && ends_with(name, ".png")) || strncmp(name, "nearest@", 8) == 0) {
			(void)add(list, PRUNE_PICTURES, path, of);
		} else if (sample && ends_with(name, ".npy")) {
			(void)add(list, PRUNE_SAMPLES, path, of);
		}
	}
	if (d)
		(void)closedir(d);
	return rc;
}

/* Does a setting name this file, so that other cells begin with it? */
static bool is_named(const struct prune_file *f, const char *settings)
{
	SCOPED(free) char *tail = xstrfmt("%.12s/%s/%s", f->cell, f->attempt, strrchr(f->path, '/') + 1);
	return settings && strstr(settings, tail);
}

/* Is a of more use than b? A repetition counts where there is nothing else; then the further one, the one whose attempt
 * wrote it, which is where query_checkpoint_place looks, and the later. */
static bool is_better(const struct prune_file *a, const struct prune_file *b)
{
	return a->repeats != b->repeats ? b->repeats : a->step != b->step ? a->step > b->step : a->own >= b->own;
}

/* Of the checkpoints of one cell, list->v[from] and on, those that are of use: the furthest, and of the attempt that
 * has it, while its cell is not done, the one before it, too. */
static void judge_cell(struct prune_list *list, int from, const struct owner *owners, const char *settings)
{
	const struct prune_file *best = NULL;
	for (int i = from; i < list->n; i++)
		if (list->v[i].step >= 0 && (!best || is_better(&list->v[i], best)))
			best = &list->v[i];
	for (int i = from; best && i < list->n; i++) {
		struct prune_file *f = &list->v[i];
		if (f->step < 0 || strcmp(f->attempt, best->attempt) != 0 || (owners->done && f != best))
			continue;
		f->kind = PRUNE_FINAL;
		f->needed = (!owners->done && !best->repeats) || owners->wanted || is_named(f, settings);
	}
}

static int read_owners(struct owner **out, int *n, struct store *s, struct err *e)
{
	struct db_rows rows;
	int cap = 0;
	*out = NULL;
	*n = 0;
	if (db_query(
			&rows, s->db, e,
			"SELECT t.id, t.cell, t.state = 'running', t.purpose = 'verify', "
			"EXISTS(SELECT 1 FROM attempt d WHERE d.cell = t.cell AND d.state = 'done' AND d.purpose = 'run'), "
			"EXISTS(SELECT 1 FROM cell p JOIN grid_cell g ON g.cell = p.hash WHERE p.training = c.training AND NOT "
			"EXISTS(SELECT 1 FROM attempt d WHERE d.cell = p.hash AND d.state = 'done' AND d.purpose = 'run')) "
			"FROM attempt t JOIN cell c ON c.hash = t.cell ORDER BY t.cell, t.started, t.id",
			""))
		return -1;
	while (db_next(&rows)) {
		struct owner *o = &VEC_PUSH(*out, *n, cap);
		*o = (struct owner){ .running = db_int(&rows, 2),
			                 .repeats = db_int(&rows, 3),
			                 .done = db_int(&rows, 4),
			                 .wanted = db_int(&rows, 5) };
		(void)snprintf(o->id, sizeof o->id, "%s", db_text(&rows, 0));
		(void)snprintf(o->cell, sizeof o->cell, "%s", db_text(&rows, 1));
	}
	return db_done(&rows, e);
}

static int find_of_attempts(struct prune_list *list, struct store *s, struct err *e)
{
	SCOPED(free) struct owner *owners = NULL;
	SCOPED(free) char *settings = NULL;
	int n, rc = read_owners(&owners, &n, s, e);
	if (!rc)
		rc = db_text_of(&settings, s->db, e,
		                "SELECT group_concat(coalesce(json_extract(config, '$.\"net.init\"'), '') || ' ' || "
		                "coalesce(json_extract(config, '$.\"cd.teacher\"'), ''), ' ') FROM arm",
		                "");
	for (int i = 0, next; i < n && !rc; i = next) {
		int from = list->n;
		bool runs = false;
		for (next = i; next < n && strcmp(owners[next].cell, owners[i].cell) == 0; next++)
			runs = runs || owners[next].running;
		for (int k = i; k < next && !runs && !rc; k++) /* an attempt that runs may go on from any of its cell's */
			rc = files_of(list, s, &owners[k], e);
		judge_cell(list, from, &owners[i], settings);
	}
	return rc;
}

/* ---- of nobody ------------------------------------------------------------------------------- */

/* A folder whose worker never came to write a journal: the runner was killed between the two. */
static int find_stale_folder(struct prune_list *list, struct store *s, const char *dir, const char *id, struct err *e)
{
	bool known;
	SCOPED(free) char *path = xstrfmt("%s/%s", dir, id), *journal = xstrfmt("%s/journal.jsonl", path);
	if (!io_is_dir(path) || io_exists(journal) || !is_old(path))
		return 0;
	if (query_has_attempt(&known, s->db, id, e))
		return -1;
	DIR *d = known ? NULL : opendir(path);
	for (struct dirent *entry; d && (entry = readdir(d));) {
		SCOPED(free) char *file = xstrfmt("%s/%s", path, entry->d_name);
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			(void)add(list, PRUNE_STALE, file, NULL);
	}
	if (d) {
		(void)closedir(d);
		(void)add(list, PRUNE_STALE, path, NULL);
	}
	return 0;
}

static int find_in_run_folder(struct prune_list *list, struct store *s, struct err *e)
{
	DIR *d = opendir(s->runs);
	int rc = 0;
	for (struct dirent *entry; d && !rc && (entry = readdir(d));) {
		SCOPED(free) char *path = xstrfmt("%s/%s", s->runs, entry->d_name);
		if (is_left_over(path))
			(void)add(list, PRUNE_STALE, path, NULL);
		if (strlen(entry->d_name) != 12 || strspn(entry->d_name, "0123456789abcdef") != 12)
			continue;
		DIR *cell = opendir(path);
		for (struct dirent *one; cell && !rc && (one = readdir(cell));)
			if (strlen(one->d_name) == HOST_UUID - 1)
				rc = find_stale_folder(list, s, path, one->d_name, e);
		if (cell)
			(void)closedir(cell);
	}
	if (d)
		(void)closedir(d);
	return rc;
}

static int find_matching(struct prune_list *list, enum prune_kind kind, const char *stem, const char *pattern,
                         bool left_over, struct err *e)
{
	SCOPED(matching) struct matching found = { 0 };
	if (matching_find(&found, stem, pattern, e))
		return -1;
	for (int i = 0; i < found.n; i++)
		if (!left_over || is_left_over(found.v[i]))
			(void)add(list, kind, found.v[i], NULL);
	return 0;
}

int prune_find(struct prune_list *out, struct store *s, struct err *e)
{
	struct prune_list list = { 0 };
	SCOPED(free) char *refs = xstrfmt("%s/refs", s->runs), *plans = xstrfmt("%s/plans", s->runs);
	if (find_of_attempts(&list, s, e) || find_in_run_folder(&list, s, e) ||
	    find_matching(&list, PRUNE_STALE, refs, "/*.tmp-*", true, e) ||
	    find_matching(&list, PRUNE_STALE, plans, "/*.tmp-*", true, e) ||
	    find_matching(&list, PRUNE_STALE, s->path, ".tmp-*", true, e) ||
	    find_matching(&list, PRUNE_REFS, refs, "/*.npz*", false, e) ||
	    find_matching(&list, PRUNE_BACKUPS, s->path, ".v*-*.bak", false, e) ||
	    find_matching(&list, PRUNE_BACKUPS, s->path, ".before-*", false, e)) {
		prune_release(&list);
		return -1;
	}
	*out = list;
	return 0;
}

void prune_release(struct prune_list *list)
{
	for (int i = 0; i < list->n; i++)
		free(list->v[i].path);
	free(list->v);
	*list = (struct prune_list){ 0 };
}
