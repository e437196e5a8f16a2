/* test_merge.c - records travel: shards are taken once, changed ones are refused whole, and the database is rebuilt
 * from its journals with the same content. */
#define _GNU_SOURCE
#include "harness/record/dump.h"
#include "harness/record/host.h"
#include "harness/record/merge.h"
#include "model/base/io.h"
#include "tests/common/ok.h"
#include "tests/common/tmpdir.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static struct err e;
static const char arm[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/* One attempt as a Slurm task leaves it: a journal somewhere. Returns its path; *id is its UUID. */
static char *shard(const char *name, int64_t seed, bool ended, char id[HOST_UUID])
{
	char cell[SHA256_HEX], *path = TMP(name);
	io_sha256(cell, &seed, sizeof seed);
	struct journal_head h = { .attempt = host_uuid(id),
		                      .cell = cell,
		                      .arm = arm,
		                      .config = "{}",
		                      .dataset = "none",
		                      .seed = seed,
		                      .numerics = 1,
		                      .n = 1,
		                      .purpose = "run" };
	struct journal *j;
	OK(journal_create(&j, path, &h, &e));
	for (int s = 1; s <= 30; s++)
		journal_curve(j, "loss", s, s == 13 ? NAN : 1.0 / (double)(s * seed));
	OK(journal_file(j,
	                &(struct journal_file){ .table = "checkpoint",
	                                        .kind = "checkpoint",
	                                        .name = seed % 2 ? "b.ckpt" : "a.ckpt",
	                                        .sha256 = arm,
	                                        .step = 30,
	                                        .bytes = 7,
	                                        .n_items = -1 },
	                &e));
	OK(journal_metric(j,
	                  &(struct journal_metric){ .name = "fid",
	                                            .weights = "ema",
	                                            .protocol = "p",
	                                            .nfe = 1,
	                                            .step = 30,
	                                            .eval_seed = 101,
	                                            .n = 10,
	                                            .value = 10.0 / (double)seed,
	                                            .lo = NAN,
	                                            .hi = NAN },
	                  &e));
	struct journal_end end = JOURNAL_END_INIT;
	end.state = RECORD_DONE;
	end.wall_s = 0.1;
	if (ended)
		OK(journal_end(j, &end, &e));
	journal_close(j);
	return path;
}

static struct store open_store(const char *name)
{
	struct store s;
	OK(store_open(&s, TMP(name), STORE_WRITE, "test", &e));
	return s;
}

static struct merge_result merge(struct store *s, const char *path)
{
	struct merge_result r;
	const char *paths[] = { path };
	OK(merge_shards(&r, s, paths, 1, &e));
	return r;
}

static void refused(struct store *s, const char *path, const char *says)
{
	struct merge_result r;
	const char *paths[] = { path };
	char before[SHA256_HEX], after[SHA256_HEX];
	OK(dump_sha256(before, s->db, &e));
	e = ERR_INIT;
	cr_assert_eq(merge_shards(&r, s, paths, 1, &e), -1, "accepted");
	cr_assert_eq(err_exit_code(&e), EXIT_RECORD);
	cr_assert(strstr(e.msg, says), "'%s' does not say '%s'", e.msg, says);
	struct err none = ERR_INIT;
	cr_assert_eq(dump_sha256(after, s->db, &none), 0);
	cr_assert_str_eq(before, after, "nothing was taken");
}

static char *content(struct store *s)
{
	char *hex = tmpdir_keep(xmalloc(SHA256_HEX));
	OK(dump_sha256(hex, s->db, &e));
	return hex;
}

static char *results(struct store *s)
{
	char *t;
	OK(db_text_of(
		&t, s->db, &e,
		"SELECT group_concat(seed || '=' || hex || '/' || attempt, ' ') FROM (SELECT * FROM v_result ORDER BY seed)",
		""));
	return tmpdir_keep(t);
}

/* The reference is taken over. */
static int record(struct store *s, json_t *lines)
{
	int rc = store_record(s, lines, &e);
	json_decref(lines);
	return rc;
}

Test(merge, takes_each_shard_once_in_any_order)
{
	char id[HOST_UUID], *paths[8];
	for (int i = 0; i < 8; i++)
		paths[i] = shard(FMT("shard-%d", i), i + 1, true, id);
	struct store s = open_store("a.db"), t = open_store("b.db");
	for (int i = 0; i < 8; i++) {
		cr_assert_gt(merge(&s, paths[i]).rows, 30);
		(void)merge(&t, paths[7 - i]);
	}
	char *before = content(&s);
	for (int i = 0; i < 8; i++)
		cr_assert_eq(merge(&s, paths[i]).rows, 0);
	cr_assert_str_eq(content(&s), before);
	cr_assert_str_eq(results(&s), results(&t));
	int64_t n;
	OK(db_int_of(&n, 0, s.db, &e, "SELECT count(*) FROM shard", ""));
	cr_assert_eq(n, 8);
	OK(db_text_of(&before, s.db, &e, "SELECT name FROM artifact", ""));
	(void)tmpdir_keep(before);
	cr_assert_str_eq(before, "a.ckpt", "one file, two names: the smaller, in any order");
	store_close(&s);
	store_close(&t);
}

Test(merge, a_rebuilt_database_is_the_same)
{
	char id[HOST_UUID];
	struct store s = open_store("a.db");
	for (int i = 0; i < 4; i++)
		(void)merge(&s, shard(FMT("shard-%d", i), i + 1, i != 2, id));
	json_t *lines = json_pack("[{s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:s}]", "t", "verify", "id", "v", "a", id, "b", id,
	                          "scope", "bits", "equal", 1, "n", 7, "created", "now");
	OK(record(&s, lines));
	char *before = content(&s);
	/* made by an older version of the program, which described its tables in other words: the records are what
	 * counts */
	OK(db_exec(s.db, &e, "UPDATE meta SET doc = 'as it was said then' WHERE key IN ('tool_version', 'table:cell')",
	           ""));
	store_close(&s);
	struct rebuild_result r;
	OK(merge_rebuild(&r, TMP("a.db"), &e));
	(void)tmpdir_keep(r.old_path);
	cr_assert_eq(r.from.journals, 4);
	cr_assert_str_eq(r.before, before);
	cr_assert_str_eq(r.after, before);
	cr_assert(io_exists(r.old_path));
	s = open_store("a.db");
	cr_assert_str_eq(content(&s), before);
	store_close(&s);
	/* and from nothing */
	cr_assert_eq(unlink(TMP("a.db")), 0);
	OK(merge_rebuild(&r, TMP("a.db"), &e));
	(void)tmpdir_keep(r.old_path);
	cr_assert_str_eq(r.after, before);
	cr_assert_str_eq(r.before, "");
	/* and from a damaged one */
	OK(io_write_atomic(
		TMP("a.db"),
		"SQLite format 3 and then nothing of the kind, for more than a hundred bytes, which is what a header has", 103,
		&e));
	OK(merge_rebuild(&r, TMP("a.db"), &e));
	(void)tmpdir_keep(r.old_path);
	cr_assert_str_eq(r.after, before);
}

Test(merge, a_shard_edited_by_hand_is_refused)
{
	char id[HOST_UUID], *path = shard("shard", 1, true, id);
	struct store s = open_store("a.db");
	SCOPED(str) struct str text = { 0 };
	OK(io_read(&text, path, 1 << 20, &e));
	char *value = memmem(text.data, text.len, "\"loss\":1.0", 10);
	cr_assert_not_null(value);
	value[7] = '2';
	char *edited = TMP("edited");
	OK(io_write_atomic(edited, text.data, text.len, &e));
	refused(&s, edited, "changed after it was sealed");
	cr_assert_gt(merge(&s, path).rows, 0);
	/* the seal taken away as well: not what is known of this attempt */
	char *seal = memmem(text.data, text.len, "{\"t\":\"seal\"", 11);
	OK(io_write_atomic(edited, text.data, (size_t)(seal - text.data), &e));
	refused(&s, edited, "not the journal of attempt");
	store_close(&s);
}

/* An id is a part of a path: one that is none of ours names no file. */
Test(merge, a_journal_whose_attempt_is_no_id_stays_in_the_folder)
{
	static const char *const ids[] = { "../../../../../outside/of-the-run-folder", "short",
		                               "/tmp/xx11111-2222-4333-8444-55555555" };
	struct store s = open_store("a.db");
	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
		char *path = TMP("odd");
		char *text = FMT(
			"{\"t\":\"arm\",\"hash\":\"%s\",\"config\":\"{}\"}\n{\"t\":\"cell\",\"hash\":\"%s\",\"arm\":"
			"\"%s\",\"seed\":1,\"numerics\":1,\"dataset\":\"d\"}\n{\"t\":\"attempt\",\"v\":1,\"id\":\"%s\","
			"\"cell\":\"%s\",\"n\":1,\"started\":\"s\"}\n",
			arm, arm, arm, ids[i], arm);
		char sha[SHA256_HEX];
		struct merge_result r;
		const char *paths[] = { path };
		OK(io_write_atomic(path, text, strlen(text), &e));
		io_sha256(sha, text, strlen(text));
		e = ERR_INIT;
		if (!merge_shards(&r, &s, paths, 1, &e)) /* or refused */
			cr_expect(io_exists(FMT("%s/merged/%s.jsonl", s.runs, sha)), "%s is elsewhere", ids[i]);
		cr_expect_not(io_exists(FMT("%s/%.12s", s.runs, arm)), "%s has a folder", ids[i]);
	}
	store_close(&s);
}

