/* emu_runtime.cc - memory, streams and recording of the pretended device; see cuda_runtime.h. Kernels: emu_launch.cc. */
#include "emu_private.h"

#include <map>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A stream that waits for an event of a capturing one joins the capture, and must be waited for before it ends. */
struct emu_stream { bool capturing, joined; struct emu_program *program; std::vector<struct emu_stream *> beside; };
struct emu_event { struct emu_stream *recorded; };

static long setting(const char *name, long otherwise)
{
	const char *text = getenv(name);
	return text && *text ? strtol(text, NULL, 10) : otherwise;
}

/* ---- what happened -------------------------------------------------------------------------------------------------- */

static cudaError_t last, lost; /* lost: sticky, as after a fault of a real device */

cudaError_t emu_result(cudaError_t rc)
{
	if (lost != cudaSuccess)
		rc = lost;
	if (rc != cudaSuccess)
		last = rc;
	return rc;
}

cudaError_t emu_lose(cudaError_t rc)
{
	lost = rc;
	return emu_result(rc);
}

cudaError_t cudaGetLastError(void)
{
	cudaError_t rc = last;
	last = lost;
	return rc;
}

const char *cudaGetErrorString(cudaError_t rc)
{
	switch (rc) {
	case cudaSuccess: return "no error";
	case cudaErrorInvalidValue: return "invalid argument";
	case cudaErrorMemoryAllocation: return "out of memory";
	case cudaErrorInsufficientDriver: return "CUDA driver version is insufficient for CUDA runtime version";
	case cudaErrorNoDevice: return "no CUDA-capable device is detected";
	case cudaErrorInvalidDevice: return "invalid device ordinal";
	case cudaErrorIllegalAddress: return "an illegal memory access was encountered";
	case cudaErrorLaunchFailure: return "unspecified launch failure";
	case cudaErrorStreamCaptureInvalidated: return "operation failed due to a previous error during capture";
	case cudaErrorStreamCaptureUnjoined: return "capturing stream has unjoined work";
	case cudaErrorDevicesUnavailable: return "CUDA-capable device(s) is/are busy or unavailable";
	}
	return "unknown error";
}

/* ---- device --------------------------------------------------------------------------------------------------------- */

cudaError_t cudaDriverGetVersion(int *version)
{
	*version = (int)setting("ABLATE_EMU_DRIVER", 13000);
	return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *version)
{
	*version = 13000;
	return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int *n)
{
	long driver = setting("ABLATE_EMU_DRIVER", 13000);
	*n = driver < 13000 ? 0 : (int)setting("ABLATE_EMU_DEVICES", 1);
	return driver < 13000 ? emu_result(cudaErrorInsufficientDriver) : *n ? cudaSuccess : emu_result(cudaErrorNoDevice);
}

cudaError_t cudaSetDevice(int device)
{
	return device < setting("ABLATE_EMU_DEVICES", 1) ? cudaSuccess : emu_result(cudaErrorInvalidDevice);
}

static size_t memory_total(void)
{
	return (size_t)setting("ABLATE_EMU_MEMORY", 8L << 30);
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *prop, int)
{
	memset(prop, 0, sizeof *prop);
	strncpy(prop->name, "emulated device (host)", sizeof prop->name - 1);
	prop->major = 9;
	prop->multiProcessorCount = 4;
	prop->sharedMemPerBlock = 48 << 10;
	prop->totalGlobalMem = memory_total();
	return cudaSuccess;
}

/* ---- memory --------------------------------------------------------------------------------------------------------- */

static std::map<void *, size_t> &blocks(void)
{
	static std::map<void *, size_t> all;
	return all;
}

static size_t used;

/* Around each block lie guard words, and the host may touch it during the device's calls only: pages of its own, out of reach between them,
 * but for large blocks, where that would take the time of the tests. Under AddressSanitizer blocks end where they end, it watches reads too, and the host reaches them. */
#ifdef ABLATE_SANITIZED
enum { GUARD = 0 };

static unsigned char *block_new(size_t bytes)
{
	void *p = NULL;
	return posix_memalign(&p, 256, bytes) ? NULL : (unsigned char *)p;
}

static void block_free(unsigned char *p, size_t)
{
	free(p);
}

