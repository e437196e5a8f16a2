/* pickle_numpy.h - what numpy's globals mean to the pickle reader; private to pickle.c. */
#ifndef ABLATE_PICKLE_NUMPY_H
#define ABLATE_PICKLE_NUMPY_H

#include "model/formats/pickle.h"

/* The number of a known global ("numpy.dtype"), or -1. */
int pickle_numpy_global(const char *full_name);
/* Fills *v as the known global applied to a tuple. Returns NULL, or why not. */
const char *pickle_numpy_construct(struct pk_value *v, struct arena *arena, int global, const struct pk_value *args);
/* Gives a dtype or an array its state. Returns NULL, or why not. */
const char *pickle_numpy_build(struct pk_value *v, const struct pk_value *state);

#endif
