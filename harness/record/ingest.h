/* ingest.h - journal lines -> rows. Idempotent and independent of the order of journals: taking the same lines again
 * changes nothing, other content under the same key is a conflict (EXIT_RECORD), and of several descriptions of one
 * file or grid the smallest stays. Runs inside the caller's transaction. */
#ifndef ABLATE_INGEST_H
#define ABLATE_INGEST_H

#include "harness/record/db.h"
#include "harness/record/journal.h"

/* Receives the notes of a journal, which are for a person and make no row. */
struct listener {
	void (*hear)(void *ctx, const char *attempt, const char *note);
	void *ctx;
};

struct ingest {
	struct db *db;
	char attempt[64];    /* the attempt that the lines refer to: set by its "attempt" line, or by the caller */
	int64_t lines, rows; /* taken; rows that were not there before */
	bool absent;         /* the last line was refused because it ends an attempt that is not in the database */
	const struct listener *listener; /* NULL: notes are skipped */
};

/* The journal_line_fn; ctx is a struct ingest. */
int ingest_line(void *ctx, const char *type, json_t *line, struct err *e);

/* What `path` has beyond scan->bytes; sets attempt.journal when the seal is reached. EXIT_RECORD naming the file and
 * the line for what is no journal, contradicts the database, or was changed after it was sealed: the caller rolls back
 * what was taken of it. */
MUST_CHECK int ingest_file(struct ingest *in, struct journal_scan *scan, const char *path, struct err *e);

#endif