static void let(int) {}
static void watch_host(void) {}
#else
enum { GUARD = 256, LARGE = 1 << 20 };

static size_t block_bytes(size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	return (bytes + 2 * GUARD + page - 1) / page * page;
}

static unsigned char *block_new(size_t bytes)
{
	void *p = mmap(NULL, block_bytes(bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return p == MAP_FAILED ? NULL : (unsigned char *)p + GUARD;
}

static void block_free(unsigned char *p, size_t bytes)
{
	(void)munmap(p - GUARD, block_bytes(bytes));
}

static void let(int protection)
{
	for (const std::pair<void *const, size_t> &block : blocks())
		if (block.second <= LARGE && mprotect((unsigned char *)block.first - GUARD, block_bytes(block.second), protection))
			abort();
}

static void on_fault(int, siginfo_t *info, void *)
{
	static const char text[] = "cuda_emu: the host touched device memory outside of the device's calls\n";
	for (const std::pair<void *const, size_t> &block : blocks())
		if ((char *)info->si_addr >= (char *)block.first - GUARD && (char *)info->si_addr < (char *)block.first - GUARD + block_bytes(block.second))
			(void)!write(2, text, sizeof text - 1);
	(void)signal(SIGSEGV, SIG_DFL); /* again, to end as it would */
}

static void watch_host(void)
{
	static bool watching;
	struct sigaction how;
	if (watching)
		return;
	watching = true;
	memset(&how, 0, sizeof how);
	how.sa_sigaction = on_fault;
	how.sa_flags = SA_SIGINFO;
	(void)sigaction(SIGSEGV, &how, NULL);
}
#endif
enum { GUARD_BYTE = 0x7F };

/* Device memory is reached while one of these lives. */
static int reaching;
emu_reach::emu_reach()
{
	if (reaching++ == 0)
		let(PROT_READ | PROT_WRITE);
}

emu_reach::~emu_reach()
{
	if (--reaching == 0)
		let(PROT_NONE);
}

static void set_guards(unsigned char *p, size_t bytes)
{
	memset(p - GUARD, GUARD_BYTE, GUARD);
	memset(p + bytes, GUARD_BYTE, GUARD);
}

static bool guards_hold(const void *p, size_t bytes)
{
	const unsigned char *before = (const unsigned char *)p - GUARD, *after = (const unsigned char *)p + bytes;
	for (int i = 0; i < GUARD; i++)
		if (before[i] != GUARD_BYTE || after[i] != GUARD_BYTE)
			return false;
	return true;
}

/* Loses the device if anything was written beside a block. */
static void check_guards(void)
{
	emu_reach reach;
	for (std::map<void *, size_t>::iterator at = blocks().begin(); at != blocks().end(); ++at)
		if (lost == cudaSuccess && !guards_hold(at->first, at->second))
			(void)emu_lose(cudaErrorIllegalAddress);
}

cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total)
{
	*total = memory_total();
	*free_bytes = *total > used ? *total - used : 0;
	return cudaSuccess;
}

cudaError_t cudaMalloc(void **out, size_t bytes)
{
	emu_reach reach;
	if (lost != cudaSuccess || bytes > memory_total() || used > memory_total() - bytes)
		return emu_result(cudaErrorMemoryAllocation);
	unsigned char *p = block_new(bytes);
	if (!p)
		return emu_result(cudaErrorMemoryAllocation);
	watch_host();
	set_guards(p, bytes);
	memset(p, 0xFF, bytes); /* nothing is zero by itself */
	blocks()[p] = bytes;
	used += bytes;
	*out = p;
	return cudaSuccess;
}

cudaError_t cudaFree(void *p)
{
	if (!p)
		return cudaSuccess;
	std::map<void *, size_t>::iterator at = blocks().find(p);
	if (at == blocks().end())
		return emu_result(cudaErrorInvalidValue);
	check_guards();
	size_t bytes = at->second;
	used -= bytes;
	blocks().erase(at);
	block_free((unsigned char *)p, bytes);
	return cudaSuccess;
}

/* Does [p, p + bytes) lie in one block of device memory? */
bool emu_is_device(const void *p, size_t bytes)
{
	std::map<void *, size_t>::iterator at = blocks().upper_bound(const_cast<void *>(p));
	if (at == blocks().begin())
		return false;
	--at;
	const char *start = (const char *)at->first;
	return (const char *)p + bytes <= start + at->second;
}

cudaError_t cudaMemsetAsync(void *p, int value, size_t bytes, cudaStream_t stream)
{
	if (!emu_is_device(p, bytes))
		return emu_result(cudaErrorInvalidValue);
	return emu_call(stream, [=] { memset(p, value, bytes); });
}

cudaError_t cudaMemcpyAsync(void *dst, const void *src, size_t bytes, enum cudaMemcpyKind kind, cudaStream_t stream)
{
	bool to = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice, from = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
	if (to != emu_is_device(dst, bytes) || from != emu_is_device(src, bytes))
		return emu_result(cudaErrorInvalidValue);
	if (stream && stream->capturing && !(to && from)) /* host memory may be gone at the replay */
		return emu_result(cudaErrorStreamCaptureInvalidated);
	return emu_call(stream, [=] { memmove(dst, src, bytes); });
}

/* ---- streams and recording ------------------------------------------------------------------------------------------ */

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned)
{
	*out = new emu_stream();
	return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
	delete stream;
	return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
	check_guards();
	return emu_result(stream->capturing ? cudaErrorStreamCaptureInvalidated : cudaSuccess);
}

