/* test_slurm.c - the Slurm engine without a cluster: client programs that fail, what is submitted, whose jobs are
 * those in the queue. */
#include "harness/slurm/engine_slurm.h"
#include "harness/slurm/slurm_client.h"
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

/* A plan of n cells, and its frozen form where a submission of it would have put it. */
static struct plan *plan_of(int n, const char *metric, const char *db)
{
	SCOPED(free)
	char *text = xstrfmt(
		"schema = 1\n[grid]\nname = \"g\"\nseeds = { train = { start = 1, count = %d } }\n[base]\npreset = "
		"\"ict-shapes8-ci\"\n%s",
		n, metric);
	struct grid_source source = { .path = "g.toml", .text = text, .n = strlen(text) };
	struct grid *g;
	struct plan *p;
	struct err e = ERR_INIT;
	cr_assert_eq(grid_parse(&g, &source, 1, &e), 0, "%s", e.msg);
	cr_assert_eq(plan_expand(&p, g, NULL, &e), 0, "%s", e.msg);
	SCOPED(free) char *dir = xstrfmt("%s-runs/plans", db);
	SCOPED(free) char *path = xstrfmt("%s/%s.plan.json", dir, p->hash);
	cr_assert_eq(io_mkdirs(dir, &e) || plan_write(p, path, &e), 0, "%s", e.msg);
	return p;
}

/* A site of that MaxArraySize, without RequeueExit. */
static struct slurm_options options_of(const char *db, int max_array)
{
	struct slurm_options o = { .db = db, .device = "cpu" };
	slurm_site_read(&o.site, "");
	o.site.max_array = o.site.max_tasks = max_array;
	return o;
}

static int submit(struct slurm_jobs *jobs, const struct plan *p, const int *index, int n, const struct slurm_options *o,
                  struct err *e)
{
	*e = (struct err)ERR_INIT;
	return slurm_submit(jobs, p, index, n, o, e);
}

static void read_into(struct str *out, const char *path)
{
	struct err e = ERR_INIT;
	str_release(out);
	cr_assert_eq(io_read(out, path, 1 << 20, &e), 0, "%s", e.msg);
}

#define ONE_SCORE  "[[metric]]\nname = \"fid\"\nsamples = 100\n"
#define TWO_SCORES ONE_SCORE "[[metric]]\nname = \"kid\"\nsamples = 100\n"

/* MaxArraySize 4 holds indices 0..3: the merge waits for all arrays and asks for little. */
Test(slurm, more_cells_than_an_array_holds_are_several_arrays)
{
	char *dir = fakes();
	SCOPED(free) char *db = xstrfmt("%s/it's 5%%.db", dir);
	SCOPED(free) char *log = xstrfmt("%s/calls", dir);
	SCOPED(free) char *count = xstrfmt("echo \"$@\" >>'%s'; wc -l <'%s'", log, log);
	const char *const extra[] = { "--partition=gpu", "--mem=8G", "--dependency=afterok:5" };
	static const int index[] = { 0, 1, 2, 3, 7, 8 };
	SCOPED(plan) struct plan *p = plan_of(9, ONE_SCORE, db);
	struct slurm_options o = options_of(db, 4);
	struct slurm_jobs jobs;
	struct err e;
	SCOPED(str) struct str calls = { 0 }, text = { 0 };
	o.jobs = 2;
	o.threads = 3;
	o.extra = extra;
	o.n_extra = 3;
	free(fake(dir, "squeue", "exit 0"));
	free(fake(dir, "scontrol", "exit 0"));
	free(fake(dir, "sbatch", count));
	cr_assert_eq(submit(&jobs, p, index, 6, &o, &e), 0, "%s", e.msg);
	cr_assert(jobs.tasks == 6 && !jobs.waiting && !jobs.refused && jobs.way == SLURM_REQUEUE_SCONTROL);
	cr_assert_str_eq(jobs.arrays, "1 2");
	cr_assert_str_eq(jobs.merge, "3");
	read_into(&calls, log);
	char *second = strchr(calls.data, '\n') + 1, *merge = strchr(second, '\n') + 1;
	second[-1] = merge[-1] = '\0';
	cr_expect(strstr(calls.data, "--array=0-3%2 --signal=B:TERM@120 --ntasks=1 --cpus-per-task=3 --partition=gpu "
	                             "--mem=8G --dependency=afterok:5 "),
	          "%s", calls.data);
	cr_expect(strstr(calls.data, "--requeue") && strstr(calls.data, "--open-mode=append") &&
	              strstr(calls.data, "--export=NIL") && strstr(calls.data, "it's 5%%.db-runs"),
	          "%s", calls.data);
	cr_expect(strstr(second, "--array=0-1%2 "), "%s", second);
	cr_expect(strstr(merge, "--ntasks=1 --cpus-per-task=1 --mem=512M --partition=gpu "
	                        "--dependency=afterany:1:2,afterok:5 "),
	          "%s", merge);
	SCOPED(free) char *dir_of_plan = slurm_dir(db, p->hash);
	SCOPED(free) char *script = xstrfmt("%s/task-7.sh", dir_of_plan);
	read_into(&text, script);
	cr_assert(strstr(text.data, "--base 7 --device 'cpu' --threads 3") && strstr(text.data, "it'\\''s 5%.db"), "%s",
	          text.data);
	slurm_jobs_release(&jobs);
	tempdir_remove(dir);
}

