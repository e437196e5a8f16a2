/* test_cpus.c - the processors that a control group leaves: made-up /proc and /sys trees of both versions, nested, in
 * containers, torn. */
#include "harness/record/cpus.h"

#include "model/base/io.h"
#include "model/base/str.h"
#include "tests/common/tmpdir.h"

#include <criterion/criterion.h>
#include <limits.h>
#include <math.h>
#include <string.h>

static int n_roots;

static void put(const char *root, const char *path, const char *text)
{
	struct err e = ERR_INIT;
	char *whole = FMT("%s%s", root, path), *folder = FMT("%s", whole);
	*strrchr(folder, '/') = '\0';
	cr_assert(io_mkdirs(folder, &e) == 0 && io_write_atomic(whole, text, strlen(text), &e) == 0, "%s", e.msg);
}

/* A root whose /proc/self has these two files; NULL: not there. */
static const char *a_root(const char *cgroup, const char *mountinfo)
{
	const char *root = FMT("%s/root%d", tmpdir(), n_roots++);
	if (cgroup)
		put(root, "/proc/self/cgroup", cgroup);
	if (mountinfo)
		put(root, "/proc/self/mountinfo", mountinfo);
	return root;
}

static void quota_is(const char *root, double quota, const char *from)
{
	struct cpus c;
	cpus_find(&c, root);
	cr_assert(c.quota == quota, "%g, not %g", c.quota, quota);
	cr_assert_str_eq(c.quota_from, from);
	cr_assert(c.usable >= 1 && c.usable <= c.affinity && c.affinity <= c.online);
	cr_assert(c.usable == c.affinity || c.usable == cpus_of_quota(quota));
}

#define OTHERS   "22 1 0:5 / /proc rw - proc proc rw\n23 1 0:6 / / rw - ext4 /dev/vda rw,cpu\n"
#define MOUNT_V2 OTHERS "24 23 0:27 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n"
#define MOUNT_V1 \
	OTHERS "30 23 0:30 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n" \
		   "31 23 0:31 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 master:2 - cgroup cgroup rw,cpu,cpuacct\n"

Test(cpus, a_machine_without_control_groups_has_no_quota)
{
	struct cpus c;
	cpus_find(&c, a_root(NULL, NULL));
	cr_assert(isinf(c.quota) && c.usable == c.affinity && c.affinity >= 1 && !*c.quota_from);
	quota_is(a_root("", ""), INFINITY, "");
	quota_is(a_root("0::/a\n", OTHERS), INFINITY, "");
	quota_is(a_root(NULL, MOUNT_V2), INFINITY, "");
	quota_is(a_root("0::/a\n", MOUNT_V2), INFINITY, "");
}

Test(cpus, version_2_is_the_least_of_the_group_and_those_above_it)
{
	const char *root = a_root("0::/user/job/step\n", MOUNT_V2);
	put(root, "/sys/fs/cgroup/user/job/step/cpu.max", "max 100000\n");
	quota_is(root, INFINITY, "");
	put(root, "/sys/fs/cgroup/user/job/step/cpu.max", "150000 100000\n");
	quota_is(root, 1.5, "/sys/fs/cgroup/user/job/step/cpu.max");
	put(root, "/sys/fs/cgroup/user/job/cpu.max", "400000 100000\n");
	quota_is(root, 1.5, "/sys/fs/cgroup/user/job/step/cpu.max");
	put(root, "/sys/fs/cgroup/user/cpu.max", "25000 50000\n");
	quota_is(root, 0.5, "/sys/fs/cgroup/user/cpu.max");
	put(root, "/sys/fs/cgroup/cpu.max", "10000 100000\n"); /* of what is mounted: a container's own group */
	quota_is(root, 0.1, "/sys/fs/cgroup/cpu.max");
	put(root, "/sys/fs/cgroup/user/other/cpu.max", "1000 100000\n");
	quota_is(root, 0.1, "/sys/fs/cgroup/cpu.max");
}

