/* test_bench.c - what a benchmark makes of the times that it took: a wrong median, share or floor would be believed, as
 * no other program says them. Times themselves are judged nowhere. */
#define _GNU_SOURCE
#include "harness/bench/bench_median.h"
#include "harness/bench/bench_pairs.h"
#include "harness/bench/bench_peer.h"
#include "harness/bench/bench_profile.h"
#include "harness/bench/bench_rounds.h"
#include "harness/commands/bench_keys.h"
#include "model/base/progress.h"
#include "tests/common/json_against.h"
#include "tests/common/ok.h"

#include <criterion/criterion.h>
#include <unistd.h>

static double number(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);
	cr_assert(json_is_number(v), "%s", key);
	return json_number_value(v);
}

Test(bench, median)
{
	cr_expect_eq(bench_median((double[]){ 7 }, 1), 7);
	cr_expect_eq(bench_median((double[]){ 9, 1, 2 }, 3), 2);
	cr_expect_eq(bench_median((double[]){ 9, 1, 4, 2 }, 4), 3);
}

/* The row of density and coverage is what its keys say: at its full size it takes too long for another test to look. */
Test(bench, pairs_are_as_documented)
{
	struct err e = ERR_INIT;
	json_t *rows = json_array(), *all = json_pack("{s:i, s:o}", "schema", 1, "prdc", rows),
		   *schema = json_keys_schema(bench_forms);
	struct json_found found;
	OK(bench_pairs(rows, 50, 8, 1, &e));
	(void)json_against(&found, schema, all);
	cr_assert_eq(found.n_wrong, 0, "%s", str_text(&found.wrong));
	json_found_release(&found);
	json_decref(schema);
	json_decref(all);
}

/* A part's floor is what the slower of the two ceilings leaves it, of one step. */
Test(bench, a_profile_is_of_one_step)
{
	struct bench_profile p = { .steps = 4, .seconds = 8 };
	p.parts[CPU_PRODUCTS] = (struct cpu_cost){ .seconds = 6, .flops = 8e9, .bytes = 1e9 };
	p.parts[CPU_NORMS] = (struct cpu_cost){ .seconds = 1, .flops = 1e8, .bytes = 4e9 };
	json_t *o = bench_profile_json(&p, 2, 10), *parts = json_object_get(o, "parts");
	const json_t *products = json_object_get(parts, cpu_part_name(CPU_PRODUCTS)),
				 *norms = json_object_get(parts, cpu_part_name(CPU_NORMS)),
				 *waiting = json_object_get(parts, cpu_part_name(CPU_WAITING));
	cr_expect_eq(number(o, "step_s"), 2);
	cr_expect_eq(number(products, "seconds"), 1.5);
	cr_expect_eq(number(products, "share"), 0.75);
	cr_expect_eq(number(products, "flops"), 2e9);
	cr_expect_eq(number(products, "floor_s"), 1); /* 2 GFLOP at 2 GFLOP/s, rather than 0.25 GB at 10 GB/s */
	cr_expect_eq(number(products, "times_floor"), 1.5);
	cr_expect_float_eq(number(norms, "floor_s"), 0.1, 1e-15); /* 1 GB at 10 GB/s */
	cr_expect(json_is_null(json_object_get(waiting, "floor_s")));
	json_decref(o);
}

Test(bench, a_peer_has_to_do_the_same_work)
{
	struct err e = ERR_INIT;
	const struct bench_peer peer = { .command = "peer" };
	double x = 0;
	cr_expect_eq(bench_peer_agrees(&peer, "a mean of", 1.019, 1, &e), 0);
	cr_expect_eq(bench_peer_agrees(&peer, "a mean of", 0.981, 1, &e), 0);
	cr_expect_eq(bench_peer_agrees(&peer, "a mean of", 1.021, 1, &e), -1);
	cr_expect_eq(bench_peer_agrees(&peer, "a mean of", 0.979, 1, &e), -1);
	json_t *said = json_pack("{s:f, s:i, s:f, s:s}", "a", 1.5, "zero", 0, "below", -1.0, "text", "2");
	OK(bench_peer_number(&x, &peer, said, "a", &e));
	cr_expect_eq(x, 1.5);
	static const char *const bad[] = { "zero", "below", "text", "none" };
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		cr_expect_eq(bench_peer_number(&x, &peer, said, bad[i], &e), -1, "%s", bad[i]);
	json_decref(said);
}

Test(bench, a_peers_row_is_the_median_and_the_range)
{
	struct bench_rates r = {
		.peer = { .command = "peer" }, .n = 3, .rate = { 10, 30, 20 }, .ratio = { 1.5, 0.5, 2.5 }
	};
	json_t *o = bench_rates_row(&r);
	cr_expect_eq(number(o, "images_per_s"), 20);
	cr_expect_eq(number(o, "ratio"), 1.5);
	cr_expect_eq(number(o, "ratio_least"), 0.5);
	cr_expect_eq(number(o, "ratio_most"), 2.5);
	cr_expect_eq(number(o, "rounds"), 3);
	json_decref(o);
}

/* Takes some time, and counts what it was asked for. */
static int items[2];
static void some_time(struct bench_entry *c, int n)
{
	items[*c->name - 'a'] += n;
	(void)usleep(1000);
}

/* What is compared is run as often in each round, and each is told per item. */
Test(bench, rounds_are_per_item)
{
	struct err e = ERR_INIT;
	struct bench_entry c[2] = { { .name = "a", .run = some_time, .gflop = 2 },
		                        { .name = "b", .run = some_time, .gflop = 2 } };
	const struct bench_rounds r = { .rounds = 3, .seconds = 0.03, .batch = 4, .unit = "images", .ceiling = 5 };
	json_t *out = json_array();
	double start = monotonic_s();
	OK(bench_rounds(out, c, 2, &r, &e));
	double took = monotonic_s() - start, within = 0;
	for (int i = 0; i < 2; i++) {
		const json_t *row = json_array_get(out, (size_t)i);
		int warm = 2 * r.batch;
		cr_expect_eq(c[i].n % r.batch, 0);
		cr_expect_eq(items[i], warm + r.rounds * c[i].n);
		double s = 1 / number(row, "images_per_s");
		for (int k = 0; k < r.rounds; k++)
			within += c[i].wall[k] * c[i].n;
		cr_expect_float_eq(number(row, "gflop_per_s") * s, 2, 1e-12);
		cr_expect_float_eq(number(row, "share_of_ceiling") * 5, number(row, "gflop_per_s"), 1e-9 * 2 / s);
		cr_expect_float_eq(number(row, "of_the_first") * s, bench_median(c[0].wall, r.rounds), 1e-12);
	}
	cr_expect_leq(within, took);
	json_decref(out);
}
