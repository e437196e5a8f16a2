/* cuda_pipeline_primitives.h - copies from device memory into shared memory that run beside the thread which begins
 * them, on the host: one is made when its thread waits, so that who does not wait reads what was there before. */
#ifndef ABLATE_CUDA_EMU_PIPELINE_H
#define ABLATE_CUDA_EMU_PIPELINE_H

static inline void __pipeline_memcpy_async(void *shared, const void *from, size_t bytes)
{
	emu_copy_begin(shared, from, bytes);
}

static inline void __pipeline_commit(void)
{
}

/* Waits for all, also where `left` of the last commits might stay under way. */
static inline void __pipeline_wait_prior(unsigned left)
{
	(void)left;
	emu_copy_wait();
}

#endif
