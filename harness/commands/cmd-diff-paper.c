/* cmd-diff-paper.c - `ablate diff-paper`: every setting that deviates from the paper's. */
#include "harness/grid/deviations.h"
#include "harness/text/escape.h"
#include "harness/commands/plan_open.h"
#include "model/base/str.h"

#include <stdio.h>
#include <string.h>

static const struct opt options[] = { PLAN_OPTIONS, { 0 } };

struct compared {
	const char *label, *preset;
	const struct deviation *d;
	int n;
};

static json_t *to_json(const struct compared *x)
{
	json_t *list = json_array();
	for (int i = 0; i < x->n; i++)
		(void)json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "key", x->d[i].key, "ours", x->d[i].ours,
		                                            "paper", x->d[i].paper, "source", x->d[i].source));
	return json_pack("{s:s, s:s, s:o}", "label", x->label, "preset", x->preset, "deviations", list);
}

static void to_text(const struct compared *x)
{
	SCOPED(str) struct str label = { 0 };
	escape_plain(&label, x->label);
	if (!*x->preset) {
		printf("%s: no preset, so there is no paper to compare with; like = \"PRESET\" in [grid] names one\n\n",
		       str_text(&label));
		return;
	}
	printf("%s: %d setting%s differ%s from %s\n", str_text(&label), x->n, str_plural(x->n), x->n == 1 ? "s" : "",
	       x->preset);
	if (x->n)
		printf("  %-24s%-24s%-24s%s\n", "setting", "ours", deviations_against(x->preset), "source");
	for (int i = 0; i < x->n; i++)
		printf("  %-23s %-23s %-23s %s\n", x->d[i].key, x->d[i].ours, x->d[i].paper, x->d[i].source);
	printf("\n");
}

static int tell(const struct cli *c, const struct compared *all, int n)
{
	if (!c->json) {
		for (int i = 0; i < n; i++)
			to_text(&all[i]);
		return EXIT_OK;
	}
	json_t *list = json_array();
	for (int i = 0; i < n; i++)
		(void)json_array_append_new(list, to_json(&all[i]));
	return cli_print_json(c, json_pack("{s:o}", "arms", list));
}

static int compare(struct compared *x, struct arena *arena, const struct plan *p, int arm, const char *label,
                   struct err *e)
{
	const struct plan_arm *a = &p->arms[arm];
	x->label = label;
	return deviations_of(&x->d, &x->n, &x->preset, arena, &a->config, a->preset, p->grid->like, e);
}

static int run(struct cli *c)
{
	struct err e = ERR_INIT;
	struct arena arena = { 0 };
	SCOPED(plan) struct plan *p = NULL;
	if (plan_open_any(&p, c, c->args[0], &e))
		return cli_fail(c, &e);
	SCOPED(free) struct compared *all = xcalloc((size_t)p->n_arms, sizeof *all);
	int rc = EXIT_OK;
	for (int a = 0; a < p->n_arms && !rc; a++) {
		const char *name = p->rows[p->arms[a].rows[0]].name;
		if (compare(&all[a], &arena, p, a, p->n_arms == 1 && !strcmp(name, "base") ? p->grid->name : name, &e))
			rc = cli_fail(c, &e);
	}
	if (!rc)
		rc = tell(c, all, p->n_arms);
	arena_release(&arena);
	return rc;
}

static const struct json_key json_keys[] = {
	JSON_KEY("arms", "object[]", "each set of settings"),
	JSON_KEY("arms[].label", "string", "what it is called"),
	JSON_KEY("arms[].preset", "string", "the preset that it is compared with; empty without one"),
	JSON_KEY("arms[].deviations", "object[]", "settings that differ from it"),
	JSON_KEY("arms[].deviations[].key", "string", "the setting"),
	JSON_KEY("arms[].deviations[].ours", "string", "its value here"),
	JSON_KEY("arms[].deviations[].paper", "string", "its value there"),
	JSON_KEY("arms[].deviations[].source", "string", "where the paper or its code gives it"),
	{ 0 },
};

static const struct json_form json[] = { JSON_FORM("", json_keys), { 0 } };

const struct cmd cmd_diff_paper = {
	.name = "diff-paper",
	.args = "GRID.toml|PRESET",
	.summary = "list every setting that deviates from the paper's",
	.help =
		"For each arm of the grid, or for one preset: the settings that differ from the full-scale preset that it "
		"comes from, with the paper's value and where the paper or its code gives it. A grid in settings of its own is "
		"compared with the preset that like = \"PRESET\" in its [grid] names.",
	.options = options,
	.json = json,
	.run = run,
};
