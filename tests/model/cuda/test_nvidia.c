/* test_nvidia.c - how libraries of NVIDIA's are opened at run time, with the C library's own in their place: found,
 * left out, named by the environment, missing, without a function that is wanted, and in Python's packages. */
#define _GNU_SOURCE /* dlinfo */
#include "model/cuda/nvidia.h"
#include "model/cuda/wheels.h"
#include "tests/common/tempdir.h"

#include <criterion/criterion.h>
#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static double (*cosine)(double);

static const struct nvidia_row present = { .name = "libm", .file = "libm.so.6", .variable = ENV_ABLATE_NCCL },
							   missing = { .name = "none", .file = "libnonexistent.so.9", .variable = ENV_ABLATE_NCCL };

static bool open_as(struct nvidia_library *l, const char *function)
{
	const struct nvidia_function functions[] = { { function, &cosine }, { NULL, NULL } };
	l->functions = functions;
	return nvidia_open(l);
}

Test(nvidia, functions_are_found_and_work)
{
	struct nvidia_library l = { .row = &present };
	cr_assert(open_as(&l, "cos"), "%s", l.why_not);
	cr_assert_eq(cosine(0), 1);
	cr_assert_str_empty(l.why_not);
	cr_assert(open_as(&l, "cos"));
}

Test(nvidia, none_leaves_it_out)
{
	struct nvidia_library l = { .row = &present };
	cr_assert_eq(setenv("ABLATE_NCCL", "none", 1), 0);
	cr_assert_not(open_as(&l, "cos"));
	cr_assert_str_eq(l.why_not, "ABLATE_NCCL=none");
	cr_assert(nvidia_unwanted(&present));
}

Test(nvidia, the_environment_names_another_file)
{
	struct nvidia_library l = { .row = &missing };
	cr_assert_eq(setenv("ABLATE_NCCL", "libm.so.6", 1), 0);
	cr_assert(open_as(&l, "cos"), "%s", l.why_not);
	l = (struct nvidia_library){ .row = &present };
	cr_assert_eq(setenv("ABLATE_NCCL", "/nonexistent/lib.so", 1), 0);
	cr_assert_not(open_as(&l, "cos"));
	cr_assert_str_eq(l.why_not, "no /nonexistent/lib.so");
}

Test(nvidia, missing_is_told_and_asked_once)
{
	struct nvidia_library l = { .row = &missing };
	cr_assert_not(open_as(&l, "cos"));
	cr_assert_str_eq(l.why_not, "no libnonexistent.so.9");
	l.row = &present;
	cr_assert_not(open_as(&l, "cos"));
}

/* cuDNN 8 beside a plugin that needs 9: without this, a machine that has the library is told that it has none. */
Test(nvidia, another_major_version_is_named)
{
	static const struct nvidia_row newer = { .name = "libm", .file = "libm.so.7", .variable = ENV_ABLATE_NCCL };
	struct nvidia_library l = { .row = &newer };
	cr_assert_not(open_as(&l, "cos"));
	cr_assert_str_eq(l.why_not, "no libm.so.7; libm.so.6 is another major version");
}

Test(nvidia, one_without_a_function_is_not_used)
{
	struct nvidia_library l = { .row = &present };
	cr_assert_not(open_as(&l, "a_function_of_tomorrow"));
	cr_assert_str_eq(l.why_not, "libm.so.6 has no a_function_of_tomorrow");
	cr_assert_null(l.handle);
}

Test(nvidia, text_of_an_open_library_and_of_its_substitute)
{
	struct nvidia_library l = { .row = &missing };
	char text[64];
	cr_assert_not(nvidia_open(&l));
	nvidia_text(text, sizeof text, &l, 0, "own work");
	cr_assert_str_eq(text, "own work (no libnonexistent.so.9)");
	nvidia_text(text, sizeof text, &l, 90103, "own work");
	cr_assert_str_eq(text, "none 9.1.3");
}

/* ---- Python's packages: where PyTorch alone brought the libraries, no linker finds them --------- */

static char *site; /* as site-packages: nvidia/cu13/lib/libnonexistent.so.9 */

static const char *inside(const char *what)
{
	static char paths[4][PATH_MAX];
	static int next;
	char *path = paths[next++ % 4];
	(void)snprintf(path, PATH_MAX, "%s/%s", site, what);
	return path;
}

static void write_file(const char *path, const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");
	cr_assert(f);
	(void)fputs(text, f);
	cr_assert_eq(fclose(f), 0);
	cr_assert_eq(chmod(path, mode), 0);
}

static void lay_out(void)
{
	static const char *const folders[] = { "nvidia",       "nvidia/cu13",      "nvidia/cu13/lib",
		                                   "nvidia/cudnn", "nvidia/cudnn/lib", "bin",
		                                   "here",         "here/nvidia" };
	struct link_map *libm;
	void *handle = dlopen("libm.so.6", RTLD_NOW);
	site = tempdir_make();
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
		cr_assert_eq(mkdir(inside(folders[i]), 0755), 0);
	cr_assert(handle && dlinfo(handle, RTLD_DI_LINKMAP, &libm) == 0);
	cr_assert_eq(symlink(libm->l_name, inside("nvidia/cu13/lib/libnonexistent.so.9")), 0);
	write_file(inside("nvidia/cudnn/lib/libbroken.so.9"), "no library", 0644);
	cr_assert_eq(setenv("SITE", site, 1), 0);
	cr_assert_eq(unsetenv("VIRTUAL_ENV"), 0);
	cr_assert_eq(unsetenv("ABLATE_NVIDIA"), 0);
}

