/* test_hidden.c - records without identity: paths and the host's name leave texts, a boot is known again by its salted
 * hash alone, and a database answers without either. */
#define _GNU_SOURCE
#include "harness/record/dump.h"
#include "harness/record/hidden.h"
#include "harness/record/host.h"
#include "harness/record/journal.h"
#include "model/base/io.h"
#include "model/base/mem.h"
#include "tests/common/ok.h"
#include "tests/common/tmpdir.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static struct err e;

static void becomes(const char *text, const char *want)
{
	SCOPED(str) struct str s = { 0 };
	hidden_text(&s, text);
	cr_assert_str_eq(str_text(&s), want, "'%s' became '%s', not '%s'", text, str_text(&s), want);
}

Test(hidden, paths_are_cut_to_their_last_name)
{
	becomes("", "");
	becomes("needs weights /home/alice/.cache/ablate/vgg.pth, sha256 ab", "needs weights vgg.pth, sha256 ab");
	becomes("/home/alice/x.ckpt: cannot open: No such file", "x.ckpt: cannot open: No such file");
	becomes("'/a/b/c'", "'c'");
	becomes("ablate run /a/b/g.toml --db=/a/x.db", "ablate run g.toml --db=x.db");
	becomes("in (/a/b/).", "in (b/).");
	becomes("at /a/b/c.toml:3:5.", "at c.toml:3:5.");
	becomes("{\"file\":\"/a/b\"}", "{\"file\":\"b\"}");
	/* what is no path of this machine */
	becomes("cc -I/a/b -DX=/c/d -o/e", "cc -Ib -DX=d -oe");
	becomes("1/2 of it, FID/KID, a/b.c", "1/2 of it, FID/KID, a/b.c");
	becomes("https://example.org/a/b", "https://example.org/a/b");
	becomes("/ and // and a / b", "/ and // and a / b");
	/* a blank in the home folder is no end of a path in it */
	cr_assert_eq(setenv("HOME", "/home/a lice", 1), 0);
	becomes("/home/a lice/secret/x.toml: no", "x.toml: no");
}

/* JSON stays JSON, and a host that is called like a key of it harms nothing. */
Test(hidden, paths_of_json)
{
	SCOPED(free) char *json = xstrfmt("{\"%s\":\"-I/a/b/c -g\",\"x\":[\"/a/\\\"b\"]}", host_name());
	SCOPED(free) char *want = xstrfmt("{\"%s\":\"-Ic -g\",\"x\":[\"\\\"b\"]}", host_name());
	SCOPED(str) struct str s = { 0 };
	hidden_paths(&s, json);
	cr_assert_str_eq(str_text(&s), want);
}

Test(hidden, the_host_is_left_out_as_a_word)
{
	SCOPED(free) char *text = xstrfmt("pid 1 on %s holds it, not my%s", host_name(), host_name());
	SCOPED(free) char *want = xstrfmt("pid 1 on (host) holds it, not my%s", host_name());
	if (strcmp(host_name(), "localhost") == 0)
		cr_skip_test("the host has no name of its own");
	becomes(text, want);
}

Test(hidden, a_boot_is_known_again_and_tells_nothing)
{
	char a[HIDDEN_BOOT], b[HIDDEN_BOOT];
	if (!*host_boot_id())
		cr_skip_test("no boot id here");
	cr_assert_str_eq(hidden_boot(a), host_boot_id(), "not hidden unless asked");
	cr_assert_str_eq(hidden_host(), host_name());
	hidden_begin();
	cr_assert_null(hidden_host());
	const char *one = hidden_boot(a), *two = hidden_boot(b);
	cr_assert_str_neq(one, two, "the same salt twice tells that it is one machine");
	cr_assert_null(strstr(one, host_boot_id()));
	cr_assert(hidden_is_this_boot(one) && hidden_is_this_boot(two) && hidden_is_this_boot(host_boot_id()));
	a[strlen(a) - 1] = a[strlen(a) - 1] == '0' ? '1' : '0';
	cr_assert_not(hidden_is_this_boot(a));
	a[strlen(a) - 1] = '\0';
	cr_assert_not(hidden_is_this_boot(a));
	cr_assert_not(hidden_is_this_boot("sha256:"));
	cr_assert_not(hidden_is_this_boot(""));
	cr_assert_not(hidden_is_this_boot(NULL));
}

