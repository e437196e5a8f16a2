/* cpu.c - see cpu.h. */
#include "model/base/cpu.h"

#include "model/base/cpu_clock.h"

#include <omp.h>

int cpu_threads(void)
{
	return omp_get_max_threads();
}

void cpu_set_threads(int n)
{
	omp_set_num_threads(n);
}

void cpu_split(int64_t n, int64_t at_least, void (*body)(void *ctx, int64_t first, int64_t last), void *ctx)
{
	int64_t parts = omp_get_max_threads();
	if (at_least < 1)
		at_least = 1;
	if (parts > (n + at_least - 1) / at_least)
		parts = (n + at_least - 1) / at_least;
	if (parts <= 1) {
		if (n > 0)
			body(ctx, 0, n);
		return;
	}
	struct cpu_region region;
	bool clocked = cpu_clock_fork(&region);
#pragma omp parallel for schedule(static) num_threads((int)parts)
	for (int64_t i = 0; i < parts; i++) {
		if (clocked)
			cpu_clock_body(&region);
		body(ctx, n * i / parts, n * (i + 1) / parts);
		if (clocked)
			cpu_clock_body_end(&region);
	}
	if (clocked)
		cpu_clock_join(&region);
}
