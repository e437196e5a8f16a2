/* study_open.c - see study_open.h. */
#include "study_open.h"

#include "model/base/io.h"

#include <stdlib.h>
#include <string.h>

void study_close(struct opened *o)
{
	study_free(o->study);
	published_free(o->pub);
	db_close(o->db);
	plan_free(o->plan);
	free(o->runs);
	free(o->command);
	*o = (struct opened){ 0 };
}

void scoped_opened(struct opened *o)
{
	study_close(o);
}

/* The grid of that name that was run last. */
static int grid_of_name(struct grid **out, struct db *db, const char *name, struct err *e)
{
	SCOPED(free) char *toml = NULL;
	if (db && db_text_of(&toml, db, e, "SELECT toml FROM grid WHERE name = ? ORDER BY created DESC, hash LIMIT 1", "s", name))
		return -1;
	if (!toml)
		return err_code(e, EXIT_USAGE, "%s: no such file, and no grid of that name in the database", name);
	struct grid_source source = { .path = name, .text = toml, .n = strlen(toml) };
	if (grid_parse(out, &source, 1, e))
		return err_in(e, "the grid in the database (a grid that inherits needs its file)");
	return 0;
}

static int options(struct opened *o, struct grid *g, const struct cli *c, bool has_set, struct err *e)
{
	struct str command = { 0 };
	str_addf(&command, "ablate %s %s", c->cmd->name, g->path);
	int n_sets = 0, n_only = 0;
	SCOPED(free) const char **sets = has_set ? cli_strings(c, "set", &n_sets) : NULL;
	SCOPED(free) const char **only = has_set ? cli_strings(c, "only", &n_only) : NULL;
	int failed = 0;
	for (int i = 0; i < n_sets && !failed; i++) {
		str_addf(&command, " --set %s", sets[i]);
		failed = grid_set(g, sets[i], e);
	}
	for (int i = 0; i < n_only; i++)
		str_addf(&command, " --only '%s'", only[i]);
	o->command = str_detach(&command);
	struct plan_options opt = { .only = only, .n_only = n_only };
	return failed || plan_expand(&o->plan, g, &opt, e) ? -1 : 0;
}

int study_open(struct opened *out, const struct cli *c, const char *name, bool has_set, struct err *e)
{
	struct opened o = { .runs = xstrfmt("%s-runs", c->db) };
	struct grid *g = NULL;
	SCOPED(free) char *published = io_data_file("results/published.toml");
	if (io_exists(c->db) ? db_open(&o.db, c->db, DB_READ, e) : 0)
		goto fail;
	if (io_exists(name) || strcmp(name, "-") == 0 || strstr(name, ".toml") ? grid_read(&g, name, e) : grid_of_name(&g, o.db, name, e))
		goto fail;
	if (options(&o, g, c, has_set, e)) {
		if (!o.plan)
			grid_free(g);
		goto fail;
	}
	if (study_load(&o.study, o.plan, o.db, e))
		goto fail;
	if (published && published_read(&o.pub, published, e))
		goto fail;
	*out = o;
	return 0;
fail:
	study_close(&o);
	return -1;
}
