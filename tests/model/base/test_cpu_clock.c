/* test_cpu_clock.c - the clock of parts: they add up to the time that passed, threads without work are waiting, and off
 * or on another thread it counts nothing. Times are compared with those that the test itself took around and inside, so
 * no speed is assumed. */
#include "model/base/cpu.h"
#include "model/base/cpu_clock.h"
#include "model/base/progress.h"

#include <criterion/criterion.h>
#include <pthread.h>

enum { THREADS = 3 };

#define ROUNDING 1e-9 /* seconds, of sums of doubles */

static double spin(double seconds)
{
	double start = monotonic_s(), now = start;
	while (now - start < seconds)
		now = monotonic_s();
	return now - start;
}

static double sum_of(const struct cpu_cost *costs)
{
	double sum = 0;
	for (int i = 0; i < CPU_PARTS; i++)
		sum += costs[i].seconds;
	return sum;
}

/* How long each of THREADS bodies worked, in two parts. */
struct work {
	double norms[THREADS], products[THREADS];
	int64_t at_least;
};

static void work_range(void *ctx, int64_t first, int64_t last)
{
	struct work *w = ctx;
	for (int64_t i = first; i < last; i++) {
		w->norms[i] = spin(1e-3 * (double)(i + 1));
		enum cpu_part before = cpu_clock_part(CPU_PRODUCTS);
		cr_expect_eq(before, CPU_NORMS);
		w->products[i] = spin(2e-3);
		(void)cpu_clock_part(before);
	}
}

static void work(struct work *w)
{
	enum cpu_part before = cpu_clock_part(CPU_NORMS);
	cpu_split(THREADS, w->at_least, work_range, w);
	(void)cpu_clock_part(before);
}

static double total(const double *seconds)
{
	double sum = 0;
	for (int i = 0; i < THREADS; i++)
		sum += seconds[i];
	return sum;
}

/* In a region of THREADS bodies, or in one body that does the work of all. */
static void parts_add_up(int64_t at_least)
{
	struct cpu_cost costs[CPU_PARTS] = { 0 };
	struct work w = { .at_least = at_least };
	cpu_set_threads(THREADS);
	double before = monotonic_s();
	cpu_clock_start();
	double after_start = monotonic_s();
	work(&w);
	double alone = spin(1e-3), before_stop = monotonic_s();
	cpu_clock_stop(costs);
	double after = monotonic_s(), sum = sum_of(costs);
	cr_expect(sum >= before_stop - after_start - ROUNDING && sum <= after - before + ROUNDING, "%g of %g to %g", sum,
	          before_stop - after_start, after - before);
	cr_expect(costs[CPU_NORMS].seconds >= total(w.norms) / THREADS - ROUNDING, "%g", costs[CPU_NORMS].seconds);
	cr_expect(costs[CPU_PRODUCTS].seconds >= total(w.products) / THREADS - ROUNDING, "%g", costs[CPU_PRODUCTS].seconds);
	cr_expect(costs[CPU_OTHER].seconds >= alone / THREADS - ROUNDING, "%g", costs[CPU_OTHER].seconds);
	double idle = alone * (THREADS - 1) / THREADS;
	if (at_least == THREADS)
		idle += (total(w.norms) + total(w.products)) * (THREADS - 1) / THREADS;
	cr_expect(costs[CPU_WAITING].seconds >= idle - ROUNDING, "%g of %g", costs[CPU_WAITING].seconds, idle);
	cr_expect_eq(costs[CPU_ATTENTION].seconds, 0);
}

Test(cpu_clock, parts_add_up_to_the_time_that_passed)
{
	parts_add_up(1);
}

Test(cpu_clock, threads_without_work_are_waiting)
{
	parts_add_up(THREADS);
}

static void nested_range(void *ctx, int64_t first, int64_t last)
{
	for (int64_t i = first; i < last; i++)
		work(&(struct work){ .at_least = 1 });
	(void)ctx;
}

/* A region in a body is that body's: counted once. */
Test(cpu_clock, a_region_in_a_body_is_part_of_it)
{
	struct cpu_cost costs[CPU_PARTS] = { 0 };
	cpu_set_threads(THREADS);
	double before = monotonic_s();
	cpu_clock_start();
	double after_start = monotonic_s();
	cpu_split(THREADS, 1, nested_range, NULL);
	double before_stop = monotonic_s();
	cpu_clock_stop(costs);
	double after = monotonic_s(), sum = sum_of(costs);
	cr_expect(sum >= before_stop - after_start - ROUNDING && sum <= after - before + ROUNDING, "%g of %g", sum,
	          after - before);
	cr_expect(costs[CPU_NORMS].seconds > 0 && costs[CPU_PRODUCTS].seconds > 0);
}

