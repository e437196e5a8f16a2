/* grid_metrics.c - the scores that a grid's metrics give; see grid.h. */
#include "harness/grid/grid.h"

#include "metrics/scores/score.h"

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

int grid_metric_refs(struct metric_ref *out, int max, const struct grid *g)
{
	int n = 0;
	for (int i = 0; i < g->n_metrics; i++) {
		const char *names[GRID_OUTPUTS_MAX];
		int n_names = grid_metric_outputs(names, &g->metrics[i]);
		for (int k = 0; k < n_names; k++) {
			for (int j = 0; j < g->metrics[i].n_nfe && n < max; j++) {
				out[n] = (struct metric_ref){ .nfe = g->metrics[i].nfe[j],
					                          .samples = g->metrics[i].samples,
					                          .least = g->metrics[i].agg == AGG_MIN3 };
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
	for (int i = 0; i < n && !out->samples; i++)
		if (strcmp(all[i].name, out->name) == 0 && (out->nfe < 0 || all[i].nfe == out->nfe))
			out->samples = all[i].samples, out->least = all[i].least;
	return 0;
}
