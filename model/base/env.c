/* env.c - see env.h; the one place that calls getenv(). */
#include "model/base/env.h"

#include <stdlib.h>

enum { ENV_HERE, ENV_SENT };

static const struct env_row rows[] = {
#define ENV(name, travels, group, def, text) [ENV_##name] = { #name, group, def, text, ENV_##travels },
#include "model/base/env.def"
#undef ENV
};

const char *env_get(enum env v)
{
	return getenv(rows[v].name);
}

const struct env_row *env_row(enum env v)
{
	return &rows[v];
}
