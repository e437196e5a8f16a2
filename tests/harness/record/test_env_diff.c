/* test_env_diff.c - what of two environments can change bits is told, and nothing else. */
#include "harness/record/env_diff.h"
#include "tests/common/ok.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* An environment as provenance_take writes it, with one change: KEY to the JSON in `value`, NULL to leave it out. */
static char *env_with(const char *key, const char *value)
{
	json_t *o = json_loads(
		"{\"ablate\":\"0.2.0\",\"build_id\":\"01\",\"commit\":\"c0ffee0123\",\"compiler\":\"GNU 12\",\"cpu\":\"A\","
		"\"device\":\"cuda:0\",\"device_facts\":{\"device\":\"H100\",\"driver\":\"580\",\"libraries\":\"cuDNN "
		"9\",\"uuid\":\"u\"},\"diff\":\"\",\"flags\":\"-O3\",\"fs\":\"ext4\",\"host\":\"one\",\"isa\":[\"avx2\",\"fma\"],"
		"\"kernel\":\"6\",\"libraries\":{\"OpenBLAS\":\"0.3\",\"libc\":\"2.36\",\"oneDNN\":\"3\",\"sqlite\":\"3.40\"},"
		"\"machine\":\"x86_64\",\"numerics\":2,\"threads\":2}",
		0, NULL);
	cr_assert(o);
	if (key && value)
		json_object_set_new(o, key, json_loads(value, JSON_DECODE_ANY, NULL));
	else if (key)
		json_object_del(o, key);
	char *text = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(o);
	return text;
}

static const struct {
	const char *key, *value, *says;
} cases[] = {
	{ "ranks", "2", "1 process, then 2" },
	{ "microbatch", "8", "whole batches, then micro-batches of 8" },
	{ "device", "\"cpu\"", "device cuda, then cpu" },
	{ "device", "\"cuda:1\"", "" },
	{ "device_facts", "{\"device\":\"H200\",\"driver\":\"580\",\"libraries\":\"cuDNN 9\",\"uuid\":\"v\"}",
	  "H100, then H200" },
	{ "device_facts", "{\"device\":\"H100\",\"driver\":\"590\",\"libraries\":\"cuDNN 9\",\"uuid\":\"v\"}",
	  "driver 580, then 590" },
	{ "device_facts", "{\"device\":\"H100\",\"driver\":\"580\",\"libraries\":\"cuDNN 10\",\"uuid\":\"u\"}",
	  "cuDNN 9, then cuDNN 10" },
	{ "cpu", "\"B\"", "processor A, then B" },
	{ "machine", "\"aarch64\"", "machine x86_64, then aarch64" },
	{ "isa", "[\"avx2\",\"avx512f\"]", "no longer fma; now with avx512f" },
	{ "libraries", "{\"OpenBLAS\":\"0.3\",\"libc\":\"2.36\",\"oneDNN\":\"3.1\",\"sqlite\":\"3.41\"}",
	  "oneDNN 3, then 3.1" },
	{ "libraries", "{\"libc\":\"2.37\",\"oneDNN\":\"3\"}", "OpenBLAS 0.3, then none; libc 2.36, then 2.37" },
	{ "numerics", "3", "numerics 2, then 3" },
	{ "host", "\"two\"", "" },
	{ "fs", "\"nfs\"", "" },
	{ "kernel", "\"7\"", "" },
	{ "ablate", "\"0.3.0\"", "" },
};

Test(env_diff, each_difference_that_can_change_bits_is_told_alone)
{
	char *plain = env_with(NULL, NULL);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct str out = { 0 };
		char *other = env_with(cases[i].key, cases[i].value);
		env_diff(&out, ENV_TRAINING, plain, other);
		cr_expect_str_eq(str_text(&out), cases[i].says, "%s: %s", cases[i].key, str_text(&out));
		str_release(&out);
		free(other);
	}
	free(plain);
}

/* Threads were one of the differences, whatever was computed on them: a training has the same bits since numerics
 * version 4, which every older record lacks, and a score has not. */
