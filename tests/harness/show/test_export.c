/* test_export.c - what leaves the database can be read by others: CSV, JSON lines, SQL and TensorBoard's records; and
 * the bench of the store counts what it wrote. */
#define _GNU_SOURCE
#include "harness/bench/bench_store.h"
#include "harness/commands/bench_keys.h"
#include "harness/show/export.h"
#include "model/base/io.h"
#include "tests/common/ok.h"
#include "tests/common/tmpdir.h"
#include "tests/common/json_against.h"

#include <criterion/criterion.h>
#include <glob.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

static struct err e;
static const char hash[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

static int collect(void *ctx, const char *text, size_t n, struct err *err)
{
	(void)err;
	str_addn(ctx, text, n);
	return 0;
}

static struct db *filled(void)
{
	struct db *db;
	OK(db_open(&db, TMP("a.db"), DB_WRITE, &e));
	OK(db_script(db, &e,
	             "BEGIN; INSERT INTO grid(hash, name, toml, created) VALUES('g', 'g', 'say \"hi\", it''s\nme', "
	             "'2026-01-01T00:00:00.000Z')"));
	OK(db_exec(db, &e, "INSERT INTO arm VALUES(?, '{}')", "s", hash));
	OK(db_exec(db, &e, "INSERT INTO cell(hash, arm, seed, numerics, dataset) VALUES(?, ?, 7, 1, 'd')", "ss", hash,
	           hash));
	OK(db_exec(db, &e, "INSERT INTO grid_cell VALUES('g', ?, '', 0, 'no \"EMA\", twice', NULL)", "s", hash));
	OK(db_exec(db, &e,
	           "INSERT INTO attempt(id, cell, n, state, started) VALUES('u', ?, 1, 'done', '2026-01-01T00:00:00.000Z')",
	           "s", hash));
	OK(db_exec(db, &e,
	           "INSERT INTO metric(attempt, name, nfe, weights, step, eval_seed, protocol, value, hex, lo, hi, n, "
	           "computed_by) VALUES('u', 'fid', 1, 'ema', 10, 101, 'p', ?, '0x1.999999999999ap-4', NULL, 9e999, 10, "
	           "'cuSOLVER on cuda:0')",
	           "d", 0.1));
	OK(db_exec(db, &e, "INSERT INTO curve VALUES('u', 'loss', 1, 0.5), ('u', 'loss', 2, NULL), ('u', 'loss', 3, 9e999)",
	           ""));
	OK(db_commit(db, &e));
	return db;
}

Test(export, csv_and_jsonl)
{
	struct db *db = filled();
	SCOPED(str) struct str s = { 0 };
	OK(export_results(db, EXPORT_CSV, false, collect, &s, &e));
	char *want = FMT(
		"cell,arm,seed,numerics,dataset,labels,name,nfe,weights,step,eval_seed,value,hex,lo,hi,n,protocol,computed_by,"
		"tags,notes\r\n"
		"%s,%s,7,1,d,\"no \"\"EMA\"\", twice\",fid,1,ema,10,101,0.1,0x1.999999999999ap-4,,inf,10,p,cuSOLVER on "
		"cuda:0,,\r\n",
		hash, hash);
	cr_assert_str_eq(s.data, want);
	s.len = 0;
	OK(db_script(db, &e,
	             "INSERT INTO cell_note SELECT hash, '1', 1, 'tag', 'good', NULL, '1' FROM cell; "
	             "INSERT INTO cell_note SELECT hash, '2', 2, 'tag', 'bad', NULL, '2' FROM cell; "
	             "INSERT INTO cell_note SELECT hash, '3', 3, 'untag', 'bad', NULL, '3' FROM cell; "
	             "INSERT INTO cell_note SELECT hash, '4', 4, 'note', '=1+1', 'me', '4' FROM cell; "
	             "INSERT INTO cell_note SELECT hash, '5', 5, 'tag', 'again', NULL, '5' FROM cell"));
	OK(export_results(db, EXPORT_CSV, false, collect, &s, &e));
	cr_assert(strstr(s.data, "cuda:0,again good,\"'=1+1\"\r\n"), "%s", s.data);
	s.len = 0;
	struct db_rows rows;
	OK(db_query(&rows, db, &e, "SELECT name, step, value FROM curve ORDER BY step", ""));
	OK(export_rows(&rows, EXPORT_JSONL, collect, &s, &e));
	cr_assert_str_eq(
		s.data,
		"{\"name\":\"loss\",\"step\":1,\"value\":0.5}\n{\"name\":\"loss\",\"step\":2}\n{\"name\":\"loss\",\"step\":3,\"value\":\"inf\"}\n");
	db_close(db);
}

/* A name that a spreadsheet would compute is text to it, whoever named it; the export once wrote names as they were. */
Test(export, no_cell_of_a_csv_begins_a_formula)
{
	static const char *const names[] = { "=HYPERLINK(1)", "+cmd|' /C calc'!A0", "-1+2", "@SUM(A1)", "\t=1", "\r=1",
		                                 "\n=1" };
	struct db *db = filled();
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		SCOPED(str) struct str s = { 0 };
		struct db_rows rows;
		OK(db_exec(db, &e, "INSERT INTO grid(hash, name, toml, created) VALUES(?, ?, '', '2026-01-01T00:00:00.000Z')",
		           "ss", FMT("g%zu", i), names[i]));
		OK(db_query(&rows, db, &e, FMT("SELECT hash, name FROM grid WHERE hash = 'g%zu'", i), ""));
		OK(export_rows(&rows, EXPORT_CSV, collect, &s, &e));
		const char *want = *names[i] == '\r' ? "\n=1" : names[i]; /* line ends are \n inside a cell */
		cr_assert_str_eq(s.data, FMT("hash,name\r\ng%zu,\"'%s\"\r\n", i, want));
	}
	db_close(db);
}

