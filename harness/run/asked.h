/* asked.h - what was measured of an attempt, told from its scores where its job is not at hand: records that came
 * without their folders, or a database that was renamed. */
#ifndef ABLATE_ASKED_H
#define ABLATE_ASKED_H

#include "harness/record/db.h"
#include "harness/run/job.h"

/* One for each recorded score, in the arena. Number of images and extractor are those of its protocol; the reference is
 * that of the recorded grid which asks for such a score of the cell, or else the training set: where that is another
 * one, the protocol of what is measured shows it. */
MUST_CHECK int asked_of_record(const struct job_score **out, int *n, struct arena *arena, struct db *db,
                               const char *cell, const char *attempt, struct err *e);

#endif
