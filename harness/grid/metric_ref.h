/* metric_ref.h - what a score is called: NAME[/EXTRACTOR]@STEPS[:WEIGHTS], as fid@2 or fid/pixels@1, in files and
 * commands, "FID-10k, 2 steps" or "FID-10k (pixels), 1 step" in print. */
#ifndef ABLATE_METRIC_REF_H
#define ABLATE_METRIC_REF_H

#include "model/base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* fid@2: name fid, nfe 2. "fid/pixels@1" names the extractor, "fid@1:student" the weights, too. An extractor's name may
 * hold a ':', so one that is given reaches up to the '@'. */
enum { METRIC_REFS_MAX = 64 };
struct metric_ref {
	char name[64], extractor[32]; /* extractor "" = not given: the only one there is */
	char weights[16];             /* "" = those that the arm's sample.weights names */
	int nfe;                      /* -1 = not given: the only one there is */
	int64_t samples;              /* 0 = not given */
	bool least; /* agg = "min3": the papers' rule, the minimum over the evaluation seeds; tables only */
};
/* Exit 2 for what is not a metric reference. */
MUST_CHECK int metric_ref_parse(struct metric_ref *out, const char *text, struct err *e);
/* The reference as it is written, "fid/pixels@1:student". Heap text. */
char *metric_ref_text(const struct metric_ref *ref);
/* The same name, extractor, steps and weights? */
bool metric_ref_same(const struct metric_ref *a, const struct metric_ref *b);
/* Is the score of that protocol ("fid:pixels:none:u8:...") by the extractor that `ref` gives? Yes where it gives none.
 * A ':' of an extractor's name is a '-' in a protocol. */
bool metric_ref_made(const struct metric_ref *ref, const char *protocol);
/* May a paper's value be of it? Papers score with Inception, so one by another extractor that is named is not. */
bool metric_ref_in_papers(const struct metric_ref *ref);
/* "FID-10k (pixels), 1 step" for fid/pixels@1 over n = 10000 images: n = 0, no number of images. Heap text. */
char *metric_title(const struct metric_ref *ref, int64_t n);
/* Is a larger value better (metrics.def)? By the score's name. */
bool metric_higher_is_better(const char *name);

#endif
