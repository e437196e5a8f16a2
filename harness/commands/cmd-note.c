/* cmd-note.c - `ablate note`: notes and tags of cells, by those who look at them. */
#define _GNU_SOURCE
#include "harness/cli/cmd.h"
#include "harness/commands/cell_select.h"
#include "harness/record/cell_note.h"
#include "harness/record/host.h"
#include "harness/text/escape.h"
#include "harness/text/json_out.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct opt options[] = {
	{ .name = "message", .letter = 'm', .kind = OPT_STRINGS, .arg = "TEXT", .help = "add a note: a line of text" },
	{ .name = "tag", .letter = 't', .kind = OPT_STRINGS, .arg = "NAME", .help = "set a tag" },
	{ .name = "untag", .kind = OPT_STRINGS, .arg = "NAME", .help = "take a tag away" },
	{ .name = "only",
	  .kind = OPT_STRINGS,
	  .arg = "LABEL",
	  .help = "also the cells with that label or pattern, or with the tag of tag:NAME" },
	{ .name = "grid", .kind = OPT_STRING, .arg = "GRID", .help = "--only looks at this grid's (default: at all)" },
	{ .name = "identity", .kind = OPT_FLAG, .help = "record who says so: USER@HOST" },
	{ 0 },
};

/* What is to be said, checked; heap. */
static int read_sayings(struct cell_saying **out, int *n, const struct cli *c, struct err *e)
{
	static const struct {
		const char *option, *kind;
		int (*check)(const char *text, struct err *e);
	} kinds[] = { { "message", "note", cell_note_check },
		          { "tag", "tag", cell_tag_check },
		          { "untag", "untag", cell_tag_check } };
	int cap = 0;
	*out = NULL;
	*n = 0;
	for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
		int given;
		SCOPED(free) const char **texts = cli_strings(c, kinds[k].option, &given);
		for (int i = 0; i < given; i++) {
			if (kinds[k].check(texts[i], e))
				return -1;
			VEC_PUSH(*out, *n, cap) = (struct cell_saying){ kinds[k].kind, texts[i] };
		}
	}
	for (int i = 0; i < *n; i++)
		for (int k = i + 1; k < *n; k++)
			if (strcmp((*out)[i].kind, "note") != 0 && strcmp((*out)[i].text, (*out)[k].text) == 0)
				return err_code(e, EXIT_USAGE, "tag '%s' is named twice", (*out)[i].text);
	return 0;
}

static char *who_says(const struct cli *c)
{
	const struct passwd *user = cli_flag(c, "identity") ? getpwuid(getuid()) : NULL;
	return !cli_flag(c, "identity") ? NULL
	       : user                   ? xstrfmt("%s@%s", user->pw_name, host_name())
	                                : xstrfmt("%lu@%s", (unsigned long)getuid(), host_name());
}

static json_t *row_json(const struct note_row *r)
{
	json_t *o = json_pack("{s:s, s:o, s:I, s:s, s:o, s:o, s:b}", "cell", r->cell, "label", json_out_text(r->label),
	                      "seed", (json_int_t)r->seed, "kind", r->kind, "text", json_out_text(r->text), "created",
	                      json_out_text(r->created), "counts", (int)r->counts);
	if (r->who)
		(void)json_object_set_new(o, "who", json_out_text(r->who));
	return o;
}

static void print_row(const struct note_row *r)
{
	SCOPED(str) struct str text = { 0 }, label = { 0 }, who = { 0 };
	escape_plain(&text, r->text);
	escape_plain(&label, r->label);
	escape_plain(&who, r->who ? r->who : "");
	printf("%.12s %s seed %lld: %s%s (%.10s%s%s)\n", r->cell, str_text(&label), (long long)r->seed,
	       strcmp(r->kind, "note") == 0 ? "" : "tag ", str_text(&text), r->created, who.len ? ", " : "",
	       str_text(&who));
}

/* What counts, of the cells (none: of all); as JSON also what was taken away. */
static int list(json_t *rows_out, struct db *db, const char *cell, struct err *e)
{
	struct db_rows rows;
	struct note_row r;
	if (query_notes(&rows, db, cell, e))
		return -1;
	while (query_note_next(&r, &rows)) {
		if (rows_out)
			(void)json_array_append_new(rows_out, row_json(&r));
		else if (r.counts)
			print_row(&r);
	}
	return db_done(&rows, e);
}

