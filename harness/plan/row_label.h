/* row_label.h - labels of the rows of axes and zips, "train.steps=1600, squared L2": one part for each, in their
 * order. */
#ifndef ABLATE_ROW_LABEL_H
#define ABLATE_ROW_LABEL_H

#include <stdbool.h>
#include <stddef.h>

/* The next part: *at moves behind it, *n is its length. NULL at the end. */
const char *row_label_next(size_t *n, const char **at);
/* Is it (n bytes) a part of the label? */
bool row_label_has(const char *label, const char *part, size_t n);
/* Is `other` the label with `part` in the place of one of its parts, or of none because it is there already? */
bool row_label_swaps(const char *other, const char *label, const char *part);

/* Does --only (or a gate's arm) mean it: is the text the label or name, or a pattern of it? */
bool row_name_meant(const char *name, const char *text);

#endif
