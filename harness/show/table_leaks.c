/* table_leaks.c - whose score is too good because the network that scores it taught it; see table_private.h. Alone in
 * its file, so that a test can put its own answer in its place. */
#include "harness/show/table_private.h"

#include "harness/plan/leak.h"
#include "metrics/features/extractor_command.h"

#include <string.h>

bool table_leaks(const struct build *b, int arm, const struct metric_ref *ref)
{
	const struct plan *p = b->s->plan;
	const char *outputs[GRID_OUTPUTS_MAX];
	for (int i = 0; i < p->grid->n_metrics; i++) {
		const struct grid_metric *m = &p->grid->metrics[i];
		char label[EXTRACTOR_LABEL_MAX];
		if (!m->allow_leak || (*ref->extractor && strcmp(ref->extractor, extractor_label(label, m->extractor)) != 0))
			continue; /* no plan has a leak that is not allowed (leak_refuse) */
		for (int k = grid_metric_outputs(outputs, m) - 1; k >= 0; k--)
			if (strcmp(outputs[k], ref->name) == 0 && leak_is(&p->arms[arm].config, m->extractor))
				return true;
	}
	return false;
}
