/* fuzz_grid.c - harness/grid*.c and plan*.c: any bytes as a grid file. What is accepted and small is expanded, written
 * as JSON and text, and must come to the same cells a second time. */
#include "harness/plan/plan.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool is_small(const struct grid *g)
{
	double rows = 1;
	for (int i = 0; i < g->n_axes; i++)
		rows *= g->axes[i].n_values;
	for (int i = 0; i < g->n_chains; i++)
		rows += g->chains[i].mode == CHAIN_FACTORIAL ? 1 << (g->chains[i].n_steps < 20 ? g->chains[i].n_steps : 20)
		                                             : g->chains[i].n_steps;
	return rows * g->seeds.n_train < 500;
}

static struct plan *planned(const struct grid_source *source)
{
	struct err e = ERR_INIT;
	struct grid *g = NULL;
	struct plan *p = NULL;
	if (grid_parse(&g, source, 1, &e)) {
		REQUIRE(e.msg[0] && e.code == EXIT_USAGE);
		return NULL;
	}
	if (!is_small(g) || plan_expand(&p, g, NULL, &e))
		grid_free(g);
	return p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct grid_source source = { .path = "fuzz", .text = (const char *)data, .n = n };
	SCOPED(plan) struct plan *p = planned(&source);
	if (!p)
		return 0;
	SCOPED(plan) struct plan *again = planned(&source);
	REQUIRE(again && !strcmp(p->hash, again->hash) && p->n_cells == again->n_cells);
	SCOPED(str) struct str out = { 0 };
	plan_json(&out, p);
	plan_text(&out, p);
	return 0;
}
