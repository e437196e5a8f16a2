/* grid_fixture.h - grids as texts, for tests of the grid language: expanded, or refused with the right words. */
#ifndef ABLATE_TESTS_GRID_FIXTURE_H
#define ABLATE_TESTS_GRID_FIXTURE_H

#include "harness/plan/plan.h"

#include <criterion/criterion.h>
#include <string.h>

#define GRID  "schema = 1\n"
#define STUDY "[grid]\nname = \"g\"\nseeds = { train = [1, 2] }\n[base]\npreset = \"ict-shapes8-ci\"\n"

static inline struct plan *expand_text(const char *text, const char *set, struct err *e)
{
	struct grid_source source = { .path = "g.toml", .text = text, .n = strlen(text) };
	struct grid *g = NULL;
	struct plan *p = NULL;
	if (grid_parse(&g, &source, 1, e))
		return NULL;
	if ((set && grid_set(g, set, e)) || plan_expand(&p, g, NULL, e)) {
		grid_free(g);
		return NULL;
	}
	return p;
}

static inline struct plan *must(const char *text)
{
	struct err e = ERR_INIT;
	struct plan *p = expand_text(text, NULL, &e);
	cr_assert(p, "%s", e.msg);
	return p;
}

static inline void refused(const char *text, const char *want)
{
	struct err e = ERR_INIT;
	SCOPED(plan) struct plan *p = expand_text(text, NULL, &e);
	cr_assert_null(p, "accepted:\n%s", text);
	cr_assert_eq(e.code, EXIT_USAGE, "%s", e.msg);
	cr_assert(strstr(e.msg, want), "said  %s\nwant  %s", e.msg, want);
}

#endif
