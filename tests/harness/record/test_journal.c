/* test_journal.c - a journal survives what happens to files: a torn end is tolerated, a change is not; taking it in
 * twice, in parts or in another order makes the same rows. */
#define _GNU_SOURCE
#include "harness/record/host.h"
#include "harness/record/ingest.h"
#include "harness/record/journal.h"
#include "model/base/io.h"
#include "tests/common/ok.h"
#include "tests/common/tmpdir.h"

#include <criterion/criterion.h>
#include <glob.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

static struct err e;

static const char hash_a[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
static const char hash_c[] = "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc";
static const char hash_f[] = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";

static struct journal_head head(const char *id)
{
	return (struct journal_head){ .attempt = id,
		                          .cell = hash_c,
		                          .arm = hash_a,
		                          .config = "{\"loss.c\":0.03}",
		                          .dataset = hash_f,
		                          .seed = 1,
		                          .numerics = 1,
		                          .n = 1,
		                          .purpose = "run",
		                          .env_hash = hash_f,
		                          .env_json = "{}" };
}

static void write_some(struct journal *j)
{
	for (int s = 1; s <= 10; s++) {
		journal_curve(j, "loss", s, 1.0 / s);
		journal_curve(j, "grad_norm", s, s == 7 ? NAN : s == 8 ? INFINITY : 0.1 * s);
	}
	OK(journal_beat(j, 10, &e));
	OK(journal_file(j,
	                &(struct journal_file){ .table = "checkpoint",
	                                        .kind = "checkpoint",
	                                        .name = "step-00000010.ckpt",
	                                        .sha256 = hash_a,
	                                        .step = 10,
	                                        .bytes = 99,
	                                        .n_items = -1 },
	                &e));
	OK(journal_metric(j,
	                  &(struct journal_metric){ .name = "fid",
	                                            .weights = "ema",
	                                            .protocol = "p",
	                                            .nfe = 1,
	                                            .step = 10,
	                                            .eval_seed = 101,
	                                            .n = 1000,
	                                            .value = 0.1 + 0.2,
	                                            .lo = NAN,
	                                            .hi = 9 },
	                  &e));
	OK(journal_note(j, "a remark", &e));
}

static char *a_journal(const char *name, const char *id, bool ended)
{
	char *path = TMP(name);
	struct journal *j;
	struct journal_head h = head(id);
	OK(journal_create(&j, path, &h, &e));
	write_some(j);
	struct journal_end end = JOURNAL_END_INIT;
	end.state = RECORD_DONE;
	end.exit_code = 0;
	end.step = 10;
	end.wall_s = 1.5;
	if (ended)
		OK(journal_end(j, &end, &e));
	journal_close(j);
	return path;
}

static struct db *new_db(const char *name)
{
	struct db *db;
	OK(db_open(&db, TMP(name), DB_WRITE, &e));
	return db;
}

static int64_t take(struct db *db, const char *path)
{
	struct ingest in = { .db = db };
	struct journal_scan scan = { 0 };
	OK(db_begin(db, &e));
	OK(ingest_file(&in, &scan, path, &e));
	OK(db_commit(db, &e));
	return in.rows;
}

static int64_t count(struct db *db, const char *sql)
{
	int64_t n;
	OK(db_int_of(&n, -1, db, &e, sql, ""));
	return n;
}

Test(journal, becomes_rows)
{
	struct db *db = new_db("a.db");
	char *path = a_journal("a.jsonl", "id-1", true);
	OK(journal_check_seal(path, &e));
	cr_assert_gt(take(db, path), 20);
	cr_assert_eq(count(db, "SELECT count(*) FROM curve"), 20);
	cr_assert_eq(count(db, "SELECT count(*) FROM curve WHERE value IS NULL AND name = 'grad_norm' AND step = 7"), 1);
	cr_assert_eq(count(db, "SELECT count(*) FROM curve WHERE value = 9e999 AND step = 8"), 1);
	cr_assert_eq(
		count(db,
	          "SELECT count(*) FROM metric WHERE value = 0.1 + 0.2 AND hex = '0x1.3333333333334p-2' AND lo IS NULL AND "
	          "hi = 9 AND n = 1000"),
		1);
	cr_assert_eq(count(db,
	                   "SELECT count(*) FROM attempt WHERE state = 'done' AND wall_s = 1.5 AND ended = heartbeat AND "
	                   "length(journal) = 64"),
	             1);
	cr_assert_eq(count(db, "SELECT count(*) FROM checkpoint JOIN artifact ON hash = artifact WHERE bytes = 99"), 1);
	OK(db_check(db, &e));
	db_close(db);
}

Test(journal, taken_twice_is_taken_once)
{
	struct db *db = new_db("b.db");
	char *path = a_journal("b.jsonl", "id-1", true);
	cr_assert_gt(take(db, path), 0);
	cr_assert_eq(take(db, path), 0);
	db_close(db);
}

static char *dump(struct db *db)
{
	struct str s = { 0 };
	static const char *const queries[] = { "SELECT * FROM attempt ORDER BY id", "SELECT * FROM curve",
		                                   "SELECT * FROM metric", "SELECT * FROM artifact" };
	for (size_t q = 0; q < sizeof queries / sizeof *queries; q++) {
		struct db_rows rows;
		OK(db_query(&rows, db, &e, queries[q], ""));
		while (db_next(&rows))
			for (int c = 0; c < db_columns(&rows); c++)
				str_addf(&s, "%s|", db_text(&rows, c) ? db_text(&rows, c) : "NULL");
		OK(db_done(&rows, &e));
	}
	return tmpdir_keep(str_detach(&s));
}

Test(journal, order_and_parts_make_no_difference)
{
	char *one = a_journal("c1.jsonl", "id-1", true), *two = a_journal("c2.jsonl", "id-2", false);
	struct db *x = new_db("cx.db"), *y = new_db("cy.db");
	(void)take(x, one);
	(void)take(x, two);
	/* y sees the second file first, and the first file grow byte range by byte range */
	(void)take(y, two);
	SCOPED(str) struct str text = { 0 };
	OK(io_read(&text, one, 1 << 20, &e));
	struct ingest in = { .db = y };
	struct journal_scan scan = { 0 };
	OK(db_begin(y, &e));
	for (size_t n = 0; n <= text.len; n += 37) {
		size_t upto = n + 37 < text.len ? n + 37 : text.len;
		OK(journal_scan_bytes(&scan, text.data + scan.bytes, upto - (size_t)scan.bytes, ingest_line, &in, &e));
	}
	cr_assert(scan.sealed && scan.torn == 0);
	OK(db_exec(y, &e, "UPDATE attempt SET journal = ? WHERE id = 'id-1'", "s", scan.sha256));
	OK(db_commit(y, &e));
	cr_assert_str_eq(dump(x), dump(y));
	db_close(x);
	db_close(y);
}

Test(journal, a_torn_last_line_is_left_out_and_told)
{
	char *path = a_journal("torn.jsonl", "id-1", false);
	SCOPED(str) struct str text = { 0 };
	OK(io_read(&text, path, 1 << 20, &e));
	for (size_t cut = 1; cut < 30; cut++) {
		char *part = TMP("part.jsonl");
		OK(io_write_atomic(part, text.data, text.len - cut, &e));
		struct db *db = new_db("torn.db");
		struct ingest in = { .db = db };
		struct journal_scan scan = { 0 };
		OK(db_begin(db, &e));
		OK(ingest_file(&in, &scan, part, &e));
		OK(db_commit(db, &e));
		cr_assert_eq(scan.bytes + scan.torn, (int64_t)(text.len - cut));
		cr_assert_gt(scan.torn, 0);
		cr_assert_eq(count(db, "SELECT count(*) FROM attempt WHERE state = 'running'"), 1);
		db_close(db);
	}
}

Test(journal, a_dead_writers_journal_is_ended_by_another)
{
	char *path = a_journal("dead.jsonl", "id-1", false);
	FILE *f = fopen(path, "a");
	(void)fputs("{\"t\":\"cur", f);
	(void)fclose(f);
	struct journal *j;
	int64_t torn;
	OK(journal_adopt(&j, path, &torn, &e));
	cr_assert_eq(torn, 9);
	struct journal_end end = JOURNAL_END_INIT;
	end.state = RECORD_LOST;
	end.reason = "its process is gone";
	OK(journal_end(j, &end, &e));
	journal_close(j);
	OK(journal_check_seal(path, &e));
	cr_assert_eq(journal_adopt(&j, path, &torn, &e), -1, "sealed is sealed");
	struct db *db = new_db("dead.db");
	(void)take(db, path);
	cr_assert_eq(count(db, "SELECT count(*) FROM attempt WHERE state = 'lost' AND reason = 'its process is gone'"), 1);
	db_close(db);
}

Test(journal, a_living_writer_is_seen)
{
	char *path = TMP("alive.jsonl");
	struct journal *j, *other = NULL;
	struct journal_head h = head("id-1");
	cr_assert_not(journal_is_alive(path));
	OK(journal_create(&j, path, &h, &e));
	cr_assert(journal_is_alive(path));
	int64_t torn;
	cr_assert_eq(journal_adopt(&other, path, &torn, &e), -1);
	cr_assert(strstr(e.msg, "alive"), "%s", e.msg);
	journal_close(j);
	cr_assert_not(journal_is_alive(path));
}

static int any_line(void *ctx, const char *type, json_t *line, struct err *why)
{
	(void)ctx, (void)type, (void)line, (void)why;
	return 0;
}

Test(journal, a_change_after_the_seal_is_found)
{
	char *path = a_journal("edit.jsonl", "id-1", true);
	SCOPED(str) struct str text = { 0 };
	OK(io_read(&text, path, 1 << 20, &e));
	char *digit = memmem(text.data, text.len, "\"hi\":9", 6);
	cr_assert_not_null(digit);
	digit[5] = '8';
	OK(io_write_atomic(path, text.data, text.len, &e));
	cr_assert_eq(journal_check_seal(path, &e), -1);
	cr_assert_eq(err_exit_code(&e), EXIT_RECORD);
	cr_assert(strstr(e.msg, "changed after it was sealed"), "%s", e.msg);
	/* by whoever reads it, in whatever pieces: `run` took it in and printed the edited score */
	for (size_t piece = 1; piece < text.len; piece += piece < 3 ? 1 : text.len / 3) {
		struct db *db = new_db("edit.db");
		struct ingest in = { .db = db };
		struct journal_scan scan = { 0 };
		int rc = 0;
		OK(db_begin(db, &e));
		e = ERR_INIT;
		for (size_t end = piece; !rc && scan.bytes < (int64_t)text.len;
		     end = end + piece < text.len ? end + piece : text.len)
			rc = journal_scan_bytes(&scan, text.data + scan.bytes, end - (size_t)scan.bytes, ingest_line, &in, &e);
		cr_assert_eq(rc, -1);
		cr_assert(strstr(e.msg, "changed after it was sealed"), "%s", e.msg);
		cr_assert_not(scan.sealed);
		db_rollback(db);
		db_close(db);
	}
	/* a line less, with a SHA-256 made to fit */
	char *first = memchr(text.data, '\n', text.len), *seal = memmem(text.data, text.len, "{\"t\":\"seal\"", 11);
	char sha[SHA256_HEX];
	io_sha256(sha, first + 1, (size_t)(seal - first - 1));
	struct journal_scan scan = { 0 };
	char *forged = FMT("%.*s{\"t\":\"seal\",\"lines\":7,\"sha256\":\"%s\"}\n", (int)(seal - first - 1), first + 1, sha);
	e = ERR_INIT;
	cr_assert_eq(journal_scan_bytes(&scan, forged, strlen(forged), any_line, NULL, &e), -1);
	cr_assert(strstr(e.msg, "lines before the seal, which says 7"), "%s", e.msg);
}

/* What was sealed is all there is: a score that somebody writes behind it was never computed. */
Test(journal, nothing_stands_after_the_seal)
{
	char *path = a_journal("more.jsonl", "id-1", true);
	SCOPED(str) struct str text = { 0 };
	OK(io_read(&text, path, 1 << 20, &e));
	int64_t bytes = (int64_t)text.len;
	str_add(&text, "{\"t\":\"note\",\"text\":\"a word more\"}\n");
	struct journal_scan scan = { 0 };
	e = ERR_INIT;
	cr_assert_eq(journal_scan_bytes(&scan, text.data, text.len, any_line, NULL, &e), -1);
	cr_expect_eq(err_exit_code(&e), EXIT_RECORD);
	cr_expect(strstr(e.msg, "stands after the seal"), "%s", e.msg);
	cr_expect_eq(scan.bytes, bytes, "up to the seal it is whole");
}

/* Taken for lost by another machine, while it only was slow. */
Test(journal, a_late_finisher_files_its_result_as_its_own_attempt)
{
	OK(io_mkdirs(TMP("cell/one"), &e));
	char *path = TMP("cell/one/journal.jsonl");
	struct journal *j;
	struct journal_head h = head("id-1");
	OK(journal_create(&j, path, &h, &e));
	write_some(j);
	OK(io_write_atomic(TMP("cell/one/samples@1.png"), "x", 1, &e));
	FILE *f = fopen(path, "a");
	(void)fputs(
		"{\"t\":\"end\",\"state\":\"lost\",\"reason\":\"not heard of\",\"ended\":\"2026-01-01T00:00:00.000Z\"}\n", f);
	(void)fclose(f);
	journal_curve(j, "loss", 11, 0.5);
	OK(journal_beat(j, 11, &e));
	struct journal_end end = JOURNAL_END_INIT;
	end.state = RECORD_DONE;
	OK(journal_end(j, &end, &e));
	journal_close(j);
	struct db *db = new_db("late.db");
	(void)take(db, path);
	glob_t g;
	cr_assert_eq(glob(TMP("cell/*-*/journal.jsonl"), 0, NULL, &g), 0);
	cr_assert_eq(g.gl_pathc, 1);
	OK(journal_check_seal(g.gl_pathv[0], &e));
	(void)take(db, g.gl_pathv[0]);
	cr_assert_eq(count(db, "SELECT count(*) FROM attempt WHERE id = 'id-1' AND state = 'lost'"), 1);
	cr_assert_eq(
		count(db, "SELECT count(*) FROM attempt WHERE id <> 'id-1' AND state = 'done' AND length(journal) = 64"), 1);
	cr_assert_eq(count(db, "SELECT count(*) FROM curve c JOIN attempt a ON a.id = c.attempt WHERE a.state = 'done'"),
	             21);
	cr_assert_eq(count(db, "SELECT count(*) FROM curve c JOIN attempt a ON a.id = c.attempt WHERE a.state = 'lost'"),
	             20);
	cr_assert(io_exists(FMT("%.*s/samples@1.png", (int)strlen(g.gl_pathv[0]) - 14, g.gl_pathv[0])));
	globfree(&g);
	OK(db_check(db, &e));
	db_close(db);
}

/* A journal of attempt "u" whose further lines are these; lives as long as the test. */
static char *journal_with(const char *lines)
{
	return FMT(
		"{\"t\":\"arm\",\"hash\":\"%s\",\"config\":\"{}\"}\n{\"t\":\"cell\",\"hash\":\"%s\",\"arm\":\"%s\",\"seed\":1,\"numerics\":1,"
		"\"dataset\":\"d\"}\n{\"t\":\"attempt\",\"v\":1,\"id\":\"u\",\"cell\":\"%s\",\"n\":1,\"started\":\"s\"}\n%s",
		hash_a, hash_c, hash_a, hash_c, lines);
}

static void rejected(const char *lines, const char *says)
{
	char *start = journal_with(lines);
	struct db *db = new_db("bad.db");
	struct ingest in = { .db = db };
	struct journal_scan scan = { 0 };
	OK(db_begin(db, &e));
	e = ERR_INIT;
	cr_assert_eq(journal_scan_bytes(&scan, start, strlen(start), ingest_line, &in, &e), -1, "accepted: %s", lines);
	cr_assert_eq(err_exit_code(&e), EXIT_RECORD, "%s", e.msg);
	cr_assert(strstr(e.msg, says), "'%s' does not say '%s'", e.msg, says);
	cr_assert(strstr(e.msg, "line "), "%s", e.msg);
	db_rollback(db);
	db_close(db);
}

Test(journal, what_it_cannot_hold_is_refused_with_its_line)
{
	rejected("nonsense\n", "not a journal line");
	rejected("[1]\n", "no \"t\"");
	rejected("{\"t\":\"curve\",\"step\":1,\"step\":2}\n", "not a journal line");
	rejected("{\"t\":\"wishes\",\"x\":1}\n", "no such kind of line");
#define SCORE(rest) \
	"{\"t\":\"metric\",\"name\":\"fid\",\"nfe\":1,\"weights\":\"ema\",\"step\":1,\"eval_seed\":1," \
	"\"protocol\":\"p\"," rest "}\n"
	rejected(SCORE("\"value\":14.82,\"hex\":\"0x1.37ae147ae147bp+3\""), "not the same number");
	rejected(SCORE("\"hex\":\"0x1.37ae147ae147bp+3\""), "not the same number");
	rejected(SCORE("\"value\":\"nan\",\"hex\":\"0x1p+3\""), "not the same number");
	rejected(SCORE("\"value\":\"inf\",\"hex\":\"-inf\""), "not the same number");
	rejected(SCORE("\"value\":8,\"hex\":\"0x1p+3 \""), "no hex value");
	rejected(SCORE("\"value\":8,\"hex\":\"eight\""), "no hex value");
	rejected(SCORE("\"value\":8,\"hex\":\"0x1p+3\",\"lo\":8.5,\"hi\":7.5"), "lo is above hi");
	rejected("{\"t\":\"curve\",\"step\":1,\"values\":{\"loss\":\"many\"}}\n", "not a number");
	rejected(
		"{\"t\":\"curve\",\"step\":1,\"values\":{\"loss\":1}}\n{\"t\":\"curve\",\"step\":1,\"values\":{\"loss\":2}}\n",
		"another value");
	rejected(
		"{\"t\":\"metric\",\"name\":\"fid\",\"step\":1,\"eval_seed\":1,\"protocol\":\"p\",\"nfe\":1,\"weights\":\"ema\",\"value\":2,\"hex\":\"0x1p+0\"}\n",
		"not the same number");
	rejected("{\"t\":\"input\",\"role\":\"x\",\"artifact\":\"h\",\"colour\":\"red\"}\n", "no such column");
	rejected("{\"t\":\"checkpoint\",\"step\":\"ten\",\"artifact\":\"h\"}\n", "not of the column's type");
	rejected("{\"t\":\"end\",\"state\":\"asleep\",\"ended\":\"now\",\"reason\":\"x\"}\n", "CHECK");
	rejected("{\"t\":\"end\",\"state\":\"failed\",\"ended\":\"now\"}\n", "CHECK");
	rejected("{\"t\":\"seal\",\"lines\":1}\n", "seal without");
	rejected("{\"t\":\"attempt\",\"v\":2,\"id\":\"w\",\"cell\":\"x\",\"n\":1,\"started\":\"s\"}\n", "newer ablate");
	rejected("{\"t\":\"attempt\",\"v\":1,\"id\":\"u\",\"cell\":\"x\",\"n\":1,\"started\":\"s\"}\n", "other content");
}

/* The time of an end was a part of the statement's text, where only a quote was looked for. */
Test(journal, a_text_of_a_journal_is_never_sql)
{
	char *lines = journal_with(
		"{\"t\":\"end\",\"state\":\"failed\",\"reason\":\"it's\",\"ended\":\"', step = 7, host = '\"}\n");
	struct db *db = new_db("quoted.db");
	struct ingest in = { .db = db };
	struct journal_scan scan = { 0 };
	OK(db_begin(db, &e));
	OK(journal_scan_bytes(&scan, lines, strlen(lines), ingest_line, &in, &e));
	OK(db_commit(db, &e));
	cr_assert_eq(
		count(db,
	          "SELECT count(*) FROM attempt WHERE ended = ''', step = 7, host = ''' AND heartbeat = ended AND step IS "
	          "NULL AND host IS NULL AND reason = 'it''s'"),
		1);
	db_close(db);
}

static int take_text(struct db *db, const char *text, bool is_sealed)
{
	char sha[SHA256_HEX], *path = TMP("text.jsonl");
	struct ingest in = { .db = db };
	struct journal_scan scan = { 0 };
	int64_t lines = 0;
	for (const char *p = text; *p; p++)
		lines += *p == '\n';
	io_sha256(sha, text, strlen(text));
	if (is_sealed)
		text = FMT("%s{\"t\":\"seal\",\"lines\":%lld,\"sha256\":\"%s\"}\n", text, (long long)lines, sha);
	OK(io_write_atomic(path, text, strlen(text), &e));
	OK(db_begin(db, &e));
	e = ERR_INIT;
	int rc = ingest_file(&in, &scan, path, &e);
	if (rc)
		db_rollback(db);
	else
		OK(db_commit(db, &e));
	return rc;
}

/* The first end counts, and the first seal: a second journal of the same attempt that says otherwise is a conflict, not
 * something to be passed over. */
Test(journal, an_attempt_has_one_end_and_one_seal)
{
#define END(step) "{\"t\":\"end\",\"state\":\"done\",\"ended\":\"now\",\"step\":" step "}\n"
	struct db *db = new_db("ends.db");
	cr_assert_eq(take_text(db, journal_with(END("10")), false), 0, "%s", e.msg);
	cr_assert_eq(take_text(db, journal_with(END("10")), false), 0, "the same: %s", e.msg);
	cr_assert_eq(take_text(db, journal_with(END("11")), false), -1);
	cr_expect(strstr(e.msg, "another end"), "%s", e.msg);
	cr_assert_eq(take_text(db, journal_with(END("10")), true), 0, "%s", e.msg);
	cr_assert_eq(take_text(db, journal_with(END("10")), true), 0, "the same: %s", e.msg);
	cr_assert_eq(take_text(db, journal_with(END(" 10")), true), -1, "the same rows in other bytes");
	cr_expect(strstr(e.msg, "known with another seal"), "%s", e.msg);
	cr_expect_eq(err_exit_code(&e), EXIT_RECORD);
	db_close(db);
}

/* A failing disk: the file keeps whole lines, and the failure is told by everything after. */
Test(journal, a_full_disk_leaves_whole_lines)
{
	char *path = TMP("full.jsonl");
	struct rlimit limit = { 3000, 3000 };
	(void)signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	struct journal *j;
	struct journal_head h = head("id-1");
	OK(journal_create(&j, path, &h, &e));
	int failed = 0;
	for (int s = 0; s < 200 && !failed; s++) {
		journal_curve(j, "loss", s, 0.5);
		failed = journal_beat(j, s, &e);
	}
	cr_assert_eq(failed, -1);
	cr_assert(strstr(e.msg, "cannot write"), "%s", e.msg);
	struct journal_end end = JOURNAL_END_INIT;
	end.state = RECORD_DONE;
	cr_assert_eq(journal_end(j, &end, &e), -1);
	journal_close(j);
	SCOPED(str) struct str text = { 0 };
	OK(io_read(&text, path, 1 << 20, &e));
	cr_assert_gt(text.len, 1000);
	cr_assert_eq(text.data[text.len - 1], '\n');
	json_t *found;
	OK(journal_find(&found, path, "beat", &e));
	cr_assert_not_null(found);
	json_decref(found);
}

Test(journal, a_killed_writer_leaves_whole_lines_and_no_lock, .timeout = 30)
{
	for (int round = 0; round < 20; round++) {
		char *path = FMT("%s/kill-%d.jsonl", tmpdir(), round);
		pid_t pid = fork();
		if (pid == 0) {
			struct journal *j;
			struct journal_head h = head("id-1");
			if (journal_create(&j, path, &h, NULL))
				_exit(1);
			for (int s = 0;; s++) {
				journal_curve(j, "loss", s, 0.5 / (s + 1));
				if (s % 10 == 0 && journal_beat(j, s, NULL))
					_exit(1);
			}
		}
		(void)usleep((useconds_t)(500 + 997 * round));
		(void)kill(pid, SIGKILL);
		cr_assert_eq(waitpid(pid, NULL, 0), pid);
		cr_assert_not(journal_is_alive(path));
		if (!io_exists(path))
			continue;
		struct db *db = new_db("kill.db");
		struct ingest in = { .db = db };
		struct journal_scan scan = { 0 };
		OK(db_begin(db, &e));
		OK(ingest_file(&in, &scan, path, &e));
		db_rollback(db);
		db_close(db);
	}
}
