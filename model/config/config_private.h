/* config_private.h - what config.c and config_json.c share: what earlier configs of a grid found. */
#ifndef ABLATE_CONFIG_PRIVATE_H
#define ABLATE_CONFIG_PRIVATE_H

#include "model/config/config.h"
#include "model/config/net_spec.h"

enum { NETS_KEPT = 8 };
struct config_memo {
	struct net_spec good[NETS_KEPT]; /* passed net_check lately */
	unsigned next;                   /* of good: what is overwritten next, modulo NETS_KEPT */
	struct memo_number {
		double x;
		char text[32];
	} * numbers; /* by knob: the last number that was written, and its text */
};

#endif
