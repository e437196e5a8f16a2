/* emu_runtime.cc - the pretended device itself: what it says of itself, and what went wrong with it. Memory:
 * emu_memory.cc; streams: emu_stream.cc; kernels: emu_launch.cc. */
#include "tests/cuda_emu/emu_private.h"

#include <stdlib.h>
#include <string.h>

long emu_setting(const char *name, long otherwise)
{
	const char *text = getenv(name);
	return text && *text ? strtol(text, NULL, 10) : otherwise;
}

/* ---- what happened --------------------------------------------------------------------------- */

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

cudaError_t cudaGetDeviceCount(int *n)
{
	long driver = emu_setting("ABLATE_EMU_DRIVER", 13000);
	*n = driver < 13000 ? 0 : (int)emu_setting("ABLATE_EMU_DEVICES", 1);
	return driver < 13000 ? emu_result(cudaErrorInsufficientDriver) : *n ? cudaSuccess : emu_result(cudaErrorNoDevice);
}

cudaError_t cudaSetDevice(int device)
{
	return device < emu_setting("ABLATE_EMU_DEVICES", 1) ? cudaSuccess : emu_result(cudaErrorInvalidDevice);
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *prop, int device)
{
	memset(prop, 0, sizeof *prop);
	strncpy(prop->name, "emulated device (host)", sizeof prop->name - 1);
	prop->major = 9;
	for (int i = 0; i < 16;
	     i++) /* all 16 bytes differ, so that a text shows each in its place; the last tells devices apart */
		prop->uuid.bytes[i] = (char)(0x10 * i + (i < 15 ? i : device));
	prop->pciBusID = device + 1;
	prop->multiProcessorCount = 4;
	prop->sharedMemPerBlock = 48 << 10;
	prop->sharedMemPerBlockOptin = emu_shared_most();
	prop->sharedMemPerMultiprocessor = emu_shared_most() + 1024;
	prop->reservedSharedMemPerBlock = 1024;
	prop->totalGlobalMem = emu_memory_total();
	return cudaSuccess;
}
