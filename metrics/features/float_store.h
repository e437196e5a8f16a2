/* float_store.h - an array of floats that grows at its end and then is read: on the heap while it is small, in an
 * unlinked temporary file mapped into memory when it is not, so that the features of any number of pictures need no
 * more memory than the system can spare. */
#ifndef ABLATE_FLOAT_STORE_H
#define ABLATE_FLOAT_STORE_H

#include "model/base/err.h"

#include <stdint.h>

#define FLOAT_STORE_HEAP ((int64_t)16 << 20) /* floats; more go to a file in $TMPDIR, else /tmp */

struct float_store {
	float *heap, *map;
	int64_t n, cap;
	int fd;
}; /* zero-initialised is empty */

MUST_CHECK int float_store_append(struct float_store *s, const float *x, int64_t n, struct err *e);
/* All n floats, valid until the next append or the release; NULL when empty. */
MUST_CHECK int float_store_get(const float **out, struct float_store *s, struct err *e);
void float_store_release(struct float_store *s);

#endif
