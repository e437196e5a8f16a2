/* env_diff.h - what of two environments (provenance.h) can change bits, in words. Host, file system, kernel and the
 * libraries that compute nothing (SQLite, jansson, ...) are left out.
 *
 * Threads change a score's bits, as OpenBLAS cuts its sums by them, and a training's where one of the two programs had
 * a numerics version below 4. */
#ifndef ABLATE_ENV_DIFF_H
#define ABLATE_ENV_DIFF_H

#include "model/base/str.h"

enum env_work { ENV_TRAINING, ENV_SCORES }; /* whose bits */

/* Adds "1 process, then 2; oneDNN 2.6.3, then 3.0", or nothing where no difference is known. before and after: the
 * environments as JSON; NULL, or no JSON object, is said to be not on record. */
void env_diff(struct str *out, enum env_work work, const char *before, const char *after);

#endif
