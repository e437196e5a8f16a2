/* cases.c - see cases.h. */
#include "tests/metrics_cases/cases.h"

#include "tests/common/formula.h"
#include "tests/common/formula_weights.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void verdict(struct cases *c, bool ok)
{
	c->passed += ok;
	c->failed += !ok;
	printf("  %s\n", ok ? "ok" : "FAILED");
}

struct deviation {
	double max, rms;
};

/* Largest absolute deviation, and root mean square relative to that of the reference. */
static struct deviation deviation(const double *got, const double *want, int64_t n)
{
	struct deviation d = { 0 };
	double sum = 0, norm = 0;
	for (int64_t i = 0; i < n; i++) {
		double v = fabs(got[i] - want[i]);
		if (!(v <= d.max))
			d.max = v; /* a NaN stays */
		sum += v * v;
		norm += want[i] * want[i];
	}
	d.rms = norm > 0 ? sqrt(sum / norm) : sqrt(sum);
	return d;
}

void cases_array(struct cases *c, const char *name, const double *got, const double *want, const double *peer,
                 int64_t n, double max_allowed, double rms_allowed)
{
	struct deviation ours = deviation(got, want, n), theirs = { NAN, NAN };
	if (peer) {
		double top = 0;
		for (int64_t i = 0; i < n; i++)
			top = fmax(top, fabs(want[i]));
		theirs = deviation(peer, want, n);
		max_allowed = fmax(4 * theirs.max, 4 * (double)FLT_EPSILON * top);
		rms_allowed = fmax(4 * theirs.rms, 4 * (double)FLT_EPSILON);
	}
	printf("  %-40s max %8.2e rms %8.2e", name, ours.max, ours.rms);
	if (peer)
		printf("   peer %8.2e %8.2e", theirs.max, theirs.rms);
	else
		printf("   allowed %8.2e %8.2e", max_allowed, rms_allowed);
	verdict(c, n > 0 && ours.max <= max_allowed && ours.rms <= rms_allowed);
}

void cases_value(struct cases *c, const char *name, double got, double want, double allowed)
{
	printf("  %-40s %.15g, reference %.15g, off by %8.2e, allowed %8.2e", name, got, want, fabs(got - want), allowed);
	verdict(c, fabs(got - want) <= allowed);
}

void cases_equal(struct cases *c, const char *name, bool equal, const char *what)
{
	printf("  %-40s %s", name, what);
	verdict(c, equal);
}

void cases_skip(struct cases *c, const char *name, const char *why)
{
	printf("  %-40s skipped: %s\n", name, why);
	c->skipped++;
}

void cases_broken(struct cases *c, const char *name, const struct err *e)
{
	printf("  %-40s %s", name, e->msg);
	verdict(c, false);
}

/* Python writes Infinity and NaN, which JSON does not have: Infinity becomes null and NaN 0.0 (three
 * letters), outside strings; no family reads a number that is neither. */
static void without_infinity(char *text)
{
	static const char *const words[] = { "-Infinity", "Infinity", "NaN" };
	bool quoted = false;
	for (char *p = text; *p; p++) {
		if (*p == '"' && (p == text || p[-1] != '\\'))
			quoted = !quoted;
		for (int k = 0; !quoted && k < 3; k++) {
			size_t n = strlen(words[k]);
			if (strncmp(p, words[k], n) != 0)
				continue;
			memset(p, ' ', n);
			memcpy(p, n > 3 ? "null" : "0.0", n > 3 ? 4 : 3);
		}
	}
}

bool cases_json(json_t **out, struct cases *c, const char *name)
{
	SCOPED(free) char *path = xstrfmt("%s/%s", c->dir, name);
	json_error_t why;
	if (!io_exists(path)) {
		cases_skip(c, name, "absent");
		return false;
	}
	SCOPED(str) struct str text = { 0 };
	struct err e = ERR_INIT;
	if (io_read(&text, path, 1 << 26, &e)) {
		cases_broken(c, name, &e);
		return false;
	}
	without_infinity(text.data);
	*out = json_loads(text.data, 0, &why);
	if (!*out) {
		(void)err_set(&e, "%s:%d: %s", path, why.line, why.text);
		cases_broken(c, name, &e);
	}
	return *out != NULL;
}

