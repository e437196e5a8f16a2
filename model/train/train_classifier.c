/* train_classifier.c - see train_classifier.h. */
#include "model/train/train_classifier.h"
#include "model/cpu/devices.h"

#include "model/base/mem.h"
#include "model/base/progress.h"
#include "model/base/rng.h"
#include "model/data/dataset.h"
#include "model/nets/classifier.h"
#include "model/graph/optim.h"
#include "model/formats/safetensors.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A graph of one batch and what is bound to it. */
struct pass {
	struct graph *g;
	struct tensor *x, *labels;
	struct classifier_out out;
	struct tensor *d, *loss, *weight;
};

static struct pass build(const struct dataset *data, const struct params *p, int batch, bool backward)
{
	struct pass s = { .g = graph_new() };
	s.x = graph_input(s.g, "x", batch, data->h, data->w, data->c);
	s.labels = graph_input(s.g, "labels", batch, 1, 1, data->classes);
	s.weight = graph_input(s.g, "weight", batch, 1, 1, 1);
	s.out = classifier_forward(s.g, p, STORE_STUDENT, s.x, data->classes);
	graph_keep(s.out.logits);
	s.d = graph_cross_entropy(s.g, s.out.logits, s.labels);
	s.loss = graph_weighted_mean(s.g, s.d, s.weight);
	graph_keep(s.loss);
	if (backward)
		graph_backward(s.g, s.loss);
	graph_plan(s.g);
	for (int i = 0; i < batch; i++)
		s.weight->data[i] = 1;
	return s;
}

static void put(struct pass *s, const struct dataset *data, int slot, int64_t image, int flip)
{
	int64_t per = (int64_t)data->h * data->w * data->c;
	dataset_image(s->x->data + slot * per, data, image, flip);
	for (int k = 0; k < data->classes; k++)
		s->labels->data[slot * data->classes + k] = data->labels[image] == k;
}

static int best_class(const float *logits, int n)
{
	int best = 0;
	for (int k = 1; k < n; k++)
		best = logits[k] > logits[best] ? k : best;
	return best;
}

static double accuracy(const struct dataset *test, const struct params *p, float *weights, int batch)
{
	struct pass s = build(test, p, batch, false);
	graph_bind(s.g, STORE_STUDENT, weights);
	int64_t right = 0;
	for (int64_t at = 0; at < test->n; at += batch) {
		int64_t n = test->n - at < batch ? test->n - at : batch;
		for (int64_t i = 0; i < n; i++)
			put(&s, test, (int)i, at + i, 0);
		graph_run(s.g);
		for (int64_t i = 0; i < n; i++)
			right += best_class(s.out.logits->data + i * test->classes, test->classes) == test->labels[at + i];
	}
	graph_free(s.g);
	return (double)right / (double)test->n;
}

static const struct {
	const char *name;
	struct classifier_training training;
} networks[] = {
	{ "a", { .epochs = 8, .batch = 32, .lr = 1e-3, .seed = 1, .part = PART_EVEN } },
	{ "b", { .epochs = 8, .batch = 32, .lr = 1e-3, .seed = 2, .part = PART_ODD } },
};

int classifier_training_of(struct classifier_training *out, const char *which, struct err *e)
{
	for (size_t i = 0; i < sizeof networks / sizeof *networks; i++)
		if (strcmp(networks[i].name, which) == 0) {
			*out = networks[i].training;
			return 0;
		}
	return err_code(e, EXIT_USAGE, "no network '%s': there are a, the learned metric's, and b, which scores", which);
}

/* Picture i of a part is picture i * step + from of the split. */
static struct part {
	int64_t n, step, from;
} part_of(const struct dataset *d, enum classifier_part part)
{
	if (part == PART_ALL)
		return (struct part){ d->n, 1, 0 };
	return (struct part){ part == PART_EVEN ? (d->n + 1) / 2 : d->n / 2, 2, part == PART_ODD };
}

