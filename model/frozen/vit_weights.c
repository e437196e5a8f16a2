/* vit_weights.c - see vit_weights.h. Scales per channel are folded into the layer before them in double and rounded
 * once. */
#include "model/frozen/vit_weights.h"

#include "model/base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the tensors of a file ------------------------------------------------------------------- */

enum extent { END, ONE, RGB, PATCH, WIDTH, QKV, MLP, DIM, ROWS };

enum tensor_of {
	T_CLASS,
	T_POSITIONS,
	T_PATCH,
	T_PATCH_BIAS,
	T_PRE,
	T_PRE_BIAS,
	T_NORM1, /* the first of a block */
	T_NORM1_BIAS,
	T_QKV,
	T_QKV_BIAS,
	T_PROJ,
	T_PROJ_BIAS,
	T_SCALE1,
	T_NORM2,
	T_NORM2_BIAS,
	T_FC1,
	T_FC1_BIAS,
	T_FC2,
	T_FC2_BIAS,
	T_SCALE2, /* the last of a block */
	T_NORM,
	T_NORM_BIAS,
	T_OUT,
	N_TENSORS
};

/* Names as in facebookresearch/dinov2 (dinov2/models/vision_transformer.py) and openai/CLIP (clip/model.py). */
static const struct {
	const char *name[VIT_FAMILIES];    /* NULL: this family has none */
	enum extent dims[4], clip_dims[4]; /* the latter where they differ */
} tensors[N_TENSORS] = {
	[T_CLASS] = { .name = { "cls_token", "visual.class_embedding" },
	              .dims = { ONE, ONE, WIDTH },
	              .clip_dims = { WIDTH } },
	[T_POSITIONS] = { .name = { "pos_embed", "visual.positional_embedding" },
	                  .dims = { ONE, ROWS, WIDTH },
	                  .clip_dims = { ROWS, WIDTH } },
	[T_PATCH] = { .name = { "patch_embed.proj.weight", "visual.conv1.weight" }, .dims = { WIDTH, RGB, PATCH, PATCH } },
	[T_PATCH_BIAS] = { .name = { "patch_embed.proj.bias", NULL }, .dims = { WIDTH } },
	[T_PRE] = { .name = { NULL, "visual.ln_pre.weight" }, .dims = { WIDTH } },
	[T_PRE_BIAS] = { .name = { NULL, "visual.ln_pre.bias" }, .dims = { WIDTH } },
	[T_NORM1] = { .name = { "norm1.weight", "ln_1.weight" }, .dims = { WIDTH } },
	[T_NORM1_BIAS] = { .name = { "norm1.bias", "ln_1.bias" }, .dims = { WIDTH } },
	[T_QKV] = { .name = { "attn.qkv.weight", "attn.in_proj_weight" }, .dims = { QKV, WIDTH } },
	[T_QKV_BIAS] = { .name = { "attn.qkv.bias", "attn.in_proj_bias" }, .dims = { QKV } },
	[T_PROJ] = { .name = { "attn.proj.weight", "attn.out_proj.weight" }, .dims = { WIDTH, WIDTH } },
	[T_PROJ_BIAS] = { .name = { "attn.proj.bias", "attn.out_proj.bias" }, .dims = { WIDTH } },
	[T_SCALE1] = { .name = { "ls1.gamma", NULL }, .dims = { WIDTH } },
	[T_NORM2] = { .name = { "norm2.weight", "ln_2.weight" }, .dims = { WIDTH } },
	[T_NORM2_BIAS] = { .name = { "norm2.bias", "ln_2.bias" }, .dims = { WIDTH } },
	[T_FC1] = { .name = { "mlp.fc1.weight", "mlp.c_fc.weight" }, .dims = { MLP, WIDTH } },
	[T_FC1_BIAS] = { .name = { "mlp.fc1.bias", "mlp.c_fc.bias" }, .dims = { MLP } },
	[T_FC2] = { .name = { "mlp.fc2.weight", "mlp.c_proj.weight" }, .dims = { WIDTH, MLP } },
	[T_FC2_BIAS] = { .name = { "mlp.fc2.bias", "mlp.c_proj.bias" }, .dims = { WIDTH } },
	[T_SCALE2] = { .name = { "ls2.gamma", NULL }, .dims = { WIDTH } },
	[T_NORM] = { .name = { "norm.weight", "visual.ln_post.weight" }, .dims = { WIDTH } },
	[T_NORM_BIAS] = { .name = { "norm.bias", "visual.ln_post.bias" }, .dims = { WIDTH } },
	[T_OUT] = { .name = { NULL, "visual.proj" }, .dims = { WIDTH, DIM } },
};

