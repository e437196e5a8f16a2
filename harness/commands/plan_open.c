/* plan_open.c - see plan_open.h. A cell is cached when an attempt of it is done and has every score that the grid asks
 * for; it is blocked when something it needs is not on this machine; the time of a pending one is guessed from finished
 * cells of the same arm. */
#include "harness/commands/plan_open.h"

#include "harness/commands/words.h"
#include "harness/record/fingerprint.h"
#include "harness/record/query.h"
#include "harness/plan/inputs.h"
#include "harness/plan/plan_doubts.h"
#include "harness/plan/plan_needs.h"
#include "harness/plan/start_weights.h"
#include "harness/run/earlier.h"
#include "model/base/own_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is known about the arm that was asked for last. */
struct asker {
	struct db *db;
	struct err e;
	struct wanted_score *wanted; /* by the plan's grid; NULL until a cell is asked for */
	int n_wanted;
	char *runs; /* folder of the database's attempts */
	int arm;
	double seconds;
	bool lacks;
	char lack[PLAN_REASON];
	struct builds *builds;
};

static int dataset_hash(void *ctx, char hex[SHA256_HEX], const struct run_config *config, struct err *e)
{
	struct input in[INPUTS_MAX];
	int n;
	(void)ctx;
	if (inputs_of(in, &n, config, e))
		return -1;
	inputs_hash(hex, in, n);
	return 0;
}

/* Is the checkpoint at the end of its training there? */
static int find_training(struct asker *a, struct plan_cell *cell, const struct plan *p)
{
	const struct plan_arm *arm = &p->arms[cell->arm];
	SCOPED(earlier) struct earlier from = { .step = -1 };
	const struct earlier_want want = { .cell = cell->hash,
		                               .training = p->trainings[cell->training].key,
		                               .config = arm->json };
	if (earlier_find(&from, a->db, a->runs, &want, &a->e))
		return -1;
	cell->trained = from.step >= arm->config.train.steps;
	return 0;
}

static int read_state(struct asker *a, struct plan_cell *cell, const struct plan *p)
{
	bool finished;
	if (!a->wanted)
		a->n_wanted = grid_wanted_scores(&a->wanted, p->grid);
	if (query_finished(&finished, a->db, cell->hash, a->wanted, a->n_wanted, &a->e))
		return -1;
	if (!finished)
		return find_training(a, cell, p);
	cell->state = CELL_CACHED;
	const char *made_by = builds_stale(a->builds, cell->hash);
	SCOPED(free) char *text = made_by ? builds_text(made_by) : NULL;
	(void)snprintf(cell->made_by, sizeof cell->made_by, "%s", text ? text : "");
	return 0;
}

static void cell_state(void *ctx, struct plan_cell *cell, const struct plan *p)
{
	struct asker *a = ctx;
	const struct plan_arm *arm = &p->arms[cell->arm];
	if (a->e.msg[0] || (a->db && read_state(a, cell, p)) || cell->state == CELL_CACHED)
		return;
	if (cell->arm != a->arm) {
		a->arm = cell->arm;
		a->seconds = 0;
		a->lacks = plan_arm_lacks(a->lack, sizeof a->lack, p, arm);
		if (a->db && query_arm_seconds(&a->seconds, a->db, arm->hash, &a->e))
			return;
	}
	cell->seconds = a->seconds;
	if (a->lacks) {
		cell->state = CELL_BLOCKED;
		(void)snprintf(cell->reason, sizeof cell->reason, "%s", a->lack);
	}
}

static bool is_frozen(const char *path)
{
	size_t n = strlen(path), m = strlen(".plan.json");
	return n > m && !strcmp(path + n - m, ".plan.json");
}

/* Is it written like a name, not like a path? */
static bool is_name(const char *text)
{
	return !strchr("/.-", *text) && !strstr(text, "..") && !strstr(text, ".toml");
}

char *shipped_study(const char *name)
{
	SCOPED(free) char *file = xstrfmt("ablations/%s.toml", name);
	return is_name(name) ? own_data_file(file) : NULL;
}

static int no_such_grid(const struct cli *c, const char *name, bool preset_too, struct err *e)
{
	SCOPED(words) struct words known = { 0 };
	SCOPED(str) struct str near = { 0 };
	(void)words_of(&known, c, preset_too ? "configs" : "studies", "");
	words_suggest(&near, &known, name);
	return err_code(e, EXIT_USAGE, "%s: no such file%s and no study of that name comes with the program%s", name,
	                preset_too ? ", no preset," : ",", str_text(&near));
}

