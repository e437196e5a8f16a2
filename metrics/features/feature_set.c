/* feature_set.c - see feature_set.h: from pictures to features. The .npz side is feature_file.c. */
#include "metrics/features/feature_set.h"

#include "model/base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void feature_set_release(struct feature_set *f)
{
	for (int k = 0; k < FEATURE_KINDS; k++) {
		float_store_release(&f->store[k]);
		moments_release(&f->moments[k]);
		free(f->mu[k]);
		free(f->sigma[k]);
	}
	free(f->labels);
	free(f->origin);
	*f = (struct feature_set){ 0 };
}

void scoped_feature_set(struct feature_set *f)
{
	feature_set_release(f);
}

/* One batch in flight. */
struct batch {
	const struct image_u8 *images;
	float *out[FEATURE_KINDS];
	int n;
};

/* Kinds whose bit is in `inside` stay in the extractor. */
static void batch_init(struct batch *b, const struct feature_set *f, int cap, unsigned inside)
{
	*b = (struct batch){ 0 };
	for (int k = 0; k < FEATURE_KINDS; k++)
		b->out[k] = f->dim[k] && !(inside & 1u << k) ? xmalloc(sizeof(float) * (size_t)cap * (size_t)f->dim[k]) : NULL;
}

static void batch_release(struct batch *b)
{
	for (int k = 0; k < FEATURE_KINDS; k++)
		free(b->out[k]);
}

/* The pictures' identity. Pictures that are all grey are the same set whether they come in one channel or in three
 * equal ones (an array of grey pictures, and the PNG files made of it): `grey` hashes them in one channel for as long
 * as all were grey, and counts in the end if so. */
struct identity {
	struct sha256 as_is, grey;
	bool all_grey;
};

static void hash_pixels(struct sha256 *hash, int h, int w, int c, const uint8_t *px)
{
	const int32_t shape[3] = { h, w, c };
	sha256_add(hash, shape, sizeof shape);
	sha256_add(hash, px, (size_t)h * (size_t)w * (size_t)c);
}

/* The one channel of a picture of three; false where they differ. */
static bool grey_of(uint8_t *out, const struct image_u8 *im)
{
	for (int64_t p = 0; p < (int64_t)im->h * im->w; p++) {
		const uint8_t *px = im->px + 3 * p;
		if (px[0] != px[1] || px[0] != px[2])
			return false;
		out[p] = px[0];
	}
	return true;
}

static void identity_add(struct identity *id, const struct image_u8 *im)
{
	hash_pixels(&id->as_is, im->h, im->w, im->c, im->px);
	if (!id->all_grey)
		return;
	if (im->c == 1) {
		hash_pixels(&id->grey, im->h, im->w, 1, im->px);
		return;
	}
	SCOPED(free) uint8_t *px = xmalloc((size_t)im->h * (size_t)im->w);
	id->all_grey = im->c == 3 && grey_of(px, im);
	if (id->all_grey)
		hash_pixels(&id->grey, im->h, im->w, 1, px);
}

static int check_finite(const struct feature_set *f, const struct batch *b, const struct source *s, struct err *e)
{
	for (int k = 0; k < FEATURE_KINDS; k++)
		for (int64_t i = 0; b->out[k] && i < (int64_t)b->n * f->dim[k]; i++)
			if (!isfinite(b->out[k][i])) {
				SCOPED(free) char *name = source_item(s, f->n + i / f->dim[k]);
				return err_set(e, "%s: the network gives a value that is not finite; are the weights damaged?", name);
			}
	return 0;
}

static int run_batch(struct feature_set *f, struct batch *b, const struct source *s, struct extractor *x,
                     const struct feature_options *o, struct err *e)
{
	if (x->features(x, b->out[FEATURE_POOL], b->out[FEATURE_LOGITS], b->out[FEATURE_SPATIAL], b->images, b->n, e))
		return err_in(e, "%s", s->path);
	if (check_finite(f, b, s, e))
		return -1;
	for (int k = 0; k < FEATURE_KINDS; k++) {
		if (!b->out[k])
			continue;
		if (f->moments[k].d && !(k == FEATURE_POOL && x->count))
			moments_add(&f->moments[k], b->out[k], b->n);
		if ((o->keep & 1u << k) && float_store_append(&f->store[k], b->out[k], (int64_t)b->n * f->dim[k], e))
			return -1;
	}
	f->n += b->n;
	progress_step(o->progress, f->n);
	return 0;
}

