/* emu_stream.h - the first word of a stream of the pretended device, for libraries that replace NVIDIA's (shim/): what
 * they do, they enqueue, and find the device's memory open when it is run. */
#ifndef ABLATE_EMU_STREAM_H
#define ABLATE_EMU_STREAM_H

struct emu_stream_head {
	void (*enqueue)(void *stream, void (*run)(void *arg), void *arg);
};

#endif
