/* allowed.h - commands that this user has named: what a grid or a run folder from elsewhere says is not started unless
 * it is one of them. Of each there is a note in the cache, engines/SHA-256, over the folder in which it is started and
 * its words: in another folder the same words may be another program. */
#ifndef ABLATE_ALLOWED_H
#define ABLATE_ALLOWED_H

#include "model/base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* From now on it may be started; what[0..n) are the bytes that tell it from others. */
MUST_CHECK int allowed_add(const void *what, size_t n, struct err *e);
bool allowed_has(const void *what, size_t n);

#endif