/* The grid of a file, of a study that comes with the program, or of a preset's name. */
static int read_grid(struct grid **out, const struct cli *c, const char *path, bool preset_too, struct err *e)
{
	const struct preset *scaling;
	if (io_exists(path) || !is_name(path))
		return grid_read(out, path, e);
	SCOPED(free) char *shipped = shipped_study(path), *any = NULL;
	if (shipped)
		return grid_read(out, shipped, e);
	if (!preset_too ||
	    !config_find_preset(path, &scaling)) /* that the name is unknown says little where no study is installed */
		return own_data_need(&any, "ablations/quickstart.toml", e) ? -1 : no_such_grid(c, path, preset_too, e);
	SCOPED(free)
	char *text = xstrfmt("schema = 1\ngrid = { name = \"%s\", seeds = { train = [1] } }\nbase.preset = \"%s\"\n", path,
	                     path);
	struct grid_source source = { .path = path, .text = text, .n = strlen(text) };
	return grid_parse(out, &source, 1, e);
}

static int expand(struct plan **out, const struct cli *c, const char *path, bool preset_too, struct plan_options *opt,
                  struct err *e)
{
	int n_sets;
	struct grid *g = NULL;
	SCOPED(free) const char **sets = cli_strings(c, "set", &n_sets);
	SCOPED(free) const char **only = cli_strings(c, "only", &opt->n_only);
	opt->only = only;
	if (is_frozen(path) && (n_sets || opt->n_only))
		return err_code(e, EXIT_USAGE, "%s: a frozen plan takes neither --set nor --only; give the grid file", path);
	if (is_frozen(path))
		return plan_read(out, path, opt, e);
	int rc = read_grid(&g, c, path, preset_too, e);
	for (int i = 0; i < n_sets && !rc; i++)
		rc = grid_set(g, sets[i], e);
	if (!rc && !grid_refs_name_split(g, e) && !plan_expand(out, g, opt, e))
		return 0;
	grid_free(g);
	return -1;
}

int plan_open(struct plan **out, const struct cli *c, const char *path, struct err *e)
{
	SCOPED(db) struct db *db = NULL;
	struct asker asker = { .arm = -1 };
	struct plan_options opt = { .ctx = &asker, .dataset = dataset_hash, .state = cell_state };
	struct plan *p = NULL;
	if (db_is_there(c->db) && (db_open(&db, c->db, DB_READ, e) || db_begin_reading(db, e)))
		return -1;
	SCOPED(builds) struct builds *builds = NULL;
	if (builds_read(&builds, db, e) || (db && builds_read_cells(builds, db, e)))
		return -1;
	asker.db = db;
	asker.runs = xstrfmt("%s-runs", c->db);
	asker.builds = builds;
	int rc = expand(&p, c, path, false, &opt, e);
	free(asker.wanted);
	free(asker.runs);
	if (rc)
		return -1;
	if (asker.e.msg[0]) {
		plan_free(p);
		return err_code(e, EXIT_RECORD, "%s", asker.e.msg);
	}
	if (start_weights_fit(p, e)) {
		plan_free(p);
		return -1;
	}
	plan_find_missing(p);
	*out = p;
	return 0;
}

int plan_open_any(struct plan **out, const struct cli *c, const char *path, struct err *e)
{
	struct plan_options opt = { 0 };
	return expand(out, c, path, true, &opt, e);
}

void tell_doubts(const struct cli *c, const struct plan *p)
{
	SCOPED(str) struct str lines = { 0 };
	plan_doubts(&lines, p);
	cli_warn_lines(c, str_text(&lines));
}

int plan_show(const struct cli *c, const struct plan *p)
{
	SCOPED(str) struct str out = { 0 };
	if (c->json)
		plan_json(&out, p);
	else
		plan_text(&out, p);
	(void)fwrite(out.data, 1, out.len, stdout); /* a failure shows when the program ends, as for every command */
	return EXIT_OK;
}

char *plan_command(const struct cli *c, const char *verb)
{
	struct str s = { 0 };
	int n_sets, n_only;
	SCOPED(free) const char **sets = cli_strings(c, "set", &n_sets);
	SCOPED(free) const char **only = cli_strings(c, "only", &n_only);
	str_addf(&s, "ablate %s%s%s", verb, c->n_args ? " " : "", c->n_args ? c->args[0] : "");
	for (int i = 0; i < n_sets; i++)
		str_addf(&s, " --set '%s'", sets[i]);
	for (int i = 0; i < n_only; i++)
		str_addf(&s, " --only '%s'", only[i]);
	str_addf(&s, " --db %s", c->db);
	return str_detach(&s);
}
