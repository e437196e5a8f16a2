/* prune.h - files beside the records that can go, and their removal.
 *
 * What a table, a figure or a gate shows is in the database and in the journals, of which none is ever removed. All
 * else in the run folder is for going on or for looking at, and is one of the kinds below. A checkpoint that a cell of
 * a recorded grid would go on from is `needed`, whatever its kind, and stays unless everything is asked for.
 *
 * That an attempt's file is removed is recorded (table pruned) before it is: a prune that is killed in the middle
 * leaves rows of files that are still there, which the next one removes; whoever misses a file asks prune_when. */
#ifndef ABLATE_PRUNE_H
#define ABLATE_PRUNE_H

#include "harness/record/host.h"
#include "harness/record/store.h"

#include <sys/types.h>

/* In the order in which they are shown. */
enum prune_kind {
	PRUNE_SUPERSEDED, /* checkpoints that a later one has replaced */
	PRUNE_STALE,      /* half-written files and folders of processes that are gone */
	PRUNE_FINAL,      /* the last checkpoint of a finished cell */
	PRUNE_SAMPLES,
	PRUNE_PICTURES,
	PRUNE_LOGS,
	PRUNE_REFS,
	PRUNE_BACKUPS,
	N_PRUNE_KINDS
};
struct prune_kind_row {
	const char *name, *text; /* text: what it is, and what it is still good for */
	bool usual;              /* goes unless kinds are named */
};
extern const struct prune_kind_row prune_kinds[N_PRUNE_KINDS];

struct prune_file {
	enum prune_kind kind;
	char *path;              /* owned */
	char cell[65];           /* "" of what belongs to no attempt */
	char attempt[HOST_UUID]; /* recorded, else "" */
	int64_t step;            /* of a checkpoint, else -1 */
	bool own, repeats;       /* of a checkpoint: its attempt wrote it; its attempt was one of verify */
	bool needed, folder;     /* folder: an empty one once the files before it in the list are gone */
	bool chosen;             /* by prune_choose */
	int64_t size, frees;     /* frees: the size where no other name of the file would stay */
	dev_t dev;
	ino_t ino;
	nlink_t links;
};
struct prune_list {
	struct prune_file *v;
	int n, cap;
};

/* All files that can go, by cell and attempt; what belongs to attempts that run is not among them. */
MUST_CHECK int prune_find(struct prune_list *out, struct store *s, struct err *e);
void prune_release(struct prune_list *list);
/* Which of them go: of these kinds, and of the cell whose hash begins so (NULL: of all and of none); `needed` ones only
 * where it says so. Sets chosen and frees. */
void prune_choose(struct prune_list *list, const bool kinds[N_PRUNE_KINDS], const char *cell, bool needed);
/* Records and removes what is chosen. Needs the run lock (STORE_RUN). */
MUST_CHECK int prune_remove(const struct prune_list *list, struct store *s, struct err *e);

/* When the attempt's file of that base name was removed: heap text, its day; NULL: it was not. */
MUST_CHECK int prune_when(char **day, struct db *db, const char *attempt, const char *name, struct err *e);
/* The same of the last checkpoint of a cell, or of one of the same training. */
MUST_CHECK int prune_when_of_cell(char **day, struct db *db, const char *cell, struct err *e);

#endif
