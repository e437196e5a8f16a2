/* fit.h - how the samples of a step are divided, and what a training holds in its device's memory: found from its plan,
 * before anything is asked for.
 *
 * train.batch is what one update is made from. A team shares it equally, and a process computes its share at once or in
 * micro-batches, one after the other, of which each must be equally large. What a micro-batch is changes no picture, no
 * noise and no dropout, but the order in which gradients are summed, so the last bits. */
#ifndef ABLATE_FIT_H
#define ABLATE_FIT_H

#include "model/train/recipe.h"

/* One process' part of every batch. */
struct split {
	int share, micro, parts; /* samples in all, samples at once, how many times that is: share = micro * parts */
};
/* micro: samples at once, or 0 for the whole share. What does not divide evenly is EXIT_USAGE. */
MUST_CHECK int split_of(struct split *out, const struct run_config *c, int ranks, int micro, struct err *e);

/* Bytes of the device's memory. */
struct fit {
	double stores; /* weights, moments, averages, gradients; frozen networks; the data set */
	double step;   /* what a run of the step's graph keeps at once */
	double gflop;  /* of arithmetic in such a run; no bytes, but known with them */
	double limit;  /* what the device has to give to each that shares it; 0 = unknown */
};
double fit_need(const struct fit *f); /* all that is needed */
bool fits(const struct fit *f);
/* The error of a training that does not fit on `device`: what `micro` samples at once need, and which micro-batch does;
 * 0 = none. Returns -1. */
int fit_refuse(struct err *e, const char *device, const struct fit *f, int micro, int largest);
/* Where a training would run. */
struct fit_place {
	struct backend *b;  /* opened with the config's dtype */
	int averages;       /* kept beside the config's */
	int ranks, sharers; /* processes that train together; such processes, of whatever training, that share its memory */
};
/* For a training that divides as `s` says. */
MUST_CHECK int fit_measure(struct fit *out, const struct recipe *r, const struct fit_place *on, const struct split *s,
                           struct err *e);
/* The largest micro-batch that fits: at most the whole share; 0 = none. *out is of it, or of the smallest. */
MUST_CHECK int fit_largest(int *micro, struct fit *out, const struct recipe *r, const struct fit_place *on,
                           struct err *e);

#endif
