/* net_weights.c - see net_weights.h. */
#include "model/nets/net_weights.h"

#include "model/base/mem.h"
#include "model/formats/weights_file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A layer that every network has: its name in a naming shows whether a file uses it, and with which prefix. */
#define PROBE "map_layer0.weight"

enum { PREFIX_MAX = 64 };

/* Lower is better: averaged weights, then names without a prefix, then the shortest prefix. */
static size_t rank_of(const char *prefix)
{
	return strstr(prefix, "ema") ? 0 : 1 + strlen(prefix);
}

static bool find_prefix(char prefix[PREFIX_MAX], const struct safetensors *st, const char *probe)
{
	bool found = false;
	size_t n = strlen(probe);
	for (size_t i = 0; i < st->n_tensors; i++) {
		const char *name = st->tensors[i].name;
		size_t len = strlen(name), before = len - n;
		if (len < n || before >= PREFIX_MAX || strcmp(name + before, probe) != 0 || (before && name[before - 1] != '.'))
			continue;
		char candidate[PREFIX_MAX] = "";
		memcpy(candidate, name, before);
		if (!found || rank_of(candidate) < rank_of(prefix))
			memcpy(prefix, candidate, PREFIX_MAX);
		found = true;
	}
	return found;
}

static int find_naming(enum net_naming *out, char prefix[PREFIX_MAX], const struct params *p,
                       const struct safetensors *st, struct err *e)
{
	struct net_source probe[N_NAMINGS];
	int at = 0;
	while (strcmp(params_get(p, at)->name, PROBE) != 0)
		at++;
	for (int k = 0; k < N_NAMINGS; k++) {
		*out = (enum net_naming)k;
		if (net_source_of(&probe[k], *out, p, at) && find_prefix(prefix, st, probe[k].name[0]))
			return 0;
	}
	return err_set(
		e, "%s: not the weights of a known network: it holds neither %s (EDM) nor %s (OpenAI) nor %s (diffusers)",
		st->path, probe[0].name[0], probe[1].name[0], probe[2].name[0]);
}

/* Equal extents, but for ones at the end: a 1x1 convolution may be stored as a matrix. */
static bool fits(const struct st_tensor *t, const int64_t dims[ST_MAX_DIMS], int n)
{
	for (int i = 0; i < ST_MAX_DIMS; i++)
		if ((i < t->n_dims ? t->dims[i] : 1) != (i < n ? dims[i] : 1))
			return false;
	return true;
}

/* diffusers named the layers of its attention differently until 2023. */
static const struct st_tensor *find_old_name(const struct safetensors *st, const char *name)
{
	static const char *const renamed[][2] = {
		{ ".to_q.", ".query." }, { ".to_k.", ".key." }, { ".to_v.", ".value." }, { ".to_out.0.", ".proj_attn." }
	};
	for (size_t i = 0; i < sizeof renamed / sizeof *renamed; i++) {
		const char *at = strstr(name, renamed[i][0]);
		if (at) {
			SCOPED(free)
			char *old = xstrfmt("%.*s%s%s", (int)(at - name), name, renamed[i][1], at + strlen(renamed[i][0]));
			return safetensors_find(st, old);
		}
	}
	return NULL;
}

struct reading {
	const struct params *p;
	const struct safetensors *st;
	enum net_naming naming;
	char prefix[PREFIX_MAX];
	float *scratch;
	struct err *e;
};

/* Value i of part k of n as it lies there belongs at the returned place of ours. */
static size_t place(const struct net_source *s, const struct param *q, int k, size_t i)
{
	size_t rows = (size_t)q->dims[0], row = q->count / rows;
	if (s->transposed)
		return i % rows * row + i / rows;
	if (s->n == 3)
		return (3 * (i / row) + (size_t)k) * row + i % row;
	if (s->qkv_blocks) {
		size_t third = rows / 3, r = i / row;
		return (3 * (r % third) + r / third) * row + i % row;
	}
	return i;
}

/* dst NULL: only looks whether it is there. */
static int read_part(float *dst, struct reading *r, const struct param *q, const struct net_source *s, int k)
{
	SCOPED(free) char *name = xstrfmt("%s%s", r->prefix, s->name[k]);
	const struct st_tensor *t = safetensors_find(r->st, name);
	if (!t)
		t = find_old_name(r->st, name);
	if (!t && !q->trained)
		return 0;
	if (!t)
		return err_set(r->e, "%s: tensor %s is missing (it would be %s here)", r->st->path, name, q->name);
	int64_t dims[ST_MAX_DIMS] = { q->dims[0] / s->n, q->dims[1], q->dims[2], q->dims[3] };
	if (s->transposed)
		dims[0] = q->dims[1], dims[1] = q->dims[0];
	if (!fits(t, dims, q->ndim)) {
		char have[192], want[192];
		struct st_tensor shape = { .n_dims = q->ndim };
		memcpy(shape.dims, dims, sizeof dims);
		return err_set(r->e, "%s: %s is %s, but the network of this config needs %s", r->st->path, name,
		               st_shape_text(have, t), st_shape_text(want, &shape));
	}
	if (!dst)
		return 0;
	st_to_f32(r->scratch, t);
	for (size_t i = 0; i < q->count / (size_t)s->n; i++) {
		if (!isfinite(r->scratch[i]))
			return err_set(r->e, "%s: %s: value %zu is not finite", r->st->path, name, i);
		dst[place(s, q, k, i)] = r->scratch[i];
	}
	return 0;
}

/* values NULL: as read_part's dst. */
static int read_all(float *values, const struct params *p, const struct safetensors *st, enum net_naming *naming,
                    struct err *e)
{
	struct reading r = { .p = p, .st = st, .e = e };
	if (find_naming(&r.naming, r.prefix, p, st, e))
		return -1;
	size_t largest = 0;
	for (int i = 0; i < params_count(p); i++)
		largest = params_get(p, i)->count > largest ? params_get(p, i)->count : largest;
	SCOPED(free) float *scratch = r.scratch = xcalloc(largest, sizeof *scratch);
	for (int i = 0; i < params_count(p); i++) {
		const struct param *q = params_get(p, i);
		struct net_source s;
		if (!net_source_of(&s, r.naming, p, i))
			return err_set(e, "%s: its names are %s, which have no name for %s: this network cannot start from it",
			               st->path, net_naming_name(r.naming), q->name);
		for (int k = 0; k < s.n; k++)
			if (read_part(values ? values + q->at : NULL, &r, q, &s, k))
				return -1;
	}
	if (naming)
		*naming = r.naming;
	return 0;
}

int net_weights_read(float *values, const struct params *p, const struct safetensors *st, enum net_naming *naming,
                     struct err *e)
{
	REQUIRE(values);
	return read_all(values, p, st, naming, e);
}

int net_weights_load(float *values, const struct params *p, const char *setting, struct err *e)
{
	SCOPED(free) char *path = weights_file_path(setting);
	SCOPED(weights_file) struct weights_file *file = NULL;
	return weights_file_open(&file, path, e) || net_weights_read(values, p, file->st, NULL, e) ? -1 : 0;
}

int net_weights_check(const struct params *p, const char *setting, struct err *e)
{
	SCOPED(free) char *path = weights_file_path(setting);
	SCOPED(weights_file) struct weights_file *file = NULL;
	return weights_file_open(&file, path, e) || read_all(NULL, p, file->st, NULL, e) ? -1 : 0;
}
