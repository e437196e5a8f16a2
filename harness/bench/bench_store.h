/* bench_store.h - how fast records are written and read: `ablate bench store`. */
#ifndef ABLATE_BENCH_STORE_H
#define ABLATE_BENCH_STORE_H

#include "model/base/err.h"

#include <jansson.h>

/* Measures in a temporary folder and sets *out (caller owns it):
 *     ingest    8 processes write journals at once, one takes them in: rows, seconds, rows_per_s, lost (must be 0)
 *     plan, status, table    this program called as a user calls it, on a grid of that many arms whose cells are all in
 *     the database,
 *               each with an attempt, a score and 100 curve points: the best of three, seconds and cpu_s (user and
 *               system)
 *     overhead  cells that do nothing, one after the other: seconds and cpu_s per cell that are not training
 *     sync      median seconds of one durable commit, which bounds everything
 * Rows carry the bar they must meet, max_s or min_rows_per_s, meant for cpu_s where other work shares the machine.
 * `program` is the ablate to call; NULL is this one. Smaller sizes make it a quick check. */
struct bench_store {
	int workers, points_per_worker, attempts, points_per_attempt, cells;
	const char *program;
};
#define BENCH_STORE_FULL ((struct bench_store){ 8, 50000, 10000, 100, 40, NULL })
MUST_CHECK int bench_store(json_t **out, const struct bench_store *size, struct err *e);

#endif
