/* test_tune.c - the file of engines that were chosen by the clock. It decides bits, so what is read from it has to be
 * what was written, a damaged one is refused rather than guessed at, and of two processes that choose at the same time
 * the first has chosen for both. */
#include <criterion/criterion.h>

#include "model/base/io.h"
#include "model/cuda/tune.h"
#include "tests/common/tempdir.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

static char path[300];

static char *folder;

static void in_a_folder(void)
{
	folder = tempdir_make();
	(void)snprintf(path, sizeof path, "%s/engines", folder);
}

static void leave_it(void)
{
	tempdir_remove(folder);
}

static void write_text(const char *text)
{
	FILE *f = fopen(path, "we");
	cr_assert(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

static const struct tune_engine ENGINE = {
	.engine = 41, .workspace = 131, .n_knobs = 3, .knobs = { { 2, 0 }, { 13, -1 }, { 28, 8 } }, .us = 812.5
};

TestSuite(tune, .init = in_a_folder, .fini = leave_it);

Test(tune, the_fastest_is_the_first_of_equals_and_failures_do_not_count)
{
	cr_expect_eq(tune_fastest((const double[]){ 3, 2, 2, 5 }, 4), 1);
	cr_expect_eq(tune_fastest((const double[]){ 0, -1, 7, (double)NAN }, 4), 2);
	cr_expect_eq(tune_fastest((const double[]){ (double)NAN, 4, 3 }, 3), 2);
	cr_expect_eq(tune_fastest((const double[]){ 0, 0 }, 2), -1);
	cr_expect_eq(tune_fastest(NULL, 0), -1);
}

Test(tune, what_is_kept_is_found_by_another_process)
{
	struct tune *t = NULL;
	struct err e = ERR_INIT;
	cr_assert_eq(tune_open(&t, path, &e), 0, "no file yet: %s", e.msg);
	cr_expect_null(tune_find(t, "card: a"));
	for (int i = 0; i < 200; i++) {
		char what[40];
		struct tune_engine engine = ENGINE;
		engine.engine = i;
		engine.n_knobs = i % 4;
		(void)snprintf(what, sizeof what, "card: %d", i);
		cr_assert_eq(tune_keep(t, what, &engine, &e), 0, "%s", e.msg);
	}
	tune_free(t);
	cr_assert_eq(tune_open(&t, path, &e), 0, "%s", e.msg);
	for (int i = 0; i < 200; i++) {
		char what[40];
		(void)snprintf(what, sizeof what, "card: %d", i);
		const struct tune_engine *got = tune_find(t, what);
		cr_assert(got && got->engine == i && got->workspace == 131 && got->n_knobs == i % 4 && got->us == 812.5);
		for (int k = 0; k < i % 4; k++)
			cr_expect(got->knobs[k].type == ENGINE.knobs[k].type && got->knobs[k].value == ENGINE.knobs[k].value);
	}
	cr_expect_null(tune_find(t, "card: 200"));
	tune_free(t);
}

Test(tune, the_first_to_choose_has_chosen_for_all)
{
	struct tune *mine = NULL, *other = NULL;
	struct err e = ERR_INIT;
	struct tune_engine a = ENGINE, b = ENGINE;
	cr_assert(tune_open(&mine, path, &e) == 0 && tune_open(&other, path, &e) == 0);
	a.engine = 1, b.engine = 2;
	cr_assert(tune_keep(mine, "card: x", &a, &e) == 0 && tune_keep(other, "card: x", &b, &e) == 0, "%s", e.msg);
	cr_expect_eq(b.engine, 1, "the second chooser goes its own way");
	cr_expect_eq(tune_find(other, "card: x")->engine, 1);
	b.engine = 3;
	cr_assert_eq(tune_keep(other, "card: y", &b, &e), 0);
	cr_assert_eq(tune_keep(mine, "card: z", &a, &e), 0);
	cr_expect_eq(tune_find(mine, "card: y")->engine, 3, "what another added is read before one adds");
	tune_free(mine);
	tune_free(other);
}

/* Twenty processes that begin at once with the same shapes: every line is whole and each shape has one. */
Test(tune, processes_share_a_file)
{
	enum { PROCESSES = 20, SHAPES = 200 };
	struct tune *t = NULL;
	struct err e = ERR_INIT;
	int gate[2];
	char end;
	cr_assert_eq(pipe(gate), 0);
	for (int p = 0; p < PROCESSES; p++)
		if (fork() == 0) {
			(void)close(gate[1]);
			int bad = read(gate[0], &end, 1) != 0 || tune_open(&t, path, &e);
			for (int i = 0; i < SHAPES && !bad; i++) {
				char what[40];
				struct tune_engine engine = ENGINE;
				engine.engine = p;
				(void)snprintf(what, sizeof what, "card: %d", i);
				bad = tune_keep(t, what, &engine, &e) != 0;
			}
			_exit(bad);
		}
	(void)close(gate[1]);
	(void)close(gate[0]);
	for (int p = 0, status; p < PROCESSES; p++)
		cr_expect(wait(&status) > 0 && status == 0);
	cr_assert_eq(tune_open(&t, path, &e), 0, "%s", e.msg);
	FILE *f = fopen(path, "re");
	int lines = 0;
	for (int c; (c = fgetc(f)) != EOF;)
		lines += c == '\n';
	(void)fclose(f);
	cr_expect_eq(lines, SHAPES + 1);
	tune_free(t);
}

/* Between reading what the others chose and adding to it nobody else may add. */
Test(tune, a_choice_waits_for_the_lock)
{
	static const char row[] = "ablate engines 1\ncard: a\t7\t-\t0\t1.0\n";
	struct tune *t = NULL;
	struct err e = ERR_INIT;
	int status = 1;
	cr_assert_eq(tune_open(&t, path, &e), 0);
	int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	cr_assert(fd >= 0 && flock(fd, LOCK_EX) == 0);
	pid_t child = fork();
	if (child == 0) {
		struct tune_engine engine = ENGINE;
		_exit(tune_keep(t, "card: a", &engine, &e) != 0 || engine.engine != 7);
	}
	(void)usleep(200000);
	cr_expect_eq(waitpid(child, &status, WNOHANG), 0, "it did not wait");
	cr_assert(write(fd, row, sizeof row - 1) == sizeof row - 1 && flock(fd, LOCK_UN) == 0);
	cr_expect(waitpid(child, &status, 0) == child && status == 0, "it did not take over what was chosen");
	(void)close(fd);
	tune_free(t);
}

Test(tune, a_damaged_file_is_refused_with_its_line)
{
#define FIRST "ablate engines 1\n"
#define ROW   "card: a\t41\t2=0 13=1\t131\t812.5\n"
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "ablate engines 2\n", "line 1 " },
		{ "something else\n" ROW, "line 1 " },
		{ "ablate engines 1", "line 1 " },
		{ FIRST ROW "card: b\t41\t2=0", "line 3 " },
		{ FIRST ROW "card: b\t41\t2=0\t131\t812.5", "line 3 " },
		{ FIRST "card: b\t41\t2=0\t131\n", "line 2 " },
		{ FIRST "card: b\t-1\t2=0\t131\t8\n", "line 2 " },
		{ FIRST "card: b\t4x\t2=0\t131\t8\n", "line 2 " },
		{ FIRST "card: b\t99999999999999999999\t-\t131\t8\n", "line 2 " },
		{ FIRST "card: b\t41\t\t131\t8\n", "line 2 " },
		{ FIRST "card: b\t41\t2=\t131\t8\n", "line 2 " },
		{ FIRST "card: b\t41\t2=0 \t131\t8\n", "line 2 " },
		{ FIRST "card: b\t41\t2=0,3=1\t131\t8\n", "line 2 " },
		{ FIRST "card: b\t41\t-\t-5\t8\n", "line 2 " },
		{ FIRST "card: b\t41\t-\t131\tnan\n", "line 2 " },
		{ FIRST "card: b\t41\t-\t131\t0\n", "line 2 " },
		{ FIRST "card: b\t41\t-\t131\t8\tmore\n", "line 2 " },
		{ FIRST "\t41\t-\t131\t8\n", "line 2 " },
		{ FIRST "\n", "line 2 " },
		{ FIRST ROW ROW "x\n", "line 4 " },
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct tune *t = NULL;
		struct err e = ERR_INIT;
		write_text(bad[i].text);
		cr_expect(tune_open(&t, path, &e) == -1 && strstr(e.msg, bad[i].says) && strstr(e.msg, path) &&
		              !strchr(e.msg, '\n'),
		          "case %zu: %s", i, e.msg);
	}
	struct tune *t = NULL;
	struct err e = ERR_INIT;
	write_text(FIRST "card: b\t41\t1=1 2=2 3=3 4=4 5=5 6=6 7=7 8=8 9=9 10=10 11=11 12=12 13=13 14=14 15=15 16=16 17=17 "
	                 "18=18 19=19 20=20 21=21 22=22 23=23 24=24 25=25 26=26 27=27 28=28 29=29 30=30 31=31 32=32 33=33"
	                 "\t131\t8\n");
	cr_expect_eq(tune_open(&t, path, &e), -1, "more knobs than there is room for");
	cr_expect(tune_open(&t, "/", &e) == -1 && strstr(e.msg, "not a file of engines"), "%s", e.msg);
}

Test(tune, a_file_that_shrinks_or_cannot_be_written_is_an_error)
{
	struct tune *t = NULL;
	struct err e = ERR_INIT;
	struct tune_engine engine = ENGINE;
	cr_assert(tune_open(&t, path, &e) == 0 && tune_keep(t, "card: a", &engine, &e) == 0);
	write_text("");
	cr_expect_eq(tune_keep(t, "card: b", &engine, &e), -1);
	tune_free(t);
	char what[4000];
	memset(what, 'x', sizeof what - 1);
	what[sizeof what - 1] = '\0';
	(void)unlink(path);
	cr_assert_eq(tune_open(&t, path, &e), 0);
	cr_expect_eq(tune_keep(t, what, &engine, &e), -1, "a line that is too long");
	cr_expect_eq(tune_keep(t, "card: a", &engine, &e), 0, "%s", e.msg);
	tune_free(t);
	cr_assert_eq(tune_open(&t, "/nowhere/engines", &e), 0);
	cr_expect(tune_keep(t, "card: a", &engine, &e) == -1 && strstr(e.msg, "/nowhere/engines"), "%s", e.msg);
	tune_free(t);
}
