/* score_key.h - the key of a score (stage.h) from what is asked of it: a [[metric]] of a grid, with the reference and
 * the extractor that it means. Whoever records a score and whoever looks for one asks here. */
#ifndef ABLATE_SCORE_KEY_H
#define ABLATE_SCORE_KEY_H

#include "model/base/io.h"

#include <stdbool.h>
#include <stdint.h>

/* What the scores of one sampling are made from; texts are borrowed. */
struct score_request {
	const char *data;            /* data.name of the arm */
	const char *ref, *extractor; /* as in the grid: "" is what belongs to the data set */
	int64_t n;                   /* images */
};

/* sampling: stage_sampling_key; metric: the score's own name ("fid_infinity", "precision"). A reference counts by its
 * content, where it is a file or another data set than the arm's, whose content is in the key of the training; one that
 * cannot be read counts by its name. For many keys of one request see score_ref. */
void score_request_key(char hex[SHA256_HEX], const char *sampling, const char *metric, const struct score_request *r);
/* A file of features or statistics, by its ending; else "stats:NAME" or "NAME[-train|-test]" of a data set. */
bool score_ref_is_file(const char *ref);
/* The reference that a metric means by the `ref` of its grid: that, or where it is "" the data set that trained; of
 * metrics of three sides, whose reference is held out, its test split. Heap. */
char *score_reference(const char *data, const char *ref, const char *metric);
/* The reference as it counts; heap. */
char *score_ref(const char *data, const char *ref);
/* The same as score_request_key with its result. */
void score_key_with(char hex[SHA256_HEX], const char *sampling, const char *metric, const char *ref_that_counts,
                    const struct score_request *r);

/* The extractor that a protocol names, as a grid would write it: "fid:classifier-b@1a2b3c4d:..." -> classifier:b; ""
 * where there is none. A command is given by its label (metrics/features/extractor_command.h). */
enum { SCORE_EXTRACTOR_MAX = 64 };
void score_extractor(char out[SCORE_EXTRACTOR_MAX], const char *protocol);

#endif
