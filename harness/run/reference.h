/* reference.h - the features that a score compares with: of a file, or of a data set, which are computed by the first
 * cell that needs them and kept beside the records for the others. */
#ifndef ABLATE_REFERENCE_H
#define ABLATE_REFERENCE_H

#include "harness/run/worker.h"
#include "metrics/features/feature_set.h"

/* ref: a file that ends in .npz, "stats:NAME", or "NAME[-train|-test]" of a data set; keep: what is needed of it, as
 * feature_set_extract; steps: of the training, for whoever watches the worker.
 *
 * RUNS/refs/KEY.npz holds the features of a data set, KEY a hash of its content, of the extractor, its weights and the
 * protocol. Beside it lies KEY.npz.sha256; a file that has another hash, or none, is not believed but made again. */
MUST_CHECK int reference_open(struct feature_set *out, struct worker *w, int64_t steps, const char *ref,
                              struct extractor *x, unsigned keep, struct err *e);

#endif
