/* cpu.c - see cpu.h. */
#include "model/base/cpu.h"

#include "model/base/cpu_clock.h"

#include <omp.h>

/* [0, n) in pieces: first one a thread of half its share, then of a quarter, and so on, HALVINGS times or as at_least
 * allows, and one more of the last size: threads of unequal speed end together, and what one thread wrote it reads
 * again, as a rule, in the loop that follows. */
enum { HALVINGS = 5 };

struct pieces {
	int64_t n, threads, halvings;
};

static struct pieces cut(int64_t n, int64_t at_least, int64_t threads)
{
	struct pieces p = { n, threads, 0 };
	while (p.halvings < HALVINGS && (threads << (p.halvings + 1)) * at_least <= n)
		p.halvings++;
	return p;
}

static int64_t begin_of(const struct pieces *p, int64_t i)
{
	int64_t whole = 1 << p->halvings, round = i / p->threads, at = i % p->threads,
			left = round > p->halvings ? 0 : whole >> round, size = left > 1 ? left / 2 : left;
	return p->n * (p->threads * (whole - left) + at * size) / (p->threads * whole);
}

static _Thread_local int thread;

int cpu_threads(void)
{
	return omp_get_max_threads();
}

int cpu_thread(void)
{
	return thread;
}

void cpu_set_threads(int n)
{
	omp_set_num_threads(n);
}

static void body_here(int64_t n, void (*body)(void *ctx, int64_t first, int64_t last), void *ctx)
{
	int before = thread;
	thread = 0;
	body(ctx, 0, n);
	thread = before;
}

void cpu_split(int64_t n, int64_t at_least, void (*body)(void *ctx, int64_t first, int64_t last), void *ctx)
{
	if (at_least < 1)
		at_least = 1;
	int64_t threads = omp_get_max_threads(), most = (n + at_least - 1) / at_least;
	if (threads > most)
		threads = most;
	if (threads <= 1) {
		if (n > 0)
			body_here(n, body, ctx);
		return;
	}
	const struct pieces p = cut(n, at_least, threads);
	struct cpu_region region;
	bool clocked = cpu_clock_fork(&region);
#pragma omp parallel num_threads((int)threads)
	{
		int before = thread;
		thread = omp_get_thread_num();
		if (clocked)
			cpu_clock_body(&region);
#pragma omp for schedule(dynamic, 1) nowait
		for (int64_t i = 0; i < (p.halvings + 1) * threads; i++)
			if (begin_of(&p, i) < begin_of(&p, i + 1))
				body(ctx, begin_of(&p, i), begin_of(&p, i + 1));
		if (clocked)
			cpu_clock_body_end(&region);
		thread = before;
	}
	if (clocked)
		cpu_clock_join(&region);
}
