/* norm_sweep.c - see norm_sweep.h. */
#include "model/ops/norm_sweep.h"

#include "model/base/cpu.h"

/* The fewest groups whose channels are whole vectors, or one group where those do not divide the image. */
static int64_t unit_of(const struct tensor *x, int64_t groups)
{
	int64_t per = x->c / groups, unit = 1;
	while (unit * per % LANES)
		unit *= 2;
	return groups % unit ? 1 : unit;
}

/* Into how many cuts an image's groups go where there are fewer images than threads: a function of shape and thread
 * count, which changes no sum. */
static int64_t cuts(const struct tensor *x, int64_t units)
{
	int64_t want = (cpu_threads() + x->n - 1) / x->n;
	return want < units ? want : units;
}

struct sweep {
	struct node *nd;
	int64_t cuts, units, unit;
	void (*item)(struct node *nd, int64_t n, int64_t g0, int64_t g1);
};

static void sweep_range(void *ctx, int64_t first, int64_t last)
{
	struct sweep *s = ctx;
	for (int64_t i = first; i < last; i++) {
		int64_t cut = i % s->cuts;
		s->item(s->nd, i / s->cuts, s->units * cut / s->cuts * s->unit, s->units * (cut + 1) / s->cuts * s->unit);
	}
}

void norm_sweep(struct node *nd, const struct tensor *x,
                void (*item)(struct node *nd, int64_t n, int64_t g0, int64_t g1))
{
	int64_t groups = nd->args.norm.groups, unit = unit_of(x, groups), c = cuts(x, groups / unit);
	cpu_split(x->n * c, 1, sweep_range, &(struct sweep){ nd, c, groups / unit, unit, item });
}
