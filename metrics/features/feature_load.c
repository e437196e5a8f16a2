/* feature_load.c - feature sets from files of arrays (feature_set.h): ours, and those that peers write. Every shape is
 * checked against the others before data are read; a value that is not finite is an error that names file, array and
 * element. */
#include "metrics/features/feature_set.h"

#include "model/base/mem.h"
#include "model/formats/arrays.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DIM 16384

static const char *const keys[FEATURE_KINDS] = { "features", "logits", "spatial" };

/* Other names of features: score_sde's pool_3 (its logits have another network's last layer and are not taken), and the
 * one matrix of a .npy, which has no name. */
static const char *const pool_keys[] = { "features", "feats", "pool_3", "" };

/* Means and covariances: ours, pytorch-fid's, clean-fid's and guided-diffusion's, and another pair. */
static const struct {
	enum feature_kind kind;
	const char *mu, *sigma;
} statistics[] = {
	{ FEATURE_POOL, "mu", "sigma" },
	{ FEATURE_POOL, "mean", "cov" },
	{ FEATURE_SPATIAL, "mu_s", "sigma_s" },
};
enum { STATISTICS = sizeof statistics / sizeof *statistics };

static const char *pool_key(const struct arrays *a)
{
	struct npy_info info;
	for (size_t i = 0; i < sizeof pool_keys / sizeof *pool_keys; i++)
		if (arrays_has(a, pool_keys[i]) &&
		    (*pool_keys[i] || (!arrays_info(&info, a, "", NULL) && info.kind == NPY_FLOAT && info.n_dims == 2)))
			return pool_keys[i];
	return NULL;
}

/* The row of `statistics` whose arrays are there, or that has one of its own two names; -1. */
static int statistics_of(const struct arrays *a, enum feature_kind kind)
{
	for (int i = 0; i < STATISTICS; i++) {
		bool mu = arrays_has(a, statistics[i].mu), sigma = arrays_has(a, statistics[i].sigma);
		if (statistics[i].kind == kind && (strcmp(statistics[i].mu, "mean") == 0 ? mu && sigma : mu || sigma))
			return i;
	}
	return -1;
}

static bool has_sums(const struct arrays *a)
{
	return arrays_has(a, "raw_mean") && arrays_has(a, "raw_cov") && arrays_has(a, "num_items");
}

static bool has_statistics(const struct arrays *a)
{
	return statistics_of(a, FEATURE_POOL) >= 0 || has_sums(a);
}

static struct arrays *open_quietly(const char *path)
{
	struct arrays *a = NULL;
	return arrays_open(&a, path, NULL) ? NULL : a;
}

bool feature_set_is(const char *path)
{
	SCOPED(arrays) struct arrays *a = open_quietly(path);
	return a && !source_array_key(a) && (pool_key(a) || has_statistics(a));
}

static int load_kind(struct feature_set *f, struct arrays *a, enum feature_kind kind, const char *key, struct err *e)
{
	SCOPED(free) float *x = NULL;
	SCOPED(free) char *place = arrays_place(a, key);
	struct npy_info info;
	char text[128];
	if (!arrays_has(a, key))
		return 0;
	if (arrays_info(&info, a, key, e))
		return -1;
	if (info.kind != NPY_FLOAT || info.n_dims != 2 || info.dims[1] < 1 || info.dims[1] > MAX_DIM || info.dims[0] < 1)
		return err_set(e, "%s: %s; expected floats of shape (images, features)", place, npy_describe(text, &info));
	if (f->n && f->n != info.dims[0])
		return err_set(e, "%s: %lld rows, but features has %lld", place, (long long)info.dims[0], (long long)f->n);
	f->n = info.dims[0];
	f->dim[kind] = (int)info.dims[1];
	if (arrays_floats(&x, NULL, a, key, info.count, e))
		return -1;
	for (int64_t i = 0; i < info.count; i++)
		if (!isfinite(x[i]))
			return err_set(e, "%s: %s in row %lld", place, isnan(x[i]) ? "NaN" : "infinity",
			               (long long)(i / f->dim[kind]));
	if (kind != FEATURE_LOGITS) {
		moments_init(&f->moments[kind], f->dim[kind]);
		moments_add(&f->moments[kind], x, f->n);
	}
	return float_store_append(&f->store[kind], x, info.count, e);
}

