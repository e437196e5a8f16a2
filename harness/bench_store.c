/* bench_store.c - see bench_store.h. */
#define _GNU_SOURCE
#include "bench_store.h"

#include "host.h"
#include "ingest.h"
#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/base/progress.h"
#include "store.h"

#include <errno.h>
#include <ftw.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char arm[] = "0000000000000000000000000000000000000000000000000000000000000000";

struct writer { pid_t pid; char id[HOST_UUID], cell[SHA256_HEX], *path; struct journal_scan scan; };

static int write_points(const struct writer *w, int points)
{
	struct journal_head head = { .attempt = w->id, .cell = w->cell, .arm = arm, .config = "{}", .dataset = "none", .seed = w->cell[0],
	                             .numerics = 1, .n = 1, .purpose = "run" };
	struct journal *j;
	struct journal_end end = JOURNAL_END_INIT;
	end.state = "done";
	if (journal_create(&j, w->path, &head, NULL))
		return 1;
	for (int i = 0; i < points / 2; i++) {
		journal_curve(j, "loss", i, 1.0 / (i + 1));
		journal_curve(j, "grad_norm", i, sqrt(i));
	}
	int rc = journal_end(j, &end, NULL);
	journal_close(j);
	return rc ? 1 : 0;
}

/* N processes write while this one takes in, as a supervisor does. */
static int measure_ingest(json_t *out, struct store *s, const struct bench_store *size, struct err *e)
{
	struct writer *w = xcalloc((size_t)size->workers, sizeof *w);
	int rc = 0, open = size->workers;
	int64_t before, after;
	if (db_int_of(&before, 0, s->db, e, "SELECT count(*) FROM curve", "")) {
		free(w);
		return -1;
	}
	double start = monotonic_s();
	for (int i = 0; i < size->workers; i++) {
		(void)host_uuid(w[i].id);
		io_sha256(w[i].cell, w[i].id, sizeof w[i].id);
		w[i].cell[0] = (char)('0' + i);
		SCOPED(free) char *dir = store_attempt_dir(s, w[i].cell, w[i].id);
		w[i].path = store_journal(s, w[i].cell, w[i].id);
		if ((rc = io_mkdirs(dir, e)))
			break;
		if ((w[i].pid = fork()) == 0)
			_exit(write_points(&w[i], size->points_per_worker));
	}
	while (!rc && open) {
		open = 0;
		for (int i = 0; i < size->workers && !rc; i++)
			if (!w[i].scan.sealed) {
				open++;
				if (io_exists(w[i].path))
					rc = store_take_journal(s, &w[i].scan, w[i].id, w[i].path, NULL, e);
				else
					(void)usleep(1000);
			}
	}
	double seconds = monotonic_s() - start;
	for (int i = 0; i < size->workers; i++) {
		int status = 0;
		if (w[i].pid > 0 && waitpid(w[i].pid, &status, 0) == w[i].pid && status && !rc)
			rc = err_set(e, "a writing process failed");
		free(w[i].path);
	}
	if (!rc)
		rc = db_int_of(&after, 0, s->db, e, "SELECT count(*) FROM curve", "");
	if (!rc) {
		int64_t want = (int64_t)size->workers * (size->points_per_worker / 2) * 2;
		(void)json_object_set_new(out, "ingest", json_pack("{s:i, s:I, s:f, s:f, s:I}", "workers", size->workers, "rows", (json_int_t)(after - before),
		                                                   "seconds", seconds, "rows_per_s", (double)(after - before) / seconds, "lost",
		                                                   (json_int_t)(want - (after - before))));
	}
	free(w);
	return rc;
}

