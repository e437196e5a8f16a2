/* random_weights.c - see random_weights.h. */
#include "tests/common/random_weights.h"

#include "model/base/rng.h"

#include <math.h>

void random_weights(float *w, const struct params *p)
{
	params_init(p, w, 7);
	for (int i = 0; i < params_count(p); i++) {
		const struct param *q = params_get(p, i);
		if (q->init != INIT_ZERO && !(q->scale < 0.1)) /* nearly zero at the start of training counts as zero */
			continue;
		rng_normal(w + q->at, q->count, 7, RNG_SYNTHETIC, (uint32_t)i, 0);
		float scale = q->fan_in > 0 ? (float)(1 / sqrt((double)q->fan_in)) : 0.05f;
		for (size_t k = 0; k < q->count; k++)
			w[q->at + k] *= scale;
	}
}