/* What the elements of a covariance were rounded to. One that was computed in float32 may be stored as float64. */
static double unit_of(const struct npy_info *info, const double *sigma)
{
	if (info->item == 2)
		return 0x1p-11;
	for (int64_t i = 0; info->item == 8 && i < info->count; i++)
		if ((double)(float)sigma[i] != sigma[i])
			return 0x1p-53;
	return 0x1p-24;
}

static void hash_statistics(char hex[SHA256_HEX], const struct feature_set *f, enum feature_kind kind)
{
	struct sha256 hash;
	size_t d = (size_t)f->dim[kind];
	sha256_init(&hash);
	sha256_add(&hash, f->mu[kind], sizeof *f->mu[kind] * d);
	sha256_add(&hash, f->sigma[kind], sizeof *f->sigma[kind] * d * d);
	sha256_hex(hex, &hash);
}

static int load_statistics(struct feature_set *f, struct arrays *a, enum feature_kind kind, const char *mu_key,
                           const char *sigma_key, struct err *e)
{
	struct npy_info mu, sigma;
	char text[128], text2[128];
	if (arrays_info(&mu, a, mu_key, e) || arrays_info(&sigma, a, sigma_key, e))
		return -1;
	if (mu.kind != NPY_FLOAT || mu.n_dims != 1 || mu.count < 1 || mu.count > MAX_DIM || sigma.kind != NPY_FLOAT ||
	    sigma.n_dims != 2 || sigma.dims[0] != mu.count || sigma.dims[1] != mu.count)
		return err_set(e, "%s: %s is %s and %s %s; expected floats of shapes (d,) and (d, d)", f->origin, mu_key,
		               npy_describe(text, &mu), sigma_key, npy_describe(text2, &sigma));
	f->dim[kind] = (int)mu.count;
	if (arrays_doubles(&f->mu[kind], NULL, a, mu_key, mu.count, e) ||
	    arrays_doubles(&f->sigma[kind], NULL, a, sigma_key, sigma.count, e))
		return -1;
	f->unit[kind] = unit_of(&sigma, f->sigma[kind]);
	if (kind == FEATURE_SPATIAL)
		hash_statistics(f->sha256_spatial, f, kind);
	return 0;
}

static int copy_text(char *out, size_t cap, struct arrays *a, const char *key, const char *origin, struct err *e)
{
	SCOPED(free) char *text = NULL;
	if (!arrays_has(a, key))
		return 0;
	if (arrays_text(&text, a, key, e))
		return -1;
	if (strlen(text) >= cap)
		return err_set(e, "%s:%s: longer than %zu characters", origin, key, cap - 1);
	for (const char *p = text; *p; p++)
		if (*p < ' ' || *p > '~')
			return err_set(e, "%s:%s: holds a character that is not printable", origin, key);
	memcpy(out, text, strlen(text) + 1);
	return 0;
}

/* A number of images: one integer. */
static int load_n(int64_t *out, struct arrays *a, const char *key, const char *origin, struct err *e)
{
	SCOPED(free) double *n = NULL;
	struct npy_info info;
	if (!arrays_has(a, key))
		return 0;
	if (arrays_doubles(&n, &info, a, key, 1, e))
		return -1;
	if (info.count != 1 || !(n[0] >= 1 && n[0] < 1e15) || n[0] != floor(n[0]))
		return err_set(e, "%s:%s: not a number of images", origin, key);
	*out = (int64_t)n[0];
	return 0;
}

/* The sums of StyleGAN's class FeatureStats (metric_utils.py): raw_mean = sum of x, raw_cov = sum of x x^T. Its
 * get_mean_cov divides both by their number, so the covariance is the population's. */
static int load_sums(struct feature_set *f, struct arrays *a, struct err *e)
{
	SCOPED(free) double *counted = NULL;
	if (arrays_has(a, "capture_mean_cov") && arrays_doubles(&counted, NULL, a, "capture_mean_cov", 1, e))
		return -1;
	if (counted && counted[0] == 0)
		return err_set(
			e,
			"%s: FeatureStats without sums (capture_mean_cov is false); save numpy.concatenate(all_features) "
			"as a .npy",
			f->origin);
	if (load_statistics(f, a, FEATURE_POOL, "raw_mean", "raw_cov", e) || load_n(&f->n, a, "num_items", f->origin, e))
		return -1;
	double *mu = f->mu[FEATURE_POOL], *sigma = f->sigma[FEATURE_POOL], n = (double)f->n;
	int64_t d = f->dim[FEATURE_POOL];
	for (int64_t i = 0; i < d; i++)
		mu[i] /= n;
	for (int64_t i = 0; i < d; i++)
		for (int64_t j = 0; j < d; j++)
			sigma[i * d + j] = sigma[i * d + j] / n - mu[i] * mu[j];
	return 0;
}

