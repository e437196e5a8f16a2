/* emu_launch.cc - grids, blocks and threads of the pretended device; see cuda_emu.h. */
#include "tests/cuda_emu/emu_private.h"

struct cuda {
	cudaStream_t stream;
};
void cuda_fail_call(struct cuda *cu, const char *file, int line, const char *call, cudaError_t rc);
#include "tests/cuda_emu/cuda_emu.h"
#include "tests/cuda_emu/emu_fiber.h"

#include <algorithm>
#include <limits.h>
#include <map>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vector>
#ifdef ABLATE_SANITIZED
#include <sanitizer/asan_interface.h>
#endif

struct emu_index threadIdx, blockIdx, blockDim, gridDim;

enum { STACK_BYTES = 64 << 10, MAX_THREADS = 1024, MAX_SHARED = 32, LANES = 32, GUARD_BYTE = 0x7F };
enum { SHARED_UNASKED = 48 << 10, SHARED_MOST = 227 << 10, DYNAMIC_ALIGN = 1024 };
enum fiber_state { FIBER_READY, FIBER_AT_BARRIER, FIBER_AT_EXCHANGE, FIBER_DONE };

struct fiber {
	struct fiber_context at;
	char *stack;
	enum fiber_state state;
	uint64_t shown[2]; /* of its last two exchanges */
	unsigned exchanges;
};

struct copy {
	void *shared;
	const void *from;
	size_t bytes;
};

static struct {
	struct fiber fibers[MAX_THREADS];
	struct fiber_context scheduler;
	int running;
	bool direct, met_barrier, broken;
	std::vector<struct copy> copies[MAX_THREADS]; /* under way */
	size_t dynamic_bytes;
	const std::function<void()> *body;
	const char *kernel;
	struct {
		void *p;
		struct emu_guards guards;
	} shared[MAX_SHARED]; /* poisoned in this block */
	int n_shared, turns[MAX_THREADS];
	unsigned long launches;
	uint64_t shuffle;
	char finding[240];
} emu;

const char *emu_finding(void)
{
	return emu.finding;
}

void emu_found(const char *what)
{
	if (!emu.broken)
		(void)snprintf(emu.finding, sizeof emu.finding, "%.100s: %s (block %u, thread %u)", emu.kernel, what,
		               blockIdx.x, threadIdx.x);
	emu.broken = true;
}

static void become(int thread)
{
	threadIdx.x = (unsigned)thread;
	emu.running = thread;
}

unsigned emu_lane(void)
{
	return threadIdx.x % LANES;
}

/* ---- shared memory --------------------------------------------------------------------------- */

void emu_shared(void *p, size_t bytes, struct emu_guards guards)
{
	for (int i = 0; i < emu.n_shared; i++)
		if (emu.shared[i].p == p)
			return;
	if (emu.n_shared == MAX_SHARED)
		abort();
	emu.shared[emu.n_shared].p = p;
	emu.shared[emu.n_shared++].guards = guards;
	memset(p, 0xFF, bytes);
#ifdef ABLATE_SANITIZED
	ASAN_POISON_MEMORY_REGION(guards.before, guards.bytes);
	ASAN_POISON_MEMORY_REGION(guards.after, guards.bytes);
#else
	memset(const_cast<unsigned char *>(guards.before), GUARD_BYTE, guards.bytes);
	memset(const_cast<unsigned char *>(guards.after), GUARD_BYTE, guards.bytes);
#endif
}

static void check_shared(void)
{
#ifndef ABLATE_SANITIZED /* it sees who writes there, and who reads */
	for (int i = 0; i < emu.n_shared; i++)
		for (size_t j = 0; j < emu.shared[i].guards.bytes; j++)
			if (emu.shared[i].guards.before[j] != GUARD_BYTE || emu.shared[i].guards.after[j] != GUARD_BYTE) {
				emu_found("shared memory written outside its array");
				return;
			}
#endif
}

/* Where a block's dynamic shared memory is; its end depends on the launch. */
static unsigned char *dynamic_memory(void)
{
	alignas(DYNAMIC_ALIGN) static unsigned char memory[DYNAMIC_ALIGN + SHARED_MOST + EMU_GUARD_BYTES];
	return memory + DYNAMIC_ALIGN;
}

unsigned char *emu_dynamic(void)
{
	unsigned char *p = dynamic_memory();
	emu_shared(p, emu.dynamic_bytes, { p - EMU_GUARD_BYTES, p + emu.dynamic_bytes, EMU_GUARD_BYTES });
	return p;
}

void emu_copy_begin(void *shared, const void *from, size_t bytes)
{
	if ((uintptr_t)shared % bytes || (uintptr_t)from % bytes)
		emu_found("a copy into shared memory that is not aligned");
	else
		emu.copies[emu.running].push_back({ shared, from, bytes });
}

