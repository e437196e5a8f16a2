/* worker_nearest.h - a cell's samples that are nearest to its training set, as a picture and a text for the report. */
#ifndef ABLATE_WORKER_NEAREST_H
#define ABLATE_WORKER_NEAREST_H

#include "harness/run/worker_score_private.h"

enum { NEAREST_SHOWN = 15 };

/* nearest@NFE.png in the attempt's folder, as memory_sheet draws it, and nearest@NFE.txt, which says how they were
 * found and at which distances; outputs of roles nearest@NFE and nearest-text@NFE. ours, train: features of
 * m->px and of the data set that the cell trained on. The first call for an attempt's NFE counts; others, by other
 * extractors, do nothing. */
MUST_CHECK int nearest_draw(struct scorer *s, const struct samples *m, struct feature_set *ours,
                            struct feature_set *train, struct err *e);

#endif
