/* test_float_store.c - features in memory and, where they are many, in a temporary file. */
#include "metrics/features/float_store.h"
#include "model/base/mem.h"

#include <criterion/criterion.h>
#include <stdlib.h>

/* Beyond the heap's share the floats are in a file, with no visible difference. */
Test(float_store, large_and_small_read_alike)
{
	enum { CHUNK = 1 << 20 };
	struct float_store s = { 0 };
	struct err e = ERR_INIT;
	const float *all;
	SCOPED(free) float *x = xmalloc(sizeof *x * CHUNK);
	for (int64_t n = 0; n <= FLOAT_STORE_HEAP; n += CHUNK) {
		for (int i = 0; i < CHUNK; i++)
			x[i] = (float)(n / CHUNK + i % 3);
		cr_assert_eq(float_store_append(&s, x, CHUNK, &e), 0, "%s", e.msg);
		if (n == 3 * CHUNK)
			cr_assert(float_store_get(&all, &s, &e) == 0 && all[2 * CHUNK + 1] == 3);
	}
	cr_assert(s.fd > 0, "this test must reach the file");
	cr_assert_eq(float_store_get(&all, &s, &e), 0, "%s", e.msg);
	for (int64_t n = 0; n <= FLOAT_STORE_HEAP; n += CHUNK)
		cr_assert_eq(all[n + 5], (float)(n / CHUNK + 2));
	float_store_release(&s);
}