Test(export, sql_makes_an_equal_database)
{
	struct db *db = filled(), *again;
	SCOPED(str) struct str s = { 0 };
	char a[SHA256_HEX], b[SHA256_HEX];
	OK(dump_script(db, collect, &s, &e));
	OK(dump_sha256(a, db, &e));
	db_close(db);
	struct db_schema empty = { 0, "", (const struct db_migration[]){ { 0, NULL } } };
	OK(db_open_schema(&again, TMP("b.db"), DB_WRITE, &empty, &e));
	OK(db_script(again, &e, s.data));
	db_close(again);
	OK(db_open(&again, TMP("b.db"), DB_WRITE, &e));
	OK(db_check(again, &e));
	OK(dump_sha256(b, again, &e));
	cr_assert_str_eq(a, b);
	cr_assert_eq(db_exec(again, &e, "DELETE FROM metric", ""), -1, "the triggers came along");
	db_close(again);
}

/* A file that another implementation wrote would have these bytes: lengths, CRC-32C as RFC 3720 B.4 defines it. */
Test(export, tensorboard_records)
{
	struct db *db = filled();
	int n;
	OK(export_tensorboard(&n, db, TMP("tb"), &e));
	cr_assert_eq(n, 1);
	glob_t g;
	cr_assert_eq(glob(TMP("tb/no__EMA_,_twice-seed7-aaaaaaaa/events.out.tfevents.*"), 0, NULL, &g), 0);
	SCOPED(str) struct str s = { 0 };
	OK(io_read(&s, g.gl_pathv[0], 1 << 20, &e));
	size_t at = 0;
	int records = 0;
	while (at + 16 <= s.len) {
		uint64_t length;
		memcpy(&length, s.data + at, 8);
		at += 12 + length + 4;
		records++;
	}
	cr_assert_eq(at, s.len);
	cr_assert_eq(records, 5, "version, three points, one score");
	/* length 24: its masked CRC as TensorFlow's writer gives for its first record, whose size is always 24 */
	static const unsigned char head[] = { 24, 0, 0, 0, 0, 0, 0, 0, 0xa3, 0x7f, 0x4b, 0x22 };
	cr_assert_arr_eq(s.data, head, 12);
	cr_assert(memmem(s.data, s.len, "brain.Event:2", 13) && memmem(s.data, s.len, "train/loss", 10) &&
	          memmem(s.data, s.len, "score/fid@1 ema", 15));
	globfree(&g);
	db_close(db);
}

