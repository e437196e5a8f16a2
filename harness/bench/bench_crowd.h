/* bench_crowd.h - training on a machine that has other work, too: `ablate bench crowd`. */
#ifndef ABLATE_BENCH_CROWD_H
#define ABLATE_BENCH_CROWD_H

#include "model/base/err.h"

#include <jansson.h>

/* Appends to `out` (an array) one object for each way in which threads wait (as this program has them, as libgomp has
 * them by itself, asleep at once) and one for a single thread, which waits for no other: steps/s alone and beside
 * `beside` busy processes of the same priority, measured in turn, the best of a few rounds alone and their median
 * beside.
 *     alone_share   of of what the fastest of them reaches alone
 *     beside_share  of what the same setting reaches alone
 *     fair_share    what the scheduler would leave it if its threads never needed each other: processors / (threads +
 *     beside), at most 1
 *     of_fair       beside_share / fair_share
 * seconds: time for each object. The busy processes end with this one, whatever ends it. Threads: as they are
 * (model_init). */
MUST_CHECK int bench_crowd(json_t *out, int beside, double seconds, struct err *e);

#endif
