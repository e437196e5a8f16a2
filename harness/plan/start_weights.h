/* start_weights.h - do the weights that a row's training starts from, or distils, fit the row's network? Asked where a
 * grid is planned, by names and shapes alone, so that a wrong file stops no cell after hours of others. */
#ifndef ABLATE_START_WEIGHTS_H
#define ABLATE_START_WEIGHTS_H

#include "model/base/err.h"
#include "model/config/config.h"
#include "model/config/net_spec.h"

/* What was found to fit last: the rows of a grid mostly share it. */
struct start_weights {
	char file[KNOB_TEXT_MAX]; /* as it is set */
	struct net_spec net;
};

/* Of a finished config: net.init, and cd.teacher where it is used. A file that is not there is none of this check's
 * (plan_needs.h). EXIT_USAGE where one is of another network. */
MUST_CHECK int start_weights_fit(struct start_weights last[2], const struct run_config *c, struct err *e);

#endif
