/* test_cell_note.c - what people say about cells: of two that say the opposite the later one counts, nothing is lost,
 * and no text acts on whoever reads it. */
#include "harness/record/cell_note.h"
#include "harness/record/store.h"
#include "model/base/mem.h"
#include "tests/common/ok.h"
#include "tests/common/tmpdir.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static struct err e;
static const char cell[] = "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc";
static const char *const cells[] = { cell };

/* A store with one cell, by its ledger. */
static void one_cell(struct store *s, const char *path)
{
	OK(store_open(s, path, STORE_WRITE, "test", &e));
	json_t *lines = json_pack("[{s:s, s:s, s:s}, {s:s, s:s, s:s, s:i, s:i, s:s}]", "t", "arm", "hash",
	                          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "config", "{}", "t",
	                          "cell", "hash", cell, "arm",
	                          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "seed", 1, "numerics",
	                          4, "dataset", "d");
	OK(store_record(s, lines, &e));
	json_decref(lines);
}

static int64_t say(struct store *s, const char *kind, const char *text)
{
	int64_t added;
	const struct cell_saying saying = { kind, text };
	OK(cell_note_add(&added, s, cells, 1, &saying, 1, NULL, &e));
	return added;
}

static void tags_are(struct store *s, const char *want)
{
	SCOPED(free) char *tags = NULL;
	OK(query_tags(&tags, s->db, cell, &e));
	cr_assert_str_eq(tags, want);
}

Test(cell_note, the_latest_about_a_tag_counts)
{
	SCOPED(store) struct store s = STORE_INIT;
	one_cell(&s, TMP("n.db"));
	tags_are(&s, "");
	cr_assert_eq(say(&s, "tag", "good"), 1);
	cr_assert_eq(say(&s, "tag", "good"), 0); /* it has it */
	cr_assert_eq(say(&s, "untag", "bad"), 0);
	cr_assert_eq(say(&s, "tag", "a.b-c_1"), 1);
	tags_are(&s, "a.b-c_1 good");
	cr_assert_eq(say(&s, "untag", "good"), 1);
	tags_are(&s, "a.b-c_1");
	cr_assert_eq(say(&s, "note", "good"), 1); /* a note of the same words is no tag */
	cr_assert_eq(say(&s, "note", "good"), 1); /* and may be said twice */
	tags_are(&s, "a.b-c_1");
}

static void said(struct store *s, const char *id, int ordinal, const char *kind, const char *created)
{
	json_t *lines = json_pack("[{s:s, s:s, s:s, s:i, s:s, s:s, s:s}]", "t", "cell_note", "cell", cell, "id", id,
	                          "ordinal", ordinal, "kind", kind, "text", "x", "created", created);
	OK(store_record(s, lines, &e));
	json_decref(lines);
}

/* Lines of two machines come in any order. Who took the tag away knew of it, though that clock was behind. */
Test(cell_note, the_order_of_lines_decides_nothing)
{
	for (int turn = 0; turn < 2; turn++) {
		SCOPED(store) struct store s = STORE_INIT;
		one_cell(&s, FMT("%s/%d.db", tmpdir(), turn));
		for (int i = 0; i < 2; i++)
			i == turn ? said(&s, "1", 2, "untag", "2026-01-01T00:00:00.000Z")
					  : said(&s, "2", 1, "tag", "2026-01-02T00:00:00.000Z");
		tags_are(&s, "");
		said(&s, "0", 2, "tag", "2026-01-03T00:00:00.000Z"); /* by one who did not know: the clock decides */
		tags_are(&s, "x");
		cr_assert_eq(say(&s, "untag", "x"), 1);
		tags_are(&s, "");
	}
}

/* The database is made again from the ledger. */
Test(cell_note, what_was_said_outlives_the_database)
{
	{
		SCOPED(store) struct store s = STORE_INIT;
		one_cell(&s, TMP("n.db"));
		(void)say(&s, "tag", "good");
		(void)say(&s, "note", "seen \xe4\xb8\xad");
	}
	db_remove(TMP("n.db"));
	SCOPED(store) struct store s = STORE_INIT;
	OK(store_open(&s, TMP("n.db"), STORE_WRITE, "test", &e));
	OK(store_take_ledger(&s, &e));
	tags_are(&s, "good");
	struct db_rows rows;
	struct note_row r;
	OK(query_notes(&rows, s.db, cell, &e));
	cr_assert(query_note_next(&r, &rows) && r.counts && !r.who);
	cr_assert(query_note_next(&r, &rows));
	cr_assert_str_eq(r.text, "seen \xe4\xb8\xad");
	cr_assert(!query_note_next(&r, &rows));
	OK(db_done(&rows, &e));
	cr_assert_eq(db_script(s.db, NULL, "UPDATE cell_note SET text = 'x'"), -1);
	cr_assert_eq(db_script(s.db, NULL, "DELETE FROM cell_note"), -1);
}

static bool note_ok(const char *text)
{
	struct err why = ERR_INIT;
	return cell_note_check(text, &why) == 0;
}

static bool tag_ok(const char *text)
{
	struct err why = ERR_INIT;
	return cell_tag_check(text, &why) == 0;
}

Test(cell_note, texts_that_act_on_their_reader_are_refused)
{
	SCOPED(free) char *longest = xmalloc(NOTE_BYTES + 2);
	memset(longest, 'x', NOTE_BYTES + 1);
	longest[NOTE_BYTES + 1] = '\0';
	cr_assert(!note_ok(longest));
	longest[NOTE_BYTES] = '\0';
	cr_assert(note_ok(longest));
	cr_assert(note_ok("a note, with \xe4\xb8\xad and 'quotes'; DROP TABLE cell_note"));
	cr_assert(!note_ok("") && !note_ok("   "));
	cr_assert(!note_ok("two\nlines") && !note_ok("\033[31m") && !note_ok("a\tb") && !note_ok("\x7f"));
	cr_assert(!note_ok("\xff") && !note_ok("a\xc3") && !note_ok("\xc0\xaf") && !note_ok("\xed\xa0\x80"));
	cr_assert(!note_ok("\xe2\x80\xaegnp.exe") && !note_ok("\xc2\x9b"));
	cr_assert(tag_ok("good") && tag_ok("3-seeds_v1.2"));
	longest[TAG_BYTES] = '\0';
	cr_assert(tag_ok(longest));
	longest[TAG_BYTES] = 'x';
	longest[TAG_BYTES + 1] = '\0';
	cr_assert(!tag_ok(longest));
	cr_assert(!tag_ok("") && !tag_ok("-bad") && !tag_ok("a b") && !tag_ok("a:b") && !tag_ok("\xc3\xa9") &&
	          !tag_ok("a\n"));
}
