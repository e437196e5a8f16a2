/* prune_remove.c - see prune.h: which files go, and how. */
#define _GNU_SOURCE
#include "harness/record/prune.h"

#include "model/base/io.h"
#include "model/base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int by_file(const void *a, const void *b)
{
	const struct prune_file *x = *(struct prune_file *const *)a, *y = *(struct prune_file *const *)b;
	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	return x->ino == y->ino ? 0 : x->ino < y->ino ? -1 : 1;
}

/* Attempts that go on share the files they began with: only the last name of a file frees its bytes. */
static void count_bytes(struct prune_list *list)
{
	SCOPED(free) struct prune_file **order = xcalloc((size_t)list->n + 1, sizeof(struct prune_file *));
	int n = 0;
	for (int i = 0; i < list->n; i++)
		if (list->v[i].chosen && !list->v[i].folder)
			order[n++] = &list->v[i];
	qsort(order, (size_t)n, sizeof(struct prune_file *), by_file);
	for (int i = 0, next; i < n; i = next) {
		for (next = i; next < n && by_file(&order[i], &order[next]) == 0; next++)
			order[next]->frees = 0;
		if ((nlink_t)(next - i) >= order[i]->links)
			order[next - 1]->frees = order[next - 1]->size;
	}
}

void prune_choose(struct prune_list *list, const bool kinds[N_PRUNE_KINDS], const char *cell, bool needed)
{
	for (int i = 0; i < list->n; i++) {
		struct prune_file *f = &list->v[i];
		f->frees = 0;
		f->chosen = kinds[f->kind] && (needed || !f->needed) &&
		            (!cell || (*f->cell && !strncmp(f->cell, cell, strlen(cell))));
	}
	count_bytes(list);
}

static const char *name_of(const struct prune_file *f)
{
	const char *slash = strrchr(f->path, '/');
	return slash ? slash + 1 : f->path;
}

static int record(const struct prune_list *list, struct store *s, struct err *e)
{
	char now[HOST_TIME];
	json_t *lines = json_array();
	int rc = 0;
	(void)host_now(now);
	for (int i = 0; i < list->n && !rc; i++) {
		const struct prune_file *f = &list->v[i];
		int64_t known;
		if (!f->chosen || !*f->attempt)
			continue;
		rc = db_int_of(&known, 0, s->db, e, "SELECT count(*) FROM pruned WHERE attempt = ? AND name = ?", "ss",
		               f->attempt, name_of(f));
		if (!rc && !known) /* else one that was killed before it removed the file */
			(void)json_array_append_new(lines,
			                            json_pack("{s:s, s:s, s:s, s:I, s:s}", "t", "pruned", "attempt", f->attempt,
			                                      "name", name_of(f), "bytes", (json_int_t)f->frees, "created", now));
	}
	if (!rc)
		rc = store_record(s, lines, e);
	json_decref(lines);
	return rc;
}

int prune_remove(const struct prune_list *list, struct store *s, struct err *e)
{
	if (record(list, s, e))
		return -1;
	for (int i = 0; i < list->n; i++) {
		const struct prune_file *f = &list->v[i];
		if (f->chosen && (f->folder ? rmdir(f->path) : unlink(f->path)) && errno != ENOENT)
			return err_code(e, EXIT_RECORD, "%s: cannot be removed: %s", f->path, strerror(errno));
	}
	return 0;
}

int prune_when(char **day, struct db *db, const char *attempt, const char *name, struct err *e)
{
	return db_text_of(day, db, e, "SELECT substr(created, 1, 10) FROM pruned WHERE attempt = ? AND name = ?", "ss",
	                  attempt, name);
}

int prune_when_of_cell(char **day, struct db *db, const char *cell, struct err *e)
{
	return db_text_of(
		day, db, e,
		"SELECT substr(max(p.created), 1, 10) FROM pruned p JOIN attempt t ON t.id = p.attempt JOIN cell c ON "
		"c.hash = t.cell WHERE p.name GLOB 'step-*.ckpt' AND t.purpose = 'run' AND (c.hash = ?1 OR c.training = "
		"(SELECT training FROM cell WHERE hash = ?1))",
		"s", cell);
}
