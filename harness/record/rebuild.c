/* rebuild.c - rebuilding the database from its ledger and journals (merge.h). */
#define _GNU_SOURCE
#include "harness/record/merge.h"

#include "harness/record/dump.h"
#include "harness/record/host.h"
#include "harness/record/ingest.h"
#include "harness/record/matching.h"
#include "model/base/io.h"
#include "model/base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One journal, whole or not at all. */
static int take_journal(struct rebuilt *out, struct store *s, const char *path, struct err *e)
{
	struct ingest in = { .db = s->db };
	struct journal_scan scan = { 0 };
	struct err why = ERR_INIT;
	if (db_exec(s->db, e, "SAVEPOINT journal", ""))
		return -1;
	out->journals++;
	if (ingest_file(&in, &scan, path, &why) || db_settled(s->db, &why)) {
		if (db_has_failed(s->db))
			return err_code(e, EXIT_RECORD, "%s", why.msg);
		if (!strstr(why.msg, path))
			(void)err_in(&why, "%s", path);
		store_leave_out(s, why.msg);
		return db_exec(s->db, e, "ROLLBACK TO journal", "") || db_exec(s->db, e, "RELEASE journal", "") ? -1 : 0;
	}
	out->rows += in.rows;
	out->torn += scan.torn > 0;
	return db_exec(s->db, e, "RELEASE journal", "");
}

static int take_journals(struct rebuilt *out, struct store *s, struct err *e)
{
	SCOPED(matching) struct matching journals = { 0 };
	int rc = matching_journals(&journals, s->runs, e);
	for (int i = 0; i < journals.n && !rc; i++)
		rc = take_journal(out, s, journals.v[i], e);
	return rc;
}

/* Ledger and merged lines, again as long as that brings more of those that wait for each other. */
static int take_lines(struct rebuilt *out, struct store *s, struct err *e)
{
	for (int64_t before = INT64_MAX;;) {
		if (store_take_ledger_within(s, e) || store_take_merged_within(s, &out->rows, e))
			return -1;
		if (!s->waiting || s->waiting >= before)
			return 0;
		before = s->waiting;
	}
}

/* A database at `path`, made of the records in `runs`. */
static int fill(struct rebuilt *out, char after[SHA256_HEX], const char *path, const char *runs, struct err *e)
{
	SCOPED(store) struct store s = STORE_INIT;
	s.path = xstrdup(path);
	s.runs = xstrdup(runs);
	if (db_open(&s.db, path, DB_WRITE, e) || db_begin(s.db, e))
		return -1;
	/* the ledger first, which has the plans' cells, so that a journal with other content under a cell's name is the one
	 * that is left out; and again, for its lines about attempts */
	if (take_lines(out, &s, e) || take_journals(out, &s, e) || take_lines(out, &s, e) || db_commit(s.db, e) ||
	    db_check(s.db, e) || dump_sha256(after, s.db, e) || differing_find(&out->differing, s.db, NULL, 0, e))
		return -1;
	out->left = s.left;
	out->n_left = s.n_left;
	out->waiting = s.waiting;
	out->waits = s.waits;
	s.left = NULL;
	s.n_left = 0;
	s.waits = NULL;
	return 0; /* closing the last connection writes the WAL back and removes it */
}

static void rebuilt_release(struct rebuilt *r)
{
	for (int i = 0; i < r->n_left; i++)
		free(r->left[i]);
	free(r->left);
	free(r->waits);
	differing_release(&r->differing);
}

