/* test_slurm.c - the Slurm engine without a cluster: texts, client programs that fail, what is submitted. */
#include "harness/slurm/engine_slurm.h"
#include "tests/common/tempdir.h"
#include "model/base/io.h"
#include "model/base/mem.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
	int index[8], n, base;
	const char *text;
} arrays[] = {
	{ { 0 }, 1, 0, "0" },
	{ { 0, 1, 2, 3 }, 4, 0, "0-3" },
	{ { 0, 2, 3, 7 }, 4, 0, "0,2-3,7" },
	{ { 1000, 1001, 1005 }, 3, 1000, "0-1,5" },
};

Test(slurm, array_texts_join_runs_of_indices)
{
	for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
		SCOPED(str) struct str s = { 0 };
		slurm_array_text(&s, arrays[i].index, arrays[i].n, arrays[i].base);
		cr_assert_str_eq(s.data, arrays[i].text);
	}
}

Test(slurm, the_largest_array_is_read_from_the_configuration)
{
	cr_assert_eq(slurm_max_array("X = 1\nMaxArraySize            = 50\nMaxDBDMsgs = 2\n"), 50);
	cr_assert_eq(slurm_max_array("nothing of it"), 1001);
	cr_assert_eq(slurm_max_array("MaxArraySize = none\n"), 1001);
}

/* Puts a script of this name into a folder that is all of PATH but the shell's own. */
static char *fake(const char *dir, const char *name, const char *body)
{
	SCOPED(free) char *text = xstrfmt("#!/bin/sh\n%s\n", body);
	char *path = tempdir_file(dir, name, text, strlen(text));
	cr_assert_eq(chmod(path, 0755), 0);
	return path;
}

static char *fakes(void)
{
	char *dir = tempdir_make();
	SCOPED(free) char *path = xstrfmt("%s:/usr/bin:/bin", dir);
	cr_assert_eq(setenv("PATH", path, 1), 0);
	return dir;
}

Test(slurm, a_client_that_refuses_is_quoted_and_its_output_not_taken)
{
	char *dir = fakes();
	free(fake(dir, "sbatch", "echo 12; echo 'sbatch: error: invalid partition' >&2; echo 'second line' >&2; exit 1"));
	const char *const argv[] = { "sbatch", "x", NULL };
	SCOPED(str) struct str out = { 0 };
	struct err e = ERR_INIT;
	cr_assert_eq(slurm_call(&out, argv, &e), -1);
	cr_assert_eq(e.code, EXIT_USAGE);
	cr_assert_str_eq(e.msg, "sbatch refused: sbatch: error: invalid partition;second line");
	cr_assert_eq(out.len, 0);
	tempdir_remove(dir);
}

Test(slurm, long_answers_on_both_outputs_do_not_block)
{
	char *dir = fakes();
	free(fake(dir, "squeue", "head -c 300000 /dev/zero | tr '\\0' e >&2; head -c 300000 /dev/zero | tr '\\0' o"));
	const char *const argv[] = { "squeue", NULL };
	SCOPED(str) struct str out = { 0 };
	struct err e = ERR_INIT;
	cr_assert_eq(slurm_call(&out, argv, &e), 0, "%s", e.msg);
	cr_assert_eq(out.len, 300000);
	tempdir_remove(dir);
}

Test(slurm, the_queue_is_counted_by_state)
{
	char *dir = fakes();
	struct slurm_queue q;
	struct err e = ERR_INIT;
	free(fake(dir, "squeue", "printf 'R None\\nR None\\nCG None\\nPD Dependency\\nS None\\n'"));
	cr_assert_eq(slurm_queue(&q, "0123456789abcdef", &e), 0, "%s", e.msg);
	cr_assert(q.running == 3 && q.pending == 1 && q.other == 1);
	cr_assert_str_eq(q.reason, "Dependency");
	tempdir_remove(dir);
}

/* MaxArraySize 4 holds indices 0..3: five cells are two arrays, the merge waits for both, and its script is the
 * last. */