static int load_moments(struct feature_set *f, struct arrays *a, enum feature_kind kind, struct err *e)
{
	int i = statistics_of(a, kind);
	if (i < 0)
		return 0;
	return load_statistics(f, a, kind, statistics[i].mu, statistics[i].sigma, e);
}

static int load_pool(struct feature_set *f, struct arrays *a, struct err *e)
{
	const char *pool = source_array_key(a) ? NULL : pool_key(a);
	bool ours = pool && strcmp(pool, keys[FEATURE_POOL]) == 0;
	for (int k = 0; pool && k < FEATURE_KINDS; k++)
		if ((k == FEATURE_POOL || ours) && load_kind(f, a, k, k == FEATURE_POOL ? pool : keys[k], e))
			return -1;
	if (pool)
		return 0;
	if (statistics_of(a, FEATURE_POOL) >= 0)
		return load_moments(f, a, FEATURE_POOL, e) || load_n(&f->n, a, "n", f->origin, e) ? -1 : 0;
	if (has_sums(a))
		return load_sums(f, a, e);
	SCOPED(str) struct str held = { 0 };
	arrays_list(&held, a);
	return err_set(e,
	               "%s: holds neither features nor statistics: it is %s of %s; these are features, feats or pool_3, "
	               "or mu and sigma, mean and cov, or raw_mean, raw_cov and num_items",
	               f->origin, a->kind->text, str_text(&held));
}

/* Of features whose file does not name the pictures, so that what is compared with them says with what. */
static int hash_floats(char hex[SHA256_HEX], struct feature_set *f, enum feature_kind kind, struct err *e)
{
	const float *x;
	struct sha256 hash;
	const int64_t shape[2] = { f->n, f->dim[kind] };
	if (!f->store[kind].n)
		return 0;
	if (feature_set_floats(&x, f, kind, e))
		return -1;
	sha256_init(&hash);
	sha256_add(&hash, shape, sizeof shape);
	sha256_add(&hash, x, sizeof *x * (size_t)f->store[kind].n);
	sha256_hex(hex, &hash);
	return 0;
}

static int load(struct feature_set *out, struct arrays *a, const char *path, struct err *e)
{
	SCOPED(feature_set) struct feature_set f = { .origin = xstrdup(path) };
	if (copy_text(f.protocol, sizeof f.protocol, a, "protocol", path, e) ||
	    copy_text(f.sha256, sizeof f.sha256, a, "sha256", path, e) ||
	    copy_text(f.drawn, sizeof f.drawn, a, "drawn", path, e) || load_pool(&f, a, e))
		return -1;
	if (!f.dim[FEATURE_SPATIAL] && load_moments(&f, a, FEATURE_SPATIAL, e))
		return -1;
	if (!f.sha256[0] &&
	    (hash_floats(f.sha256, &f, FEATURE_POOL, e) || hash_floats(f.sha256_spatial, &f, FEATURE_SPATIAL, e)))
		return -1;
	if (!f.sha256[0])
		hash_statistics(f.sha256, &f, FEATURE_POOL);
	*out = f;
	f = (struct feature_set){ 0 };
	return 0;
}

int feature_set_load(struct feature_set *out, const char *path, struct err *e)
{
	SCOPED(arrays) struct arrays *a = NULL;
	return arrays_open(&a, path, e) ? -1 : load(out, a, path, e);
}

int feature_set_find(struct feature_set *out, enum feature_content *content, const char *path, struct err *e)
{
	SCOPED(arrays) struct arrays *a = open_quietly(path);
	bool pictures = a && source_array_key(a);
	*content = CONTENT_OTHER;
	if (!a || !(has_statistics(a) || (!pictures && pool_key(a))))
		return 0;
	if (load(out, a, path, e))
		return -1;
	*content = pictures ? CONTENT_BESIDE : CONTENT_FEATURES;
	return 0;
}
