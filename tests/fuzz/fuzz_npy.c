/* fuzz_npy.c - any bytes as a .npy array: an accepted header's numbers are converted as far as the data reach. */
#include "model/formats/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct npy_info info;
	struct err e = ERR_INIT;
	char text[128];
	if (npy_parse(&info, data, size, "fuzz", &e))
		return 0;
	npy_describe(text, &info);
	if (info.kind == NPY_BYTES)
		return 0;
	int64_t have = (int64_t)((size - info.data_at) / (size_t)info.item), n = info.count < have ? info.count : have;
	for (int64_t i = 0; i < n; i++) {
		double d;
		float f;
		npy_to_double(&d, &info, data + info.data_at, i, 1);
		npy_to_float(&f, &info, data + info.data_at, i, 1);
	}
	return 0;
}
