/* formula_weights.h - whole networks of formula weights (formula.h) as an open safetensors file that has no file. */
#ifndef ABLATE_FORMULA_WEIGHTS_H
#define ABLATE_FORMULA_WEIGHTS_H

#include "model/formats/safetensors.h"

/* Appends the tensor that the formula gives for this state-dict key. The set is in order of name after each call. */
void formula_weights_add(struct safetensors *st, const char *key, int n_dims, const int64_t *dims);
void formula_weights_release(struct safetensors *st);
/* All 472 tensors of inception-2015. */
void formula_inception(struct safetensors *st);

#endif
