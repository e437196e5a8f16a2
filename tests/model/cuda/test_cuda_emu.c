/* test_cuda_emu.c - what the emulated device must not let pass, because no GPU does: a host that follows a device
 * pointer, a kernel that is given the host's, results that nobody waited for. Broken kernels: e2e/cuda_mutants.sh. */
#include "model/cpu/devices.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static struct backend *b;
static struct err e = ERR_INIT;

static void open_device(void)
{
	cr_assert_eq(setenv("ABLATE_CUDA_PLUGIN", CUDA_EMU, 1), 0);
	cr_assert_eq(backend_open(&b, "cuda", DTYPE_FP32, &e), 0, "%s", e.msg);
}

TestSuite(cuda_emu, .init = open_device);

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
	loss = 2; /* a small block was taken along */
	b->ops->training.settle(b, status, loss_on);
	b->ops->memory.download(b, &got, status, sizeof got);
	cr_assert_eq(backend_check(b, &e), 0, "%s", e.msg);
	cr_expect_eq(got.loss, 1.0f);
	b->ops->training.settle(b, status, loss_on);
	cr_assert_eq(setenv("ABLATE_EMU_FAIL_AT", "1", 1), 0);
	cr_assert_eq(backend_check(b, &e), -1);
	cr_expect(strstr(e.msg, "launch failure"), "%s", e.msg);
}
