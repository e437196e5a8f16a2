/* param_store.c - see param_store.h. */
#include "model/graph/param_store.h"

#include "model/base/mem.h"

#include <stdlib.h>

/* (o, a, b) as (o, b, a). */
static void turn(float *restrict dst, const float *restrict src, int64_t o, int64_t a, int64_t b)
{
	for (int64_t k = 0; k < o; k++, dst += a * b, src += a * b)
		for (int64_t i = 0; i < b; i++)
			for (int64_t j = 0; j < a; j++)
				dst[i * a + j] = src[j * b + i];
}

static bool is_turned(const struct backend *b, const struct param *q)
{
	return b->ops->by_taps && q->ndim == 4 && q->dims[1] > 1 && q->dims[2] * q->dims[3] > 1;
}

/* Room for the largest parameter. */
static float *room(const struct params *p)
{
	size_t most = 1;
	for (int i = 0; i < params_count(p); i++)
		most = params_get(p, i)->count > most ? params_get(p, i)->count : most;
	return xaligned(most * sizeof(float));
}

void params_upload(struct backend *b, const struct params *p, float *on, const float *host)
{
	SCOPED(free) float *turned = room(p);
	for (int i = 0; i < params_count(p); i++) {
		const struct param *q = params_get(p, i);
		const float *src = host + q->at;
		if (is_turned(b, q)) {
			turn(turned, src, q->dims[0], q->dims[1], q->dims[2] * q->dims[3]);
			src = turned;
		}
		b->ops->memory.upload(b, on + q->at, src, q->count * sizeof *src);
	}
}

void params_download(struct backend *b, const struct params *p, float *host, const float *on)
{
	SCOPED(free) float *turned = room(p);
	for (int i = 0; i < params_count(p); i++) {
		const struct param *q = params_get(p, i);
		bool back = is_turned(b, q);
		b->ops->memory.download(b, back ? turned : host + q->at, on + q->at, q->count * sizeof *host);
		if (back)
			turn(host + q->at, turned, q->dims[0], q->dims[2] * q->dims[3], q->dims[1]);
	}
}

int params_lend(float **out, struct backend *b, const struct params *p, float *host, struct err *e)
{
	if (!b->ops->by_taps)
		return backend_lend(out, b, host, params_floats(p), e);
	float *lent = b->ops->memory.alloc(b, params_floats(p) * sizeof *lent, e);
	if (!lent)
		return -1;
	params_upload(b, p, lent, host);
	*out = lent;
	return 0;
}

size_t params_low_bytes(const struct backend *b, const struct params *p)
{
	return b->dtype == DTYPE_BF16 && b->ops->training.round ? 2 * params_floats(p) : 0;
}

int params_low_alloc(void **out, struct backend *b, const struct params *p, struct err *e)
{
	void *low = NULL;
	size_t bytes = params_low_bytes(b, p);
	if (bytes && !(low = b->ops->memory.alloc(b, bytes, e)))
		return err_in(e, "parameters in bf16");
	*out = low;
	return 0;
}

void params_round(struct backend *b, const struct params *p, void *low, const float *on)
{
	if (low)
		b->ops->training.round(b, low, on, params_floats(p));
}