/* A job that Slurm lost right after it took it must not have a merge behind it: that would start at once. */
Test(slurm, a_job_that_vanished_gets_no_merge)
{
	char *dir = fakes();
	SCOPED(free) char *db = xstrfmt("%s/x.db", dir);
	SCOPED(free) char *merged = xstrfmt("%s/merged", dir);
	static const int index[] = { 0 };
	SCOPED(plan) struct plan *p = plan_of(1, ONE_SCORE, db);
	struct slurm_options o = options_of(db, 4);
	struct slurm_jobs jobs;
	struct err e;
	free(fake(dir, "squeue", "exit 0"));
	free(fake(dir, "scontrol", "echo Invalid job id >&2; exit 1"));
	free(fake(dir, "sbatch", "case \"$@\" in *dependency*) touch \"$(dirname $0)/merged\" ;; esac; echo 5"));
	cr_assert_eq(submit(&jobs, p, index, 1, &o, &e), -1);
	cr_assert(strstr(e.msg, "no longer known"), "%s", e.msg);
	cr_assert(!io_exists(merged));
	tempdir_remove(dir);
}

/* What was accepted before Slurm refused is known and merged; the rest is told with the reason. */
Test(slurm, a_part_that_is_accepted_keeps_its_merge)
{
	char *dir = fakes();
	SCOPED(free) char *db = xstrfmt("%s/x.db", dir);
	SCOPED(free) char *log = xstrfmt("%s/calls", dir);
	SCOPED(free)
	char *body = xstrfmt("echo \"$@\" >>'%s'; n=$(wc -l <'%s'); [ $n != 2 ] || { echo 'queue is full' >&2; exit 1; }; "
	                     "echo $n",
	                     log, log);
	static const int index[] = { 0, 1, 2, 3, 4 };
	SCOPED(plan) struct plan *p = plan_of(5, ONE_SCORE, db);
	SCOPED(str) struct str calls = { 0 };
	struct slurm_options o = options_of(db, 2);
	struct slurm_jobs jobs;
	struct err e;
	free(fake(dir, "squeue", "exit 0"));
	free(fake(dir, "scontrol", "exit 0"));
	free(fake(dir, "sbatch", body));
	cr_assert_eq(submit(&jobs, p, index, 5, &o, &e), 0, "%s", e.msg);
	cr_expect(jobs.tasks == 2 && jobs.n_refused == 3);
	cr_expect_str_eq(jobs.arrays, "1");
	cr_expect_str_eq(jobs.merge, "3");
	cr_expect(strstr(jobs.refused, "queue is full"), "%s", jobs.refused);
	read_into(&calls, log);
	cr_expect(strstr(calls.data, "--dependency=afterany:1 "), "%s", calls.data);
	slurm_jobs_release(&jobs);
	tempdir_remove(dir);
}

