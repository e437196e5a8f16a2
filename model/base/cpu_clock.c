/* cpu_clock.c - see cpu_clock.h. Each thread adds up its own laps; those of a region's bodies are added to the whole
 * when a body ends. */
#include "model/base/cpu_clock.h"

#include "model/base/progress.h"

#include <omp.h>
#include <string.h>

bool cpu_clock_on;

static const struct {
	const char *name, *meaning;
} parts[CPU_PARTS] = {
	[CPU_PRODUCTS] = { "products", "matrix products: convolutions, 1x1s and linear layers" },
	[CPU_TRANSFORMS] = { "transforms", "Winograd's transforms of inputs, outputs and weights" },
	[CPU_NORMS] = { "norms", "group norms and what is folded into them" },
	[CPU_ATTENTION] = { "attention", "attention with its products" },
	[CPU_RESAMPLING] = { "resampling", "resampling and layout: concat, slice, shuffle, pool" },
	[CPU_OPTIMIZER] = { "optimizer", "optimizer and averages of weights" },
	[CPU_ELEMENTWISE] = { "elementwise", "sums, scales, embeddings, distances and the rest" },
	[CPU_BATCH] = { "batch", "making the batch: pictures and noise" },
	[CPU_WAITING] = { "waiting", "threads with nothing to do while others work" },
	[CPU_OTHER] = { "other", "between operations" },
};

const char *cpu_part_name(enum cpu_part part)
{
	return parts[part].name;
}

const char *cpu_part_meaning(enum cpu_part part)
{
	return parts[part].meaning;
}

/* Of the clock: written by the thread that started it, outside of regions, and by bodies' ends in turn. */
static struct cpu_cost total[CPU_PARTS]; /* seconds: of threads, added up */
static int threads;
static int64_t counts;

static _Thread_local bool owner; /* started the clock */
static _Thread_local struct {
	enum cpu_part part;
	bool in_body, whole_team;
	double since, seconds[CPU_PARTS]; /* seconds: of a body */
} lap;

static void end_lap(void)
{
	double now = monotonic_s(), took = now - lap.since;
	lap.since = now;
	if (lap.in_body) {
		lap.seconds[lap.part] += took;
		return;
	}
	int busy = lap.whole_team ? threads : 1;
	total[lap.part].seconds += busy * took;
	total[CPU_WAITING].seconds += (threads - busy) * took;
}

static bool is_clocked(void)
{
	return lap.in_body || owner;
}

void cpu_clock_start(void)
{
	memset(total, 0, sizeof total);
	threads = omp_get_max_threads();
	counts = 0;
	owner = true;
	lap.in_body = lap.whole_team = false;
	lap.part = CPU_OTHER;
	lap.since = monotonic_s();
	cpu_clock_on = true;
}

void cpu_clock_stop(struct cpu_cost *costs)
{
	end_lap();
	cpu_clock_on = owner = false;
	for (int i = 0; i < CPU_PARTS; i++) {
		costs[i].seconds += total[i].seconds / threads;
		costs[i].flops += total[i].flops;
		costs[i].bytes += total[i].bytes;
	}
}

enum cpu_part cpu_clock_change(enum cpu_part part)
{
	if (!is_clocked())
		return part;
	enum cpu_part before = lap.part;
	end_lap();
	lap.part = part;
	return before;
}

void cpu_clock_change_team(bool whole)
{
	if (!owner || lap.in_body)
		return;
	end_lap();
	lap.whole_team = whole;
}

void cpu_clock_add(enum cpu_part part, double flops, double bytes)
{
	if (!owner || lap.in_body)
		return;
	total[part].flops += flops;
	total[part].bytes += bytes;
	counts++;
}

int64_t cpu_clock_counts(void)
{
	return counts;
}

/* A region that is opened in a body runs on that body's thread alone, and is part of it. */
bool cpu_clock_fork(struct cpu_region *r)
{
	if (!cpu_clock_on || !owner || lap.in_body)
		return false;
	end_lap();
	*r = (struct cpu_region){ .part = lap.part, .started = lap.since };
	return true;
}

void cpu_clock_body(const struct cpu_region *r)
{
	memset(lap.seconds, 0, sizeof lap.seconds);
	lap.in_body = true;
	lap.part = r->part;
	lap.since = monotonic_s();
}

void cpu_clock_body_end(struct cpu_region *r)
{
	end_lap();
	lap.in_body = false;
#pragma omp critical(cpu_clock)
	for (int i = 0; i < CPU_PARTS; i++) {
		total[i].seconds += lap.seconds[i];
		r->busy += lap.seconds[i];
	}
}

void cpu_clock_join(const struct cpu_region *r)
{
	lap.since = monotonic_s();
	lap.part = r->part;
	total[CPU_WAITING].seconds += threads * (lap.since - r->started) - r->busy;
}
