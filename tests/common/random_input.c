/* random_input.c - see random_input.h. */
#include "tests/common/random_input.h"

#include "model/base/mem.h"
#include "model/base/rng.h"

void random_input(struct graph *g, struct tensor *t, uint64_t seed, uint32_t stream, float spread)
{
	size_t n = tensor_count(t);
	SCOPED(free) float *values = xcalloc(n, sizeof *values);
	rng_normal(values, n, seed, RNG_SYNTHETIC, stream, 0);
	for (size_t i = 0; i < n; i++)
		values[i] *= spread;
	graph_write(g, t, 0, values, n);
}
