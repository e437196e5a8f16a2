/* worker_score.c - see worker_score.h. Samples of one (steps, evaluation seed) are made once and go through each
 * extractor once, however many metrics need it; the reference's features are kept beside the records. */
#define _GNU_SOURCE
#include "harness/run/worker_score.h"

#include "harness/run/reference.h"
#include "metrics/scores/score.h"
#include "model/graph/backend.h"
#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/data/dataset.h"
#include "model/train/sample.h"
#include "model/data/png_grid.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK        500 /* samples between two checks for a stop */
#define PICTURE_SIDE 8

/* One [[metric]] of the grid. */
struct request {
	const struct job_score *asked;
	const struct metric *row, *infinity; /* infinity: NULL unless it is asked for, too */
	struct metric_options options;
	int group;
};

/* Requests that share the features of both sides: one extractor, reference and number of samples. */
struct group {
	int x;
	const char *ref;
	int64_t samples;
}; /* x: in scorer.extractors */

/* Samples to be made, once for all who ask for them. */
struct samples {
	uint8_t *px;
	int64_t n;
	int h, w, c, nfe;
	int64_t seed;
	bool picture;
};

struct scorer {
	struct worker *w;
	const struct run_config *config;
	struct request *requests;
	struct group *groups;
	struct samples *samples; /* in the order in which the grid names them */
	int n_requests, n_groups, cap_groups, n_samples, cap_samples;
	struct {
		const char *name;
		struct extractor *x;
	} * extractors;
	int n_extractors, cap_extractors;
	struct dataset train; /* loaded when it is needed */
};

/* --- what is asked --- */

static int open_extractor(int *out, struct scorer *s, const char *name, struct err *e)
{
	for (int i = 0; i < s->n_extractors; i++)
		if (strcmp(s->extractors[i].name, name) == 0) {
			*out = i;
			return 0;
		}
	struct extractor *x;
	if (extractor_open(&x, name, &(struct extractor_options){ .device = worker_job(s->w)->device }, e))
		return -1;
	*out = s->n_extractors;
	VEC_PUSH(s->extractors, s->n_extractors, s->cap_extractors).x = x;
	s->extractors[*out].name = name;
	return 0;
}

static int group_of(struct scorer *s, int x, const char *ref, int64_t samples)
{
	for (int i = 0; i < s->n_groups; i++)
		if (s->groups[i].x == x && s->groups[i].samples == samples && strcmp(s->groups[i].ref, ref) == 0)
			return i;
	VEC_PUSH(s->groups, s->n_groups, s->cap_groups) = (struct group){ x, ref, samples };
	return s->n_groups - 1;
}

static int take_request(struct request *r, struct scorer *s, const struct job_score *asked, struct err *e)
{
	const char *data = s->config->data.name;
	int x;
	*r = (struct request){ .asked = asked,
		                   .row = metric_of_score(asked->name),
		                   .infinity = asked->infinity ? metric_find("fid_infinity") : NULL,
		                   .options = METRIC_OPTIONS };
	if (!r->row)
		return err_code(e, EXIT_USAGE, "metric '%s': there is none of that name", asked->name);
	if (open_extractor(&x, s, *asked->extractor ? asked->extractor : extractor_default(data), e))
		return -1;
	r->options.interval = asked->interval;
	r->options.device = s->extractors[x].x->device;
	r->group = group_of(s, x, *asked->ref ? asked->ref : data, asked->samples);
	return 0;
}

static bool has(const int64_t *list, int n, int64_t x)
{
	for (int i = 0; i < n; i++)
		if (list[i] == x)
			return true;
	return false;
}

static bool wants(const struct request *r, const struct samples *m)
{
	return has(r->asked->nfe, r->asked->n_nfe, m->nfe) && has(r->asked->eval_seeds, r->asked->n_eval_seeds, m->seed);
}

