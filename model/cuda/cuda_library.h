/* cuda_library.h - the big libraries of NVIDIA's, opened at run time where this machine has them: the plugin needs none of them. */
#ifndef ABLATE_CUDA_LIBRARY_H
#define ABLATE_CUDA_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>

struct cuda_function { const char *name; void *to; }; /* to: a pointer to a function, of any type */

struct cuda_library {
	const char *soname, *variable;  /* "libcudnn.so.9"; the environment's name for another file, or "none" for leaving it out */
	void *handle;
	bool tried;
	char why_not[96];               /* "" where it is open */
};

/* Opens it at the first call and finds the functions (ended by a NULL name). Whether it is there. Not for several threads at once. */
bool cuda_library_open(struct cuda_library *l, const struct cuda_function *functions);
/* Is the environment's `variable` "none"? */
bool cuda_library_unwanted(const char *variable);

#endif
