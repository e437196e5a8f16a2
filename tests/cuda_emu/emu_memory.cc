/* emu_memory.cc - memory of the pretended device. A block has pages of its own, between guards, and they are closed to
 * all but what runs on the device: a host that follows a device pointer dies of it, as it does with a GPU. Nothing in
 * it is zero by itself. */
#include "tests/cuda_emu/emu_private.h"

#include <limits.h>
#include <map>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef ABLATE_SANITIZED
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, bytes)   ((void)0)
#define ASAN_UNPOISON_MEMORY_REGION(p, bytes) ((void)0)
#endif

enum { GUARD = 256, GUARD_BYTE = 0x7F, PAGE = 4096, HUGE_BYTES = 4 << 20 };

struct block {
	unsigned char *base;
	size_t whole, bytes;
}; /* pages; one more lies behind them, never to be touched */

static std::map<const void *, struct block> &blocks(void)
{
	static std::map<const void *, struct block> all;
	return all;
}

static size_t used;
static bool is_open;

/* ---- who may touch it ------------------------------------------------------------------------ */

static void protect(const struct block &b, int how)
{
	if (mprotect(b.base, b.whole, how))
		abort();
}

void emu_memory_open(void)
{
	for (const auto &at : blocks())
		protect(at.second, PROT_READ | PROT_WRITE);
	is_open = true;
}

void emu_memory_close(void)
{
	for (const auto &at : blocks())
		protect(at.second, PROT_NONE);
	is_open = false;
}

bool emu_is_device(const void *p, size_t bytes)
{
	auto at = blocks().upper_bound(p);
	if (at == blocks().begin())
		return false;
	--at;
	return (const char *)p + bytes <= (const char *)at->first + at->second.bytes;
}

/* Programs, heaps, libraries and stacks are at high addresses; no kernel's arguments hold numbers that high which are
 * not addresses. */
bool emu_is_host(uintptr_t p)
{
	unsigned char there;
	if (p < 0x500000000000 || p >= 0x800000000000 || emu_is_device((const void *)p, 0))
		return false;
	return mincore((void *)(p / PAGE * PAGE), 1, &there) == 0;
}

/* Says what it was before the program dies of it. */
static void explain(int number, siginfo_t *info, void *)
{
	static const char text[] = "cuda_emu: the host touched device memory outside of the device's calls\n";
	if (!is_open && emu_is_device(info->si_addr, 0))
		(void)!write(STDERR_FILENO, text, sizeof text - 1);
	(void)signal(number, SIG_DFL); /* it happens again */
}

static void watch(void)
{
	struct sigaction now, ours;
	static bool watching;
	if (watching || sigaction(SIGSEGV, NULL, &now) || (now.sa_flags & SA_SIGINFO) || now.sa_handler != SIG_DFL)
		return;
	memset(&ours, 0, sizeof ours);
	ours.sa_sigaction = explain;
	ours.sa_flags = SA_SIGINFO;
	watching = sigaction(SIGSEGV, &ours, NULL) == 0;
}

/* ---- guards; under AddressSanitizer, which watches reads too, it knows them as not to be touched --- */

static void set_guards(unsigned char *p, const struct block &b)
{
	memset(b.base, GUARD_BYTE, b.whole);
	memset(p, 0xFF, b.bytes); /* NaNs */
	ASAN_POISON_MEMORY_REGION(b.base, GUARD);
	ASAN_POISON_MEMORY_REGION(p + b.bytes, b.whole - GUARD - b.bytes);
}

static bool guards_hold(const void *p, const struct block &b)
{
#ifndef ABLATE_SANITIZED
	const unsigned char *before = b.base, *after = (const unsigned char *)p + b.bytes;
	for (int i = 0; i < GUARD; i++)
		if (before[i] != GUARD_BYTE || after[i] != GUARD_BYTE)
			return false;
#else
	(void)p;
	(void)b;
#endif
	return true;
}