Test(env_diff, threads_are_told_where_they_can_change_bits)
{
	struct {
		enum env_work work;
		const char *before, *after, *says;
	} threads[] = {
		{ ENV_TRAINING, "{\"numerics\":4,\"threads\":2}", "{\"numerics\":4,\"threads\":1}", "" },
		{ ENV_TRAINING, "{\"numerics\":5,\"threads\":2}", "{\"numerics\":5,\"threads\":1}", "" },
		{ ENV_SCORES, "{\"numerics\":4,\"threads\":2}", "{\"numerics\":4,\"threads\":1}", "2 threads, then 1" },
		{ ENV_SCORES, "{\"numerics\":4,\"threads\":2}", "{\"numerics\":4,\"threads\":2}", "" },
		{ ENV_TRAINING, "{\"numerics\":3,\"threads\":1}", "{\"numerics\":3,\"threads\":2}", "1 thread, then 2" },
		{ ENV_TRAINING, "{\"numerics\":3,\"threads\":1}", "{\"numerics\":4,\"threads\":2}",
		  "1 thread, then 2; numerics 3, then 4" },
		{ ENV_TRAINING, "{\"numerics\":4,\"threads\":1}", "{\"numerics\":3,\"threads\":2}",
		  "1 thread, then 2; numerics 4, then 3" },
		{ ENV_TRAINING, "{\"threads\":2}", "{\"threads\":1}", "2 threads, then 1" },
	};
	for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
		struct str out = { 0 };
		env_diff(&out, threads[i].work, threads[i].before, threads[i].after);
		cr_expect_str_eq(str_text(&out), threads[i].says, "%zu: %s", i, str_text(&out));
		str_release(&out);
	}
}

/* One build is known again by its id, whatever else is said of it; another one by what it was made from. */
Test(env_diff, a_build_is_told_by_its_sources)
{
	struct {
		const char *before, *after, *says;
	} builds[] = {
		{ "{\"build_id\":\"1\",\"commit\":\"a\"}", "{\"build_id\":\"1\",\"commit\":\"b\"}", "" },
		{ "{\"build_id\":\"1\",\"commit\":\"a\"}", "{\"build_id\":\"2\",\"commit\":\"a\"}", "" },
		{ "{\"build_id\":\"1\",\"commit\":\"a\"}", "{\"build_id\":\"2\",\"commit\":\"b\"}",
		  "program of commit a, then b" },
		{ "{\"build_id\":\"1\",\"commit\":\"a\",\"diff\":\"\"}", "{\"build_id\":\"2\",\"commit\":\"a\",\"diff\":\"d\"}",
		  "program with other changes" },
		{ "{\"build_id\":\"1\",\"commit\":\"unknown\"}", "{\"build_id\":\"2\",\"commit\":\"unknown\"}",
		  "program 1, then 2" },
		{ "{\"build_id\":\"1\",\"commit\":\"a\",\"fingerprint_of\":{\"build\":\"f\"}}",
		  "{\"build_id\":\"2\",\"commit\":\"b\",\"fingerprint_of\":{\"build\":\"f\"}}", "" },
		{ "{\"fingerprint_of\":{\"build\":\"f\",\"device\":{\"kernels\":\"k\"}}}",
		  "{\"fingerprint_of\":{\"build\":\"g\",\"device\":{\"kernels\":\"l\"}}}",
		  "build f, then g; kernels k, then l" },
		{ "{\"build_id\":\"1\",\"commit\":\"a\",\"flags\":\"-O2\"}",
		  "{\"build_id\":\"2\",\"commit\":\"a\",\"flags\":\"-O3\"}", "flags -O2, then -O3" },
	};
	for (size_t i = 0; i < sizeof builds / sizeof *builds; i++) {
		struct str out = { 0 };
		env_diff(&out, ENV_TRAINING, builds[i].before, builds[i].after);
		cr_expect_str_eq(str_text(&out), builds[i].says, "%zu: %s", i, str_text(&out));
		str_release(&out);
	}
}

Test(env_diff, what_is_not_on_record_is_no_equality)
{
	struct str out = { 0 };
	env_diff(&out, ENV_TRAINING, NULL, "{}");
	cr_assert_str_eq(str_text(&out), "its environment is not on record");
	str_release(&out);
	env_diff(&out, ENV_SCORES, "{}", "[");
	cr_assert_str_eq(str_text(&out), "its environment is not on record");
	str_release(&out);
}
