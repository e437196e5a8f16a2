/* speed.h - how fast a plan's arithmetic would go: on this machine, by what was measured of it (scaling.h) or a rate
 * that was stated, and on a card of card.h at a share of its peak. */
#ifndef ABLATE_SPEED_H
#define ABLATE_SPEED_H

#include "harness/plan/card.h"
#include "harness/plan/jobs.h"

/* Arithmetic that is to be done: multiply-adds count 2. */
struct work {
	double gflop[SCALING_NETS][N_DTYPES]; /* by the measured network that is nearest, and dtype */
	double steps;                         /* of training */
	int cells;                            /* that could run at once */
};
double work_gflop(const struct work *w);

enum speed_from { SPEED_UNKNOWN, SPEED_STATED, SPEED_MEASURED, SPEED_CARD };

struct speed {
	enum speed_from from;    /* this machine's */
	double stated;           /* GFLOP/s of all of it */
	struct scaling measured; /* of its processors */
	const struct card *its;  /* its card, at the same share of the peak */
	int cards;               /* how many of those */
	const struct card *card; /* another; NULL = none */
	double share;            /* of a card's peak */
};

/* Seconds on this machine, with cells at once as `jobs` says, or as is best where that is not chosen; 0 = unknown. */
double speed_here(const struct speed *s, const struct work *w, const struct jobs *jobs);
/* Seconds on one such card. */
double speed_card(const struct card *card, double share, const struct work *w);
/* Are steps so short on that card that starting them takes longer than their arithmetic? */
bool speed_is_idle(const struct card *card, double share, const struct work *w);

#endif