static void fit(const struct dataset *train, const struct params *p, float *weights,
                const struct classifier_training *o, struct progress *progress)
{
	size_t floats = params_floats(p);
	float *grad = xaligned(floats * sizeof *grad), *m = xaligned(floats * sizeof *m), *v = xaligned(floats * sizeof *v);
	struct pass s = build(train, p, o->batch, true);
	graph_bind(s.g, STORE_STUDENT, weights);
	graph_bind(s.g, STORE_GRAD, grad);
	struct part part = part_of(train, o->part);
	int64_t steps = part.n / o->batch * o->epochs;
	for (int64_t k = 0; k < steps; k++) {
		for (int i = 0; i < o->batch; i++) {
			uint64_t at = (uint64_t)(k * o->batch + i), n = (uint64_t)part.n;
			int flip = rng_uniform(o->seed, RNG_FLIP, (uint32_t)k, (uint64_t)i) < 0.5f;
			int64_t image = (int64_t)rng_permute(at % n, n, o->seed, RNG_ORDER, (uint32_t)(at / n));
			put(&s, train, i, image * part.step + part.from, flip);
		}
		graph_run(s.g);
		double decay = 0.5 * (1 + cos(M_PI * (double)k / (double)steps));
		struct optim_step step = optim_step_at(&(struct optim){ OPTIM_ADAM, o->lr * decay, 0.9, 0.999, 1e-8, 0 },
		                                       k + 1);
		optim_apply(&step, floats, weights, grad, m, v, NULL, 0, NULL, 0);
		if (progress) {
			(void)snprintf(progress->note, sizeof progress->note, "loss %.4g", (double)s.loss->data[0]);
			progress_step(progress, (k + 1) * o->batch);
		}
	}
	graph_free(s.g);
	free(grad);
	free(m);
	free(v);
}

static int write_weights(const char *path, const struct params *p, const float *weights,
                         const struct classifier_training *o, const struct dataset *train, double test_accuracy,
                         struct err *e)
{
	int n = params_count(p);
	SCOPED(free) struct st_tensor *tensors = xcalloc((size_t)n, sizeof *tensors);
	for (int i = 0; i < n; i++) {
		const struct param *q = params_get(p, i);
		tensors[i] = (struct st_tensor){ .name = q->name, .dtype = ST_F32, .n_dims = q->ndim, .data = weights + q->at };
		for (int j = 0; j < q->ndim; j++)
			tensors[i].dims[j] = q->dims[j];
	}
	static const char *const parts[] = { [PART_ALL] = "all", [PART_EVEN] = "even", [PART_ODD] = "odd" };
	char settings[200], result[32], size[32];
	(void)snprintf(settings, sizeof settings, "adam lr=%g cosine epochs=%d batch=%d seed=%" PRIu64 " pictures=%s",
	               o->lr, o->epochs, o->batch, o->seed, parts[o->part]);
	(void)snprintf(size, sizeof size, "%dx%d", train->h, train->w);
	(void)str_double(result, test_accuracy);
	struct st_meta meta[] = { { "data_sha256", train->sha256 },
		                      { "format", "ablate-classifier-2" },
		                      { "settings", settings },
		                      { "size", size },
		                      { "test_accuracy", result } };
	return safetensors_write(path, tensors, (size_t)n, meta, sizeof meta / sizeof *meta, NULL, e);
}

int classifier_train(double *test_accuracy, const char *data_name, const struct classifier_training *o,
                     const char *path, struct progress *progress, struct err *e)
{
	struct dataset train, test;
	if (dataset_open(&train, data_name, SPLIT_TRAIN, e))
		return -1;
	if (dataset_open(&test, data_name, SPLIT_TEST, e)) {
		dataset_release(&train);
		return -1;
	}
	if (part_of(&train, o->part).n < o->batch) {
		int64_t n = train.n;
		dataset_release(&train);
		dataset_release(&test);
		return err_code(e, EXIT_USAGE, "%s: %" PRId64 " pictures are too few for batches of %d", data_name, n,
		                o->batch);
	}
	struct params *p = classifier_params(train.c, train.classes);
	float *weights = xaligned(params_floats(p) * sizeof *weights);
	params_init(p, weights, o->seed);
	if (progress)
		progress_start(progress, "train classifier", "images",
		               part_of(&train, o->part).n / o->batch * o->epochs * o->batch);
	fit(&train, p, weights, o, progress);
	progress_end(progress);
	*test_accuracy = accuracy(&test, p, weights, o->batch);
	int rc = write_weights(path, p, weights, o, &train, *test_accuracy, e);
	params_free(p);
	free(weights);
	dataset_release(&train);
	dataset_release(&test);
	return rc;
}
