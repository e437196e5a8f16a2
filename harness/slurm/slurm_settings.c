/* slurm_settings.c - see slurm_settings.h. */
#include "harness/slurm/slurm_settings.h"

#include "model/base/env.h"
#include "model/base/io.h"

#include <stdlib.h>
#include <string.h>

char *slurm_site_file(void)
{
	const char *own = env_get(ENV_ABLATE_SITE);
	if (own && *own)
		return strcmp(own, "none") == 0 ? NULL : xstrdup(own);
	char *path = io_config_file("site.toml");
	if (path && io_exists(path))
		return path;
	free(path);
	return NULL;
}

static int check_tables(const struct toml_value *root, struct err *e)
{
	for (size_t i = 0; i < toml_len(root); i++) {
		const char *key = toml_entry(root, i)->key;
		if (strcmp(key, "slurm") != 0 && strcmp(key, "command") != 0)
			return toml_key_err(e, toml_entry(root, i), "a site's file has [slurm] and [command] alone");
	}
	return 0;
}

int slurm_site_table(struct toml **out, const struct toml_value **table, const char *name, struct err *e)
{
	SCOPED(free) char *path = slurm_site_file();
	*out = NULL;
	*table = NULL;
	if (!path)
		return 0;
	if (toml_read(out, path, e))
		return -1;
	const struct toml_value *root = toml_root(*out);
	if (!check_tables(root, e) && toml_typed(table, root, name, TOML_TABLE, e) >= 0)
		return 0;
	toml_free(*out);
	*out = NULL;
	return -1;
}

int slurm_settings_find(struct slurm_settings *out, const struct grid *g, struct err *e)
{
	const struct toml_value *site;
	*out = (struct slurm_settings){ 0 };
	if (!slurm_site_table(&out->site, &site, "slurm", e) && (!site || !grid_slurm_read(&out->v, site, e)) &&
	    (!g->slurm || !grid_slurm_read(&out->v, g->slurm, e)))
		return 0;
	scoped_slurm_settings(out);
	return -1;
}

void scoped_slurm_settings(struct slurm_settings *s)
{
	toml_free(s->site);
	*s = (struct slurm_settings){ 0 };
}
