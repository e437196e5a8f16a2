/* cases_lpips.c - LPIPS on formula backbones and the published heads: distances, parts and gradients of three networks,
 * and the average-pool variant. */
#include "tests/metrics_cases/cases.h"

#include "model/frozen/lpips.h"
#include "tests/common/formula.h"
#include "tests/common/formula_weights.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PAIRS = 64 };

static void backbone_of(struct safetensors *st, enum lpips_net net)
{
	char name[96];
	int n_dims;
	int64_t dims[ST_MAX_DIMS];
	for (int i = 0; lpips_backbone_weight(net, i, name, &n_dims, dims); i++)
		formula_weights_add(st, name, n_dims, dims);
}

static struct safetensors *heads_of(struct cases *c, enum lpips_net net)
{
	SCOPED(free) char *path = xstrfmt("%s/lpips_heads/lpips_v0.1_%s.safetensors", c->dir, lpips_net_name(net));
	struct safetensors *st;
	struct err e = ERR_INIT;
	if (!io_exists(path)) {
		cases_skip(c, lpips_net_name(net), "lpips_heads are absent");
		return NULL;
	}
	if (safetensors_open(&st, path, &e)) {
		cases_broken(c, lpips_net_name(net), &e);
		return NULL;
	}
	return st;
}

static float scaled(uint8_t v)
{
	return (float)(v / 127.5 - 1);
}

/* One pair of pictures of h x w in H,W,C at in0[i], in1[i]. */
static void put(float *dst, const char *picture, int side)
{
	int h, w;
	SCOPED(free) uint8_t *px = formula_image_named(picture, &h, &w);
	if (!px || h != side || w != side)
		BUG("no %d x %d picture '%s'", side, side, picture);
	for (int k = 0; k < 3 * side * side; k++)
		dst[k] = scaled(px[k]);
}

/* "C64p/0 vs /1", "C64/8 vs min(C64/8+5,255)", "C64/9 vs its horizontal mirror". */
static bool put_pair(struct cases *c, float *in0, float *in1, const char *text, int side)
{
	char left[64], right[64];
	if (sscanf(text, "%63s vs %63[^\n]", left, right) != 2)
		return false;
	SCOPED(free) char *first = cases_picture(c, left);
	int h, w;
	SCOPED(free) uint8_t *px = formula_image_named(first, &h, &w);
	if (!px || h != side || w != side)
		return false;
	put(in0, first, side);
	if (right[0] == '/') {
		SCOPED(free) char *second = xstrfmt("%.*s%s", (int)strcspn(first, "/"), first, right);
		put(in1, second, side);
		return true;
	}
	bool mirror = strstr(right, "mirror") != NULL;
	if (!mirror && !strstr(right, "+5,255"))
		return false;
	for (int y = 0; y < side; y++)
		for (int x = 0; x < side; x++)
			for (int k = 0; k < 3; k++) {
				int from = px[(y * side + (mirror ? side - 1 - x : x)) * 3 + k];
				in1[(y * side + x) * 3 + k] = scaled((uint8_t)(mirror ? from : from + 5 > 255 ? 255 : from + 5));
			}
	return true;
}

struct pairs {
	float *in0, *in1;
	int n, side;
};

static struct pairs pairs_of(struct cases *c, const json_t *list, int side)
{
	size_t per = (size_t)(3 * side * side), n = json_array_size(list) < MAX_PAIRS ? json_array_size(list) : MAX_PAIRS;
	struct pairs p = { xcalloc(n + 1, sizeof(float) * per), xcalloc(n + 1, sizeof(float) * per), 0, side };
	for (size_t i = 0; i < n; i++) {
		const char *text = json_string_value(json_array_get(list, i));
		if (!text || !put_pair(c, p.in0 + i * per, p.in1 + i * per, text, side)) {
			cases_skip(c, text ? text : "a pair", "not understood; the pairs after it are left out too");
			break;
		}
		p.n++;
	}
	return p;
}

/* A32/i against B32/i. */
static struct pairs small_pairs(struct cases *c, int n)
{
	enum { SIDE = 32, PER = 3 * SIDE * SIDE };
	struct pairs p = { xcalloc((size_t)n, sizeof(float) * PER), xcalloc((size_t)n, sizeof(float) * PER), n, SIDE };
	for (int i = 0; i < n; i++) {
		SCOPED(free) char *a = xstrfmt("A32%c/%d", c->letter, i), *b = xstrfmt("B32%c/%d", c->letter, i);
		put(p.in0 + i * PER, a, SIDE);
		put(p.in1 + i * PER, b, SIDE);
	}
	return p;
}

static void pairs_release(struct pairs *p)
{
	free(p->in0);
	free(p->in1);
}

struct result {
	double d[MAX_PAIRS], layers[MAX_PAIRS * LPIPS_MAX_TAPS];
	float *grad;
	int taps;
};

