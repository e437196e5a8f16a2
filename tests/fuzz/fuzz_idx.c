/* fuzz_idx.c - any bytes as an IDX file: what is accepted has exactly the data that its header promises. */
#include "model/data/idx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct idx x;
	struct err e = ERR_INIT;
	if (idx_parse(&x, data, size, "fuzz", &e))
		return 0;
	size_t n = 1;
	for (int i = 0; i < x.n_dims; i++)
		n *= (size_t)x.dims[i];
	unsigned sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += x.data[i];
	idx_release(&x);
	return sum == 0x7fffffff;
}
