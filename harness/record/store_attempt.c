/* store_attempt.c - attempts of store.h: taking their journals, and what is known of those that never ended. */
#define _GNU_SOURCE
#include "harness/record/store.h"

#include "harness/record/hidden.h"
#include "harness/record/host.h"
#include "harness/record/ingest.h"
#include "harness/record/matching.h"
#include "model/base/io.h"
#include "model/base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int store_take_journal(struct store *s, struct journal_scan *scan, const char *attempt, const char *path, int64_t *rows,
                       struct err *e)
{
	struct ingest in = { .db = s->db, .listener = s->listener };
	struct journal_scan before = *scan;
	if (scan->bytes)
		(void)snprintf(in.attempt, sizeof in.attempt, "%s", attempt);
	if (db_begin(s->db, e))
		return -1;
	if (ingest_file(&in, scan, path, e)) {
		db_rollback(s->db);
		*scan = before;
		return -1;
	}
	if (in.lines == 0 && scan->sealed == before.sealed) {
		db_rollback(s->db);
		return 0;
	}
	if (db_settled(s->db, e)) {
		db_rollback(s->db);
		*scan = before;
		return err_in(e, "%s", path);
	}
	/* what the database takes has to be in the journal after the power is back, too: its writer syncs the lines that
	 * matter, and not each point of a curve */
	if (db_sync_file(path, e) || db_commit(s->db, e)) {
		db_rollback(s->db);
		*scan = before;
		return -1;
	}
	if (rows)
		*rows += in.rows;
	return 0;
}

int store_try_journal(struct store *s, bool *taken, struct journal_scan *scan, const char *attempt, const char *path,
                      int64_t *rows, struct err *e)
{
	struct err why = ERR_INIT;
	*taken = !store_take_journal(s, scan, attempt, path, rows, &why);
	if (*taken)
		return 0;
	if (db_has_failed(s->db)) {
		if (e)
			*e = why;
		return -1;
	}
	store_leave_out(s, why.msg);
	return 0;
}

int store_end_without_journal(struct store *s, const char *attempt, const char *why, struct err *e)
{
	char now[HOST_TIME];
	json_t *lines = json_pack("[{s:s, s:s, s:s, s:s, s:s}]", "t", "end", "attempt", attempt, "state",
	                          record_state_name(RECORD_LOST), "reason", why, "ended", host_now(now));
	int rc = store_record(s, lines, e);
	json_decref(lines);
	return rc;
}

int store_take_unknown(struct store *s, int *found, struct err *e)
{
	SCOPED(matching) struct matching journals = { 0 };
	int rc = matching_journals(&journals, s->runs, e);
	for (int i = 0; i < journals.n && !rc; i++) {
		struct journal_scan scan = { 0 };
		int64_t known;
		bool taken = false;
		SCOPED(free) char *folder = xstrdup(journals.v[i]);
		*strrchr(folder, '/') = '\0';
		const char *attempt = strrchr(folder, '/') + 1;
		if (strlen(attempt) != HOST_UUID - 1)
			continue;
		rc = db_int_of(&known, 0, s->db, e, "SELECT count(*) FROM attempt WHERE id = ?", "s", attempt);
		if (rc || known)
			continue;
		rc = store_try_journal(s, &taken, &scan, attempt, journals.v[i], NULL, e);
		*found += taken;
	}
	return rc;
}

enum liveness store_liveness(char why[256], const struct store *s, const char *cell, const char *attempt,
                             const char *host, const char *boot_id, int64_t pid, const char *heartbeat,
                             double heartbeat_boot_s)
{
	SCOPED(free) char *path = store_journal(s, cell, attempt);
	char now[HOST_TIME], age_text[48] = "at an unknown time";
	bool same_boot = hidden_is_this_boot(boot_id);
	/* within one boot no clock adjustment matters; across machines the clocks may differ: a heartbeat from the future
	 * is as fresh as its distance, and the file system, which both write to, has one clock */
	double age = same_boot && isfinite(heartbeat_boot_s) ? host_boot_s() - heartbeat_boot_s
	             : heartbeat                             ? fabs(host_seconds_between(heartbeat, host_now(now)))
	                                                     : INFINITY;
	if (!same_boot)
		age = fmin(age, host_file_age(path));
	if (isfinite(age))
		(void)snprintf(age_text, sizeof age_text, "%.0f s ago", age);
	if (journal_is_alive(path)) {
		(void)snprintf(why, 256, "pid %lld on %s holds its journal; last sign of life %s", (long long)pid,
		               host ? host : "?", age_text);
		return ATTEMPT_ALIVE;
	}
	if (same_boot) {
		(void)snprintf(why, 256, "pid %lld of this boot no longer holds its journal; last sign of life %s",
		               (long long)pid, age_text);
		return ATTEMPT_GONE;
	}
	bool rebooted = host && strcmp(host, host_name()) == 0;
	(void)snprintf(why, 256, "last sign of life %s from %s%s, lease %.0f s", age_text,
	               host ? host : "an unknown machine", rebooted ? " before it was booted again" : "", STORE_LEASE_S);
	return age > STORE_LEASE_S || !isfinite(age) ? ATTEMPT_GONE : ATTEMPT_UNKNOWN;
}

