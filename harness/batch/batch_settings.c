/* batch_settings.c - see batch_settings.h. */
#include "harness/batch/batch_settings.h"

#include "harness/slurm/slurm_settings.h"

static int read_site(struct batch_settings *out, struct err *e)
{
	const struct toml_value *table = NULL;
	if (slurm_site_open(&out->site, e))
		return -1;
	int rc = out->site ? toml_typed(&table, toml_root(out->site), "command", TOML_TABLE, e) : 1;
	return rc < 0 || (!rc && grid_command_read(&out->v, table, e)) ? -1 : 0;
}

int batch_settings_find(struct batch_settings *out, const struct grid *g, struct err *e)
{
	*out = (struct batch_settings){ 0 };
	if (read_site(out, e) || (g->command && grid_command_read(&out->v, g->command, e))) {
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