Test(slurm, more_cells_than_an_array_holds_are_several_arrays)
{
	char *dir = fakes();
	SCOPED(free) char *db = xstrfmt("%s/it's.db", dir);
	SCOPED(free) char *log = xstrfmt("%s/calls", dir);
	SCOPED(free) char *count = xstrfmt("echo \"$@\" >>'%s'; wc -l <'%s'", log, log);
	const char *const extra[] = { "--partition=gpu" };
	static const int index[] = { 0, 1, 2, 7, 8 };
	struct slurm_options o = {
		.db = db, .device = "cpu", .name = "g", .jobs = 2, .threads = 3, .extra = extra, .n_extra = 1
	};
	struct slurm_jobs jobs;
	struct err e = ERR_INIT;
	free(fake(dir, "squeue", "exit 0"));
	free(fake(dir, "scontrol", "echo MaxArraySize = 4"));
	free(fake(dir, "sbatch", count));
	cr_assert_eq(slurm_submit(&jobs, "0123456789abcdef", index, 5, &o, &e), 0, "%s", e.msg);
	cr_assert(jobs.tasks == 5 && !jobs.already);
	cr_assert_str_eq(jobs.array, "1 2");
	cr_assert_str_eq(jobs.merge, "3");
	SCOPED(str) struct str calls = { 0 };
	cr_assert_eq(io_read(&calls, log, 1 << 20, &e), 0, "%s", e.msg);
	cr_assert(strstr(calls.data, "--array=0-2%2 --cpus-per-task=3 --partition=gpu"), "%s", calls.data);
	cr_assert(strstr(calls.data, "--array=0-1%2 --cpus-per-task=3 --partition=gpu"), "%s", calls.data);
	cr_assert(strstr(calls.data, "--dependency=afterany:1:2 --partition=gpu"), "%s", calls.data);
	cr_assert(strstr(calls.data, "--requeue --open-mode=append --signal=B:TERM@120 --export=NIL"), "%s", calls.data);
	SCOPED(free) char *script = xstrfmt("%s-runs/slurm/0123456789ab/task-7.sh", db);
	SCOPED(str) struct str text = { 0 };
	cr_assert_eq(io_read(&text, script, 1 << 20, &e), 0, "%s", e.msg);
	cr_assert(strstr(text.data, "\nexec '") && strstr(text.data, "--base 7 --device 'cpu' --threads 3\n") &&
	              strstr(text.data, "it'\\''s.db"),
	          "%s", text.data);
	slurm_jobs_release(&jobs);
	tempdir_remove(dir);
}

/* A job that Slurm lost right after it took it must not have a merge behind it: that would start at once. */
Test(slurm, a_job_that_vanished_gets_no_merge)
{
	char *dir = fakes();
	SCOPED(free) char *db = xstrfmt("%s/x.db", dir);
	static const int index[] = { 0 };
	struct slurm_options o = { .db = db, .device = "cpu", .name = "g" };
	struct slurm_jobs jobs;
	struct err e = ERR_INIT;
	free(fake(dir, "squeue", "exit 0"));
	free(fake(dir, "scontrol", "case $2 in config) echo ;; *) echo Invalid job id >&2; exit 1 ;; esac"));
	free(fake(dir, "sbatch", "case \"$@\" in *dependency*) touch \"$(dirname $0)/merged\" ;; esac; echo 5"));
	cr_assert_eq(slurm_submit(&jobs, "0123456789abcdef", index, 1, &o, &e), -1);
	cr_assert(strstr(e.msg, "no longer known"), "%s", e.msg);
	SCOPED(free) char *merged = xstrfmt("%s/merged", dir);
	cr_assert(!io_exists(merged));
	tempdir_remove(dir);
}

/* What waits in the queue is under way: the same plan a second time would train every cell twice. */
Test(slurm, a_plan_that_waits_is_not_submitted_again)
{
	static const char *const queues[] = { "PD Priority", "R None", "CG None", "S None" };
	static const int index[] = { 0 };
	char *dir = fakes();
	SCOPED(free) char *db = xstrfmt("%s/x.db", dir);
	SCOPED(free) char *called = xstrfmt("%s/called", dir);
	struct slurm_options o = { .db = db, .device = "cpu", .name = "g" };
	free(fake(dir, "scontrol", "echo MaxArraySize = 4"));
	free(fake(dir, "sbatch", "touch \"$(dirname $0)/called\"; echo 5"));
	for (size_t i = 0; i < sizeof queues / sizeof *queues; i++) {
		SCOPED(free) char *answer = xstrfmt("echo '%s'", queues[i]);
		struct slurm_jobs jobs;
		struct err e = ERR_INIT;
		free(fake(dir, "squeue", answer));
		cr_assert_eq(slurm_submit(&jobs, "0123456789abcdef", index, 1, &o, &e), 0, "%s", e.msg);
		cr_expect(jobs.already && !jobs.tasks, "%s", queues[i]);
		cr_expect(!io_exists(called), "%s", queues[i]);
	}
	tempdir_remove(dir);
}

