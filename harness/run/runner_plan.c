/* runner_plan.c - a plan as the runner finds it: its grid, arms, cells and rows in the record before the first cell
 * starts. */
#include "harness/record/host.h"
#include "harness/record/query_grid.h"
#include "harness/run/runner_private.h"
#include "harness/text/json_out.h"

#include <string.h>

static json_t *row_line(const struct run_plan *plan, const struct run_row *row)
{
	json_t *line = json_pack("{s:s, s:s, s:s, s:s, s:I, s:s}", "t", "grid_cell", "grid", plan->hash, "cell",
	                         plan->cells[row->cell].cell, "chain", row->chain ? row->chain : "", "ordinal",
	                         (json_int_t)row->ordinal, "label", row->label);
	if (row->labels) {
		SCOPED(str) struct str labels = { 0 };
		if (!json_record(&labels, row->labels, JSON_COMPACT))
			(void)json_object_set_new(line, "labels", json_string(labels.data));
	}
	return line;
}

bool cell_has_identity(const struct run_cell *c)
{
	return *c->dataset;
}

static int plan_is_recorded(bool *out, struct store *s, const struct run_plan *p, struct err *e)
{
	if (query_has_grid(out, s->db, p->hash, e))
		return -1;
	for (int i = 0; i < p->n_rows && *out; i++) {
		const struct run_row *row = &p->rows[i];
		if (cell_has_identity(&p->cells[row->cell]) &&
		    query_has_grid_cell(out, s->db, p->hash, p->cells[row->cell].cell, row->chain ? row->chain : "", row->label,
		                        e))
			return -1;
	}
	return 0;
}

int record_plan(struct store *s, const struct run_plan *p, struct err *e)
{
	char now[HOST_TIME];
	bool recorded;
	if (plan_is_recorded(&recorded, s, p, e))
		return -1;
	if (recorded)
		return 0;
	json_t *lines = json_array();
	(void)json_array_append_new(lines, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "t", "grid", "hash", p->hash, "name",
	                                             p->name, "toml", p->toml, "created", host_now(now), "made_of",
	                                             p->made_of ? p->made_of : "{}"));
	for (int i = 0; i < p->n_cells; i++) {
		const struct run_cell *c = &p->cells[i];
		if (!cell_has_identity(c))
			continue;
		if (i == 0 || strcmp(c->arm, p->cells[i - 1].arm) != 0)
			(void)json_array_append_new(lines,
			                            json_pack("{s:s, s:s, s:s}", "t", "arm", "hash", c->arm, "config", c->config));
		(void)json_array_append_new(lines, json_pack("{s:s, s:s, s:s, s:I, s:I, s:s}", "t", "cell", "hash", c->cell,
		                                             "arm", c->arm, "seed", (json_int_t)c->seed, "numerics",
		                                             (json_int_t)c->numerics, "dataset", c->dataset));
	}
	for (int i = 0; i < p->n_rows; i++)
		if (cell_has_identity(&p->cells[p->rows[i].cell]))
			(void)json_array_append_new(lines, row_line(p, &p->rows[i]));
	int rc = store_record(s, lines, e);
	json_decref(lines);
	return rc;
}
