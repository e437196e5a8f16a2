/* references.c - see references.h. */
#include "model/train/references.h"

#include "model/base/mem.h"
#include "model/base/rng.h"

#include <stdlib.h>

int references_open(struct references *r, struct backend *b, const struct run_config *c, const struct dataset *data,
                    struct err *e)
{
	int m = config_references(c);
	*r = (struct references){ 0 };
	if (!m)
		return 0;
	if (m >= data->n)
		return err_code(e, EXIT_USAGE, "target.references = %d, but %s has %lld training pictures: give fewer", m,
		                c->data.name, (long long)data->n);
	*r = (struct references){ .b = b, .m = m, .classes = c->net.classes > 0, .n = data->n, .step = -1 };
	r->draws = xcalloc((size_t)m, sizeof *r->draws);
	r->place = xcalloc((size_t)data->n, sizeof *r->place);
	for (int64_t i = 0; i < data->n; i++)
		r->place[i] = -1;
	r->draws_on = b->ops->memory.alloc(b, (size_t)m * sizeof *r->draws_on, e);
	return r->draws_on ? 0 : err_in(e, "references");
}

void references_release(struct references *r)
{
	if (r->draws_on)
		r->b->ops->memory.release(r->b, r->draws_on);
	free(r->draws);
	free(r->place);
	*r = (struct references){ 0 };
}

void references_draw(struct references *r, const struct draws *d, int64_t k)
{
	if (!r->m || r->step == k)
		return;
	for (int j = 0; r->step >= 0 && j < r->m; j++)
		r->place[r->draws[j].image] = -1;
	r->step = k;
	for (int j = 0; j < r->m; j++) {
		struct sample_draw *y = &r->draws[j];
		/* the permutation has blocks from 2^40 on, the flips those below */
		y->image = (int64_t)rng_permute((uint64_t)j, (uint64_t)r->n, d->seed, RNG_REFERENCES, (uint32_t)k);
		y->flip = d->c->data.flip && rng_uniform(d->seed, RNG_REFERENCES, (uint32_t)k, (uint64_t)j) < 0.5f;
		y->label = d->data->labels[y->image];
		r->place[y->image] = j;
	}
	r->b->ops->memory.upload(r->b, r->draws_on, r->draws, (size_t)r->m * sizeof *r->draws);
}

void references_tell(const struct references *r, struct step *s, const struct sample_draw *samples, int n)
{
	for (int i = 0; r->m && i < n; i++)
		posterior_set_sample(&s->posterior, i, r->place[samples[i].image], r->classes ? samples[i].label : 0);
	for (int j = 0; j < r->m; j++)
		posterior_set_reference(&s->posterior, j, r->classes ? r->draws[j].label : 0);
}

void references_fill(const struct references *r, struct step *s, const struct step_control *control,
                     const uint8_t *images)
{
	const struct tensor *y = s->posterior.y;
	if (!r->m)
		return;
	r->b->ops->training.batch(r->b, &(struct batch_job){ .control = control,
	                                                     .draws = r->draws_on,
	                                                     .images = images,
	                                                     .batch = r->m,
	                                                     .h = (int)y->h,
	                                                     .w = (int)y->w,
	                                                     .c = (int)y->c,
	                                                     .x0 = y->data });
}
