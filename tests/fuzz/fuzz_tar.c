/* fuzz_tar.c - any bytes as a tar archive: no member's name leaves the archive, and no more comes out of one than it
 * has. */
#define _GNU_SOURCE
#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/formats/tar.h"

#include <stdlib.h>
#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SCOPED(fd) int fd = memfd_create("fuzz", MFD_CLOEXEC);
	SCOPED(tar) struct tar *t = NULL;
	struct err e = ERR_INIT;
	if (size > 1 << 16 || fd < 0 || io_write_all(fd, data, size, "fuzz", &e))
		return 0;
	SCOPED(free) char *path = xstrfmt("/proc/self/fd/%d", fd);
	const char *name;
	int64_t n;
	uint8_t buf[256];
	if (tar_open(&t, path, &e))
		return 0;
	while (tar_next(t, &name, &n, &e) > 0) {
		if (archive_name_escapes(name) || n < 0)
			abort();
		if (n < (int64_t)sizeof buf && tar_read(t, buf, (size_t)n + 1, &e) == 0)
			abort();
		if (n < (int64_t)sizeof buf && tar_read(t, buf, (size_t)n, &e))
			break;
	}
	return 0;
}
