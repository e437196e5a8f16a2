/* study_open.c - see study_open.h. */
#include "harness/commands/study_open.h"
#include "harness/record/hidden.h"
#include "harness/record/query_grid.h"

#include "harness/commands/plan_open.h"
#include "harness/commands/words.h"

#include "model/base/io.h"

#include <stdio.h>
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

/* The command line, for readers of its output. */
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

struct adopted {
	const char *chain, *label, *cell, *arm;
	int64_t seed;
};

static int by_label(const void *a, const void *b)
{
	const struct adopted *x = a, *y = b;
	int order = strcmp(x->chain, y->chain);
	return order ? order : (order = strcmp(x->label, y->label)) ? order : (x->seed > y->seed) - (x->seed < y->seed);
}

/* Gives the plan's arms and cells the hashes under which the grid was recorded, by chain, label and seed. A program
 * that has learnt a setting since then would hash the same arms differently and find none of their results. */
static int adopt(struct plan *p, struct db *db, const char *grid, struct err *e)
{
	SCOPED(free) struct adopted *known = NULL;
	struct db_rows rows;
	int n = 0, cap = 0, n_seeds = p->grid->seeds.n_train;
	struct grid_cell_row row;
	if (query_grid_cells(&rows, db, grid, e))
		return -1;
	while (query_grid_cell_next(&row, &rows))
		VEC_PUSH(known, n, cap) = (struct adopted){ arena_strdup(&p->arena, row.chain),
			                                        arena_strdup(&p->arena, row.label),
			                                        arena_strdup(&p->arena, row.cell), arena_strdup(&p->arena, row.arm),
			                                        row.seed };
	if (db_done(&rows, e))
		return -1;
	if (!n)
		return 0;
	qsort(known, (size_t)n, sizeof *known, by_label);
	for (int r = 0; r < p->n_rows; r++)
		for (int i = 0; i < n_seeds; i++) { /* cells are ordered by arm, then seed */
			struct plan_cell *cell = &p->cells[p->rows[r].arm * n_seeds + i];
			struct adopted want = { .chain = p->rows[r].chain, .label = p->rows[r].label, .seed = cell->seed };
			const struct adopted *hit = bsearch(&want, known, (size_t)n, sizeof *known, by_label);
			if (hit) {
				(void)snprintf(cell->hash, sizeof cell->hash, "%s", hit->cell);
				(void)snprintf(p->arms[cell->arm].hash, sizeof p->arms[cell->arm].hash, "%s", hit->arm);
			}
		}
	p->recorded = true;
	return 0;
}

/* The grid of that name that was run last. */
static int plan_of_name(struct opened *o, const struct cli *c, const char *name, struct err *e)
{
	int n_sets, n_only;
	struct db_rows rows;
	SCOPED(free) const char **sets = cli_strings(c, "set", &n_sets);
	SCOPED(free) const char **only = cli_strings(c, "only", &n_only);
	SCOPED(free) char *hash = NULL;
	SCOPED(free) char *toml = NULL;
	SCOPED(free) char *made_of = NULL;
	struct grid_row r;
	if (o->db && query_newest_grid(&rows, o->db, name, e))
		return -1;
	if (o->db && query_grid_next(&r, &rows)) {
		hash = xstrdup(r.hash);
		toml = xstrdup(r.toml);
		made_of = xstrdup(r.made_of);
	}
	if (o->db && db_done(&rows, e))
		return -1;
	if (!toml) {
		SCOPED(words) struct words known = { 0 };
		SCOPED(str) struct str near = { 0 };
		(void)words_of(&known, c, "grids", "");
		words_suggest(&near, &known, name);
		return err_code(
			e, EXIT_USAGE,
			"%s: no such file, no grid of that name in the database, and no study of that name in the program "
			"(ablations/%s.toml)%s",
			name, name, str_text(&near));
	}
	if (plan_of_record(&o->plan, name, toml, made_of, &(struct plan_sets){ sets, n_sets },
	                   &(struct plan_options){ .only = only, .n_only = n_only }, e))
		return -1;
	return n_sets ? 0 : adopt(o->plan, o->db, hash, e);
}

int study_open_for_others(struct opened *out, const struct cli *c, const char *name, bool identity, struct err *e)
{
	struct opened o = { .runs = xstrfmt("%s-runs", c->db) };
	SCOPED(free) char *shipped = shipped_study(name);
	bool is_file = io_exists(name) || strcmp(name, "-") == 0 || strstr(name, ".toml"), known = false;
	const char *file = is_file ? name : NULL;
	if (published_read(&o.pub, NULL, e)) /* first: an installation without its data has no studies to open either */
		goto fail;
	if (db_is_there(c->db) ? db_open(&o.db, c->db, DB_READ, e) : 0)
		goto fail;
	if (o.db && !identity && db_hide_identity(o.db, e))
		goto fail;
	if (o.db && query_has_grid_named(&known, o.db, name, e))
		goto fail;
	if (!is_file && !known)
		file = shipped;
	if (file ? plan_open_any(&o.plan, c, file, e) : plan_of_name(&o, c, name, e))
		goto fail;
	o.command = command_of(c, name);
	if (!identity) {
		struct str hidden = { 0 };
		hidden_text(&hidden, o.command);
		free(o.command);
		o.command = str_detach(&hidden);
	}
	if (study_load(&o.study, o.plan, o.db, e))
		goto fail;
	*out = o;
	return 0;
fail:
	study_close(&o);
	return -1;
}

int study_open(struct opened *out, const struct cli *c, const char *name, struct err *e)
{
	return study_open_for_others(out, c, name, true, e);
}