/* Two extractors of one metric were two scalars of one tag, which a reader draws as one line. */
Test(export, tensorboard_tells_extractors_apart)
{
	struct db *db = filled();
	int n;
	OK(db_exec(db, &e,
	           "INSERT INTO metric(attempt, name, nfe, weights, step, eval_seed, protocol, value, hex, n) VALUES"
	           "('u', 'kid', 1, 'ema', 10, 101, 'kid:pixels:none:n10', 1, '0x1p+0', 10),"
	           "('u', 'kid', 1, 'ema', 10, 101, 'kid:classifier@501541f2:none:n10', 2, '0x1p+1', 10)",
	           ""));
	OK(export_tensorboard(&n, db, TMP("tb2"), &e));
	glob_t g;
	cr_assert_eq(glob(TMP("tb2/*/events.out.tfevents.*"), 0, NULL, &g), 0);
	SCOPED(str) struct str s = { 0 };
	OK(io_read(&s, g.gl_pathv[0], 1 << 20, &e));
	cr_assert(memmem(s.data, s.len, "score/kid/pixels@1 ema", 22) &&
	          memmem(s.data, s.len, "score/kid/classifier@1 ema", 26) && memmem(s.data, s.len, "score/fid@1 ema", 15));
	globfree(&g);
	db_close(db);
}

Test(bench_store, loses_nothing, .timeout = 60)
{
	json_t *o;
	char exe[4096] = "";
	cr_assert_gt(readlink("/proc/self/exe", exe, sizeof exe - 1), 0);
	*strrchr(exe, '/') = '\0';
	SCOPED(free) char *program = xstrfmt("%s/../ablate", exe);
	struct bench_store small = { 4, 2000, 50, 10, 3, program };
	OK(bench_store(&o, &small, &e));
	json_t *ingest = json_object_get(o, "ingest");
	cr_assert_eq(json_integer_value(json_object_get(ingest, "lost")), 0);
	cr_assert_eq(json_integer_value(json_object_get(ingest, "rows")), 8000);
	cr_assert_gt(json_number_value(json_object_get(ingest, "rows_per_s")), 0);
	static const char *const timed[] = { "plan", "status", "table", "overhead" };
	for (size_t i = 0; i < sizeof timed / sizeof *timed; i++) {
		cr_assert_gt(json_number_value(json_object_get(json_object_get(o, timed[i]), "cpu_s")), 0, "%s", timed[i]);
		cr_assert_gt(json_number_value(json_object_get(json_object_get(o, timed[i]), "max_s")), 0, "%s", timed[i]);
	}
	/* what `ablate bench store --json` makes of it is what its keys say */
	json_t *rows = json_array(), *row, *schema = json_keys_schema(bench_forms);
	const char *what;
	json_object_foreach(o, what, row)
	{
		(void)json_object_set_new(row, "what", json_string(what));
		(void)json_array_append(rows, row);
	}
	json_t *all = json_pack("{s:i, s:o}", "schema", 1, "store", rows);
	struct json_found found;
	(void)json_against(&found, schema, all);
	cr_assert_eq(found.n_wrong, 0, "not as its keys say:\n%s", str_text(&found.wrong));
	json_found_release(&found);
	json_decref(all);
	json_decref(schema);
	json_decref(o);
}
