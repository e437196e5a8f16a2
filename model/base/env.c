/* env.c - see env.h; the one place that calls getenv(). */
#include "model/base/env.h"

#include <stdlib.h>

static const struct env_row rows[] = {
#define ENV(name, group, def, text) [ENV_##name] = { #name, group, def, text },
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
