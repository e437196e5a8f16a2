/* terminal.c - see terminal.h. */
#define _GNU_SOURCE
#include "harness/text/terminal.h"

#include "model/base/env.h"

#include <langinfo.h>
#include <locale.h>
#include <string.h>
#include <unistd.h>

bool terminal_draws(int fd)
{
	const char *term = env_get(ENV_TERM);
	return isatty(fd) && term && *term && strcmp(term, "dumb") != 0;
}

bool terminal_is_utf8(void)
{
	locale_t user = newlocale(LC_CTYPE_MASK, "", NULL); /* the program itself stays in "C" */
	if (!user)
		return false;
	bool utf8 = strcmp(nl_langinfo_l(CODESET, user), "UTF-8") == 0;
	freelocale(user);
	return utf8;
}

void terminal_progress(struct progress *p, const char *what, const char *unit, int64_t total)
{
	progress_start(p, what, unit, total);
	p->tty = terminal_draws(STDERR_FILENO);
}
