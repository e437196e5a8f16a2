/* columns.h - how wide text is on a terminal, and text made to fit a width.
 *
 * Text is UTF-8 without control characters, as escape_plain leaves it; a byte that is none counts as a character of its
 * own. Wide characters (East Asian, pictographs) take two columns, combining ones none. Where Unicode leaves the width
 * to the terminal, the larger one counts: a line then ends early, and never wraps. */
#ifndef ABLATE_COLUMNS_H
#define ABLATE_COLUMNS_H

#include "model/base/str.h"

#include <stdbool.h>
#include <stddef.h>

/* Columns that the text takes. */
int columns_wide(const char *text);
/* Bytes of the longest beginning of it that takes at most `width` columns, with what combines with its last character.
 */
size_t columns_fitting(const char *text, int width);
/* Appends the text in exactly `width` columns: cut (its last column is then a mark: U+2026, or ~ without utf8), or
 * filled with blanks, on the left if `right`. */
void columns_add(struct str *out, const char *text, int width, bool right, bool utf8);

#endif
