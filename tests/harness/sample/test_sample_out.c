/* test_sample_out.c - where samples go: names that keep their order, arrays with their classes, and nothing left of
 * what was given up. */
#define _GNU_SOURCE
#include "harness/sample/sample_out.h"
#include "model/base/io.h"
#include "model/formats/arrays.h"
#include "tests/common/ok.h"
#include "tests/common/tmpdir.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <glob.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

static struct err e;

/* How many names in the temporary folder fit; the first of them in *first. */
static size_t found(const char **first, const char *pattern)
{
	glob_t g = { 0 };
	size_t n = glob(FMT("%s/%s", tmpdir(), pattern), GLOB_PERIOD, NULL, &g) ? 0 : g.gl_pathc;
	if (first)
		*first = n ? FMT("%s", g.gl_pathv[0]) : NULL;
	globfree(&g);
	return n;
}

/* Everything but "." and "..". */
static size_t all(void)
{
	DIR *d = opendir(tmpdir());
	size_t n = 0;
	for (const struct dirent *entry; (entry = readdir(d));)
		n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	(void)closedir(d);
	return n;
}

static void add(struct sample_out *o, uint8_t grey, int64_t label)
{
	const uint8_t px[4] = { grey, grey, grey, grey };
	OK(sample_out_add(o, px, label, &e));
}

/* Other tools pair files by their order: that of names is that of samples, however many there will be. */
Test(sample_out, names_of_a_folder_sort_as_they_were_drawn)
{
	static const struct {
		int64_t n;
		const char *name;
	} cases[] = { { 3, "/00000.png" }, { 100000, "/00000.png" }, { 100001, "/0000000.png" } };
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct sample_out *o;
		const char *first;
		OK(sample_out_open(&o, TMP("many/"), cases[i].n, 2, 2, 1, &e));
		add(o, 0, -1);
		cr_assert_eq(found(&first, "*/*.png"), 1);
		cr_expect_str_eq(first + strlen(first) - strlen(cases[i].name), cases[i].name, "%s", first);
		sample_out_free(o);
		cr_expect_eq(all(), 0, "what was given up is still there");
	}
}

/* Hours of sampling end at a name that cannot be taken: it is refused before. */
Test(sample_out, a_folder_with_something_in_it_is_refused_at_once)
{
	struct sample_out *o;
	OK(io_mkdirs(TMP("full"), &e));
	OK(sample_out_open(&o, TMP("full/"), 1, 2, 2, 1, &e)); /* an empty one is replaced */
	add(o, 9, -1);
	OK(sample_out_close(o, &e));
	cr_assert_eq(found(NULL, "full/00000.png"), 1);
	cr_assert_eq(sample_out_open(&o, TMP("full/"), 1, 2, 2, 1, &e), -1);
	cr_expect(strstr(e.msg, "name a folder that does not exist yet"), "%s", e.msg);
	cr_expect_eq(found(NULL, "full/00000.png"), 1);
}

/* A full disk: the picture that was begun goes, too. */
Test(sample_out, a_picture_that_cannot_be_written_leaves_nothing)
{
	struct rlimit limit = { 10, 10 };
	struct sample_out *o;
	const uint8_t px[4] = { 1, 2, 3, 4 };
	(void)signal(SIGXFSZ, SIG_IGN);
	OK(sample_out_open(&o, TMP("cut/"), 2, 2, 2, 1, &e));
	add(o, 1, -1);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	cr_assert_eq(sample_out_add(o, px, -1, &e), -1);
	sample_out_free(o);
	cr_expect_eq(all(), 0);
}

static struct sample_out *array_of_two(const char *name, int64_t label)
{
	struct sample_out *o;
	OK(sample_out_open(&o, TMP(name), 2, 2, 2, 1, &e));
	add(o, 5, label);
	cr_expect_not(io_exists(TMP(name)), "the name is there before all is");
	add(o, 6, label < 0 ? label : label + 1);
	return o;
}

/* The bytes of an .npz are stored as they are. */
static bool holds(const char *name, const void *bytes, size_t n)
{
	SCOPED(str) struct str file = { 0 };
	OK(io_read(&file, TMP(name), 1 << 20, &e));
	return memmem(file.data, file.len, bytes, n) != NULL;
}

Test(sample_out, an_array_has_its_classes_where_there_are_any)
{
	static const uint8_t pixels[] = { 5, 5, 5, 5, 6, 6, 6, 6 };
	static const int64_t labels[] = { 3, 4 };
	OK(sample_out_close(array_of_two("with.npz", 3), &e));
	OK(sample_out_close(array_of_two("without.npz", -1), &e));
	cr_expect(holds("with.npz", pixels, sizeof pixels) && holds("without.npz", pixels, sizeof pixels));
	cr_expect(holds("with.npz", "arr_1.npy", 9) && holds("with.npz", labels, sizeof labels));
	cr_expect(!holds("without.npz", "arr_1.npy", 9));
	sample_out_free(array_of_two("given-up.npz", 0));
	cr_expect_eq(all(), 2);
}

Test(sample_out, a_name_that_says_nothing_is_refused_with_those_that_would)
{
	static const char *const bad[] = { "x.jpg", "x", "a.b/x", ".png" };
	struct sample_out *o;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		e = ERR_INIT;
		cr_expect_eq(sample_out_check(bad[i], &e), -1, "%s", bad[i]);
		cr_expect_eq(err_exit_code(&e), EXIT_USAGE);
		cr_expect_eq(sample_out_open(&o, bad[i], 1, 1, 1, 1, &e), -1);
	}
	e = ERR_INIT;
	(void)!sample_out_check("x.jpg", &e);
	cr_expect(strstr(e.msg, "-o x.png") && strstr(e.msg, "-o x/") && strstr(e.msg, "-o x.npz"), "%s", e.msg);
	cr_expect(sample_out_is_grid("a.png") && !sample_out_is_grid("a.png/") && !sample_out_is_grid("a.npz"));
}

/* A plain .npz holds 4 GiB: that is said before the first sample, not after the last. */
Test(sample_out, more_than_an_array_holds_is_refused_at_once)
{
	struct sample_out *o;
	cr_assert_eq(sample_out_open(&o, TMP("huge.npz"), (int64_t)1 << 23, 32, 32, 3, &e), -1);
	cr_expect(strstr(e.msg, "4 GiB"), "%s", e.msg);
}
