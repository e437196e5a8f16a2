/* card.h - graphics cards and their peaks, as their makers state them: by these a plan's hours on a card that is not at
 * hand are estimated. */
#ifndef ABLATE_CARD_H
#define ABLATE_CARD_H

#include "model/graph/backend.h"

/* Their names, for the command line, in the order of the table; the first is the default. */
#define CARD_CHOICES "h100|h200|a100|l40s|l4|rtx-4090"
#define CARD_SHARE   0.3 /* of a card's peak, where nothing else is said */

struct card {
	const char *name;        /* "h100" */
	const char *text;        /* "NVIDIA H100 SXM" */
	const char *device;      /* part of the name that its driver gives it */
	double tflops[N_DTYPES]; /* dense, without sparsity; sums in fp32; by dtype of the operands */
	double memory_gb;
	const char *source;
};

const struct card *card_find(const char *name); /* NULL: no such card */
/* By the name that a driver gives ("NVIDIA H100 80GB HBM3"); NULL: none of the table. */
const struct card *card_of_device(const char *device);

#endif
