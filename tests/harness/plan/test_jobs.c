/* test_jobs.c - cells at once and threads from a table of rates, on 1, 2, 4 and 8 processors; and the file in which the
 * table is remembered, whole, of other machines, and damaged. */
#include "harness/plan/jobs.h"

#include "harness/record/host.h"
#include "model/base/io.h"
#include "tests/common/tmpdir.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Rates of both networks: all cells together are gain[i] times as fast as one cell with all processors. */
static struct scaling table(int processors, const double *gain)
{
	struct scaling s;
	scaling_init(&s, processors);
	s.gflop[SCALING_SMALL] = 0.5;
	s.gflop[SCALING_LARGE] = 40;
	for (int i = 0; i < s.n; i++) {
		s.v[i].steps_per_s[SCALING_SMALL] = 90 * gain[i];
		s.v[i].steps_per_s[SCALING_LARGE] = 7 * gain[i];
	}
	return s;
}

#define GAINS(...) \
	(const double[]) \
	{ \
		__VA_ARGS__ \
	}

static struct jobs_ask cells(int processors, int n)
{
	return (struct jobs_ask){ .processors = processors, .cells = n, .work = { 1, 1 } };
}

static void chooses(struct jobs_ask ask, const double *gain, int jobs, int threads)
{
	struct scaling s = table(ask.processors, gain);
	struct jobs j = jobs_choose(&ask, &s);
	cr_assert(j.jobs == jobs && j.threads == threads, "%d x %d, not %d x %d", j.jobs, j.threads, jobs, threads);
	cr_assert(j.jobs >= 1 && j.threads >= 1 && j.processors == ask.processors);
}

Test(jobs, combinations_are_the_divisors)
{
	struct scaling s;
	scaling_init(&s, 1);
	cr_assert(s.n == 1 && s.v[0].jobs == 1 && s.v[0].threads == 1);
	scaling_init(&s, 12);
	cr_assert(s.n == 6 && s.v[3].jobs == 4 && s.v[3].threads == 3);
	scaling_init(&s, 720); /* 30 divisors */
	cr_assert(s.n == SCALING_MAX && s.v[SCALING_MAX - 1].jobs == 720 && s.v[SCALING_MAX - 1].threads == 1);
	for (int i = 1; i < s.n; i++)
		cr_assert(s.v[i].jobs > s.v[i - 1].jobs && s.v[i].jobs * s.v[i].threads == 720);
}

Test(jobs, the_fastest_combination_wins)
{
	chooses(cells(2, 6), GAINS(1, 1.9), 2, 1);
	chooses(cells(2, 6), GAINS(1, 0.8), 1, 2);
	chooses(cells(4, 8), GAINS(1, 1.6, 1.2), 2, 2);
	chooses(cells(4, 8), GAINS(1, 1.6, 2.5), 4, 1);
	chooses(cells(8, 16), GAINS(1, 1.5, 2.2, 1.9), 4, 2);
	chooses(cells(8, 16), GAINS(1, 1.5, 2.2, 3), 8, 1);
}

Test(jobs, what_is_alike_goes_to_more_at_once)
{
	chooses(cells(2, 6), GAINS(1, 0.97), 2, 1);
	chooses(cells(4, 8), GAINS(1, 1.6, 1.55), 4, 1);
	chooses(cells(2, 6), GAINS(1, 0.94), 1, 2);
}

Test(jobs, no_more_at_once_than_there_are_cells)
{
	chooses(cells(8, 2), GAINS(1, 1.8, 2.2, 3), 2, 4);
	chooses(cells(8, 3), GAINS(1, 1.5, 2.4, 3), 3, 2); /* one round of 3 beats two rounds of 2 */
	chooses(cells(2, 3), GAINS(1, 1.2), 1, 2);         /* the third would have half the machine idle */
	chooses(cells(2, 3), GAINS(1, 1.9), 2, 1);
	chooses(cells(4, 5), GAINS(1, 1.7, 1.9), 2, 2); /* rounds: 5, 3 and 2 */
	chooses(cells(8, 1), GAINS(1, 1.5, 2.2, 3), 1, 8);
	chooses(cells(8, 2), GAINS(1, 1.8, 2.2, 7.5), 2, 4); /* with 8 at once, 6 threads would have nothing to do */
}

