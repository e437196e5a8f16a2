/* merge.h - records of other machines into this database, and the database rebuilt from its records.
 *
 * A shard is a journal (of a Slurm task, say), a run folder (X-runs), or a database: with its run folder beside it that
 * folder is taken, else its rows. Journals are copied into this database's own run folder, so that it stays complete.
 * All shards of one call are taken or none. Taking a shard again changes nothing; one that was changed after it was
 * sealed, or that contradicts what is known, is EXIT_RECORD. */
#ifndef ABLATE_MERGE_H
#define ABLATE_MERGE_H

#include "harness/record/store.h"

struct merge_result {
	int64_t shards, known, rows, torn;
}; /* files taken; of these with nothing new; new rows; torn ends */

MUST_CHECK int merge_shards(struct merge_result *out, struct store *s, const char *const *paths, int n, struct err *e);

struct rebuild_result {
	int64_t journals, rows, torn;
	char before[SHA256_HEX], after[SHA256_HEX]; /* content hashes; before is "" when the old file could not be read */
	char *old_path;                             /* where the old file is now; heap, NULL when there was none */
};
/* Rebuilds the database from ledger and journals, beside the old one, checks it, and puts it in its place. */
MUST_CHECK int merge_rebuild(struct rebuild_result *out, const char *db_path, struct err *e);

#endif