Test(merge, another_machine_may_say_more_later)
{
	char id[HOST_UUID], *path = shard("shard", 1, true, id);
	struct store s = open_store("a.db");
	SCOPED(str) struct str text = { 0 };
	OK(io_read(&text, path, 1 << 20, &e));
	char *part = TMP("part");
	OK(io_write_atomic(part, text.data, text.len / 2, &e));
	struct merge_result r = merge(&s, part);
	int64_t known;
	cr_assert_eq(r.torn, 1);
	OK(db_int_of(&known, -1, s.db, &e, "SELECT count(*) FROM shard", ""));
	cr_assert_eq(known, 0, "a part of a shard is not that shard");
	cr_assert_gt(merge(&s, path).rows, 0);
	r = merge(&s, part);
	cr_assert_eq(r.rows, 0, "an older state of what is known");
	int64_t done;
	OK(db_int_of(&done, 0, s.db, &e, "SELECT count(*) FROM attempt WHERE state = 'done' AND length(journal) = 64", ""));
	cr_assert_eq(done, 1);
	store_close(&s);
}

Test(merge, one_bad_shard_of_several_takes_none)
{
	char id[HOST_UUID], *good = shard("good", 1, true, id), *bad = TMP("bad");
	OK(io_write_atomic(bad, "{\"t\":\"wishes\"}\n", 15, &e));
	struct store s = open_store("a.db");
	const char *paths[] = { good, bad };
	struct merge_result r;
	e = ERR_INIT;
	cr_assert_eq(merge_shards(&r, &s, paths, 2, &e), -1);
	int64_t n;
	struct err none = ERR_INIT;
	cr_assert_eq(db_int_of(&n, -1, s.db, &none, "SELECT count(*) FROM attempt", ""), 0);
	cr_assert_eq(n, 0);
	store_close(&s);
	struct rebuild_result again;
	OK(merge_rebuild(&again, TMP("a.db"), &e));
	(void)tmpdir_keep(again.old_path);
	cr_assert_eq(again.from.journals, 0, "no file of it was kept either");
}

