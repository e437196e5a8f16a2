/* tmpdir.h - one temporary folder per test process, made at first use and removed at exit; TMP("x") is a path in it. */
#ifndef ABLATE_TESTS_TMPDIR_H
#define ABLATE_TESTS_TMPDIR_H

#include "model/base/mem.h"
#include "tests/common/tempdir.h"

#include <stdlib.h>
#include <unistd.h>

static char *tmpdir_path;
static pid_t tmpdir_owner;

static inline void tmpdir_leave(void)
{
	if (getpid() == tmpdir_owner)
		tempdir_remove(tmpdir_path);
}

static inline const char *tmpdir(void)
{
	if (!tmpdir_path) {
		tmpdir_path = tempdir_make();
		tmpdir_owner = getpid();
		(void)atexit(tmpdir_leave);
	}
	return tmpdir_path;
}

/* Heap text that lives as long as the process: freeing each path would hide what a test says. */
static inline char *tmpdir_keep(char *text)
{
	static char **kept;
	static int n, cap;
	return VEC_PUSH(kept, n, cap) = text;
}
#define FMT(...)  tmpdir_keep(xstrfmt(__VA_ARGS__))
#define TMP(name) tmpdir_keep(xstrfmt("%s/%s", tmpdir(), name))

#endif
