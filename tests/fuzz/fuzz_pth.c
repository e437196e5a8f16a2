/* fuzz_pth.c - any bytes as a PyTorch checkpoint; every accepted tensor is read to its last element. */
#include "model/formats/pth.h"

#include "model/base/mem.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pth *pth;
	struct err e = ERR_INIT;
	if (pth_parse(&pth, data, size, "fuzz", &e))
		return 0;
	for (size_t i = 0; i < pth->n_tensors; i++) {
		double *x = xcalloc(st_count(&pth->tensors[i]), sizeof *x);
		st_to_f64(x, &pth->tensors[i]);
		free(x);
	}
	pth_free(pth);
	return 0;
}
