/* cell_select.c - see cell_select.h. */
#include "harness/commands/cell_select.h"

#include "harness/plan/row_label.h"
#include "harness/record/cell_note.h"
#include "harness/record/record_find.h"

#include <stdlib.h>
#include <string.h>

#define TAG "tag:"

void scoped_cell_list(struct cell_list *l)
{
	for (int i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
	*l = (struct cell_list){ 0 };
}

static void add(struct cell_list *l, const char *cell)
{
	for (int i = 0; i < l->n; i++)
		if (strcmp(l->v[i], cell) == 0)
			return;
	VEC_PUSH(l->v, l->n, l->cap) = xstrdup(cell);
}

int cell_is_meant(bool *out, struct db *db, const struct status_row *row, const char *text, struct err *e)
{
	if (strncmp(text, TAG, sizeof TAG - 1) == 0)
		return query_has_tag(out, db, row->cell, text + sizeof TAG - 1, e);
	SCOPED(free) char *name = xstrfmt("%s%s%s", row->chain, *row->chain ? "/" : "", row->label);
	*out = row_name_meant(row->label, text) || row_name_meant(name, text);
	return 0;
}

static int add_meant(struct cell_list *l, const char *text, const char *grid, struct db *db, struct err *e)
{
	struct db_rows rows;
	struct status_row r;
	bool any = false;
	int rc = 0;
	if (query_status(&rows, db, grid, e))
		return -1;
	while (!rc && query_status_next(&r, &rows)) {
		bool meant;
		rc = cell_is_meant(&meant, db, &r, text, e);
		if (!rc && meant) {
			add(l, r.cell);
			any = true;
		}
	}
	if (db_done(&rows, rc ? NULL : e) || rc)
		return -1;
	return any ? 0
	           : err_code(e, EXIT_USAGE, "%s: --only '%s' means no cell%s%s; `ablate status --cells` lists them",
	                      db_path(db), text, grid ? " of " : "", grid ? grid : "");
}

int cells_selected(struct cell_list *out, const struct cli *c, const char *grid, struct db *db, struct err *e)
{
	int n;
	SCOPED(free) const char **only = cli_strings(c, "only", &n);
	for (int i = 0; i < c->n_args; i++) {
		struct record r;
		if (record_find(&r, db, c->args[i], e))
			return -1;
		add(out, r.cell);
	}
	for (int i = 0; i < n; i++)
		if (add_meant(out, only[i], grid, db, e))
			return -1;
	return 0;
}
