/* knob_find.c - looking things up in the table of the knobs (knobs.c). See config.h. */
#include "model/config/config.h"

#include "model/base/mem.h"

#include <stdlib.h>
#include <string.h>

static int by_key(const void *key, const void *row)
{
	return strcmp(key, ((const struct knob *)row)->key);
}

const struct knob *config_find(const char *key)
{
	int n;
	const struct knob *knobs = config_knobs(&n);
	return bsearch(key, knobs, (size_t)n, sizeof *knobs, by_key);
}

/* Is `name` one of the words of "a|b|c"? */
static bool is_among(const char *words, const char *name, size_t len)
{
	for (const char *p = words;; p++) {
		size_t n = strcspn(p, "|");
		if (n == len && !memcmp(p, name, n))
			return true;
		p += n;
		if (!*p)
			return false;
	}
}

char *config_method_name(int method)
{
	const char *p = config_find("method.kind")->choices;
	for (; method > 0; method--)
		p += strcspn(p, "|") + 1;
	return xstrndup(p, strcspn(p, "|"));
}

bool config_method_has(int method, const struct knob *k)
{
	SCOPED(free) char *name = config_method_name(method);
	return !k->methods || is_among(k->methods, name, strlen(name));
}

bool config_is_group(const char *name)
{
	int n;
	const struct knob *knobs = config_knobs(&n);
	size_t len = strlen(name);
	for (int i = 0; i < n; i++)
		if (strncmp(knobs[i].key, name, len) == 0 && knobs[i].key[len] == '.')
			return true;
	return false;
}
