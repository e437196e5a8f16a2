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

bool feature_set_is(const char *path)
{
	SCOPED(npz) struct npz *z = NULL;
	if (io_is_dir(path) || io_is_special(path) || npz_open(&z, path, NULL) || npz_has(z, "arr_0"))
		return false;
	return npz_has(z, "features") || npz_has(z, "mu");
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

static int load_statistics(struct feature_set *f, struct npz *z, struct err *e)
{
	struct npy_info mu, sigma;
	char text[128], text2[128];
	if (npz_info(&mu, z, "mu", e) || npz_info(&sigma, z, "sigma", e))
		return -1;
	if (mu.kind != NPY_FLOAT || mu.n_dims != 1 || mu.count < 1 || mu.count > MAX_DIM || sigma.kind != NPY_FLOAT ||
	    sigma.n_dims != 2 || sigma.dims[0] != mu.count || sigma.dims[1] != mu.count)
		return err_set(e, "%s: mu is %s and sigma %s; expected floats of shapes (d,) and (d, d)", f->origin,
		               npy_describe(text, &mu), npy_describe(text2, &sigma));
	f->dim[FEATURE_POOL] = (int)mu.count;
	return npz_doubles(&f->mu, NULL, z, "mu", mu.count, e) || npz_doubles(&f->sigma, NULL, z, "sigma", sigma.count, e)
	           ? -1
	           : 0;
}

static void hash_statistics(struct feature_set *f)
{
	struct sha256 hash;
	size_t d = (size_t)f->dim[FEATURE_POOL];
	sha256_init(&hash);
	sha256_add(&hash, f->mu, sizeof *f->mu * d);
	sha256_add(&hash, f->sigma, sizeof *f->sigma * d * d);
	sha256_hex(f->sha256, &hash);
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
	    copy_text(f.sha256, sizeof f.sha256, z, "sha256", path, e))
		return -1;
	if (npz_has(z, "features")) {
		for (int k = 0; k < FEATURE_KINDS; k++)
			if (load_kind(&f, z, k, e))
				return -1;
	} else if (load_statistics(&f, z, e) || load_n(&f.n, z, path, e)) {
		return -1;
	}
	if (f.mu && !f.sha256[0])
		hash_statistics(&f);
	*out = f;
	f = (struct feature_set){ 0 };
	return 0;
}

static int add_statistics(struct npz_writer *w, struct feature_set *f, struct err *e)
{
	int64_t d = f->dim[FEATURE_POOL];
	SCOPED(free) double *mu = xmalloc(sizeof *mu * (size_t)d);
	SCOPED(free) double *sigma = xmalloc(sizeof *sigma * (size_t)(d * d));
	if (f->mu) {
		memcpy(mu, f->mu, sizeof *mu * (size_t)d);
		memcpy(sigma, f->sigma, sizeof *sigma * (size_t)(d * d));
	} else {
		moments_mean(mu, &f->moments[FEATURE_POOL]);
		moments_sigma(sigma, &f->moments[FEATURE_POOL]);
	}
	return npz_add(w, "mu", "<f8", &d, 1, mu, e) || npz_add(w, "sigma", "<f8", (int64_t[]){ d, d }, 2, sigma, e) ? -1
	                                                                                                             : 0;
}

int feature_set_save(struct feature_set *f, const char *path, bool with_features, struct err *e)
{
	struct npz_writer w;
	if (!f->mu && f->n < 2)
		return err_set(e, "%s: %s; a covariance needs at least 2", f->origin, f->n ? "one image" : "no images");
	if (npz_create(&w, path, e))
		return -1;
	if (add_statistics(&w, f, e) || (f->n && npz_add(&w, "n", "<i8", NULL, 0, &f->n, e)) ||
	    (f->protocol[0] && npz_add_text(&w, "protocol", f->protocol, e)) ||
	    (f->sha256[0] && npz_add_text(&w, "sha256", f->sha256, e)))
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
