/* fetch.h - the one place in the program that uses the network, and only on request (`ablate weights fetch`, `ablate
 * data fetch`, `ablate stats fetch`): the curl program, https alone, bounded in size. */
#ifndef ABLATE_FETCH_H
#define ABLATE_FETCH_H

#include "model/base/err.h"

#include <stdbool.h>

/* Downloads url and hands the file to `take`, under the name that it has there, in a folder of its own below `folder`,
 * which is made. take checks the file's hash before it keeps a copy. Afterwards, and where a signal ends the process
 * before, file and folder are gone. */
MUST_CHECK int fetch_https(const char *url, const char *folder, bool quiet,
                           int (*take)(void *ctx, const char *file, struct err *e), void *ctx, struct err *e);

#endif
