/* deviations.c - see deviations.h. */
#include "harness/grid/deviations.h"

#include <stdlib.h>
#include <string.h>

static const char *source_of(const struct preset *p, const struct knob *k)
{
	for (const struct preset_value *v = p->values; v->key; v++)
		if (strcmp(v->key, k->key) == 0)
			return v->source;
	return k->source;
}

const char *deviations_against(const char *preset)
{
	const struct preset *scaling, *full = config_find_preset(preset, &scaling);
	for (const struct preset_value *v = full ? full->values : NULL; v && v->key; v++)
		if (*v->source)
			return "paper";
	return "preset";
}

int deviations_of(const struct deviation **out, int *n, const char **preset, struct arena *arena,
                  const struct run_config *config, const char *preset_name, const char *like, struct err *e)
{
	const char *named = *preset_name ? preset_name : like;
	const struct preset *scaling = NULL, *full = *named ? config_find_preset(named, &scaling) : NULL;
	*out = NULL, *n = 0, *preset = "";
	if (!full)
		return 0;
	struct run_config *paper = arena_alloc(arena, sizeof *paper);
	config_defaults(paper);
	if (config_preset(paper, full->name, e) || config_finish(paper, e))
		return err_in(e, "preset %s", full->name);
	int n_knobs, found = 0;
	const struct knob *knobs = config_knobs(&n_knobs);
	struct deviation *list = arena_alloc(arena, (size_t)n_knobs * sizeof *list);
	for (int i = 0; i < n_knobs; i++) {
		SCOPED(free) char *ours = config_value_text(config, &knobs[i]);
		SCOPED(free) char *theirs = config_value_text(paper, &knobs[i]);
		if (!knobs[i].looks && strcmp(ours, theirs) != 0)
			list[found++] = (struct deviation){ knobs[i].key, arena_strdup(arena, ours), arena_strdup(arena, theirs),
				                                source_of(full, &knobs[i]) };
	}
	*out = list, *n = found, *preset = full->name;
	return 0;
}
