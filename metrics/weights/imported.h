/* imported.h - the line beside a file of the cache that says which source gave which content: NAME.imported. */
#ifndef ABLATE_IMPORTED_H
#define ABLATE_IMPORTED_H

#include "model/base/err.h"
#include "model/base/io.h"

#include <stdbool.h>

/* SHA-256 of the file that was imported, and of what the cache has of it. */
struct imported {
	char source[SHA256_HEX], content[SHA256_HEX];
};

/* False: there is no such line at path, or it is not one. */
bool imported_read(struct imported *out, const char *path);
MUST_CHECK int imported_write(const char *path, const struct imported *in, struct err *e);

#endif
