/* feature_set.h - what is known about one side of a comparison: the features of pictures, or only their mean and
 * covariance.
 *
 * It comes from pictures through an extractor (one pass, whatever the scores), from an .npz of features that we wrote,
 * or from an .npz of statistics as pytorch-fid and clean-fid write them (mu, sigma) and guided-diffusion too (with mu_s
 * and sigma_s of the spatial features, beside pictures: evaluations/evaluator.py). Features beyond a certain size are
 * kept in a temporary file, so memory does not grow with the number of pictures. Our .npz holds, besides `features`
 * (and `logits`, `spatial` where the extractor has them), mu and sigma too, so pytorch-fid reads it as its own. */
#ifndef ABLATE_FEATURE_SET_H
#define ABLATE_FEATURE_SET_H

#include "metrics/distances/fid.h"
#include "metrics/features/float_store.h"
#include "model/base/progress.h"
#include "metrics/features/protocol.h"
#include "metrics/sources/sources.h"

enum feature_kind { FEATURE_POOL, FEATURE_LOGITS, FEATURE_SPATIAL, FEATURE_KINDS };

struct feature_set {
	char *origin;                 /* path, for messages */
	char protocol[PROTOCOL_TEXT]; /* of its features; "" = unknown */
	/* Of the pictures (size and bytes, in order; all grey: of one channel); where these are unknown, of the floats of
	 * POOL, or of its mu and sigma. */
	char sha256[SHA256_HEX];
	/* Of the floats, or of mu and sigma, of SPATIAL, where sha256 does not stand for them, too; else "". */
	char sha256_spatial[SHA256_HEX];
	int64_t n;                  /* pictures; 0 = unknown (statistics made elsewhere) */
	char drawn[PROTOCOL_DRAWN]; /* how they were drawn from more (protocol_drawn); "" = they are all */
	int dim[FEATURE_KINDS];     /* 0 = absent */
	struct float_store store[FEATURE_KINDS];
	struct moments moments[FEATURE_KINDS]; /* POOL and SPATIAL; empty for statistics */
	/* Statistics alone, of POOL and perhaps of SPATIAL: [d], [d, d] with d = dim[kind]; else NULL. */
	double *mu[FEATURE_KINDS], *sigma[FEATURE_KINDS];
	double unit[FEATURE_KINDS]; /* what the elements of sigma were rounded to: 2^-53, 2^-24, 2^-11 */
	int32_t *labels;            /* heap, [n]: classes as numbers, to be saved beside the features; NULL = none */
};

void feature_set_release(struct feature_set *f);
void scoped_feature_set(struct feature_set *f);

struct feature_options {
	unsigned keep;             /* bits 1 << FEATURE_*: whose floats are stored; moments are always counted */
	unsigned want;             /* bits: what is extracted at all; FEATURE_POOL always is */
	const char *pixels;        /* NULL = "u8", or "u8-mixed" of a source that is read so */
	struct progress *progress; /* may be NULL; counts pictures of this set */
};

/* All pictures of s through x, in one pass. */
MUST_CHECK int feature_set_extract(struct feature_set *out, struct source *s, struct extractor *x,
                                   const struct feature_options *o, struct err *e);
/* Is this an .npz of features or statistics (rather than of pictures)? False for anything unreadable. */
bool feature_set_is(const char *path);
MUST_CHECK int feature_set_load(struct feature_set *out, const char *path, struct err *e);
/* The same for a path that may be anything, opened once: what it holds is loaded where that is features or statistics,
 * alone or beside pictures. *out is untouched for CONTENT_OTHER, be it unreadable. */
enum feature_content { CONTENT_OTHER, CONTENT_FEATURES, CONTENT_BESIDE };
MUST_CHECK int feature_set_find(struct feature_set *out, enum feature_content *content, const char *path,
                                struct err *e);
/* mu, sigma (mu_s, sigma_s where spatial features were extracted), n, protocol, sha256; with_features: features, logits
 * and spatial too (they must have been kept), and labels. */
MUST_CHECK int feature_set_save(struct feature_set *f, const char *path, bool with_features, struct err *e);
/* The floats of a kind [n, dim]: an error that names the set when it has none. */
MUST_CHECK int feature_set_floats(const float **out, struct feature_set *f, enum feature_kind kind, struct err *e);
/* What a distance of that kind is recorded to be from: the pictures, the features, or the mean and covariance. */
const char *feature_set_sha256(const struct feature_set *f, enum feature_kind kind);
/* Are these features of one protocol and of as many dimensions? EXIT_RECORD where they are not. */
MUST_CHECK int feature_set_check_pair(const struct feature_set *a, const struct feature_set *b, struct err *e);
/* Mean and factor for FID (POOL) or sFID (SPATIAL). */
MUST_CHECK int feature_set_side(struct fid_side *out, struct feature_set *f, enum feature_kind kind, struct err *e);

#endif
