/* devices.h - devices by name: "cpu", "cuda", "cuda:N", "auto".
 *
 * The CPU back end is built in. A CUDA one is a plugin, `libablate_cuda.so` beside the program (or what
 * ABLATE_CUDA_PLUGIN names), opened when it is asked for, if nobody else can have written it and it was built from the
 * same headers (model/base/plugin.h). */
#ifndef ABLATE_DEVICES_H
#define ABLATE_DEVICES_H

#include "model/graph/backend.h"

/* The CPU, never freed: in fp32, and with convolutions' products of bf16, where the processor has them (else NULL).
 * The latter rounds what the products of convolutions take, pixels and weights transformed for Winograd's, to bf16, and
 * sums them in floats; everything that is stored stays float. Layers whose channels are no multiple of 16, products of
 * vectors and attention's are in fp32. */
struct backend *backend_cpu(void);
struct backend *backend_cpu_bf16(void);
/* Opens a device by name for matrix products in `dtype`. NULL = "cpu". EXIT_USAGE for a name that is not a device,
 * for a device that does not exist, and for a dtype that it does not have. */
MUST_CHECK int backend_open(struct backend **out, const char *device, enum dtype_kind dtype, struct err *e);
/* Does it read as a device, on this machine or another? EXIT_USAGE: no. */
MUST_CHECK int backend_is_name(const char *asked, struct err *e);
/* "auto" -> the name of the device it means ("cuda:0" where a plugin finds one, else "cpu"); others are checked to
 * exist. */
MUST_CHECK int backend_name(char out[32], const char *asked, struct err *e);
/* Gives back what this process holds of all devices; no back end is open. Otherwise that ends with the process. */
void backend_leave_devices(void);
/* How many CUDA devices the plugin finds; an error says what is missing: plugin, driver, device, same build. */
MUST_CHECK int backend_cuda_devices(int *n, struct err *e);
/* Does a device, as asked for (a CUDA one, or "auto" where there is one), do without libraries that it could use? `out`
 * then says what replaces them and why: "own convolutions (no libcudnn.so.9)". Opens them, which can take seconds. */
bool backend_lacks(char *out, size_t bytes, const char *asked);
/* Is there a plugin that "auto" passes over because it must not or cannot be opened (not for want of a driver or a
 * device)? `out` then says why, in one line with the file and the remedy. */
bool backend_auto_skips(char *out, size_t bytes);
/* Heap text: the plugin's file, or NULL. */
char *backend_cuda_plugin(void);

struct graph;
struct graph *graph_new(void); /* graph_new_on the CPU (model/graph/graph.h) */

#endif
