/* cuda_emu.h - the launch model on the host: LAUNCH runs a grid block by block, each block's threads as fibers that
 * take turns at barriers.
 *
 * One thread of a block runs first. If it ends without having met a barrier, the others are plain calls. Otherwise
 * every thread is a fiber. What is caught, and ends as a launch failure that says what and in which kernel:
 *   - a barrier or a warp's exchange that some threads never come to;
 *   - shared memory written outside its array (guard words; under AddressSanitizer also reads);
 *   - device memory written outside its block (guard words in emu_memory.cc; AddressSanitizer);
 *   - an argument that points to the host's memory; fragments (mma.h) that are not where the hardware requires them.
 * The host cannot touch device memory, and nothing is done before somebody waits for it: emu_memory.cc, emu_stream.cc.
 * Shared and device memory start as NaN. Warps, the threads in them, and blocks take turns in an order that
 * ABLATE_EMU_ORDER names: forward, reverse, odd (odd ones first) or a number, which seeds a shuffle at every turn; a
 * warp goes on as far as it can alone. A result that depends on the order is a race or a missing barrier: tests run the
 * orders and compare bits. In a capture launches are kept and run at each replay.
 *
 * The device that a test needs is made by ABLATE_EMU_... in the environment: emu_runtime.cc has the list. */
#ifndef ABLATE_CUDA_EMU_H
#define ABLATE_CUDA_EMU_H

#include <functional>
#include <string.h>

struct emu_index {
	unsigned x, y, z;
};
extern struct emu_index threadIdx, blockIdx, blockDim, gridDim;

void __syncthreads(void);
void __syncwarp(unsigned mask = 0xFFFFFFFFu);
/* Runs, or keeps for replay: body is one thread's call of the kernel. */
struct emu_kernel {
	const char *name;
	const void *function;
};
cudaError_t emu_launch(cudaStream_t stream, struct emu_kernel kernel, unsigned blocks, unsigned threads,
                       size_t shared_bytes, std::function<void()> body);
/* The same for what is not a kernel: a library's call. */
cudaError_t emu_call(cudaStream_t stream, std::function<void()> body);
/* Ends the launch: its running thread did what a GPU would not have let it. */
void emu_found(const char *what);
/* Loses the device: that argument is not for it. */
void emu_refuse_argument(const char *kernel, int which);
/* Is there anything in an argument's bytes that is an address of the host's? */
bool emu_argument_is_hosts(const void *argument, size_t bytes);

/* ---- a warp's exchanges: each thread shows 8 bytes and sees those of another ----------------- */

uint64_t emu_exchange(unsigned mask, uint64_t mine, unsigned from_lane);
unsigned emu_lane(void);

template <class T> static inline T emu_from_lane(unsigned mask, T x, unsigned lane)
{
	static_assert(sizeof(T) <= 8, "exchanges are of up to 8 bytes");
	uint64_t word = 0;
	memcpy(&word, &x, sizeof x);
	word = emu_exchange(mask, word, lane);
	memcpy(&x, &word, sizeof x);
	return x;
}

template <class T> static inline T __shfl_sync(unsigned mask, T x, int lane)
{
	return emu_from_lane(mask, x, (unsigned)lane % 32);
}

template <class T> static inline T __shfl_xor_sync(unsigned mask, T x, int lanes)
{
	return emu_from_lane(mask, x, emu_lane() ^ (unsigned)lanes);
}

template <class T> static inline T __shfl_down_sync(unsigned mask, T x, unsigned lanes)
{
	return emu_from_lane(mask, x, emu_lane() + lanes < 32 ? emu_lane() + lanes : emu_lane());
}

static inline unsigned __ballot_sync(unsigned mask, int predicate)
{
	unsigned bits = 0;
	for (unsigned lane = 0; lane < 32; lane++)
		bits |= (emu_from_lane(mask, predicate != 0, lane) ? 1u : 0u) << lane;
	return bits;
}

/* Threads take turns only at barriers, so a plain sum is whole. */
template <class T> static inline T atomicAdd(T *at, T x)
{
	T old = *at;
	*at = old + x;
	return old;
}

/* ---- shared memory --------------------------------------------------------------------------- */

/* Memory of a SHARED variable with guards around it: named once per block, poisoned then. */
struct emu_guards {
	const unsigned char *before, *after;
	size_t bytes;
};
void emu_shared(void *p, size_t bytes, struct emu_guards guards);

enum { EMU_GUARD_BYTES = 64 };

template <class T, size_t N> struct emu_array {
	unsigned char before[EMU_GUARD_BYTES];
	alignas(32) T values[N];
	unsigned char after[EMU_GUARD_BYTES];
};

#define SHARED(type, name, count) \
	static struct emu_array<type, (count)> name##_in_guards; \
	emu_shared(name##_in_guards.values, sizeof name##_in_guards.values, \
	           { name##_in_guards.before, name##_in_guards.after, EMU_GUARD_BYTES }); \
	type(&name)[count] = name##_in_guards.values

/* What the launch gave each block beside. */
unsigned char *emu_dynamic(void);
#define SHARED_BYTES(name) unsigned char *name = emu_dynamic()

/* A copy into shared memory that is under way until the thread which began it waits: it is made then. */
void emu_copy_begin(void *shared, const void *from, size_t bytes);
void emu_copy_wait(void);

/* ---- launching ------------------------------------------------------------------------------- */

#define LAUNCH(cu, kernel, blocks, threads, shared_bytes, ...) \
	emu_launch_args((cu), emu_args(kernel, __VA_ARGS__), #kernel, __FILE__, __LINE__, (blocks), (threads), \
	                (shared_bytes))

/* which: the first argument that is the host's; 0: none. */
struct emu_bound {
	std::function<void()> body;
	const void *function;
	int which;
};

/* Of a copy: the bytes between members may be anything. With a compiler that cannot say where those are, nothing is
 * checked. */
template <class T> static bool emu_is_hosts(T argument)
{
#if __has_builtin(__builtin_clear_padding)
	__builtin_clear_padding(&argument);
	return emu_argument_is_hosts(&argument, sizeof argument);
#else
	(void)argument;
	return false;
#endif
}

template <typename... P, typename... A> static struct emu_bound emu_args(void (*kernel)(P...), A... args)
{
	int which = 0;
	bool each[] = { false, emu_is_hosts(args)... };
	for (int i = (int)sizeof...(args); i > 0; i--)
		which = each[i] ? i : which;
	return { std::bind(kernel, static_cast<P>(args)...), (const void *)kernel, which };
}

static inline void emu_launch_args(struct cuda *cu, struct emu_bound bound, const char *name, const char *file,
                                   int line, unsigned blocks, unsigned threads, size_t shared_bytes)
{
	if (bound.which)
		emu_refuse_argument(name, bound.which);
	cudaError_t rc = emu_launch(cu->stream, { name, bound.function }, blocks, threads, shared_bytes, bound.body);
	if (rc != cudaSuccess)
		cuda_fail_call(cu, file, line, name, rc);
}

#endif
