/* test_runner.c - the runner with a worker whose training is arithmetic (fake-worker.c): what is finished is skipped,
 * what fails does not stop the rest, what is stopped continues to the same bits, and states come from evidence. */
#define _GNU_SOURCE
#include "harness/record/host.h"
#include "harness/record/journal.h"
#include "harness/run/runner.h"
#include "harness/record/store.h"
#include "model/base/io.h"
#include "model/base/progress.h"
#include "tests/common/ok.h"
#include "tests/common/tmpdir.h"
#include "tests/harness/run/runner_fixture.h"

#include <criterion/criterion.h>
#include <glob.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

TestSuite(runner, .init = setup, .timeout = 60);

/* Journals of the database that hold more than their head: as many workers have come to work. */
static int at_work(void)
{
	glob_t found;
	int n = 0;
	if (glob(FMT("%s-runs/*/*/journal.jsonl", options.db), 0, NULL, &found))
		return 0;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		SCOPED(str) struct str journal = { 0 };
		e = ERR_INIT;
		const char *head = io_read(&journal, found.gl_pathv[i], SIZE_MAX, &e) ? NULL : strchr(journal.data, '\n');
		n += head && strchr(head + 1, '\n');
	}
	globfree(&found);
	return n;
}

/* Waits, on a busy machine too, until so many workers have come to work, and a moment more; not for ever. */
static void await_work(int workers)
{
	for (double until = monotonic_s() + 50; at_work() < workers && monotonic_s() < until;)
		(void)usleep(5000);
	(void)usleep(100000);
}

Test(runner, makes_all_cells_and_skips_them_the_second_time)
{
	for (int s = 1; s <= 4; s++)
		cell("{\"steps\":10}", s);
	struct run_result r = run();
	cr_assert_eq(r.done, 4);
	cr_assert_eq(run_exit_code(&r), 0);
	cr_assert_eq(
		count(
			"SELECT count(*) FROM attempt WHERE state = 'done' AND exit_code = 0 AND length(journal) = 64 AND cpu_s > "
			"0 AND max_rss > 0"),
		4);
	cr_assert_eq(count("SELECT count(*) FROM curve"), 40);
	cr_assert_eq(count("SELECT count(*) FROM v_result"), 4);
	cr_assert_eq(count("SELECT count(*) FROM v_cell_status WHERE state = 'done'"), 4);
	r = run();
	cr_assert_eq(r.cached, 4);
	cr_assert_eq(r.attempts, 0);
	cr_assert_eq(run_exit_code(&r), 0);
}

/* The cell that met a device which cannot be opened has all its retries left, and starts at the end of the queue. */
Test(runner, a_device_that_cannot_be_opened_costs_no_retry)
{
	struct engine_devices devices = { .n = 2, .v = { { .name = "cuda:0" }, { .name = "cuda:1" } } };
	cell("{\"steps\":10, \"dead\":\"cuda:0\", \"fail_at\":3, \"until_attempt\":3}", 1);
	cell("{\"steps\":10, \"dead\":\"cuda:0\"}", 2);
	options.devices = &devices;
	options.jobs = 1;
	options.retries = 1;
	struct run_result r = run();
	cr_assert_eq(r.done, 2);
	cr_assert_eq(r.failed, 0);
	cr_assert_eq(count("SELECT count(*) FROM attempt WHERE exit_code = 69"), 1);
	cr_assert_eq(count("SELECT count(*) FROM attempt"), 4);
	cr_assert(strstr(said.data, "cuda:0 is left out from here on: no such luck"), "%s", said.data);
}

Test(runner, one_failure_does_not_stop_the_others)
{
	cell("{\"steps\":10}", 1);
	cell("{\"steps\":10,\"fail_at\":3}", 1);
	cell("{\"steps\":10,\"crash_at\":3}", 1);
	cell("{\"steps\":10,\"diverge_at\":3}", 1);
	cell("{\"mute\":true}", 1);
	cell("{\"steps\":10}", 2);
	struct run_result r = run();
	cr_assert_eq(r.done, 2);
	cr_assert_eq(r.failed, 3);
	cr_assert_eq(r.diverged, 1);
	cr_assert_eq(run_exit_code(&r), EXIT_INCOMPLETE);
	cr_assert_str_eq(text("SELECT reason FROM attempt WHERE state = 'failed' AND reason LIKE 'told%'"), "told to fail");
	cr_assert_eq(
		count(
			"SELECT count(*) FROM attempt WHERE state = 'killed' AND signal = 9 AND exit_code IS NULL AND reason LIKE "
			"'%signal 9%'"),
		1);
	cr_assert_eq(
		count(
			"SELECT count(*) FROM attempt WHERE state = 'failed' AND exit_code = 3 AND reason LIKE '%I say nothing%'"),
		1);
	cr_assert_eq(count("SELECT count(*) FROM attempt WHERE state = 'running'"), 0);
	/* what diverged would diverge again; the others are tried again */
	r = run();
	cr_assert_eq(r.cached, 2);
	cr_assert_eq(r.attempts, 3);
	cr_assert_eq(r.diverged, 1);
}

