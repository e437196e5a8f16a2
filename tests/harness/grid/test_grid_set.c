/* test_grid_set.c - `--set`: what it reaches and how it refuses; recorded plans; grids of any size in linear time. */
#include "model/base/mem.h"
#include "tests/harness/grid/grid_fixture.h"

#include <jansson.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define JUDGED \
	GRID "[grid]\nname = \"g\"\nseeds = { train = [7, 9], paired = true }\n" \
		 "[base]\npreset = \"ict-shapes8-ci\"\n" \
		 "[variants]\nv = { set = { \"loss.c\" = 1 } }\n" \
		 "[[chain]]\nname = 'c'\nmode = 'one-at-a-time'\nsteps = ['v']\n" \
		 "[budget]\ncell = { wall = '2h', retries = 2 }\n" \
		 "[[metric]]\nname = 'fid'\nsamples = 5000\nnfe = [1, 2]\n" \
		 "[[metric]]\nname = 'kid'\nsamples = 300\n" \
		 "[[table]]\nname = 't'\ncols = ['fid@2']\n" \
		 "[[gate]]\nname = 'x'\nmetric = 'fid@1'\narm = 'base'\nagainst = 'v'\nmargin = { relative = 0.1 }\n"

Test(grid, set_reaches_seeds_budget_metrics_and_name)
{
	struct err e = ERR_INIT;
	static const char *const sets[] = { "seeds=3",
		                                "seeds.eval=[5,6]",
		                                "grid.seeds.paired=false",
		                                "budget.cell.wall=90s",
		                                "budget.cell.checkpoint=0.5s",
		                                "budget.grid.wall=\"1h30m\"",
		                                "budget.on_failure=stop-after:4",
		                                "metric.samples=64",
		                                "metric.fid.ref=shapes8-test",
		                                "metric.fid.nfe=[1,2,4]",
		                                "grid.name=a b",
		                                "preset=ict-shapes8-ci",
		                                "train.steps=7" };
	struct grid *g = NULL;
	struct grid_source source = { .path = "g.toml", .text = JUDGED, .n = sizeof JUDGED - 1 };
	cr_assert_eq(grid_parse(&g, &source, 1, &e), 0, "%s", e.msg);
	for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
		cr_assert_eq(grid_set(g, sets[i], &e), 0, "%s", e.msg);
	cr_assert_eq(g->seeds.n_train, 3);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(g->seeds.train[i], 7 + i);
	cr_assert(g->seeds.n_eval == 2 && g->seeds.eval[1] == 6 && !g->seeds.paired && !g->gates[0].rule.paired);
	cr_assert(g->budget.cell_wall_s == 90 && g->budget.cell_retries == 2 && g->budget.cell_checkpoint_s == 0.5 &&
	          g->budget.grid_wall_s == 5400);
	cr_assert(g->budget.on_failure == FAILURE_STOP_AFTER && g->budget.stop_after == 4);
	cr_assert(g->metrics[0].samples == 64 && g->metrics[1].samples == 64 && g->metrics[0].n_nfe == 3 &&
	          g->metrics[1].n_nfe == 1);
	cr_assert_str_eq(g->metrics[0].ref, "shapes8-test");
	cr_assert_str_eq(g->metrics[1].ref, "");
	cr_assert_str_eq(g->name, "a b");
	SCOPED(plan) struct plan *p = NULL;
	cr_assert_eq(plan_expand(&p, g, NULL, &e), 0, "%s", e.msg);
	cr_assert_eq(p->n_cells, 6);
	cr_assert_eq(p->arms[1].config.train.steps, 7);
	/* the same study written out in a file is the same plan */
	SCOPED(plan)
	struct plan *list = expand_text(JUDGED, "seeds=[7,8,9]", &e),
				*table = expand_text(JUDGED, "seeds.train={start=7,count=3}", &e);
	cr_assert_str_eq(list->hash, table->hash);
}

/* What the database keeps of a grid is enough to make its plan again: the text, what it inherits, --set and --only. */
Test(grid, a_recorded_plan_is_made_again_without_its_files)
{
	struct err e = ERR_INIT;
	static const char child[] =
		"inherit = \"base.toml\"\n" GRID
		"[grid]\nname = \"child\"\nseeds = { train = [1] }\n[[chain]]\nname = 'c'\nmode = 'one-at-a-time'\nsteps = "
		"['v']\n";
	static const char parent[] = GRID
		"[grid]\nname = \"parent\"\nseeds = { train = [1] }\n[base]\npreset = \"ict-shapes8-ci\"\n[variants]\nv = { "
		"set = { \"loss.c\" = 1 } }\n";
	struct grid_source sources[] = { { .path = "d/child.toml", .text = child, .n = sizeof child - 1 },
		                             { .path = "d/base.toml", .text = parent, .n = sizeof parent - 1 } };
	struct grid *g = NULL;
	static const char *const only[] = { "c/v" }, *const more[] = { "train.steps=9" };
	SCOPED(plan) struct plan *p = NULL, *again = NULL, *set = NULL, *all = NULL;
	cr_assert_eq(grid_parse(&g, sources, 2, &e), 0, "%s", e.msg);
	cr_assert_eq(grid_set(g, "seeds=2", &e), 0);
	cr_assert_eq(plan_expand(&p, g, &(struct plan_options){ .only = only, .n_only = 1 }, &e), 0, "%s", e.msg);
	SCOPED(free) char *made = plan_made_of(p);
	cr_assert_null(strstr(made, "child\\\"\\n"), "the text is in the database already");
	cr_assert_eq(
		plan_of_record(&again, "child", child, made, &(struct plan_sets){ 0 }, &(struct plan_options){ 0 }, &e), 0,
		"%s", e.msg);
	cr_assert_str_eq(again->hash, p->hash);
	cr_assert_eq(again->n_cells, 2);
	cr_assert_eq(
		plan_of_record(&set, "child", child, made, &(struct plan_sets){ more, 1 }, &(struct plan_options){ 0 }, &e), 0,
		"%s", e.msg);
	cr_assert_eq(set->arms[0].config.train.steps, 9);
	/* a record of version 1 has the text alone: enough for a grid that inherits nothing */
	cr_assert_eq(
		plan_of_record(&all, "parent", parent, "{}", &(struct plan_sets){ 0 }, &(struct plan_options){ 0 }, &e), 0,
		"%s", e.msg);
	cr_assert_eq(all->n_cells, 1);
	struct plan *none = NULL;
	cr_assert_eq(plan_of_record(&none, "child", child, "{}", &(struct plan_sets){ 0 }, &(struct plan_options){ 0 }, &e),
	             -1);
	cr_assert_eq(plan_of_record(&none, "child", child, "[", &(struct plan_sets){ 0 }, &(struct plan_options){ 0 }, &e),
	             -1);
	cr_assert_eq(e.code, EXIT_RECORD);
}

