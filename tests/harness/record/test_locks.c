/* test_locks.c - which mounts keep a lock to their own machine. */
#include "harness/record/locks.h"

#include <criterion/criterion.h>

#define LINE(at, type, mine, own) "36 35 0:31 / " at " " mine " shared:1 - " type " server:/x " own "\n"
#define ROOT                      LINE("/", "ext4", "rw", "rw,errors=remount-ro")

static const struct {
	const char *mounts, *path, *why; /* why: "" where locks reach others */
} cases[] = {
	{ ROOT, "/home/x.db", "" },
	{ ROOT LINE("/home", "nfs4", "rw", "rw,vers=4.2,local_lock=none"), "/home/x.db", "" },
	{ ROOT LINE("/home", "nfs4", "rw", "rw,vers=4.2,local_lock=all"), "/home/x.db",
	  "nfs4, mounted with local_lock=all" },
	{ ROOT LINE("/home", "nfs", "rw", "rw,vers=3,nolock,local_lock=all"), "/home/a/x.db", "nfs, mounted with nolock" },
	{ ROOT LINE("/home", "nfs", "rw", "rw,local_lock=posix"), "/home", "nfs, mounted with local_lock=posix" },
	/* flock(2) alone: ours are fcntl's */
	{ ROOT LINE("/home", "nfs", "rw", "rw,local_lock=flock"), "/home/x.db", "" },
	{ ROOT LINE("/mnt", "cifs", "rw", "rw,nobrl"), "/mnt/x.db", "cifs, mounted with nobrl" },
	{ ROOT LINE("/lustre", "lustre", "rw", "rw,localflock"), "/lustre/x.db", "lustre, mounted with localflock" },
	{ ROOT LINE("/lustre", "lustre", "rw", "rw,flock"), "/lustre/x.db", "" },
	/* a word within another is not the option, a folder within a name not the folder */
	{ ROOT LINE("/home", "nfs", "rw", "rw,xnolock,nolocks"), "/home/x.db", "" },
	{ ROOT LINE("/home", "nfs", "rw", "rw,nolock"), "/home2/x.db", "" },
	/* the deepest decides, and of two at one place the later */
	{ ROOT LINE("/home", "nfs", "rw", "rw,nolock") LINE("/home/local", "ext4", "rw", "rw"), "/home/local/x.db", "" },
	{ ROOT LINE("/home/far", "nfs", "rw", "rw,nolock") LINE("/home", "ext4", "rw", "rw"), "/home/far/x.db",
	  "nfs, mounted with nolock" },
	{ ROOT LINE("/home", "nfs", "rw", "rw,nolock") LINE("/home", "xfs", "rw", "rw"), "/home/x.db", "" },
	{ ROOT LINE("/my\\040data", "nfs", "rw", "rw,nolock"), "/my data/x.db", "nfs, mounted with nolock" },
	/* nothing to go by */
	{ "", "/home/x.db", "" },
	{ "no line of a mount\n\n36 35 0:31 / \n", "/home/x.db", "" },
};

Test(locks, the_options_of_a_mount_decide)
{
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char why[128];
		bool reach = locks_of_mounts(why, cases[i].mounts, cases[i].path);
		cr_expect_str_eq(why, cases[i].why, "%s", cases[i].mounts);
		cr_expect_eq(reach, !*cases[i].why, "%s", cases[i].mounts);
	}
}
