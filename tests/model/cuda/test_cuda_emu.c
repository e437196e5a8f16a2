/* test_cuda_emu.c - what the emulated device must not let pass, because no GPU does: a host that follows a device
 * pointer, a kernel that is given the host's, results that nobody waited for, memory that is written before it was
 * read, a host that runs away; and what a device does when it is lost. Broken kernels: e2e/cuda_mutants.sh. */
#include "model/cpu/devices.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct backend *b;
static struct err e = ERR_INIT;

static void choose_plugin(void)
{
	cr_assert_eq(setenv("ABLATE_CUDA_PLUGIN", CUDA_EMU, 1), 0);
}

static void open_device(void)
{
	choose_plugin();
	cr_assert_eq(backend_open(&b, "cuda", DTYPE_FP32, &e), 0, "%s", e.msg);
}

TestSuite(cuda_emu, .init = open_device);
TestSuite(cuda_lost, .init = choose_plugin);

static void *on_device(size_t bytes)
{
	void *p = b->ops->memory.alloc(b, bytes, &e);
	cr_assert(p, "%s", e.msg);
	return p;
}

#ifndef ABLATE_SANITIZED /* it makes of the signal an exit code of its own */
Test(cuda_emu, a_host_that_reads_device_memory_dies, .signal = SIGSEGV)
{
	const volatile float *p = on_device(4096);
	(void)p[3];
}

Test(cuda_emu, a_host_that_writes_device_memory_dies, .signal = SIGSEGV)
{
	volatile float *p = on_device(4096);
	p[3] = 1;
}

Test(cuda_emu, device_memory_is_closed_again_after_work, .signal = SIGSEGV)
{
	const volatile float *p = on_device(4096);
	b->ops->scores->clear(b, on_device(64), 64);
	cr_assert_eq(backend_check(b, &e), 0, "%s", e.msg);
	(void)p[3];
}

Test(cuda_emu, released_memory_is_gone, .signal = SIGSEGV)
{
	const volatile float *p = on_device(4096);
	cr_assert_eq(backend_check(b, &e), 0, "%s", e.msg);
	b->ops->memory.release(b, on_device(16));
	b->ops->memory.release(b, (void *)(uintptr_t)p);
	(void)p[3];
}
#endif

Test(cuda_emu, a_kernel_is_not_given_the_hosts_memory)
{
	struct step_status *status = on_device(sizeof *status);
	float loss = 1;
	b->ops->training.settle(b, status, &loss);
	cr_assert_eq(backend_check(b, &e), -1);
	cr_expect(strstr(e.msg, "settle_kernel") && strstr(e.msg, "the host's memory"), "%s", e.msg);
}

Test(cuda_emu, a_struct_for_a_kernel_does_not_hold_the_hosts_memory)
{
	static float kept[64];
	struct update_job job = { .status = on_device(sizeof *job.status),
		                      .control = on_device(sizeof *job.control),
		                      .grad = on_device(256),
		                      .p = on_device(256),
		                      .m = on_device(256),
		                      .v = kept,
		                      .n = 64 };
	b->ops->training.update(b, &job);
	cr_assert_eq(backend_check(b, &e), -1);
	cr_expect(strstr(e.msg, "update_kernel") && strstr(e.msg, "the host's memory"), "%s", e.msg);
}

/* The failure of a device shows where it is waited for. */
Test(cuda_emu, nothing_is_done_before_somebody_waits)
{
	struct step_status got, *status = on_device(sizeof *status);
	float loss = 1, *loss_on = on_device(sizeof loss);
	b->ops->memory.upload(b, loss_on, &loss, sizeof loss);
	loss = 2; /* may be written at once */
	b->ops->training.settle(b, status, loss_on);
	b->ops->memory.download(b, &got, status, sizeof got);
	cr_assert_eq(backend_check(b, &e), 0, "%s", e.msg);
	cr_expect_eq(got.loss, 1.0f);
	b->ops->training.settle(b, status, loss_on);
	cr_assert_eq(setenv("ABLATE_EMU_FAIL_AT", "1", 1), 0);
	cr_assert_eq(backend_check(b, &e), -1);
	cr_expect(strstr(e.msg, "launch failure"), "%s", e.msg);
}

/* A step writes what it uploads again for the next step while the device has not read it yet. Twice as much as all
 * stages hold, in blocks of odd sizes. */
Test(cuda_emu, what_was_uploaded_may_be_written_at_once)
{
	enum { BLOCKS = 64, BYTES = (64 << 10) - 3 };
	static unsigned char block[BYTES], got[BYTES];
	void *on[BLOCKS];
	for (int i = 0; i < BLOCKS; i++)
		on[i] = on_device(BYTES);
	for (int i = 0; i < BLOCKS; i++) {
		memset(block, i + 1, BYTES);
		b->ops->memory.upload(b, on[i], block, (size_t)(BYTES - i));
	}
	for (int i = 0; i < BLOCKS; i++) {
		b->ops->memory.download(b, got, on[i], BYTES);
		cr_expect(got[0] == i + 1 && got[BYTES - i - 1] == i + 1 && (i == 0 || got[BYTES - i] == 0), "block %d: %d", i,
		          got[0]);
	}
	cr_assert_eq(backend_check(b, &e), 0, "%s", e.msg);
}

