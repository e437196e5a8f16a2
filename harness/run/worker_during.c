/* worker_during.c - pictures and scores of a training on its way; see scorer_during. Nothing of it is kept for other
 * cells: the samples are of weights that no later attempt has. */
#include "harness/record/score_curve.h"
#include "harness/run/worker_score_private.h"
#include "metrics/features/extractor_command.h"
#include "model/base/mem.h"
#include "model/data/shapes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void during_release(struct during *d)
{
	for (int i = 0; i < d->n; i++)
		free(d->v[i].name);
	free(d->v);
}

/* Adds the scores of a group. */
static void add(struct during *d, const char *name_of_extractor, const struct score_list *list, const struct group *g,
                const struct samples *m)
{
	char label[EXTRACTOR_LABEL_MAX];
	const char *extractor = extractor_label(label, name_of_extractor);
	for (int i = 0; i < list->n; i++) {
		char *name = score_curve_name(list->v[i].name, extractor, m->nfe, g->samples);
		int k = 0;
		while (k < d->n && strcmp(d->v[k].name, name) != 0)
			k++;
		if (k == d->n) {
			VEC_PUSH(d->v, d->n, d->cap).name = name;
			d->v[k].sum = 0, d->v[k].n = 0;
		} else {
			free(name);
		}
		d->v[k].sum += list->v[i].value;
		d->v[k].n++;
	}
}

/* Images that the requests want of these samples; what is drawn, at the least. */
static int64_t images_of(const struct scorer *s, const struct samples *m)
{
	int64_t n = m->picture ? PICTURE_SIDE * PICTURE_SIDE : 0;
	for (int i = 0; i < s->n_requests; i++)
		if (scorer_wants(&s->requests[i], m) && s->requests[i].asked->samples > n)
			n = s->requests[i].asked->samples;
	return n;
}

static int one(struct scorer *s, bool *stopped, const struct samples *wanted, const char *checkpoint, int64_t step,
               struct err *e)
{
	struct samples m = *wanted;
	struct data_shape shape;
	if (data_shape_find(&shape, s->config->data.name, e))
		return -1;
	m.h = shape.h, m.w = shape.w, m.c = shape.c;
	m.n = images_of(s, wanted);
	m.px = xcalloc((size_t)m.n, (size_t)m.h * (size_t)m.w * (size_t)m.c);
	int rc = samples_make(&m, s, stopped, checkpoint, e);
	if (!rc && !*stopped && m.picture)
		rc = samples_draw(s, &m, step, e);
	if (!rc && !*stopped)
		rc = scorer_score(s, &m, step, e);
	free(m.px);
	return rc;
}

static int each(struct scorer *s, bool *stopped, const char *checkpoint, int64_t step, struct err *e)
{
	for (int i = 0; i < s->n_requests; i++) {
		s->requests[i].known = false; /* known is what the end gives */
		if (scorer_open_request(&s->requests[i], s, e))
			return -1;
	}
	for (int i = 0; i < s->n_samples && !*stopped; i++)
		if (one(s, stopped, &s->samples[i], checkpoint, step, e))
			return -1;
	return 0;
}

int scorer_during(struct scorer *s, bool *stopped, const char *checkpoint, int64_t step, struct err *e)
{
	struct during during = { 0 };
	struct err why = ERR_INIT;
	*stopped = false;
	s->during = &during, s->take = add;
	int rc = each(s, stopped, checkpoint, step, &why);
	s->during = NULL, s->take = NULL;
	for (int i = 0; i < during.n && !rc && !*stopped; i++)
		journal_curve(worker_journal(s->w), during.v[i].name, step, during.v[i].sum / during.v[i].n);
	during_release(&during);
	if (!rc)
		return 0;
	SCOPED(free) char *line = xstrfmt("step %lld: not scored: %s", (long long)step, why.msg);
	(void)fprintf(stderr, "%s\n", line); /* into DIR/log */
	return journal_note(worker_journal(s->w), line, e);
}