static bool in_block(enum tensor_of t)
{
	return t >= T_NORM1 && t <= T_SCALE2;
}

/* Name and shape of a tensor; false where the family has none. */
static bool describe(const struct vit_spec *s, enum tensor_of t, int block, char name[96], int *n_dims, int64_t *dims)
{
	static const char *const prefix[VIT_FAMILIES] = { "blocks", "visual.transformer.resblocks" };
	const int64_t extents[] = { 0,        1,        3,
		                        s->patch, s->width, 3 * (int64_t)s->width,
		                        s->mlp,   s->dim,   1 + (int64_t)s->table * s->table };
	const char *own = tensors[t].name[s->family];
	if (!own)
		return false;
	if (in_block(t))
		(void)snprintf(name, 96, "%s.%d.%s", prefix[s->family], block, own);
	else
		(void)snprintf(name, 96, "%s", own);
	bool other = s->family == VIT_CLIP && tensors[t].clip_dims[0] != END;
	const enum extent *d = other ? tensors[t].clip_dims : tensors[t].dims;
	for (*n_dims = 0; *n_dims < 4 && d[*n_dims] != END; (*n_dims)++)
		dims[*n_dims] = extents[d[*n_dims]];
	return true;
}

bool vit_weight(const struct vit_spec *s, int i, char name[96], int *n_dims, int64_t dims[ST_MAX_DIMS])
{
	int at = 0;
	for (int t = 0; t < N_TENSORS; t++) {
		if (!tensors[t].name[s->family])
			continue;
		int repeats = in_block((enum tensor_of)t) ? s->blocks : 1;
		if (i < at + repeats)
			return describe(s, (enum tensor_of)t, i - at, name, n_dims, dims);
		at += repeats;
	}
	return false;
}

/* ---- loading --------------------------------------------------------------------------------- */

struct loader {
	const struct vit_spec *s;
	const struct safetensors *st;
	struct vit_weights *to;
};

/* A tensor's values on the heap, *out NULL where the family has none. */
static int read(float **out, const struct loader *l, enum tensor_of t, int block, struct err *e)
{
	char name[96];
	int n_dims;
	int64_t dims[4];
	const struct st_tensor *found;
	*out = NULL;
	if (!describe(l->s, t, block, name, &n_dims, dims))
		return 0;
	if (safetensors_need(&found, l->st, name, n_dims, dims, e))
		return -1;
	*out = xaligned(st_count(found) * sizeof **out);
	st_to_f32(*out, found);
	return 0;
}

static void part_name(char name[32], enum vit_part part, int block)
{
	(void)snprintf(name, 32, "%d.%d", (int)part, block);
}

const struct param *vit_weights_part(const struct vit_weights *w, enum vit_part part, int block)
{
	char name[32];
	part_name(name, part, block);
	return params_find(w->params, name);
}

static float *place(const struct loader *l, enum vit_part part, int block)
{
	const struct param *p = vit_weights_part(l->to, part, block);
	REQUIRE(p);
	return l->to->values + p->at;
}

/* [width][3][patch][patch] -> [width][patch][patch][3] */
static int load_patch(const struct loader *l, struct err *e)
{
	SCOPED(free) float *w = NULL;
	if (read(&w, l, T_PATCH, 0, e))
		return -1;
	float *dst = place(l, VIT_PATCH, 0);
	size_t area = (size_t)l->s->patch * (size_t)l->s->patch;
	for (size_t o = 0; o < (size_t)l->s->width; o++)
		for (size_t k = 0; k < 3; k++)
			for (size_t i = 0; i < area; i++)
				dst[(o * area + i) * 3 + k] = w[(o * 3 + k) * area + i];
	return 0;
}