Test(runner, tries_again_as_often_as_allowed)
{
	cell("{\"steps\":10,\"crash_at\":7,\"until_attempt\":3}", 1);
	options.retries = 1;
	struct run_result r = run();
	cr_assert_eq(r.failed, 1);
	cr_assert_eq(r.attempts, 2);
	options.retries = 2;
	r = run();
	cr_assert_eq(r.done, 1);
	cr_assert_eq(r.attempts, 1);
	cr_assert_eq(count("SELECT count(*) FROM attempt"), 3);
	cr_assert_eq(count("SELECT resumed_step FROM attempt WHERE state = 'done'"), 5, "continues from the checkpoint");
}

/* Of its place an attempt keeps what bits depend on. Threads are none of that: it takes those that there are now. */
Test(runner, what_goes_on_keeps_its_place_or_says_what_is_different)
{
	static const char places[] =
		"SELECT group_concat(json_extract(v.json, '$.threads') || '/' || json_extract(v.json, "
		"'$.microbatch')) FROM (SELECT * FROM attempt ORDER BY n) a JOIN env v ON v.hash = a.env";
	cell("{\"steps\":10,\"crash_at\":7,\"until_attempt\":5}", 1);
	cells[0].microbatch = 4;
	(void)run();
	options.threads = 2; /* with other cells left, another number */
	cells[0].microbatch = 0;
	(void)run();
	cr_assert_str_eq(text(places), "1/4,2/4");
	cr_assert_eq(count("SELECT resumed_step FROM attempt WHERE n = 2 AND state = 'killed'"), 5);
	cr_assert_not(strstr(str_text(&said), "goes on"), "%s", said.data);
	cells[0].microbatch = 2; /* more would not fit */
	options.threads = 3;
	(void)run();
	cr_assert_str_eq(text(places), "1/4,2/4,3/2");
	cr_assert(strstr(said.data, "(micro-batches of 4, then micro-batches of 2)"), "%s", said.data);
}

/* Of an attempt that never began it is known where, too. */
Test(runner, every_life_has_its_environment)
{
	cell("{\"mute\":true}", 1), cell("{}", 2);
	cells[1].blocked = "needs weights";
	(void)run();
	cr_assert_str_eq(
		text("SELECT group_concat(n) FROM (SELECT coalesce(json_extract(json, '$.threads'), 0) n FROM env ORDER BY 1)"),
		"0,1");
}

Test(runner, stops_after_as_many_failures_as_said)
{
	for (int s = 1; s <= 6; s++)
		cell("{\"fail_at\":1}", s);
	options.jobs = 1;
	options.stop_after = 2;
	struct run_result r = run();
	cr_assert_eq(r.failed, 2);
	cr_assert_eq(r.pending, 4);
	cr_assert_eq(run_exit_code(&r), EXIT_INCOMPLETE);
}

/* A training that diverges is a failure like any other. */
Test(runner, those_that_diverge_count_as_failures)
{
	for (int s = 1; s <= 6; s++)
		cell(s % 2 ? "{\"diverge_at\":1}" : "{\"fail_at\":1}", s);
	options.jobs = 1;
	options.stop_after = 3;
	struct run_result r = run();
	cr_assert_eq(r.diverged, 2);
	cr_assert_eq(r.failed, 1);
	cr_assert_eq(r.pending, 3);
}

/* What fails when the grid has been given up has failed, and does not wait for a retry that never comes. */
Test(runner, nothing_is_tried_again_once_the_grid_is_given_up)
{
	cell("{\"fail_at\":1}", 1);
	cell("{\"fail_at\":4,\"step_ms\":700}", 2);
	options.retries = 1;
	options.stop_after = 1;
	struct run_result r = run();
	cr_assert_eq(r.failed, 2, "%s", run_summary(&r));
	cr_assert_eq(r.attempts, 3);
	cr_assert_eq(r.pending, 0);
}