/* Samples of these steps and this seed: as many as the largest request. The first seed's are shown. */
static void want_samples(struct scorer *s, int64_t nfe, int64_t seed, int64_t n, bool picture)
{
	for (int i = 0; i < s->n_samples; i++)
		if (s->samples[i].nfe == nfe && s->samples[i].seed == seed) {
			s->samples[i].n = n > s->samples[i].n ? n : s->samples[i].n;
			return;
		}
	VEC_PUSH(s->samples, s->n_samples,
	         s->cap_samples) = (struct samples){ .n = n > PICTURE_SIDE * PICTURE_SIDE ? n : PICTURE_SIDE * PICTURE_SIDE,
		                                         .nfe = (int)nfe,
		                                         .seed = seed,
		                                         .picture = picture };
}

int scorer_open(struct scorer **out, struct worker *w, const struct run_config *config, struct err *e)
{
	struct scorer *s = xcalloc(1, sizeof *s);
	const struct job *job = worker_job(w);
	s->w = w;
	s->config = config;
	s->requests = xcalloc((size_t)job->n_scores + 1, sizeof *s->requests);
	for (int i = 0; i < job->n_scores; i++) {
		const struct job_score *asked = &job->scores[i];
		if (take_request(&s->requests[s->n_requests++], s, asked, e)) {
			scorer_free(s);
			return -1;
		}
		for (int k = 0; k < asked->n_nfe; k++)
			for (int v = 0; v < asked->n_eval_seeds; v++)
				want_samples(s, asked->nfe[k], asked->eval_seeds[v], asked->samples, v == 0);
	}
	if (!job->n_scores)
		want_samples(s, 1, 1, 0, true); /* pictures for the eye */
	*out = s;
	return 0;
}

void scorer_free(struct scorer *s)
{
	if (!s)
		return;
	for (int i = 0; i < s->n_extractors; i++)
		extractor_free(s->extractors[i].x);
	dataset_release(&s->train);
	free(s->extractors);
	free(s->requests);
	free(s->groups);
	free(s->samples);
	free(s);
}

/* --- samples --- */

static int make_samples(struct samples *out, struct scorer *s, bool *stopped, const char *checkpoint, struct err *e)
{
	struct sampler *sampler;
	size_t per = (size_t)out->h * (size_t)out->w * (size_t)out->c;
	if (sampler_open(&sampler, s->config, checkpoint, worker_job(s->w)->device, e))
		return -1;
	out->px = xcalloc((size_t)out->n, per);
	int rc = 0;
	for (int64_t at = 0; at < out->n && !rc && !(*stopped = worker_should_stop(s->w)); at += CHUNK) {
		int64_t count = out->n - at < CHUNK ? out->n - at : CHUNK;
		char note[48];
		(void)snprintf(note, sizeof note, "sampling %lld of %lld", (long long)at, (long long)out->n);
		worker_say(s->w, s->config->train.steps, note);
		rc = sampler_run(sampler, out->px + (size_t)at * per, at, count, (uint64_t)out->seed, out->nfe, NULL, e);
	}
	sampler_free(sampler);
	return rc;
}

static int record_file(struct worker *w, const char *table, const char *role, const char *kind, const char *path,
                       int64_t items, struct err *e)
{
	char sha256[SHA256_HEX];
	const char *name = strrchr(path, '/');
	if (io_sha256_file(sha256, path, e))
		return -1;
	return journal_file(worker_journal(w),
	                    &(struct journal_file){ .table = table,
	                                            .role = role,
	                                            .kind = kind,
	                                            .name = name ? name + 1 : path,
	                                            .sha256 = sha256,
	                                            .bytes = -1,
	                                            .n_items = items },
	                    e);
}

