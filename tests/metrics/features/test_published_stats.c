/* test_published_stats.c - published statistics: imported into a cache folder of the test's own, opened, damaged,
 * replaced. */
#include "tests/common/ok.h"
#include "tests/common/tempdir.h"

#include "metrics/features/published_stats.h"
#include "model/base/mem.h"
#include "model/formats/npz.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *dir;
static struct err e;

static void setup(void)
{
	dir = tempdir_make();
	cr_assert_eq(setenv("ABLATE_CACHE", dir, 1), 0);
}

static void teardown(void)
{
	tempdir_remove(dir);
}

TestSuite(published_stats, .init = setup, .fini = teardown);

static const struct stats_row *row_of(const char *name)
{
	const struct stats_row *row;
	OK(stats_row_find(&row, name, &e));
	return row;
}

/* As a publisher writes them: mu [d] and sigma [d, d] = the unit matrix, and nothing else unless it is given. */
static char *published(const char *name, int64_t d, double mean, const char *protocol, int64_t n)
{
	char *path = tempdir_file(dir, name, NULL, 0);
	SCOPED(free) double *mu = xcalloc((size_t)d, sizeof *mu), *sigma = xcalloc((size_t)(d * d), sizeof *sigma);
	struct npz_writer w;
	for (int64_t i = 0; i < d; i++) {
		mu[i] = mean;
		sigma[i * d + i] = 1;
	}
	OK(npz_create(&w, path, &e));
	OK(npz_add(&w, "mu", "<f8", &d, 1, mu, &e));
	OK(npz_add(&w, "sigma", "<f8", (int64_t[]){ d, d }, 2, sigma, &e));
	if (protocol)
		OK(npz_add_text(&w, "protocol", protocol, &e));
	if (n)
		OK(npz_add(&w, "n", "<i8", NULL, 0, &n, &e));
	OK(npz_commit(&w, &e));
	return path;
}

static void refused(int rc, int code, const char *says)
{
	cr_assert_eq(rc, -1);
	cr_assert_eq(err_exit_code(&e), code, "%s", e.msg);
	cr_assert(strstr(e.msg, says), "'%s' is not in: %s", says, e.msg);
	e = ERR_INIT;
}

/* A row without a full address, or with a protocol that no extractor has, could never be used. */
Test(published_stats, every_row_says_where_and_how)
{
	static const char *const resizes[] = { "clean", "tf-bilinear", "torch-bilinear" };
	for (const struct stats_row *row = stats_rows; row->name; row++) {
		bool known = false;
		for (size_t i = 0; i < sizeof resizes / sizeof *resizes; i++) {
			SCOPED(free) char *protocol = xstrfmt("inception-2015:%s:u8", resizes[i]);
			known |= strcmp(row->protocol, protocol) == 0;
		}
		cr_assert(known, "%s: %s", row->name, row->protocol);
		cr_assert(strncmp(row->url, "https://", 8) == 0 && strstr(row->url, ".npz"), "%s", row->name);
		cr_assert(*row->text && row->n >= 0 && !strpbrk(row->name, ":/ "), "%s", row->name);
		for (const struct stats_row *other = row + 1; other->name; other++)
			cr_assert(strcmp(row->name, other->name) != 0 && strcmp(row->url, other->url) != 0, "%s", row->name);
	}
}

/* What the publisher leaves out is there for every reader of the copy, by name and by path. */
Test(published_stats, a_copy_has_the_protocol_and_the_number)
{
	const struct stats_row *row = row_of("cifar10-clean-train");
	SCOPED(free) char *file = published("clean.npz", STATS_DIM, 0.25, NULL, 0), *path = stats_path(row);
	char sha256[SHA256_HEX], of_file[SHA256_HEX], again[SHA256_HEX];
	cr_assert(!stats_here(row));
	OK(stats_import(row, file, sha256, &e));
	cr_assert(stats_here(row));
	OK(io_sha256_file(of_file, file, &e));
	cr_assert_str_eq(sha256, of_file);
	OK(stats_check(row, again, &e));
	cr_assert_str_eq(again, sha256);
	for (int by_path = 0; by_path < 2; by_path++) {
		SCOPED(feature_set) struct feature_set f = { 0 };
		OK(by_path ? feature_set_load(&f, path, &e) : stats_open(&f, row->name, &e));
		cr_assert_str_eq(f.protocol, "inception-2015:clean:u8");
		cr_assert_eq(f.n, 50000);
		cr_assert(f.mu[FEATURE_POOL] && f.dim[FEATURE_POOL] == STATS_DIM && f.mu[FEATURE_POOL][7] == 0.25);
		cr_assert(f.sigma[FEATURE_POOL][STATS_DIM + 1] == 1 && f.sigma[FEATURE_POOL][1] == 0);
	}
}

