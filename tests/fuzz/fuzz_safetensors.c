/* fuzz_safetensors.c - any bytes as a safetensors file; every accepted tensor is read to its last element. */
#include "model/formats/safetensors.h"

#include "model/base/mem.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct safetensors *st;
	struct err e = ERR_INIT;
	if (safetensors_parse(&st, data, size, "fuzz", &e))
		return 0;
	for (size_t i = 0; i < st->n_tensors; i++) {
		float *x = xcalloc(st_count(&st->tensors[i]), sizeof *x);
		st_to_f32(x, &st->tensors[i]);
		free(x);
	}
	safetensors_free(st);
	return 0;
}
