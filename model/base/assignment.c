/* assignment.c - see assignment.h. Rows join one after another. A new row's path leads by tight edges, those whose cost
 * is the sum of their ends' potentials, from it to a column without a row; potentials rise by what the shortest path
 * needs, as in Dijkstra's algorithm, and the rows on the path move on by one column. */
#include "model/base/assignment.h"

#include "model/base/mem.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

struct solver {
	const double *cost;
	int64_t n;
	double *row_potential, *column_potential;
	double *least;    /* by column: the least reduced cost from a row on the path's tree */
	int64_t *row;     /* of each column, or -1 */
	int64_t *before;  /* by column: the column of the row that `least` is of, or -1 for the new row */
	int64_t *reached; /* the columns of the tree in their order, n_reached of them */
	int64_t n_reached;
	bool *in_tree;
};

/* Looks from row i, which the tree reached through column `from`, at all columns outside; the nearest. */
static int64_t look_around(struct solver *s, int64_t i, int64_t from)
{
	int64_t nearest = -1;
	for (int64_t j = 0; j < s->n; j++) {
		if (s->in_tree[j])
			continue;
		double reduced = s->cost[i * s->n + j] - s->row_potential[i] - s->column_potential[j];
		if (reduced < s->least[j]) {
			s->least[j] = reduced;
			s->before[j] = from;
		}
		if (nearest < 0 || s->least[j] < s->least[nearest])
			nearest = j;
	}
	return nearest;
}

/* Makes the edge to the nearest column tight. */
static void raise_potentials(struct solver *s, int64_t new_row, double by)
{
	s->row_potential[new_row] += by;
	for (int64_t k = 0; k < s->n_reached; k++) {
		int64_t j = s->reached[k];
		s->row_potential[s->row[j]] += by;
		s->column_potential[j] -= by;
	}
	for (int64_t j = 0; j < s->n; j++)
		if (!s->in_tree[j])
			s->least[j] -= by;
}

static void add_row(struct solver *s, int64_t new_row)
{
	int64_t i = new_row, at = -1;
	s->n_reached = 0;
	for (int64_t j = 0; j < s->n; j++) {
		s->least[j] = INFINITY;
		s->in_tree[j] = false;
	}
	for (;;) {
		int64_t nearest = look_around(s, i, at);
		raise_potentials(s, new_row, s->least[nearest]);
		at = nearest;
		if (s->row[at] < 0)
			break;
		s->in_tree[at] = true;
		s->reached[s->n_reached++] = at;
		i = s->row[at];
	}
	for (; at >= 0; at = s->before[at])
		s->row[at] = s->before[at] < 0 ? new_row : s->row[s->before[at]];
}

void assignment(int64_t *column, const double *cost, int64_t n)
{
	size_t count = (size_t)n;
	SCOPED(free) double *numbers = xcalloc(3 * count, sizeof *numbers);
	SCOPED(free) int64_t *places = xcalloc(3 * count, sizeof *places);
	SCOPED(free) bool *in_tree = xcalloc(count, sizeof *in_tree);
	struct solver s = { .cost = cost,
		                .n = n,
		                .row_potential = numbers,
		                .column_potential = numbers + count,
		                .least = numbers + 2 * count,
		                .row = places,
		                .before = places + count,
		                .reached = places + 2 * count,
		                .in_tree = in_tree };
	for (int64_t j = 0; j < n; j++)
		s.row[j] = -1;
	for (int64_t i = 0; i < n; i++)
		add_row(&s, i);
	for (int64_t j = 0; j < n; j++)
		column[s.row[j]] = j;
}
