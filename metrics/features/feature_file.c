/* feature_file.c - feature sets as .npz (feature_set.h). Every shape is checked against the others before data are
 * read; a value that is not finite is an error that names file, array and element. */
#include "metrics/features/feature_set.h"

#include "model/base/mem.h"
#include "model/formats/npz.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DIM 16384

static const char *const keys[FEATURE_KINDS] = { "features", "logits", "spatial" };

/* Of mean and covariance of each kind; NULL: there are none. */
static const char *const mu_keys[FEATURE_KINDS] = { "mu", NULL, "mu_s" };
static const char *const sigma_keys[FEATURE_KINDS] = { "sigma", NULL, "sigma_s" };

static struct npz *open_quietly(const char *path)
{
	struct npz *z = NULL;
	return io_is_dir(path) || io_is_special(path) || npz_open(&z, path, NULL) ? NULL : z;
}

bool feature_set_is(const char *path)
{
	SCOPED(npz) struct npz *z = open_quietly(path);
	return z && !npz_has(z, "arr_0") && (npz_has(z, "features") || npz_has(z, "mu"));
}

bool feature_set_is_beside(const char *path)
{
	SCOPED(npz) struct npz *z = open_quietly(path);
	return z && npz_has(z, "arr_0") && npz_has(z, "mu");
}

static int load_kind(struct feature_set *f, struct npz *z, enum feature_kind kind, struct err *e)
{
	SCOPED(free) float *x = NULL;
	struct npy_info info;
	char text[128];
	if (!npz_has(z, keys[kind]))
		return 0;
	if (npz_info(&info, z, keys[kind], e))
		return -1;
	if (info.kind != NPY_FLOAT || info.n_dims != 2 || info.dims[1] < 1 || info.dims[1] > MAX_DIM || info.dims[0] < 1)
		return err_set(e, "%s:%s: %s; expected floats of shape (images, features)", f->origin, keys[kind],
		               npy_describe(text, &info));
	if (f->n && f->n != info.dims[0])
		return err_set(e, "%s:%s: %lld rows, but features has %lld", f->origin, keys[kind], (long long)info.dims[0],
		               (long long)f->n);
	f->n = info.dims[0];
	f->dim[kind] = (int)info.dims[1];
	if (npz_floats(&x, NULL, z, keys[kind], info.count, e))
		return -1;
	for (int64_t i = 0; i < info.count; i++)
		if (!isfinite(x[i]))
			return err_set(e, "%s:%s: %s in row %lld", f->origin, keys[kind], isnan(x[i]) ? "NaN" : "infinity",
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

static int load_statistics(struct feature_set *f, struct npz *z, enum feature_kind kind, struct err *e)
{
	struct npy_info mu, sigma;
	char text[128], text2[128];
	const char *mu_key = mu_keys[kind], *sigma_key = sigma_keys[kind];
	if (npz_info(&mu, z, mu_key, e) || npz_info(&sigma, z, sigma_key, e))
		return -1;
	if (mu.kind != NPY_FLOAT || mu.n_dims != 1 || mu.count < 1 || mu.count > MAX_DIM || sigma.kind != NPY_FLOAT ||
	    sigma.n_dims != 2 || sigma.dims[0] != mu.count || sigma.dims[1] != mu.count)
		return err_set(e, "%s: %s is %s and %s %s; expected floats of shapes (d,) and (d, d)", f->origin, mu_key,
		               npy_describe(text, &mu), sigma_key, npy_describe(text2, &sigma));
	f->dim[kind] = (int)mu.count;
	if (npz_doubles(&f->mu[kind], NULL, z, mu_key, mu.count, e) ||
	    npz_doubles(&f->sigma[kind], NULL, z, sigma_key, sigma.count, e))
		return -1;
	f->unit[kind] = unit_of(&sigma, f->sigma[kind]);
	if (kind == FEATURE_SPATIAL)
		hash_statistics(f->sha256_spatial, f, kind);
	return 0;
}

static bool has_statistics(const struct npz *z, enum feature_kind kind)
{
	return mu_keys[kind] && (npz_has(z, mu_keys[kind]) || npz_has(z, sigma_keys[kind]));
}

static int copy_text(char *out, size_t cap, struct npz *z, const char *key, const char *origin, struct err *e)
{
	SCOPED(free) char *text = NULL;
	if (!npz_has(z, key))
		return 0;
	if (npz_text(&text, z, key, e))
		return -1;
	if (strlen(text) >= cap)
		return err_set(e, "%s:%s: longer than %zu characters", origin, key, cap - 1);
	for (const char *p = text; *p; p++)
		if (*p < ' ' || *p > '~')
			return err_set(e, "%s:%s: holds a character that is not printable", origin, key);
	memcpy(out, text, strlen(text) + 1);
	return 0;
}

/* n as we save it: one integer. */
static int load_n(int64_t *out, struct npz *z, const char *origin, struct err *e)
{
	SCOPED(free) double *n = NULL;
	struct npy_info info;
	if (!npz_has(z, "n"))
		return 0;
	if (npz_doubles(&n, &info, z, "n", 1, e))
		return -1;
	if (info.count != 1 || !(n[0] >= 1 && n[0] < 1e15) || n[0] != floor(n[0]))
		return err_set(e, "%s:n: not a number of images", origin);
	*out = (int64_t)n[0];
	return 0;
}

int feature_set_load(struct feature_set *out, const char *path, struct err *e)
{
	SCOPED(feature_set) struct feature_set f = { .origin = xstrdup(path) };
	SCOPED(npz) struct npz *z = NULL;
	if (npz_open(&z, path, e) || copy_text(f.protocol, sizeof f.protocol, z, "protocol", path, e) ||
	    copy_text(f.sha256, sizeof f.sha256, z, "sha256", path, e) ||
	    copy_text(f.drawn, sizeof f.drawn, z, "drawn", path, e))
		return -1;
	bool features = npz_has(z, "features") && !npz_has(z, "arr_0");
	for (int k = 0; features && k < FEATURE_KINDS; k++)
		if (load_kind(&f, z, k, e))
			return -1;
	if (!features && (load_statistics(&f, z, FEATURE_POOL, e) || load_n(&f.n, z, path, e)))
		return -1;
	if (!f.dim[FEATURE_SPATIAL] && has_statistics(z, FEATURE_SPATIAL) && load_statistics(&f, z, FEATURE_SPATIAL, e))
		return -1;
	if (f.mu[FEATURE_POOL] && !f.sha256[0])
		hash_statistics(f.sha256, &f, FEATURE_POOL);
	*out = f;
	f = (struct feature_set){ 0 };
	return 0;
}

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
