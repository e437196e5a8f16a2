/* slurm_settings.h - what jobs ask for: the site's [slurm], and over it the grid's. */
#ifndef ABLATE_SLURM_SETTINGS_H
#define ABLATE_SLURM_SETTINGS_H

#include "harness/grid/grid.h"
#include "harness/grid/grid_slurm.h"

struct slurm_settings {
	struct grid_slurm v;
	struct toml *site; /* the file of the site, whose texts v has; NULL = there is none */
};

/* The file: $ABLATE_SITE, else site.toml among the user's settings, where one that is missing is none. Heap text; NULL:
 * nowhere. */
char *slurm_site_file(void);
/* The file that is there, read, with tables that a site may have (NULL: there is none), and its table of that name, or
 * NULL. On failure *out is NULL. */
MUST_CHECK int slurm_site_table(struct toml **out, const struct toml_value **table, const char *name, struct err *e);
/* The grid must outlive *out. */
MUST_CHECK int slurm_settings_find(struct slurm_settings *out, const struct grid *g, struct err *e);
void scoped_slurm_settings(struct slurm_settings *s); /* SCOPED(slurm_settings) struct slurm_settings s = { 0 }; */

#endif