/* Images resized otherwise are another protocol: the distance is refused, which is what the row is for. */
Test(published_stats, another_resize_is_refused)
{
	const struct stats_row *row = row_of("cifar10-edm");
	SCOPED(free) char *file = published("edm.npz", STATS_DIM, 0, NULL, 0);
	SCOPED(feature_set) struct feature_set f = { 0 };
	char sha256[SHA256_HEX];
	OK(stats_import(row, file, sha256, &e));
	OK(stats_open(&f, row->name, &e));
	OK(protocol_check(f.protocol, "stats", "inception-2015:tf-bilinear:u8", "a", &e));
	refused(protocol_check(f.protocol, "stats", "inception-2015:torch-bilinear:u8", "a", &e), EXIT_RECORD,
	        "not comparable");
	refused(protocol_check(f.protocol, "stats", "inception-2015@12345678:tf-bilinear:u8", "a", &e), EXIT_RECORD,
	        "not comparable");
}

Test(published_stats, files_that_are_not_these_statistics)
{
	const struct stats_row *row = row_of("cifar10-clean-train");
	char sha256[SHA256_HEX];
	SCOPED(free)
	char *small = published("small.npz", 64, 0, NULL, 0),
		 *other = published("other.npz", STATS_DIM, 0, "inception-2015:tf-bilinear:u8", 0),
		 *test = published("test.npz", STATS_DIM, 0, NULL, 10000), *text = tempdir_file(dir, "x.npz", "text", 4),
		 *none = tempdir_file(dir, "none.npz", NULL, 0);
	refused(stats_import(row, small, sha256, &e), EXIT_INCOMPLETE, "mu has 64 values");
	refused(stats_import(row, other, sha256, &e), EXIT_RECORD, "not comparable");
	refused(stats_import(row, test, sha256, &e), EXIT_INCOMPLETE, "of 10000 pictures");
	refused(stats_import(row, text, sha256, &e), EXIT_INCOMPLETE, "x.npz");
	refused(stats_import(row, none, sha256, &e), EXIT_INCOMPLETE, "none.npz");
	cr_assert(!stats_here(row)); /* nothing is kept of them */
}

/* Nobody publishes a hash, so the first source counts: a second one is named, and taken only when the user says so. */
Test(published_stats, the_first_source_counts)
{
	const struct stats_row *row = row_of("imagenet64-adm");
	SCOPED(free)
	char *first = published("1.npz", STATS_DIM, 0, NULL, 0), *second = published("2.npz", STATS_DIM, 1, NULL, 0),
		 *note = xstrfmt("%s/stats/%s.imported", dir, row->name);
	char sha256[SHA256_HEX];
	OK(stats_import(row, first, sha256, &e));
	OK(stats_import(row, first, sha256, &e));
	refused(stats_import(row, second, sha256, &e), EXIT_RECORD, note);
	SCOPED(feature_set) struct feature_set f = { 0 };
	OK(stats_open(&f, row->name, &e));
	cr_assert(f.mu[FEATURE_POOL][0] == 0);
	cr_assert_eq(unlink(note), 0);
	OK(stats_import(row, second, sha256, &e));
}

Test(published_stats, a_copy_that_has_changed_is_refused)
{
	const struct stats_row *row = row_of("cifar10-clean-test");
	SCOPED(free)
	char *file = published("t.npz", STATS_DIM, 0, NULL, 0), *path = stats_path(row),
		 *note = xstrfmt("%s/stats/%s.imported", dir, row->name);
	SCOPED(feature_set) struct feature_set f = { 0 };
	char sha256[SHA256_HEX];
	refused(stats_open(&f, row->name, &e), EXIT_INCOMPLETE, "ablate stats fetch cifar10-clean-test");
	OK(stats_import(row, file, sha256, &e));
	SCOPED(free) char *forged = published("f.npz", STATS_DIM, 3, "inception-2015:clean:u8", 10000);
	cr_assert_eq(rename(forged, path), 0);
	refused(stats_open(&f, row->name, &e), EXIT_RECORD, "is not what was imported");
	OK(stats_import(row, file, sha256, &e));
	OK(stats_check(row, sha256, &e));
	cr_assert_eq(unlink(note), 0);
	refused(stats_check(row, sha256, &e), EXIT_RECORD, "nothing says that it was imported here");
}

Test(published_stats, names)
{
	struct feature_set f;
	cr_assert_str_eq(stats_named("stats:cifar10-edm"), "cifar10-edm");
	cr_assert_null(stats_named("stats/cifar10-edm"));
	refused(stats_open(&f, "cifar10", &e), EXIT_USAGE, "no statistics 'cifar10'; known are: cifar10-clean-train,");
}

/* A grid's reference is judged before anything trains: of the published ones those that PyTorch's resize made fit the
 * extractor's own, and no other extractor. */
Test(published_stats, fit_the_extractor_with_its_own_resize)
{
	for (const struct stats_row *row = stats_rows; row->name; row++) {
		cr_expect_eq(stats_fit(row, "inception-2015"), strncmp(row->name, "cifar10-pytorch-", 16) == 0, "%s",
		             row->name);
		cr_expect(!stats_fit(row, "inception") && !stats_fit(row, "pixels"), "%s", row->name);
	}
}
