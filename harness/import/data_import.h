/* data_import.h - bringing a data set into the user's cache: read once from wherever it is (labelled.h), cut and
 * resized as guided-diffusion does, kept under the hash of its content (model/data/dataset_set.h). */
#ifndef ABLATE_DATA_IMPORT_H
#define ABLATE_DATA_IMPORT_H

#include "harness/import/labelled.h"
#include "model/base/progress.h"
#include "model/data/dataset_set.h"

struct import_options {
	bool only_split; /* `split` alone, instead of all that the source holds */
	enum data_split split;
	int side; /* for a set that `ablate data list` does not know; 0 = as the first image */
	enum label_rule rule;
	bool quiet;
	struct str *notes; /* lines worth telling the user are added here: files that were left out. May be NULL */
};

struct imported {
	bool found;
	struct set_ref ref;
	int64_t resumed_from;
};

/* Fills out[SPLIT_TRAIN] and out[SPLIT_TEST]. Both are looked into first: a source that is refused leaves nothing. What
 * was read before an error in a picture is kept, so that the next attempt continues there. */
MUST_CHECK int data_import(struct imported out[2], const char *name, const char *source, const struct import_options *o,
                           struct err *e);

#endif
