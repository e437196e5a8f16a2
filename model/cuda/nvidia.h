/* nvidia.h - NVIDIA's libraries, opened at run time where a machine has them: the CUDA back end needs
 * none of them to start. Program (`ablate doctor`) and plugin are compiled with the same table.
 *
 * Each file that calls such a library owns a static struct nvidia_library and the functions that it looks up: they are
 * of the process, since a library is loaded once and never closed (they leave behind what they allocate when they are
 * opened). The first nvidia_open writes both, and nothing writes them after it. */
#ifndef ABLATE_NVIDIA_H
#define ABLATE_NVIDIA_H

#include "model/base/env.h"

#include <stdbool.h>
#include <stddef.h>

enum nvidia_id { NVIDIA_BLAS, NVIDIA_DNN, NVIDIA_SOLVER, NVIDIA_NCCL, NVIDIA_LIBRARIES };

struct nvidia_row {
	const char *name;    /* "cuDNN" */
	const char *file;    /* what the linker is asked for */
	enum env variable;   /* of the environment: another file, or "none" */
	const char *without; /* what a machine without it does */
	const char *with;    /* what it does for a machine that has it */
	const char *package; /* of NVIDIA's repository */
};
extern const struct nvidia_row nvidia_rows[NVIDIA_LIBRARIES];

struct nvidia_function {
	const char *name;
	void *to;
}; /* to: a pointer to a function, of any type */

struct nvidia_library {
	const struct nvidia_row *row;
	const struct nvidia_function *functions; /* ended by a NULL name; NULL: none are wanted */
	/* zero before nvidia_open, constant after it */
	bool tried;
	void *handle;
	char why_not[96]; /* "" where it is open */
};

/* Opens it at the first call and finds the functions. Whether it is there. For any thread. */
bool nvidia_open(struct nvidia_library *l);
/* Does the environment disable it? */
bool nvidia_unwanted(const struct nvidia_row *row);
/* "cuDNN 9.1.0" of version 90100, or of 0, where it is not open, "own convolutions (no libcudnn.so.9)". */
void nvidia_text(char *out, size_t bytes, const struct nvidia_library *l, size_t version, const char *own);

#endif