static void clear_away(void)
{
	tempdir_remove(site);
}

/* A Python of the test's own, first in PATH. */
static void python_is(const char *script)
{
	char text[256], path[2 * PATH_MAX];
	(void)snprintf(text, sizeof text, "#!/bin/sh\n%s\n", script);
	write_file(inside("bin/python3"), text, 0755);
	(void)snprintf(path, sizeof path, "%s:%s", inside("bin"), getenv("PATH"));
	cr_assert_eq(setenv("PATH", path, 1), 0);
}

TestSuite(wheels, .init = lay_out, .fini = clear_away);

Test(wheels, the_environment_names_their_folder)
{
	struct nvidia_library l = { .row = &missing };
	cr_assert_eq(setenv("ABLATE_NVIDIA", inside("nvidia"), 1), 0);
	cr_assert(open_as(&l, "cos"), "%s", l.why_not);
	cr_assert_eq(setenv("ABLATE_NVIDIA", inside("nvidia/cu13/lib"), 1), 0); /* and that of the library itself */
	l = (struct nvidia_library){ .row = &missing };
	cr_assert(open_as(&l, "cos"), "%s", l.why_not);
}

/* Asked once, however many libraries are looked for, and only when the linker has none. */
Test(wheels, python_is_asked_once_and_late)
{
	struct nvidia_library there = { .row = &present }, l = { .row = &missing }, again = l;
	struct stat calls;
	python_is("echo $SITE/none-such; echo $SITE/nvidia; echo >>$SITE/calls");
	cr_assert(open_as(&there, "cos"), "%s", there.why_not);
	cr_assert_neq(access(inside("calls"), F_OK), 0);
	cr_assert(open_as(&l, "cos"), "%s", l.why_not);
	cr_assert(open_as(&again, "cos"), "%s", again.why_not);
	cr_assert_eq(stat(inside("calls"), &calls), 0);
	cr_assert_eq(calls.st_size, 1);
}

Test(wheels, a_named_folder_keeps_python_out)
{
	struct nvidia_library l = { .row = &missing };
	python_is("echo $SITE/nvidia");
	cr_assert_eq(setenv("ABLATE_NVIDIA", "/nonexistent", 1), 0);
	cr_assert_not(open_as(&l, "cos"));
	cr_assert_str_eq(l.why_not, "no libnonexistent.so.9");
}

Test(wheels, the_virtual_environment_is_asked_first)
{
	struct nvidia_library l = { .row = &missing };
	python_is("echo $SITE/nvidia");
	cr_assert_eq(setenv("VIRTUAL_ENV", site, 1), 0);
	cr_assert_eq(setenv("PATH", "/nonexistent", 1), 0);
	cr_assert(open_as(&l, "cos"), "%s", l.why_not);
}

/* What is there and cannot be opened is named with the linker's reason: "no FILE" would send people to install it. */
Test(wheels, a_broken_one_says_why)
{
	static const struct nvidia_row broken = { .name = "none", .file = "libbroken.so.9", .variable = ENV_ABLATE_NCCL };
	struct nvidia_library l = { .row = &broken };
	python_is("echo $SITE/nvidia");
	cr_assert_not(open_as(&l, "cos"));
	cr_assert(strstr(l.why_not, "nvidia/cudnn/lib/libbroken.so.9: "), "%s", l.why_not);
}

Test(wheels, a_python_that_hangs_fails_or_talks_without_end_is_left)
{
	static const char *const scripts[] = { "exec sleep 60", "echo $SITE/nvidia; exit 1", "exec yes /nvidia",
		                                   "echo no folder" };
	char out[256];
	struct timespec start, end;
	(void)clock_gettime(CLOCK_MONOTONIC, &start);
	for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
		python_is(scripts[i]);
		cr_expect_not(wheels_ask(out, sizeof out, "python3", 300), "%s", scripts[i]);
		cr_expect_str_empty(out, "%s", scripts[i]);
	}
	cr_expect_not(wheels_ask(out, sizeof out, "/nonexistent/python3", 300));
	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	cr_assert_lt(end.tv_sec - start.tv_sec, 20);
}

/* The question itself, put to this machine's Python: of the folder that packages are in, not of the current one. */
Test(wheels, a_real_python_answers)
{
	char out[4096];
	cr_assert_eq(chdir(inside("here")), 0);
	cr_assert_eq(setenv("PYTHONPATH", site, 1), 0);
	if (!wheels_ask(out, sizeof out, "python3", 30000))
		cr_skip_test("no python3 that answers");
	cr_assert(strstr(out, inside("nvidia")), "%s", out);
	cr_assert_not(strstr(out, inside("here")), "%s", out);
}
