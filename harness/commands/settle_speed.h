/* settle_speed.h - by which speed a command estimates how long a plan takes. */
#ifndef ABLATE_SETTLE_SPEED_H
#define ABLATE_SETTLE_SPEED_H

#include "harness/cli/cmd.h"
#include "harness/plan/plan.h"
#include "harness/run/engine_device.h"

#define SPEED_OPTIONS \
	{ .name = "rate", \
	  .kind = OPT_DOUBLE, \
	  .arg = "GFLOP/S", \
	  .min = 1e-3, \
	  .max = 1e12, \
	  .help = "estimate this machine's time by that rate (default: as `ablate bench scaling` measured)" }, \
		{ .name = "card", \
		  .kind = OPT_STRING, \
		  .arg = CARD_CHOICES, \
		  .help = "estimate the time on one such graphics card, too (default h100)" }, \
	{ \
		.name = "share", .kind = OPT_DOUBLE, .arg = "PERCENT", .min = 0.01, .max = 100, \
		.help = "what of a card's peak is reached (default 30)" \
	}

/* What was asked for by SPEED_OPTIONS. */
struct speed_ask {
	double rate, share; /* GFLOP/s, 0 = not said; of a card's peak */
	const char *card;
};
struct speed_ask speed_ask(const struct cli *c);
extern const struct speed_ask speed_default; /* where a command has no such options */

/* Into p->speed. Measures nothing: takes what is remembered of this machine's processors, or its graphics card where
 * the table has it. */
void settle_speed(struct plan *p, const struct engine_devices *devices, const struct speed_ask *ask);

#endif
