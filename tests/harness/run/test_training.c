/* test_training.c - cells that share a training, in the runner: it is made once, waited for, continued, and given up
 * together. */
#include "harness/record/stage.h"
#include "tests/harness/run/runner_fixture.h"

TestSuite(training, .init = setup, .timeout = 60);

/* A cell whose config may differ from another's in settings of sampling alone. */
static void sampling_of_it(const char *config)
{
	static char keys[CELLS_MAX][SHA256_HEX];
	int i = plan.n_cells;
	cell(config, 1);
	OK(stage_training_key(keys[i], config, "none", 1, 1, &e));
	cells[i].training = keys[i];
}

/* Two at once would train twice: the second waits, and the third, which shares nothing, goes first. */
Test(training, a_training_is_done_once_for_all_who_sample_it)
{
	sampling_of_it("{\"every\":5,\"sample.clip\":true,\"steps\":10}");
	sampling_of_it("{\"every\":5,\"sample.clip\":false,\"steps\":10}");
	sampling_of_it("{\"every\":5,\"sample.clip\":true,\"steps\":11}");
	cells[2].steps = 11;
	struct run_result r = run();
	cr_assert_eq(r.done, 3);
	cr_expect_eq(count("SELECT count(DISTINCT attempt) FROM curve"), 2);
	cr_expect_eq(count("SELECT count(*) FROM attempt a JOIN attempt b ON b.id = a.resumed_from WHERE a.cell <> b.cell"),
	             1);
	cr_expect(strstr(str_text(&said), "with the training of arm seed 1"), "%s", str_text(&said));
}

/* What one was stopped in goes on for the other: no step is computed twice. */
Test(training, a_cell_continues_what_another_began)
{
	sampling_of_it("{\"every\":5,\"fail_at\":8,\"sample.clip\":true,\"steps\":10}");
	struct run_result r = run();
	cr_assert_eq(r.failed, 1);
	plan.n_cells = 0;
	sampling_of_it("{\"every\":5,\"fail_at\":8,\"sample.clip\":false,\"steps\":10}");
	r = run();
	cr_assert_eq(r.failed, 1, "both fail at the same step");
	cr_expect(strstr(str_text(&said), "continuing the training of arm seed 1"), "%s", str_text(&said));
	cr_expect_eq(count("SELECT min(step) FROM curve WHERE attempt IN (SELECT id FROM attempt WHERE resumed_from IS NOT "
	                   "NULL)"),
	             6);
}

/* A training keeps the averages that it was asked for; weights are no average of another decay. */
Test(training, a_training_without_the_average_is_not_taken)
{
	sampling_of_it("{\"ema.decay\":0.9,\"every\":5,\"steps\":10}");
	cr_assert_eq(run().done, 1);
	plan.n_cells = 0;
	sampling_of_it("{\"ema.decay\":0.99,\"every\":5,\"steps\":10}");
	cr_assert_eq(run().done, 1);
	cr_expect_eq(count("SELECT count(*) FROM curve"), 20);
	cr_expect_eq(count("SELECT count(*) FROM attempt WHERE resumed_from IS NOT NULL"), 0);
}

/* It diverges alike for whoever tries: the others are told of it and keep that state; --again tries once more, once. */
Test(training, a_training_that_diverges_is_not_tried_for_each)
{
	sampling_of_it("{\"diverge_at\":3,\"sample.clip\":true,\"steps\":10}");
	sampling_of_it("{\"diverge_at\":3,\"sample.clip\":false,\"steps\":10}");
	sampling_of_it("{\"diverge_at\":3,\"sample.quantize\":\"round\",\"steps\":10}");
	struct run_result r = run();
	cr_expect_eq(r.diverged, 3);
	cr_expect_eq(r.attempts, 1);
	cr_expect_eq(count("SELECT count(*) FROM attempt WHERE reason LIKE 'its training is that of arm seed 1 (%'"), 2);
	r = run();
	cr_expect_eq(r.diverged, 3);
	cr_expect_eq(count("SELECT count(*) FROM attempt"), 3);
	options.again = true;
	r = run();
	cr_expect_eq(r.diverged, 3);
	cr_expect_eq(r.attempts, 1);
	cr_expect_eq(count("SELECT count(*) FROM attempt"), 6);
}

/* A failure may be the machine's: the next cell tries for itself. */
Test(training, a_training_that_fails_is_tried_by_the_next)
{
	sampling_of_it("{\"fail_at\":3,\"sample.clip\":true,\"steps\":10}");
	sampling_of_it("{\"fail_at\":3,\"sample.clip\":false,\"steps\":10}");
	struct run_result r = run();
	cr_expect_eq(r.failed, 2);
	cr_expect_eq(r.attempts, 2);
	cr_expect(strstr(str_text(&said), "its training is also that of 1 cell that waited"), "%s", str_text(&said));
}
