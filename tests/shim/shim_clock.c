/* shim_clock.c - preloaded: the time of day jumps, as when an administrator or a time server sets it. Clocks that only
 * run (monotonic, boot time) are left alone, as the kernel leaves them.
 *
 *   LD_PRELOAD=libshim_clock.so SHIM_CLOCK_S=-86400 SHIM_CLOCK_AFTER=5 ablate ...
 *
 * SHIM_CLOCK_S=S       seconds added to the time of day
 * SHIM_CLOCK_AFTER=N   from the N-th time on that this process asks for it; 0 = always */
#define _GNU_SOURCE
#include "tests/shim/shim.h"

#include <sys/time.h>
#include <time.h>

static time_t jump(void)
{
	static long asked;
	return __atomic_fetch_add(&asked, 1, __ATOMIC_SEQ_CST) >= shim_long("SHIM_CLOCK_AFTER", 0)
	           ? (time_t)shim_long("SHIM_CLOCK_S", 0)
	           : 0;
}

int clock_gettime(clockid_t id, struct timespec *t)
{
	static int (*next)(clockid_t, struct timespec *);
	SHIM_NEXT(next, "clock_gettime");
	int rc = next(id, t);
	if (!rc && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
		t->tv_sec += jump();
	return rc;
}

int gettimeofday(struct timeval *t, void *zone)
{
	static int (*next)(struct timeval *, void *);
	SHIM_NEXT(next, "gettimeofday");
	int rc = next(t, zone);
	if (!rc)
		t->tv_sec += jump();
	return rc;
}

time_t time(time_t *out)
{
	static time_t (*next)(time_t *);
	SHIM_NEXT(next, "time");
	time_t t = next(NULL) + jump();
	if (out)
		*out = t;
	return t;
}