/* What a library does by threads of its own is the work of all. */
Test(cpu_clock, a_librarys_time_is_that_of_all_threads)
{
	struct cpu_cost costs[CPU_PARTS] = { 0 };
	cpu_set_threads(THREADS);
	cpu_clock_start();
	(void)cpu_clock_part(CPU_PRODUCTS);
	cpu_clock_team(true);
	double took = spin(2e-3);
	cpu_clock_team(false);
	(void)cpu_clock_part(CPU_OTHER);
	cpu_clock_stop(costs);
	cr_expect(costs[CPU_PRODUCTS].seconds >= took - ROUNDING, "%g of %g", costs[CPU_PRODUCTS].seconds, took);
}

Test(cpu_clock, work_is_counted)
{
	struct cpu_cost costs[CPU_PARTS] = { 0 };
	for (int i = 1; i <= 2; i++) { /* costs of several times add up, each starts at nothing counted */
		cpu_clock_start();
		cr_expect_eq(cpu_clock_counts(), 0);
		cpu_clock_count(CPU_NORMS, 8, 16);
		cpu_clock_count(CPU_NORMS, 1, 2);
		cr_expect_eq(cpu_clock_counts(), 2);
		cpu_clock_stop(costs);
		cr_expect_eq(costs[CPU_NORMS].flops, 9 * i);
		cr_expect_eq(costs[CPU_NORMS].bytes, 18 * i);
	}
}

/* Off, a part is taken for what is given and nothing adds up. */
static void off_range(void *ctx, int64_t first, int64_t last)
{
	(void)ctx, (void)first, (void)last;
	cr_expect_eq(cpu_clock_part(CPU_NORMS), CPU_NORMS);
}

static void *calls_that_do_nothing(void *ctx)
{
	cr_expect_eq(cpu_clock_part(CPU_ATTENTION), CPU_ATTENTION);
	cpu_clock_team(true);
	cpu_clock_count(CPU_ATTENTION, 1, 1);
	cpu_split(THREADS, 1, off_range, NULL);
	cpu_clock_team(false);
	return ctx;
}

Test(cpu_clock, off_it_counts_nothing)
{
	struct cpu_cost costs[CPU_PARTS] = { 0 };
	(void)calls_that_do_nothing(NULL);
	cpu_clock_start();
	cpu_clock_stop(costs);
	cr_expect_eq(cpu_clock_counts(), 0);
	cpu_clock_count(CPU_ATTENTION, 1, 1);
	cr_expect_eq(cpu_clock_counts(), 0);
	cr_expect_eq(costs[CPU_ATTENTION].flops, 0);
	for (int i = 0; i < CPU_PARTS; i++)
		cr_expect(i == CPU_OTHER || i == CPU_WAITING || costs[i].seconds == 0, "%s", cpu_part_name((enum cpu_part)i));
}

Test(cpu_clock, another_threads_calls_do_nothing)
{
	struct cpu_cost costs[CPU_PARTS] = { 0 };
	pthread_t other;
	cpu_set_threads(THREADS);
	cpu_clock_start();
	cr_assert_eq(pthread_create(&other, NULL, calls_that_do_nothing, NULL), 0);
	cr_assert_eq(pthread_join(other, NULL), 0);
	cr_expect_eq(cpu_clock_counts(), 0);
	cpu_clock_stop(costs);
	for (int i = 0; i < CPU_PARTS; i++)
		cr_expect(i == CPU_OTHER || i == CPU_WAITING || costs[i].seconds == 0, "%s", cpu_part_name((enum cpu_part)i));
}

Test(cpu_clock, every_part_has_a_name_and_a_meaning)
{
	for (int i = 0; i < CPU_PARTS; i++) {
		cr_assert(cpu_part_name((enum cpu_part)i) && cpu_part_meaning((enum cpu_part)i), "part %d", i);
		for (int j = 0; j < i; j++)
			cr_expect_str_neq(cpu_part_name((enum cpu_part)i), cpu_part_name((enum cpu_part)j));
	}
}
