/* lives.h - which steps of an attempt were trained in which of its lives, and on what.
 *
 * An attempt that goes on from a checkpoint has the bits of the attempts before it up to that step, and its own from
 * there on. What an earlier one did beyond that checkpoint is lost, and so is all that it did if an older checkpoint
 * was used in the end. */
#ifndef ABLATE_LIVES_H
#define ABLATE_LIVES_H

#include "harness/record/db.h"
#include "harness/record/host.h"

struct life {
	char attempt[HOST_UUID];
	char *env;        /* what it ran on, JSON; NULL: not recorded */
	int number;       /* 1: the first of the chain, those without a part in the result counted, too */
	int64_t from, to; /* the steps (from, to] are its own; to of the last: INT64_MAX, which also measured */
	bool known;       /* false: not in this database */
};

/* Those with a part in the result, in their order; the last one is the attempt itself. */
struct lives {
	struct life *v;
	int n, all; /* all: of the chain */
};

MUST_CHECK int lives_read(struct lives *out, struct db *db, const char *attempt, struct err *e);
void lives_release(struct lives *l);
void scoped_lives(struct lives *l); /* SCOPED(lives) struct lives l = { 0 }; */

#endif
