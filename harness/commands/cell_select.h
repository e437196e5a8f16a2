/* cell_select.h - cells of the database by what a user types. */
#ifndef ABLATE_CELL_SELECT_H
#define ABLATE_CELL_SELECT_H

#include "harness/cli/cmd.h"
#include "harness/record/db.h"
#include "harness/record/query_grid.h"

/* Does `text` of --only mean this row of a grid? Its label or CHAIN/LABEL, a shell pattern of these, or tag:NAME, which
 * means the cells that have the tag. */
MUST_CHECK int cell_is_meant(bool *out, struct db *db, const struct status_row *row, const char *text, struct err *e);

struct cell_list {
	char **v; /* hashes, each once; heap */
	int n, cap;
};
void scoped_cell_list(struct cell_list *l); /* SCOPED(cell_list) struct cell_list l = { 0 }; */

/* The cells that c's arguments name (record_find; an attempt means its cell), and those of the grid (NULL: of all) that
 * one of its --only means. A word that means none is EXIT_USAGE. */
MUST_CHECK int cells_selected(struct cell_list *out, const struct cli *c, const char *grid, struct db *db,
                              struct err *e);

#endif