/* Links of a chain wait for the one before them, the merge for all. */
Test(slurm, a_chain_is_jobs_behind_each_other)
{
	char *dir = fakes();
	SCOPED(free) char *db = xstrfmt("%s/x.db", dir);
	static const int index[] = { 0 };
	SCOPED(plan) struct plan *p = plan_of(1, ONE_SCORE, db);
	SCOPED(slurm_submission) struct slurm_submission s = { 0 };
	SCOPED(str) struct str one = { 0 }, two = { 0 }, merge = { 0 };
	const char *const ids[] = { "11", "12", "13", NULL };
	struct slurm_options o = options_of(db, 4);
	struct err e = ERR_INIT;
	o.slurm.requeue = SLURM_REQUEUE_CHAIN;
	o.slurm.chain = 3;
	cr_assert_eq(slurm_compose(&s, p->hash, "0a1b2c3d", index, NULL, 1, &o, &e), 0, "%s", e.msg);
	cr_assert_eq(s.n, 4);
	cr_expect_eq(s.tasks, 1);
	slurm_dependency(&one, &s, 0, ids);
	slurm_dependency(&two, &s, 2, ids);
	slurm_dependency(&merge, &s, 3, ids);
	cr_expect_str_eq(str_text(&one), "");
	cr_expect_str_eq(two.data, "afterany:12");
	cr_expect_str_eq(merge.data, "afterany:11:12:13");
	cr_expect(strstr(s.v[0].text, "\nexec '") && !strstr(s.v[0].text, "requeue"), "%s", s.v[0].text);
	tempdir_remove(dir);
}

/* What waits in the queue is under way, whichever plan it was submitted for: a second time would train every cell
 * twice. */
Test(slurm, what_is_in_the_queue_is_not_submitted_again)
{
	static const char *const states[] = { "PD", "R", "CG", "S", "CF" };
	static const int index[] = { 0, 1 };
	char *dir = fakes(), id[SLURM_ID];
	SCOPED(free) char *db = xstrfmt("%s/x.db", dir);
	SCOPED(free) char *called = xstrfmt("%s/called", dir);
	SCOPED(plan) struct plan *whole = plan_of(3, TWO_SCORES, db);
	SCOPED(plan) struct plan *part = plan_of(2, ONE_SCORE, db);
	SCOPED(plan) struct plan *one = plan_of(3, ONE_SCORE, db);
	SCOPED(plan) struct plan *more = plan_of(2, TWO_SCORES, db);
	struct slurm_options o = options_of(db, 1001);
	struct slurm_jobs jobs;
	struct err e = ERR_INIT;
	cr_assert_eq(slurm_id(id, db, &e), 0, "%s", e.msg);
	free(fake(dir, "scontrol", "exit 0"));
	free(fake(dir, "sbatch", "echo \"$@\" >>\"$(dirname $0)/called\"; echo 5"));
	for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
		SCOPED(free)
		char *queue = xstrfmt("echo '12|0|%s|ablate-%s-%.12s-0|None'; echo '12|1|%s|ablate-%s-%.12s-0|None'", states[i],
		                      id, whole->hash, states[i], id, whole->hash);
		free(fake(dir, "squeue", queue));
		cr_assert_eq(submit(&jobs, part, index, 2, &o, &e), 0, "%s", e.msg);
		cr_expect(jobs.waiting == 2 && !jobs.arrays && !jobs.tasks, "%s", states[i]);
		cr_expect(!io_exists(called), "%s", states[i]);
		slurm_jobs_release(&jobs);
	}
	/* tasks that score less than is asked for: behind them */
	SCOPED(free) char *less = xstrfmt("echo '77|1|R|ablate-%s-%.12s-0|None'", id, one->hash);
	SCOPED(str) struct str calls = { 0 };
	free(fake(dir, "squeue", less));
	cr_assert_eq(submit(&jobs, more, index, 2, &o, &e), 0, "%s", e.msg);
	cr_expect(jobs.tasks == 2 && !jobs.waiting);
	read_into(&calls, called);
	cr_expect(strstr(calls.data, "--array=0 ") && strstr(calls.data, "--dependency=afterany:77 "), "%s", calls.data);
	slurm_jobs_release(&jobs);
	tempdir_remove(dir);
}

