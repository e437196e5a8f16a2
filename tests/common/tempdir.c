/* tempdir.c - see tempdir.h. */
#define _GNU_SOURCE
#include "tests/common/tempdir.h"

#include "model/base/io.h"
#include "model/base/mem.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

char *tempdir_make(void)
{
	char *path = xstrdup("/tmp/ablate-test-XXXXXX");
	if (!mkdtemp(path))
		BUG("no folder in /tmp");
	return path;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

void tempdir_remove(char *path)
{
	(void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(path);
}

char *tempdir_file(const char *dir, const char *name, const void *data, unsigned long n)
{
	char *path = xstrfmt("%s/%s", dir, name);
	struct err e = ERR_INIT;
	if (data && io_write_atomic(path, data, n, &e))
		BUG("%s", e.msg);
	return path;
}
