/* need.h - what a grid's `needs` may name. */
#ifndef ABLATE_NEED_H
#define ABLATE_NEED_H

#include "model/base/err.h"

/* Weights or a data set of that name? Else exit 2 with near names. */
MUST_CHECK int need_known(const char *name, struct err *e);

#endif