void emu_copy_wait(void)
{
	for (const struct copy &c : emu.copies[emu.running])
		memcpy(c.shared, c.from, c.bytes);
	emu.copies[emu.running].clear();
}

static std::map<const void *, size_t> &asked(void)
{
	static std::map<const void *, size_t> all;
	return all;
}

size_t emu_shared_most(void)
{
	return (size_t)emu_setting("ABLATE_EMU_SHARED", 99 << 10);
}

cudaError_t cudaFuncSetAttribute(const void *function, enum cudaFuncAttribute which, int value)
{
	if (value < 0 || (size_t)value > (which == cudaFuncAttributeMaxDynamicSharedMemorySize ? emu_shared_most() : 100))
		return emu_result(cudaErrorInvalidValue);
	if (which == cudaFuncAttributeMaxDynamicSharedMemorySize)
		asked()[function] = (size_t)value;
	return cudaSuccess;
}

/* ---- what threads wait for ------------------------------------------------------------------- */

static void wait_as(enum fiber_state state)
{
	struct fiber *f = &emu.fibers[emu.running];
	emu.met_barrier = true;
	f->state = state;
	fiber_switch(&f->at, &emu.scheduler);
}

void __syncthreads(void)
{
	if (emu.direct)
		emu_found("a barrier that the block's first thread never came to");
	else
		wait_as(FIBER_AT_BARRIER);
}

void __syncwarp(unsigned mask)
{
	(void)emu_exchange(mask, 0, emu_lane());
}

uint64_t emu_exchange(unsigned mask, uint64_t mine, unsigned from_lane)
{
	if (emu.direct) {
		emu_found("a warp's exchange that the block's first thread never came to");
		return mine;
	}
	if (mask != 0xFFFFFFFFu || blockDim.x % LANES) {
		emu_found("an exchange of a part of a warp");
		return mine;
	}
	struct fiber *f = &emu.fibers[emu.running];
	unsigned slot = f->exchanges++ % 2; /* a thread two exchanges ahead would overwrite: it cannot be */
	f->shown[slot] = mine;
	wait_as(FIBER_AT_EXCHANGE);
	return emu.fibers[emu.running / LANES * LANES + (int)(from_lane % LANES)].shown[slot];
}

/* ---- turns ----------------------------------------------------------------------------------- */

static uint64_t draw(void)
{
	emu.shuffle ^= emu.shuffle << 13;
	emu.shuffle ^= emu.shuffle >> 7;
	return emu.shuffle ^= emu.shuffle << 17;
}

static const char *order_name(void)
{
	const char *order = getenv("ABLATE_EMU_ORDER");
	return order && *order ? order : "forward";
}

static bool is_shuffled(const char *order)
{
	return *order >= '0' && *order <= '9';
}

/* turns[0 .. n): who takes the i-th turn. */
static void make_turns(int *turns, int n, const char *order)
{
	for (int i = 0; i < n; i++)
		turns[i] = strcmp(order, "reverse") == 0 ? n - 1 - i
		           : strcmp(order, "odd") == 0   ? (i < n / 2 ? 2 * i + 1 : 2 * (i - n / 2))
		                                         : i;
	for (int i = n - 1; is_shuffled(order) && i > 0; i--) {
		int j = (int)(draw() % (uint64_t)(i + 1)), keep = turns[i];
		turns[i] = turns[j];
		turns[j] = keep;
	}
}

/* ---- a block --------------------------------------------------------------------------------- */

static void fiber_main(void)
{
	fiber_arrived(&emu.fibers[emu.running].at);
	(*emu.body)();
	emu.fibers[emu.running].state = FIBER_DONE;
	fiber_switch(&emu.fibers[emu.running].at, &emu.scheduler);
	abort();
}

static void prepare(int thread)
{
	struct fiber *f = &emu.fibers[thread];
	if (!f->stack)
		f->stack = (char *)malloc(STACK_BYTES);
	fiber_make(&f->at, f->stack, STACK_BYTES, fiber_main);
	f->state = FIBER_READY;
	f->exchanges = 0;
}

static void resume(int thread)
{
	become(thread);
	fiber_switch(&emu.scheduler, &emu.fibers[thread].at);
}

/* Lets a warp of `lanes` threads that all wait at an exchange go on. Returns whether it did. */
static bool release_warp(int first, int lanes)
{
	for (int i = first; i < first + lanes; i++)
		if (emu.fibers[i].state != FIBER_AT_EXCHANGE)
			return false;
	for (int i = first; i < first + lanes; i++)
		emu.fibers[i].state = FIBER_READY;
	return true;
}

