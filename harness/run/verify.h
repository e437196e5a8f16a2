/* verify.h - is a repetition the same, bit for bit? */
#ifndef ABLATE_VERIFY_H
#define ABLATE_VERIFY_H

#include "harness/record/store.h"

struct verify_result {
	bool equal;
	bool inconclusive;  /* not equal, and all that differs is explained by `unlike` */
	int lives;          /* of a, with a part in its result */
	int64_t n;          /* values compared: curve points, scores, checkpoints of the same step */
	int64_t first_step; /* of the first difference in training; -1 = none there */
	int64_t max_ulp;    /* largest distance in units in the last place; INT64_MAX between a NaN and a number */
	char first[256];    /* what differs first, with both values; "" = nothing */
	char env[256];      /* keys that differ between the two environments, of any kind; "" = nothing */
	char unlike[1024];  /* what of them can change bits, life by life, as env_diff says it; "" = nothing */
};

/* Compares attempt b with a, whole curves, checkpoints and environments through the lives of both (lives.h). Nothing to
 * compare: EXIT_USAGE. */
MUST_CHECK int verify_compare(struct verify_result *out, struct db *db, const char *a, const char *b, struct err *e);
/* Files the result in table verify (and in the ledger). */
MUST_CHECK int verify_record(struct store *s, const struct verify_result *r, const char *a, const char *b,
                             struct err *e);
/* Distance of two doubles in units in the last place; 0 for equal bits and for two NaNs. */
int64_t verify_ulp(double a, double b);

#endif
