/* emu_private.h - what the two halves of the pretended device share. */
#ifndef ABLATE_EMU_PRIVATE_H
#define ABLATE_EMU_PRIVATE_H

#include "emu_memory.h"

#include <vector>

struct emu_program { std::vector<std::function<void()>> calls; };

/* rc, or what the device was lost with; remembered for cudaGetLastError. */
cudaError_t emu_result(cudaError_t rc);
/* From here on every call fails with rc. */
cudaError_t emu_lose(cudaError_t rc);

#endif
