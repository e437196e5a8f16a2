/* knob_help.c - see knob_help.h. */
#include "harness/grid/knob_help.h"

#include "model/base/mem.h"

#include <stdlib.h>
#include <string.h>

const char *knob_type_name(const struct knob *k)
{
	static const char *const names[] = {
		[KNOB_BOOL] = "true or false",    [KNOB_INT] = "integer",
		[KNOB_DOUBLE] = "number",         [KNOB_EXPR] = "number, or expression in d = channels*height*width",
		[KNOB_CHOICE] = "one of",         [KNOB_NUMBER_OR_NAME] = "number or name",
		[KNOB_INTS] = "list of integers", [KNOB_STRING] = "text",
	};
	return names[k->type];
}

bool knob_has_range(const struct knob *k)
{
	return k->type == KNOB_INT || k->type == KNOB_DOUBLE || k->type == KNOB_EXPR || k->type == KNOB_NUMBER_OR_NAME ||
	       k->type == KNOB_INTS;
}

static bool is_number(const char *text)
{
	char *end;
	(void)strtod(text, &end);
	return end > text && !*end;
}

char *knob_toml(const struct knob *k, const char *text)
{
	bool name = k->type == KNOB_STRING || k->type == KNOB_CHOICE;
	if (k->type == KNOB_EXPR || k->type == KNOB_NUMBER_OR_NAME)
		name = !is_number(text);
	return name ? xstrfmt("\"%s\"", text) : xstrdup(text);
}

/* What the first preset or scaling that sets it otherwise has; NULL when none does. */
static const char *preset_value(const struct knob *k)
{
	int n[2];
	const struct preset *lists[2] = { config_presets(&n[0]), config_scalings(&n[1]) };
	for (int l = 0; l < 2; l++)
		for (int i = 0; i < n[l]; i++)
			for (const struct preset_value *v = lists[l][i].values; v->key; v++)
				if (!strcmp(v->key, k->key) && strcmp(v->value, k->def) != 0)
					return v->value;
	return NULL;
}

char *knob_example(const struct knob *k)
{
	const char *value = preset_value(k);
	if (value)
		return knob_toml(k, value);
	if (k->type == KNOB_BOOL)
		return xstrdup(strcmp(k->def, "true") ? "true" : "false");
	if (k->type != KNOB_CHOICE || !strchr(k->choices, '|'))
		return knob_toml(k, k->def);
	const char *second = strchr(k->choices, '|') + 1;
	SCOPED(free) char *name = xstrndup(second, strcspn(second, "|"));
	return knob_toml(k, name);
}
