/* fuzz_scaling.c - harness/plan/scaling.c: any bytes as the file of what was measured. What is believed of it is
 * possible, and used for a choice. */
#define _GNU_SOURCE
#include "harness/plan/jobs.h"
#include "model/base/mem.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void possible(const struct scaling *s)
{
	REQUIRE(s->processors == 4 && s->n >= 1 && s->n <= SCALING_MAX && s->v[0].jobs == 1);
	for (int i = 0; i < s->n; i++) {
		const struct scaling_rate *r = &s->v[i];
		REQUIRE(r->jobs >= 1 && r->threads >= 1 && r->jobs * r->threads <= s->processors);
		REQUIRE(i == 0 || r->jobs > r[-1].jobs);
		for (int k = 0; k < SCALING_NETS; k++)
			REQUIRE(isfinite(r->steps_per_s[k]) && r->steps_per_s[k] > 0 && isfinite(s->gflop[k]) && s->gflop[k] > 0);
	}
}

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
	possible(&s);
	const struct jobs_ask ask = { .processors = 4, .cells = 9, .work = { 1, 1 } };
	struct jobs j = jobs_choose(&ask, &s);
	REQUIRE(j.jobs >= 1 && j.threads >= 1 && j.jobs * j.threads <= s.processors);
	return 0;
}
