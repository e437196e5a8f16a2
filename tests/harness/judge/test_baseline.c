/* test_baseline.c - baselines: written, read back to the bit, edited files refused, the history kept. */
#include "harness/judge/baseline.h"
#include "model/base/io.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

static int64_t seeds[] = { 1, 2, 3 };
static double values[] = { 10.1, 1.0 / 3, 12 };

static struct baseline sample(void)
{
	return (struct baseline){ .gate = "no-\"regression\"",
		                      .metric = "fid@1",
		                      .label = "base\n= x",
		                      .arm = "ab",
		                      .protocol = "fid:x:n2000",
		                      .numerics = "1",
		                      .env = "e",
		                      .commit = "c1",
		                      .first_commit = "",
		                      .now = { 3, seeds, values } };
}

static char *temp_file(const char *text)
{
	char *path = xstrfmt("/tmp/ablate-baseline-%ld.toml", (long)getpid());
	struct err e = ERR_INIT;
	cr_assert_eq(io_write_atomic(path, text, strlen(text), &e), 0, "%s", e.msg);
	return path;
}

static int read_text(struct baseline *b, const char *text, struct err *e)
{
	SCOPED(free) char *path = temp_file(text);
	int rc = baseline_read(b, path, e);
	unlink(path);
	return rc;
}

Test(baseline, what_is_written_is_read_back_to_the_bit)
{
	struct baseline a = sample(), b;
	SCOPED(str) struct str text = { 0 }, again = { 0 };
	baseline_text(&text, &a);
	struct err e = ERR_INIT;
	cr_assert_eq(read_text(&b, text.data, &e), 0, "%s\n%s", e.msg, text.data);
	cr_assert_str_eq(b.gate, a.gate);
	cr_assert_str_eq(b.label, a.label);
	cr_assert_not(b.accepted);
	cr_assert_eq(b.now.n, 3);
	cr_assert_arr_eq(b.now.value, values, sizeof values);
	cr_assert_arr_eq(b.now.seed, seeds, sizeof seeds);
	cr_assert_eq(b.first.n, 0);
	baseline_text(&again, &b);
	cr_assert_str_eq(again.data, text.data);
	baseline_release(&b);
}

Test(baseline, accepting_keeps_the_first_of_a_numerics_version)
{
	struct err e = ERR_INIT;
	struct baseline first = sample(), second = sample(), third = sample(), other = sample();
	cr_assert_eq(baseline_accept(&first, NULL, NULL, " ", "t", &e), -1);
	cr_assert_eq(e.code, EXIT_USAGE);
	cr_assert_eq(baseline_accept(&first, NULL, NULL, "a start", "t", &e), 0, "%s", e.msg);
	cr_assert_eq(first.first.n, 0);
	cr_assert_eq(baseline_accept(&first, NULL, NULL, "again", "t", &e), -1);
	double moved[] = { 1, 2, 3 };
	second.now.value = moved, second.commit = "c2";
	cr_assert_eq(baseline_accept(&second, &first, "sha", "faster", "t", &e), 0, "%s", e.msg);
	cr_assert_str_eq(second.supersedes, "sha");
	third.commit = "c3";
	cr_assert_eq(baseline_accept(&third, &second, "sha2", "again", "t", &e), 0, "%s", e.msg);
	cr_assert_str_eq(third.first_commit, "c1");
	cr_assert_arr_eq(third.first.value, values, sizeof values);
	SCOPED(str) struct str text = { 0 };
	baseline_text(&text, &third);
	struct baseline b;
	cr_assert_eq(read_text(&b, text.data, &e), 0, "%s", e.msg);
	cr_assert(b.accepted && b.first.n == 3 && b.first.value[1] == 1.0 / 3);
	baseline_release(&b);
	other.numerics = "2";
	cr_assert_eq(baseline_accept(&other, &third, "sha3", "numerics 2", "t", &e), 0, "%s", e.msg);
	cr_assert_eq(other.first.n, 0);
	struct baseline wrong = sample();
	wrong.metric = "kid@1";
	cr_assert_eq(baseline_accept(&wrong, &third, "s", "r", "t", &e), -1);
	arena_release(&first.arena), arena_release(&second.arena), arena_release(&third.arena), arena_release(&other.arena);
}

Test(baseline, edited_and_broken_files_are_refused_with_their_place)
{
	struct baseline a = sample(), b;
	SCOPED(str) struct str text = { 0 };
	baseline_text(&text, &a);
	static const struct {
		const char *from, *to, *say;
	} edits[] = {
		{ "10.1", "9.1", "do not agree" },
		{ "\"0x1.8p+3\"", "\"12 \"", "do not agree" },
		{ "schema = 1", "schema = 2", "schema" },
		{ "seeds = [1, 2, 3]", "seeds = [1, 2]", "the same number" },
		{ "metric = \"fid@1\"", "metric = 3", "metric" },
		{ "\"proposed\"", "\"approved\"", "state" },
		{ "commit", "comit", "unknown key comit" },
		{ "numerics = \"1\"", "", "numerics" },
		{ "hex = ", "hexes = ", "hexes" },
		{ "12.0", "nan", "do not agree" },
		{ "[10.1", "10.1", "" },
	};
	for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
		SCOPED(str) struct str edited = { 0 };
		const char *at = strstr(text.data, edits[i].from);
		cr_assert_not_null(at, "%s", edits[i].from);
		str_addn(&edited, text.data, (size_t)(at - text.data));
		str_add(&edited, edits[i].to);
		str_add(&edited, at + strlen(edits[i].from));
		struct err e = ERR_INIT;
		cr_assert_eq(read_text(&b, edited.data, &e), -1, "%s -> %s", edits[i].from, edits[i].to);
		cr_assert_eq(e.code, EXIT_RECORD);
		cr_assert_not_null(strstr(e.msg, edits[i].say), "%s", e.msg);
	}
	struct err e = ERR_INIT;
	cr_assert_eq(baseline_read(&b, "/nonexistent.toml", &e), -1);
}

Test(baseline, file_names_hold_no_path)
{
	SCOPED(free) char *a = baseline_path("d", "ci gate", "../x", false), *b = baseline_path("d", "g", "n_1", true);
	cr_assert_str_eq(a, "d/ci-gate.---x.toml");
	cr_assert_str_eq(b, "d/g.n_1.proposed.toml");
}
