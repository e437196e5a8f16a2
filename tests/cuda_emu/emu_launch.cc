/* emu_launch.cc - grids, blocks and threads of the pretended device; see cuda_emu.h. */
#include "emu_private.h"

struct cuda { cudaStream_t stream; };
void cuda_fail(struct cuda *cu, const char *file, int line, const char *what, const char *why);
#include "cuda_emu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

struct emu_index threadIdx, blockIdx, blockDim, gridDim;

enum { STACK_BYTES = 64 << 10, MAX_THREADS = 1024, MAX_SHARED = 32 };
enum fiber_state { FIBER_READY, FIBER_AT_BARRIER, FIBER_DONE };

struct fiber { ucontext_t at; char *stack; enum fiber_state state; };

static struct {
	struct fiber fibers[MAX_THREADS];
	ucontext_t scheduler;
	int running;                    /* -1: a plain call */
	bool direct, met_barrier, broken;
	const std::function<void()> *body;
	void *shared[MAX_SHARED];       /* already poisoned in this block */
	int n_shared;
	unsigned long launches;
} emu;

static void become(int thread)
{
	threadIdx.x = (unsigned)thread % blockDim.x;
	emu.running = thread;
}

void emu_shared(void *p, size_t bytes)
{
	for (int i = 0; i < emu.n_shared; i++)
		if (emu.shared[i] == p)
			return;
	if (emu.n_shared == MAX_SHARED)
		abort();
	emu.shared[emu.n_shared++] = p;
	memset(p, 0xFF, bytes);
}

void __syncthreads(void)
{
	if (emu.direct) { /* thread 0 ended without a barrier, this one meets one */
		emu.broken = true;
		return;
	}
	emu.met_barrier = true;
	struct fiber *f = &emu.fibers[emu.running];
	f->state = FIBER_AT_BARRIER;
	(void)swapcontext(&f->at, &emu.scheduler);
}

static void fiber_main(void)
{
	(*emu.body)();
	emu.fibers[emu.running].state = FIBER_DONE;
	(void)swapcontext(&emu.fibers[emu.running].at, &emu.scheduler);
	abort();
}

static void prepare(int thread)
{
	struct fiber *f = &emu.fibers[thread];
	if (!f->stack)
		f->stack = (char *)malloc(STACK_BYTES);
	(void)getcontext(&f->at);
	f->at.uc_stack.ss_sp = f->stack;
	f->at.uc_stack.ss_size = STACK_BYTES;
	f->at.uc_link = NULL;
	makecontext(&f->at, fiber_main, 0);
	f->state = FIBER_READY;
}

static void resume(int thread)
{
	become(thread);
	(void)swapcontext(&emu.scheduler, &emu.fibers[thread].at);
}

/* The i-th to take its turn. */
static int turn(int i, int n)
{
	static const char *const order = getenv("ABLATE_EMU_ORDER");
	if (order && strcmp(order, "reverse") == 0)
		return n - 1 - i;
	if (order && strcmp(order, "odd") == 0)
		return i < n / 2 ? 2 * i + 1 : 2 * (i - n / 2);
	return i;
}

/* All threads to the end, from barrier to barrier. Thread 0 has run up to its first. */
static void run_fibers(int n)
{
	for (bool first = true;; first = false) {
		int waiting = 0, done = 0;
		for (int i = 0; i < n; i++) {
			int thread = turn(i, n);
			struct fiber *f = &emu.fibers[thread];
			if (first && thread == 0) {
				waiting++;
				continue;
			}
			if (f->state != FIBER_DONE)
				resume(thread);
			if (f->state == FIBER_DONE)
				done++;
			else
				waiting++;
		}
		if (waiting == 0)
			return;
		if (done > 0) { /* some will never come to this barrier */
			emu.broken = true;
			return;
		}
	}
}

static void run_block(unsigned block, int threads)
{
	blockIdx.x = block;
	emu.n_shared = 0;
	emu.met_barrier = false;
	emu.direct = false;
	prepare(0);
	resume(0);
	if (emu.met_barrier) {
		for (int i = 1; i < threads; i++)
			prepare(i);
		run_fibers(threads);
		return;
	}
	emu.direct = true;
	for (int i = 1; i < threads; i++) {
		become(i);
		(*emu.body)();
	}
}

static void run_grid(unsigned blocks, unsigned threads, const std::function<void()> &body)
{
	static const char *const fail_at = getenv("ABLATE_EMU_FAIL_AT");
	emu.launches++;
	if (fail_at && emu.launches >= strtoul(fail_at, NULL, 10)) {
		(void)emu_lose(cudaErrorLaunchFailure);
		return;
	}
	emu.body = &body;
	emu.broken = false;
	gridDim = { blocks, 1, 1 };
	blockDim = { threads, 1, 1 };
	threadIdx = blockIdx = { 0, 0, 0 };
	for (unsigned b = 0; b < blocks && !emu.broken; b++)
		run_block(b, (int)threads);
	if (emu.broken)
		(void)emu_lose(cudaErrorLaunchFailure);
}

cudaError_t emu_launch(cudaStream_t stream, unsigned blocks, unsigned threads, size_t shared_bytes, std::function<void()> body)
{
	if (blocks == 0 || threads == 0 || threads > MAX_THREADS || shared_bytes > (48 << 10))
		return emu_result(cudaErrorInvalidValue);
	return emu_call(stream, [=] { run_grid(blocks, threads, body); });
}
