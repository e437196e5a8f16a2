/* fuzz_pickle.c - any bytes as a pickle, in either vocabulary. */
#include "model/formats/pickle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena = { 0 };
	struct pk_value *v, *storages;
	size_t used;
	struct err e = ERR_INIT;
	if (pickle_load(&v, &storages, &used, &arena, data, size, "fuzz", &e) == 0)
		REQUIRE(used <= size);
	if (pickle_load_numpy(&v, &used, &arena, data, size, "fuzz", &e) == 0)
		REQUIRE(used <= size);
	arena_release(&arena);
	return 0;
}
