/* fuzz_baseline.c - the small TOML files of gates: a baseline, a values file, published numbers. What is read is used:
 * a baseline is written and read again, values are judged. */
#define _GNU_SOURCE
#include "harness/judge/baseline.h"
#include "harness/judge/gate_values.h"
#include "harness/study/published.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int file_of(char path[32], const void *data, size_t n)
{
	int fd = memfd_create("fuzz", 0);
	REQUIRE(fd >= 0 && write(fd, data, n) == (ssize_t)n);
	snprintf(path, 32, "/proc/self/fd/%d", fd);
	return fd;
}

static void round_trip(const struct baseline *b)
{
	char path[32];
	struct err e = ERR_INIT;
	SCOPED(str) struct str text = { 0 };
	SCOPED(baseline) struct baseline again = { 0 };
	baseline_text(&text, b);
	SCOPED(fd) int fd = file_of(path, text.data, text.len);
	if (baseline_read(&again, path, &e))
		BUG("what was written is not read: %s\n%s", e.msg, text.data);
	REQUIRE(again.now.n == b->now.n && !memcmp(again.now.value, b->now.value, (size_t)b->now.n * sizeof(double)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char path[32];
	struct err e = ERR_INIT;
	SCOPED(fd) int fd = file_of(path, data, n);
	SCOPED(baseline) struct baseline b = { 0 };
	SCOPED(published) struct published *p = NULL;
	struct gate_values v;
	if (!baseline_read(&b, path, &e))
		round_trip(&b);
	if (!published_read(&p, path, &e))
		(void)published_find(p, "", "iCT", "cifar10", "fid", 1);
	if (!gate_values_read(&v, path, &e)) {
		struct gate_result r;
		gate_judge(&r, &v.rule, &v.candidate, &v.baseline);
		REQUIRE(r.verdict == GATE_ERROR || (isfinite(r.lo) && isfinite(r.hi) && r.lo <= r.hi));
		json_decref(gate_json(&r));
		gate_values_release(&v);
	}
	return 0;
}
