/* test_worker.c - a stop reaches a worker without touching what it computes. The story: a SIGTERM that met one of
 * oneDNN's generated matrix products wrote its frame over values that these keep below the stack pointer, and the
 * worker ended with a damaged heap. */
#define _GNU_SOURCE
#include "harness/run/worker.h"
#include "model/base/io.h"
#include "model/base/progress.h"
#include "model/cpu/dnn.h"
#include "model/train/model.h"
#include "tests/common/tmpdir.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

enum { ROWS = 16, WIDTH = 16, INNER = 256 }; /* long sums are what is generated so */
#define STORM_S 0.4

static const char job[] =
	"{\"attempt\": \"a\", \"cell\": \"c\", \"arm\": \"r\", \"config\": \"{}\", \"dataset\": \"none\", \"purpose\": "
	"\"run\", \"label\": \"\",\"device\": \"cpu\", \"seed\": 1, \"numerics\": 1, \"n\": 1, \"threads\": 1, \"wall_s\": "
	"0, \"ranks\": 1}";

static struct worker *open_worker(void)
{
	struct worker *w;
	struct err e = ERR_INIT;
	if (io_write_atomic(TMP("job.json"), job, strlen(job), &e) || worker_open(&w, tmpdir(), -1, &e))
		cr_assert_fail("%s", e.msg);
	return w;
}

static void multiply(float *c, const float *a, const float *b)
{
	dnn_gemm(DNN_PLAIN, DNN_PLAIN, ROWS, WIDTH, INNER, 1, a, INNER, b, WIDTH, 0, c, WIDTH);
}

/* Multiplies while signals rain, and stops when it hears none of them: 0, or what went wrong. */
static int work_in_the_rain(int ready_fd)
{
	static float a[ROWS * INNER], b[INNER * WIDTH], want[ROWS * WIDTH], got[ROWS * WIDTH];
	for (int i = 0; i < ROWS * INNER; i++)
		a[i] = (float)(i % 101) / 50 - 1;
	for (int i = 0; i < INNER * WIDTH; i++)
		b[i] = (float)(i % 89) / 44 - 1;
	model_init(1);
	struct worker *w = open_worker();
	multiply(want, a, b);
	bool different = write(ready_fd, "", 1) != 1;
	for (double start = monotonic_s(); monotonic_s() - start < STORM_S;) {
		multiply(got, a, b);
		different |= memcmp(got, want, sizeof got) != 0;
	}
	int rc = different ? 2 : worker_should_stop(w) ? 0 : 3;
	(void)worker_finish(w, WORKER_DONE, NULL, 0);
	return rc;
}

Test(worker, signals_do_not_disturb_a_matrix_product)
{
	int ready[2], status;
	char byte;
	(void)tmpdir();
	cr_assert_eq(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0)
		_exit(work_in_the_rain(ready[1]));
	cr_assert_eq(read(ready[0], &byte, 1), 1);
	while (waitpid(pid, &status, WNOHANG) == 0) {
		(void)kill(pid, SIGTERM);
		(void)usleep(20);
	}
	cr_assert(WIFEXITED(status), "ended by signal %d", WTERMSIG(status));
	cr_assert_eq(WEXITSTATUS(status), 0, "exit %d", WEXITSTATUS(status));
}

/* A worker that hangs in a library call for ever, in the middle of writing a file. */
static int stand(enum worker_stake stake, int ready_fd)
{
	struct worker *w = open_worker();
	struct io_atomic f;
	struct err e = ERR_INIT;
	worker_step(w, 7);
	worker_at_stake(w, stake);
	if (io_atomic_open(&f, TMP("result.npz"), &e) || write(ready_fd, "", 1) != 1)
		return 4;
	for (double start = monotonic_s();
	     monotonic_s() - start < 2;) /* as long as one that has work at stake is watched */
		(void)usleep(1000);
	if (stake == WORKER_WORK) {
		worker_step(w, 8);
		return worker_should_stop(w) ? worker_finish(w, WORKER_STOPPED, NULL, 0) : 5;
	}
	for (;;)
		(void)pause();
}

/* Its exit code after SIGTERM; the text of its journal. */
static int ended_by_term(struct str *journal, enum worker_stake stake)
{
	int ready[2], status = -1;
	char byte;
	struct err e = ERR_INIT;
	(void)tmpdir();
	cr_assert_eq(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0)
		_exit(stand(stake, ready[1]));
	cr_assert_eq(read(ready[0], &byte, 1), 1);
	(void)kill(pid, SIGTERM);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status), "ended by signal %d", WTERMSIG(status));
	cr_assert_not(io_exists(TMP(FMT("result.npz.tmp-%d", (int)pid))) && stake != WORKER_WORK, "half a file is left");
	cr_assert_eq(io_read(journal, TMP("journal.jsonl"), SIZE_MAX, &e), 0);
	return WEXITSTATUS(status);
}

Test(worker, where_nothing_is_lost_a_stop_does_not_wait_for_the_work, .timeout = 60)
{
	SCOPED(str) struct str journal = { 0 };
	cr_assert_eq(ended_by_term(&journal, WORKER_NOTHING), EXIT_BUDGET);
	cr_assert(strstr(journal.data, "\"state\":\"stopped\"") &&
	              strstr(journal.data, "asked to stop (signal 15) at step 7") && strstr(journal.data, "\"t\":\"seal\""),
	          "%s", journal.data);
}

Test(worker, half_a_step_is_given_up_too, .timeout = 60)
{
	SCOPED(str) struct str journal = { 0 };
	cr_assert_eq(ended_by_term(&journal, WORKER_STEP), EXIT_BUDGET);
}

Test(worker, while_work_is_at_stake_a_stop_waits, .timeout = 60)
{
	SCOPED(str) struct str journal = { 0 };
	cr_assert_eq(ended_by_term(&journal, WORKER_WORK), EXIT_BUDGET);
	cr_assert(strstr(journal.data, "asked to stop (signal 15) at step 8"), "%s", journal.data);
}

static void *mask_of(void *out)
{
	(void)pthread_sigmask(SIG_BLOCK, NULL, out);
	return NULL;
}

Test(worker, only_the_thread_of_the_signs_of_life_hears_signals)
{
	sigset_t mine, other;
	pthread_t thread; /* as OpenMP starts its own */
	struct worker *w = open_worker();
	(void)mask_of(&mine);
	cr_assert_eq(pthread_create(&thread, NULL, mask_of, &other), 0);
	(void)pthread_join(thread, NULL);
	static const int numbers[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2 };
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		cr_assert(sigismember(&mine, numbers[i]) == 1 && sigismember(&other, numbers[i]) == 1, "%s",
		          strsignal(numbers[i]));
	cr_assert_not(worker_should_stop(w));
	(void)kill(getpid(), SIGINT);
	for (int i = 0; i < 2000 && !worker_should_stop(w); i++)
		(void)usleep(1000);
	cr_assert(worker_should_stop(w));
	cr_assert_eq(worker_finish(w, WORKER_STOPPED, NULL, 0), EXIT_BUDGET);
}
