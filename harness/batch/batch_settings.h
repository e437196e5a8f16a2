/* batch_settings.h - the commands and what tasks ask for: the site's [command], and over it the grid's. */
#ifndef ABLATE_BATCH_SETTINGS_H
#define ABLATE_BATCH_SETTINGS_H

#include "harness/grid/grid.h"
#include "harness/grid/grid_command.h"

struct batch_settings {
	struct grid_command v;
	struct toml *site; /* the file of the site, whose texts v has; NULL = there is none */
};

/* The grid must outlive *out. Without all three commands there is no such engine: EXIT_USAGE. */
MUST_CHECK int batch_settings_find(struct batch_settings *out, const struct grid *g, struct err *e);
void scoped_batch_settings(struct batch_settings *s); /* SCOPED(batch_settings) struct batch_settings s = { 0 }; */

#endif
