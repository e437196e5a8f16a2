/* worker_score.c - see worker_score.h. Samples of one (steps, evaluation seed) are made once and go through each
 * extractor once, whatever number of metrics asks; the reference's features are kept beside the records. */
#define _GNU_SOURCE
#include "harness/run/worker_score.h"

#include "metrics/scores/score.h"
#include "model/graph/backend.h"
#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/data/dataset.h"
#include "model/train/sample.h"
#include "model/data/png_grid.h"

#include <fcntl.h>
#include <libgen.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#define CHUNK 500         /* samples between two looks at whether to stop */
#define PICTURE_SIDE 8

struct ask {                      /* one [[metric]] of the grid */
	const char *name, *ref, *extractor;
	const struct metric *row, *infinity;
	int64_t samples;
	struct metric_options options;
	json_t *nfe, *eval_seeds;
	int x;                    /* in scorer.extractors */
};

struct scorer {
	struct worker *w;
	const struct run_config *config;
	struct ask *asks;
	int n_asks;
	struct { const char *name; struct extractor *x; } *extractors;
	int n_extractors, cap_extractors;
	struct dataset train;     /* loaded when it is needed */
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

static const char *text_of(json_t *o, const char *key, const char *fallback)
{
	const char *t = json_string_value(json_object_get(o, key));
	return t && *t ? t : fallback;
}

static int read_ask(struct ask *a, struct scorer *s, json_t *o, struct err *e)
{
	*a = (struct ask){ .name = text_of(o, "name", ""), .ref = text_of(o, "ref", s->config->data.name),
	                   .extractor = text_of(o, "extractor", extractor_default(s->config->data.name)),
	                   .samples = json_integer_value(json_object_get(o, "samples")), .options = METRIC_OPTIONS,
	                   .nfe = json_object_get(o, "nfe"), .eval_seeds = json_object_get(o, "eval_seeds") };
	a->row = metric_of_score(a->name);
	a->options.interval = json_is_true(json_object_get(o, "interval"));
	a->infinity = json_is_true(json_object_get(o, "infinity")) ? metric_find("fid_infinity") : NULL;
	if (!a->row)
		return err_code(e, EXIT_USAGE, "metric '%s': there is none of that name", a->name);
	if (a->samples < 1)
		return err_code(e, EXIT_USAGE, "metric '%s': samples is missing", a->name);
	if (open_extractor(&a->x, s, a->extractor, e))
		return -1;
	a->options.device = s->extractors[a->x].x->device;
	return 0;
}

int scorer_open(struct scorer **out, struct worker *w, const struct run_config *config, struct err *e)
{
	struct scorer *s = xcalloc(1, sizeof *s);
	json_t *spec = worker_job(w)->scores, *o;
	size_t i;
	s->w = w;
	s->config = config;
	s->asks = xcalloc(json_array_size(spec) + 1, sizeof *s->asks);
	json_array_foreach(spec, i, o)
		if (read_ask(&s->asks[s->n_asks++], s, o, e)) {
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
	dataset_release(&s->train);
	free(s->extractors);
	free(s->asks);
	free(s);
}

/* --- the reference --- */

/* "fashion-mnist", "cifar10-train", "cifar10-test" -> name and split. */
static enum data_split split_of(char name[KNOB_TEXT_MAX], const char *ref)
{
	(void)snprintf(name, KNOB_TEXT_MAX, "%s", ref);
	char *dash = strrchr(name, '-');
	enum data_split split = dash && strcmp(dash, "-test") == 0 ? SPLIT_TEST : SPLIT_TRAIN;
	if (dash && (split == SPLIT_TEST || strcmp(dash, "-train") == 0))
		*dash = '\0';
	return split;
}

static int extract_dataset(struct feature_set *out, const char *name, enum data_split split, struct extractor *x, unsigned keep, struct err *e)
{
	struct dataset d;
	if (dataset_open(&d, name, split, e))
		return -1;
	struct source source = { .kind = &source_memory, .path = (char *)name, .n = d.n, .h = d.h, .w = d.w, .c = d.c, .self = d.images };
	struct feature_options o = { .keep = keep, .want = keep };
	int rc = feature_set_extract(out, &source, x, &o, e);
	dataset_release(&d);
	return rc;
}

/* RUNS/refs/KEY.npz; made by whoever needs it first, whole or not at all. */
static char *reference_path(const struct scorer *s, const char *sha256, const struct extractor *x, unsigned keep)
{
	SCOPED(free) char *dir = xstrdup(worker_dir(s->w)); /* RUNS/CELL/ATTEMPT */
	const char *runs = dirname(dirname(dir));
	char features[PROTOCOL_TEXT], key[SHA256_HEX];
	SCOPED(free) char *text = xstrfmt("%s %s %s %u", sha256, protocol_features(features, x, "u8"), x->weights_sha256, keep);
	io_sha256(key, text, strlen(text));
	return xstrfmt("%s/refs/%.16s.npz", runs, key);
}

/* An open PATH.lock, locked until it is closed; -1 where the file system has no locks: then work may be done twice. */
static int lock_for(const char *path)
{
	SCOPED(free) char *name = xstrfmt("%s.lock", path);
	int fd = open(name, O_CREAT | O_RDWR | O_CLOEXEC, 0644);
	if (fd >= 0)
		(void)flock(fd, LOCK_EX);
	return fd;
}

static int open_reference(struct feature_set *out, struct scorer *s, const char *ref, struct extractor *x, unsigned keep, struct err *e)
{
	char name[KNOB_TEXT_MAX], sha256[SHA256_HEX];
	size_t n = strlen(ref);
	if (n > 4 && strcmp(ref + n - 4, ".npz") == 0)
		return feature_set_load(out, ref, e);
	enum data_split split = split_of(name, ref);
	if (dataset_sha256(sha256, name, split, e))
		return -1;
	SCOPED(free) char *path = reference_path(s, sha256, x, keep);
	if (io_exists(path) && !feature_set_load(out, path, NULL))
		return 0;
	SCOPED(free) char *dir = xstrdup(path);
	if (io_mkdirs(dirname(dir), e))
		return -1;
	worker_say(s->w, s->config->train.steps, "features of the reference");
	SCOPED(fd) __attribute__((unused)) int lock = lock_for(path); /* cells that finish together wait for one of them to make it */
	if (io_exists(path) && !feature_set_load(out, path, NULL))
		return 0;
	return extract_dataset(out, name, split, x, keep, e) ? -1 : feature_set_save(out, path, keep != 0, e);
}

/* --- samples --- */

struct samples { uint8_t *px; int64_t n; int h, w, c, nfe; int64_t seed; };

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

static int record_file(struct worker *w, const char *table, const char *role, const char *kind, const char *path, int64_t items, struct err *e)
{
	char sha256[SHA256_HEX];
	const char *name = strrchr(path, '/');
	if (io_sha256_file(sha256, path, e))
		return -1;
	return journal_file(worker_journal(w), &(struct journal_file){ .table = table, .role = role, .kind = kind, .name = name ? name + 1 : path,
	                    .sha256 = sha256, .bytes = -1, .n_items = items }, e);
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

static bool has(json_t *list, int64_t x)
{
	size_t i;
	json_t *v;
	json_array_foreach(list, i, v)
		if (json_integer_value(v) == x)
			return true;
	return false;
}

static const char *weights_name(const struct run_config *c)
{
	static const char *const names[] = { [SAMPLE_EMA] = "ema", [SAMPLE_STUDENT] = "student", [SAMPLE_TEACHER] = "teacher" };
	return names[c->sample.weights];
}

/* What a device did for a score; NULL where the host did it all. Heap. */
static char *computed_by(const struct extractor *x, const struct score *v)
{
	struct backend_facts f;
	if (!x->device)
		return NULL;
	x->device->ops->facts(x->device, &f);
	return xstrfmt("features: %s (%s%s%s)%s%s", x->device->name, f.libraries, *f.convolutions ? "; convolutions: " : "", f.convolutions,
	               *v->computed_by ? "; singular values: " : "", v->computed_by);
}

static int record_scores(struct scorer *s, const struct score_list *list, const struct extractor *x, const struct samples *m, int64_t n,
                         int64_t step, struct err *e)
{
	for (int i = 0; i < list->n; i++) {
		const struct score *v = &list->v[i];
		SCOPED(free) char *by = computed_by(x, v);
		struct journal_metric row = { .name = v->name, .weights = weights_name(s->config), .protocol = v->protocol, .nfe = m->nfe, .step = step,
		                              .eval_seed = m->seed, .n = v->n ? v->n : n, .value = v->value, .lo = v->value - v->half,
		                              .hi = v->value + v->half, .computed_by = by };
		if ((*v->warning && journal_note(worker_journal(s->w), v->warning, e)) || journal_metric(worker_journal(s->w), &row, e))
			return -1;
	}
	return 0;
}

/* Of a row that gives several scores, those that were asked for by name. */
static void keep_asked(struct score_list *list, const struct ask *a)
{
	int n = 0;
	for (int i = 0; i < list->n; i++)
		if (strcmp(a->name, a->row->name) == 0 || strcmp(a->name, list->v[i].name) == 0)
			list->v[n++] = list->v[i];
	list->n = n;
}

/* All metrics of one extractor, reference and number of samples. */
static int score_group(struct scorer *s, const struct ask *first, const struct samples *m, int64_t step, struct err *e)
{
	unsigned keep[2] = { 0, 0 };
	bool two = false;
	struct ask *end = s->asks + s->n_asks;
	for (const struct ask *a = first; a < end; a++) {
		if (a->x != first->x || a->samples != first->samples || strcmp(a->ref, first->ref) != 0 || !has(a->nfe, m->nfe))
			continue;
		for (int side = 0; side < 2; side++)
			keep[side] |= metric_keep(a->row, side, &a->options) | (a->infinity ? metric_keep(a->infinity, side, &a->options) : 0);
		two |= a->row->sides == 2;
	}
	SCOPED(feature_set) struct feature_set ours = { 0 };
	SCOPED(feature_set) struct feature_set reference = { 0 };
	struct extractor *x = s->extractors[first->x].x;
	struct source source = { .kind = &source_memory, .path = (char *)"samples", .n = first->samples, .h = m->h, .w = m->w, .c = m->c, .self = m->px };
	struct feature_options o = { .keep = keep[0], .want = keep[0],
	                             .pixels = s->config->sample.quantize == QUANTIZE_ROUND ? "u8-round" : "u8-truncate" };
	worker_say(s->w, s->config->train.steps, "scoring");
	if ((two && open_reference(&reference, s, first->ref, x, keep[1], e)) || feature_set_extract(&ours, &source, x, &o, e))
		return -1;
	/* the reference came as bytes, the samples were rounded by us: one protocol, named by the samples' side */
	char as_bytes[PROTOCOL_TEXT];
	if (two && strcmp(reference.protocol, protocol_features(as_bytes, x, "u8")) == 0)
		(void)snprintf(reference.protocol, sizeof reference.protocol, "%s", ours.protocol);
	for (const struct ask *a = first; a < end; a++) {
		struct score_list list = { 0 };
		if (a->x != first->x || a->samples != first->samples || strcmp(a->ref, first->ref) != 0 || !has(a->nfe, m->nfe) ||
		    !has(a->eval_seeds, m->seed))
			continue;
		if (metric_run(&list, a->row, &ours, &reference, &a->options, e))
			return err_in(e, "%s", a->name);
		keep_asked(&list, a);
		if ((a->infinity && metric_run(&list, a->infinity, &ours, &reference, &a->options, e)) ||
		    record_scores(s, &list, x, m, first->samples, step, e))
			return err_in(e, "%s", a->name);
	}
	return 0;
}

static int score_samples(struct scorer *s, const struct samples *m, int64_t step, struct err *e)
{
	for (int i = 0; i < s->n_asks; i++) {
		const struct ask *a = &s->asks[i];
		bool taken = !has(a->nfe, m->nfe) || !has(a->eval_seeds, m->seed);
		for (int k = 0; k < i && !taken; k++)
			taken = s->asks[k].x == a->x && s->asks[k].samples == a->samples && strcmp(s->asks[k].ref, a->ref) == 0 && has(s->asks[k].nfe, m->nfe);
		if (!taken && score_group(s, a, m, step, e))
			return -1;
	}
	return 0;
}

static int sample_and_score(struct scorer *s, bool *stopped, int nfe, int64_t seed, bool picture, const char *checkpoint, int64_t step, struct err *e)
{
	struct samples m = { .n = PICTURE_SIDE * PICTURE_SIDE, .h = s->train.h, .w = s->train.w, .c = s->train.c, .nfe = nfe, .seed = seed };
	for (int i = 0; i < s->n_asks; i++)
		if (has(s->asks[i].nfe, nfe) && s->asks[i].samples > m.n)
			m.n = s->asks[i].samples;
	int rc = make_samples(&m, s, stopped, checkpoint, e);
	if (!rc && !*stopped && picture)
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
		if (*x->weights_sha256 &&
		    journal_file(worker_journal(s->w), &(struct journal_file){ .table = "input", .role = role, .kind = "weights", .name = x->name,
		                 .sha256 = x->weights_sha256, .bytes = -1, .n_items = -1 }, e))
			return -1;
	}
	return 0;
}

int scorer_run(struct scorer *s, bool *stopped, const char *checkpoint, int64_t step, struct err *e)
{
	*stopped = false;
	if (dataset_open(&s->train, s->config->data.name, SPLIT_TRAIN, e) || record_inputs(s, e))
		return -1;
	if (!s->n_asks)
		return sample_and_score(s, stopped, 1, 1, true, checkpoint, step, e);
	/* each (steps, evaluation seed) once, in the order in which the grid names them */
	for (int i = 0; i < s->n_asks; i++) {
		size_t k, v;
		json_t *nfe, *seed;
		json_array_foreach(s->asks[i].nfe, k, nfe)
			json_array_foreach(s->asks[i].eval_seeds, v, seed) {
				bool made = false;
				for (int p = 0; p < i && !made; p++)
					made = has(s->asks[p].nfe, json_integer_value(nfe)) && has(s->asks[p].eval_seeds, json_integer_value(seed));
				if (!made && sample_and_score(s, stopped, (int)json_integer_value(nfe), json_integer_value(seed), v == 0, checkpoint, step, e))
					return -1;
				if (*stopped)
					return 0;
			}
	}
	return 0;
}
