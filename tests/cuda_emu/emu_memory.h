/* emu_memory.h - who may touch what: device memory is out of the host's reach but during the device's calls, and what a kernel is handed must be
 * the device's. */
#ifndef ABLATE_EMU_MEMORY_H
#define ABLATE_EMU_MEMORY_H

#include <cuda_runtime.h>

#include <functional>

/* While one lives, the host's hand is in device memory: around a library's stand-in that is called directly. */
struct emu_reach { emu_reach(); ~emu_reach(); };
#define DEVICE_CALL(call) ([&] { emu_reach reach; return call; }())

/* What the device does in its stream that is not a kernel: a library's call. Kept for replay in a capture. */
cudaError_t emu_call(cudaStream_t stream, std::function<void()> body);
/* Does [p, p + bytes) lie in one block of device memory? */
bool emu_is_device(const void *p, size_t bytes);
/* Does no word of a kernel's argument point into the host's memory? */
bool emu_argument_is_for_device(const void *argument, size_t bytes);

#endif
