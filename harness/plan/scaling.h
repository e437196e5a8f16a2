/* scaling.h - what was measured of this machine: training steps/s of several cells at once, by cells and threads of
 * each, and the file in which that is remembered.
 *
 * The file holds a row for each machine, as homes are shared: by the processor's model, the processors that may be used
 * and the numerics fingerprint, since another build may be faster. A file that is damaged, or of another form, is as
 * good as none. */
#ifndef ABLATE_SCALING_H
#define ABLATE_SCALING_H

#include "model/base/err.h"
#include "model/base/sha256.h"

#include <stdbool.h>

/* The networks that are measured: that of ablations/quickstart.toml, and configuration a of `ablate bench train`. */
enum scaling_net { SCALING_SMALL, SCALING_LARGE, SCALING_NETS };
const char *scaling_net_name(enum scaling_net net);

enum { SCALING_MAX = 16 }; /* combinations */

struct scaling_rate {
	int jobs, threads;                /* cells at once, threads of each */
	double steps_per_s[SCALING_NETS]; /* of all cells together; the best of a few */
};

struct scaling {
	int processors;             /* that may be used */
	double gflop[SCALING_NETS]; /* of a step */
	struct scaling_rate v[SCALING_MAX];
	int n; /* v[0] has one job, and jobs rise */
};

/* Which of the measured networks one is nearest to, by the arithmetic of what is computed at once (0 = unknown). */
enum scaling_net scaling_nearest(const struct scaling *s, double gflop);

/* The combinations to measure: jobs x threads = processors, all of them up to SCALING_MAX; rates are 0. */
void scaling_init(struct scaling *out, int processors);

/* Which machine and build this is. */
struct scaling_key {
	char cpu[128], fingerprint[SHA256_HEX];
	int processors;
};
void scaling_key(struct scaling_key *out);

/* $ABLATE_SCALING, else scaling.json in the cache: heap text; NULL: nothing is to be measured ("none"). */
char *scaling_path(void);
/* What path has of that machine; false: nothing that could be used, and *out is untouched. */
bool scaling_recall(struct scaling *out, const char *path, const struct scaling_key *key);
/* Heap text, of what is remembered of this machine: "2 jobs of 1 thread: 1.3 (small network), 1.1 (large) times one job
 * of 2 threads", or that there is nothing. */
char *scaling_told(void);
/* Puts it in the place of what path had of that machine; other machines' rows stay, the oldest go beyond 32. */
MUST_CHECK int scaling_keep(const char *path, const struct scaling_key *key, const struct scaling *s, struct err *e);

#endif