static int run_all(struct feature_set *f, struct batch *b, struct source *s, struct extractor *x,
                   const struct feature_options *o, struct err *e)
{
	struct identity id = { .all_grey = true };
	sha256_init(&id.as_is);
	sha256_init(&id.grey);
	SCOPED(source_ahead) struct source_ahead *ahead = source_ahead_new(s, s->n, x->batch);
	do {
		if (source_ahead_next(ahead, &b->images, &b->n, e))
			return -1;
		for (int i = 0; i < b->n; i++)
			identity_add(&id, &b->images[i]);
		if (b->n && run_batch(f, b, s, x, o, e))
			return -1;
	} while (b->n);
	sha256_hex(f->sha256, id.all_grey ? &id.grey : &id.as_is);
	return 0;
}

/* The moments that the extractor counted. */
static int take_counted(struct feature_set *f, struct extractor *x, struct err *e)
{
	moments_release(&f->moments[FEATURE_POOL]);
	if (x->counted(x, &f->moments[FEATURE_POOL], e))
		return -1;
	const struct moments *m = &f->moments[FEATURE_POOL];
	REQUIRE(m->n == f->n);
	SCOPED(free) double *mean = xcalloc((size_t)m->d, sizeof *mean);
	if (m->n)
		moments_mean(mean, m);
	for (int j = 0; j < m->d; j++)
		if (!isfinite(mean[j]))
			return err_set(e, "%s: the network gives a value that is not finite; are the weights damaged?", f->origin);
	return 0;
}

int feature_set_extract(struct feature_set *out, struct source *s, struct extractor *x, const struct feature_options *o,
                        struct err *e)
{
	SCOPED(feature_set) struct feature_set f = { .origin = xstrdup(s->path) };
	unsigned want = o->want | o->keep | 1u << FEATURE_POOL;
	const int dims[FEATURE_KINDS] = { x->dim, x->logits_dim, x->spatial_dim };
	for (int k = 0; k < FEATURE_KINDS; k++) {
		f.dim[k] = want & 1u << k ? dims[k] : 0;
		if (f.dim[k] && k != FEATURE_LOGITS)
			moments_init(&f.moments[k], f.dim[k]);
	}
	protocol_features(f.protocol, x, o->pixels ? o->pixels : s->mixed_sizes ? "u8-mixed" : "u8");
	struct batch b;
	if (x->count && x->count(x, e))
		return -1;
	batch_init(&b, &f, x->batch, x->count && !(o->keep & 1u << FEATURE_POOL) ? 1u << FEATURE_POOL : 0);
	int bad = run_all(&f, &b, s, x, o, e) || (x->count && take_counted(&f, x, e)) || (x->finish && x->finish(x, e));
	batch_release(&b);
	if (bad)
		return -1;
	*out = f;
	f = (struct feature_set){ 0 };
	return 0;
}

static const char *const kind_names[FEATURE_KINDS] = { "features", "class scores", "spatial features" };

int feature_set_floats(const float **out, struct feature_set *f, enum feature_kind kind, struct err *e)
{
	if (f->mu[FEATURE_POOL])
		return err_set(e, "%s: statistics alone; this score needs the %s of each image", f->origin, kind_names[kind]);
	if (!f->dim[kind] || f->store[kind].n == 0)
		return err_set(e, "%s: has no %s%s", f->origin, kind_names[kind],
		               f->dim[FEATURE_POOL] ? " (its extractor gives none, or they were not kept)" : "");
	return float_store_get(out, &f->store[kind], e);
}

const char *feature_set_sha256(const struct feature_set *f, enum feature_kind kind)
{
	return kind == FEATURE_SPATIAL && f->sha256_spatial[0] ? f->sha256_spatial : f->sha256;
}

int feature_set_side(struct fid_side *out, struct feature_set *f, enum feature_kind kind, struct err *e)
{
	if (f->mu[kind])
		return fid_side_of_rounded(out, f->mu[kind], f->sigma[kind], f->dim[kind], f->n, f->unit[kind], f->origin, e);
	if (!f->moments[kind].d)
		return err_set(e, "%s: has no %s", f->origin, kind_names[kind]);
	return fid_side_of_moments(out, &f->moments[kind], f->origin, e);
}

int feature_set_check_pair(const struct feature_set *a, const struct feature_set *b, struct err *e)
{
	if (protocol_check(a->protocol, a->origin, b->protocol, b->origin, e))
		return -1;
	if (a->dim[FEATURE_POOL] != b->dim[FEATURE_POOL])
		return err_code(e, EXIT_RECORD, "%s has features of %d dimensions and %s of %d: not from the same extractor",
		                a->origin, a->dim[FEATURE_POOL], b->origin, b->dim[FEATURE_POOL]);
	return 0;
}
