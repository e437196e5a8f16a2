/* slurm_site.c - see slurm_site.h. */
#include "harness/slurm/slurm_site.h"

#include "harness/slurm/slurm_client.h"
#include "model/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The value of "Name = value" at the beginning of a line; its length. NULL: there is none. */
static const char *value_of(size_t *n, const char *config, const char *name)
{
	size_t length = strlen(name);
	for (const char *line = config; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		line += strspn(line, " \t");
		const char *at = strncmp(line, name, length) == 0 ? line + length + strspn(line + length, " \t") : "";
		if (*at != '=')
			continue;
		at += 1 + strspn(at + 1, " \t");
		*n = strcspn(at, "\n");
		return at;
	}
	return NULL;
}

/* Is `wanted` in "1,5-9,75"? */
static bool list_has(const char *list, size_t n, long wanted)
{
	for (const char *at = list; at && at < list + n;) {
		char *end;
		long first = strtol(at, &end, 10), last = *end == '-' ? strtol(end + 1, &end, 10) : first;
		if (end == at)
			return false;
		if (first <= wanted && wanted <= last)
			return true;
		at = *end == ',' ? end + 1 : NULL;
	}
	return false;
}

static bool exits_in(const char *config, const char *name)
{
	size_t n = 0;
	const char *list = value_of(&n, config, name);
	return list && list_has(list, n, EXIT_OF_A_STOPPED_TASK);
}

static int count_of(const char *text, int fallback)
{
	long n = text ? strtol(text, NULL, 10) : 0;
	return n > 0 && n < 100000000 ? (int)n : fallback;
}

void slurm_site_read(struct slurm_site *out, const char *config)
{
	size_t n = 0;
	*out = (struct slurm_site){ 0 };
	const char *at = value_of(&n, config, "ClusterName");
	(void)snprintf(out->cluster, sizeof out->cluster, "%.*s", at ? (int)n : 0, at ? at : "");
	at = value_of(&n, config, "SLURM_VERSION");
	(void)snprintf(out->version, sizeof out->version, "%.*s", at ? (int)n : 0, at ? at : "");
	out->max_array = count_of(value_of(&n, config, "MaxArraySize"), 1001);
	const char *scheduler = value_of(&n, config, "SchedulerParameters"),
			   *tasks = scheduler ? strstr(scheduler, "max_array_tasks=") : NULL;
	out->max_tasks = count_of(tasks && tasks < scheduler + n ? strchr(tasks, '=') + 1 : NULL, out->max_array);
	out->requeues_exit = exits_in(config, "RequeueExit");
	out->holds_exit = exits_in(config, "RequeueExitHold");
}

int slurm_site_ask(struct slurm_site *out, struct err *e)
{
	static const char *const ask[] = { "scontrol", "show", "config", NULL };
	SCOPED(str) struct str config = { 0 };
	if (slurm_call(&config, ask, e))
		return -1;
	slurm_site_read(out, str_text(&config));
	return 0;
}

enum slurm_requeue slurm_way(const struct slurm_site *s, int asked)
{
	if (asked != SLURM_REQUEUE_AUTO)
		return (enum slurm_requeue)asked;
	return s->requeues_exit && !s->holds_exit ? SLURM_REQUEUE_EXIT : SLURM_REQUEUE_SCONTROL;
}

const char *slurm_way_name(enum slurm_requeue way)
{
	static const char *const names[] = { "auto", "exit", "scontrol", "chain", "never" };
	return names[way];
}

const char *slurm_way_text(enum slurm_requeue way)
{
	static const char *const texts[] = {
		[SLURM_REQUEUE_AUTO] = "as Slurm is set up",
		[SLURM_REQUEUE_EXIT] = "is requeued by Slurm, whose RequeueExit has 75",
		[SLURM_REQUEUE_SCONTROL] = "requeues itself by scontrol (Slurm's RequeueExit does not have 75)",
		[SLURM_REQUEUE_CHAIN] = "is continued by the jobs that wait behind it",
		[SLURM_NEVER] = "waits for the next `ablate run`",
	};
	return texts[way];
}
