/* study_open.c - see study_open.h. */
#include "study_open.h"

#include "plan_open.h"

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

/* The command again, for a reader of what it made. */
static char *command_of(const struct cli *c, const char *grid)
{
	struct str s = { 0 };
	int n_sets, n_only;
	SCOPED(free) const char **sets = cli_strings(c, "set", &n_sets);
	SCOPED(free) const char **only = cli_strings(c, "only", &n_only);
	str_addf(&s, "ablate %s %s", c->cmd->name, grid);
	for (int i = 0; i < n_sets; i++)
		str_addf(&s, " --set '%s'", sets[i]);
	for (int i = 0; i < n_only; i++)
		str_addf(&s, " --only '%s'", only[i]);
	return str_detach(&s);
}

/* The grid of that name that was run last. */
static int plan_of_name(struct opened *o, const struct cli *c, const char *name, struct err *e)
{
	int n_sets, n_only;
	struct db_rows rows;
	SCOPED(free) const char **sets = cli_strings(c, "set", &n_sets);
	SCOPED(free) const char **only = cli_strings(c, "only", &n_only);
	SCOPED(free) char *toml = NULL;
	SCOPED(free) char *made_of = NULL;
	if (o->db && db_query(&rows, o->db, e, "SELECT toml, made_of FROM grid WHERE name = ? ORDER BY created DESC, hash LIMIT 1", "s", name))
		return -1;
	if (o->db && db_next(&rows)) {
		toml = xstrdup(db_text(&rows, 0));
		made_of = xstrdup(db_text(&rows, 1));
	}
	if (o->db && db_done(&rows, e))
		return -1;
	if (!toml)
		return err_code(e, EXIT_USAGE, "%s: no such file, and no grid of that name in the database", name);
	return plan_of_record(&o->plan, name, toml, made_of, &(struct plan_sets){ sets, n_sets },
	                      &(struct plan_options){ .only = only, .n_only = n_only }, e);
}

int study_open(struct opened *out, const struct cli *c, const char *name, struct err *e)
{
	struct opened o = { .runs = xstrfmt("%s-runs", c->db) };
	SCOPED(free) char *published = io_data_file("results/published.toml");
	if (io_exists(c->db) ? db_open(&o.db, c->db, DB_READ, e) : 0)
		goto fail;
	if (io_exists(name) || strcmp(name, "-") == 0 || strstr(name, ".toml") ? plan_open_any(&o.plan, c, name, e)
	                                                                        : plan_of_name(&o, c, name, e))
		goto fail;
	o.command = command_of(c, name);
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
