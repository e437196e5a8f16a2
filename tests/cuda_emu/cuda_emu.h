/* cuda_emu.h - the launch model on the host: LAUNCH runs a grid block by block, each block's threads as fibers that take turns
 * at barriers.
 *
 * Thread 0 of a block runs first. If it ends without having met a barrier, the others are plain calls. Otherwise every thread is a
 * fiber; all must meet each barrier, a thread that ends early or waits alone is reported as a launch failure. The order in
 * which the fibers take turns is ABLATE_EMU_ORDER (forward, reverse, odd: odd threads first): results that depend on it are
 * races. Shared memory is poisoned with NaN before each block. In a capture launches are kept and run at each replay.
 *
 * ABLATE_EMU_DEVICES, ABLATE_EMU_MEMORY (bytes) and ABLATE_EMU_FAIL_AT (the n-th launch fails as a lost device does) make the
 * device what a test needs. */
#ifndef ABLATE_CUDA_EMU_H
#define ABLATE_CUDA_EMU_H

#include <functional>

struct emu_index { unsigned x, y, z; };
extern struct emu_index threadIdx, blockIdx, blockDim, gridDim;

void __syncthreads(void);
/* Runs, or keeps for replay: body is one thread's call of the kernel. */
cudaError_t emu_launch(cudaStream_t stream, unsigned blocks, unsigned threads, size_t shared_bytes, std::function<void()> body);
/* The same for what is not a kernel: a library's call. */
cudaError_t emu_call(cudaStream_t stream, std::function<void()> body);
/* Memory of SHARED variables: name it once per block. */
void emu_shared(void *p, size_t bytes);

#define LAUNCH(cu, kernel, blocks, threads, shared_bytes, ...) \
	emu_launch_args((cu), emu_args(kernel, __VA_ARGS__), #kernel, __FILE__, __LINE__, (blocks), (threads), (shared_bytes))

template <typename... P, typename... A> std::function<void()> emu_args(void (*kernel)(P...), A... args)
{
	return std::bind(kernel, static_cast<P>(args)...);
}

static inline void emu_launch_args(struct cuda *cu, std::function<void()> body, const char *name, const char *file, int line,
                                   unsigned blocks, unsigned threads, size_t shared_bytes)
{
	cudaError_t rc = emu_launch(cu->stream, blocks, threads, shared_bytes, body);
	if (rc != cudaSuccess)
		cuda_fail(cu, file, line, name, cudaGetErrorString(rc));
}

#define SHARED(type, name, count) \
	static type name[count]; \
	emu_shared(name, sizeof name)

#endif
