/* signers.h - whose statements some numbers have, in a sentence. */
#ifndef ABLATE_SIGNERS_H
#define ABLATE_SIGNERS_H

#include "harness/record/db.h"

/* Appends "2 of 3 attempts are signed by key 0123456789ab; 1 repeated by key 456789abcdef (1 equal)", and how many
 * statements about them do not hold, which count for nothing; nothing where there is no statement about any. attempts:
 * ids, "" for none. Keys alone, no names: whose a key is, the reader has to know. */
MUST_CHECK int signers_text(struct str *dst, struct db *db, const char *const *attempts, int n, struct err *e);

#endif
