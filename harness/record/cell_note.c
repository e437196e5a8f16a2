/* cell_note.c - see cell_note.h. */
#include "harness/record/cell_note.h"

#include "harness/record/host.h"
#include "harness/text/escape.h"
#include "harness/text/json_out.h"
#include "model/base/mem.h"
#include "model/base/utf8.h"

#include <ctype.h>
#include <string.h>

#define ORDINAL_MAX 1000000000 /* as schema.sql has it */

static bool is_utf8(const char *text)
{
	for (size_t n; *text; text += n)
		if (!(n = utf8_len(text, 4)))
			return false;
	return true;
}

int cell_note_check(const char *text, struct err *e)
{
	size_t n = strlen(text);
	if (n > NOTE_BYTES)
		return err_code(e, EXIT_USAGE, "a note has at most %d bytes, not %zu", NOTE_BYTES, n);
	if (strspn(text, " ") == n)
		return err_code(e, EXIT_USAGE, "the note is empty");
	if (!is_utf8(text))
		return err_code(e, EXIT_USAGE, "the note is not UTF-8");
	if (escape_has_control(text))
		return err_code(e, EXIT_USAGE,
		                "a note is one line, without control characters and those that turn the direction of writing");
	return 0;
}

int cell_tag_check(const char *tag, struct err *e)
{
	size_t n = strlen(tag);
	bool word = isalnum((unsigned char)*tag) != 0;
	for (size_t i = 0; i < n && word; i++)
		word = isalnum((unsigned char)tag[i]) || strchr("._-", tag[i]);
	if (word && n <= TAG_BYTES)
		return 0;
	return err_code(e, EXIT_USAGE,
	                "tag '%.80s': a tag is a word of at most %d letters, digits, '.', '_' and '-', and begins with a "
	                "letter or digit",
	                tag, TAG_BYTES);
}

int query_has_tag(bool *out, struct db *db, const char *cell, const char *tag, struct err *e)
{
	int64_t n;
	if (db_int_of(&n, 0, db, e, "SELECT count(*) FROM v_tag WHERE cell = ? AND tag = ?", "ss", cell, tag))
		return -1;
	*out = n > 0;
	return 0;
}

int query_tags(char **out, struct db *db, const char *cell, struct err *e)
{
	if (db_text_of(out, db, e, "SELECT group_concat(tag, ' ') FROM (SELECT tag FROM v_tag WHERE cell = ? ORDER BY tag)",
	               "s", cell))
		return -1;
	*out = *out ? *out : xstrdup("");
	return 0;
}

/* *ordinal: of the cell's last row. */
static int add_line(json_t *lines, int64_t *ordinal, struct db *db, const char *cell, const struct cell_saying *say,
                    const char *who, const char *now, struct err *e)
{
	char id[HOST_UUID];
	bool note = strcmp(say->kind, "note") == 0, has;
	if (!note && query_has_tag(&has, db, cell, say->text, e))
		return -1;
	if (!note && has == (strcmp(say->kind, "tag") == 0))
		return 0;
	*ordinal += *ordinal < ORDINAL_MAX;
	json_t *line = json_pack("{s:s, s:s, s:s, s:I, s:s, s:s, s:s}", "t", "cell_note", "cell", cell, "id", host_uuid(id),
	                         "ordinal", (json_int_t)*ordinal, "kind", say->kind, "text", say->text, "created", now);
	if (!line)
		return err_code(e, EXIT_USAGE, "the text is not UTF-8");
	if (who)
		(void)json_object_set_new(line, "who", json_out_text(who));
	(void)json_array_append_new(lines, line);
	return 0;
}

int cell_note_add(int64_t *added, struct store *s, const char *const *cells, int n_cells,
                  const struct cell_saying *says, int n_says, const char *who, struct err *e)
{
	char now[HOST_TIME];
	json_t *lines = json_array();
	int rc = 0;
	(void)host_now(now);
	for (int i = 0; i < n_cells && !rc; i++) {
		int64_t ordinal;
		rc = db_int_of(&ordinal, 0, s->db, e, "SELECT coalesce(max(ordinal), 0) FROM cell_note WHERE cell = ?", "s",
		               cells[i]);
		for (int k = 0; k < n_says && !rc; k++)
			rc = add_line(lines, &ordinal, s->db, cells[i], &says[k], who, now, e);
	}
	*added = (int64_t)json_array_size(lines);
	if (!rc)
		rc = store_record(s, lines, e);
	json_decref(lines);
	return rc;
}

int query_notes(struct db_rows *rows, struct db *db, const char *cell, struct err *e)
{
	return db_query(
		rows, db, e,
		"SELECT n.cell, coalesce((SELECT min(label) FROM grid_cell WHERE cell = n.cell), ''), n.kind, n.text, "
		"n.who, n.created, c.seed, n.kind = 'note' OR (n.kind = 'tag' AND NOT EXISTS (SELECT 1 FROM cell_note "
		"o WHERE o.cell = n.cell AND o.text = n.text AND o.kind <> 'note' AND "
		"(o.ordinal, o.created, o.id) > (n.ordinal, n.created, n.id))) "
		"FROM cell_note n JOIN cell c ON c.hash = n.cell "
		"WHERE ?1 IS NULL OR n.cell = ?1 ORDER BY n.cell, n.ordinal, n.created, n.id",
		"s", cell);
}

bool query_note_next(struct note_row *out, struct db_rows *rows)
{
	if (!db_next(rows))
		return false;
	*out = (struct note_row){ .cell = db_text(rows, 0),
		                      .label = db_text(rows, 1),
		                      .kind = db_text(rows, 2),
		                      .text = db_text(rows, 3),
		                      .who = db_text(rows, 4),
		                      .created = db_text(rows, 5),
		                      .seed = db_int(rows, 6),
		                      .counts = db_int(rows, 7) != 0 };
	return true;
}
