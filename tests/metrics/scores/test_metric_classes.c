/* test_metric_classes.c - FID class by class: against a closed form, against the distance of each class by itself, and
 * what labels have to do with it. */
#include "metrics/scores/metric_classes.h"
#include "model/base/mem.h"
#include "model/base/rng.h"
#include "tests/common/ok.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct err e;

enum { D = 3, CLASSES = 2 };

static struct feature_set set_of(const char *name, const float *x, int64_t n)
{
	struct feature_set f = { .origin = xstrdup(name), .n = n, .dim = { D }, .protocol = "x:none:u8" };
	(void)snprintf(f.sha256, sizeof f.sha256, "%s23456789abcdef", name);
	OK(float_store_append(&f.store[FEATURE_POOL], x, n * D, &e));
	return f;
}

static struct class_labels labels_of(int64_t n, int32_t (*of)(int64_t i))
{
	struct class_labels l;
	class_labels_init(&l, n);
	for (int64_t i = 0; i < n; i++)
		l.of[i] = of(i);
	return l;
}

static int32_t by_parity(int64_t i)
{
	return (int32_t)(i % CLASSES);
}

static int32_t by_thirds(int64_t i)
{
	return i % 3 == 0;
}

/* As many of each class as by parity, in the set of MANY. */
static int32_t by_halves(int64_t i)
{
	return i >= 750;
}

/* mean + s on each axis and mean - s on each: their mean is exactly that, their covariance 2 s^2 / (n - 1) on the
 * diagonal. Both classes, picture by picture in turn. */
static void crosses(float x[2 * CLASSES * D][D], const double mean[CLASSES], const double s[CLASSES])
{
	for (int i = 0; i < 2 * CLASSES * D; i++) {
		int k = i % CLASSES, axis = i / CLASSES % D, sign = i / CLASSES / D ? 1 : -1;
		for (int j = 0; j < D; j++)
			x[i][j] = (float)(mean[k] + (j == axis ? sign * s[k] : 0));
	}
}

static struct class_scores scores_of(struct feature_set *a, struct feature_set *b, int32_t (*of)(int64_t i))
{
	struct class_scores s;
	struct metric_options o = METRIC_OPTIONS;
	SCOPED(class_match) struct class_match m = { 0 };
	SCOPED(class_labels) struct class_labels x = labels_of(a->n, of), y = labels_of(b->n, of);
	OK(class_match_find(&m, &x, a->origin, &y, b->origin, &e));
	OK(metric_classes(&s, &m, a, b, &o, &e));
	for (int k = 0; k < s.n; k++)
		s.v[k].name = NULL; /* the match's, which ends here */
	return s;
}

Test(metric_classes, two_crosses_have_a_closed_form)
{
	static const double mean[2][CLASSES] = { { 1, -2 }, { 1.5, 4 } }, spread[2][CLASSES] = { { 1, 2 }, { 3, 2.5 } };
	enum { N = 2 * CLASSES * D, EACH = N / CLASSES };
	float x[N][D], y[N][D];
	double sum = 0;
	crosses(x, mean[0], spread[0]);
	crosses(y, mean[1], spread[1]);
	SCOPED(feature_set) struct feature_set a = set_of("a", x[0], N), b = set_of("b", y[0], N);
	struct class_scores s = scores_of(&a, &b, by_parity);
	cr_assert_eq(s.n, CLASSES);
	for (int k = 0; k < CLASSES; k++) {
		double scale = sqrt(2.0 / (EACH - 1)), m = mean[0][k] - mean[1][k], sd = scale * (spread[0][k] - spread[1][k]),
			   want = D * (m * m + sd * sd);
		cr_expect(fabs(s.v[k].value - want) <= 1e-12 * want, "%.17g, want %.17g", s.v[k].value, want);
		cr_expect(s.v[k].n == EACH && s.v[k].n_reference == EACH && isnan(s.v[k].half));
		sum += s.v[k].value;
	}
	cr_expect_float_eq(s.mean.value, sum / CLASSES, 1e-15 * sum);
	cr_expect_str_eq(s.mean.name, "fid_per_class_mean");
	cr_expect(strncmp(s.mean.protocol, "fid_per_class(2):x:none:u8:n12:ref=b23456789abc:classes=", 56) == 0, "%s",
	          s.mean.protocol);
	cr_expect(s.mean.n == N && isnan(s.mean.half) && s.mean.better < 0);
	class_scores_release(&s);
}

