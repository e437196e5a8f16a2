/* bench_peer.h - another project's program beside this one: a command that does the same work with the same weights
 * and pictures. Ours and it run in turn, so that what else the machine does befalls both.
 *
 *     COMMAND fid --weights FILE --threads N FOLDER FOLDER
 *         the Frechet distance of the pictures of two folders; its last line on stdout is {"fid": F}
 *     COMMAND inception|dinov2 --weights FILE --threads N --seconds S FOLDER
 *         features of the pictures of a folder, over and over for some S seconds, without its own start;
 *         its last line is {"images_per_s": R, "mean_abs": M}, the mean of the features' absolute values
 *
 * FILE is a safetensors file, with the names of the published weights. What it computes is compared with ours,
 * loosely: that it is the same work, not that it is the same number (ci/peers.sh asks that).
 * tests/peers/bench_peer.py speaks this. */
#ifndef ABLATE_BENCH_PEER_H
#define ABLATE_BENCH_PEER_H

#include "harness/bench/bench_process.h"
#include "model/base/err.h"

#include <jansson.h>

struct bench_peer {
	const char *command; /* a word or more, split at blanks, no shell */
	int threads;
	const char *folder;  /* for what it prints */
	const char *weights; /* FILE */
};

/* Runs it once with these words (NULL at the end) after its own, --weights and --threads behind the first. *said is
 * the object of its last line, which the caller owns. */
MUST_CHECK int bench_peer_ask(struct bench_process *p, json_t **said, const struct bench_peer *peer,
                              const char *const *words, struct err *e);
/* A number of what it said; an error that names the peer where there is none, or none above 0. */
MUST_CHECK int bench_peer_number(double *out, const struct bench_peer *peer, const json_t *said, const char *key,
                                 struct err *e);
/* Is what it computed the same work as ours? Within 2 %, as it may resize otherwise. */
MUST_CHECK int bench_peer_agrees(const struct bench_peer *peer, const char *what, double theirs, double ours,
                                 struct err *e);

enum { BENCH_MAX_ROUNDS = 15 };

/* Rates of features, a round at a time. */
struct bench_rates {
	struct bench_peer peer;
	const char *network, *pictures; /* first word, and the folder */
	double mean_abs;                /* of our features */
	double rate[BENCH_MAX_ROUNDS], ratio[BENCH_MAX_ROUNDS];
	int n;
};
/* One round of it, beside ours at that rate. */
MUST_CHECK int bench_rates_ask(struct bench_rates *r, double ours, double seconds, struct err *e);
json_t *bench_rates_row(struct bench_rates *r); /* medians, and the range of the ratio */

#endif
