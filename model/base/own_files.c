/* own_files.c - see own_files.h. */
#define _GNU_SOURCE
#include "model/base/own_files.h"

#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/base/env.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DATA_OF_BIN    "../share/ablate" /* as CMakeLists.txt installs */
#define PLUGINS_OF_BIN "../lib/ablate"

/* The folder of this program, without links; "" when the kernel does not say. */
static void exe_folder(char out[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 1);
	out[n > 0 ? n : 0] = '\0';
	char *slash = strrchr(out, '/');
	if (slash)
		slash[slash == out] = '\0';
}

static const char *last_part(const char *folder)
{
	const char *slash = strrchr(folder, '/');
	return slash ? slash + 1 : folder;
}

static bool is_installed(const char *exe)
{
	return strcmp(last_part(exe), "bin") == 0;
}

/* FOLDER/STEP/NAME if it is there. */
static char *file_in(const char *folder, const char *step, const char *name)
{
	char *path = xstrfmt("%s/%s%s%s", folder, step, *step ? "/" : "", name), *whole;
	if (!io_exists(path)) {
		free(path);
		return NULL;
	}
	whole = realpath(path, NULL); /* without ".." in messages */
	if (!whole)
		return path;
	free(path);
	return whole;
}

bool own_is_build(void)
{
	char exe[PATH_MAX];
	SCOPED(free) char *build = realpath(ABLATE_BINARY_DIR, NULL);
	exe_folder(exe);
	size_t n = build ? strlen(build) : 0;
	return n && strncmp(exe, build, n) == 0 && (!exe[n] || strcmp(exe + n, "/tests") == 0);
}

/* The folder that a user should look at when data is missing. */
static char *data_folder(const char *exe, bool build)
{
	const char *named = env_get(ENV_ABLATE_DATA);
	if (named && *named)
		return xstrdup(named);
	if (build)
		return xstrdup(ABLATE_SOURCE_DIR);
	if (!is_installed(exe))
		return xstrdup(exe);
	SCOPED(free) char *prefix = xstrndup(exe, (size_t)(last_part(exe) - exe));
	return xstrfmt("%sshare/ablate", prefix);
}

char *own_data_file_of(const char *exe, bool build, const char *name)
{
	static const char *const unpacked[] = { "", "..", "../.." };
	const char *named = env_get(ENV_ABLATE_DATA);
	if (named && *named)
		return file_in(named, "", name);
	if (build)
		return file_in(ABLATE_SOURCE_DIR, "", name);
	if (is_installed(exe))
		return file_in(exe, DATA_OF_BIN, name);
	char *found = NULL;
	for (size_t i = 0; i < sizeof unpacked / sizeof *unpacked && !found; i++)
		found = file_in(exe, unpacked[i], name);
	return found;
}

/* The name is kept as it is found: that it is a link is for plugin_open to see. */
char *own_plugin_file_of(const char *exe, const char *build, const char *name)
{
	SCOPED(free) char *step = build ? xstrdup(build) : is_installed(exe) ? xstrfmt("%s/" PLUGINS_OF_BIN, exe) : NULL;
	SCOPED(free) char *folder = realpath(step ? step : exe, NULL); /* without ".." in messages */
	struct stat st;
	char *path = folder ? xstrfmt("%s/%s", folder, name) : NULL;
	if (!path || lstat(path, &st) == 0)
		return path;
	free(path);
	return NULL;
}

char *own_library_file_of(const char *exe, const char *name)
{
	return is_installed(exe) ? file_in(exe, PLUGINS_OF_BIN, name) : NULL;
}

char *own_data_file(const char *name)
{
	char exe[PATH_MAX];
	exe_folder(exe);
	return own_data_file_of(exe, own_is_build(), name);
}

char *own_plugin_file(const char *name)
{
	char exe[PATH_MAX];
	exe_folder(exe);
	return own_plugin_file_of(exe, own_is_build() ? ABLATE_BINARY_DIR : NULL, name);
}

char *own_library_file(const char *name)
{
	char exe[PATH_MAX];
	exe_folder(exe);
	return own_library_file_of(exe, name);
}

int own_data_need(char **out, const char *name, struct err *e)
{
	char exe[PATH_MAX];
	*out = own_data_file(name);
	if (*out)
		return 0;
	exe_folder(exe);
	SCOPED(free) char *folder = data_folder(exe, own_is_build());
	return err_set(
		e, "%s/%s is missing: the installation is incomplete; reinstall ablate, or name its data folder in ABLATE_DATA",
		folder, name);
}