Test(merge, a_database_is_a_shard_with_and_without_its_run_folder)
{
	char id[HOST_UUID];
	struct store s = open_store("a.db"), t = open_store("b.db"), u = open_store("c.db");
	for (int i = 0; i < 3; i++)
		(void)merge(&s, shard(FMT("shard-%d", i), i + 1, true, id));
	store_close(&s);
	cr_assert_gt(merge(&t, TMP("a.db")).rows, 90);
	cr_assert_eq(merge(&t, TMP("a.db-runs")).rows, 0);
	cr_assert_eq(rename(TMP("a.db-runs"), TMP("elsewhere")), 0);
	cr_assert_gt(merge(&u, TMP("a.db")).rows, 90);
	cr_assert_eq(merge(&u, TMP("a.db")).rows, 0);
	cr_assert_str_eq(results(&t), results(&u));
	cr_assert_eq(merge(&u, TMP("elsewhere")).rows, 0, "the same records by the other way");
	char *before = content(&u);
	store_close(&u);
	struct rebuild_result r;
	OK(merge_rebuild(&r, TMP("c.db"), &e));
	(void)tmpdir_keep(r.old_path);
	cr_assert_str_eq(r.after, before);
	store_close(&t);
}

/* What it had made of the refused database stayed in the run folder, and no rebuilding succeeded from then on. */
Test(merge, a_database_edited_by_hand_is_refused_and_leaves_nothing)
{
	char id[HOST_UUID];
	struct db *db;
	struct rebuild_result r;
	struct store s = open_store("a.db"), t = open_store("b.db");
	(void)merge(&s, shard("first", 1, true, id));
	store_close(&s);
	cr_assert_eq(rename(TMP("a.db-runs"), TMP("elsewhere")), 0);
	OK(db_open(&db, TMP("a.db"), DB_WRITE, &e));
	SCOPED(free) char *triggers = NULL;
	OK(db_text_of(&triggers, db, &e,
	              "SELECT group_concat('DROP TRIGGER ' || name, ';') FROM sqlite_schema WHERE type = 'trigger'", ""));
	OK(db_script(db, &e, triggers) || db_script(db, &e, "UPDATE metric SET value = value + 1"));
	db_close(db);
	(void)merge(&t, shard("second", 2, true, id));
	refused(&t, TMP("a.db"), "value and hex are not the same number");
	char *before = content(&t);
	store_close(&t);
	OK(merge_rebuild(&r, TMP("b.db"), &e));
	(void)tmpdir_keep(r.old_path);
	cr_assert_str_eq(r.after, before);
}

