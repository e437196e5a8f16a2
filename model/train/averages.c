/* averages.c - see averages.h. */
#include "model/train/averages.h"

#include "model/base/mem.h"
#include "model/graph/optim.h"
#include "model/graph/param_store.h"

#include <stdlib.h>
#include <string.h>

static int by_decay(const void *a, const void *b)
{
	double x = ((const struct ckpt_average *)a)->decay, y = ((const struct ckpt_average *)b)->decay;
	return (x > y) - (x < y);
}

int averages_list(struct averages *out, const double *decays, int n, double own, struct err *e)
{
	struct averages a = { 0 };
	for (int i = 0; i < n; i++)
		if (!(decays[i] >= 0 && decays[i] <= 1))
			return err_code(e, EXIT_USAGE, "ema.decay = %g: give numbers from 0 to 1", decays[i]);
	a.v = xcalloc((size_t)(n > 0 ? n : 0) + 1, sizeof *a.v);
	a.host = xcalloc((size_t)(n > 0 ? n : 0) + 1, sizeof *a.host);
	for (int i = 0; i < n; i++) {
		const struct ckpt_average asked = { .decay = decays[i] };
		bool known = by_decay(&asked, &(struct ckpt_average){ .decay = own }) == 0;
		for (int k = 0; k < a.n; k++)
			known |= by_decay(&asked, &a.host[k]) == 0;
		if (!known)
			a.host[a.n++] = asked;
	}
	qsort(a.host, (size_t)a.n, sizeof *a.host, by_decay);
	for (int i = 0; i < a.n; i++)
		a.v[i].of = average_of(a.host[i].decay);
	*out = a;
	return 0;
}

int averages_alloc(struct averages *a, struct backend *b, const struct params *p, struct err *e)
{
	size_t bytes = params_floats(p) * sizeof(float);
	for (int i = 0; i < a->n; i++) {
		if (!(a->v[i].at = b->ops->memory.alloc(b, bytes, e)))
			return err_in(e, "averages");
		a->host[i].values = b->ops->host_memory ? a->v[i].at : xaligned(bytes);
	}
	return 0;
}

void averages_begin(struct averages *a, const struct params *p, const float *weights)
{
	for (int i = 0; i < a->n; i++)
		memcpy(a->host[i].values, weights, params_floats(p) * sizeof *weights);
}

void averages_upload(struct averages *a, struct backend *b, const struct params *p)
{
	for (int i = 0; i < a->n; i++)
		params_upload(b, p, a->v[i].at, a->host[i].values);
}

void averages_download(struct averages *a, struct backend *b, const struct params *p)
{
	for (int i = 0; i < a->n; i++)
		params_download(b, p, a->host[i].values, a->v[i].at);
}

void averages_release(struct averages *a, struct backend *b)
{
	for (int i = 0; i < a->n; i++) {
		if (a->host[i].values != a->v[i].at)
			free(a->host[i].values);
		if (a->v[i].at)
			b->ops->memory.release(b, a->v[i].at);
	}
	free(a->v);
	free(a->host);
	*a = (struct averages){ 0 };
}
