/* test_identity.c - remembered hashes and where they lie. A hash that outlives its file's bytes would call changed
 * weights and data the old ones. */
#include "model/base/identity.h"
#include "model/base/mem.h"
#include "tests/common/ok.h"
#include "tests/common/tempdir.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct err e;

/* As many bytes, and the time of the old content put back: what is left to tell is the inode's own time. */
Test(identity, a_file_that_changed_is_hashed_again)
{
	char *dir = tempdir_make(), hex[SHA256_HEX], want[SHA256_HEX];
	cr_assert_eq(setenv("ABLATE_CACHE", dir, 1), 0);
	SCOPED(free) char *path = tempdir_file(dir, "x", "one", 3);
	struct stat before, after;
	cr_assert_eq(stat(path, &before), 0);
	OK(identity_of_file(hex, path, &e));
	io_sha256(want, "one", 3);
	cr_expect_str_eq(hex, want);
	do { /* a clock of the file system's that ticks only some hundred times a second */
		free(tempdir_file(dir, "x", "two", 3));
		cr_assert_eq(utimensat(AT_FDCWD, path, (struct timespec[]){ before.st_atim, before.st_mtim }, 0), 0);
		cr_assert_eq(stat(path, &after), 0);
	} while (memcmp(&before.st_ctim, &after.st_ctim, sizeof before.st_ctim) == 0);
	OK(identity_of_file(hex, path, &e));
	io_sha256(want, "two", 3);
	cr_expect_str_eq(hex, want);
	tempdir_remove(dir);
}

/* It is remembered: what the cache says is believed without reading the file. */
Test(identity, a_file_as_it_was_is_not_read_again)
{
	char *dir = tempdir_make(), hex[SHA256_HEX], kept[SHA256_HEX];
	cr_assert_eq(setenv("ABLATE_CACHE", dir, 1), 0);
	SCOPED(free) char *path = tempdir_file(dir, "x", "one", 3), *now = identity_stamp(path, &e);
	SCOPED(free) char *stamp = xstrfmt("file %s %s", path, now);
	io_sha256(kept, "another", 7);
	identity_keep(kept, stamp);
	OK(identity_of_file(hex, path, &e));
	cr_expect_str_eq(hex, kept);
	tempdir_remove(dir);
}

/* A relative XDG_CACHE_HOME is to be ignored (XDG Base Directory Specification): it would be another folder from
 * wherever one starts. */
Test(identity, the_cache_is_one_folder_wherever_one_starts)
{
	static const struct {
		const char *own, *xdg, *home, *want;
	} cases[] = { { "/own", "/xdg", "/home/x", "/own" },
		          { "", "/xdg", "/home/x", "/xdg/ablate" },
		          { "", "xdg", "/home/x", "/home/x/.cache/ablate" },
		          { "", "", "/home/x", "/home/x/.cache/ablate" } };
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		cr_assert_eq(setenv("ABLATE_CACHE", cases[i].own, 1) || setenv("XDG_CACHE_HOME", cases[i].xdg, 1) ||
		                 setenv("HOME", cases[i].home, 1),
		             0);
		SCOPED(free) char *dir = io_cache_dir();
		cr_expect_str_eq(dir, cases[i].want, "case %zu", i);
	}
}
