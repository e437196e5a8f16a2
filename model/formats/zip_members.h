/* zip_members.h - the files in a zip by name, read one at a time into memory and checked against their checksums.
 * Nothing is ever extracted, and yet an archive with a member whose name would leave the folder it is unpacked in is
 * refused: it is not what it claims to be. */
#ifndef ABLATE_ZIP_MEMBERS_H
#define ABLATE_ZIP_MEMBERS_H

#include "model/base/err.h"
#include "model/base/str.h"

#include <stddef.h>
#include <stdint.h>

struct zip_members;
MUST_CHECK int zip_members_open(struct zip_members **out, const char *path, struct err *e);
int64_t zip_members_count(const struct zip_members *z);
const char *zip_members_name(const struct zip_members *z, int64_t i);
/* Appends member i, at most max bytes, to out; several threads may ask at once. `name` is for messages. */
MUST_CHECK int zip_members_read(struct zip_members *z, int64_t i, struct str *out, size_t max, const char *name,
                                struct err *e);
/* The first bytes of member i, at most max, into buf; how many, or -1. */
MUST_CHECK int zip_members_head(struct zip_members *z, int64_t i, void *buf, size_t max, const char *name,
                                struct err *e);
void zip_members_free(struct zip_members *z); /* NULL is fine */

#endif
