/* cell_note.h - what people say about cells: notes, and tags that are set and taken away. Rows are added and never
 * changed, by lines of the ledger (store.h), so they outlive the database and are merged without conflict; of several
 * rows about one tag of a cell the last counts: in the order in which they
 * were said, as far as those who said it knew of each other, else by the clock. */
#ifndef ABLATE_CELL_NOTE_H
#define ABLATE_CELL_NOTE_H

#include "harness/record/store.h"

#include <stdbool.h>

enum { NOTE_BYTES = 4000, TAG_BYTES = 64 };

/* A note is one line of UTF-8, of at most NOTE_BYTES and not blank, without control characters and those that turn the
 * direction of writing; a tag is a word of letters, digits, '.', '_' and '-' that begins with a letter or digit.
 * EXIT_USAGE says what is wrong. */
MUST_CHECK int cell_note_check(const char *text, struct err *e);
MUST_CHECK int cell_tag_check(const char *tag, struct err *e);

/* One thing that is said of cells: kind is "note", "tag" or "untag"; text was checked. */
struct cell_saying {
	const char *kind, *text;
};
/* Records each of says[0..n_says) of each cell, who: USER@HOST or NULL. What changes nothing (a tag that the cell has,
 * or has not) is left out; *added: rows. The store is open for writing. */
MUST_CHECK int cell_note_add(int64_t *added, struct store *s, const char *const *cells, int n_cells,
                             const struct cell_saying *says, int n_says, const char *who, struct err *e);

/* Has it that tag? */
MUST_CHECK int query_has_tag(bool *out, struct db *db, const char *cell, const char *tag, struct err *e);
/* "good rerun": its tags by name; "" where there are none. Heap. */
MUST_CHECK int query_tags(char **out, struct db *db, const char *cell, struct err *e);

/* Everything that was said, by cell and in that order; of a cell, or of all (NULL). label: of one of its rows. who may
 * be NULL. */
struct note_row {
	const char *cell, *label, *kind, *text, *who, *created;
	int64_t seed;
	bool counts; /* a note, or a tag that the cell has */
};
MUST_CHECK int query_notes(struct db_rows *rows, struct db *db, const char *cell, struct err *e);
bool query_note_next(struct note_row *out, struct db_rows *rows);

#endif
