/* score_add.c - see score_add.h. */
#include "metrics/scores/score_add.h"

#include "metrics/math/jackknife.h"

#include <math.h>
#include <stdio.h>

_Static_assert(2 * JACKKNIFE_BLOCKS == 40, "SCORE_TOO_FEW says 40");

struct score *score_add(struct score_list *out, const char *name, const char *protocol_name, const struct metric *m,
                        const struct feature_set *a, const struct feature_set *b, enum feature_kind kind, double value,
                        double half)
{
	REQUIRE(out->n < SCORES_MAX);
	struct score *s = &out->v[out->n++];
	*s = (struct score){ .value = value, .half = half, .n = a->n, .better = m->better };
	(void)snprintf(s->name, sizeof s->name, "%s", name);
	const char *features = b ? protocol_of_both(a->protocol, b->protocol) : a->protocol;
	protocol_text_of(s->protocol, protocol_name, features, a->n, a->drawn, b ? feature_set_sha256(b, kind) : NULL);
	return s;
}

void score_spread(struct score *s, const char *is, const char *none)
{
	s->half_text = isnan(s->half) ? none : is;
}

void score_add_part(struct score *s, const char *name, double value)
{
	REQUIRE(s->n_parts < (int)(sizeof s->part / sizeof *s->part));
	s->part[s->n_parts].name = name;
	s->part[s->n_parts++].value = value;
}

int score_floats_of_both(const float **x, const float **y, struct feature_set *a, struct feature_set *b, struct err *e)
{
	return feature_set_floats(x, a, FEATURE_POOL, e) || feature_set_floats(y, b, FEATURE_POOL, e) ? -1 : 0;
}

void score_warn_of_size(struct score *s, int64_t n, int d, const char *origin)
{
	if (s->warning[0] || n == 0 || n >= 10 * (int64_t)d)
		return;
	if (n <= d)
		(void)snprintf(
			s->warning, sizeof s->warning,
			"%s: %lld images in %d dimensions: the covariance has rank %lld and the distance is far above its limit "
			"for many images; compare it only with numbers at the same n, or look at kid",
			origin, (long long)n, d, (long long)n - 1);
	else
		(void)snprintf(
			s->warning, sizeof s->warning,
			"%s: %lld images are few for %d dimensions: the distance is biased upwards roughly as 1/n; compare it "
			"only with numbers at the same n, or look at fid_infinity",
			origin, (long long)n, d);
}
