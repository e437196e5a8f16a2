/* earlier.h - the checkpoint that a cell begins with: the furthest that an earlier attempt left, at this cell or at
 * another one of the same training (harness/record/stage.h), which has the averages that the cell samples. */
#ifndef ABLATE_EARLIER_H
#define ABLATE_EARLIER_H

#include "harness/record/db.h"
#include "harness/record/fingerprint.h"
#include "harness/record/host.h"
#include "model/base/io.h"

struct earlier_want {
	const char *cell, *training; /* training: its key; NULL: of this cell alone */
	const char *config;          /* canonical JSON of the cell's arm */
	struct builds *builds;       /* only what this program's build made; NULL: whatever made it */
};

struct earlier {
	char attempt[HOST_UUID], cell[SHA256_HEX]; /* attempt "": there is none */
	char label[100];                           /* of the cell, for people */
	int64_t seed, step;
	double *ema; /* decays of the averages in it; heap */
	int n_ema;
};

/* Only checkpoints that are in a journal count, and attempts that are over. runs: the run folder of the database. */
MUST_CHECK int earlier_find(struct earlier *out, struct db *db, const char *runs, const struct earlier_want *want,
                            struct err *e);
void earlier_release(struct earlier *f);
void scoped_earlier(struct earlier *f); /* SCOPED(earlier) struct earlier f = { .step = -1 }; */
/* Links or copies its checkpoints into the folder of an attempt. */
MUST_CHECK int earlier_share(const struct earlier *f, struct db *db, const char *runs, const char *dir, struct err *e);

#endif
