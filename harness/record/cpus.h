/* cpus.h - how many processors this process may use: those of the machine, those it may run on, and the share of their
 * time that its control group allows it.
 *
 * A container with half a processor sees every processor of the machine, both in /proc and in its affinity; only the
 * quota of its control group says how little of them it gets. Threads beyond it do not help: they use up the quota of a
 * period sooner and are all stopped until the next one begins. */
#ifndef ABLATE_CPUS_H
#define ABLATE_CPUS_H

struct cpus {
	int online;           /* processors of the machine that are switched on */
	int affinity;         /* those that this process may run on (taskset, cpuset, Slurm) */
	double quota;         /* processors' worth of time that it gets; INFINITY: no limit */
	char quota_from[512]; /* the file that says so; "" without a limit */
	int usable;           /* what follows from these: as many threads as can run at once, at least 1 */
};

/* Looks them up. `root` is put before every path of the system's own (/proc/self/cgroup, /proc/self/mountinfo, and the
 * folders that they name): "" but in tests. The quota is the least of the process's group and all groups above it, as
 * far as they are mounted, of the one hierarchy of version 2 and of the `cpu` controller of version 1. What is missing
 * or not a number sets no limit. */
void cpus_find(struct cpus *out, const char *root);
/* Threads for a quota alone: the nearest whole number, at least 1; INT_MAX for INFINITY. */
int cpus_of_quota(double quota);

#endif
