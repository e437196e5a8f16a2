/* weights_fetch.c - the one place of the program that reaches the network, and only when told to: the curl program, https
 * alone, bounded in size, checked against the published hash before anything is kept. */
#define _GNU_SOURCE
#include "weights.h"

#include "model/base/mem.h"

#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define FETCH_MAX_BYTES "2000000000"

static int run_curl(const char *url, const char *path, bool quiet, struct err *e)
{
	const char *argv[] = { "curl", "--fail", "--location", "--proto", "=https", "--proto-redir", "=https", "--max-filesize",
		                   FETCH_MAX_BYTES, "--connect-timeout", "30", quiet ? "--silent" : "--progress-bar", "--show-error",
		                   "--output", path, url, NULL };
	pid_t child;
	int status, failed = posix_spawnp(&child, "curl", NULL, NULL, (char *const *)(uintptr_t)argv, environ);
	if (failed)
		return err_set(e, "cannot run curl: %s; download %s yourself and import it", strerror(failed), url);
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return err_set(e, "cannot wait for curl: %s", strerror(errno));
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return err_set(e, "%s: curl failed (exit %d)", url, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
	return 0;
}

int weights_fetch(const struct weights_row *row, bool quiet, struct err *e)
{
	if (!row->url)
		return err_set(e, "weights %s have no address to fetch from: `ablate weights import %s FILE`", row->name, row->name);
	SCOPED(free) char *cache = io_cache_dir();
	SCOPED(free) char *folder = xstrfmt("%s/weights", cache);
	SCOPED(free) char *part = xstrfmt("%s/%s.part-%ld", folder, strrchr(row->url, '/') + 1, (long)getpid());
	char sha256[SHA256_HEX];
	int rc = io_mkdirs(folder, e) || run_curl(row->url, part, quiet, e) || weights_import(row, part, false, sha256, e) ? -1 : 0;
	(void)unlink(part);
	return rc;
}
