/* test_own_files.c - where a program finds its studies, weights and plugins: beside a build, in an installation, in an
 * unpacked folder, and never in a stranger's folder. A moved installation must work, and one without its data must say
 * so. */
#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/base/own_files.h"
#include "tests/common/tempdir.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *root;

static void setup(void)
{
	root = tempdir_make();
	cr_assert(unsetenv("ABLATE_DATA") == 0);
}

static void teardown(void)
{
	tempdir_remove(root);
}

TestSuite(own_files, .init = setup, .fini = teardown);

static char *at(const char *path)
{
	return xstrfmt("%s/%s", root, path);
}

static void put(const char *path)
{
	struct err e = ERR_INIT;
	SCOPED(free) char *file = at(path);
	SCOPED(free) char *folder = xstrndup(file, (size_t)(strrchr(file, '/') - file));
	cr_assert(io_mkdirs(folder, &e) == 0 && io_write_atomic(file, "x", 1, &e) == 0, "%s", e.msg);
}

/* Is NAME, for a program in the folder EXE, the file WANT (NULL: nothing)? */
static void data_is(const char *exe, const char *name, const char *want)
{
	SCOPED(free) char *folder = at(exe);
	SCOPED(free) char *found = own_data_file_of(folder, false, name);
	SCOPED(free) char *whole = want ? at(want) : NULL;
	cr_assert(want ? found && strcmp(found, whole) == 0 : !found, "%s from %s: %s, wanted %s", name, exe,
	          found ? found : "nothing", want ? want : "nothing");
}

static void plugin_is(const char *exe, const char *build, const char *name, const char *want)
{
	SCOPED(free) char *folder = at(exe);
	SCOPED(free) char *built = build ? at(build) : NULL;
	SCOPED(free) char *found = own_plugin_file_of(folder, built, name);
	SCOPED(free) char *whole = want ? at(want) : NULL;
	cr_assert(want ? found && strcmp(found, whole) == 0 : !found, "%s from %s: %s, wanted %s", name, exe,
	          found ? found : "nothing", want ? want : "nothing");
}

Test(own_files, an_installation_has_its_data_in_share)
{
	put("p/bin/ablate");
	put("p/share/ablate/ablations/quickstart.toml");
	put("p/lib/ablate/libplugin.so");
	data_is("p/bin", "ablations/quickstart.toml", "p/share/ablate/ablations/quickstart.toml");
	data_is("p/bin", "ablations/other.toml", NULL);
	plugin_is("p/bin", NULL, "libplugin.so", "p/lib/ablate/libplugin.so");
}

/* A virtual environment may be in somebody's project, whose folders have the same names as ours. */
Test(own_files, an_installation_takes_nothing_from_the_folders_above_it)
{
	put("project/venv/bin/ablate");
	put("project/ablations/quickstart.toml");
	put("project/venv/results/published.toml");
	put("project/libplugin.so");
	put("project/venv/libplugin.so");
	put("project/venv/bin/libplugin.so");
	data_is("project/venv/bin", "ablations/quickstart.toml", NULL);
	data_is("project/venv/bin", "results/published.toml", NULL);
	plugin_is("project/venv/bin", NULL, "libplugin.so", NULL);
}

Test(own_files, an_unpacked_folder_has_its_data_beside_the_program_or_above)
{
	put("tree/build/tests/test_x");
	put("tree/results/published.toml");
	put("bundle/ablations/ci-gate.toml");
	data_is("tree/build", "results/published.toml", "tree/results/published.toml");
	data_is("tree/build/tests", "results/published.toml", "tree/results/published.toml");
	data_is("bundle", "ablations/ci-gate.toml", "bundle/ablations/ci-gate.toml");
}

/* Whoever can write into a folder above the program could otherwise have it run code of theirs. A test program is one
 * folder below its build, and only there is the folder above it looked at: by the name that the build gave it. */
Test(own_files, plugins_come_from_beside_the_program_or_its_own_build)
{
	put("tree/build/tests/test_x");
	put("tree/libplugin.so");
	plugin_is("tree/build", NULL, "libplugin.so", NULL);
	plugin_is("tree/build/tests", NULL, "libplugin.so", NULL);
	put("tree/build/libplugin.so");
	plugin_is("tree/build", NULL, "libplugin.so", "tree/build/libplugin.so");
	plugin_is("tree/build/tests", NULL, "libplugin.so", NULL);
	plugin_is("tree/build/tests", "tree/build", "libplugin.so", "tree/build/libplugin.so");
	put("tree/build/tests/libother.so");
	plugin_is("tree/build/tests", "tree/build", "libother.so", NULL);
}

/* A library that lies beside a program in a folder of everybody's, like /tmp, is not the program's. */
Test(own_files, only_an_installation_carries_libraries)
{
	SCOPED(free) char *bin = at("p/bin");
	SCOPED(free) char *unpacked = at("unpacked");
	put("p/bin/ablate");
	put("p/lib/ablate/libx.so");
	put("unpacked/libx.so");
	SCOPED(free) char *want = at("p/lib/ablate/libx.so");
	SCOPED(free) char *carried = own_library_file_of(bin, "libx.so");
	SCOPED(free) char *stray = own_library_file_of(unpacked, "libx.so");
	cr_assert(carried && strcmp(carried, want) == 0 && !stray, "%s, %s", carried, stray);
}

Test(own_files, a_named_folder_is_the_only_one)
{
	SCOPED(free) char *named = at("named");
	put("p/share/ablate/results/published.toml");
	put("named/ablations/mine.toml");
	cr_assert(setenv("ABLATE_DATA", named, 1) == 0);
	data_is("p/bin", "results/published.toml", NULL);
	data_is("p/bin", "ablations/mine.toml", "named/ablations/mine.toml");
}

Test(own_files, missing_data_names_its_folder_and_the_remedy)
{
	struct err e = ERR_INIT;
	char *path;
	SCOPED(free) char *named = at("named");
	cr_assert(setenv("ABLATE_DATA", named, 1) == 0);
	cr_assert(own_data_need(&path, "results/published.toml", &e) == -1 && !path);
	cr_assert(strncmp(e.msg, named, strlen(named)) == 0 && strstr(e.msg, "results/published.toml is missing") &&
	              strstr(e.msg, "ABLATE_DATA"),
	          "%s", e.msg);
}

/* This program was built, not installed: its data is the source tree's. */
Test(own_files, a_build_finds_its_source)
{
	struct err e = ERR_INIT;
	char *path;
	cr_assert(own_is_build());
	cr_assert(own_data_need(&path, "results/published.toml", &e) == 0, "%s", e.msg);
	free(path);
}