cudaError_t emu_call(cudaStream_t stream, std::function<void()> body)
{
	if (lost != cudaSuccess)
		return emu_result(lost);
	if (stream && stream->capturing) {
		stream->joined = false;
		stream->program->calls.push_back(body);
	} else {
		emu_reach reach;
		body();
	}
	return emu_result(cudaSuccess);
}

/* A word of a kernel's argument that is the address of something the host has: the device could not follow it. */
static bool is_host_address(uintptr_t word)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	unsigned char resident;
	return word >= (uintptr_t)0x5000 << 32 && word < (uintptr_t)0x8000 << 32 && !emu_is_device((const void *)word, 0) &&
	       mincore((void *)(word / page * page), 1, &resident) == 0;
}

bool emu_argument_is_for_device(const void *argument, size_t bytes)
{
	uintptr_t word;
	for (size_t at = 0; at + sizeof word <= bytes; at += sizeof word) {
		memcpy(&word, (const char *)argument + at, sizeof word);
		if (is_host_address(word))
			return false;
	}
	return true;
}

/* Streams run at once, so an event orders nothing; what is kept of it is who captures. */
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *out, unsigned)
{
	*out = new emu_event();
	return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
	delete event;
	return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
	event->recorded = stream;
	return emu_result(cudaSuccess);
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned)
{
	struct emu_stream *from = event->recorded;
	if (!from || !from->capturing || from == stream)
		return emu_result(cudaSuccess);
	if (stream->capturing) { /* the capture's own stream waits for one beside it */
		from->joined = true;
		return emu_result(cudaSuccess);
	}
	stream->capturing = true;
	stream->joined = false;
	stream->program = from->program;
	from->beside.push_back(stream);
	return emu_result(cudaSuccess);
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode)
{
	if (stream->capturing)
		return emu_result(cudaErrorInvalidValue);
	stream->capturing = true;
	stream->program = new emu_program();
	return emu_result(cudaSuccess);
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *out)
{
	if (!stream->capturing)
		return emu_result(cudaErrorInvalidValue);
	bool joined = true;
	for (struct emu_stream *s : stream->beside) {
		joined &= s->joined;
		s->capturing = false;
		s->program = NULL;
	}
	stream->beside.clear();
	stream->capturing = false;
	*out = stream->program;
	stream->program = NULL;
	return emu_result(joined ? cudaSuccess : cudaErrorStreamCaptureUnjoined);
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *out, cudaGraph_t graph, unsigned long long)
{
	*out = new emu_program(*graph);
	return emu_result(cudaSuccess);
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
	delete graph;
	return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
	delete exec;
	return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream)
{
	for (size_t i = 0; i < exec->calls.size() && lost == cudaSuccess; i++)
		(void)emu_call(stream, exec->calls[i]);
	return emu_result(cudaSuccess);
}
