/* place_options.h - the options that say where cells run and how a step is divided, for the commands that run or plan
 * them. */
#ifndef ABLATE_PLACE_OPTIONS_H
#define ABLATE_PLACE_OPTIONS_H

#include "harness/cli/cmd.h"
#include "harness/plan/plan_memory.h"
#include "harness/run/engine_device.h"

/* How a step is divided, which changes what it takes of memory. */
#define MICROBATCH_OPTION \
	{ \
		.name = "microbatch", .kind = OPT_STRING, .arg = "N", \
		.help = "samples that a process computes at once, of its share of a batch, or auto: the most that fit " \
				"(default: as train.microbatch says)" \
	}

/* Where cells run, and how a step is divided. */
#define PLACE_OPTIONS \
	{ .name = "jobs", \
	  .letter = 'j', \
	  .kind = OPT_INT, \
	  .arg = "N", \
	  .min = 1, \
	  .max = 1024, \
	  .help = "cells at once (default: one per GPU; on the CPU as measured)" }, \
		{ .name = "ranks", \
		  .kind = OPT_INT, \
		  .arg = "N", \
		  .min = 1, \
		  .max = 1024, \
		  .help = "processes that train each cell together, by mpirun; on a cluster by srun (default 1)" }, \
		{ .name = "device", \
		  .kind = OPT_STRING, \
		  .arg = "D", \
		  .help = \
		      "cpu, cuda (all that CUDA_VISIBLE_DEVICES shows), cuda:N, a list of these such as cuda:0,cuda:2, or " \
		      "auto: cuda where there is one, else cpu (default auto)" }, \
		MICROBATCH_OPTION

/* How much disk there is for the plan's records, into the plan, which then shows it. place_plan asks that, too. */
void ask_disk(struct plan *p, const struct cli *c);
/* Are there as many bytes free as the checkpoints of the cells take that a run may begin? No is an error with both
 * numbers (EXIT_INCOMPLETE), unless --ignore-disk. */
MUST_CHECK int disk_holds(struct plan *p, const struct cli *c, struct err *e);
/* --microbatch as struct plan_place has it: 0 without it. */
MUST_CHECK int microbatch_of(int *out, const struct cli *c, struct err *e);
/* Finds what --device names, and what the plan's cells need of the memory of the one that has least of it free, by as
 * many of them as it has at once (plan_memory.h). */
MUST_CHECK int place_plan(struct engine_devices *devices, struct plan *p, const struct cli *c, struct err *e);
/* The same for machines of a cluster, of which neither devices nor memory are known here: the arithmetic of the plan's
 * cells, and none is blocked. */
MUST_CHECK int place_elsewhere(struct engine_devices *devices, struct plan *p, const struct cli *c, struct err *e);

#endif