static void replay_often(int times)
{
	struct step_status *status = on_device(sizeof *status);
	float *loss = on_device(sizeof *loss);
	void *program = NULL;
	cr_assert_eq(b->ops->programs->begin(b, &e), 0, "%s", e.msg);
	b->ops->training.settle(b, status, loss);
	cr_assert_eq(b->ops->programs->end(b, &program, &e), 0, "%s", e.msg);
	for (int i = 0; i < times; i++)
		b->ops->programs->replay(b, program);
}

/* A stop is heard when what the host enqueued has run: that must not be all steps to the next point of the curve. */
Test(cuda_emu, a_host_is_at_most_four_steps_ahead)
{
	cr_assert_eq(setenv("ABLATE_EMU_AHEAD", "4", 1), 0);
	replay_often(50);
	cr_assert_eq(backend_check(b, &e), 0, "%s", e.msg);
}

/* And that test would see more. */
Test(cuda_emu, a_host_further_ahead_than_allowed_is_caught)
{
	cr_assert_eq(setenv("ABLATE_EMU_AHEAD", "3", 1), 0);
	replay_often(4);
	cr_assert_eq(backend_check(b, &e), -1);
	cr_expect(strstr(e.msg, "cudaGraphLaunch"), "%s", e.msg);
}

/* ---- a device that fails ------------------------------------------------------------------------- */

Test(cuda_lost, memory_that_ends_says_how_much_there_is_and_what_was_taken)
{
	cr_assert_eq(setenv("ABLATE_EMU_MEMORY", "268435456", 1), 0); /* 256 MiB, 64 of them for the libraries */
	cr_assert_eq(setenv("ABLATE_EMU_USED", "134217728", 1), 0);
	cr_assert_eq(backend_open(&b, "cuda", DTYPE_FP32, &e), 0, "%s", e.msg);
	cr_assert_null(b->ops->memory.alloc(b, 100 << 20, &e));
	cr_expect(strstr(e.msg, "100.0 MiB asked for, 64.0 of 256.0 are free; 128.0 were in use before"), "%s", e.msg);
	cr_assert_eq(backend_check(b, &e), 0, "it goes on: %s", e.msg);
	(void)on_device(1 << 20);
}

/* Opens a device, computes, and closes it, while the n-th call finds it lost. Exits with 0 where nothing was noticed, 1
 * where it was told as it should be, 2 where not. */
static void lose_at(int n, const char *with, const char *part)
{
	char at[16];
	int failed = 0;
	struct err why = ERR_INIT;
	struct backend *lost;
	float x = 1, y = 0;
	(void)alarm(20);
	(void)snprintf(at, sizeof at, "%d", n);
	if (setenv("ABLATE_EMU_LOST_AT", at, 1) || setenv("ABLATE_EMU_LOST_WITH", with, 1))
		_exit(2);
	if (backend_open(&lost, "cuda", DTYPE_FP32, &why))
		_exit(strstr(why.msg, part) ? 1 : 2);
	float *on = lost->ops->memory.alloc(lost, sizeof x, &why);
	void *program = NULL;
	failed = !on;
	if (on) {
		lost->ops->memory.upload(lost, on, &x, sizeof x);
		failed = lost->ops->programs->begin(lost, &why);
		if (!failed) {
			lost->ops->scores->clear(lost, on, sizeof x);
			failed = lost->ops->programs->end(lost, &program, &why);
		}
		for (int i = 0; program && i < 9; i++)
			lost->ops->programs->replay(lost, program);
		lost->ops->memory.download(lost, &y, on, sizeof y);
		failed = failed || backend_check(lost, &why);
		if (program)
			lost->ops->programs->free(lost, program);
		lost->ops->memory.release(lost, on);
	}
	backend_free(lost);
	_exit(failed ? (strstr(why.msg, part) ? 1 : 2) : 0);
}

/* Whichever call it is, up to those that close it: one line with the cause and the remedy, no crash, no hang. */
Test(cuda_lost, a_device_lost_at_any_call_is_told_and_closed, .timeout = 300)
{
	static const struct {
		const char *with, *part;
	} errors[] = { { "214", "uncorrectable ECC error encountered; the card's memory is damaged" },
		           { "46", "busy or unavailable; another process has the card to itself" },
		           { "700", "illegal memory access was encountered; if it comes again" } };
	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
		int told = 0, unnoticed = 0;
		for (int n = 1; unnoticed < 5; n++) {
			int status = 0;
			pid_t child = fork();
			if (child == 0)
				lose_at(n, errors[i].with, errors[i].part);
			cr_assert(child > 0 && waitpid(child, &status, 0) == child);
			cr_assert(WIFEXITED(status) && WEXITSTATUS(status) < 2, "error %s at call %d: status %x", errors[i].with, n,
			          (unsigned)status);
			told += WEXITSTATUS(status) == 1;
			unnoticed += WEXITSTATUS(status) == 0;
		}
		cr_expect(told > 30, "error %s is told at %d calls only", errors[i].with, told);
	}
}
