/* figure_font.c - fonts for a machine without any: those that come with the program. */
#define _GNU_SOURCE
#include "harness/show/figure_draw.h"

#include "model/base/env.h"
#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/base/own_files.h"

#include <pthread.h>
#include <stdlib.h>

char *figure_own_fonts(const char *system)
{
	if (env_get(ENV_FONTCONFIG_FILE) || env_get(ENV_FONTCONFIG_PATH) || io_exists(system))
		return NULL;
	return own_data_file("fonts/fonts.conf");
}

static void find(void)
{
	SCOPED(free) char *own = figure_own_fonts("/etc/fonts/fonts.conf");
	if (own)
		(void)setenv("FONTCONFIG_FILE", own, 1);
}

void figure_find_fonts(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	(void)pthread_once(&once, find);
}
