/* merge.h - records of other machines into this database, and the database rebuilt from its records.
 *
 * A shard is a journal (of a Slurm task, say), a run folder (X-runs), or a database: with its run folder beside it that
 * folder is taken, else its rows. Journals are copied into this database's own run folder, so that it stays complete.
 * All shards of one call are taken or none. Taking a shard again changes nothing; one that was changed after it was
 * sealed, or that contradicts what is known, is EXIT_RECORD. */
#ifndef ABLATE_MERGE_H
#define ABLATE_MERGE_H

#include "harness/record/matching.h"
#include "harness/record/store.h"

struct merge_result {
	int64_t shards, known, rows, torn;
}; /* files taken; of these with nothing new; new rows; torn ends */

/* Also finds the cells that the shards brought another result for (s->differing). */
MUST_CHECK int merge_shards(struct merge_result *out, struct store *s, const char *const *paths, int n, struct err *e);

/* The same for run folders, of which what cannot be taken is left out (store_leave_out): the rest is not lost with it.
 * Any number of them are one transaction, and as much work for the disk as one. files: what is in each
 * (matching_run_files). Cells with another result: by merge_find_differing, once all folders are taken. */
struct merge_folder {
	char *runs;
	struct run_files files;
};
MUST_CHECK int merge_folders(struct merge_result *out, struct store *s, const struct merge_folder *folders, int n,
                             struct err *e);
/* s->differing: of the cells whose attempts were merged since the store was opened, those with several done attempts
 * whose bits differ. */
MUST_CHECK int merge_find_differing(struct store *s, struct err *e);

/* What was built from ledger and journals. left holds one line for each file or line that could not be taken
 * (damaged, changed after it was sealed, in conflict); waiting counts lines about attempts that have no journal, of
 * which waits is the first. */
struct rebuilt {
	int64_t journals, rows, torn, waiting;
	char **left, *waits;
	int n_left;
	struct differing_list differing; /* cells with several results */
};
struct rebuild_result {
	struct rebuilt from;
	int64_t gone;                               /* attempts of the old file that are in no journal */
	char before[SHA256_HEX], after[SHA256_HEX]; /* content hashes; before is "" when the old file could not be read */
	char *old_path;                             /* where the old file is now; heap, NULL when there was none */
};
/* Rebuilds the database from ledger and journals, beside the old one, checks it, and puts it in its place. What cannot
 * be taken is left out and named. */
MUST_CHECK int merge_rebuild(struct rebuild_result *out, const char *db_path, struct err *e);
void rebuild_result_release(struct rebuild_result *r);

/* A row that database and records do not agree on. */
struct check_row {
	char *text;      /* "metric(attempt=..., name=fid, ...)" */
	bool unrecorded; /* in the database, and in no journal; else the other way round */
};
struct check_result {
	struct rebuilt from;
	struct check_row *row; /* the first of them */
	int n_rows;
	int64_t unrecorded, missing; /* all of them; missing: of the records, not in the database */
};
/* Compares every row of the database with what its ledger and sealed journals say; nothing is changed. Rows of attempts
 * that are not over are not compared. */
MUST_CHECK int merge_check(struct check_result *out, const char *db_path, struct err *e);
void check_result_release(struct check_result *r);

#endif
