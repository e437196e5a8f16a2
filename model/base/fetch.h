/* fetch.h - the one place in the program that uses the network, and only on request (`ablate weights fetch`, `ablate
 * data fetch`, `ablate stats fetch`): the curl program, https alone, bounded in size. The caller must check the hash of
 * a download before keeping it. */
#ifndef ABLATE_FETCH_H
#define ABLATE_FETCH_H

#include "model/base/err.h"

#include <stdbool.h>

/* Downloads url into a file at path. */
MUST_CHECK int fetch_https(const char *url, const char *path, bool quiet, struct err *e);

#endif
