/* emu_runtime.cc - the pretended device itself: what it says of itself, and what went wrong with it. Memory:
 * emu_memory.cc; streams: emu_stream.cc; kernels: emu_launch.cc.
 *
 * A test makes it the device that it needs by variables of the environment:
 *   ABLATE_EMU_DEVICES      how many there are (1)
 *   ABLATE_EMU_DRIVER       the driver's version (13000; 0: none)
 *   ABLATE_EMU_NO_IMAGE     the plugin holds no code for it
 *   ABLATE_EMU_MEMORY       its bytes (8 GiB)
 *   ABLATE_EMU_USED         bytes of them that another process has (0)
 *   ABLATE_EMU_SHARED       bytes of shared memory that a kernel may ask for
 *   ABLATE_EMU_ALLOCATIONS  so many succeed, and then memory is out
 *   ABLATE_EMU_FAIL_AT      the n-th kernel does not end, and with it the device is lost
 *   ABLATE_EMU_LOST_AT      the n-th call finds the device lost
 *   ABLATE_EMU_LOST_AT_STEP the n-th replay of a program does
 *   ABLATE_EMU_LOST_WITH    the number of the error that calls then return (719)
 *   ABLATE_EMU_LOST_ONCE    a file: only the process that makes it loses the device
 *   ABLATE_EMU_EXACT        the libraries round nothing to tf32
 *   ABLATE_EMU_AHEAD        more programs than so many may not wait to run
 *   ABLATE_EMU_ORDER        who takes turns how (cuda_emu.h) */
#include "tests/cuda_emu/emu_private.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

long emu_setting(const char *name, long otherwise)
{
	const char *text = getenv(name);
	return text && *text ? strtol(text, NULL, 10) : otherwise;
}

/* ---- what happened --------------------------------------------------------------------------- */

static cudaError_t last, lost; /* lost: sticky, as after a fault of a real device */

/* Does this process lose the device, or did another? */
static bool loses_it(void)
{
	const char *once = getenv("ABLATE_EMU_LOST_ONCE");
	int fd = once ? open(once, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644) : -1;
	if (fd >= 0)
		(void)close(fd);
	return !once || fd >= 0;
}

void emu_lose_at(const char *variable, long n)
{
	if (n == emu_setting(variable, 0) && loses_it())
		lost = (cudaError_t)emu_setting("ABLATE_EMU_LOST_WITH", cudaErrorLaunchFailure);
}

cudaError_t emu_result(cudaError_t rc)
{
	static long calls;
	emu_lose_at("ABLATE_EMU_LOST_AT", ++calls);
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

bool emu_is_lost(void)
{
	return lost != cudaSuccess;
}

cudaError_t cudaGetLastError(void)
{
	cudaError_t rc = last;
	last = lost;
	return rc;
}

const char *cudaGetErrorString(cudaError_t rc)
{
	if (rc != cudaSuccess && rc == lost && *emu_finding())
		return emu_finding();
	switch (rc) {
	case cudaSuccess: return "no error";
	case cudaErrorInvalidValue: return "invalid argument";
	case cudaErrorMemoryAllocation: return "out of memory";
	case cudaErrorInsufficientDriver: return "CUDA driver version is insufficient for CUDA runtime version";
	case cudaErrorDevicesUnavailable: return "CUDA-capable device(s) is/are busy or unavailable";
	case cudaErrorInvalidDeviceFunction: return "invalid device function";
	case cudaErrorUnsupportedPtxVersion: return "the provided PTX was compiled with an unsupported toolchain.";
	case cudaErrorNoDevice: return "no CUDA-capable device is detected";
	case cudaErrorInvalidDevice: return "invalid device ordinal";
	case cudaErrorNoKernelImageForDevice: return "no kernel image is available for execution on the device";
	case cudaErrorECCUncorrectable: return "uncorrectable ECC error encountered";
	case cudaErrorIllegalAddress: return "an illegal memory access was encountered";
	case cudaErrorLaunchOutOfResources: return "too many resources requested for launch";
	case cudaErrorLaunchFailure: return "unspecified launch failure";
	case cudaErrorSystemNotReady: return "system not yet initialized";
	case cudaErrorSystemDriverMismatch: return "system has unsupported display driver / cuda driver combination";
	case cudaErrorStreamCaptureInvalidated: return "operation failed due to a previous error during capture";
	case cudaErrorStreamCaptureUnjoined: return "capturing stream has unjoined work";
	}
	return "unknown error";
}

/* ---- device ---------------------------------------------------------------------------------- */

cudaError_t cudaDriverGetVersion(int *version)
{
	*version = (int)emu_setting("ABLATE_EMU_DRIVER", 13000);
	return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *version)
{
	*version = 13000;
	return cudaSuccess;
}

/* The card that is device number `device`, or -1: as many as ABLATE_EMU_DEVICES says, of which CUDA_VISIBLE_DEVICES shows
 * those that it numbers, up to the first that does not exist. */
static int card_of(int device)
{
	int cards = (int)emu_setting("ABLATE_EMU_DEVICES", 1);
	const char *shown = getenv("CUDA_VISIBLE_DEVICES");
	if (device < 0 || !shown)
		return device < cards ? device : -1;
	for (int i = 0; *shown; i++) {
		char *end;
		long card = strtol(shown, &end, 10);
		if (end == shown || card < 0 || card >= cards)
			break;
		if (i == device)
			return (int)card;
		shown = *end == ',' ? end + 1 : end;
	}
	return -1;
}

cudaError_t cudaGetDeviceCount(int *n)
{
	long driver = emu_setting("ABLATE_EMU_DRIVER", 13000);
	*n = 0;
	while (driver >= 13000 && card_of(*n) >= 0)
		++*n;
	return driver < 13000 ? emu_result(cudaErrorInsufficientDriver) : emu_result(*n ? cudaSuccess : cudaErrorNoDevice);
}

cudaError_t cudaSetDevice(int device)
{
	int card = card_of(device);
	if (card < 0)
		return emu_result(cudaErrorInvalidDevice);
	return emu_result(card == emu_setting("ABLATE_EMU_BROKEN", -1) ? cudaErrorDevicesUnavailable : cudaSuccess);
}

cudaError_t cudaDeviceReset(void)
{
	return cudaSuccess; /* a context takes no memory here */
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *prop, int device)
{
	memset(prop, 0, sizeof *prop);
	strncpy(prop->name, "emulated device (host)", sizeof prop->name - 1);
	prop->major = 9;
	for (int i = 0; i < 16;
	     i++) /* all 16 bytes differ, so that a text shows each in its place; the last tells devices apart */
		prop->uuid.bytes[i] = (char)(0x10 * i + (i < 15 ? i : card_of(device)));
	prop->pciBusID = card_of(device) + 1;
	prop->multiProcessorCount = 4;
	prop->sharedMemPerBlock = 48 << 10;
	prop->sharedMemPerBlockOptin = emu_shared_most();
	prop->sharedMemPerMultiprocessor = emu_shared_most() + 1024;
	prop->reservedSharedMemPerBlock = 1024;
	prop->totalGlobalMem = emu_memory_total();
	return emu_result(cudaSuccess);
}

cudaError_t cudaFuncGetAttributes(struct cudaFuncAttributes *out, const void *)
{
	memset(out, 0, sizeof *out);
	return emu_result(emu_setting("ABLATE_EMU_NO_IMAGE", 0) ? cudaErrorNoKernelImageForDevice : cudaSuccess);
}
