/* cmd-resume.c - `ablate resume`: the rest of a grid that was run before, without its file. */
#include "harness/cli/cmd.h"
#include "harness/record/db.h"
#include "harness/record/query_grid.h"
#include "harness/commands/plan_open.h"
#include "harness/commands/run_command.h"

#include "model/base/io.h"

#include <string.h>

static const struct opt options[] = { PLAN_OPTIONS, RUN_OPTIONS, { 0 } };

static int find_plan(char **path, struct cli *c, struct err *e)
{
	SCOPED(db) struct db *db = NULL;
	SCOPED(free) char *hash = NULL;
	const char *name = c->n_args ? c->args[0] : NULL;
	if (db_open(&db, c->db, DB_READ, e) || query_grid_hash(&hash, db, name, e))
		return -1;
	if (!hash && name && strstr(name, ".toml"))
		return err_code(e, EXIT_USAGE, "%s is a grid file: `ablate run %s` finishes what is missing of it", name, name);
	if (!hash)
		return err_code(e, EXIT_USAGE, "%s: no grid %s in it; start it with `ablate run GRID.toml`", c->db,
		                name ? name : "was run");
	*path = xstrfmt("%s-runs/plans/%s.plan.json", c->db, hash);
	if (!io_exists(*path))
		return err_code(e, EXIT_RECORD, "%s no longer exists; run the grid file itself, which does the same", *path);
	return 0;
}

static int run(struct cli *c)
{
	struct err e = ERR_INIT;
	SCOPED(free) char *path = NULL;
	SCOPED(plan) struct plan *p = NULL;
	if (find_plan(&path, c, &e) || plan_open(&p, c, path, &e))
		return cli_fail(c, &e);
	SCOPED(free) char *what = xstrfmt("ablate resume %s", p->grid->name);
	return run_command(c, p, what);
}

static const struct json_form json[] = {
	RUN_FORMS,
	{ 0 },
};

const struct cmd cmd_resume = {
	.name = "resume",
	.args = "[GRID]",
	.summary = "finish what is missing of a grid that was run before",
	.help =
		"GRID is its name or the first digits of its hash; without it, the latest one. The same as running its file "
		"again with the same --set and --only: finished cells are skipped, stopped ones continue from their "
		"checkpoints, failed ones are tried again.",
	.options = options,
	.json = json,
	.run = run,
};