/* More vectors than a block of moments has, so that sums and their order count. */
enum { MANY = 1500 };
static float *normals(uint64_t seed)
{
	float *x = xmalloc(sizeof *x * MANY * D);
	for (uint64_t i = 0; i < (uint64_t)MANY * D; i++)
		x[i] = (float)((double)rng_permute(i, (uint64_t)MANY * D, seed, RNG_EVAL, 0) / 1000 + (double)(i % 7));
	return x;
}

static double alone(struct class_members *of, const float *x, const float *y, int k, double *half)
{
	struct fid_side side[2];
	const float *from[2] = { x, y };
	SCOPED(free) float *own = xmalloc(sizeof *own * MANY * D);
	struct fid_result r;
	for (int s = 1; s >= 0; s--) { /* the first set last: its vectors stay */
		SCOPED(moments) struct moments m = { 0 };
		moments_init(&m, D);
		for (int64_t i = of->at[k]; i < of->at[k + 1]; i++) {
			memcpy(own + (i - of->at[k]) * D, from[s] + of->which[i] * D, sizeof *own * D);
			moments_add(&m, from[s] + of->which[i] * D, 1);
		}
		OK(fid_side_of_moments(&side[s], &m, "x", &e));
	}
	OK(fid_compute(&r, &side[0], &side[1], &e));
	OK(fid_interval(half, own, of->at[k + 1] - of->at[k], &side[1], 20, &e));
	fid_side_release(&side[0]);
	fid_side_release(&side[1]);
	return r.fid;
}

Test(metric_classes, has_the_bits_of_each_class_by_itself)
{
	SCOPED(free) float *x = normals(1), *y = normals(2);
	SCOPED(feature_set) struct feature_set a = set_of("a", x, MANY), b = set_of("b", y, MANY);
	struct class_scores s = scores_of(&a, &b, by_thirds);
	SCOPED(class_match) struct class_match m = { 0 };
	SCOPED(class_labels) struct class_labels l = labels_of(MANY, by_thirds);
	OK(class_match_find(&m, &l, "a", &l, "b", &e));
	double half[CLASSES];
	for (int k = 0; k < CLASSES; k++) {
		cr_expect_eq(s.v[k].n, k ? MANY / 3 : MANY - MANY / 3);
		cr_expect_eq(s.v[k].value, alone(&m.side[0], x, y, k, &half[k]));
		cr_expect_eq(s.v[k].half, half[k]);
	}
	cr_expect_float_eq(s.mean.half, sqrt(half[0] * half[0] + half[1] * half[1]) / 2, 1e-15);
	/* of classes, not of pictures: one that is rare counts as much */
	cr_expect_float_eq(s.mean.value, (s.v[0].value + s.v[1].value) / 2, 1e-15);
	cr_expect(fabs(s.v[0].value - s.v[1].value) > 1e-6, "equal values prove little");
	cr_expect(s.mean.half > 0 && !s.mean.warning[0], "%s", s.mean.warning);
	class_scores_release(&s);
}

/* Pictures alone do not say how such a number was made. */
Test(metric_classes, other_labels_give_another_number_and_another_protocol)
{
	_Static_assert(MANY == 1500, "by_halves says 750");
	int32_t (*const labels[])(int64_t) = { by_parity, by_thirds, by_halves }; /* the last as many as the first */
	SCOPED(free) float *x = normals(1), *y = normals(2);
	SCOPED(feature_set) struct feature_set a = set_of("a", x, MANY), b = set_of("b", y, MANY);
	for (int i = 0; i < 3; i++) {
		struct class_scores one = scores_of(&a, &b, labels[i]), other = scores_of(&a, &b, labels[(i + 1) % 3]);
		cr_expect_neq(one.mean.value, other.mean.value);
		cr_expect_str_neq(one.mean.protocol, other.mean.protocol);
		class_scores_release(&one);
		class_scores_release(&other);
	}
}

Test(metric_classes, warns_of_the_class_with_the_fewest)
{
	SCOPED(free) float *x = normals(1);
	SCOPED(feature_set) struct feature_set a = set_of("a", x, 60), b = set_of("b", x, MANY);
	struct class_scores s = scores_of(&a, &b, by_thirds);
	cr_expect(strncmp(s.mean.warning, "a, class '1' (2 classes; none has fewer): 20 images", 51) == 0, "%s",
	          s.mean.warning);
	class_scores_release(&s);
}
