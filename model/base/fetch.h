/* fetch.h - the one place of the program that reaches the network, and only when told to (`ablate weights fetch`, `ablate data
 * fetch`): the curl program, https alone, bounded in size. What comes is to be checked by its hash before anything is kept. */
#ifndef ABLATE_FETCH_H
#define ABLATE_FETCH_H

#include "model/base/err.h"

#include <stdbool.h>

/* Downloads url into a file at path. */
MUST_CHECK int fetch_https(const char *url, const char *path, bool quiet, struct err *e);

#endif