static int write_picture(struct scorer *s, const struct samples *m, struct err *e)
{
	SCOPED(free) char *path = xstrfmt("%s/samples@%d.png", worker_dir(s->w), m->nfe);
	SCOPED(free) char *role = xstrfmt("picture@%d", m->nfe);
	struct png_grid *g;
	size_t per = (size_t)m->h * (size_t)m->w * (size_t)m->c;
	int64_t n = m->n < PICTURE_SIDE * PICTURE_SIDE ? m->n : PICTURE_SIDE * PICTURE_SIDE;
	if (png_grid_open(&g, path, PICTURE_SIDE, PICTURE_SIDE, m->w, m->h, m->c, 2, e))
		return -1;
	for (int64_t i = 0; i < n; i++)
		if (png_grid_add(g, m->px + (size_t)i * per, e)) {
			png_grid_free(g);
			return -1;
		}
	return png_grid_close(g, e) || record_file(s->w, "output", role, "picture", path, n, e) ? -1 : 0;
}

/* --- scores --- */

static const char *weights_name(const struct run_config *c)
{
	static const char *const names[] = {
		[SAMPLE_EMA] = "ema", [SAMPLE_STUDENT] = "student", [SAMPLE_TEACHER] = "teacher"
	};
	return names[c->sample.weights];
}

/* What a device did for a score; NULL where the host did it all. Heap. */
static char *computed_by(const struct extractor *x, const struct score *v)
{
	struct backend_facts f;
	if (!x->device)
		return NULL;
	x->device->ops->facts(x->device, &f);
	return xstrfmt("features: %s (%s%s%s)%s%s", x->device->name, f.libraries, *f.convolutions ? "; convolutions: " : "",
	               f.convolutions, *v->computed_by ? "; singular values: " : "", v->computed_by);
}

static int record_scores(struct scorer *s, const struct score_list *list, const struct extractor *x,
                         const struct samples *m, int64_t n, int64_t step, struct err *e)
{
	for (int i = 0; i < list->n; i++) {
		const struct score *v = &list->v[i];
		SCOPED(free) char *by = computed_by(x, v);
		struct journal_metric row = { .name = v->name,
			                          .weights = weights_name(s->config),
			                          .protocol = v->protocol,
			                          .nfe = m->nfe,
			                          .step = step,
			                          .eval_seed = m->seed,
			                          .n = v->n ? v->n : n,
			                          .value = v->value,
			                          .lo = v->value - v->half,
			                          .hi = v->value + v->half,
			                          .computed_by = by };
		if ((*v->warning && journal_note(worker_journal(s->w), v->warning, e)) ||
		    journal_metric(worker_journal(s->w), &row, e))
			return -1;
	}
	return 0;
}

/* Of a row that gives several scores, those that were asked for by name. */
static void keep_asked(struct score_list *list, const struct request *r)
{
	int n = 0;
	const char *name = r->asked->name;
	for (int i = 0; i < list->n; i++)
		if (strcmp(name, r->row->name) == 0 || strcmp(name, list->v[i].name) == 0)
			list->v[n++] = list->v[i];
	list->n = n;
}

/* What a group needs of both sides for these samples. */
struct needs {
	unsigned keep[2];
	bool two_sides;
};

static struct needs needs_of(const struct scorer *s, int group, const struct samples *m)
{
	struct needs n = { 0 };
	for (int i = 0; i < s->n_requests; i++) {
		const struct request *r = &s->requests[i];
		if (r->group != group || !wants(r, m))
			continue;
		for (int side = 0; side < 2; side++)
			n.keep[side] |= metric_keep(r->row, side, &r->options) |
			                (r->infinity ? metric_keep(r->infinity, side, &r->options) : 0);
		n.two_sides |= r->row->sides == 2;
	}
	return n;
}

static int score_request(struct scorer *s, const struct request *r, struct feature_set *ours,
                         struct feature_set *reference, const struct samples *m, int64_t step, struct err *e)
{
	const struct group *g = &s->groups[r->group];
	struct score_list list = { 0 };
	if (metric_run(&list, r->row, ours, reference, &r->options, e))
		return -1;
	keep_asked(&list, r);
	if (r->infinity && metric_run(&list, r->infinity, ours, reference, &r->options, e))
		return -1;
	return record_scores(s, &list, s->extractors[g->x].x, m, g->samples, step, e);
}

