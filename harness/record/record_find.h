/* record_find.h - an attempt or a cell by what a user types: an id or hash, or enough of its first digits. */
#ifndef ABLATE_RECORD_FIND_H
#define ABLATE_RECORD_FIND_H

#include "harness/record/db.h"

/* At least 4 characters. A cell means the attempt used for it (*attempt is "" while it has none). Unknown or
 * ambiguous text: EXIT_USAGE with candidates. */
struct record {
	char cell[65], attempt[64];
	bool is_cell;
};
MUST_CHECK int record_find(struct record *out, struct db *db, const char *text, struct err *e);

#endif
