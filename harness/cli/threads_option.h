/* threads_option.h - the option --threads of commands that compute. */
#ifndef ABLATE_THREADS_OPTION_H
#define ABLATE_THREADS_OPTION_H

#include "harness/cli/cmd.h"

#define THREADS_MAX 4096 /* of --threads */

/* The row of --threads in a command's table; `help` says what applies without it. */
#define THREADS_OPTION(what) \
	{ \
		.name = "threads", .kind = OPT_INT, .arg = "N", .min = 1, .max = THREADS_MAX, \
		.help = what "; at most the processors that may be used" \
	}

/* The value of --threads, or `fallback` (0: as many as may be used). A value above the number of usable processors is
 * reduced to it, with a warning; a fallback that is more is not: it is a number that bits depend on. */
int threads_of(const struct cli *c, int fallback);

#endif
