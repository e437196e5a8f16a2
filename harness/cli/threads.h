/* threads.h - how many threads compute in this process, and how they wait for each other.
 *
 * OpenMP's threads wait for the next piece of work by spinning in a loop, libgomp's for some 3 ms before they sleep. On
 * a machine with no other work that is the fastest; where other work wants the processors, each thread waits through
 * the time slice that the thread it waits for needs, and a program on 2 processors at a load of 35 makes 1 step where
 * it could make 80. Sleeping at once costs small networks most of their speed, since a wake-up takes longer than their
 * operations. A short wait keeps the latter and nearly all of the former: THREADS_SPIN (`ablate bench crowd` measures
 * it; bits do not depend on it). */
#ifndef ABLATE_THREADS_H
#define ABLATE_THREADS_H

#include "harness/record/cpus.h"

#include <stdbool.h>

struct cmds;

#define THREADS_SPIN "1000" /* spins of libgomp's loop, some 10 to 30 us */

/* Puts the length of the wait into the environment of programs started from now on. What the user has set there
 * (OMP_WAIT_POLICY, GOMP_SPINCOUNT) is left alone: then nothing is changed, and false returned. */
bool threads_bound_waiting(void);
/* Called first in main(): libgomp has read the environment when it was loaded, so a command that computes starts this
 * program once more, with the length of the wait in it; process, open files, and signals remain. Returns where that is
 * not needed, not wanted (under valgrind, which would lose sight of it), or not possible. all: the program's
 * commands. */
void threads_restart(const struct cmds *all, int argc, char **argv);
/* Without OMP_NUM_THREADS, as many threads as processors may be used: libgomp itself does not know of quotas. */
void threads_settle(void);

/* OMP_NUM_THREADS where it is a number above 0; else 0. */
int threads_of_environment(void);

enum threads_why { THREADS_PROCESSORS, THREADS_AFFINITY, THREADS_QUOTA, THREADS_OMP };
/* What decided on the number of threads: processors online, affinity, quota, or OMP_NUM_THREADS. */
enum threads_why threads_why(const struct cpus *c);
/* How threads wait, as text: "at most 1000 turns (GOMP_SPINCOUNT), then asleep". Into buf, which it returns. */
char *threads_waiting(char buf[128]);

#endif