Test(jobs, no_more_at_once_than_fit)
{
	struct jobs_ask a = cells(8, 16);
	a.memory = 9e9;
	a.cell_bytes = 4e9;
	chooses(a, GAINS(1, 1.5, 2.2, 3), 2, 4);
	cr_assert(jobs_choose(&a, NULL).why == JOBS_UNMEASURED);
	a.cell_bytes = 20e9;
	chooses(a, GAINS(1, 1.5, 2.2, 3), 1, 8);
	a.threads = 1;
	struct jobs j = jobs_choose(&a, NULL);
	cr_assert(j.jobs == 1 && j.threads == 1 && j.by_memory);
	a.threads = 4, a.cell_bytes = 3e9; /* 3 would fit, but 2 have all processors */
	j = jobs_choose(&a, NULL);
	cr_assert(j.jobs == 2 && j.threads == 4 && !j.by_memory);
}

Test(jobs, the_networks_of_the_grid_decide)
{
	struct scaling s = table(2, GAINS(1, 1.9));
	struct jobs_ask a = cells(2, 6);
	s.v[1].steps_per_s[SCALING_LARGE] = 7 * 0.7;
	a.work[SCALING_SMALL] = 0.01, a.work[SCALING_LARGE] = 5;
	cr_assert(jobs_choose(&a, &s).jobs == 1);
	a.work[SCALING_SMALL] = 5, a.work[SCALING_LARGE] = 0.01;
	struct jobs j = jobs_choose(&a, &s);
	cr_assert(j.jobs == 2 && fabs(j.gain - 1.9) < 0.01);
}

Test(jobs, what_is_given_wins)
{
	struct scaling s = table(8, GAINS(1, 1.5, 2.2, 3));
	struct jobs_ask a = cells(8, 16);
	struct jobs j;
	a.jobs = 2;
	j = jobs_choose(&a, &s);
	cr_assert(j.why == JOBS_GIVEN && j.jobs == 2 && j.threads == 4);
	a.threads = 1;
	j = jobs_choose(&a, &s);
	cr_assert(j.why == JOBS_GIVEN && j.jobs == 2 && j.threads == 1);
	a.jobs = 0, a.threads = 3;
	j = jobs_choose(&a, &s);
	cr_assert(j.why == JOBS_GIVEN && j.jobs == 2 && j.threads == 3);
	a.threads = 2, a.cells = 3;
	cr_assert(jobs_choose(&a, &s).jobs == 3);
	a.threads = 1, a.cells = 16, a.ranks = 2; /* processes of a cell have threads of their own */
	cr_assert(jobs_choose(&a, &s).jobs == 4);
	a.ranks = 1, a.off = true;
	cr_assert(jobs_choose(&a, &s).jobs == 1);
}

Test(jobs, without_a_choice_it_is_one_cell_with_all_processors)
{
	struct scaling s = table(8, GAINS(1, 1.5, 2.2, 3));
	struct jobs_ask a = cells(8, 1);
	struct jobs j = jobs_choose(&a, &s);
	cr_assert(j.why == JOBS_ALONE && j.jobs == 1 && j.threads == 8);
	a.cells = 0;
	cr_assert(jobs_choose(&a, &s).why == JOBS_UNKNOWN);
	a.cells = 5, a.off = true;
	j = jobs_choose(&a, &s);
	cr_assert(j.why == JOBS_OFF && j.jobs == 1 && j.threads == 8);
	a.off = false, a.ranks = 2;
	j = jobs_choose(&a, &s);
	cr_assert(j.why == JOBS_OFF && j.jobs == 1 && j.threads == 4);
	a = cells(1, 5);
	j = jobs_choose(&a, NULL);
	cr_assert(j.why == JOBS_ALONE && j.jobs == 1 && j.threads == 1);
}

