/* test_cpu.c - cpu_split(): each index is done once, on any number of threads and with any least range; a thread's
 * number is its own while it works, so that scratch by it is. */
#include "model/base/cpu.h"

#include <criterion/criterion.h>
#include <stdatomic.h>

enum { MOST = 5000, MOST_THREADS = 7 };

struct asked {
	int64_t n, at_least;
	int threads;
};

struct done {
	struct asked asked;
	atomic_int times[MOST], ranges, in_room[MOST_THREADS];
};

static void done_range(void *ctx, int64_t first, int64_t last)
{
	struct done *d = ctx;
	int thread = cpu_thread();
	int64_t n = d->asked.n, length = last - first;
	cr_assert(thread >= 0 && thread < d->asked.threads);
	cr_expect_eq(atomic_fetch_add(&d->in_room[thread], 1), 0, "two threads are number %d", thread);
	cr_expect(length > 0 && first >= 0 && last <= n);
	cr_expect(2 * (length + 1) > d->asked.at_least || length == n, "%ld of %ld", (long)length, (long)n);
	for (int64_t i = first; i < last; i++)
		(void)atomic_fetch_add(&d->times[i], 1);
	(void)atomic_fetch_add(&d->ranges, 1);
	(void)atomic_fetch_sub(&d->in_room[thread], 1);
}

static void split(const struct asked *asked)
{
	static struct done d;
	d = (struct done){ .asked = *asked };
	cpu_set_threads(asked->threads);
	cpu_split(asked->n, asked->at_least, done_range, &d);
	for (int i = 0; i < MOST; i++)
		cr_assert_eq(d.times[i], i < asked->n, "%d of %ld, at least %ld, %d threads: %d times", i, (long)asked->n,
		             (long)asked->at_least, asked->threads, d.times[i]);
	cr_expect(asked->n < 2 * asked->at_least || asked->threads == 1 || asked->n < 2 || d.ranges > 1);
	cr_expect_eq(cpu_thread(), 0);
}

Test(cpu, every_index_once)
{
	static const int64_t sizes[] = { 0, 1, 2, 5, 13, 63, 64, 65, 448, 4999 }, least[] = { 0, 1, 4, 16, 4096 };
	static const int threads[] = { 1, 2, 3, MOST_THREADS };
	for (size_t t = 0; t < sizeof threads / sizeof *threads; t++)
		for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
			for (size_t l = 0; l < sizeof least / sizeof *least; l++)
				split(&(struct asked){ sizes[s], least[l], threads[t] });
}

/* A body's own loop is on its thread, with scratch of its own: room 0. */
static void inner_range(void *ctx, int64_t first, int64_t last)
{
	(void)first, (void)last;
	cr_expect_eq(cpu_thread(), 0);
	(void)atomic_fetch_add((atomic_int *)ctx, 1);
}

static void outer_range(void *ctx, int64_t first, int64_t last)
{
	int outside = cpu_thread();
	for (int64_t i = first; i < last; i++)
		cpu_split(1, 1, inner_range, ctx);
	cr_expect_eq(cpu_thread(), outside);
}

Test(cpu, a_loop_in_a_body)
{
	atomic_int inner = 0;
	cpu_set_threads(3);
	cpu_split(30, 1, outer_range, &inner);
	cr_expect_eq(inner, 30);
}