/* A warp as far as it comes without the others: until its threads end or wait at a barrier. */
static void run_warp(int first, int lanes, const char *order)
{
	int turns[LANES];
	do {
		make_turns(turns, lanes, order);
		for (int i = 0; i < lanes; i++)
			if (emu.fibers[first + turns[i]].state == FIBER_READY)
				resume(first + turns[i]);
	} while (!emu.broken && release_warp(first, lanes));
}

/* All threads to the end, from barrier to barrier, one warp after the other: what a warp may do before another has
 * begun, it does. */
static void run_fibers(int n, const char *order)
{
	int warps = (n + LANES - 1) / LANES, turns[MAX_THREADS / LANES];
	for (;;) {
		int waiting = 0, done = 0;
		make_turns(turns, warps, order);
		for (int i = 0; i < warps && !emu.broken; i++)
			run_warp(turns[i] * LANES, n - turns[i] * LANES < LANES ? n - turns[i] * LANES : LANES, order);
		for (int i = 0; i < n; i++) {
			done += emu.fibers[i].state == FIBER_DONE;
			waiting += emu.fibers[i].state == FIBER_AT_BARRIER;
		}
		if (done == n || emu.broken)
			return;
		if (waiting < n) {
			emu_found(waiting ? "a barrier that some of the block's threads never came to"
			                  : "a warp's exchange that some of its threads never came to");
			return;
		}
		for (int i = 0; i < n; i++)
			emu.fibers[i].state = FIBER_READY;
	}
}

static void run_block(unsigned block, int threads, const char *order)
{
	blockIdx.x = block;
	emu.n_shared = 0;
	emu.met_barrier = false;
	emu.direct = false;
	for (int i = 0; i < threads; i++)
		emu.copies[i].clear();
	make_turns(emu.turns, threads, order);
	prepare(emu.turns[0]);
	resume(emu.turns[0]);
	if (emu.met_barrier) {
		for (int i = 1; i < threads; i++)
			prepare(emu.turns[i]);
		run_fibers(threads, order);
	} else {
		emu.direct = true;
		for (int i = 1; i < threads && !emu.broken; i++) {
			become(emu.turns[i]);
			(*emu.body)();
		}
	}
	check_shared();
}

static void run_grid(const char *kernel, unsigned blocks, unsigned threads, size_t shared_bytes,
                     const std::function<void()> &body)
{
	const char *fail_at = getenv("ABLATE_EMU_FAIL_AT"), *order = order_name();
	emu.launches++;
	if (fail_at && emu.launches >= strtoul(fail_at, NULL, 10)) {
		(void)emu_lose(cudaErrorLaunchFailure);
		return;
	}
	emu.body = &body;
	emu.kernel = kernel;
	emu.broken = false;
	emu.dynamic_bytes = shared_bytes;
#ifdef ABLATE_SANITIZED
	ASAN_UNPOISON_MEMORY_REGION(dynamic_memory(), SHARED_MOST + EMU_GUARD_BYTES);
#endif
	emu.shuffle = strtoull(order, NULL, 10) * 2654435761u + 88172645463325252u;
	gridDim = { blocks, 1, 1 };
	blockDim = { threads, 1, 1 };
	threadIdx = blockIdx = { 0, 0, 0 };
	for (unsigned i = 0; i < blocks && !emu.broken; i++)
		run_block(strcmp(order, "reverse") == 0 ? blocks - 1 - i : i, (int)threads, order);
	if (emu.broken)
		(void)emu_lose(cudaErrorLaunchFailure);
}

void emu_refuse_argument(const char *kernel, int which)
{
	(void)snprintf(emu.finding, sizeof emu.finding, "argument %d of %.80s points into the host's memory", which,
	               kernel);
	(void)emu_lose(cudaErrorIllegalAddress);
}

/* Every 8 bytes that an argument has in them, for an address of the host's. */
bool emu_argument_is_hosts(const void *argument, size_t bytes)
{
	for (size_t at = 0; at + sizeof(uintptr_t) <= bytes; at += sizeof(uintptr_t)) {
		uintptr_t word;
		memcpy(&word, (const char *)argument + at, sizeof word);
		if (emu_is_host(word))
			return true;
	}
	return false;
}

cudaError_t emu_launch(cudaStream_t stream, struct emu_kernel kernel, unsigned blocks, unsigned threads,
                       size_t shared_bytes, std::function<void()> body)
{
	size_t most = std::max(asked()[kernel.function], (size_t)SHARED_UNASKED);
	if (blocks == 0 || blocks > INT_MAX || threads == 0 || threads > MAX_THREADS || shared_bytes > most)
		return emu_result(cudaErrorInvalidValue);
	return emu_call(stream, [=] { run_grid(kernel.name, blocks, threads, shared_bytes, body); });
}