/* Jobs of another database, and of a copy of it, are not ours, though the plan is the same. */
Test(slurm, jobs_belong_to_a_database)
{
	static const int index[] = { 0, 1 };
	char *dir = fakes(), a[SLURM_ID], b[SLURM_ID], c[SLURM_ID];
	SCOPED(free) char *first = xstrfmt("%s/a.db", dir);
	SCOPED(free) char *second = xstrfmt("%s/b.db", dir);
	SCOPED(free) char *copy = xstrfmt("%s/c.db", dir);
	SCOPED(free) char *file = xstrfmt("%s-runs/slurm/database.json", first);
	SCOPED(free) char *copied = xstrfmt("%s-runs/slurm", copy);
	SCOPED(str) struct str text = { 0 };
	SCOPED(plan) struct plan *p = plan_of(2, ONE_SCORE, second);
	SCOPED(slurm_queue) struct slurm_queue q = { 0 };
	struct slurm_options o = options_of(second, 1001);
	struct slurm_jobs jobs;
	struct err e = ERR_INIT;
	cr_assert(!slurm_id_known(a, first));
	cr_assert_eq(slurm_id(a, first, &e), 0, "%s", e.msg);
	cr_assert(slurm_id_known(b, first));
	cr_expect_str_eq(a, b);
	cr_assert_eq(slurm_id(b, second, &e), 0, "%s", e.msg);
	cr_expect_str_neq(a, b);
	read_into(&text, file);
	cr_assert_eq(io_mkdirs(copied, &e), 0, "%s", e.msg);
	SCOPED(free) char *same = xstrfmt("%s/database.json", copied);
	cr_assert_eq(io_write_atomic(same, text.data, text.len, &e), 0, "%s", e.msg);
	cr_expect(!slurm_id_known(c, copy));
	cr_assert_eq(slurm_id(c, copy, &e), 0, "%s", e.msg);
	cr_expect_str_neq(a, c);
	cr_assert_eq(unlink(file), 0); /* the copy keeps its own, now that it has one */
	cr_expect(slurm_id_known(b, copy) && !strcmp(b, c));
	SCOPED(free)
	char *queue = xstrfmt("printf '12|0|R|ablate-%s-%.12s-0|None\\n12|1|PD|ablate-%s-%.12s-0|Priority\\n"
	                      "13|N/A|PD|ablate-%s-%.12s-merge|Dependency\\n14|N/A|R|other|None\\n'",
	                      a, p->hash, a, p->hash, a, p->hash);
	free(fake(dir, "squeue", queue));
	free(fake(dir, "scontrol", "exit 0"));
	free(fake(dir, "sbatch", "echo 20"));
	cr_assert_eq(submit(&jobs, p, index, 2, &o, &e), 0, "%s", e.msg);
	cr_expect(jobs.tasks == 2 && !jobs.waiting);
	slurm_jobs_release(&jobs);
	cr_assert_eq(slurm_queue_read(&q, a, &e), 0, "%s", e.msg);
	struct slurm_count n = slurm_queue_count(&q, p->hash), none = slurm_queue_count(&q, "ffffffffffff");
	cr_expect(q.n == 3 && n.running == 1 && n.pending == 2 && n.tasks == 2 && none.tasks == 0);
	cr_expect_str_eq(q.reason, "Priority");
	cr_expect(q.v[2].base == -1 && q.v[1].task == 1 && q.v[1].base == 0);
	tempdir_remove(dir);
}

