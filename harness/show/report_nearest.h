/* report_nearest.h - the report's figure of memorisation: samples beside the training images that are nearest to
 * them. */
#ifndef ABLATE_REPORT_NEAREST_H
#define ABLATE_REPORT_NEAREST_H

#include "harness/study/study.h"

/* A section of HTML for a study that measures memorisation: of each arm the sheet that its first cell's worker drew
 * (harness/run/worker_nearest.h), with what it wrote about it. Arms without one are told in one line. Nothing for other
 * studies. has_sheet[arm]: there is a sheet of it, in the element nearest-ARM. runs: folder of the attempts' files.
 * *used: bytes of pictures in the report so far, up to `most`. */
MUST_CHECK int report_nearest(struct str *out, bool *has_sheet, struct study *s, const char *runs, size_t *used,
                              size_t most, struct err *e);

#endif