static int load_table(const struct loader *l, struct err *e)
{
	SCOPED(free) float *class = NULL, *positions = NULL;
	if (read(&class, l, T_CLASS, 0, e) || read(&positions, l, T_POSITIONS, 0, e))
		return -1;
	float *dst = place(l, VIT_TABLE, 0);
	vit_resize_table(dst, l->s->side / l->s->patch, positions, l->s->table, l->s->width);
	for (int c = 0; c < l->s->width; c++)
		dst[c] += class[c];
	return 0;
}

/* Rows {q, k, v}, then head and channel -> head and channel, then {q, k, v}; n values a row. */
static int load_qkv(const struct loader *l, enum vit_part part, enum tensor_of t, int block, size_t n, struct err *e)
{
	SCOPED(free) float *w = NULL;
	if (read(&w, l, t, block, e))
		return -1;
	float *dst = place(l, part, block);
	size_t width = (size_t)l->s->width;
	for (size_t which = 0; which < 3; which++)
		for (size_t c = 0; c < width; c++)
			memcpy(dst + (c * 3 + which) * n, w + (which * width + c) * n, n * sizeof *dst);
	return 0;
}

/* width rows of n values, each times its scale. */
static int load_scaled(const struct loader *l, enum vit_part part, enum tensor_of t, enum tensor_of scale, int block,
                       size_t n, struct err *e)
{
	SCOPED(free) float *w = NULL, *by = NULL;
	if (read(&w, l, t, block, e) || read(&by, l, scale, block, e))
		return -1;
	float *dst = place(l, part, block);
	for (size_t i = 0; i < (size_t)l->s->width * n; i++)
		dst[i] = by ? (float)((double)w[i] * (double)by[i / n]) : w[i];
	return 0;
}

static int load_plain(const struct loader *l, enum vit_part part, enum tensor_of t, int block, struct err *e)
{
	SCOPED(free) float *w = NULL;
	if (read(&w, l, t, block, e))
		return -1;
	if (w)
		memcpy(place(l, part, block), w, vit_weights_part(l->to, part, block)->count * sizeof *w);
	return 0;
}

static int load_block(const struct loader *l, int i, struct err *e)
{
	size_t width = (size_t)l->s->width, mlp = (size_t)l->s->mlp;
	static const struct {
		enum vit_part part;
		enum tensor_of from;
	} plain[] = { { VIT_NORM1_WEIGHT, T_NORM1 },
		          { VIT_NORM1_BIAS, T_NORM1_BIAS },
		          { VIT_NORM2_WEIGHT, T_NORM2 },
		          { VIT_NORM2_BIAS, T_NORM2_BIAS },
		          { VIT_FC1, T_FC1 },
		          { VIT_FC1_BIAS, T_FC1_BIAS } };
	for (size_t k = 0; k < sizeof plain / sizeof *plain; k++)
		if (load_plain(l, plain[k].part, plain[k].from, i, e))
			return -1;
	return load_qkv(l, VIT_QKV, T_QKV, i, width, e) || load_qkv(l, VIT_QKV_BIAS, T_QKV_BIAS, i, 1, e) ||
	               load_scaled(l, VIT_PROJ, T_PROJ, T_SCALE1, i, width, e) ||
	               load_scaled(l, VIT_PROJ_BIAS, T_PROJ_BIAS, T_SCALE1, i, 1, e) ||
	               load_scaled(l, VIT_FC2, T_FC2, T_SCALE2, i, mlp, e) ||
	               load_scaled(l, VIT_FC2_BIAS, T_FC2_BIAS, T_SCALE2, i, 1, e)
	           ? -1
	           : 0;
}

static void add(struct params *p, enum vit_part part, int block, int64_t rows, int64_t columns)
{
	char name[32];
	part_name(name, part, block);
	(void)params_add(p, name, columns ? 2 : 1, (int64_t[]){ rows, columns }, INIT_ZERO, 1, 1, 1);
}