/* A plan of the queue that nobody can read any more might train the same cells. */
Test(slurm, a_plan_in_the_queue_that_is_gone_is_told)
{
	static const int index[] = { 0 };
	char *dir = fakes(), id[SLURM_ID];
	SCOPED(free) char *db = xstrfmt("%s/x.db", dir);
	SCOPED(plan) struct plan *p = plan_of(1, ONE_SCORE, db);
	struct slurm_options o = options_of(db, 1001);
	struct slurm_jobs jobs;
	struct err e = ERR_INIT;
	cr_assert_eq(slurm_id(id, db, &e), 0, "%s", e.msg);
	SCOPED(free) char *queue = xstrfmt("echo '12|0|R|ablate-%s-0123456789ab-0|None'", id);
	free(fake(dir, "squeue", queue));
	cr_assert_eq(submit(&jobs, p, index, 1, &o, &e), -1);
	cr_expect_eq(e.code, EXIT_RECORD);
	cr_expect(strstr(e.msg, "job 12 in the queue is of a plan that cannot be read"), "%s", e.msg);
	tempdir_remove(dir);
}

/* Slurm refuses an array with an index of MaxArraySize or more, and with it the cells of the whole grid. */
Test(slurm, no_index_is_beyond_the_largest_array)
{
	static const int index[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 };
	char *dir = fakes();
	SCOPED(free) char *db = xstrfmt("%s/x.db", dir);
	SCOPED(plan) struct plan *p = plan_of(10, ONE_SCORE, db);
	struct slurm_options o = options_of(db, 4);
	struct err e = ERR_INIT;
	o.device = "cuda";
	o.microbatch = "it's 4";
	for (int most = 1; most <= 4; most++) {
		SCOPED(slurm_submission) struct slurm_submission s = { 0 };
		int tasks = 0;
		o.site.max_tasks = most;
		cr_assert_eq(slurm_compose(&s, p->hash, "0a1b2c3d", index, NULL, 10, &o, &e), 0, "%s", e.msg);
		for (int i = 0; i < s.n - 1; i++) {
			int first, last;
			SCOPED(str) struct str line = { 0 };
			slurm_job_line(&line, &s, i);
			int n = sscanf(strstr(line.data, "--array="), "--array=%d-%d", &first, &last);
			last = n == 2 ? last : first;
			cr_expect(n >= 1 && first == 0 && last < most, "%s", line.data);
			cr_expect(strstr(line.data, "--gpus-per-task=1"), "%s", line.data);
			tasks += last - first + 1;
		}
		cr_expect_eq(tasks, 10);
		cr_expect(strstr(s.v[0].text, "--base 0 --device 'cuda' --microbatch 'it'\\''s 4'"), "%s", s.v[0].text);
	}
	tempdir_remove(dir);
}

Test(slurm, indices_far_from_each_other_are_several_arrays)
{
	static const int index[] = { 0, 3, 4, 8 };
	char *dir = fakes();
	SCOPED(free) char *db = xstrfmt("%s/x.db", dir);
	SCOPED(plan) struct plan *p = plan_of(9, ONE_SCORE, db);
	SCOPED(slurm_submission) struct slurm_submission s = { 0 };
	struct slurm_options o = options_of(db, 4);
	struct err e = ERR_INIT;
	o.site.max_tasks = 100;
	cr_assert_eq(slurm_compose(&s, p->hash, "0a1b2c3d", index, NULL, 4, &o, &e), 0, "%s", e.msg);
	cr_assert_eq(s.n, 4);
	cr_expect(s.v[0].n == 2 && s.v[0].base == 0 && s.v[1].n == 1 && s.v[1].base == 4 && s.v[2].base == 8);
	tempdir_remove(dir);
}

/* One word of a command line holds 128 KiB: an array of every other index is as many arrays as it takes. */
Test(slurm, the_text_of_an_array_has_a_length)
{
	enum { N = 20000 };
	char *dir = fakes();
	SCOPED(free) char *db = xstrfmt("%s/x.db", dir);
	SCOPED(free) int *index = xcalloc(N, sizeof *index);
	SCOPED(slurm_submission) struct slurm_submission s = { 0 };
	struct slurm_options o = options_of(db, 1000000);
	struct err e = ERR_INIT;
	int tasks = 0;
	for (int i = 0; i < N; i++)
		index[i] = 2 * i;
	cr_assert_eq(slurm_compose(&s, "0123456789abcdef", "0a1b2c3d", index, NULL, N, &o, &e), 0, "%s", e.msg);
	for (int i = 0; i < s.n; i++) {
		for (int k = 0; k < s.v[i].n_words; k++)
			cr_expect_lt(strlen(s.v[i].word[k]), 65536);
		tasks += s.v[i].n;
	}
	cr_expect_eq(tasks, N);
	tempdir_remove(dir);
}

