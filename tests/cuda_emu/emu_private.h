/* emu_private.h - what the parts of the pretended device share. */
#ifndef ABLATE_EMU_PRIVATE_H
#define ABLATE_EMU_PRIVATE_H

#include <cuda_runtime.h>

#include <functional>

/* rc, or what the device was lost with; remembered for cudaGetLastError. */
cudaError_t emu_result(cudaError_t rc);
/* From here on every call fails with rc. */
cudaError_t emu_lose(cudaError_t rc);
/* The same where a test asks for it: n is the number that the variable of the environment has. */
void emu_lose_at(const char *variable, long n);
bool emu_is_lost(void);
/* What a launch was lost for; "" = nothing. */
const char *emu_finding(void);
long emu_setting(const char *name, long otherwise);

/* Puts body into the stream: it runs when somebody waits for it. */
cudaError_t emu_call(cudaStream_t stream, std::function<void()> body);
bool emu_is_capturing(cudaStream_t stream);
/* Runs what all streams have. */
void emu_run_all(void);

/* ---- memory ---- */

bool emu_is_device(const void *p, size_t bytes);
/* Is this number an address that the host has something at? */
bool emu_is_host(uintptr_t p);
/* Device memory may be touched between these alone. */
void emu_memory_open(void);
void emu_memory_close(void);
/* Loses the device if anything was written beside a block. */
void emu_check_guards(void);
size_t emu_memory_total(void);
/* Bytes of shared memory that a block may have if its kernel asked for them. */
size_t emu_shared_most(void);

#endif
