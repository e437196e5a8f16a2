/* small_config.h - the config of a small cell, for suites that train one: the preset ict-shapes8-ci with settings over
 * it. */
#ifndef ABLATE_SMALL_CONFIG_H
#define ABLATE_SMALL_CONFIG_H

#include "model/config/config.h"

#include <criterion/criterion.h>

/* Finished. base, then more: keys and values in turn, NULL at the end; either list may be NULL. */
static inline struct run_config small_config(const char *const *base, const char *const *more)
{
	const char *const *const lists[] = { base, more };
	struct run_config c;
	struct err e = ERR_INIT;
	config_defaults(&c);
	cr_assert_eq(config_preset(&c, "ict-shapes8-ci", &e), 0, "%s", e.msg);
	for (int i = 0; i < 2; i++)
		for (const char *const *s = lists[i]; s && *s; s += 2)
			cr_assert_eq(config_set_text(&c, s[0], s[1], &e), 0, "%s: %s", s[0], e.msg);
	cr_assert_eq(config_finish(&c, &e), 0, "%s", e.msg);
	return c;
}

#endif
