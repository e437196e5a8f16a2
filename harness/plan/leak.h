/* leak.h - is an arm scored by the network that its loss is made of? Such a score says how well the loss was
 * minimised, not how good the samples are. */
#ifndef ABLATE_LEAK_H
#define ABLATE_LEAK_H

#include "harness/plan/plan.h"

/* Are the layers of the arm's loss those of the metric's extractor, byte for byte? */
bool leak_is(const struct run_config *c, const char *extractor);
/* Exit 2, naming the metric's place, when an arm leaks into a metric that does not say allow_leak. */
MUST_CHECK int leak_refuse(const struct plan *p, struct err *e);

#endif
