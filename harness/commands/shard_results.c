/* shard_results.c - see shard_results.h. */
#include "harness/commands/shard_results.h"

#include "harness/record/query_grid.h"
#include "harness/run/runner_private.h"
#include "harness/text/json_out.h"

#include "model/base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMED_MAX = 20 };

int shards_collect(struct cli *c, struct slurm_collected *out, struct err *e)
{
	SCOPED(store) struct store s = STORE_INIT;
	if (store_open(&s, c->db, STORE_WRITE, "ablate slurm-merge", e))
		return -1;
	int rc = slurm_collect(out, &s, e);
	for (int i = 0; i < s.n_left; i++)
		cli_warn(c, "%s", s.left[i]);
	for (int i = 0; i < s.differing.n; i++) {
		SCOPED(str) struct str text = { 0 };
		differing_text(&text, &s.differing.v[i]);
		cli_warn(c, "%s", text.data);
	}
	if (s.differing.all > s.differing.n)
		cli_warn(c, "and %lld more cell%s with two results (`ablate merge --check --db %s` names all)",
		         (long long)(s.differing.all - s.differing.n), str_plural(s.differing.all - s.differing.n), c->db);
	out->left_out = s.n_left;
	return rc;
}

int shards_missing(struct cli *c, const struct run_plan *run, int **index, int *n, int *blocked, struct err *e)
{
	SCOPED(store) struct store s = STORE_INIT;
	int cap = 0;
	*index = NULL;
	*n = *blocked = 0;
	if (store_open(&s, c->db, STORE_READ, "ablate run", e))
		return -1;
	for (int i = 0; i < run->n_cells; i++) {
		bool done;
		if (cell_is_done(&done, &s, run, &run->cells[i], e)) {
			free(*index);
			*index = NULL;
			return -1;
		}
		if (!done && run->cells[i].blocked)
			++*blocked;
		else if (!done)
			VEC_PUSH(*index, *n, cap) = i;
	}
	return 0;
}

int shards_drop_diverged(struct cli *c, const struct run_plan *run, int *index, int *n, struct err *e)
{
	SCOPED(store) struct store s = STORE_INIT;
	int kept = 0;
	if (store_open(&s, c->db, STORE_READ, "ablate run", e))
		return -1;
	for (int i = 0; i < *n; i++) {
		enum record_state state;
		if (query_cell_state(&state, s.db, run->cells[index[i]].cell, e))
			return -1;
		if (state != RECORD_DIVERGED)
			index[kept++] = index[i];
	}
	*n = kept;
	return 0;
}

int shards_trainings(const struct plan *p, int *index, int n)
{
	SCOPED(free) bool *wanted = xcalloc((size_t)p->n_cells + 1, sizeof *wanted);
	int tasks = 0;
	for (int i = 0; i < n; i++)
		wanted[p->trainings[p->cells[index[i]].training].first] = true;
	for (int i = 0; i < p->n_cells; i++)
		if (wanted[i])
			index[tasks++] = i;
	return tasks;
}

/* What the record says of one missing cell. */
struct missing {
	const struct run_cell *cell;
	enum record_state state;
	char reason[256]; /* "": no task of it left a record */
};

static int find_reasons(struct missing *v, int n, const struct cli *c, const char *plan_hash, struct err *e)
{
	SCOPED(db) struct db *db = NULL;
	struct db_rows rows;
	struct status_row r;
	if (n == 0)
		return 0;
	if (db_open(&db, c->db, DB_READ, e) || query_status(&rows, db, plan_hash, e))
		return -1;
	while (query_status_next(&r, &rows))
		for (int i = 0; i < n; i++)
			if (strcmp(v[i].cell->cell, r.cell) == 0) {
				v[i].state = r.state;
				(void)snprintf(v[i].reason, sizeof v[i].reason, "%s", r.reason);
			}
	return db_done(&rows, e);
}

static json_t *names_of(const struct run_plan *run, const int *index, int n, const struct missing *why, int n_why)
{
	json_t *list = json_array();
	for (int i = 0; i < n; i++) {
		const struct run_cell *cell = &run->cells[index[i]];
		json_t *o = json_pack("{s:s, s:s, s:I}", "cell", cell->cell, "label", cell->label, "seed",
		                      (json_int_t)cell->seed);
		if (i < n_why) {
			(void)json_object_set_new(o, "state", json_string(record_state_name(why[i].state)));
			(void)json_object_set_new(o, "reason", json_out_text(*why[i].reason ? why[i].reason : NULL));
		}
		(void)json_array_append_new(list, o);
	}
	return list;
}

const struct json_key shards_report_keys[] = {
	JSON_KEY("db", "string", "the database"),
	JSON_KEY("cells", "integer", "cells of the grid"),
	JSON_KEY("done", "integer", "cells that are done"),
	JSON_KEY("blocked", "integer", "cells that lack something which they need"),
	JSON_KEY("missing", "object[]", "cells that are not done and not blocked"),
	JSON_KEY("missing[].cell", "string", "its hash"),
	JSON_KEY("missing[].label", "string", "what it is called"),
	JSON_KEY("missing[].seed", "integer", "its training seed"),
	JSON_KEY("missing[].state", "string", "its state, as of `ablate status`", .absent = "of all but the first twenty"),
	JSON_KEY("missing[].reason", "string?", "why it is in that state; null where no task of it left a record",
	         .absent = "of all but the first twenty"),
	JSON_KEY("shards", "integer", "shards that were read"),
	JSON_KEY("busy", "integer", "shards that are being written and were left for later"),
	JSON_KEY("left_out", "integer", "damaged records that could not be taken"),
	JSON_KEY("rows", "integer", "rows that were new"),
	JSON_KEY("exit_code", "integer", "the exit code"),
	{ 0 },
};

int shards_report(struct cli *c, const struct run_plan *run, const struct slurm_collected *got, struct err *e)
{
	SCOPED(free) int *index = NULL;
	int n, blocked;
	struct missing why[NAMED_MAX] = { 0 };
	if (shards_missing(c, run, &index, &n, &blocked, e))
		return cli_fail(c, e);
	int named = n < NAMED_MAX ? n : NAMED_MAX;
	for (int i = 0; i < named; i++)
		why[i] = (struct missing){ .cell = &run->cells[index[i]], .state = RECORD_PENDING };
	if (find_reasons(why, named, c, run->hash, e))
		return cli_fail(c, e);
	cli_say(c, "%d cell%s: %d done, %d missing, %d blocked; %lld new row%s from %d shard%s", run->n_cells,
	        str_plural(run->n_cells), run->n_cells - n - blocked, n, blocked, (long long)got->rows,
	        str_plural(got->rows), got->shards, str_plural(got->shards));
	for (int i = 0; i < named; i++)
		cli_say(c, "missing: %s seed %lld (%.12s): %s", why[i].cell->label, (long long)why[i].cell->seed,
		        why[i].cell->cell,
		        *why[i].reason ? why[i].reason
		                       : "no task of it left a record; what it printed is in the folder log of its jobs");
	int code = n + blocked ? EXIT_INCOMPLETE : got->left_out ? EXIT_RECORD : EXIT_OK;
	if (c->json)
		(void)cli_print_json(c,
		                     json_pack("{s:s, s:i, s:i, s:i, s:o, s:i, s:i, s:i, s:I, s:i}", "db", c->db, "cells",
		                               run->n_cells, "done", run->n_cells - n - blocked, "blocked", blocked, "missing",
		                               names_of(run, index, n, why, named), "shards", got->shards, "busy", got->busy,
		                               "left_out", got->left_out, "rows", (json_int_t)got->rows, "exit_code", code));
	return code;
}