/* One training has several cells where these differ in how they sample: a task of one of them does not do the other. */
Test(slurm, a_task_of_fewer_cells_does_not_cover_the_training)
{
	static const int index[] = { 0 };
	char *dir = fakes(), id[SLURM_ID];
	SCOPED(free) char *db = xstrfmt("%s/x.db", dir);
	SCOPED(plan) struct plan *one = plan_of(1, ONE_SCORE, db);
	SCOPED(plan)
	struct plan *two = plan_of(1, "[[axis]]\nkey = \"sample.weights\"\nvalues = [\"ema\", \"student\"]\n" ONE_SCORE,
	                           db);
	SCOPED(slurm_queue) struct slurm_queue q = { 0 };
	SCOPED(slurm_waiting) struct slurm_waiting less = { 0 }, more = { 0 };
	struct err e = ERR_INIT;
	cr_assert_eq(two->n_cells, 2);
	cr_assert_eq(two->n_trainings, 1);
	cr_assert_eq(slurm_id(id, db, &e), 0, "%s", e.msg);
	SCOPED(free) char *queue = xstrfmt("echo '12|0|R|ablate-%s-%.12s-0|None'", id, one->hash);
	free(fake(dir, "squeue", queue));
	cr_assert_eq(slurm_queue_read(&q, id, &e), 0, "%s", e.msg);
	cr_assert_eq(slurm_waiting_find(&less, &q, db, two, &e), 0, "%s", e.msg);
	cr_expect(!less.covered[0] && less.behind[0] == 12);
	SCOPED(free) char *both = xstrfmt("echo '13|0|R|ablate-%s-%.12s-0|None'", id, two->hash);
	free(fake(dir, "squeue", both));
	slurm_queue_release(&q);
	cr_assert_eq(slurm_queue_read(&q, id, &e), 0, "%s", e.msg);
	cr_assert_eq(slurm_waiting_find(&more, &q, db, one, &e), 0, "%s", e.msg);
	cr_expect(more.covered[index[0]] && more.n_covered == 1);
	tempdir_remove(dir);
}

Test(slurm, an_answer_that_is_no_number_is_told)
{
	static const int index[] = { 0 };
	char *dir = fakes();
	SCOPED(free) char *db = xstrfmt("%s/x.db", dir);
	SCOPED(plan) struct plan *p = plan_of(1, ONE_SCORE, db);
	struct slurm_options o = options_of(db, 4);
	struct slurm_jobs jobs;
	struct err e;
	free(fake(dir, "squeue", "exit 0"));
	free(fake(dir, "scontrol", "exit 0"));
	free(fake(dir, "sbatch", "echo Submitted batch job"));
	cr_assert_eq(submit(&jobs, p, index, 1, &o, &e), -1);
	cr_expect(strstr(e.msg, "sbatch answered 'Submitted batch job"), "%s", e.msg);
	tempdir_remove(dir);
}

