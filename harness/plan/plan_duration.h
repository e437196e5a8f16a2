/* plan_duration.h - a time as a person says it. */
#ifndef ABLATE_PLAN_DURATION_H
#define ABLATE_PLAN_DURATION_H

#include "model/base/str.h"

/* Appends "less than 1 s", "42 s", "17 min", "3.2 h", "5.0 d", "12 years". */
void plan_add_duration(struct str *out, double seconds);

#endif
