/* grid_metrics.c - the scores that a grid's metrics give; see grid.h. */
#include "harness/grid/grid.h"

#include "metrics/features/extractor_command.h"
#include "metrics/scores/score.h"
#include "model/base/str.h"
#include "model/data/shapes.h"

#include <stdio.h>
#include <string.h>

int grid_metric_outputs(const char *out[GRID_OUTPUTS_MAX], const struct grid_metric *m)
{
	const struct metric *row = metric_of_score(m->name);
	int n = 1;
	out[0] = m->name;
	if (row && strcmp(row->name, m->name) == 0)
		n = metric_scores(out, row);
	if (m->infinity && strcmp(m->name, "fid") == 0)
		out[n++] = "fid_infinity";
	return n;
}

int grid_wanted_scores(struct wanted_score **out, const struct grid *g)
{
	const char *outputs[GRID_OUTPUTS_MAX];
	struct wanted_score *all = xcalloc(1, sizeof *all); /* never NULL, also where nothing is wanted */
	int n = 0, cap = 1;
	for (int i = 0; i < g->n_metrics; i++)
		for (int o = grid_metric_outputs(outputs, &g->metrics[i]) - 1; o >= 0; o--)
			for (int k = 0; k < g->metrics[i].n_nfe; k++)
				for (int s = 0; s < g->seeds.n_eval; s++)
					VEC_PUSH(all, n, cap) = (struct wanted_score){ .name = outputs[o],
						                                           .nfe = g->metrics[i].nfe[k],
						                                           .eval_seed = g->seeds.eval[s],
						                                           .n = g->metrics[i].samples,
						                                           .ref = g->metrics[i].ref,
						                                           .extractor = g->metrics[i].extractor };
	*out = all;
	return n;
}

/* Does the grid ask for the score by several extractors? Then each is called by its own. */
static bool by_several(const struct grid *g, const char *name)
{
	const char *first = NULL, *outputs[GRID_OUTPUTS_MAX];
	for (int i = 0; i < g->n_metrics; i++) {
		for (int k = grid_metric_outputs(outputs, &g->metrics[i]) - 1; k >= 0; k--) {
			if (strcmp(outputs[k], name) != 0)
				continue;
			if (first && strcmp(first, g->metrics[i].extractor) != 0)
				return true;
			first = g->metrics[i].extractor;
		}
	}
	return false;
}

int grid_metric_refs(struct metric_ref *out, int max, const struct grid *g)
{
	int n = 0;
	for (int i = 0; i < g->n_metrics; i++) {
		const char *names[GRID_OUTPUTS_MAX];
		int n_names = grid_metric_outputs(names, &g->metrics[i]);
		for (int k = 0; k < n_names; k++) {
			const char *extractor = by_several(g, names[k]) ? g->metrics[i].extractor : "";
			for (int j = 0; j < g->metrics[i].n_nfe && n < max; j++) {
				out[n] = (struct metric_ref){ .nfe = g->metrics[i].nfe[j],
					                          .samples = g->metrics[i].samples,
					                          .least = g->metrics[i].agg == AGG_MIN3 };
				(void)extractor_label(out[n].extractor, extractor);
				(void)snprintf(out[n++].name, sizeof out->name, "%s", names[k]);
			}
		}
	}
	return n;
}

int grid_metric_ref(struct metric_ref *out, const struct grid *g, const char *text, struct err *e)
{
	struct metric_ref all[METRIC_REFS_MAX];
	int n = grid_metric_refs(all, METRIC_REFS_MAX, g);
	if (metric_ref_parse(out, text, e))
		return -1;
	if (!*out->extractor && by_several(g, out->name)) {
		SCOPED(str) struct str write = { 0 };
		for (int i = 0; i < n; i++) {
			SCOPED(free) char *one = metric_ref_text(&all[i]);
			if (strcmp(all[i].name, out->name) == 0 && (out->nfe < 0 || all[i].nfe == out->nfe))
				str_addf(&write, "%s%s", write.len ? " or " : "", one);
		}
		return err_code(e, EXIT_USAGE, "'%s' is measured by several extractors here: write %s", text,
		                write.len ? str_text(&write) : "NAME/EXTRACTOR@STEPS");
	}
	for (int i = 0; i < n && !out->samples; i++)
		if (strcmp(all[i].name, out->name) == 0 && (out->nfe < 0 || all[i].nfe == out->nfe) &&
		    (!*all[i].extractor || strcmp(all[i].extractor, out->extractor) == 0))
			out->samples = all[i].samples, out->least = all[i].least;
	return 0;
}

bool grid_measures(const struct grid *g, const char *text)
{
	struct metric_ref ref;
	if (grid_metric_ref(&ref, g, text, NULL))
		return false;
	for (int i = 0; i < g->n_metrics; i++) {
		const struct grid_metric *m = &g->metrics[i];
		const char *outputs[GRID_OUTPUTS_MAX];
		char label[EXTRACTOR_LABEL_MAX];
		bool other = *ref.extractor && strcmp(ref.extractor, extractor_label(label, m->extractor)) != 0;
		int n = other ? 0 : grid_metric_outputs(outputs, m);
		for (int k = 0; k < n; k++)
			for (int j = 0; j < m->n_nfe; j++)
				if (!strcmp(outputs[k], ref.name) && (ref.nfe == m->nfe[j] || (ref.nfe < 0 && m->n_nfe == 1)))
					return true;
	}
	return false;
}

int grid_refs_name_split(const struct grid *g, struct err *e)
{
	for (int i = 0; i < g->n_metrics; i++) {
		const struct grid_metric *m = &g->metrics[i];
		struct data_shape shape;
		if (*m->ref && !data_shape_find(&shape, m->ref, NULL))
			return grid_err(e, m->at, "ref = \"%s\" of %s leaves open which images: write \"%s-train\" or \"%s-test\"",
			                m->ref, m->name, m->ref, m->ref);
	}
	return 0;
}
