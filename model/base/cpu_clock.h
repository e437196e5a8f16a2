/* cpu_clock.h - where the threads' time goes while the CPU computes, by kind of work: what `ablate bench train
 * --profile` shows. Off, a call is one branch; on, some tens of nanoseconds.
 *
 *     cpu_clock_start();
 *     enum cpu_part before = cpu_clock_part(CPU_NORMS);   // this thread's time from here on is the norms'
 *     cpu_split(...);                                     // so is that of its bodies, on every thread
 *     cpu_clock_part(before);
 *     cpu_clock_stop(costs);
 *
 * A body of cpu_split() may change the part of its own thread; it begins with that of the caller. So a convolution's
 * body tells its products from its transforms:
 *
 *     enum cpu_part before = cpu_clock_part(CPU_TRANSFORMS);
 *     ... transform a block's inputs ...
 *     cpu_clock_part(CPU_PRODUCTS);
 *     ... products ...
 *     cpu_clock_part(CPU_TRANSFORMS);
 *     ... transform back ...
 *     cpu_clock_part(before);
 *
 * Nothing is left out: between start and stop every moment of every thread belongs to one part. Threads that have
 * nothing to do, in a region that others still work in or while one thread works alone, are CPU_WAITING. The clock is
 * of one thread, the one that started it, and of the regions that it opens; calls of others do nothing. */
#ifndef ABLATE_CPU_CLOCK_H
#define ABLATE_CPU_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

enum cpu_part {
	CPU_PRODUCTS,
	CPU_TRANSFORMS,
	CPU_NORMS,
	CPU_ATTENTION,
	CPU_RESAMPLING,
	CPU_OPTIMIZER,
	CPU_ELEMENTWISE,
	CPU_BATCH,
	CPU_WAITING,
	CPU_OTHER, /* outside of all these: starting nodes, settings of a step */
	CPU_PARTS
};

const char *cpu_part_name(enum cpu_part part);    /* one word, lower case */
const char *cpu_part_meaning(enum cpu_part part); /* a phrase, lower case, no full stop */

/* seconds: of all threads, divided by their number, so that the parts add up to the time that passed. flops
 * (multiply-adds count 2) and bytes (of memory, each value touched once): what was counted, not measured. */
struct cpu_cost {
	double seconds, flops, bytes;
};

/* Starts at nothing counted; the thread's time is CPU_OTHER. Threads: those that cpu_split() would use now. */
void cpu_clock_start(void);
/* Adds what was counted to costs[CPU_PARTS]; the clock is off then. */
void cpu_clock_stop(struct cpu_cost *costs);

/* ---- for those that compute ------------------------------------------------------------------ */

extern bool cpu_clock_on; /* read only: through the functions below */

enum cpu_part cpu_clock_change(enum cpu_part part);
void cpu_clock_change_team(bool whole);
void cpu_clock_add(enum cpu_part part, double flops, double bytes);

/* From now on this thread's time is `part`'s. Returns the part so far, to go back to. */
static inline enum cpu_part cpu_clock_part(enum cpu_part part)
{
	return cpu_clock_on ? cpu_clock_change(part) : part;
}

/* Around a call that is parallel in itself, a library's: its time is that of all threads, for what they wait in it
 * cannot be seen. Does nothing inside a body of cpu_split(), where a library stays on its thread. */
static inline void cpu_clock_team(bool whole)
{
	if (cpu_clock_on)
		cpu_clock_change_team(whole);
}

/* Work that was done, to compare a part's time with; outside of bodies. A node that counts nothing itself is counted by
 * its op's row: flops() and the bytes of its sources and results. */
static inline void cpu_clock_count(enum cpu_part part, double flops, double bytes)
{
	if (cpu_clock_on)
		cpu_clock_add(part, flops, bytes);
}

int64_t cpu_clock_counts(void); /* how many calls have counted since the start */

/* ---- for cpu_split() ------------------------------------------------------------------------- */

struct cpu_region {
	enum cpu_part part;
	double started, busy; /* busy: thread-seconds of the bodies */
};

/* Before a region; false: it is not clocked, and the others are not called. */
bool cpu_clock_fork(struct cpu_region *r);
void cpu_clock_body(const struct cpu_region *r); /* before a body, on its thread */
void cpu_clock_body_end(struct cpu_region *r);
void cpu_clock_join(const struct cpu_region *r); /* after the region, on the thread that opened it */

#endif