/* A merge depends on its arrays whatever their end: cancelled after them it would have started. */
Test(slurm, the_merge_is_cancelled_before_what_it_waits_for)
{
	static const char note[] = "{\"schema\":1,\"plan\":\"0123456789abcdef\"}";
	char *dir = fakes(), id[SLURM_ID];
	SCOPED(free) char *db = xstrfmt("%s/x.db", dir);
	SCOPED(free) char *folder = xstrfmt("%s-runs/slurm/0123456789ab", db);
	SCOPED(free) char *path = xstrfmt("%s/submitted.json", folder);
	SCOPED(free) char *log = xstrfmt("%s/calls", dir);
	SCOPED(free) char *body = xstrfmt("echo \"$@\" >>'%s'", log);
	SCOPED(str) struct str calls = { 0 };
	struct err e = ERR_INIT;
	int n = 0;
	cr_assert_eq(slurm_id(id, db, &e), 0, "%s", e.msg);
	SCOPED(free)
	char *queue = xstrfmt("printf '1|0|R|ablate-%s-0123456789ab-0|None\\n1|1|R|ablate-%s-0123456789ab-0|None\\n"
	                      "2|N/A|PD|ablate-%s-0123456789ab-merge|Dependency\\n'",
	                      id, id, id);
	SCOPED(free)
	char *wanted = xstrfmt("--me --name=ablate-%s-0123456789ab-merge\n--me --name=ablate-%s-0123456789ab-0\n", id, id);
	free(fake(dir, "squeue", queue));
	free(fake(dir, "scancel", body));
	cr_assert_eq(io_mkdirs(folder, &e) || io_write_atomic(path, note, strlen(note), &e), 0, "%s", e.msg);
	cr_assert_eq(slurm_cancel(&n, db, &e), 0, "%s", e.msg);
	cr_expect_eq(n, 1);
	read_into(&calls, log);
	cr_expect_str_eq(calls.data, wanted);
	tempdir_remove(dir);
}

/* Every variable that is to travel does, whatever is in it, and none of the node's own. */
Test(slurm, a_script_has_the_variables_that_travel)
{
	char *dir = fakes();
	SCOPED(free) char *db = xstrfmt("%s/x.db", dir);
	SCOPED(plan) struct plan *p = plan_of(1, ONE_SCORE, db);
	SCOPED(slurm_submission) struct slurm_submission s = { 0 };
	static const int index[] = { 0 };
	static const char *const sent[] = { "ABLATE_CUDNN", "ABLATE_CUBLASLT", "ABLATE_CUSOLVER", "ABLATE_CUDA_PLUGIN",
		                                "ABLATE_NCCL",  "ABLATE_CACHE",    "ABLATE_DATA",     "ABLATE_TEAM_PLUGIN" };
	struct slurm_options o = options_of(db, 4);
	struct err e = ERR_INIT;
	for (size_t i = 0; i < sizeof sent / sizeof *sent; i++)
		cr_assert_eq(setenv(sent[i], "it's $(here)", 1), 0);
	cr_assert_eq(setenv("TMPDIR", "/of/the/submitter", 1) || setenv("CUDA_VISIBLE_DEVICES", "7", 1), 0);
	o.slurm.env[0] = (struct slurm_variable){ "NCCL_DEBUG", "WARN'" };
	o.slurm.n_env = 1;
	o.slurm.prologue = (struct slurm_list){ { "module load cuda/13" }, 1 };
	o.slurm.container = (struct slurm_list){ { "apptainer", "exec", "a b.sif" }, 3 };
	o.slurm.program = "/opt/ablate";
	cr_assert_eq(slurm_compose(&s, p->hash, "0a1b2c3d", index, NULL, 1, &o, &e), 0, "%s", e.msg);
	for (int k = 0; k < 2; k++) {
		for (size_t i = 0; i < sizeof sent / sizeof *sent; i++) {
			SCOPED(free) char *line = xstrfmt("\nexport %s='it'\\''s $(here)'\n", sent[i]);
			cr_expect(strstr(s.v[k].text, line), "%s", line);
		}
		cr_expect(!strstr(s.v[k].text, "TMPDIR") && !strstr(s.v[k].text, "CUDA_VISIBLE_DEVICES"), "%s", s.v[k].text);
		cr_expect(strstr(s.v[k].text, "\nexport NCCL_DEBUG='WARN'\\'''\nmodule load cuda/13\n"), "%s", s.v[k].text);
		cr_expect(strstr(s.v[k].text, "'apptainer' 'exec' 'a b.sif' '/opt/ablate' slurm-"), "%s", s.v[k].text);
	}
	tempdir_remove(dir);
}