static int score_group(struct scorer *s, int group, const struct samples *m, int64_t step, struct err *e)
{
	const struct group *g = &s->groups[group];
	const struct needs needs = needs_of(s, group, m);
	SCOPED(feature_set) struct feature_set ours = { 0 };
	SCOPED(feature_set) struct feature_set reference = { 0 };
	struct extractor *x = s->extractors[g->x].x;
	struct source source = { .kind = &source_memory,
		                     .path = (char *)"samples",
		                     .n = g->samples,
		                     .h = m->h,
		                     .w = m->w,
		                     .c = m->c,
		                     .self = m->px };
	struct feature_options o = { .keep = needs.keep[0],
		                         .want = needs.keep[0],
		                         .pixels = s->config->sample.quantize == QUANTIZE_ROUND ? "u8-round" : "u8-truncate" };
	worker_say(s->w, s->config->train.steps, "scoring");
	if ((needs.two_sides && reference_open(&reference, s->w, s->config->train.steps, g->ref, x, needs.keep[1], e)) ||
	    feature_set_extract(&ours, &source, x, &o, e))
		return -1;
	/* the reference came as bytes, the samples were rounded by us: one protocol, named by the samples' side */
	char as_bytes[PROTOCOL_TEXT];
	if (needs.two_sides && strcmp(reference.protocol, protocol_features(as_bytes, x, "u8")) == 0)
		(void)snprintf(reference.protocol, sizeof reference.protocol, "%s", ours.protocol);
	for (int i = 0; i < s->n_requests; i++) {
		const struct request *r = &s->requests[i];
		if (r->group == group && wants(r, m) && score_request(s, r, &ours, &reference, m, step, e))
			return err_in(e, "%s", r->asked->name);
	}
	return 0;
}

static int score_samples(struct scorer *s, const struct samples *m, int64_t step, struct err *e)
{
	SCOPED(free) bool *scored = xcalloc((size_t)s->n_groups + 1, sizeof *scored);
	for (int i = 0; i < s->n_requests; i++) {
		const struct request *r = &s->requests[i];
		if (!wants(r, m) || scored[r->group])
			continue;
		scored[r->group] = true;
		if (score_group(s, r->group, m, step, e))
			return -1;
	}
	return 0;
}

static int sample_and_score(struct scorer *s, bool *stopped, const struct samples *wanted, const char *checkpoint,
                            int64_t step, struct err *e)
{
	struct samples m = *wanted;
	m.h = s->train.h;
	m.w = s->train.w;
	m.c = s->train.c;
	int rc = make_samples(&m, s, stopped, checkpoint, e);
	if (!rc && !*stopped && m.picture)
		rc = write_picture(s, &m, e);
	if (!rc && !*stopped)
		rc = score_samples(s, &m, step, e);
	free(m.px);
	return rc;
}

static int record_inputs(struct scorer *s, struct err *e)
{
	for (int i = 0; i < s->n_extractors; i++) {
		const struct extractor *x = s->extractors[i].x;
		SCOPED(free) char *role = xstrfmt("extractor %s", x->name);
		if (*x->weights_sha256 && journal_file(worker_journal(s->w),
		                                       &(struct journal_file){ .table = "input",
		                                                               .role = role,
		                                                               .kind = "weights",
		                                                               .name = x->name,
		                                                               .sha256 = x->weights_sha256,
		                                                               .bytes = -1,
		                                                               .n_items = -1 },
		                                       e))
			return -1;
	}
	return 0;
}

int scorer_run(struct scorer *s, bool *stopped, const char *checkpoint, int64_t step, struct err *e)
{
	*stopped = false;
	if (dataset_open(&s->train, s->config->data.name, SPLIT_TRAIN, e) || record_inputs(s, e))
		return -1;
	for (int i = 0; i < s->n_samples && !*stopped; i++)
		if (sample_and_score(s, stopped, &s->samples[i], checkpoint, step, e))
			return -1;
	return 0;
}