Test(jobs, it_is_said)
{
	struct scaling s = table(2, GAINS(1, 1.9));
	struct jobs_ask a = cells(2, 6);
	struct jobs j = jobs_choose(&a, &s);
	SCOPED(str) struct str text = { 0 };
	jobs_text(&text, &j);
	cr_assert_str_eq(str_text(&text),
	                 "2 jobs of 1 thread each: measured on this machine, 1.9 times one job of 2 threads");
	SCOPED(str) struct str json = { 0 };
	struct json_writer w = { .to = &json };
	j = jobs_choose(&a, NULL);
	jobs_add_json(&w, NULL, &j);
	cr_assert_str_eq(str_text(&json), "{\"jobs\":null,\"threads\":null,\"why\":\"not measured yet\"}");
	str_release(&json);
	j = (struct jobs){ .jobs = 2, .threads = 1, .why = JOBS_MEASURED, .gain = 1.5 };
	jobs_add_json(&w, NULL, &j);
	cr_assert_str_eq(str_text(&json), "{\"jobs\":2,\"threads\":1,\"why\":\"measured\",\"gain\":1.5}");
}

/* ====== the file ====== */

static const struct scaling_key ours = { .cpu = "A \"processor\"", .fingerprint = "12ab", .processors = 4 };

static void put(const char *path, const char *text, size_t n)
{
	struct err e = ERR_INIT;
	cr_assert(io_write_atomic(path, text, n, &e) == 0, "%s", e.msg);
}

Test(scaling, what_is_kept_is_recalled)
{
	const char *path = FMT("%s/new/folder/scaling.json", tmpdir());
	struct err e = ERR_INIT;
	struct scaling s = table(4, GAINS(1, 1.6, 1 / 3.0)), got = { 0 };
	struct scaling_key other = ours;
	cr_assert(!scaling_recall(&got, path, &ours));
	cr_assert(scaling_keep(path, &ours, &s, &e) == 0, "%s", e.msg);
	cr_assert(scaling_recall(&got, path, &ours));
	cr_assert(got.n == 3 && got.processors == 4);
	for (int i = 0; i < 3; i++)
		for (int k = 0; k < SCALING_NETS; k++)
			cr_assert(got.v[i].jobs == s.v[i].jobs && got.v[i].threads == s.v[i].threads &&
			          got.v[i].steps_per_s[k] == s.v[i].steps_per_s[k] && got.gflop[k] == s.gflop[k]);
	/* other processors, another build, another machine */
	other.processors = 2;
	cr_assert(!scaling_recall(&got, path, &other));
	other = ours;
	(void)snprintf(other.fingerprint, sizeof other.fingerprint, "12ac");
	cr_assert(!scaling_recall(&got, path, &other));
	other = ours;
	for (int i = 0; i < 40; i++) { /* their rows stand beside ours until there are too many */
		(void)snprintf(other.cpu, sizeof other.cpu, "another %d", i);
		cr_assert(scaling_keep(path, &other, &s, &e) == 0 && scaling_recall(&got, path, &other));
		cr_assert(scaling_recall(&got, path, &ours) == (i < 31), "%d", i);
	}
	s.v[0].steps_per_s[0] = 5;
	cr_assert(scaling_keep(path, &other, &s, &e) == 0 && scaling_recall(&got, path, &other));
	cr_assert(got.v[0].steps_per_s[0] == 5);
}

#define ROW(rates) \
	"{\"schema\":1,\"machines\":[{\"cpu\":\"A \\\"processor\\\"\",\"processors\":4,\"fingerprint\":\"12ab\"," \
	"\"gflop\":[1,40],\"rates\":[" rates "]}]}"
#define ONE "{\"jobs\":1,\"threads\":4,\"steps_per_s\":[9,1]}"

