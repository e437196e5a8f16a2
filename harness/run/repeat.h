/* repeat.h - an attempt trained and measured once more, each of its lives (lives.h) with the threads, processes,
 * micro-batch and device that it had, from where the one before it stopped. */
#ifndef ABLATE_REPEAT_H
#define ABLATE_REPEAT_H

#include "harness/run/lives.h"
#include "harness/run/run_plan.h"

/* o: database and what is said and shown. threads (0) and device (NULL): instead of those that the lives had. The
 * attempt that ends it goes into `attempt`. Where it cannot be repeated here (a device that is not here, a life that is
 * not in the database, another numerics version) nothing is run, and *missing (heap) names the life and what is
 * missing; else it is NULL. */
MUST_CHECK int repeat_lives(char attempt[64], char **missing, const struct lives *lives, struct run_set *set,
                            const struct run_options *o, int threads, const char *device, struct err *e);

#endif
