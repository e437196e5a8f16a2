/* rebuild.c - rebuilding the database from its ledger and journals (merge.h). */
#define _GNU_SOURCE
#include "harness/record/merge.h"

#include "harness/record/dump.h"
#include "harness/record/host.h"
#include "harness/record/ingest.h"
#include "model/base/io.h"
#include "model/base/mem.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int take_files(struct rebuild_result *out, struct db *db, const char *runs, const char *pattern, struct err *e)
{
	SCOPED(free) char *p = xstrfmt("%s/%s", runs, pattern);
	glob_t g;
	int rc = 0;
	if (glob(p, 0, NULL, &g))
		return 0;
	for (size_t i = 0; i < g.gl_pathc && !rc; i++) {
		struct ingest in = { .db = db };
		struct journal_scan scan = { 0 };
		rc = journal_check_seal(g.gl_pathv[i], e) || ingest_file(&in, &scan, g.gl_pathv[i], e) ? -1 : 0;
		out->journals++;
		out->rows += in.rows;
		out->torn += scan.torn > 0;
	}
	globfree(&g);
	return rc;
}

static int fill(struct rebuild_result *out, const char *path, const char *runs, struct err *e)
{
	struct store s = STORE_INIT;
	s.path = (char *)path;
	s.runs = (char *)runs;
	if (db_open(&s.db, path, DB_WRITE, e))
		return -1;
	/* one transaction: the ledger refers to attempts whose journals come after it */
	int rc = db_begin(s.db, e) || store_take_ledger_within(&s, e) ? -1 : 0;
	if (!rc &&
	    (take_files(out, s.db, runs, "merged/*.jsonl", e) || take_files(out, s.db, runs, "*/*/journal.jsonl", e)))
		rc = -1;
	if (!rc)
		rc = db_commit(s.db, e) || db_check(s.db, e) || dump_sha256(out->after, s.db, e) ? -1 : 0;
	db_close(s.db); /* the last connection: the WAL is written back and removed */
	return rc;
}

static void remove_database(const char *path)
{
	static const char *const tails[] = { "", "-wal", "-shm", "-journal" };
	for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
		SCOPED(free) char *name = xstrfmt("%s%s", path, tails[i]);
		(void)unlink(name);
	}
}

/* Moves the old file and what belongs to it to another name. */
static int set_aside(struct rebuild_result *out, const char *path, struct err *e)
{
	static const char *const tails[] = { "-wal", "-shm", "-journal", "" };
	char now[HOST_TIME];
	if (!io_exists(path))
		return 0;
	out->old_path = xstrfmt("%s.before-%s", path, host_now(now));
	for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
		SCOPED(free) char *from = xstrfmt("%s%s", path, tails[i]);
		SCOPED(free) char *to = xstrfmt("%s%s", out->old_path, tails[i]);
		if (rename(from, to) && errno != ENOENT)
			return err_code(e, EXIT_RECORD, "%s: cannot set aside: %s", from, strerror(errno));
	}
	return 0;
}

int merge_rebuild(struct rebuild_result *out, const char *db_path, struct err *e)
{
	*out = (struct rebuild_result){ 0 };
	SCOPED(free) char *runs = xstrfmt("%s-runs", db_path);
	SCOPED(free) char *fresh = xstrfmt("%s.rebuild-%ld", db_path, (long)getpid());
	if (!io_is_dir(runs))
		return err_code(e, EXIT_RECORD, "%s: no run folder: there is nothing to build the database from", runs);
	struct store lock = STORE_INIT;
	lock.path = (char *)db_path;
	lock.runs = runs;
	if (store_lock(&lock, "ablate merge --rebuild", e))
		return -1;
	struct db *old;
	if (!db_open(&old, db_path, DB_READ, NULL)) {
		if (dump_sha256(out->before, old, NULL))
			*out->before = '\0';
		db_close(old);
	}
	remove_database(fresh);
	int rc = fill(out, fresh, runs, e) || set_aside(out, db_path, e) ? -1 : 0;
	if (!rc && rename(fresh, db_path))
		rc = err_code(e, EXIT_RECORD, "%s: cannot rename: %s", fresh, strerror(errno));
	if (rc)
		remove_database(fresh);
	store_unlock(&lock);
	return rc;
}
