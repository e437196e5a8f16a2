/* feature_file.c - feature sets written as .npz (feature_set.h); feature_load.c reads them and what peers write. */
#include "metrics/features/feature_set.h"

#include "model/base/mem.h"
#include "model/formats/npz.h"

#include <stdlib.h>
#include <string.h>

static const char *const keys[FEATURE_KINDS] = { "features", "logits", "spatial" };

/* Of mean and covariance of each kind; NULL: there are none. */
static const char *const mu_keys[FEATURE_KINDS] = { "mu", NULL, "mu_s" };
static const char *const sigma_keys[FEATURE_KINDS] = { "sigma", NULL, "sigma_s" };

static int add_statistics(struct npz_writer *w, struct feature_set *f, enum feature_kind kind, struct err *e)
{
	int64_t d = f->dim[kind];
	if (!mu_keys[kind] || (!f->mu[kind] && !f->moments[kind].d))
		return 0;
	SCOPED(free) double *mu = xmalloc(sizeof *mu * (size_t)d);
	SCOPED(free) double *sigma = xmalloc(sizeof *sigma * (size_t)(d * d));
	if (f->mu[kind]) {
		memcpy(mu, f->mu[kind], sizeof *mu * (size_t)d);
		memcpy(sigma, f->sigma[kind], sizeof *sigma * (size_t)(d * d));
	} else {
		moments_mean(mu, &f->moments[kind]);
		moments_sigma(sigma, &f->moments[kind]);
	}
	return npz_add(w, mu_keys[kind], "<f8", &d, 1, mu, e) ||
	               npz_add(w, sigma_keys[kind], "<f8", (int64_t[]){ d, d }, 2, sigma, e)
	           ? -1
	           : 0;
}

int feature_set_save(struct feature_set *f, const char *path, bool with_features, struct err *e)
{
	struct npz_writer w;
	if (!f->mu[FEATURE_POOL] && f->n < 2)
		return err_set(e, "%s: %s; a covariance needs at least 2", f->origin, f->n ? "one image" : "no images");
	if (npz_create(&w, path, e))
		return -1;
	if (add_statistics(&w, f, FEATURE_POOL, e) || add_statistics(&w, f, FEATURE_SPATIAL, e) ||
	    (f->n && npz_add(&w, "n", "<i8", NULL, 0, &f->n, e)) ||
	    (f->protocol[0] && npz_add_text(&w, "protocol", f->protocol, e)) ||
	    (f->sha256[0] && npz_add_text(&w, "sha256", f->sha256, e)) ||
	    (f->drawn[0] && npz_add_text(&w, "drawn", f->drawn, e)))
		return -1;
	if (with_features && f->labels && npz_add(&w, "labels", "<i4", &f->n, 1, f->labels, e))
		return -1;
	for (int k = 0; with_features && k < FEATURE_KINDS; k++) {
		const float *x;
		if (!f->dim[k] || f->store[k].n == 0)
			continue;
		if (feature_set_floats(&x, f, k, e)) {
			npz_abort(&w);
			return -1;
		}
		if (npz_add(&w, keys[k], "<f4", (int64_t[]){ f->n, f->dim[k] }, 2, x, e))
			return -1;
	}
	return npz_commit(&w, e);
}
