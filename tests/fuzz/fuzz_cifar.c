/* fuzz_cifar.c - any bytes as a CIFAR-10 file: what is accepted is read record by record. */
#include "model/base/mem.h"
#include "model/data/cifar.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cifar c = { 0 };
	struct err e = ERR_INIT;
	uint8_t px[CIFAR_PIXELS];
	int label;
	for (int k = 0; k < 2; k++) { /* two batches, so that records are looked for in the second, too */
		uint8_t *bytes = xmalloc(size + 1);
		memcpy(bytes, data, size);
		if (cifar_add_bytes(&c, bytes, (int64_t)size, "fuzz", &e))
			break;
	}
	for (int64_t i = 0; i < c.n; i++)
		REQUIRE(cifar_read(&c, i, px, &label, &e) || label < CIFAR_CLASSES);
	cifar_release(&c);
	return 0;
}
