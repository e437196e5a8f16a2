/* plan_memory.h - what the unfinished cells of a plan need of a device's memory, found without training anything: the
 * step of each arm is recorded and its memory laid out, without asking the device for it. */
#ifndef ABLATE_PLAN_MEMORY_H
#define ABLATE_PLAN_MEMORY_H

#include "harness/plan/plan.h"

enum { MICROBATCH_AUTO = -1 }; /* the largest that fits */

/* Where cells would run. */
struct plan_place {
	const char *device; /* "cpu", "cuda:0" */
	int ranks, jobs;    /* processes for each cell; cells at once on the device */
	bool elsewhere;     /* on another machine, whose memory nobody knows: then nothing is blocked */
	int microbatch;     /* samples that a process computes at once; 0 = as train.microbatch says; or MICROBATCH_AUTO */
};

/* Fills `memory` and the arithmetic of every arm that has unfinished cells, whether or not what it reads is there, and
 * blocks the pending ones of those that do not fit; the reason names the micro-batch that would. The memory of an arm
 * whose dtype the device lacks stays unknown. A micro-batch that does not divide an arm's batch is EXIT_USAGE. The
 * device is opened and left again. */
MUST_CHECK int plan_memory(struct plan *p, const struct plan_place *place, struct err *e);
/* The same for the arms of one training. */
MUST_CHECK int plan_training_memory(struct plan *p, int training, const struct plan_place *place, struct err *e);
/* What a worker is told of that arm: samples at once, 0 = its whole share. */
int plan_arm_microbatch(const struct plan_arm *arm);

#endif
