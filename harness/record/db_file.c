/* db_file.c - the files of a database, for db.c and db_create.c: opening one, and removing what is not wanted. */
#define _GNU_SOURCE
#include "harness/record/db_private.h"

#include "harness/record/host.h"
#include "harness/record/matching.h"
#include "model/base/io.h"
#include "model/base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int db_open_handle(struct db *db, int flags, struct err *e)
{
	int rc = sqlite3_open_v2(db->path, &db->handle, flags, NULL);
	if (rc != SQLITE_OK) {
		(void)err_code(e, EXIT_RECORD, "%s: cannot open: %s", db->path,
		               db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(rc));
		return -1;
	}
	(void)sqlite3_busy_handler(db->handle, db_on_busy, db);
	(void)sqlite3_extended_result_codes(db->handle, 1);
	return db_add_stages(db, e);
}

/* Removes files PREFIX + PID of programs that were killed while they made them. */
static void remove_of_dead(const char *prefix)
{
	SCOPED(matching) struct matching files = { 0 };
	(void)matching_find(&files, prefix, "*", NULL);
	for (int i = 0; i < files.n; i++)
		if (!host_pid_alive((pid_t)strtol(files.v[i] + strlen(prefix), NULL, 10)))
			(void)unlink(files.v[i]);
}

int db_sync_file(const char *path, struct err *e)
{
	int rc = io_sync_file(path, e);
	if (rc && e)
		e->code = EXIT_RECORD;
	return rc;
}

void db_remove(const char *path)
{
	static const char *const tails[] = { "", "-wal", "-shm", "-journal" };
	for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
		SCOPED(free) char *name = xstrfmt("%s%s", path, tails[i]);
		(void)unlink(name);
	}
}

int db_make_empty(char **out, const char *stem, struct err *e)
{
	SCOPED(free) char *prefix = xstrfmt("%s.tmp-", stem);
	remove_of_dead(prefix);
	SCOPED(fd) int fd = io_temporary(out, stem, 0644, e);
	if (fd < 0 && e)
		e->code = EXIT_RECORD;
	return fd < 0 ? -1 : 0;
}
