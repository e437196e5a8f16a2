/* test_assignment.c - assignment(): the least sum over all permutations where they can be counted, and where they
 * cannot, no exchange among any number of pairs makes it less. */
#include "model/base/assignment.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

enum { MOST = 96 };

static uint64_t state;

static double random_cost(void)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (double)(state >> 11) * 0x1p-53;
}

static double sum_of(const double *cost, const int64_t *column, int64_t n)
{
	double sum = 0;
	for (int64_t i = 0; i < n; i++)
		sum += cost[i * n + column[i]];
	return sum;
}

static void is_permutation(const int64_t *column, int64_t n)
{
	bool seen[MOST] = { 0 };
	for (int64_t i = 0; i < n; i++) {
		cr_assert(column[i] >= 0 && column[i] < n && !seen[column[i]]);
		seen[column[i]] = true;
	}
}

/* The least sum over all permutations of rows from `row` on. */
static double least_of_all(const double *cost, int64_t n, int64_t row, unsigned taken)
{
	double least = INFINITY;
	if (row == n)
		return 0;
	for (int64_t j = 0; j < n; j++)
		if (!(taken & (1u << j)))
			least = fmin(least, cost[row * n + j] + least_of_all(cost, n, row + 1, taken | (1u << j)));
	return least;
}

/* Whole numbers of few values have many least permutations, and their sums are exact. */
Test(assignment, is_the_least_of_all_permutations)
{
	double cost[7 * 7];
	int64_t column[MOST];
	for (int64_t n = 1; n <= 7; n++)
		for (int trial = 0; trial < 60; trial++) {
			for (int64_t i = 0; i < n * n; i++)
				cost[i] = floor(random_cost() * (trial % 2 ? 4 : 1e6)) - (trial % 3 ? 0 : 2);
			assignment(column, cost, n);
			is_permutation(column, n);
			cr_assert_eq(sum_of(cost, column, n), least_of_all(cost, n, 0, 0), "n = %ld", (long)n);
		}
}

/* If rows could hand on their columns in a ring and save by it, there would be a cycle of negative length among them
 * (Floyd and Warshall). */
Test(assignment, no_ring_of_exchanges_saves)
{
	static double cost[MOST * MOST], way[MOST * MOST];
	int64_t column[MOST], n = MOST;
	for (int64_t i = 0; i < n * n; i++)
		cost[i] = random_cost() * 100 - 50;
	assignment(column, cost, n);
	is_permutation(column, n);
	for (int64_t i = 0; i < n; i++)
		for (int64_t j = 0; j < n; j++)
			way[i * n + j] = cost[i * n + column[j]] - cost[i * n + column[i]];
	for (int64_t via = 0; via < n; via++)
		for (int64_t i = 0; i < n; i++)
			for (int64_t j = 0; j < n; j++)
				way[i * n + j] = fmin(way[i * n + j], way[i * n + via] + way[via * n + j]);
	for (int64_t i = 0; i < n; i++)
		cr_assert_gt(way[i * n + i], -1e-9, "row %ld", (long)i);
}

Test(assignment, none_is_fine)
{
	assignment(NULL, NULL, 0);
}
