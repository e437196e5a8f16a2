/* record_find.c - see record_find.h. */
#include "harness/record/record_find.h"

#include "model/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* Collects up to 4 matches. */
static int matches(struct str *list, int *n, char first[65], struct db *db, const char *sql, const char *pattern,
                   struct err *e)
{
	struct db_rows rows;
	*n = 0;
	if (db_query(&rows, db, e, sql, "s", pattern))
		return -1;
	while (db_next(&rows)) {
		if (!*n)
			(void)snprintf(first, 65, "%s", db_text(&rows, 0));
		str_addf(list, "%s%.16s", *n ? ", " : "", db_text(&rows, 0));
		++*n;
	}
	return db_done(&rows, e);
}

static int attempt_used(struct record *r, struct db *db, struct err *e)
{
	SCOPED(free) char *attempt = NULL;
	if (db_text_of(
			&attempt, db, e,
			"SELECT id FROM attempt WHERE cell = ? AND purpose = 'run' ORDER BY state = 'done' DESC, "
			"CASE WHEN state = 'done' THEN -coalesce(generation, 0) END, CASE WHEN state = 'done' THEN started END, "
			"started DESC, id DESC LIMIT 1",
			"s", r->cell))
		return -1;
	(void)snprintf(r->attempt, sizeof r->attempt, "%s", attempt ? attempt : "");
	return 0;
}

int record_find(struct record *out, struct db *db, const char *text, struct err *e)
{
	SCOPED(str) struct str list = { 0 };
	size_t n = strlen(text);
	char first[65];
	int found;
	*out = (struct record){ .is_cell = false };
	if (n < 4 || strspn(text, "0123456789abcdef-") != n)
		return err_code(
			e, EXIT_USAGE,
			"'%s' is neither an attempt nor a cell: give at least 4 digits of its id or hash (`ablate status` lists "
			"them)",
			text);
	SCOPED(free) char *pattern = xstrfmt("%s*", text);
	if (matches(&list, &found, first, db, "SELECT id FROM attempt WHERE id GLOB ? ORDER BY id LIMIT 4", pattern, e))
		return -1;
	if (found == 1) {
		SCOPED(free) char *cell = NULL;
		(void)snprintf(out->attempt, sizeof out->attempt, "%s", first);
		if (db_text_of(&cell, db, e, "SELECT cell FROM attempt WHERE id = ?", "s", first))
			return -1;
		(void)snprintf(out->cell, sizeof out->cell, "%s", cell);
		return 0;
	}
	int attempts = found;
	if (matches(&list, &found, first, db, "SELECT hash FROM cell WHERE hash GLOB ? ORDER BY hash LIMIT 4", pattern, e))
		return -1;
	if (attempts || found > 1)
		return err_code(e, EXIT_USAGE, "'%s' means several: %s%s", text, str_text(&list),
		                attempts + found >= 4 ? ", ..." : "");
	if (!found)
		return err_code(e, EXIT_USAGE, "no attempt or cell in %s starts with '%s'", db_path(db), text);
	out->is_cell = true;
	memcpy(out->cell, first, sizeof first);
	return attempt_used(out, db, e);
}
