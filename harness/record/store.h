/* store.h - a database with the journals it is made from. For database X the folder X-runs holds
 *     lock                                   held by the one runner; JSON: who
 *     ledger.jsonl                           lines of rows that no attempt owns: grids, verdicts, baselines, verify,
 *     shards, statements, notes
 *     CELL[:12]/ATTEMPT/journal.jsonl        one per attempt, beside its checkpoints, samples and log
 * A record is in a journal (or the ledger) before it is in the database. */
#ifndef ABLATE_STORE_H
#define ABLATE_STORE_H

#include "harness/record/db.h"
#include "harness/record/differing.h"
#include "harness/record/journal.h"
#include "harness/text/json_keys.h"

#include <jansson.h>

enum store_mode {
	STORE_READ,  /* look only */
	STORE_WRITE, /* may record; any number of programs at once */
	STORE_RUN,   /* may also run cells: one program at a time, else EXIT_RECORD naming the other */
};

struct store {
	struct db *db;
	char *path, *runs;
	int lock_fd;
	const struct listener *listener; /* receives the notes of the journals that are taken; NULL after store_open */
	char **left;                     /* what was left out (store_leave_out), one line each */
	int n_left, cap_left;
	json_t *left_before; /* the same lines, to find one */
	int64_t waiting;     /* lines of the ledger about attempts that are not in the database */
	char *waits;         /* the first of them; NULL when there is none */
	char (
		*news)[HOST_UUID]; /* attempts of which merges brought something; news_of_all: of some it is not known whose */
	int n_news, cap_news;
	bool news_of_all;
	struct differing_list differing; /* what merge_find_differing found */
};

#define STORE_INIT \
	{ \
		.lock_fd = -1 \
	} /* no store: what store_close leaves and accepts */

/* Is there a folder for a database of that path? A database is made where its user says, and no folder on the way to
 * it, which would hide a mistyped path: EXIT_RECORD, with the command that makes one. */
MUST_CHECK int store_place(const char *db_path, struct err *e);
/* `what` is shown to those who find the lock taken ("ablate run quickstart.toml"). */
MUST_CHECK int store_open(struct store *out, const char *db_path, enum store_mode mode, const char *what,
                          struct err *e);
void store_close(struct store *s);  /* accepts STORE_INIT */
void scoped_store(struct store *s); /* SCOPED(store) struct store s = STORE_INIT; */

/* Records rows that no attempt owns: `lines` is an array of objects as in journal.h, {"t":"verdict",...}. Appends them
 * to the ledger, syncs it, and takes into the database everything of the ledger that it does not have yet. */
MUST_CHECK int store_record(struct store *s, json_t *lines, struct err *e);
/* Only the second half. A line about an attempt that the database does not have yet waits (s->waiting) and is tried
 * again by the next call; a damaged one is left out and tried again, too. */
MUST_CHECK int store_take_ledger(struct store *s, struct err *e);
MUST_CHECK int store_take_ledger_within(struct store *s, struct err *e); /* in the caller's transaction */

/* Takes the lines of other databases that `merge` put into the folder merged/, in files named by their content: whole
 * or, where they were changed since, not at all. Within the caller's transaction; *rows grows. store_take_ledger does
 * it for a database that is new. */
MUST_CHECK int store_take_merged_within(struct store *s, int64_t *rows, struct err *e);

char *store_cell_dir(const struct store *s, const char *cell);                         /* heap text */
char *store_dir_of(const char *runs, const char *cell, const char *attempt);           /* heap text: without a store */
char *store_attempt_dir(const struct store *s, const char *cell, const char *attempt); /* heap text */
char *store_journal(const struct store *s, const char *cell, const char *attempt);     /* heap text */

/* Makes the folder of an attempt, durably. Never the run folder anew: one that is gone was on a file system that is,
 * and what would be made in its place would be covered when that is back. */
MUST_CHECK int store_make_attempt_dir(const struct store *s, const char *cell, const char *attempt, struct err *e);
/* Is the run folder there? -1 with what to do where it is not. */
MUST_CHECK int store_check_runs(const struct store *s, struct err *e);

/* Takes what a journal has beyond `scan` in one transaction; *rows may be NULL. */
MUST_CHECK int store_take_journal(struct store *s, struct journal_scan *scan, const char *attempt, const char *path,
                                  int64_t *rows, struct err *e);
/* The same, but what cannot be taken because of the journal (damaged, changed after it was sealed, in conflict) is left
 * out: *taken is false, and nothing of it is in the database. Fails where the database does. */
MUST_CHECK int store_try_journal(struct store *s, bool *taken, struct journal_scan *scan, const char *attempt,
                                 const char *path, int64_t *rows, struct err *e);
/* Ends a running attempt in the ledger, as lost: its journal cannot take the end any more. */
MUST_CHECK int store_end_without_journal(struct store *s, const char *attempt, const char *why, struct err *e);
#define STORE_JOURNAL_DAMAGED "its journal in the run folder cannot be taken: damaged, or not what it was"
/* Remembers one line about a file of the records that was left out: `why`, and what to do. */
void store_leave_out(struct store *s, const char *why);
/* Remembers that a merge brought something of that attempt; NULL: of any. */
void store_add_news(struct store *s, const char *attempt);
/* Takes the lines of a ledger, or of a file like it, from byte `from` on (-1: from the first), each for itself: those
 * about attempts that are absent wait, damaged ones are left out. *waits_at: the first byte of the first that was not
 * taken, or -1; *end: after the last whole line; *rows grows. Runs inside the caller's transaction. */
MUST_CHECK int store_take_lines_within(struct store *s, const char *path, int64_t from, int64_t *waits_at, int64_t *end,
                                       int64_t *rows, struct err *e);
/* Takes the journals in the run folder that the database has never seen (a supervisor was killed between the two); adds
 * their number to *found. Those that cannot be taken are left out. */
MUST_CHECK int store_take_unknown(struct store *s, int *found, struct err *e);

/* The run lock alone, for a store that store_open has not opened: path and runs set after STORE_INIT. */
MUST_CHECK int store_lock(struct store *s, const char *what, struct err *e);
void store_unlock(struct store *s);
extern const struct json_key lock_keys[]; /* of store_lock_holder */
/* Who holds the run lock: heap JSON object, or NULL when nobody does. */
json_t *store_lock_holder(const char *runs);
/* The holder's sign of life, at least every STORE_LEASE_S / 4 seconds. */
void store_touch_lock(struct store *s);

#define STORE_LEASE_S 120.0 /* a heartbeat of another machine that is older than this does not count as one */

/* Is a running attempt alive? `why` says how that is known. */
enum liveness { ATTEMPT_ALIVE, ATTEMPT_GONE, ATTEMPT_UNKNOWN };
enum liveness store_liveness(char why[256], const struct store *s, const char *cell, const char *attempt,
                             const char *host, const char *boot_id, int64_t pid, const char *heartbeat,
                             double heartbeat_boot_s);
/* Takes the journals that are unknown yet and looks at every attempt that is "running": takes its journal; if its
 * process is gone, ends it as lost, with the evidence, also where its journal cannot be taken any more. Counts: *alive
 * (running on this machine), *lost. Needs STORE_RUN. */
MUST_CHECK int store_reconcile(struct store *s, int *alive, int *lost, struct err *e);

#endif
