/* bench_store.h - how fast records are: `ablate bench store`. */
#ifndef ABLATE_BENCH_STORE_H
#define ABLATE_BENCH_STORE_H

#include "model/base/err.h"

#include <jansson.h>

/* Measures in a temporary folder and sets *out (caller owns it):
 *     ingest    8 processes write journals at once, one takes them in: rows, seconds, rows_per_s, lost (must be 0)
 *     queries   10,000 attempts with 100 curve points each: seconds of status and of the arm table
 *     sync      median seconds of one durable commit, which bounds everything
 * `workers` 8 and `points` 100 are the figures of the README; smaller ones make it a quick check. */
struct bench_store { int workers, points_per_worker, attempts, points_per_attempt; };
#define BENCH_STORE_FULL ((struct bench_store){ 8, 50000, 10000, 100 })
MUST_CHECK int bench_store(json_t **out, const struct bench_store *size, struct err *e);

#endif