Test(scaling, what_is_damaged_is_as_none)
{
	static const char *const damaged[] = {
		"",
		"[]",
		"{}",
		"{\"schema\":1,\"machines\":{}}",
		"{\"schema\":2,\"machines\":[]}",
		"{\"schema\":1,\"machines\":[null,7,\"x\",[],{}]}",
		ROW(""),
		ROW("null"),
		ROW("{\"jobs\":0,\"threads\":4,\"steps_per_s\":[9,1]}"),
		ROW("{\"jobs\":2,\"threads\":2,\"steps_per_s\":[9,1]}"), /* the first has one job */
		ROW("{\"jobs\":1,\"jobs\":1,\"threads\":4,\"steps_per_s\":[9,1]}"),
		ROW("{\"jobs\":1,\"threads\":5,\"steps_per_s\":[9,1]}"),
		ROW("{\"jobs\":1,\"threads\":4294967300,\"steps_per_s\":[9,1]}"),
		ROW("{\"jobs\":1.5,\"threads\":4,\"steps_per_s\":[9,1]}"),
		ROW("{\"jobs\":1,\"threads\":4,\"steps_per_s\":[9]}"),
		ROW("{\"jobs\":1,\"threads\":4,\"steps_per_s\":[9,1,1]}"),
		ROW("{\"jobs\":1,\"threads\":4,\"steps_per_s\":[0,1]}"),
		ROW("{\"jobs\":1,\"threads\":4,\"steps_per_s\":[-9,1]}"),
		ROW("{\"jobs\":1,\"threads\":4,\"steps_per_s\":[\"9\",1]}"),
		ROW("{\"jobs\":1,\"threads\":4,\"steps_per_s\":[1e999,1]}"),
		ROW(ONE "," ONE),                                             /* jobs rise */
		ROW(ONE ",{\"jobs\":4,\"threads\":2,\"steps_per_s\":[9,1]}"), /* more than processors */
	};
	const char *path = FMT("%s/scaling.json", tmpdir());
	struct scaling s = { .n = 77 };
	for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
		put(path, damaged[i], strlen(damaged[i]));
		cr_assert(!scaling_recall(&s, path, &ours) && s.n == 77, "%s", damaged[i]);
	}
	put(path, ROW(ONE), strlen(ROW(ONE)));
	cr_assert(scaling_recall(&s, path, &ours) && s.n == 1);
	/* every beginning of a good file */
	for (size_t n = 0; n < strlen(ROW(ONE)); n++) {
		put(path, ROW(ONE), n);
		cr_assert(!scaling_recall(&s, path, &ours), "%zu bytes", n);
	}
	/* deeper than any reader goes, and larger than it reads */
	size_t large = (size_t)2 << 20;
	char *many = malloc(large);
	cr_assert(many != NULL);
	memset(many, '[', large);
	put(path, many, large / 4);
	cr_assert(!scaling_recall(&s, path, &ours));
	memset(many, ' ', large);
	memcpy(many, ROW(ONE), strlen(ROW(ONE)));
	put(path, many, large);
	cr_assert(!scaling_recall(&s, path, &ours));
	free(many);
	/* and what is damaged is replaced */
	struct err e = ERR_INIT;
	struct scaling fresh = table(4, GAINS(1, 1, 1));
	cr_assert(scaling_keep(path, &ours, &fresh, &e) == 0 && scaling_recall(&s, path, &ours) && s.n == 3);
}

/* One combination more than there is room for. */
Test(scaling, no_more_combinations_than_fit)
{
	const char *path = FMT("%s/scaling.json", tmpdir());
	const struct scaling_key key = { .cpu = "cpu", .fingerprint = "12ab", .processors = 64 };
	struct scaling s;
	for (int n = SCALING_MAX; n <= SCALING_MAX + 1; n++) {
		SCOPED(str) struct str text = { 0 };
		str_add(&text, "{\"schema\":1,\"machines\":[{\"cpu\":\"cpu\",\"processors\":64,\"fingerprint\":\"12ab\","
		               "\"gflop\":[1,40],\"rates\":[");
		for (int i = 1; i <= n; i++)
			str_addf(&text, "%s{\"jobs\":%d,\"threads\":1,\"steps_per_s\":[9,1]}", i > 1 ? "," : "", i);
		str_add(&text, "]}]}");
		put(path, str_text(&text), text.len);
		cr_assert(scaling_recall(&s, path, &key) == (n == SCALING_MAX), "%d", n);
	}
}

Test(scaling, the_key_is_of_this_machine)
{
	struct scaling_key k;
	scaling_key(&k);
	cr_assert(k.processors == host_cpus() && *k.cpu && strlen(k.fingerprint) == 64);
}
