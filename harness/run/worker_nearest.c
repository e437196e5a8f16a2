/* worker_nearest.c - see worker_nearest.h. */
#include "harness/run/worker_nearest.h"

#include "harness/sample/memory_sheet.h"
#include "model/base/io.h"
#include "model/base/str.h"
#include "model/data/dataset.h"

#include <stdlib.h>

static int write_text(const char *path, const struct memory_near *near, int64_t n, const struct feature_set *ours,
                      const struct feature_set *train, const char *data, struct err *e)
{
	SCOPED(str) struct str s = { 0 };
	str_addf(&s,
	         "%lld of %lld samples, those nearest to training, each left of its nearest of %s (%lld images, %.12s); "
	         "features %s. Distances, each with that of the training image to its nearest other, in reading order:",
	         (long long)n, (long long)ours->n, data, (long long)train->n, train->sha256, ours->protocol);
	for (int64_t i = 0; i < n; i++)
		str_addf(&s, "%s %.4g (%.4g)", i ? "," : "", near[i].distance, near[i].own);
	str_add(&s, "\n");
	return io_write_atomic(path, s.data, s.len, e);
}

static int draw(struct scorer *s, const char *png, const char *text, const struct samples *m, struct dataset *d,
                struct feature_set *ours, struct feature_set *train, struct err *e)
{
	SCOPED(free) struct memory_near *near = NULL, *none = NULL;
	const char *data = s->config->data.name;
	struct source made = {
		.kind = &source_memory, .path = (char *)"samples", .n = m->n, .h = m->h, .w = m->w, .c = m->c, .self = m->px
	};
	struct source real = {
		.kind = &source_memory, .path = (char *)data, .n = d->n, .h = d->h, .w = d->w, .c = d->c, .self = d->images
	};
	if (memory_nearest(&near, &none, &(struct memory_sets){ ours, train, NULL }, e))
		return -1;
	memory_sort(near, ours->n);
	int64_t n = ours->n < NEAREST_SHOWN ? ours->n : NEAREST_SHOWN;
	return memory_sheet(png, &made, &real, near, n, e) || write_text(text, near, n, ours, train, data, e) ? -1 : 0;
}

int nearest_draw(struct scorer *s, const struct samples *m, struct feature_set *ours, struct feature_set *train,
                 struct err *e)
{
	SCOPED(free) char *png = xstrfmt("%s/nearest@%d.png", worker_dir(s->w), m->nfe);
	SCOPED(free) char *text = xstrfmt("%s/nearest@%d.txt", worker_dir(s->w), m->nfe);
	SCOPED(free) char *role = xstrfmt("nearest@%d", m->nfe), *about = xstrfmt("nearest-text@%d", m->nfe);
	struct dataset d;
	if (io_exists(png))
		return 0;
	if (dataset_open(&d, s->config->data.name, SPLIT_TRAIN, e))
		return -1;
	int rc = draw(s, png, text, m, &d, ours, train, e);
	dataset_release(&d);
	return rc || scorer_record_file(s->w, "output", role, "picture", png, NEAREST_SHOWN, e) ||
	               scorer_record_file(s->w, "output", about, "picture", text, -1, e)
	           ? -1
	           : 0;
}