static char *results(const char *db)
{
	options.db = (char *)db;
	return text("SELECT group_concat(cell || name || hex, ' ') FROM (SELECT * FROM v_result ORDER BY cell)");
}

static char *curves(void)
{
	return text(
		"SELECT group_concat(seed || ':' || step || '=' || printf('%!.17g', value), ' ') FROM (SELECT c.seed, v.step, "
		"v.value FROM v_curve v JOIN attempt a ON a.id = v.attempt JOIN cell c ON c.hash = a.cell WHERE a.state = "
		"'done' ORDER BY c.seed, v.step)");
}

Test(runner, an_interrupt_checkpoints_and_the_next_run_ends_with_the_same_bits)
{
	for (int s = 1; s <= 2; s++)
		cell("{\"steps\":60,\"step_ms\":10,\"every\":25}", s);
	options.db = TMP("whole.db");
	struct run_result r = run();
	cr_assert_eq(r.done, 2);
	char *whole = curves();
	options.db = TMP("parts.db");
	static const int signals[] = { SIGINT, SIGTERM };
	for (int k = 0; k < 2; k++) {
		pid_t me = getpid(), killer = fork();
		if (killer == 0) {
			await_work(2 * (k + 1));
			(void)kill(me, signals[k]);
			_exit(0);
		}
		r = run();
		(void)waitpid(killer, NULL, 0);
		cr_assert_eq(r.stopped, 2, "%s", run_summary(&r));
		cr_assert_eq(run_exit_code(&r), signals[k] == SIGINT ? EXIT_INTERRUPTED : EXIT_TERMINATED);
		cr_assert_eq(count("SELECT count(*) FROM attempt WHERE state = 'running'"), 0);
	}
	r = run();
	cr_assert_eq(r.done, 2);
	cr_assert_eq(count("SELECT count(*) FROM attempt WHERE resumed_from IS NOT NULL"), 4);
	cr_assert_eq(count("SELECT count(*) FROM curve"), 2 * 60, "a step is computed twice: not the furthest checkpoint");
	cr_assert_str_eq(curves(), whole);
	cr_assert_str_eq(results(TMP("parts.db")), results(TMP("whole.db")));
}

Test(runner, a_second_interrupt_aborts_and_stays_consistent)
{
	cell("{\"steps\":10000,\"step_ms\":5,\"deaf\":true}", 1);
	options.retries = 2; /* none is taken */
	pid_t me = getpid(), killer = fork();
	if (killer == 0) {
		await_work(1);
		for (int k = 0; k < 3;
		     k++) { /* the third, should the machine be so slow that the first two were heard as one */
			(void)kill(me, SIGINT);
			(void)usleep(1300000);
		}
		_exit(0);
	}
	struct run_result r = run();
	(void)waitpid(killer, NULL, 0);
	cr_assert_eq(r.stopped, 1);
	cr_assert_eq(run_exit_code(&r), EXIT_INTERRUPTED);
	cr_assert_eq(count("SELECT count(*) FROM attempt WHERE state = 'killed' AND reason LIKE '%second interrupt%'"), 1);
}

/* As a terminal that is closed, its shell, and `timeout` do it; the key that is held down, too. The worker is in a step
 * that takes 1.5 s. */
Test(runner, many_signals_are_one_request)
{
	static const int storm[] = { SIGHUP, SIGTERM, SIGINT, SIGHUP, SIGTERM, SIGTERM, SIGINT, SIGHUP };
	cell("{\"steps\":3,\"step_ms\":1500,\"every\":100}", 1);
	pid_t me = getpid(), killer = fork();
	if (killer == 0) {
		await_work(1);
		for (size_t k = 0; k < sizeof storm / sizeof *storm; k++) {
			(void)kill(me, storm[k]);
			(void)usleep(10000);
		}
		_exit(0);
	}
	struct run_result r = run();
	(void)waitpid(killer, NULL, 0);
	cr_assert_eq(r.stopped, 1, "%s", run_summary(&r));
	cr_assert_eq(run_exit_code(&r), EXIT_TERMINATED);
	cr_assert_eq(count("SELECT count(*) FROM attempt WHERE state = 'stopped' AND step > 0"), 1);
	cr_assert_eq(count("SELECT count(*) FROM checkpoint"), 1);
}

