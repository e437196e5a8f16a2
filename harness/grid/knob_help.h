/* knob_help.h - a knob as text: what `ablate explain` and the manual say about its type and range, and an example. */
#ifndef ABLATE_KNOB_HELP_H
#define ABLATE_KNOB_HELP_H

#include "model/config/config.h"

/* "integer", "one of", ...: `choices` follow the latter. */
const char *knob_type_name(const struct knob *k);
/* Do min and max mean anything? */
bool knob_has_range(const struct knob *k);
/* A value of the knob, given as the tables have it, as TOML: quotes around names. Heap text. */
char *knob_toml(const struct knob *k, const char *text);
/* A value as TOML, other than the default where a preset or the choices have one. Heap text. */
char *knob_example(const struct knob *k);

#endif
