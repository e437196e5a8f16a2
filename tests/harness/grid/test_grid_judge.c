/* test_grid_judge.c - what a grid file says of scores and gates, with its defaults, and what it takes from the file
 * that it inherits. */
#include "model/base/mem.h"
#include "tests/harness/grid/grid_fixture.h"

#include <stdlib.h>

#define FID  "[[metric]]\nname='fid'\nsamples=100\n"
#define GATE FID "[[gate]]\nname='q'\nmetric='fid@1'\narm='base'\n"

/* 0.6 / 0.1 is a little less than 6: the value that was written as the end is one all the same. */
Test(grid, a_range_holds_its_end)
{
	SCOPED(plan)
	struct plan *p = must(GRID STUDY "[[axis]]\nkey='noise.std'\nrange={start=0.1,stop=0.7,step=0.1}\n");
	cr_assert_eq(p->n_arms, 7);
	cr_expect_eq(p->arms[6].config.noise.std, 0.7);
}

/* What is not written has its default; what is written is the rule. */
Test(grid, a_gate_has_its_margin_and_defaults)
{
	SCOPED(plan)
	struct plan *absolute = must(GRID STUDY GATE "against='baseline'\nmargin={absolute=0.5}\n"),
				*relative = must(GRID STUDY GATE
	                             "against='baseline'\nmargin={relative=0.1}\nalpha=0.01\non_inconclusive='warn'\n");
	const struct gate_rule *a = &absolute->grid->gates[0].rule, *r = &relative->grid->gates[0].rule;
	cr_expect(!a->margin_relative && a->margin == 0.5 && a->alpha == 0.05 && a->fail_on_inconclusive && !a->paired);
	cr_expect(r->margin_relative && r->margin == 0.1 && r->alpha == 0.01 && !r->fail_on_inconclusive);
}

/* Each score of a cell, with all that names it: one that is not wanted is never made, and its cell is done without. */
Test(grid, every_score_is_wanted_once_for_each_evaluation)
{
	SCOPED(plan)
	struct plan *p = must(GRID
	                      "[grid]\nname='g'\nseeds={train=[1],eval=[101,102]}\n[base]\npreset='ict-shapes8-ci'\n" FID
	                      "nfe=[1,2]\nextractor='pixels'\nref='shapes8-test'\n" FID "extractor='classifier'\n");
	SCOPED(free) struct wanted_score *w = NULL;
	int n = grid_wanted_scores(&w, p->grid), pixels = 0, classes = 0, seed_102 = 0, two_steps = 0;
	cr_assert_eq(n, 6);
	for (int i = 0; i < n; i++) {
		cr_expect(!strcmp(w[i].name, "fid") && w[i].n == 100);
		pixels += !strcmp(w[i].extractor, "pixels") && !strcmp(w[i].ref, "shapes8-test");
		classes += !strcmp(w[i].extractor, "classifier") && !*w[i].ref;
		seed_102 += w[i].eval_seed == 102;
		two_steps += w[i].nfe == 2;
	}
	cr_expect(pixels == 4 && classes == 2 && seed_102 == 3 && two_steps == 2, "%d %d %d %d", pixels, classes, seed_102,
	          two_steps);
	/* another number of images is another score */
	plan_free(must(GRID STUDY FID "[[metric]]\nname='fid'\nsamples=200\n"));
}

/* A file goes before what it inherits. */
Test(grid, the_file_goes_before_what_it_inherits)
{
	static const char child[] =
		"inherit = 'base.toml'\n" GRID "[grid]\nname='child'\nseeds={train=[1]}\n[base]\ntrain.steps=6\n"
		"[variants]\nv={set={\"train.batch\"=2}}\n[[chain]]\nname='c'\nmode='one-at-a-time'\nsteps=['v','w']\n";
	static const char parent[] = GRID
		"[grid]\nname='parent'\nseeds={train=[1]}\n[base]\npreset='ict-shapes8-ci'\ntrain.steps=5\noptim.lr=0.5\n"
		"[variants]\nv={set={\"train.batch\"=1}}\nw={set={\"train.batch\"=3}}\n";
	struct grid_source sources[] = { { .path = "d/child.toml", .text = child, .n = sizeof child - 1 },
		                             { .path = "d/base.toml", .text = parent, .n = sizeof parent - 1 } };
	struct err e = ERR_INIT;
	struct grid *g = NULL;
	SCOPED(plan) struct plan *p = NULL;
	cr_assert_eq(grid_parse(&g, sources, 2, &e), 0, "%s", e.msg);
	cr_assert_eq(plan_expand(&p, g, NULL, &e), 0, "%s", e.msg);
	cr_assert_eq(p->n_arms, 3);
	cr_expect(p->arms[0].config.train.steps == 6 && p->arms[0].config.optim.lr == 0.5);
	cr_expect_eq(p->arms[1].config.train.batch, 2);
	cr_expect_eq(p->arms[2].config.train.batch, 3);
}
