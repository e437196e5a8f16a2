/* nvidia.h - the libraries of NVIDIA's that are opened at run time, where a machine has them: the CUDA back end needs none of them to start. Program
 * (`ablate doctor`) and plugin are compiled with the same table, each with its own state. */
#ifndef ABLATE_NVIDIA_H
#define ABLATE_NVIDIA_H

#include <stdbool.h>
#include <stddef.h>

enum nvidia_id {
#define LIBRARY(id, name, file, variable, without, with, remedy) NVIDIA_##id,
#include "model/cuda/nvidia.def"
#undef LIBRARY
	NVIDIA_LIBRARIES
};

struct nvidia_function { const char *name; void *to; }; /* to: a pointer to a function, of any type */

struct nvidia_library {
	const char *name, *file, *variable, *without, *with, *remedy; /* nvidia.def */
	void *handle;
	bool tried;
	char why_not[96];               /* "" where it is open */
};

extern struct nvidia_library nvidia[NVIDIA_LIBRARIES];

/* Opens it at the first call and finds the functions (ended by a NULL name; NULL: none are wanted). Whether it is there. It is never closed: these
 * libraries leave behind what they allocate when they are opened. Not for several threads at once. */
bool nvidia_open(struct nvidia_library *l, const struct nvidia_function *functions);
/* Does the environment leave it out? */
bool nvidia_unwanted(const struct nvidia_library *l);

#endif