void rebuild_result_release(struct rebuild_result *r)
{
	rebuilt_release(&r->from);
	free(r->old_path);
	*r = (struct rebuild_result){ 0 };
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

/* Both databases beside each other: `db` is open, the other is attached as "other". */
static int attach(struct db *db, const char *path, struct err *e)
{
	return db_exec(db, e, "ATTACH ? AS other", "s", path);
}

static int open_records(char **runs, struct store *lock, const char *db_path, const char *what, struct err *e)
{
	*runs = xstrfmt("%s-runs", db_path);
	if (!io_is_dir(*runs))
		return err_code(e, EXIT_RECORD, "%s: no run folder: there is nothing to build the database from", *runs);
	*lock = (struct store)STORE_INIT;
	lock->path = (char *)db_path;
	lock->runs = *runs;
	return store_lock(lock, what, e);
}

/* Attempts of the old file that the new one lacks: of a database that was renamed without its folder, say. */
static int count_gone(int64_t *out, const char *old, const char *fresh)
{
	struct db *db;
	if (db_open(&db, old, DB_READ, NULL))
		return 0;
	int rc = attach(db, fresh, NULL) ||
	         db_int_of(out, 0, db, NULL, "SELECT count(*) FROM attempt WHERE id NOT IN (SELECT id FROM other.attempt)",
	                   "");
	db_close(db);
	return rc;
}

int merge_rebuild(struct rebuild_result *out, const char *db_path, struct err *e)
{
	*out = (struct rebuild_result){ 0 };
	SCOPED(free) char *runs = NULL;
	SCOPED(free) char *fresh = xstrfmt("%s.rebuild-%ld", db_path, (long)getpid());
	struct store lock;
	if (open_records(&runs, &lock, db_path, "ablate merge --rebuild", e))
		return -1;
	struct db *old;
	if (!db_open(&old, db_path, DB_READ, NULL)) {
		if (dump_sha256(out->before, old, NULL))
			*out->before = '\0';
		db_close(old);
	}
	db_remove(fresh);
	int rc = fill(&out->from, out->after, fresh, runs, e);
	if (!rc && *out->before && count_gone(&out->gone, db_path, fresh))
		out->gone = 0;
	if (!rc)
		rc = set_aside(out, db_path, e);
	if (!rc && rename(fresh, db_path))
		rc = err_code(e, EXIT_RECORD, "%s: cannot rename: %s", fresh, strerror(errno));
	if (rc)
		db_remove(fresh);
	else
		io_sync_folder_of(db_path);
	store_unlock(&lock);
	return rc;
}

/* --- comparing --- */

#define ROWS_SHOWN 20

void check_result_release(struct check_result *r)
{
	rebuilt_release(&r->from);
	for (int i = 0; i < r->n_rows; i++)
		free(r->row[i].text);
	free(r->row);
	*r = (struct check_result){ 0 };
}

static char *row_text(const char *table, const struct db_rows *rows)
{
	struct str s = { 0 };
	str_add(&s, table);
	for (int c = 0; c < db_columns(rows); c++)
		if (!db_is_null(rows, c)) {
			str_add(&s, c && s.data[s.len - 1] != '(' ? ", " : "(");
			str_addf(&s, "%s=", db_column_name(rows, c));
			if (db_column_type(rows, c) == DB_REAL)
				str_addf(&s, "%.17g", db_real(rows, c));
			else if (db_column_type(rows, c) == DB_INTEGER)
				str_addf(&s, "%lld", (long long)db_int(rows, c));
			else
				str_addf(&s, "%.60s", db_text(rows, c));
		}
	str_addc(&s, ')');
	return str_detach(&s);
}

/* Rows of `table` in one database and not in the other, but for those of attempts that are not over, about which the
 * database may lag behind. */
static int compare(struct check_result *out, struct db *db, const char *table, bool unrecorded, struct err *e)
{
	static const char *const of_attempt[] = { "input", "checkpoint", "output", "metric", "curve" };
	const char *in = unrecorded ? "main" : "other", *not_in = unrecorded ? "other" : "main";
	const char *id = strcmp(table, "attempt") == 0 ? "id" : NULL;
	int64_t *count = unrecorded ? &out->unrecorded : &out->missing;
	for (size_t i = 0; i < sizeof of_attempt / sizeof *of_attempt; i++)
		if (strcmp(of_attempt[i], table) == 0)
			id = "attempt";
	SCOPED(free)
	char *over = id ? xstrfmt(" WHERE %s NOT IN (SELECT id FROM main.attempt WHERE state = 'running')", id)
	                : xstrdup("");
	SCOPED(free)
	char *sql = xstrfmt("SELECT * FROM (SELECT * FROM %s.%s EXCEPT SELECT * FROM %s.%s)%s", in, table, not_in, table,
	                    over);
	struct db_rows rows;
	int cap = out->n_rows;
	if (db_query(&rows, db, e, sql, ""))
		return -1;
	while (db_next(&rows)) {
		if (out->n_rows < ROWS_SHOWN)
			VEC_PUSH(out->row, out->n_rows, cap) = (struct check_row){ row_text(table, &rows), unrecorded };
		++*count;
	}
	return db_done(&rows, e);
}

int merge_check(struct check_result *out, const char *db_path, struct err *e)
{
	*out = (struct check_result){ 0 };
	char hash[SHA256_HEX];
	SCOPED(free) char *runs = NULL;
	SCOPED(free) char *fresh = xstrfmt("%s.check-%ld", db_path, (long)getpid());
	SCOPED(db) struct db *db = NULL;
	struct store lock;
	if (db_open(&db, db_path, DB_READ, e) || db_check(db, e) ||
	    open_records(&runs, &lock, db_path, "ablate merge --check", e))
		return -1;
	db_remove(fresh);
	int rc = fill(&out->from, hash, fresh, runs, e) || attach(db, fresh, e) ? -1 : 0;
	for (const char *const *t = dump_tables(); *t && !rc; t++)
		if (strcmp(*t, "meta") != 0)
			rc = compare(out, db, *t, true, e) || compare(out, db, *t, false, e) ? -1 : 0;
	if (!rc)
		rc = db_exec(db, e, "DETACH other", "");
	db_remove(fresh);
	store_unlock(&lock);
	return rc;
}
