/* pickle_tensor.h - what torch's globals and storage ids mean to the pickle reader; private to pickle.c. */
#ifndef ABLATE_PICKLE_TENSOR_H
#define ABLATE_PICKLE_TENSOR_H

#include "model/formats/pickle.h"

/* The number of a known global ("torch._utils._rebuild_tensor_v2"), or -1. */
int pickle_global(const char *full_name);
/* Fills *v as the known global applied to a tuple. Returns NULL, or why not. */
const char *pickle_construct(struct pk_value *v, struct arena *arena, int global, const struct pk_value *args);
/* Fills *v as the storage named by a persistent id. Returns NULL, or why not. */
const char *pickle_storage(struct pk_value *v, const struct pk_value *id);

#endif