/* Copied without its run folder and used there: the ledger that this made is not all of it. */
Test(merge, a_database_with_no_more_than_a_ledger_is_taken_by_its_rows)
{
	char id[HOST_UUID];
	struct store s = open_store("a.db"), t = open_store("b.db");
	(void)merge(&s, shard("first", 1, true, id));
	char *want = results(&s);
	store_close(&s);
	cr_assert_eq(rename(TMP("a.db-runs"), TMP("elsewhere")), 0);
	s = open_store("a.db");
	OK(record(&s, json_pack("[{s:s, s:s, s:s, s:s, s:s}]", "t", "grid", "hash", "g", "name", "later", "toml", "",
	                        "created", "2026-01-01T00:00:00.000Z")));
	store_close(&s);
	(void)merge(&t, TMP("a.db"));
	cr_assert_str_eq(results(&t), want);
	store_close(&t);
}

Test(merge, a_ledger_without_its_attempts_is_refused_and_leaves_nothing)
{
	struct rebuild_result r;
	struct store t = open_store("b.db");
	static const char line[] =
		"{\"t\":\"grid_cell\",\"grid\":\"g\",\"cell\":\"c\",\"chain\":\"\",\"ordinal\":0,\"label\":\"l\"}\n";
	OK(io_mkdirs(TMP("x"), &e));
	OK(io_write_atomic(TMP("x/ledger.jsonl"), line, strlen(line), &e));
	refused(&t, TMP("x"), "refer to rows that do not exist");
	store_close(&t);
	OK(merge_rebuild(&r, TMP("b.db"), &e));
	(void)tmpdir_keep(r.old_path);
}

Test(merge, what_is_no_shard_is_said)
{
	struct store s = open_store("a.db");
	refused(&s, TMP("absent"), "no such shard");
	OK(io_mkdirs(TMP("empty"), &e));
	refused(&s, TMP("empty"), "no journals");
	OK(io_write_atomic(TMP("text"), "hello\n", 6, &e));
	refused(&s, TMP("text"), "not a journal line");
	store_close(&s);
}

Test(store, the_ledger_is_cut_back_to_whole_lines)
{
	struct store s = open_store("a.db");
	json_t *lines = json_pack("[{s:s, s:s, s:s}]", "t", "arm", "hash", arm, "config", "{}");
	OK(record(&s, lines));
	FILE *f = fopen(TMP("a.db-runs/ledger.jsonl"), "a");
	(void)fputs("{\"t\":\"arm\",\"ha", f);
	(void)fclose(f);
	OK(record(&s, json_pack("[{s:s, s:s, s:s, s:s, s:s}]", "t", "grid", "hash", "g", "name", "n", "toml", "", "created",
	                        "2026")));
	/* the same grid seen earlier elsewhere: the smaller date stays */
	OK(record(&s, json_pack("[{s:s, s:s, s:s, s:s, s:s}]", "t", "grid", "hash", "g", "name", "n", "toml", "", "created",
	                        "2025")));
	OK(record(&s, json_pack("[{s:s, s:s, s:s, s:s, s:s}]", "t", "grid", "hash", "g", "name", "n", "toml", "", "created",
	                        "2027")));
	char *created;
	OK(db_text_of(&created, s.db, &e, "SELECT created FROM grid", ""));
	(void)tmpdir_keep(created);
	cr_assert_str_eq(created, "2025");
	/* refused by the database: not in the ledger either */
	e = ERR_INIT;
	cr_assert_eq(record(&s, json_pack("[{s:s, s:s, s:s}]", "t", "arm", "hash", arm, "config", "{\"x\":1}")), -1);
	char *before = content(&s);
	store_close(&s);
	struct rebuild_result r;
	OK(merge_rebuild(&r, TMP("a.db"), &e));
	(void)tmpdir_keep(r.old_path);
	cr_assert_str_eq(r.after, before);
}

