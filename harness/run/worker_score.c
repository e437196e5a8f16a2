/* worker_score.c - see worker_score.h. Samples of one (steps, evaluation seed) are made once and go through each
 * extractor once, however many metrics need it; the reference's features are kept beside the records. What the job
 * knows is not made again: scores are journaled with the attempt that computed them, samples are read from the file of
 * the attempt that made them. */
#define _GNU_SOURCE
#include "harness/run/worker_score_private.h"

#include "harness/record/stage.h"
#include "harness/run/reference.h"
#include "harness/run/worker_nearest.h"
#include "metrics/scores/metric_memory.h"
#include "model/graph/backend.h"
#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/data/shapes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- what is asked --- */

static void tell(const void *ctx, const char *line)
{
	const struct scorer *s = ctx;
	worker_say(s->w, s->config->train.steps, line);
}

static int open_extractor(int *out, struct scorer *s, const char *name, struct err *e)
{
	for (int i = 0; i < s->n_extractors; i++)
		if (strcmp(s->extractors[i].name, name) == 0) {
			*out = i;
			return 0;
		}
	struct extractor *x;
	struct data_shape shape;
	if (data_shape_find(&shape, s->config->data.name, e) ||
	    extractor_open(&x, name,
	                   &(struct extractor_options){ .device = worker_job(s->w)->device,
	                                                .data = s->config->data.name,
	                                                .h = shape.h,
	                                                .w = shape.w,
	                                                .c = shape.c,
	                                                .say = tell,
	                                                .say_ctx = s },
	                   e))
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

static int take_request(struct request *r, const struct scorer *s, const struct job_score *asked, struct err *e)
{
	const char *data = s->config->data.name;
	*r = (struct request){ .asked = asked,
		                   .row = metric_of_score(asked->name),
		                   .infinity = asked->infinity ? metric_find("fid_infinity") : NULL,
		                   .options = METRIC_OPTIONS,
		                   .key = { data, asked->ref, asked->extractor, asked->samples },
		                   .group = -1 };
	if (!r->row)
		return err_code(e, EXIT_USAGE, "metric '%s': there is none of that name", asked->name);
	r->reference = score_reference(data, asked->ref, asked->name);
	r->ref = score_ref(data, r->reference);
	r->options.interval = asked->interval;
	return 0;
}

int scorer_open_request(struct request *r, struct scorer *s, struct err *e)
{
	const char *data = s->config->data.name;
	int x;
	if (r->group >= 0)
		return 0;
	if (open_extractor(&x, s, *r->asked->extractor ? r->asked->extractor : extractor_default(data), e))
		return -1;
	r->options.device = s->extractors[x].x->device;
	r->group = group_of(s, x, r->reference, r->asked->samples);
	return 0;
}

bool scorer_wants(const struct request *r, const struct samples *m)
{
	return job_list_has(r->asked->nfe, r->asked->n_nfe, m->nfe) &&
	       job_list_has(r->asked->eval_seeds, r->asked->n_eval_seeds, m->seed);
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

/* ---- what is known --- */

enum { OUTPUTS_MAX = METRIC_SCORES_MAX + 1 };

/* The names of the scores that a request gives. */
static int outputs_of(const char *out[OUTPUTS_MAX], const struct request *r)
{
	int n = 1;
	out[0] = r->asked->name;
	if (strcmp(r->row->name, r->asked->name) == 0)
		n = metric_scores(out, r->row);
	if (r->infinity)
		out[n++] = r->infinity->name;
	return n;
}

/* Is this a score whose interval is made only where it is asked for? */
static bool has_choice(const struct request *r)
{
	return r->row->needs == NEEDS_MOMENTS || r->row->needs == NEEDS_SPATIAL;
}

/* The score of that key, as it was asked for: with an interval where that is. NULL: to be computed. */
static const struct job_known *find_known(const struct scorer *s, const struct request *r, const char *name,
                                          const char *key)
{
	const struct job *job = worker_job(s->w);
	const struct job_known *found = NULL;
	for (int i = 0; i < job->n_known && strcmp(job->purpose, "run") == 0; i++) {
		const struct job_known *k = &job->known[i];
		bool interval = isfinite(k->lo) && isfinite(k->hi);
		if (strcmp(k->key, key) != 0 || strcmp(k->name, name) != 0 || !*k->hex)
			continue;
		if (!has_choice(r) || interval == r->asked->interval)
			return k;
		if (interval && !found)
			found = k; /* what is more than was asked for is left out */
	}
	return found;
}

static bool is_known(const struct scorer *s, const struct request *r, const struct samples *m)
{
	const char *names[OUTPUTS_MAX];
	for (int i = outputs_of(names, r) - 1; i >= 0; i--) {
		char key[SHA256_HEX];
		score_key_with(key, m->key, names[i], r->ref, &r->key);
		if (!find_known(s, r, names[i], key))
			return false;
	}
	return true;
}

static int record_known(struct scorer *s, const struct request *r, const struct samples *m, struct err *e)
{
	const char *names[OUTPUTS_MAX];
	int n = outputs_of(names, r);
	for (int i = 0; i < n; i++) {
		char key[SHA256_HEX];
		score_key_with(key, m->key, names[i], r->ref, &r->key);
		const struct job_known *k = find_known(s, r, names[i], key);
		REQUIRE(k);
		bool interval = !has_choice(r) || r->asked->interval;
		struct journal_metric row = { .name = k->name,
			                          .weights = k->weights,
			                          .protocol = k->protocol,
			                          .computed_by = k->computed_by,
			                          .nfe = m->nfe,
			                          .step = k->step,
			                          .eval_seed = m->seed,
			                          .n = k->n > 0 ? k->n : -1,
			                          .value = strtod(k->hex, NULL),
			                          .lo = interval ? k->lo : NAN,
			                          .hi = interval ? k->hi : NAN,
			                          .asked = key,
			                          .taken_from = k->attempt };
		if (journal_metric(worker_journal(s->w), &row, e))
			return -1;
	}
	return 0;
}

bool scorer_knows_all(const struct scorer *s)
{
	for (int i = 0; i < s->n_requests; i++)
		if (s->requests[i].group >= 0)
			return false;
	return s->n_requests > 0;
}

/* ---- the work to do --- */

static int key_samples(struct scorer *s, struct err *e)
{
	const struct job *job = worker_job(s->w);
	char training[SHA256_HEX];
	if (stage_training_key(training, job->config, job->dataset, job->numerics, job->seed, e))
		return -1;
	for (int i = 0; i < s->n_samples; i++)
		if (stage_sampling_key(s->samples[i].key, training, job->config, s->samples[i].nfe, s->samples[i].seed, e))
			return -1;
	return 0;
}

static int take_requests(struct scorer *s, struct err *e)
{
	const struct job *job = worker_job(s->w);
	for (int i = 0; i < job->n_scores; i++) {
		const struct job_score *asked = &job->scores[i];
		if (take_request(&s->requests[s->n_requests++], s, asked, e))
			return -1;
		for (int k = 0; k < asked->n_nfe; k++)
			for (int v = 0; v < asked->n_eval_seeds; v++)
				want_samples(s, asked->nfe[k], asked->eval_seeds[v], asked->samples, v == 0);
	}
	if (!job->n_scores)
		want_samples(s, 1, 1, 0, true); /* pictures for the eye */
	if (key_samples(s, e))
		return -1;
	for (int i = 0; i < s->n_requests; i++)
		for (int k = 0; k < s->n_samples; k++) {
			struct request *r = &s->requests[i];
			if (scorer_wants(r, &s->samples[k]) && !is_known(s, r, &s->samples[k]) && scorer_open_request(r, s, e))
				return -1;
		}
	return 0;
}

int scorer_open(struct scorer **out, struct worker *w, const struct run_config *config, struct err *e)
{
	struct scorer *s = xcalloc(1, sizeof *s);
	s->w = w;
	s->config = config;
	s->requests = xcalloc((size_t)worker_job(w)->n_scores + 1, sizeof *s->requests);
	if (take_requests(s, e)) {
		scorer_free(s);
		return -1;
	}
	*out = s;
	return 0;
}

void scorer_free(struct scorer *s)
{
	if (!s)
		return;
	for (int i = 0; i < s->n_extractors; i++)
		extractor_free(s->extractors[i].x);
	for (int i = 0; i < s->n_requests; i++) {
		free(s->requests[i].reference);
		free(s->requests[i].ref);
	}
	free(s->extractors);
	free(s->requests);
	free(s->groups);
	free(s->samples);
	free(s);
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

static int record_scores(struct scorer *s, const struct score_list *list, const struct request *r,
                         const struct samples *m, int64_t step, struct err *e)
{
	const struct group *g = &s->groups[r->group];
	const struct extractor *x = s->extractors[g->x].x;
	if (s->take) {
		s->take(s->during, s->extractors[g->x].name, list, g, m);
		return 0;
	}
	for (int i = 0; i < list->n; i++) {
		const struct score *v = &list->v[i];
		char key[SHA256_HEX];
		score_key_with(key, m->key, v->name, r->ref, &r->key);
		SCOPED(free) char *by = computed_by(x, v);
		struct journal_metric row = { .name = v->name,
			                          .weights = weights_name(s->config),
			                          .protocol = v->protocol,
			                          .nfe = m->nfe,
			                          .step = step,
			                          .eval_seed = m->seed,
			                          .n = v->n ? v->n : g->samples,
			                          .asked = key,
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
	bool two_sides, train, memory; /* memory: a score of memorisation */
};

static struct needs needs_of(const struct scorer *s, int group, const struct samples *m)
{
	struct needs n = { 0 };
	for (int i = 0; i < s->n_requests; i++) {
		const struct request *r = &s->requests[i];
		if (r->group != group || r->known || !scorer_wants(r, m))
			continue;
		for (int side = 0; side < 2; side++)
			n.keep[side] |= metric_keep(r->row, side, &r->options) |
			                (r->infinity ? metric_keep(r->infinity, side, &r->options) : 0);
		n.two_sides |= r->row->sides >= 2;
		n.train |= r->row->sides == 3;
		n.memory |= memory_reading(r->row->name) != NULL;
	}
	return n;
}

static int score_request(struct scorer *s, const struct request *r, struct feature_set *ours,
                         struct feature_set *reference, struct feature_set *train, const struct samples *m,
                         int64_t step, struct err *e)
{
	struct score_list list = { 0 };
	struct metric_options o = r->options;
	o.train = train;
	if (metric_run(&list, r->row, ours, reference, &o, e))
		return -1;
	keep_asked(&list, r);
	if (r->infinity && metric_run(&list, r->infinity, ours, reference, &o, e))
		return -1;
	return record_scores(s, &list, r, m, step, e);
}

/* Features of a data set or a file to compare `ours` with. They came as bytes, the samples were rounded by us: one
 * protocol, named by the samples' side. */
static int open_other(struct feature_set *out, struct scorer *s, const char *ref, struct extractor *x, unsigned keep,
                      const struct feature_set *ours, struct err *e)
{
	char as_bytes[PROTOCOL_TEXT];
	if (reference_open(out, s->w, s->config->train.steps, ref, x, keep, e))
		return -1;
	if (strcmp(out->protocol, protocol_features(as_bytes, x, "u8")) == 0)
		(void)snprintf(out->protocol, sizeof out->protocol, "%s", ours->protocol);
	return 0;
}

static int score_group(struct scorer *s, int group, const struct samples *m, int64_t step, struct err *e)
{
	const struct group *g = &s->groups[group];
	const struct needs needs = needs_of(s, group, m);
	SCOPED(feature_set) struct feature_set ours = { 0 };
	SCOPED(feature_set) struct feature_set reference = { 0 };
	SCOPED(feature_set) struct feature_set train = { 0 };
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
	if (feature_set_extract(&ours, &source, x, &o, e) ||
	    (needs.two_sides && open_other(&reference, s, g->ref, x, needs.keep[1], &ours, e)) ||
	    (needs.train && open_other(&train, s, s->config->data.name, x, 1u << FEATURE_POOL, &ours, e)))
		return -1;
	for (int i = 0; i < s->n_requests; i++) {
		const struct request *r = &s->requests[i];
		if (r->group == group && !r->known && scorer_wants(r, m) &&
		    score_request(s, r, &ours, &reference, &train, m, step, e))
			return err_in(e, "%s", r->asked->name);
	}
	struct feature_set *trained = needs.train ? &train : strcmp(g->ref, s->config->data.name) == 0 ? &reference : NULL;
	return needs.memory && m->picture && trained && !s->take ? nearest_draw(s, m, &ours, trained, e) : 0;
}

int scorer_score(struct scorer *s, const struct samples *m, int64_t step, struct err *e)
{
	SCOPED(free) bool *scored = xcalloc((size_t)s->n_groups + 1, sizeof *scored);
	for (int i = 0; i < s->n_requests; i++) {
		const struct request *r = &s->requests[i];
		if (r->known || !scorer_wants(r, m) || scored[r->group])
			continue;
		scored[r->group] = true;
		if (score_group(s, r->group, m, step, e))
			return -1;
	}
	return 0;
}

/* Journals what is known of these samples' scores. *n: images that the others need; 0 = there are none. */
static int take_known(int64_t *n, struct scorer *s, const struct samples *m, struct err *e)
{
	*n = s->n_requests ? 0 : m->n;
	for (int i = 0; i < s->n_requests; i++) {
		struct request *r = &s->requests[i];
		if (!scorer_wants(r, m))
			continue;
		r->known = is_known(s, r, m);
		if (r->known && record_known(s, r, m, e))
			return -1;
		if (!r->known && r->asked->samples > *n)
			*n = r->asked->samples;
	}
	return 0;
}

static int sample_and_score(struct scorer *s, bool *stopped, const struct samples *wanted, const char *checkpoint,
                            int64_t step, struct err *e)
{
	struct samples m = *wanted;
	struct data_shape shape;
	int64_t needed, got;
	if (data_shape_find(&shape, s->config->data.name, e) || take_known(&needed, s, wanted, e))
		return -1;
	m.h = shape.h, m.w = shape.w, m.c = shape.c;
	m.n = needed > PICTURE_SIDE * PICTURE_SIDE ? needed : PICTURE_SIDE * PICTURE_SIDE;
	if (!needed && !m.picture)
		return 0;
	m.px = xcalloc((size_t)m.n, (size_t)m.h * (size_t)m.w * (size_t)m.c);
	int rc = samples_get(&m, &got, s, stopped, checkpoint, needed > 0, e);
	if (!rc && !*stopped && m.picture && got == m.n)
		rc = samples_draw(s, &m, -1, e);
	if (!rc && !*stopped && needed)
		rc = scorer_score(s, &m, step, e);
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
	if (record_inputs(s, e))
		return -1;
	for (int i = 0; i < s->n_samples && !*stopped; i++)
		if (sample_and_score(s, stopped, &s->samples[i], checkpoint, step, e))
			return -1;
	return 0;
}