void emu_check_guards(void)
{
	for (const auto &at : blocks())
		if (!emu_is_lost() && !guards_hold(at.first, at.second))
			(void)emu_lose(cudaErrorIllegalAddress);
}

/* ---- blocks ---------------------------------------------------------------------------------- */

size_t emu_memory_total(void)
{
	return (size_t)emu_setting("ABLATE_EMU_MEMORY", 8L << 30);
}

/* Ours, and another process'. */
static size_t in_use(void)
{
	size_t others = (size_t)emu_setting("ABLATE_EMU_USED", 0), total = emu_memory_total();
	return used + others < total ? used + others : total;
}

cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total)
{
	*total = emu_memory_total();
	*free_bytes = *total - in_use();
	return emu_result(cudaSuccess);
}

cudaError_t cudaMalloc(void **out, size_t bytes)
{
	static long allocations;
	if (emu_is_lost() || bytes > emu_memory_total() - in_use() ||
	    ++allocations > emu_setting("ABLATE_EMU_ALLOCATIONS", LONG_MAX))
		return emu_result(cudaErrorMemoryAllocation);
	struct block b = { NULL, (bytes + 2 * GUARD + PAGE - 1) / PAGE * PAGE, bytes };
	void *base = mmap(NULL, b.whole + PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED)
		return emu_result(cudaErrorMemoryAllocation);
	b.base = (unsigned char *)base;
	if (b.whole > HUGE_BYTES)
		(void)madvise(base, b.whole, MADV_HUGEPAGE); /* opened and closed sooner */
	watch();
	protect(b, PROT_READ | PROT_WRITE);
	set_guards(b.base + GUARD, b);
	protect(b, PROT_NONE);
	*out = b.base + GUARD;
	blocks()[*out] = b;
	used += bytes;
	return emu_result(cudaSuccess);
}

/* Waits for all that the device has to do, as the real one does. */
cudaError_t cudaFree(void *p)
{
	if (!p)
		return cudaSuccess;
	auto at = blocks().find(p);
	if (at == blocks().end())
		return emu_result(cudaErrorInvalidValue);
	emu_run_all();
	struct block b = at->second;
	used -= b.bytes;
	blocks().erase(at);
	ASAN_UNPOISON_MEMORY_REGION(b.base, b.whole);
	(void)munmap(b.base, b.whole + PAGE);
	return emu_result(cudaSuccess);
}

cudaError_t cudaHostAlloc(void **out, size_t bytes, unsigned)
{
	*out = aligned_alloc(PAGE, (bytes + PAGE - 1) / PAGE * PAGE);
	return emu_result(*out ? cudaSuccess : cudaErrorMemoryAllocation);
}

cudaError_t cudaFreeHost(void *p)
{
	free(p);
	return emu_result(cudaSuccess);
}

cudaError_t cudaMemsetAsync(void *p, int value, size_t bytes, cudaStream_t stream)
{
	if (emu_is_lost())
		return emu_result(cudaSuccess);
	if (!emu_is_device(p, bytes))
		return emu_result(cudaErrorInvalidValue);
	return emu_call(stream, [=] { memset(p, value, bytes); });
}

/* The host's memory is read when the copy's turn comes, however small it is: the real device does that with pinned
 * memory, and takes a small pageable block along only because the driver happens to stage it. */
cudaError_t cudaMemcpyAsync(void *dst, const void *src, size_t bytes, enum cudaMemcpyKind kind, cudaStream_t stream)
{
	if (emu_is_lost())
		return emu_result(cudaSuccess);
	bool to = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice,
		 from = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
	if (to != emu_is_device(dst, bytes) || from != emu_is_device(src, bytes))
		return emu_result(cudaErrorInvalidValue);
	if (emu_is_capturing(stream) && !(to && from)) /* host memory may be gone at the replay */
		return emu_result(cudaErrorStreamCaptureInvalidated);
	return emu_call(stream, [=] { memmove(dst, src, bytes); });
}
