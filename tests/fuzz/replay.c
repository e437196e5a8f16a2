/* replay.c - the fuzz targets without a fuzzer: each takes its committed seeds, whole and cut short at many places. So
 * what once crashed a parser is tried with every build, by any compiler; ci/fuzz.sh looks for more. */
#include "generated/fuzz_targets.h" /* made by CMake: a TARGET(NAME) for each tests/fuzz/fuzz_NAME.c */

#include "model/base/io.h"
#include "model/base/mem.h"

#include <glob.h>
#include <stdio.h>
#include <string.h>

#define TARGET(name) int fuzz_##name(const uint8_t *data, size_t size);
FUZZ_TARGETS
#undef TARGET

static const struct {
	const char *name;
	int (*take)(const uint8_t *data, size_t size);
} targets[] = {
#define TARGET(name) { #name, fuzz_##name },
	FUZZ_TARGETS
#undef TARGET
};

enum { CUTS = 48 };

static int replay(size_t i, const char *path)
{
	SCOPED(str) struct str seed = { 0 };
	struct err e = ERR_INIT;
	if (io_read(&seed, path, 1 << 20, &e)) {
		fprintf(stderr, "%s\n", e.msg);
		return -1;
	}
	for (size_t cut = 0; cut <= CUTS; cut++) {
		size_t n = seed.len * cut / CUTS;
		SCOPED(free) uint8_t *bytes = xmalloc(n); /* of exactly this length, for those who watch the bounds */
		memcpy(bytes, seed.data, n);
		if (cut < CUTS && n == seed.len * (cut + 1) / CUTS)
			continue; /* a seed shorter than the cuts: each length once */
		(void)targets[i].take(bytes, n);
	}
	return 0;
}

int main(void)
{
	int passed = 0, failed = 0;
	for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
		SCOPED(free) char *pattern = xstrfmt(FUZZ_CORPUS "/%s/*", targets[i].name);
		glob_t g;
		bool bad = glob(pattern, 0, NULL, &g) != 0 || g.gl_pathc == 0;
		printf("%s\n", targets[i].name); /* a crash is the last one named */
		(void)fflush(stdout);
		if (bad)
			fprintf(stderr, "%s: no seeds\n", pattern);
		for (size_t k = 0; !bad && k < g.gl_pathc; k++)
			bad |= replay(i, g.gl_pathv[k]) != 0;
		globfree(&g);
		passed += !bad;
		failed += bad;
	}
	printf("%d passed, %d failed, 0 skipped\n", passed, failed);
	return failed != 0;
}