Test(runner, a_repetition_hears_many_signals_as_one)
{
	const struct repetition whole = { 0 };
	char attempt[64];
	cell("{\"steps\":3,\"step_ms\":1000}", 1);
	pid_t me = getpid(), killer = fork();
	if (killer == 0) {
		await_work(1);
		for (int k = 0; k < 8; k++) {
			(void)kill(me, k % 2 ? SIGTERM : SIGHUP);
			(void)usleep(20000);
		}
		_exit(0);
	}
	e = ERR_INIT;
	cr_assert_eq(runner_repeat(attempt, &whole, &plan, &options, &e), -1);
	(void)waitpid(killer, NULL, 0);
	cr_assert_eq(err_exit_code(&e), EXIT_TERMINATED, "%s", e.msg);
	cr_assert(strstr(said.data, "stopping"), "%s", str_text(&said));
}

Test(runner, a_hang_up_that_the_caller_ignores_stays_ignored)
{
	cell("{\"steps\":20,\"step_ms\":20}", 1);
	(void)signal(SIGHUP, SIG_IGN); /* nohup */
	pid_t me = getpid(), killer = fork();
	if (killer == 0) {
		await_work(1);
		(void)kill(me, SIGHUP);
		pid_t worker = (pid_t)count("SELECT pid FROM attempt WHERE state = 'running'");
		if (worker > 1) /* -1, no row, would be everybody */
			(void)kill(worker, SIGHUP);
		_exit(0);
	}
	struct run_result r = run();
	(void)waitpid(killer, NULL, 0);
	cr_assert_eq(r.done, 1, "%s", run_summary(&r));
}

Test(runner, budgets_checkpoint_and_ask_to_be_run_again)
{
	cell("{\"steps\":100,\"step_ms\":10}", 1);
	cell("{\"steps\":100,\"step_ms\":10}", 2);
	options.jobs = 1;
	options.cell_wall_s = 0.3;
	struct run_result r = run();
	cr_assert_eq(r.timeout, 2);
	cr_assert_eq(run_exit_code(&r), EXIT_BUDGET);
	options.cell_wall_s = 0;
	options.grid_wall_s = 0.3;
	r = run();
	cr_assert_eq(r.timeout, 1);
	cr_assert_eq(r.pending, 1);
	cr_assert_eq(run_exit_code(&r), EXIT_BUDGET);
	options.grid_wall_s = 0;
	options.cells_max = 1;
	r = run();
	cr_assert_eq(r.done, 1);
	cr_assert_eq(run_exit_code(&r), EXIT_BUDGET);
	options.cells_max = 0;
	r = run();
	cr_assert_eq(r.done + r.cached, 2);
	cr_assert_eq(run_exit_code(&r), 0);
}

/* An hour is an hour: what needs 2.3 s is not done within 2 s, of the cell or of the grid. On a busy machine it takes
 * longer still. */
Test(runner, a_budget_is_what_it_says)
{
	cell("{\"steps\":23,\"step_ms\":100,\"every\":100}", 1);
	cell("{\"steps\":23,\"step_ms\":100,\"every\":200}", 1);
	options.cell_wall_s = 2;
	cr_assert_eq(run().timeout, 2);
	options.db = TMP("grid.db");
	options.cell_wall_s = 0;
	options.grid_wall_s = 2;
	cr_assert_eq(run().timeout, 2);
}

/* The runner asks before the worker comes to look at its own watch. */
Test(runner, a_budget_that_ends_in_a_slow_step_is_a_timeout)
{
	cell("{\"steps\":3,\"step_ms\":2500}", 1);
	options.jobs = 1;
	options.cell_wall_s = 0.5;
	struct run_result r = run();
	cr_assert_eq(r.timeout, 1, "%s", run_summary(&r));
	cr_assert_eq(run_exit_code(&r), EXIT_BUDGET);
	options.cell_wall_s = 0;
	options.grid_wall_s = 0.5;
	r = run();
	cr_assert_eq(r.timeout, 1, "%s", run_summary(&r));
	cr_assert_eq(run_exit_code(&r), EXIT_BUDGET);
	cr_assert_eq(
		count("SELECT count(*) FROM attempt WHERE state = 'timeout' AND exit_code = 75 AND reason LIKE '%wall budget%' "
	          "AND step > 0"),
		2);
	options.grid_wall_s = 0;
	cr_assert_eq(run().done, 1);
}