static bool run(struct cases *c, struct result *r, const struct pairs *p, struct lpips_options o,
                const struct safetensors *backbone, const struct safetensors *heads)
{
	struct lpips *l;
	struct err e = ERR_INIT;
	o.h = o.w = p->side;
	r->grad = o.backward ? xcalloc((size_t)p->n + 1, sizeof(float) * (size_t)(3 * p->side * p->side)) : NULL;
	if (lpips_open(&l, &o, backbone, heads, &e)) {
		cases_broken(c, lpips_net_name(o.net), &e);
		return false;
	}
	r->taps = lpips_taps(l);
	int bad = lpips_run(l, r->d, r->layers, r->grad, p->in0, p->in1, p->n, &e);
	lpips_free(l);
	if (bad)
		cases_broken(c, lpips_net_name(o.net), &e);
	return !bad;
}

/* got[n] against STEM_f64 beside STEM_f32, or one of them with what is allowed. */
static void against(struct cases *c, struct npz *z, const char *net, const char *stem, const double *got, int64_t n,
                    double max, double rms)
{
	SCOPED(free)
	char *k64 = xstrfmt("%s%s_f64", net, stem), *k32 = xstrfmt("%s%s_f32", net, stem),
		 *label = xstrfmt("%s%s", net, stem);
	int64_t n64 = n, n32 = n;
	SCOPED(free) double *w64 = cases_doubles(c, NULL, z, k64, &n64), *w32 = cases_doubles(c, NULL, z, k32, &n32);
	if (!w64 && !w32)
		cases_skip(c, label, "absent");
	else if (n64 != n || n32 != n)
		cases_equal(c, label, false, "another shape than expected");
	else
		cases_array(c, label, got, w64 ? w64 : w32, w64 ? w32 : NULL, n, max, rms);
}

/* Gradients are stored C,H,W. */
static void check_gradient(struct cases *c, struct npz *z, const char *net, const struct result *r, int pair, int side)
{
	int area = side * side;
	SCOPED(free) double *got = xmalloc(sizeof *got * (size_t)(3 * area));
	char stem[16];
	for (int k = 0; k < 3 * area; k++)
		got[k] = r->grad[pair * 3 * area + k % area * 3 + k / area];
	(void)snprintf(stem, sizeof stem, "_grad%d", pair);
	/* Without a peer: float32 noise is 5e-6 to 2e-5 in rms where the two pictures are nearly equal. */
	against(c, z, net, stem, got, 3 * area, INFINITY, 1e-4);
}

static void one_net(struct cases *c, struct npz *z, enum lpips_net net, const struct pairs *p,
                    const struct pairs *small)
{
	const char *name = lpips_net_name(net);
	struct safetensors backbone = { 0 }, *heads = heads_of(c, net);
	struct result r, r32;
	if (!heads)
		return;
	backbone_of(&backbone, net);
	if (run(c, &r, p, (struct lpips_options){ .net = net, .backward = true }, &backbone, heads)) {
		against(c, z, name, "_dist", r.d, p->n, 1e-6, 1e-6);
		against(c, z, name, "_layers", r.layers, (int64_t)p->n * r.taps, 1e-6, 1e-6);
		for (int pair = 0; pair < p->n; pair += 4)
			check_gradient(c, z, name, &r, pair, p->side);
	}
	if (run(c, &r32, small, (struct lpips_options){ .net = net }, &backbone, heads))
		against(c, z, name, "_dist32", r32.d, small->n, 1e-6, 1e-6);
	free(r.grad);
	safetensors_free(heads);
	formula_weights_release(&backbone);
}

void family_lpips(struct cases *c)
{
	SCOPED(npz) struct npz *z = NULL;
	json_t *json;
	if (!cases_json(&json, c, "lpips.json"))
		return;
	if (cases_npz(&z, c, "lpips.npz")) {
		struct pairs p = pairs_of(c, json_object_get(json, "pairs"), 64), small = small_pairs(c, 2);
		for (int net = 0; net < LPIPS_N_NETS; net++)
			one_net(c, z, (enum lpips_net)net, &p, &small);
		pairs_release(&p);
		pairs_release(&small);
	}
	json_decref(json);
}

void family_lpips_openai(struct cases *c)
{
	SCOPED(npz) struct npz *z = NULL;
	json_t *json;
	if (!cases_npz(&z, c, "lpips_openai_variant.npz") || !cases_json(&json, c, "lpips.json"))
		return;
	struct safetensors backbone = { 0 }, *heads = heads_of(c, LPIPS_VGG);
	struct pairs p = pairs_of(c, json_object_get(json, "pairs"), 64), small = small_pairs(c, 2);
	if (heads) {
		struct result r;
		backbone_of(&backbone, LPIPS_VGG);
		if (run(c, &r, &small, (struct lpips_options){ .net = LPIPS_VGG, .resize = 224, .average = true }, &backbone,
		        heads))
			against(c, z, "", "openai224_avgpool", r.d, small.n, 1e-6, 1e-6);
		if (run(c, &r, &small, (struct lpips_options){ .net = LPIPS_VGG, .resize = 224 }, &backbone, heads))
			against(c, z, "", "maxpool224", r.d, small.n, 1e-6, 1e-6);
		if (run(c, &r, &p, (struct lpips_options){ .net = LPIPS_VGG, .average = true }, &backbone, heads))
			against(c, z, "", "avgpool64", r.d, p.n, 1e-6, 1e-6);
		safetensors_free(heads);
		formula_weights_release(&backbone);
	}
	pairs_release(&p);
	pairs_release(&small);
	json_decref(json);
}