bool cases_npz(struct npz **out, struct cases *c, const char *name)
{
	SCOPED(free) char *path = xstrfmt("%s/%s", c->dir, name);
	struct err e = ERR_INIT;
	if (!io_exists(path)) {
		cases_skip(c, name, "absent");
		return false;
	}
	if (npz_open(out, path, &e)) {
		cases_broken(c, name, &e);
		return false;
	}
	return true;
}

double *cases_doubles(struct cases *c, const char *family, struct npz *z, const char *key, int64_t *n)
{
	double *x;
	struct npy_info info;
	struct err e = ERR_INIT;
	if (!npz_has(z, key)) {
		if (family)
			cases_skip(c, key, "absent");
		return NULL;
	}
	if (npz_doubles(&x, &info, z, key, (int64_t)1 << 28, &e)) {
		cases_broken(c, key, &e);
		return NULL;
	}
	*n = info.count;
	return x;
}

double cases_number(const json_t *object, const char *key)
{
	const json_t *v = json_object_get(object, key);
	return json_is_number(v) ? json_number_value(v) : NAN;
}

char *cases_picture(const struct cases *c, const char *name)
{
	const char *slash = strchr(name, '/');
	char kind[32];
	if (slash && (size_t)(slash - name) < sizeof kind) {
		memcpy(kind, name, (size_t)(slash - name));
		kind[slash - name] = '\0';
		if (formula_kind(kind))
			return xstrfmt("%s%c%s", kind, c->letter, slash);
	}
	return xstrdup(name);
}

void cases_input(float *dst, const char *picture, enum cases_input how)
{
	static const enum resize_kind kinds[] = { RESIZE_TORCH_BILINEAR, RESIZE_TF_BILINEAR, RESIZE_CLEAN };
	int h, w;
	SCOPED(free) uint8_t *px = formula_image_named(picture, &h, &w);
	if (!px)
		BUG("no picture '%s'", picture);
	resize_u8(dst, INCEPTION_SIDE, INCEPTION_SIDE, px, h, w, 3, kinds[how]);
	for (int k = 0; k < INCEPTION_PIXELS; k++)
		dst[k] = how == INPUT_PYTORCH_FID ? (float)(dst[k] * (2.0 / 255) - 1) : (dst[k] - 128) / 128;
}

struct inception *cases_net(struct cases *c)
{
	struct safetensors st = { 0 };
	struct err e = ERR_INIT;
	if (c->net)
		return c->net;
	formula_inception(&st);
	if (inception_open(&c->net, INCEPTION_2015, &st, false, &e))
		BUG("%s", e.msg);
	formula_weights_release(&st);
	return c->net;
}

struct pictures {
	const char *const *names;
	enum cases_input how;
};

static void give_picture(void *ctx, int i, float *dst)
{
	const struct pictures *p = ctx;
	cases_input(dst, p->names[i], p->how);
}

void cases_run(struct cases *c, const char *const *names, int n, enum cases_input how, const struct inception_out *out)
{
	struct pictures p = { names, how };
	struct err e = ERR_INIT;
	if (inception_run(cases_net(c), out, give_picture, &p, n, &e))
		BUG("%s", e.msg);
}

void cases_tf_set(struct cases *c, int which)
{
	enum { N = 300 };
	char *names[N];
	if (c->tf_features[which])
		return;
	for (int i = 0; i < N; i++)
		names[i] = xstrfmt("%s%c/%d", which ? "B32" : "A32", c->letter, i);
	c->tf_features[which] = xcalloc(N * 2048, sizeof(float));
	c->tf_logits[which] = xcalloc(N * INCEPTION_CLASSES, sizeof(float));
	cases_run(c, (const char *const *)names, N, INPUT_TORCH_FIDELITY,
	          &(struct inception_out){ .d2048 = c->tf_features[which], .logits_unbiased = c->tf_logits[which] });
	for (int i = 0; i < N; i++)
		free(names[i]);
}
