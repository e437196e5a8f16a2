/* bench_rounds.c - see bench_rounds.h. */
#include "harness/bench/bench_rounds.h"

#include "harness/bench/bench_median.h"
#include "model/base/mem.h"
#include "model/base/progress.h"
#include "model/train/model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double cpu_s(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* One warm run shows how many items fill a round. */
static void prepare(struct bench_entry *c, const struct bench_rounds *r)
{
	c->run(c, r->batch);
	double start = monotonic_s();
	c->run(c, r->batch);
	double batches = r->seconds / r->rounds / (monotonic_s() - start);
	c->n = r->batch * (int)fmin(fmax(batches, 1), 1000);
}

static void once(struct bench_entry *c, const struct bench_rounds *r, int round)
{
	double wall = monotonic_s(), cpu = cpu_s();
	for (int done = 0; done < c->n; done += r->batch)
		c->run(c, r->batch);
	c->wall[round] = (monotonic_s() - wall) / c->n;
	c->cpu[round] = (cpu_s() - cpu) / c->n;
}

static void report(json_t *out, struct bench_entry *configs, int n, const struct bench_rounds *r)
{
	double first = 0;
	for (int i = 0; i < n; i++) {
		struct bench_entry *c = &configs[i];
		SCOPED(free)
		char *rate = xstrfmt("%s_per_s", r->unit), *cpu = xstrfmt("cpu_s_per_%.*s", (int)strlen(r->unit) - 1, r->unit);
		double s = bench_median(c->wall, r->rounds), gflop_s = c->gflop / s;
		first = i ? first : s;
		(void)json_array_append_new(out, json_pack("{s:s, s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "config", c->name,
		                                           "threads", model_threads(), rate, 1 / s, "of_the_first", first / s,
		                                           cpu, bench_median(c->cpu, r->rounds), "gflop_each", c->gflop,
		                                           "gflop_per_s", gflop_s, "ceiling_gflop_per_s", r->ceiling,
		                                           "share_of_ceiling", gflop_s / r->ceiling));
	}
}

int bench_rounds(json_t *out, struct bench_entry *configs, int n, const struct bench_rounds *r, struct err *e)
{
	for (int i = 0; i < n; i++)
		prepare(&configs[i], r);
	for (int round = 0; round < r->rounds; round++) {
		for (int i = 0; i < n; i++)
			once(&configs[i], r, round);
		if (r->peer && bench_rates_ask(r->peer, 1 / configs[0].wall[round], r->seconds / r->rounds, e))
			return -1;
	}
	report(out, configs, n, r);
	return r->peer ? json_array_append_new(out, bench_rates_row(r->peer)) : 0;
}
