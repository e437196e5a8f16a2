/* config_private.h - what the files of the config share: names in "a|b|c", and what earlier configs of a grid found. */
#ifndef ABLATE_CONFIG_PRIVATE_H
#define ABLATE_CONFIG_PRIVATE_H

#include "model/config/config.h"
#include "model/config/net_spec.h"

/* Where name number `index` of "a|b|c" begins; it ends at the next bar, or with the text. */
const char *choice_at(const char *choices, int index);
/* The number of a name of n characters in "a|b|c", or -1. */
int choice_index(const char *choices, const char *name, size_t n);

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
