/* batch_settings.c - see batch_settings.h. */
#include "harness/batch/batch_settings.h"

#include "harness/slurm/slurm_settings.h"

int batch_settings_find(struct batch_settings *out, const struct grid *g, struct err *e)
{
	const struct toml_value *site;
	*out = (struct batch_settings){ 0 };
	if (slurm_site_table(&out->site, &site, "command", e) || (site && grid_command_read(&out->v, site, e)) ||
	    (g->command && grid_command_read(&out->v, g->command, e))) {
		scoped_batch_settings(out);
		return -1;
	}
	const char *missing = !out->v.submit.n ? "submit" : !out->v.query.n ? "query" : !out->v.cancel.n ? "cancel" : NULL;
	if (!missing)
		return 0;
	scoped_batch_settings(out);
	return err_code(e, EXIT_USAGE,
	                "--engine command needs %s in [command] of the grid or of the site's file (`ablate man 5-grid`)",
	                missing);
}

void scoped_batch_settings(struct batch_settings *s)
{
	toml_free(s->site);
	*s = (struct batch_settings){ 0 };
}
