/* cmd-config.c - `ablate config`: the resolved settings, every default written out, as TOML that can be pasted below
 * [base]. */
#include "harness/text/escape.h"
#include "harness/commands/plan_open.h"

#include <stdio.h>
#include <string.h>

static const struct opt options[] = { PLAN_OPTIONS, { 0 } };

static void print_knob(const struct run_config *config, const struct knob *k)
{
	SCOPED(free) char *value = config_value_text(config, k);
	SCOPED(free) char *line = xstrfmt("%s = %s", k->key, value);
	if (*k->unit)
		printf("%-44s# %s\n", line, k->unit);
	else
		printf("%s\n", line);
}

/* The first arm's preset is a setting, too: values that only say what it says are no others' (row_methods.h). */
static void print_head(const struct plan *p, const struct plan_arm *arm)
{
	SCOPED(str) struct str labels = { 0 };
	for (int i = 0; i < arm->n_rows; i++) {
		str_add(&labels, i ? "; " : "");
		escape_plain(&labels, p->rows[arm->rows[i]].name);
	}
	printf("# arm %.12s: %s\n", arm->hash, str_text(&labels));
	if (*arm->preset)
		printf("%spreset = \"%s\"\n", arm == p->arms ? "" : "# ", arm->preset);
}

/* The first arm in full, the others by their differences. */
static void print_plan(const struct plan *p)
{
	int n;
	const struct knob *k = config_knobs(&n);
	for (int a = 0; a < p->n_arms; a++) {
		printf("%s", a ? "\n" : "");
		print_head(p, &p->arms[a]);
		for (int i = 0; i < n; i++) {
			SCOPED(free) char *first = config_value_text(&p->arms[0].config, &k[i]);
			SCOPED(free) char *value = config_value_text(&p->arms[a].config, &k[i]);
			if (a == 0 || strcmp(first, value) != 0)
				print_knob(&p->arms[a].config, &k[i]);
		}
	}
}

static json_t *arm_json(const struct plan *p, const struct plan_arm *arm)
{
	json_t *labels = json_array();
	for (int i = 0; i < arm->n_rows; i++)
		(void)json_array_append_new(labels, json_string(p->rows[arm->rows[i]].name));
	return json_pack("{s:s, s:o, s:s, s:o}", "arm", arm->hash, "labels", labels, "preset", arm->preset, "config",
	                 json_loads(arm->json, 0, NULL));
}

static int run(struct cli *c)
{
	struct err e = ERR_INIT;
	SCOPED(plan) struct plan *p = NULL;
	if (plan_open_any(&p, c, c->args[0], &e))
		return cli_fail(c, &e);
	if (!c->json) {
		print_plan(p);
		return EXIT_OK;
	}
	json_t *arms = json_array();
	for (int a = 0; a < p->n_arms; a++)
		(void)json_array_append_new(arms, arm_json(p, &p->arms[a]));
	return cli_print_json(c, json_pack("{s:o}", "arms", arms));
}

static const struct json_key json_keys[] = {
	JSON_KEY("arms", "object[]", "each set of settings"),
	JSON_KEY("arms[].arm", "string", "its hash"),
	JSON_KEY("arms[].labels", "string[]", "the rows that it is the arm of"),
	JSON_KEY("arms[].preset", "string", "the preset that it comes from; empty without one"),
	JSON_KEY("arms[].config", "object", "every setting (`ablate explain`)"),
	JSON_KEY("arms[].config.*", "any", "the value of that setting"),
	{ 0 },
};

static const struct json_form json[] = { JSON_FORM("", json_keys), { 0 } };

const struct cmd cmd_config = {
	.name = "config",
	.args = "GRID.toml|PRESET",
	.summary = "print resolved settings, every default written out",
	.help =
		"The settings of each arm of a grid, or of a preset alone, after preset, [base], axes or variants and --set. "
		"The first arm is printed in full, the others as differences from it; --json prints all of them in full.",
	.options = options,
	.json = json,
	.run = run,
};
