/* row_methods.h - settings of one method beside another (knob.methods): a discretization step in a row that trains in
 * continuous time changes nothing, and who wrote it believes that it does. A setting is refused where no row that it is
 * written for has a method with it; one of [base], or of a step of a chain, may be idle in some rows. So may one that
 * says what is so without it, as `ablate config` prints all settings of an arm, and one at its default, which takes
 * back what the row inherits: a method without a teacher wants teacher.ema = 0. */
#ifndef ABLATE_ROW_METHODS_H
#define ABLATE_ROW_METHODS_H

#include "harness/grid/grid.h"

struct row_method {
	struct setting set;
	const char *preset; /* of the first row that has the setting, "" = none; and its method */
	int method;
	bool used;
};
struct row_methods {
	struct row_method *v;
	int n, cap;
};

/* A row of config c, made from preset, that these settings are written for. */
void row_methods_add(struct row_methods *m, const struct settings *s, const struct run_config *c, const char *preset);
/* EXIT_USAGE names the first setting that nothing uses, its place, whose it is, and what the method has instead. */
MUST_CHECK int row_methods_check(const struct row_methods *m, struct err *e);
void row_methods_release(struct row_methods *m);

#endif