struct running {
	char *id, *cell, *host, *boot_id, *heartbeat;
	int64_t pid, step;
	double boot_s;
};

static char *copy(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

static int list_running(struct running **out, int *n, struct store *s, struct err *e)
{
	struct db_rows rows;
	int cap = 0;
	*out = NULL;
	*n = 0;
	if (db_query(&rows, s->db, e,
	             "SELECT id, cell, host, boot_id, heartbeat, pid, step, heartbeat_boot_s FROM attempt "
	             "WHERE state = 'running' ORDER BY id",
	             ""))
		return -1;
	while (db_next(&rows))
		VEC_PUSH(*out, *n, cap) = (struct running){
			.id = xstrdup(db_text(&rows, 0)),
			.cell = xstrdup(db_text(&rows, 1)),
			.host = copy(db_text(&rows, 2)),
			.boot_id = copy(db_text(&rows, 3)),
			.heartbeat = copy(db_text(&rows, 4)),
			.pid = db_int(&rows, 5),
			.step = db_int(&rows, 6),
			.boot_s = db_real(&rows, 7),
		};
	return db_done(&rows, e);
}

static int end_as_lost(struct store *s, const struct running *r, const char *path, struct journal_scan *scan,
                       const char *why, struct err *e)
{
	struct journal *j;
	int64_t torn;
	if (journal_adopt(&j, path, &torn, e))
		return -1;
	struct str reason = { 0 };
	str_addf(&reason, "ended without a word: %s", why);
	if (torn)
		str_addf(&reason, "; its last line was torn (%lld bytes cut off)", (long long)torn);
	struct journal_end end = JOURNAL_END_INIT;
	end.state = RECORD_LOST;
	end.reason = str_text(&reason);
	end.step = r->step;
	int rc = journal_end(j, &end, e);
	journal_close(j);
	str_release(&reason);
	return rc ? -1 : store_take_journal(s, scan, r->id, path, NULL, e);
}

/* A writer that died between its end and its seal. */
static int seal(struct store *s, const char *id, const char *path, struct journal_scan *scan, struct err *e)
{
	struct journal *j;
	int64_t torn;
	if (journal_adopt(&j, path, &torn, e))
		return -1;
	int rc = journal_seal(j, e);
	journal_close(j);
	return rc ? -1 : store_take_journal(s, scan, id, path, NULL, e);
}

/* The journal of a running attempt is damaged. */
static int reconcile_damaged(struct store *s, const struct running *r, const char *path, int *alive, int *lost,
                             struct err *e)
{
	if (journal_is_alive(path)) {
		++*alive;
		return 0;
	}
	++*lost;
	return store_end_without_journal(s, r->id, STORE_JOURNAL_DAMAGED, e);
}

static int reconcile_one(struct store *s, struct running *r, int *alive, int *lost, struct err *e)
{
	SCOPED(free) char *path = store_journal(s, r->cell, r->id);
	struct journal_scan scan = { 0 };
	char why[256];
	bool taken;
	if (!io_exists(path)) {
		++*lost;
		return store_end_without_journal(s, r->id, "its journal is gone from the run folder", e);
	}
	if (store_try_journal(s, &taken, &scan, r->id, path, NULL, e))
		return -1;
	if (!taken)
		return reconcile_damaged(s, r, path, alive, lost, e);
	if (scan.sealed)
		return 0;
	/* its journal may have held more than the row did */
	if (db_int_of(&r->step, 0, s->db, e, "SELECT step FROM attempt WHERE id = ?", "s", r->id))
		return -1;
	SCOPED(free) char *heartbeat = NULL;
	if (db_text_of(&heartbeat, s->db, e, "SELECT heartbeat FROM attempt WHERE id = ?", "s", r->id))
		return -1;
	enum liveness l = store_liveness(why, s, r->cell, r->id, r->host, r->boot_id, r->pid, heartbeat, r->boot_s);
	if (l != ATTEMPT_GONE) {
		*alive += l == ATTEMPT_ALIVE && hidden_is_this_boot(r->boot_id);
		return 0;
	}
	/* it may have written its end between our reading and its death; now nobody writes to it any more */
	if (store_try_journal(s, &taken, &scan, r->id, path, NULL, e))
		return -1;
	if (!taken)
		return reconcile_damaged(s, r, path, alive, lost, e);
	if (scan.sealed)
		return 0;
	if (scan.ended)
		return seal(s, r->id, path, &scan, e);
	++*lost;
	return end_as_lost(s, r, path, &scan, why, e);
}

int store_reconcile(struct store *s, int *alive, int *lost, struct err *e)
{
	struct running *r = NULL;
	int n = 0, found = 0;
	*alive = *lost = 0;
	int rc = store_take_unknown(s, &found, e) || list_running(&r, &n, s, e) ? -1 : 0;
	for (int i = 0; i < n; i++) {
		if (!rc)
			rc = reconcile_one(s, &r[i], alive, lost, e);
		free(r[i].id);
		free(r[i].cell);
		free(r[i].host);
		free(r[i].boot_id);
		free(r[i].heartbeat);
	}
	free(r);
	return rc;
}
