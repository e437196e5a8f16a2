/* bench_profile.c - see bench_profile.h. */
#include "harness/bench/bench_profile.h"

#include "model/base/cpu.h"
#include "model/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* Bytes of a block, more than the last-level caches of today hold; and of what is copied at once, a time in which other
 * work hardly ever takes the processor away. */
enum { BLOCK = 256 << 20, AT_ONCE = 16 << 20, SWEEPS = 4 };

struct copy {
	char *to, *from;
};

/* Pages belong to the thread that writes them first, which copies them later. */
static void fill_range(void *ctx, int64_t first, int64_t last)
{
	const struct copy *c = ctx;
	memset(c->from + first, 1, (size_t)(last - first));
	memset(c->to + first, 2, (size_t)(last - first));
}

static void copy_range(void *ctx, int64_t first, int64_t last)
{
	const struct copy *c = ctx;
	memcpy(c->to + first, c->from + first, (size_t)(last - first));
}

double bench_copy_ceiling(void)
{
	char *to = xaligned(BLOCK), *from = xaligned(BLOCK);
	double best = 0;
	for (size_t at = 0; at < BLOCK; at += AT_ONCE)
		cpu_split(AT_ONCE, 1 << 16, fill_range, &(struct copy){ to + at, from + at });
	for (size_t at = 0; at < (size_t)SWEEPS * BLOCK; at += AT_ONCE) {
		struct cpu_cost costs[CPU_PARTS] = { 0 };
		cpu_clock_start();
		cpu_split(AT_ONCE, 1 << 16, copy_range, &(struct copy){ to + at % BLOCK, from + at % BLOCK });
		cpu_clock_stop(costs);
		double rate = 2.0 * AT_ONCE / costs[CPU_OTHER].seconds / 1e9;
		best = rate > best ? rate : best;
	}
	free(to);
	free(from);
	return best;
}

static json_t *part_json(enum cpu_part i, const struct bench_profile *p, double gflop_per_s, double gbyte_per_s)
{
	const struct cpu_cost *c = &p->parts[i];
	double computing = c->flops / p->steps / (1e9 * gflop_per_s), moving = c->bytes / p->steps / (1e9 * gbyte_per_s),
		   floor_s = computing > moving ? computing : moving, seconds = c->seconds / p->steps;
	json_t *row = json_pack("{s:s, s:f, s:f, s:f, s:f}", "what", cpu_part_meaning(i), "seconds", seconds, "share",
	                        c->seconds / p->seconds, "flops", c->flops / p->steps, "bytes", c->bytes / p->steps);
	(void)json_object_set_new(row, "floor_s", floor_s > 0 ? json_real(floor_s) : json_null());
	(void)json_object_set_new(row, "times_floor", floor_s > 0 ? json_real(seconds / floor_s) : json_null());
	return row;
}

json_t *bench_profile_json(const struct bench_profile *p, double gflop_per_s, double gbyte_per_s)
{
	json_t *parts = json_object();
	for (enum cpu_part i = 0; i < CPU_PARTS; i++)
		(void)json_object_set_new(parts, cpu_part_name(i), part_json(i, p, gflop_per_s, gbyte_per_s));
	return json_pack("{s:i, s:f, s:f, s:f, s:o}", "steps", p->steps, "step_s", p->seconds / p->steps,
	                 "ceiling_gflop_per_s", gflop_per_s, "ceiling_gbyte_per_s", gbyte_per_s, "parts", parts);
}

static double number(const json_t *row, const char *key)
{
	return json_number_value(json_object_get(row, key));
}

void bench_profile_print(FILE *f, const char *config, const json_t *profile)
{
	json_t *parts = json_object_get(profile, "parts"), *row;
	const char *name;
	(void)fprintf(f, "%s: a step of %.3f ms, mean of %.0f, beside %.1f GFLOP/s of products and %.1f GB/s of copies\n",
	              config, 1e3 * number(profile, "step_s"), number(profile, "steps"),
	              number(profile, "ceiling_gflop_per_s"), number(profile, "ceiling_gbyte_per_s"));
	(void)fprintf(f, "  %-12s %10s %7s %9s %9s %10s %8s\n", "part", "ms", "share", "GFLOP", "GB", "floor ms",
	              "x floor");
	json_object_foreach(parts, name, row)
	{
		(void)fprintf(f, "  %-12s %10.3f %5.1f %% %9.3f %9.4f", name, 1e3 * number(row, "seconds"),
		              100 * number(row, "share"), 1e-9 * number(row, "flops"), 1e-9 * number(row, "bytes"));
		if (json_is_real(json_object_get(row, "floor_s")))
			(void)fprintf(f, " %10.3f %8.2f\n", 1e3 * number(row, "floor_s"), number(row, "times_floor"));
		else
			(void)fprintf(f, " %10s %8s\n", "-", "-");
	}
}