/* Slurm refuses an array with an index of MaxArraySize or more, and with it the cells of the whole grid. */
Test(slurm, no_index_is_beyond_the_largest_array)
{
	static const int index[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 };
	char *dir = fakes();
	SCOPED(free) char *db = xstrfmt("%s/x.db", dir);
	SCOPED(free) char *log = xstrfmt("%s/calls", dir);
	SCOPED(free) char *count = xstrfmt("echo \"$@\" >>'%s'; wc -l <'%s'", log, log);
	SCOPED(free) char *script = xstrfmt("%s-runs/slurm/0123456789ab/task-0.sh", db);
	SCOPED(str) struct str calls = { 0 }, text = { 0 };
	struct slurm_options o = { .db = db, .device = "cuda", .name = "g", .microbatch = "it's 4" };
	struct slurm_jobs jobs;
	struct err e = ERR_INIT;
	int tasks = 0;
	free(fake(dir, "squeue", "exit 0"));
	free(fake(dir, "scontrol", "echo MaxArraySize = 4"));
	free(fake(dir, "sbatch", count));
	cr_assert_eq(slurm_submit(&jobs, "0123456789abcdef", index, 10, &o, &e), 0, "%s", e.msg);
	cr_assert_eq(io_read(&calls, log, 1 << 20, &e), 0, "%s", e.msg);
	for (const char *at = calls.data; (at = strstr(at, "--array=")); at++) {
		int first, last;
		int n = sscanf(at, "--array=%d-%d", &first, &last);
		last = n == 2 ? last : first;
		cr_expect(n >= 1 && first >= 0 && last < 4, "%.40s", at);
		tasks += last - first + 1;
	}
	cr_expect_eq(tasks, 10);
	cr_assert_eq(io_read(&text, script, 1 << 20, &e), 0, "%s", e.msg);
	cr_expect(strstr(text.data, "--base 0 --device 'cuda' --microbatch 'it'\\''s 4'\n"), "%s", text.data);
	slurm_jobs_release(&jobs);
	tempdir_remove(dir);
}

Test(slurm, an_answer_that_is_no_number_is_told)
{
	static const int index[] = { 0 };
	char *dir = fakes();
	SCOPED(free) char *db = xstrfmt("%s/x.db", dir);
	struct slurm_options o = { .db = db, .device = "cpu", .name = "g" };
	struct slurm_jobs jobs;
	struct err e = ERR_INIT;
	free(fake(dir, "squeue", "exit 0"));
	free(fake(dir, "scontrol", "echo MaxArraySize = 4"));
	free(fake(dir, "sbatch", "echo Submitted batch job"));
	cr_assert_eq(slurm_submit(&jobs, "0123456789abcdef", index, 1, &o, &e), -1);
	cr_expect(strstr(e.msg, "sbatch answered 'Submitted batch job"), "%s", e.msg);
	tempdir_remove(dir);
}

/* A merge depends on its arrays whatever their end: cancelled after them it would have started. */
Test(slurm, the_merge_is_cancelled_before_what_it_waits_for)
{
	static const char note[] = "{\"schema\":1,\"plan\":\"0123456789abcdef\"}";
	char *dir = fakes();
	SCOPED(free) char *db = xstrfmt("%s/x.db", dir);
	SCOPED(free) char *folder = xstrfmt("%s-runs/slurm/0123456789ab", db);
	SCOPED(free) char *path = xstrfmt("%s/submitted.json", folder);
	SCOPED(free) char *log = xstrfmt("%s/calls", dir);
	SCOPED(free) char *body = xstrfmt("echo \"$@\" >>'%s'", log);
	SCOPED(str) struct str calls = { 0 };
	struct err e = ERR_INIT;
	int n = 0;
	free(fake(dir, "squeue", "echo 'R None'"));
	free(fake(dir, "scancel", body));
	cr_assert_eq(io_mkdirs(folder, &e) || io_write_atomic(path, note, strlen(note), &e), 0, "%s", e.msg);
	cr_assert_eq(slurm_cancel(&n, db, &e), 0, "%s", e.msg);
	cr_expect_eq(n, 1);
	cr_assert_eq(io_read(&calls, log, 1 << 20, &e), 0, "%s", e.msg);
	cr_expect_str_eq(calls.data, "--me --name=ablate-0123456789ab-merge\n--me --name=ablate-0123456789ab\n");
	tempdir_remove(dir);
}
