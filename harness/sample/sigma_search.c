/* sigma_search.c - see sigma_search.h. */
#include "harness/sample/sigma_search.h"

#include "model/base/mem.h"

#include <stdlib.h>

struct search {
	struct sigma_search *s;
	int (*value)(void *ctx, double *out, int64_t index, struct err *e);
	void *ctx;
	struct err *e;
};

static int ask(double *out, struct search *x, int64_t index)
{
	for (int i = 0; i < x->s->n_tried; i++)
		if (x->s->tried[i].index == index) {
			*out = x->s->tried[i].value;
			return 0;
		}
	if (x->value(x->ctx, out, index, x->e))
		return -1;
	VEC_PUSH(x->s->tried, x->s->n_tried, x->s->cap) = (struct sigma_tried){ index, *out };
	return 0;
}

int sigma_search(struct sigma_search *out, int64_t first, int64_t last,
                 int (*value)(void *ctx, double *out, int64_t index, struct err *e), void *ctx, struct err *e)
{
	*out = (struct sigma_search){ .best = first };
	struct search x = { out, value, ctx, e };
	int64_t lo = first, hi = last;
	while (hi - lo >= 3) {
		int64_t third = (hi - lo) / 3, a = lo + third, b = hi - third;
		double at_a, at_b;
		if (ask(&at_a, &x, a) || ask(&at_b, &x, b))
			return -1;
		if (at_a < at_b)
			hi = b;
		else
			lo = a;
	}
	for (int64_t i = lo; i <= hi; i++) {
		double unused;
		if (ask(&unused, &x, i))
			return -1;
	}
	const struct sigma_tried *best = &out->tried[0]; /* of all evaluated ones: noise may have misled the search */
	for (int i = 1; i < out->n_tried; i++)
		if (out->tried[i].value < best->value)
			best = &out->tried[i];
	out->best = best->index;
	return 0;
}

void sigma_search_release(struct sigma_search *s)
{
	free(s->tried);
	*s = (struct sigma_search){ 0 };
}
