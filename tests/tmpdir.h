/* tmpdir.h - a fresh folder per test process under $TMPDIR or /tmp, removed at exit; TMP("x") is a path in it. */
#ifndef ABLATE_TESTS_TMPDIR_H
#define ABLATE_TESTS_TMPDIR_H

#include "model/base/mem.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char tmpdir_path[256];
static pid_t tmpdir_owner;

static int tmpdir_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void tmpdir_remove(void)
{
	if (*tmpdir_path && getpid() == tmpdir_owner)
		(void)nftw(tmpdir_path, tmpdir_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline const char *tmpdir(void)
{
	if (!*tmpdir_path) {
		const char *base = getenv("TMPDIR");
		(void)snprintf(tmpdir_path, sizeof tmpdir_path, "%s/ablate-test-XXXXXX", base && *base ? base : "/tmp");
		if (!mkdtemp(tmpdir_path))
			abort();
		tmpdir_owner = getpid();
		(void)atexit(tmpdir_remove);
	}
	return tmpdir_path;
}

/* Heap text; leaks in tests are not worth a line. */
#define TMP(name) xstrfmt("%s/%s", tmpdir(), name)

#endif