static int64_t count(struct store *s, const char *sql)
{
	int64_t n;
	OK(db_int_of(&n, -1, s->db, &e, sql, ""));
	return n;
}

/* The ledger was taken first and refused as a whole where it names attempts of journals that come later, or never. */
Test(store, a_line_of_the_ledger_waits_for_its_attempt)
{
	char id[HOST_UUID], *path = shard("shard", 1, true, id);
	OK(io_mkdirs(TMP("a.db-runs"), &e));
	SCOPED(free)
	char *lines = xstrfmt(
		"{\"t\":\"verify\",\"id\":\"v\",\"a\":\"%s\",\"b\":\"%s\",\"scope\":\"bits\",\"equal\":1,\"n\":7,"
		"\"created\":\"now\"}\n{\"t\":\"end\",\"attempt\":\"nobody\",\"state\":\"lost\",\"reason\":\"r\","
		"\"ended\":\"now\"}\nnonsense\n{\"t\":\"arm\",\"hash\":\"%s\",\"config\":\"{}\"}\n",
		id, id, arm);
	OK(io_write_atomic(TMP("a.db-runs/ledger.jsonl"), lines, strlen(lines), &e));
	struct store s;
	OK(store_open(&s, TMP("a.db"), STORE_RUN, "test", &e));
	cr_assert_eq(s.waiting, 2);
	cr_assert(strstr(s.waits, "line 1: verify"), "%s", s.waits);
	cr_assert_eq(s.n_left, 1);
	cr_assert(strstr(s.left[0], "ledger.jsonl: line 3: not a line of a ledger"), "%s", s.left[0]);
	cr_assert_eq(count(&s, "SELECT count(*) FROM arm"), 1, "what comes after them is taken");
	struct journal_scan scan = { 0 };
	OK(store_take_journal(&s, &scan, id, path, NULL, &e));
	OK(store_take_ledger(&s, &e));
	cr_assert_eq(s.waiting, 1);
	cr_assert_eq(count(&s, "SELECT count(*) FROM verify"), 1);
	cr_assert_eq(s.n_left, 1, "named once");
	/* nobody writes down what would wait */
	e = ERR_INIT;
	cr_assert_eq(record(&s, json_pack("[{s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:s}]", "t", "verify", "id", "w", "a", id,
	                                  "b", "nobody", "scope", "bits", "equal", 1, "n", 7, "created", "now")),
	             -1);
	cr_assert(strstr(e.msg, "refer to rows that do not exist"), "%s", e.msg);
	store_close(&s);
}

/* Two journals of one attempt that contradict each other, in a folder whose database is gone. */
Test(merge, of_journals_in_conflict_one_is_left_out)
{
	char id[HOST_UUID], *path = shard("shard", 1, true, id);
	SCOPED(str) struct str text = { 0 };
	OK(io_read(&text, path, 1 << 20, &e));
	OK(io_mkdirs(TMP("a.db-runs/aaaaaaaaaaaa/1"), &e) || io_mkdirs(TMP("a.db-runs/aaaaaaaaaaaa/2"), &e));
	OK(io_write_atomic(TMP("a.db-runs/aaaaaaaaaaaa/1/journal.jsonl"), text.data, text.len, &e));
	char *value = memmem(text.data, text.len, "\"loss\":1.0", 10),
		 *seal = memmem(text.data, text.len, "{\"t\":\"seal\"", 11);
	value[7] = '2';
	OK(io_write_atomic(TMP("a.db-runs/aaaaaaaaaaaa/2/journal.jsonl"), text.data, (size_t)(seal - text.data), &e));
	struct rebuild_result r;
	OK(merge_rebuild(&r, TMP("a.db"), &e));
	cr_assert_eq(r.from.journals, 2);
	cr_assert_eq(r.from.n_left, 1);
	cr_assert(strstr(r.from.left[0], "aaaaaaaaaaaa/2/journal.jsonl: line "), "%s", r.from.left[0]);
	cr_assert(strstr(r.from.left[0], "the database has another value"), "%s", r.from.left[0]);
	rebuild_result_release(&r);
	struct store s = open_store("a.db");
	cr_assert_eq(count(&s, "SELECT count(*) FROM attempt WHERE state = 'done' AND journal IS NOT NULL"), 1);
	cr_assert_eq(count(&s, "SELECT count(*) FROM curve WHERE step = 1 AND value = 1"), 1);
	store_close(&s);
}