Test(grid, bad_set_says_so)
{
	struct err e = ERR_INIT;
	static const struct {
		const char *set, *want;
	} cases[] = {
		{ "loss.knd=0.1", "--set loss.knd=0.1: unknown key 'loss.knd'; did you mean loss.kind" },
		{ "loss.c", "write --set KEY=VALUE" },
		{ "=3", "write --set KEY=VALUE" },
		{ "optim.lr=x", "--set optim.lr=x: optim.lr takes a number" },
		{ "optim.lr=", "a value is missing" },
		{ "net.mult=[1,", "never closed" },
		{ "preset=nope", "unknown preset 'nope'" },
		{ "seeds=0", "--set seeds=0: 0 seeds: at least 1" },
		{ "seeds=x", "--set seeds=x: seeds are a number" },
		{ "seeds=[1,1]", "seed 1 is given twice" },
		{ "seeds=900000", "a grid may have 1000000" },
		{ "seeds.trian=[1]", "unknown key 'trian' in grid.seeds; did you mean train" },
		{ "budget.cell.wall=2x", "--set budget.cell.wall=2x: '2x' is not a duration" },
		{ "budget.cell.wal=2h", "did you mean wall" },
		{ "budget=3", "name a key of budget" },
		{ "grid.axis=3", "grid.axis=3: axis belongs to the top level" },
		{ "grid.name=", "value is missing" },
		{ "metric.samples=1", "samples must be from" },
		{ "metric.nfe=[4]", "'fid@2' is not a metric of this grid" },
		{ "metric.fid.nfe=[2]", "'fid@1' is not a metric of this grid" }, /* the gate's; the table's is there */
		{ "metric.is.samples=9", "this grid has no metric is" },
		{ "metric.kid.infinity=true", "infinity belongs to fid" },
		{ "metric.ref=cifar", "unknown ref 'cifar'" },
		{ "metric.name=is", "unknown key 'name' in metric" },
		{ "seeds.train=1\n[base]", "--set seeds.train=1" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		cr_assert_null(expand_text(JUDGED, cases[i].set, &e));
		cr_assert(strstr(e.msg, cases[i].want), "%s", e.msg);
		cr_assert_eq(e.code, EXIT_USAGE);
	}
}

/* A product of 10^9 cells is a number, not a loop: refused at once, before memory is asked for. */
Test(grid, huge_products_are_refused_before_they_are_made, .timeout = 5)
{
	SCOPED(str) struct str s = { 0 };
	str_add(&s, GRID STUDY);
	static const char *const keys[] = { "train.steps", "train.batch", "disc.s0" };
	for (int i = 0; i < 3; i++)
		str_addf(&s, "[[axis]]\nkey='%s'\nrange={start=1,stop=1000,step=1}\n", keys[i]);
	refused(str_text(&s), "g.toml:7:3: 1e+09 rows (1000 x 1000 x 1000) times 2 seeds is 2e+09 cells");
	refused(GRID STUDY "[[axis]]\nkey='optim.lr'\nrange={start=0,stop=1,step=1e-12}\n",
	        "this axis has 1000000000001 values");
	str_release(&s);
	str_add(&s, GRID STUDY "[variants]\n");
	for (int i = 0; i < 40; i++)
		str_addf(&s, "v%d = { set = { \"train.steps\" = %d } }\n", i, i);
	str_add(&s, "[[chain]]\nname='f'\nmode='factorial'\nsteps=[");
	for (int i = 0; i < 40; i++)
		str_addf(&s, "'v%d',", i);
	str_add(&s, "]\n");
	refused(str_text(&s), "2^40 of chain f");
}

/* The goal is 0.5 s for 10,000 cells of an optimised build on an idle machine; the bound here only catches quadratic
 * work, which takes minutes. */
Test(grid, ten_thousand_cells_are_planned_in_linear_time, .timeout = 60)
{
	SCOPED(str) struct str s = { 0 };
	str_add(&s, GRID "[grid]\nname='big'\nseeds={train=[1]}\n[base]\npreset='ict-shapes8-ci'\n");
	str_add(&s, "[[axis]]\nkey='train.steps'\nrange={start=1,stop=100,step=1}\n");
	str_add(&s, "[[axis]]\nkey='optim.lr'\nlog={start=1e-5,stop=1e-1,num=100}\n");
	SCOPED(plan) struct plan *p = must(str_text(&s));
	cr_assert_eq(p->n_arms, 10000);
	cr_assert_eq(p->n_cells, 10000);
}
