/* fuzz_arrays.c - any bytes as a file of arrays: .npz, .npy, a pickle; each array is read whole, and listed.
 * HDF5 is left out, as its parser is a library's that does not stand up to this. */
#define _GNU_SOURCE
#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/formats/arrays.h"

#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SCOPED(fd) int fd = memfd_create("fuzz", MFD_CLOEXEC);
	SCOPED(arrays) struct arrays *a = NULL;
	SCOPED(str) struct str held = { 0 };
	struct err e = ERR_INIT;
	if (size > 1 << 16 || arrays_hdf5.is(data, size) || fd < 0 || io_write_all(fd, data, size, "fuzz", &e))
		return 0;
	SCOPED(free) char *path = xstrfmt("/proc/self/fd/%d", fd);
	if (arrays_open(&a, path, &e))
		return 0;
	arrays_list(&held, a);
	for (int i = 0; i < a->n && i < 64; i++) {
		SCOPED(free) double *x = NULL;
		SCOPED(free) char *text = NULL;
		struct npy_info info;
		const char *key = a->entry[i].name;
		if (arrays_doubles(&x, &info, a, key, 1 << 16, &e) == 0)
			REQUIRE(info.count <= 1 << 16);
		else
			(void)(arrays_text(&text, a, key, &e) == 0);
	}
	return 0;
}