Test(runner, two_at_once_on_one_database_and_the_second_is_told)
{
	cell("{\"steps\":100,\"step_ms\":10}", 1);
	pid_t first = fork();
	if (first == 0) {
		struct run_result r;
		_exit(runner_run(&r, &plan, &options, &e) || r.done != 1);
	}
	await_work(1);
	struct run_result r;
	e = ERR_INIT;
	cr_assert_eq(runner_run(&r, &plan, &options, &e), -1);
	cr_assert_eq(err_exit_code(&e), EXIT_RECORD);
	cr_assert(strstr(e.msg, "test run") && strstr(e.msg, "is running on it"), "%s", e.msg);
	int status;
	(void)waitpid(first, &status, 0);
	cr_assert_eq(status, 0);
}

Test(runner, cancel_is_a_file)
{
	cell("{\"steps\":1000,\"step_ms\":10}", 1);
	cell("{\"steps\":3}", 2);
	options.jobs = 1;
	pid_t canceller = fork();
	if (canceller == 0) {
		await_work(1);
		_exit(io_write_atomic(FMT("%s-runs/cancel", options.db), "", 0, NULL));
	}
	struct run_result r = run();
	(void)waitpid(canceller, NULL, 0);
	cr_assert_eq(r.stopped, 1);
	cr_assert_eq(r.pending, 1);
	cr_assert_eq(run_exit_code(&r), EXIT_TERMINATED);
}

Test(runner, after_the_death_of_a_supervisor_its_workers_stop_and_a_run_continues)
{
	cell("{\"steps\":200,\"step_ms\":10,\"every\":20}", 1);
	pid_t first = fork();
	if (first == 0) {
		struct run_result r;
		_exit(runner_run(&r, &plan, &options, &e));
	}
	await_work(1);
	(void)kill(first, SIGKILL);
	(void)waitpid(first, NULL, 0);
	struct run_result r = run();
	cr_assert_eq(r.done, 1);
	cr_assert_eq(count("SELECT count(*) FROM attempt WHERE state = 'stopped'"), 1,
	             "the worker heard that its supervisor died");
	cr_assert_eq(count("SELECT count(*) FROM v_curve v JOIN attempt a ON a.id = v.attempt WHERE a.state = 'done'"),
	             200);
}

/* A worker whose supervisor was killed at once, and who comes to its journal late: begun now, ended a moment later.
 * Returns its process. */
static pid_t stray(const char *attempt)
{
	const struct run_cell *c = &cells[0];
	char *dir = FMT("%s-runs/%.12s/%s", options.db, c->cell, attempt), *path = FMT("%s/journal.jsonl", dir);
	pid_t worker = fork();
	if (worker == 0) {
		struct journal *j;
		struct journal_end end = JOURNAL_END_INIT;
		const struct journal_head head = { .attempt = attempt,
			                               .cell = c->cell,
			                               .arm = c->arm,
			                               .config = c->config,
			                               .dataset = c->dataset,
			                               .seed = c->seed,
			                               .numerics = c->numerics,
			                               .n = 2,
			                               .purpose = "run" };
		end.state = RECORD_STOPPED;
		end.reason = "asked to stop";
		if (io_mkdirs(dir, &e) || journal_create(&j, path, &head, &e) || usleep(300000) || journal_end(j, &end, &e))
			_exit(1);
		journal_close(j);
		_exit(0);
	}
	for (double until = monotonic_s() + 50; !io_exists(path) && monotonic_s() < until;)
		(void)usleep(5000);
	return worker;
}

Test(runner, a_worker_that_comes_late_to_its_journal_is_recorded_though_its_cell_is_done)
{
	int status = -1;
	cell("{\"steps\":10}", 1);
	cr_assert_eq(run().done, 1);
	pid_t worker = stray("11111111-2222-4333-8444-555555555555");
	struct run_result r = run();
	cr_assert_eq(r.cached, 1);
	cr_assert_eq(waitpid(worker, &status, 0), worker);
	cr_assert_eq(status, 0);
	cr_assert_eq(count("SELECT count(*) FROM attempt WHERE state = 'stopped' AND length(journal) = 64"), 1,
	             "its end, too");
}