static struct params *list(const struct vit_spec *s)
{
	struct params *p = params_new();
	int64_t width = s->width, mlp = s->mlp, tokens = s->side / s->patch;
	const struct {
		int64_t rows, columns;
	} shape[VIT_N_PARTS] = {
		[VIT_PATCH] = { width, (int64_t)s->patch * s->patch * 3 },
		[VIT_PATCH_BIAS] = { s->family == VIT_DINOV2 ? width : 0, 0 },
		[VIT_TABLE] = { 1 + tokens * tokens, width },
		[VIT_PRE_WEIGHT] = { s->family == VIT_CLIP ? width : 0, 0 },
		[VIT_PRE_BIAS] = { s->family == VIT_CLIP ? width : 0, 0 },
		[VIT_NORM1_WEIGHT] = { width, 0 },
		[VIT_NORM1_BIAS] = { width, 0 },
		[VIT_QKV] = { 3 * width, width },
		[VIT_QKV_BIAS] = { 3 * width, 0 },
		[VIT_PROJ] = { width, width },
		[VIT_PROJ_BIAS] = { width, 0 },
		[VIT_NORM2_WEIGHT] = { width, 0 },
		[VIT_NORM2_BIAS] = { width, 0 },
		[VIT_FC1] = { mlp, width },
		[VIT_FC1_BIAS] = { mlp, 0 },
		[VIT_FC2] = { width, mlp },
		[VIT_FC2_BIAS] = { width, 0 },
	};
	for (int k = 0; k < VIT_N_PARTS; k++)
		for (int i = 0; shape[k].rows && i < (k < VIT_NORM1_WEIGHT ? 1 : s->blocks); i++)
			add(p, (enum vit_part)k, i, shape[k].rows, shape[k].columns);
	return p;
}

int vit_weights_load(struct vit_weights *out, const struct vit_spec *s, const struct safetensors *st, struct err *e)
{
	struct vit_weights w = { .params = list(s) };
	w.values = xaligned(params_floats(w.params) * sizeof *w.values);
	struct loader l = { s, st, &w };
	int rc = load_patch(&l, e) || load_plain(&l, VIT_PATCH_BIAS, T_PATCH_BIAS, 0, e) || load_table(&l, e) ||
	                 load_plain(&l, VIT_PRE_WEIGHT, T_PRE, 0, e) || load_plain(&l, VIT_PRE_BIAS, T_PRE_BIAS, 0, e)
	             ? -1
	             : 0;
	for (int i = 0; rc == 0 && i < s->blocks; i++)
		rc = load_block(&l, i, e);
	if (rc == 0 &&
	    (read(&w.norm, &l, T_NORM, 0, e) || read(&w.norm_bias, &l, T_NORM_BIAS, 0, e) || read(&w.out, &l, T_OUT, 0, e)))
		rc = -1;
	if (rc)
		vit_weights_release(&w);
	else
		*out = w;
	return rc;
}

void vit_weights_release(struct vit_weights *w)
{
	params_free(w->params);
	free(w->values);
	free(w->norm);
	free(w->norm_bias);
	free(w->out);
	*w = (struct vit_weights){ 0 };
}

/* ---- positions ------------------------------------------------------------------------------- */

/* Keys' cubic convolution at distance x, a = -3/4. */
static double cubic(double x)
{
	const double a = -0.75;
	x = fabs(x);
	if (x <= 1)
		return ((a + 2) * x - (a + 3)) * x * x + 1;
	return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

/* The four rows that make output o, edges repeated, and their weights. */
static void taps_of(int at[4], double w[4], int o, int from, int to)
{
	double source = (o + 0.5) * (from / (to + 0.1)) - 0.5;
	int first = (int)floor(source) - 1;
	for (int k = 0; k < 4; k++) {
		at[k] = first + k < 0 ? 0 : first + k >= from ? from - 1 : first + k;
		w[k] = cubic(source - (first + k));
	}
}

void vit_resize_table(float *dst, int to, const float *src, int from, int c)
{
	size_t row = (size_t)c;
	if (to == from) {
		memcpy(dst, src, (1 + (size_t)to * (size_t)to) * row * sizeof *dst);
		return;
	}
	memcpy(dst, src, row * sizeof *dst);
	for (int y = 0; y < to; y++)
		for (int x = 0; x < to; x++) {
			int rows[4], columns[4];
			double v[4], u[4];
			taps_of(rows, v, y, from, to);
			taps_of(columns, u, x, from, to);
			for (size_t k = 0; k < row; k++) {
				double sum = 0;
				for (int i = 0; i < 4; i++)
					for (int j = 0; j < 4; j++)
						sum += v[i] * u[j] *
						       (double)src[(1 + (size_t)rows[i] * (size_t)from + (size_t)columns[j]) * row + k];
				dst[(1 + (size_t)y * (size_t)to + (size_t)x) * row + k] = (float)sum;
			}
		}
}