static int show(struct cli *c, struct db *db, const struct cell_list *cells, bool all, struct err *e)
{
	json_t *rows = c->json ? json_array() : NULL;
	int rc = all ? list(rows, db, NULL, e) : 0;
	for (int i = 0; i < cells->n && !rc; i++)
		rc = list(rows, db, cells->v[i], e);
	if (rc || !c->json) {
		json_decref(rows);
		return rc ? cli_fail(c, e) : EXIT_OK;
	}
	return cli_print_json(c, json_pack("{s:o}", "notes", rows));
}

static int run(struct cli *c)
{
	struct err e = ERR_INIT;
	SCOPED(store) struct store s = STORE_INIT;
	SCOPED(free) struct cell_saying *says = NULL;
	SCOPED(cell_list) struct cell_list cells = { 0 };
	int n_says;
	int64_t added;
	bool all = c->n_args == 0 && !cli_given(c, "only");
	const char *grid = cli_string(c, "grid", NULL);
	if (grid && !cli_given(c, "only"))
		return cli_usage(c, "--grid says where --only looks");
	if (read_sayings(&says, &n_says, c, &e))
		return cli_fail(c, &e);
	if (n_says && all)
		return cli_usage(c, "of which cells? Name them by hash, or by --only");
	if (!db_is_there(c->db)) { /* which writing would make */
		SCOPED(db) struct db *none = NULL;
		return db_open(&none, c->db, DB_READ, &e) ? cli_fail(c, &e) : EXIT_OK;
	}
	if (store_open(&s, c->db, n_says ? STORE_WRITE : STORE_READ, "ablate note", &e) ||
	    cells_selected(&cells, c, grid, s.db, &e))
		return cli_fail(c, &e);
	if (!n_says)
		return show(c, s.db, &cells, all, &e);
	SCOPED(free) char *who = who_says(c);
	if (cell_note_add(&added, &s, (const char *const *)cells.v, cells.n, says, n_says, who, &e))
		return cli_fail(c, &e);
	if (c->json)
		return cli_print_json(c, json_pack("{s:i, s:I}", "cells", cells.n, "added", (json_int_t)added));
	cli_say(c, "%d cell%s: %lld added%s", cells.n, str_plural(cells.n), (long long)added,
	        added < (int64_t)cells.n * n_says ? "; the rest was so already" : "");
	return EXIT_OK;
}

static const struct json_key list_keys[] = {
	JSON_KEY("notes", "object[]", "what was said, oldest first"),
	JSON_KEY("notes[].cell", "string", "the cell, by its hash"),
	JSON_KEY("notes[].label", "string", "what it is called"),
	JSON_KEY("notes[].seed", "integer", "its training seed"),
	JSON_KEY("notes[].kind", "string", "note, tag, or untag: a tag that was taken away"),
	JSON_KEY("notes[].text", "string", "the note, or the name of the tag"),
	JSON_KEY("notes[].created", "string", "when: UTC, ISO 8601"),
	JSON_KEY("notes[].counts", "boolean", "it holds now: nothing later has taken its place"),
	JSON_KEY("notes[].who", "string", "who said it", .absent = "without --identity"),
	{ 0 },
};

static const struct json_key added_keys[] = {
	JSON_KEY("cells", "integer", "cells that are meant"),
	JSON_KEY("added", "integer", "lines that were added; the rest was so already"),
	{ 0 },
};

static const struct json_form json[] = {
	JSON_FORM("without -m, --tag and --untag", list_keys),
	JSON_FORM("with -m, --tag or --untag", added_keys),
	{ 0 },
};

const struct cmd cmd_note = {
	.name = "note",
	.args = "[CELL|ATTEMPT]...",
	.summary = "say something about cells: notes and tags",
	.help =
		"A note is a line of text, a tag a word of letters, digits, '.', '_' and '-'. Both are recorded in the ledger "
		"beside the database, with the time, and with who says so only by --identity; so they are merged and rebuilt "
		"as all records are. Nothing that was said is changed: a tag that is taken away stays in the history (--json, "
		"table cell_note). They belong to the cell, in whichever grid, and change nothing that is computed.\n\n"
		"Without -m, --tag and --untag it lists what was said, of the cells or of all. `ablate show`, `ablate status "
		"--cells`, `ablate export` have tags and notes, too, and `ablate status --cells --only tag:NAME` lists the "
		"cells that have a tag.",
	.options = options,
	.json = json,
	.run = run,
};
