/* table_layout.h - a table that is wider than its page: its columns in blocks, one below the other. */
#ifndef ABLATE_TABLE_LAYOUT_H
#define ABLATE_TABLE_LAYOUT_H

#include "harness/show/table.h"

/* Cuts the columns into blocks that are no wider than `limit` with the labels beside each, between two metrics where it
 * can: column c takes width[c]. end[] (room for n_cols + 1) gets the column behind each block. Returns how many. */
int table_blocks(int *end, const struct table *t, double label, const double *width, double limit);

/* What a block that begins at that column is about, where the metric's name stands in the block before it; else "". */
const char *table_block_about(const struct table *t, int from);

/* Does row r begin a new section? */
bool table_opens_section(const struct table *t, int r);

/* The LaTeX form (table_latex.c). */
void table_write_latex(struct str *out, const struct table *t);
/* Text of a comment: one line, without "--", which would end that of HTML. */
void table_comment(struct str *out, const char *text);

#endif