/* A checkpoint that no journal names may be of anything: half of one, of another step, put there by somebody. */
Test(runner, a_checkpoint_that_is_not_recorded_is_not_gone_on_from)
{
	glob_t found;
	cell("{\"steps\":10}", 1);
	cr_assert_eq(run().done, 1);
	char *whole = text("SELECT group_concat(hex) FROM v_result");
	options.db = TMP("crashed.db");
	plan.n_cells = 0;
	cell("{\"steps\":10,\"crash_at\":7,\"until_attempt\":2}", 1);
	cr_assert_eq(run().failed, 1);
	cr_assert_eq(glob(FMT("%s-runs/*/*/step-00000005.ckpt", options.db), 0, NULL, &found), 0);
	char *stray_file = FMT("%s", found.gl_pathv[0]);
	globfree(&found);
	strrchr(stray_file, '5')[0] = '6';
	OK(io_write_atomic(stray_file, "0x1p+9", 6, &e));
	cr_assert_eq(run().done, 1);
	cr_assert_eq(count("SELECT resumed_step FROM attempt WHERE state = 'done'"), 5);
	cr_assert_str_eq(text("SELECT group_concat(hex) FROM v_result"), whole);
}

Test(runner, dead_worker_and_supervisor_are_lost_by_evidence)
{
	cell("{\"steps\":200,\"step_ms\":10,\"every\":20}", 1);
	pid_t first = fork();
	if (first == 0) {
		(void)setpgid(0, 0);
		struct run_result r;
		_exit(runner_run(&r, &plan, &options, &e));
	}
	await_work(1);
	/* it is at work before its supervisor has recorded it */
	int64_t worker = -1;
	for (double until = monotonic_s() + 50; worker < 0 && monotonic_s() < until; (void)usleep(5000))
		worker = count("SELECT pid FROM attempt WHERE state = 'running'");
	cr_assert_gt(worker, 1);
	(void)kill((pid_t)worker, SIGSTOP); /* so that it cannot hear of its supervisor's death */
	(void)kill(first, SIGKILL);
	(void)waitpid(first, NULL, 0);
	(void)kill((pid_t)worker, SIGKILL);
	struct run_result r = run();
	cr_assert_eq(r.lost, 1);
	cr_assert_eq(r.done, 1);
	cr_assert_eq(
		count("SELECT count(*) FROM attempt WHERE state = 'lost' AND reason LIKE '%no longer holds its journal%'"), 1);
	cr_assert_eq(count("SELECT count(*) FROM v_curve v JOIN attempt a ON a.id = v.attempt WHERE a.state = 'done'"),
	             200);
}

Test(runner, a_blocked_cell_is_a_row_with_its_reason_and_only_one)
{
	cell("{\"steps\":3}", 1);
	cell("{\"steps\":3}", 2);
	cells[1].blocked = "needs weights vgg.pth";
	for (int k = 0; k < 2; k++) {
		struct run_result r = run();
		cr_assert_eq(r.blocked, 1);
		cr_assert_eq(run_exit_code(&r), EXIT_INCOMPLETE);
	}
	cr_assert_eq(count("SELECT count(*) FROM attempt WHERE state = 'blocked' AND reason = 'needs weights vgg.pth'"), 1);
}

Test(runner, a_score_that_is_asked_for_later_is_made_from_the_last_checkpoint)
{
	cell("{\"steps\":10}", 1);
	plan.n_scores = 0;
	struct run_result r = run();
	cr_assert_eq(r.done, 1);
	static const struct wanted_score more[] = { { "fid", 1, 101, 100, "", "" }, { "kid", 1, 101, 100, "", "" } };
	plan.scores = more;
	plan.n_scores = 1;
	r = run();
	cr_assert_eq(r.cached, 1);
	plan.n_scores = 2;
	r = run();
	cr_assert_eq(r.attempts, 1);
	cr_assert_eq(count("SELECT count(*) FROM attempt WHERE resumed_step = 10"), 1);
	cr_assert_eq(count("SELECT count(*) FROM curve"), 10, "nothing was trained again");
}

Test(runner, a_folder_that_cannot_be_written_is_said)
{
	cell("{\"steps\":3}", 1);
	OK(io_write_atomic(TMP("file"), "", 0, &e));
	options.db = TMP("file/a.db");
	struct run_result r;
	e = ERR_INIT;
	cr_assert_eq(runner_run(&r, &plan, &options, &e), -1);
	cr_assert_eq(err_exit_code(&e), EXIT_RECORD);
}
