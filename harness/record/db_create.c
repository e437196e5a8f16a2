/* db_create.c - making a database. Its name shows an empty file, which is as good as none, or the whole database: it is
 * made under another name and renamed, so that no kill and no full disk leaves one that nobody can open. */
#define _GNU_SOURCE
#include "harness/record/db_private.h"

#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/base/progress.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int cannot_create(const char *path, struct err *e)
{
	return err_code(e, EXIT_RECORD, "%s: cannot create: %s", path, strerror(errno));
}

int db_create_schema(struct db *db, const struct db_schema *schema, struct err *e)
{
	SCOPED(free)
	char *sql = xstrfmt("PRAGMA application_id = %d; PRAGMA user_version = %d;", DB_APPLICATION_ID, schema->version);
	return db_script(db, e, schema->sql) || db_script(db, e, sql) ? -1 : 0;
}

static int fill(struct db *db, const struct db_schema *schema, struct err *e)
{
	if (db_open_handle(db, SQLITE_OPEN_READWRITE, e) ||
	    db_script(db, e, "PRAGMA synchronous = FULL; BEGIN EXCLUSIVE") || db_create_schema(db, schema, e))
		return -1;
	return db_commit(db, e);
}

/* `real`: the empty file, without links. */
static int put_in_place(const char *real, const struct db_schema *schema, mode_t mode, struct err *e)
{
	struct db db = { 0 };
	if (db_make_empty(&db.path, real, e))
		return -1;
	int rc = fill(&db, schema, e);
	db_finish(&db);
	if (!rc && (chmod(db.path, mode & 07777) || rename(db.path, real)))
		rc = cannot_create(real, e);
	if (rc)
		db_remove(db.path);
	else
		io_sync_folder_of(real);
	free(db.path);
	return rc;
}

/* Waits for other programs that are making it, as for any lock. */
static int lock(int fd, const char *path, struct err *e)
{
	struct db waits = { .path = (char *)path };
	double start = monotonic_s();
	while (flock(fd, LOCK_EX | LOCK_NB)) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return 0; /* a file system without such locks */
		if (!db_waits_on(&waits, monotonic_s() - start))
			return err_code(e, EXIT_RECORD, "%s: locked by another program while it was empty; try again", path);
	}
	return 0;
}

int db_create(const char *path, const struct db_schema *schema, struct err *e)
{
	for (;;) {
		struct stat mine, named = { 0 };
		char real[PATH_MAX];
		SCOPED(fd) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
		if (fd < 0)
			return err_code(e, EXIT_RECORD, "%s: cannot open: %s", path, strerror(errno));
		if (lock(fd, path, e))
			return -1;
		/* while we waited another program may have put its own in place of the empty file */
		if (fstat(fd, &mine) || (stat(path, &named) && errno != ENOENT) || (!realpath(path, real) && errno != ENOENT))
			return cannot_create(path, e);
		if (mine.st_dev != named.st_dev || mine.st_ino != named.st_ino)
			continue;
		return mine.st_size ? 0 : put_in_place(real, schema, mine.st_mode, e);
	}
}