Test(cpus, version_1_reads_the_hierarchy_of_the_cpu_controller)
{
	const char *root = a_root("3:cpuset:/c\n2:cpu,cpuacct:/a/b\n1:name=systemd:/x\n", MOUNT_V1);
	put(root, "/sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us", "-1\n");
	put(root, "/sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_period_us", "100000\n");
	put(root, "/sys/fs/cgroup/cpuset/c/cpu.cfs_quota_us", "1000\n"); /* not the one that counts */
	put(root, "/sys/fs/cgroup/cpuset/c/cpu.cfs_period_us", "100000\n");
	quota_is(root, INFINITY, "");
	put(root, "/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "50000\n");
	quota_is(root, INFINITY, ""); /* without a period there is no limit */
	put(root, "/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n");
	quota_is(root, 0.5, "/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us");
}

Test(cpus, both_versions_at_once)
{
	const char *root = a_root("2:cpu:/a\n0::/b\n",
	                          OTHERS "31 23 0:31 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
	                                 "32 23 0:32 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
	put(root, "/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "200000");
	put(root, "/sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000");
	quota_is(root, 2, "/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us");
	put(root, "/sys/fs/cgroup/unified/b/cpu.max", "100000 100000");
	quota_is(root, 1, "/sys/fs/cgroup/unified/b/cpu.max");
}

Test(cpus, a_container_sees_its_group_as_the_host_does_or_as_the_root)
{
	/* the host's names, and only its own group mounted (version 1 as a rule) */
	const char *root = a_root("2:cpu:/docker/abc/sub\n",
	                          OTHERS "31 23 0:31 /docker/abc /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n");
	put(root, "/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "30000");
	put(root, "/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000");
	quota_is(root, 0.3, "/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
	put(root, "/sys/fs/cgroup/cpu/sub/cpu.cfs_quota_us", "20000");
	put(root, "/sys/fs/cgroup/cpu/sub/cpu.cfs_period_us", "100000");
	quota_is(root, 0.2, "/sys/fs/cgroup/cpu/sub/cpu.cfs_quota_us");
	/* a name space of its own: the group is the root */
	root = a_root("0::/\n", MOUNT_V2);
	put(root, "/sys/fs/cgroup/cpu.max", "70000 100000");
	quota_is(root, 0.7, "/sys/fs/cgroup/cpu.max");
	/* names and mount of different name spaces: what is mounted counts */
	root = a_root("0::/\n", OTHERS "24 23 0:27 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
	put(root, "/sys/fs/cgroup/cpu.max", "60000 100000");
	quota_is(root, 0.6, "/sys/fs/cgroup/cpu.max");
	root = a_root("0::/../elsewhere\n", OTHERS "24 23 0:27 /../x /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
	put(root, "/sys/fs/cgroup/cpu.max", "80000 100000");
	quota_is(root, 0.8, "/sys/fs/cgroup/cpu.max");
	/* of two mounts the one that holds the group, whichever comes first; /docker/ab is not above /docker/abc */
	for (int first = 0; first < 2; first++) {
		const char *ours = "24 23 0:27 /docker/abc /ours rw - cgroup2 cgroup2 rw\n",
				   *theirs = "25 23 0:27 /docker/ab /theirs rw - cgroup2 cgroup2 rw\n";
		root = a_root("0::/docker/abc\n", FMT("%s%s", first ? theirs : ours, first ? ours : theirs));
		put(root, "/ours/cpu.max", "90000 100000");
		put(root, "/theirs/cpu.max", "10000 100000");
		quota_is(root, 0.9, "/ours/cpu.max");
	}
}

Test(cpus, blanks_in_a_path_are_written_in_octal)
{
	const char *root = a_root("0::/a b\n", "24 23 0:27 / /sys/c\\040g rw - cgroup2 cgroup2 rw\n");
	put(root, "/sys/c g/a b/cpu.max", "50000 100000");
	quota_is(root, 0.5, "/sys/c g/a b/cpu.max");
}

Test(cpus, what_is_no_number_is_no_limit)
{
	static const char *const texts[] = { "",           "\n",       "x",         "50000",         "50000 x",
		                                 "50000 0",    "0 100000", "-5 100000", "50000x 100000", "max",
		                                 "1e3 100000", "5 max" };
	const char *root = a_root(
		"garbage\n:\n::\n0:\n0::\n0::relative\n9:cpu\n0::/a\n",
		"x\n - \n24 23\n24 23 0:27 / - cgroup2\n24 23 0:27 / /sys/fs/cgroup rw - cgroup2\n" MOUNT_V2);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		put(root, "/sys/fs/cgroup/a/cpu.max", texts[i]);
		quota_is(root, INFINITY, "");
	}
	put(root, "/sys/fs/cgroup/a/cpu.max", "50000 100000");
	quota_is(root, 0.5, "/sys/fs/cgroup/a/cpu.max");
}

Test(cpus, threads_of_a_quota)
{
	static const struct {
		double quota;
		int threads;
	} cases[] = { { 0.01, 1 }, { 0.5, 1 }, { 0.99, 1 },           { 1, 1 },          { 1.4, 1 }, { 1.5, 2 }, { 2, 2 },
		          { 3.3, 3 },  { 64, 64 }, { INFINITY, INT_MAX }, { 1e300, INT_MAX } };
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		cr_assert_eq(cpus_of_quota(cases[i].quota), cases[i].threads, "%g", cases[i].quota);
}