/* What a worker or its runner has to say of an attempt may name files. */
Test(hidden, a_journal_without_paths)
{
	const char *path = TMP("journal.jsonl");
	struct journal *j;
	const struct journal_head head = {
		.attempt = "a", .cell = "c", .arm = "m", .config = "{}", .dataset = "d", .n = 1, .purpose = "run"
	};
	struct journal_end end = JOURNAL_END_INIT;
	SCOPED(str) struct str text = { 0 };
	end.state = RECORD_FAILED;
	end.reason = "/home/secret/x.ckpt: no";
	hidden_begin();
	OK(journal_create(&j, path, &head, &e));
	OK(journal_note(j, "/home/secret/y.ckpt is damaged", &e));
	OK(journal_end(j, &end, &e));
	journal_close(j);
	OK(io_read(&text, path, 65536, &e));
	cr_assert(strstr(str_text(&text), "\"x.ckpt: no\"") && strstr(str_text(&text), "\"y.ckpt is damaged\""));
	cr_assert_null(strstr(str_text(&text), "secret"));
	cr_assert_null(strstr(str_text(&text), "\"host\""));
	cr_assert_null(strstr(str_text(&text), host_boot_id()));
}

static int keep(void *ctx, const char *text, size_t n, struct err *failure)
{
	(void)failure;
	str_addn(ctx, text, n);
	return 0;
}

Test(hidden, a_database_answers_without_identity)
{
	SCOPED(str) struct str plain = { 0 };
	SCOPED(str) struct str hidden = { 0 };
	SCOPED(db) struct db *db = NULL;
	SCOPED(free) char *reason = NULL;
	OK(db_open(&db, TMP("x.db"), DB_WRITE, &e));
	OK(db_script(
		db, &e,
		"BEGIN; INSERT INTO env VALUES(printf('%064d', 1), '{\"device_facts\":{\"bus\":\"secret\",\"device\":\"H100\","
		"\"uuid\":\"GPU-secret\"},\"flags\":\"-O3 -I/opt/secret/include -g\",\"host\":\"secret\",\"threads\":2}');"
		"INSERT INTO grid VALUES(printf('%064d', 2), 'g', 't', 'now', "
		"'{\"sources\":[{\"file\":\"/home/secret/d/g.toml\"},{\"file\":\"/home/secret/d/../b.toml\",\"text\":\"x = "
		"\\\"/data\\\"\"}]}');"
		"INSERT INTO arm VALUES(printf('%064d', 3), '{}');"
		"INSERT INTO cell(hash, arm, seed, numerics, dataset) VALUES(printf('%064d', 4), printf('%064d', 3), "
		"1, 1, 'd');"
		"INSERT INTO attempt(id, cell, n, state, reason, host, boot_id, started, env) VALUES('a', "
		"printf('%064d', 4), 1, "
		"'failed', '/home/secret/x.ckpt: no', 'secret', 'secret', 'now', printf('%064d', 1)); COMMIT;"));
	OK(dump_script(db, keep, &plain, &e));
	cr_assert(strstr(str_text(&plain), "secret"));
	OK(db_hide_identity(db, &e));
	OK(dump_script(db, keep, &hidden, &e));
	cr_assert_null(strstr(str_text(&hidden), "secret"), "%s", strstr(str_text(&hidden), "secret"));
	cr_assert(strstr(str_text(&hidden), "H100") && strstr(str_text(&hidden), "x.ckpt: no"));
	cr_assert(strstr(str_text(&hidden), "{\"file\":\"../b.toml\",\"text\":\"x = \\\"/data\\\"\"}"), "%s",
	          str_text(&hidden));
	/* the views, too */
	OK(db_text_of(&reason, db, &e, "SELECT reason FROM v_attempt", ""));
	cr_assert_str_eq(reason, "x.ckpt: no");
}
