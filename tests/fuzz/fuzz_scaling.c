/* fuzz_scaling.c - harness/plan/scaling.c: any bytes as the file of what was measured. What is read is used for a
 * choice. */
#define _GNU_SOURCE
#include "harness/plan/jobs.h"
#include "model/base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct scaling_key key = { .cpu = "cpu", .fingerprint = "12ab", .processors = 4 };
	char path[32];
	struct scaling s;
	SCOPED(fd) int fd = memfd_create("fuzz", 0);
	REQUIRE(fd >= 0 && write(fd, data, n) == (ssize_t)n);
	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	if (!scaling_recall(&s, path, &key))
		return 0;
	const struct jobs_ask ask = { .processors = 4, .cells = 9, .work = { 1, 1 } };
	struct jobs j = jobs_choose(&ask, &s);
	REQUIRE(j.jobs >= 1 && j.threads >= 1 && j.jobs * j.threads <= s.processors);
	return 0;
}
