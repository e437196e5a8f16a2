/* memory_sheet.h - a picture of generated images, each beside the image of training that is nearest to it. */
#ifndef ABLATE_MEMORY_SHEET_H
#define ABLATE_MEMORY_SHEET_H

#include "metrics/scores/metric_memory.h"
#include "metrics/sources/sources.h"

/* A PNG of n pairs, five a row: generated left, training right. Grey images are shown as grey among coloured ones.
 * Images of two sizes are an error that names both sources, as is a picture that would be larger than viewers open. */
MUST_CHECK int memory_sheet(const char *path, struct source *generated, struct source *train,
                            const struct memory_near *near, int64_t n, struct err *e);

#endif
