/* record_state.c - see record_state.h. */
#include "harness/record/record_state.h"

#include <string.h>

static const struct {
	const char *name;
	bool open;
} states[] = {
	[RECORD_PENDING] = { "pending", true },    [RECORD_RUNNING] = { "running", true },
	[RECORD_DONE] = { "done", false },         [RECORD_STOPPED] = { "stopped", true },
	[RECORD_BLOCKED] = { "blocked", false },   [RECORD_FAILED] = { "failed", false },
	[RECORD_DIVERGED] = { "diverged", false }, [RECORD_TIMEOUT] = { "timeout", false },
	[RECORD_KILLED] = { "killed", false },     [RECORD_LOST] = { "lost", false },
	[RECORD_UNKNOWN] = { "unknown", false },
};

const char *record_state_name(enum record_state s)
{
	return states[s].name;
}

enum record_state record_state_of(const char *name)
{
	enum record_state s = RECORD_PENDING;
	while (name && s < RECORD_UNKNOWN && strcmp(states[s].name, name) != 0)
		s++;
	return s;
}

bool record_state_is_open(enum record_state s)
{
	return states[s].open;
}
