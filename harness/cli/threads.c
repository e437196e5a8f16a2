/* threads.c - see threads.h. */
#define _GNU_SOURCE
#include "harness/cli/threads.h"

#include "harness/cli/cmd.h"
#include "harness/record/host.h"
#include "model/base/cpu.h"
#include "model/base/env.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static const char *set_by_user(enum env variable)
{
	const char *text = env_get(variable);
	return text && *text ? text : NULL;
}

bool threads_bound_waiting(void)
{
	return !set_by_user(ENV_OMP_WAIT_POLICY) && !set_by_user(ENV_GOMP_SPINCOUNT) &&
	       setenv("GOMP_SPINCOUNT", THREADS_SPIN, 1) == 0;
}

/* The command need not be distinguished from an option's value: one start too many does no harm. */
static bool computes(const struct cmds *all, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const struct cmd *cmd = cmds_find(all, argv[i]);
		if (cmd && cmd->computes)
			return true;
	}
	return false;
}

void threads_restart(const struct cmds *all, int argc, char **argv)
{
	const char *preloaded = env_get(ENV_LD_PRELOAD);
	if (computes(all, argc, argv) && !(preloaded && strstr(preloaded, "vgpreload")) && threads_bound_waiting())
		(void)execv("/proc/self/exe", argv);                 /* without /proc it continues as it is */
	(void)prctl(PR_SET_NAME, program_invocation_short_name); /* else it is called "exe" after that */
}

/* OMP_NUM_THREADS where it is a number; libgomp says itself that it takes no other. "4,2" is for nested parallelism,
 * which we do not use. */
int threads_of_environment(void)
{
	const char *text = set_by_user(ENV_OMP_NUM_THREADS);
	long n = text ? strtol(text, NULL, 10) : 0;
	return n < 0 ? 0 : n < INT_MAX ? (int)n : INT_MAX;
}

void threads_settle(void)
{
	if (!threads_of_environment())
		cpu_set_threads(host_cpus());
}

enum threads_why threads_why(const struct cpus *c)
{
	if (threads_of_environment())
		return THREADS_OMP;
	if (c->usable < c->affinity)
		return THREADS_QUOTA;
	return c->affinity < c->online ? THREADS_AFFINITY : THREADS_PROCESSORS;
}

char *threads_waiting(char buf[128])
{
	const char *spin = set_by_user(ENV_GOMP_SPINCOUNT), *policy = set_by_user(ENV_OMP_WAIT_POLICY);
	if (spin)
		(void)snprintf(buf, 128, "at most %.20s turns (GOMP_SPINCOUNT), then asleep", spin);
	else if (policy)
		(void)snprintf(buf, 128, "%.20s (OMP_WAIT_POLICY)", policy);
	else
		(void)snprintf(buf, 128, "at most %s turns, then asleep", THREADS_SPIN);
	return buf;
}
