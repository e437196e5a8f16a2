/* test_disk.c - free space of a path that is not there yet, and sizes as text. */
#include "model/base/disk.h"

#include <criterion/criterion.h>
#include <unistd.h>

Test(disk, the_room_of_what_is_not_there_yet_is_that_of_the_folder_above)
{
	double here = -1, there = -1, root = -1;
	cr_assert(disk_free(&here, "/tmp"));
	cr_assert(disk_free(&there, "/tmp/no such folder/and/none.db-runs"));
	cr_assert_gt(here, 0);
	cr_assert_leq(there / here, 1.5); /* others write meanwhile */
	cr_assert_geq(there / here, 0.5);
	cr_assert_eq(disk_free(&root, "/no-such-folder-in-root"), access("/", W_OK) == 0);
	cr_assert(disk_free(&root, "none.db-runs"));
	cr_assert(disk_free(&root, ""));
}

Test(disk, sizes_have_three_digits_and_never_a_thousand)
{
	static const struct {
		double bytes;
		const char *text;
	} of[] = { { 0, "0 B" },          { 999, "999 B" },      { 1000, "1.00 kB" },  { 9994, "9.99 kB" },
		       { 9996, "10.0 kB" },   { 99960, "100 kB" },   { 999499, "999 kB" }, { 999500, "1.00 MB" },
		       { 11.5e6, "11.5 MB" }, { 73.7e9, "73.7 GB" }, { 5e15, "5000 TB" } };
	char buf[24];
	for (size_t i = 0; i < sizeof of / sizeof *of; i++)
		cr_expect_str_eq(disk_bytes_text(buf, of[i].bytes), of[i].text);
}
