/* env.h - the environment variables that the program reads, as one table (env.def): a variable without a row cannot be
 * read, so the manual lists them all.
 *
 *     const char *db = env_get(ENV_ABLATE_DB);        // NULL: not set
 *
 * Depends on nothing, as plugins are compiled with it, too. */
#ifndef ABLATE_ENV_H
#define ABLATE_ENV_H

#ifdef __cplusplus
extern "C" {
#endif

enum env {
#define ENV(name, travels, group, def, text) ENV_##name,
#include "model/base/env.def"
#undef ENV
	ENV_COUNT
};

struct env_row {
	const char *name, *group; /* rows of a group follow each other */
	const char *def;          /* as text, what applies if it is not set; "" = nothing */
	const char *text;         /* whole sentences */
	int sent;                 /* 1: a task on a cluster gets the submitter's value */
};

/* Its value, as getenv: NULL when it is not set; "" is a value. */
const char *env_get(enum env v);
const struct env_row *env_row(enum env v);

#ifdef __cplusplus
}
#endif

#endif