/* As X.db and X.db-runs in one call name it, or two copies of a folder, one of which was made earlier. */
Test(merge, one_journal_by_two_ways)
{
	char id[HOST_UUID];
	SCOPED(str) struct str text = { 0 };
	char *whole = shard("whole", 1, true, id), *early = TMP("early"), *other = TMP("other");
	OK(io_read(&text, whole, 1 << 20, &e));
	size_t half = (size_t)((const char *)memrchr(text.data, '\n', text.len / 2) - text.data) + 1;
	OK(io_write_atomic(early, text.data, half, &e));
	*(char *)memmem(text.data, text.len, "\"fid\"", 5) = '!';
	OK(io_write_atomic(other, text.data, text.len, &e));
	const char *const ways[][2] = { { whole, whole }, { early, whole }, { whole, early } };
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		struct merge_result r;
		struct store s = open_store(FMT("%zu.db", i));
		OK(merge_shards(&r, &s, ways[i], 2, &e));
		cr_assert_eq(r.shards, 2);
		cr_assert_eq(r.known, 1);
		cr_assert_eq(count(&s, "SELECT count(*) FROM attempt WHERE state = 'done'"), 1);
		cr_assert_eq(count(&s, "SELECT count(*) FROM metric"), 1);
		cr_assert_eq(count(&s, "SELECT count(*) FROM shard"), 1);
		store_close(&s);
	}
	struct store s = open_store("z.db");
	struct merge_result r;
	cr_assert_eq(merge_shards(&r, &s, (const char *const[]){ early, early, other, whole }, 4, &e), -1);
	cr_assert(strstr(e.msg, "not the journal of attempt") || strstr(e.msg, "other: "), "%s", e.msg);
	cr_assert_eq(count(&s, "SELECT count(*) FROM attempt"), 0);
	store_close(&s);
}

/* A task has several cells: its shard is one folder, and all of it was refused for one damaged journal. */
Test(merge, of_a_folder_what_is_whole_is_taken)
{
	char good[HOST_UUID], bad[HOST_UUID];
	SCOPED(str) struct str text = { 0 };
	char *paths[] = { shard("good", 1, true, good), shard("bad", 2, true, bad) };
	OK(io_mkdirs(TMP("x/cccccccccccc/1"), &e) || io_mkdirs(TMP("x/cccccccccccc/2"), &e) ||
	   io_read(&text, paths[1], 1 << 20, &e));
	cr_assert_eq(rename(paths[0], TMP("x/cccccccccccc/1/journal.jsonl")), 0);
	*(char *)memmem(text.data, text.len, "\"fid\"", 5) = '!';
	OK(io_write_atomic(TMP("x/cccccccccccc/2/journal.jsonl"), text.data, text.len, &e));
	SCOPED(free)
	char *ledger = xstrfmt("{\"t\":\"end\",\"attempt\":\"%s\",\"state\":\"lost\",\"reason\":\"r\",\"ended\":\"now\"}\n"
	                       "{\"t\":\"arm\",\"hash\":\"%s\",\"config\":\"{}\"}\n",
	                       bad, arm);
	OK(io_write_atomic(TMP("x/ledger.jsonl"), ledger, strlen(ledger), &e));
	struct store s = open_store("a.db");
	refused(&s, TMP("x"), "x/cccccccccccc/2/journal.jsonl");
	struct merge_result r;
	struct merge_folder x = { .runs = TMP("x") };
	OK(matching_run_files(&x.files, x.runs, &e));
	OK(merge_folders(&r, &s, &x, 1, &e));
	cr_assert_eq(r.shards, 2, "a journal and the ledger");
	cr_assert_eq(s.n_left, 1);
	cr_assert(strstr(s.left[0], "x/cccccccccccc/2/journal.jsonl"), "%s", s.left[0]);
	cr_assert_eq(count(&s, "SELECT count(*) FROM attempt"), 1);
	cr_assert_eq(count(&s, "SELECT count(*) FROM metric"), 1);
	char *before = content(&s);
	OK(merge_folders(&r, &s, &x, 1, &e));
	cr_assert_eq(r.rows, 0);
	cr_assert_str_eq(content(&s), before);
	store_close(&s);
	struct rebuild_result again;
	OK(merge_rebuild(&again, TMP("a.db"), &e));
	cr_assert_eq(again.from.n_left, 0, "nothing of it was kept");
	cr_assert_str_eq(again.after, before);
	rebuild_result_release(&again);
}
