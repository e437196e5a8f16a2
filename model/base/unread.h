/* unread.h - files that are brought in place of pictures, arrays or weights and that nothing here reads, told by their
 * first bytes. */
#ifndef ABLATE_UNREAD_H
#define ABLATE_UNREAD_H

#include "model/base/err.h"

#include <stddef.h>

enum { UNREAD_HEAD = 32 }; /* so many first bytes are enough */

/* What a file is that begins so, with what would do instead; NULL: it is none of these. */
const char *unread_what(const void *head, size_t n);
/* An error for such a file, else 0; also where it cannot be opened, which is for its reader to say. */
MUST_CHECK int unread_refuse(const char *path, struct err *e);

#endif
