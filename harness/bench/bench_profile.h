/* bench_profile.h - where a training step's time goes on the CPU, part by part (cpu_clock.h), beside what the machine
 * itself would need for each: what the part computes at the rate of the matrix product, or what it moves at the rate of
 * a copy, whichever takes longer. */
#ifndef ABLATE_BENCH_PROFILE_H
#define ABLATE_BENCH_PROFILE_H

#include "model/base/cpu_clock.h"

#include <jansson.h>
#include <stdio.h>

/* What was clocked: `steps` steps, and of all of them together the seconds and the cost of each part. */
struct bench_profile {
	int steps;
	double seconds;
	struct cpu_cost parts[CPU_PARTS];
};

/* GB/s, read and written, of a copy by all threads between blocks that no cache holds; best of a few. Clocked as a part
 * is: without what threads wait for each other. */
double bench_copy_ceiling(void);
/* One step of it as a new object: {steps, step_s, ceiling_gflop_per_s, ceiling_gbyte_per_s, parts: {NAME: {what,
 * seconds, share, flops, bytes, floor_s, times_floor}}}. The parts' seconds add up to step_s. floor_s and times_floor
 * are null of parts that nothing was counted for. */
json_t *bench_profile_json(const struct bench_profile *p, double gflop_per_s, double gbyte_per_s);
/* The same as a table; `profile` is of bench_profile_json. */
void bench_profile_print(FILE *f, const char *config, const json_t *profile);

#endif
