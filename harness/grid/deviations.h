/* deviations.h - how a config differs from the paper's full preset that it comes from.
 *
 * A scaled preset ("ict-cifar10-small") is compared with the preset it scales; a full one with itself, so that settings
 * of the study show. A config without a preset is compared with the one that its grid is `like`. Printed in the report
 * and by diff-paper, and under tables, where those of a `like` are only counted. */
#ifndef ABLATE_DEVIATIONS_H
#define ABLATE_DEVIATIONS_H

#include "model/base/err.h"
#include "model/base/mem.h"
#include "model/config/config.h"

/* "paper" for a preset that holds a paper's values, "preset" for one of our own. */
const char *deviations_against(const char *preset);

struct deviation {
	const char *key, *ours, *paper, *source;
}; /* source: the preset's locus, else the knob's; "" = none */

/* Arena texts. *preset = the full preset's name. preset_name, or if that is "" like, may be unknown or empty, too:
 * *n = 0, *preset = "". */
MUST_CHECK int deviations_of(const struct deviation **out, int *n, const char **preset, struct arena *arena,
                             const struct run_config *config, const char *preset_name, const char *like, struct err *e);

#endif
