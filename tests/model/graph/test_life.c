/* test_life.c - from which node to which a tensor lives. Inputs are written before the first node, and what is
 * kept is read after the last one. */
#include "model/cpu/devices.h"
#include "model/graph/graph_impl.h"
#include "model/graph/graph_life.h"

#include <criterion/criterion.h>

static void lives(const struct tensor *t, int first, int last, const char *what)
{
	cr_expect(t->first == first && t->last == last, "%s: %d to %d, not %d to %d", what, t->first, t->last, first, last);
}

Test(life, a_tensor_lives_as_long_as_it_is_needed)
{
	struct graph *g = graph_new();
	struct tensor *x = graph_input(g, "x", 1, 1, 1, 4), *late = graph_input(g, "late", 1, 1, 1, 4);
	struct tensor *kept = graph_scale(g, x, 2), *made = graph_scale(g, x, 3);
	struct tensor *end = graph_add_scaled(g, made, late, 1), *idle = graph_temp(g, 1, 1, 1, 4);
	graph_keep(kept);
	for (int again = 0; again < 2; again++) {
		graph_find_lives(g);
		lives(x, 0, 3, "an input");
		lives(late, 0, 3, "an input that is read late");
		lives(kept, 0, 3, "what is kept, as nothing may lie over it in the last node");
		lives(made, 1, 2, "what a node makes for the next");
		lives(end, 2, 2, "what nothing reads");
		lives(idle, -1, -1, "what nothing touches");
		graph_live_at(made, 1);
		lives(made, 1, 2, "what lives already");
		graph_live_at(end, 3); /* as the source of a repeat */
		lives(end, 2, 3, "what is read again");
		graph_live_at(NULL, 1);
	}
	graph_free(g);
}

Test(life, memory_is_taken_in_whole_lines)
{
	struct graph *g = graph_new();
	size_t line = g->backend->ops->align;
	const size_t floats[] = { 1, line / 4, line / 4 + 1 }, lines[] = { 1, 1, 2 };
	for (size_t i = 0; i < sizeof floats / sizeof *floats; i++)
		cr_expect_eq(graph_block_bytes(g, graph_temp(g, 1, 1, 1, (int64_t)floats[i])), lines[i] * line);
	graph_free(g);
}
