/* env_diff.h - what of two environments (provenance.h) can change bits, in words. Host, file system, kernel and the
 * libraries that compute nothing (SQLite, jansson, ...) are left out. */
#ifndef ABLATE_ENV_DIFF_H
#define ABLATE_ENV_DIFF_H

#include "model/base/str.h"

/* Adds "2 threads, then 1; oneDNN 2.6.3, then 3.0", or nothing where no difference is known. before and after: the
 * environments as JSON; NULL, or no JSON object, is said to be not on record. */
void env_diff(struct str *out, const char *before, const char *after);

#endif
