/* fetch.c - see fetch.h. */
#define _GNU_SOURCE
#include "model/base/fetch.h"

#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/base/temporary.h"

#include <errno.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FETCH_MAX_BYTES "2000000000"

static int download(const char *url, const char *path, bool quiet, struct err *e)
{
	const char *argv[] = { "curl",
		                   "--fail",
		                   "--location",
		                   "--proto",
		                   "=https",
		                   "--proto-redir",
		                   "=https",
		                   "--max-filesize",
		                   FETCH_MAX_BYTES,
		                   "--connect-timeout",
		                   "30",
		                   quiet ? "--silent" : "--progress-bar",
		                   "--show-error",
		                   "--output",
		                   path,
		                   url,
		                   NULL };
	pid_t child;
	int status, failed = posix_spawnp(&child, "curl", NULL, NULL, (char *const *)(uintptr_t)argv, environ);
	if (failed)
		return err_set(e, "cannot run curl: %s; download %s yourself and import the file", strerror(failed), url);
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return err_set(e, "cannot wait for curl: %s", strerror(errno));
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return err_set(e, "%s: curl failed (exit %d)", url, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
	return 0;
}

int fetch_https(const char *url, const char *folder, bool quiet,
                int (*take)(void *ctx, const char *file, struct err *e), void *ctx, struct err *e)
{
	SCOPED(free) char *download_to = xstrfmt("%s/fetch", folder), *own = NULL;
	if (io_temporary_folder(&own, download_to, e))
		return -1;
	SCOPED(free) char *file = xstrfmt("%s/%s", own, strrchr(url, '/') + 1);
	int temporary = temporary_remember(own);
	int rc = download(url, file, quiet, e) || take(ctx, file, e) ? -1 : 0;
	(void)unlink(file);
	(void)rmdir(own);
	temporary_forget(temporary);
	return rc;
}