static int fill(struct store *s, const struct bench_store *size, struct err *e)
{
	char now[HOST_TIME], cell[SHA256_HEX], id[HOST_UUID];
	(void)host_now(now);
	if (db_begin(s->db, e) ||
	    db_exec(s->db, e, "INSERT INTO arm VALUES(?, '{}') ON CONFLICT DO NOTHING", "s", arm) ||
	    db_exec(s->db, e, "INSERT INTO grid(hash, name, toml, created) VALUES('bench', 'bench', '', ?)", "s", now))
		return -1;
	for (int a = 0; a < size->attempts; a++) {
		io_sha256(cell, &a, sizeof a);
		(void)host_uuid(id);
		if (db_exec(s->db, e, "INSERT INTO cell VALUES(?, ?, ?, 1, 'bench')", "ssi", cell, arm, (int64_t)a) ||
		    db_exec(s->db, e, "INSERT INTO grid_cell VALUES('bench', ?, '', ?, 'bench', NULL)", "si", cell, (int64_t)a) ||
		    db_exec(s->db, e, "INSERT INTO attempt(id, cell, n, state, started) VALUES(?, ?, 1, 'done', ?)", "sss", id, cell, now) ||
		    db_exec(s->db, e, "INSERT INTO metric VALUES(?, 'fid', 1, 'ema', 100, 101, 'p', ?, 'x', NULL, NULL, 10)", "sd", id, (double)a))
			return -1;
		for (int p = 0; p < size->points_per_attempt; p++)
			if (db_exec(s->db, e, "INSERT INTO curve VALUES(?, 'loss', ?, ?)", "sid", id, (int64_t)p, 0.5))
				return -1;
	}
	return db_commit(s->db, e);
}

static int time_query(double *seconds, struct db *db, const char *sql, struct err *e)
{
	struct db_rows rows;
	double start = monotonic_s();
	if (db_query(&rows, db, e, sql, ""))
		return -1;
	while (db_next(&rows))
		;
	*seconds = monotonic_s() - start;
	return db_done(&rows, e);
}

static int measure_queries(json_t *out, struct store *s, const struct bench_store *size, struct err *e)
{
	double status, table;
	if (fill(s, size, e)) {
		db_rollback(s->db);
		return -1;
	}
	if (time_query(&status, s->db, "SELECT state, count(*) FROM v_cell_status GROUP BY grid, state", e) ||
	    time_query(&table, s->db, "SELECT * FROM v_arm", e))
		return -1;
	(void)json_object_set_new(out, "queries", json_pack("{s:i, s:i, s:f, s:f}", "attempts", size->attempts, "points", size->points_per_attempt,
	                                                    "status_s", status, "table_s", table));
	return 0;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static int measure_sync(json_t *out, struct store *s, struct err *e)
{
	enum { N = 9 };
	double seconds[N];
	for (int i = 0; i < N; i++) {
		SCOPED(free) char *value = xstrfmt("%d", i);
		double start = monotonic_s();
		if (db_begin(s->db, e) || db_exec(s->db, e, "INSERT INTO meta VALUES('bench', ?, NULL) ON CONFLICT DO UPDATE SET value = excluded.value", "s", value) ||
		    db_commit(s->db, e))
			return -1;
		seconds[i] = monotonic_s() - start;
	}
	qsort(seconds, N, sizeof *seconds, by_value);
	(void)json_object_set_new(out, "sync", json_pack("{s:f}", "commit_s", seconds[N / 2]));
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

int bench_store(json_t **out, const struct bench_store *size, struct err *e)
{
	const char *base = getenv("TMPDIR");
	SCOPED(free) char *dir = xstrfmt("%s/ablate-bench-XXXXXX", base && *base ? base : "/tmp");
	if (!mkdtemp(dir))
		return err_set(e, "%s: cannot create: %s", dir, strerror(errno));
	SCOPED(free) char *path = xstrfmt("%s/bench.db", dir);
	struct store s;
	json_t *o = json_object();
	int rc = store_open(&s, path, STORE_RUN, "ablate bench store", e);
	if (!rc) {
		rc = measure_sync(o, &s, e) || measure_ingest(o, &s, size, e) || measure_queries(o, &s, size, e) ? -1 : 0;
		store_close(&s);
	}
	(void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	if (rc) {
		json_decref(o);
		return -1;
	}
	*out = o;
	return 0;
}
