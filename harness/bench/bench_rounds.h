/* bench_rounds.h - rounds of several configurations in turn, of which the median counts: a machine that slows down
 * slows all of them. A peer (bench_peer.h) is measured in the same rounds. */
#ifndef ABLATE_BENCH_ROUNDS_H
#define ABLATE_BENCH_ROUNDS_H

#include "harness/bench/bench_peer.h"
#include "model/base/err.h"

#include <jansson.h>

enum { BENCH_ROUNDS = 5 }; /* unless asked otherwise; at most BENCH_MAX_ROUNDS */

struct bench_entry {
	const char *name;
	double gflop;                              /* per item */
	void (*run)(struct bench_entry *c, int n); /* n items */
	void *net;
	const void *in0, *in1;
	void *out;
	double wall[BENCH_MAX_ROUNDS], cpu[BENCH_MAX_ROUNDS]; /* seconds per item; filled by bench_rounds */
	int n;                                                /* items per round; filled by bench_rounds */
};

struct bench_rounds {
	const char *unit;         /* "images": what an item is, in the keys of a row */
	int batch;                /* items of a call */
	int rounds;               /* 1 to BENCH_MAX_ROUNDS */
	double seconds;           /* per configuration, over all rounds */
	double ceiling;           /* GFLOP/s of a matrix product in the same run */
	struct bench_rates *peer; /* measured after the configurations of a round, against the first of them; NULL: none */
};

/* Measures, and appends one row per configuration to `out` (an array), then the peer's. */
MUST_CHECK int bench_rounds(json_t *out, struct bench_entry *configs, int n, const struct bench_rounds *r,
                            struct err *e);

#endif
