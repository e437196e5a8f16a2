/* knob_find.c - looking things up in the table of the knobs (knobs.c). See config.h, config_private.h. */
#include "model/config/config_private.h"

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

const char *choice_at(const char *choices, int index)
{
	const char *p = choices;
	while (index-- > 0)
		p += strcspn(p, "|") + 1;
	return p;
}

int choice_index(const char *choices, const char *name, size_t n)
{
	int index = 0;
	for (const char *p = choices;; p++, index++) {
		size_t len = strcspn(p, "|");
		if (len == n && memcmp(p, name, n) == 0)
			return index;
		p += len;
		if (!*p)
			return -1;
	}
}

char *config_method_name(int method)
{
	const char *name = choice_at(config_find("method.kind")->choices, method);
	return xstrndup(name, strcspn(name, "|"));
}

bool config_method_has(int method, const struct knob *k)
{
	if (!k->methods)
		return true;
	const char *name = choice_at(config_find("method.kind")->choices, method);
	return choice_index(k->methods, name, strcspn(name, "|")) >= 0;
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
