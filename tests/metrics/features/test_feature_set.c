/* test_feature_set.c - features and statistics on disk: what is saved is loaded, what is wrong is named; protocols. */
#include "model/formats/npz.h"
#include "metrics/scores/metric_memory.h"
#include "metrics/scores/score.h"
#include "model/base/mem.h"
#include "model/data/image_png.h"
#include "tests/common/tempdir.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* n pictures of 8 x 8, each of one grey level. */
static char *pictures(const char *dir, const char *name, int n, int step)
{
	char *path = xstrfmt("%s/%s", dir, name);
	struct err e = ERR_INIT;
	cr_assert_eq(io_mkdirs(path, &e), 0);
	for (int i = 0; i < n; i++) {
		uint8_t px[64];
		for (int k = 0; k < 64; k++)
			px[k] = (uint8_t)(i * step + k * (i % 3));
		SCOPED(free) char *file = xstrfmt("%s/%03d.png", path, i);
		cr_assert_eq(image_png_write(file, px, 8, 8, 1, &e), 0, "%s", e.msg);
	}
	return path;
}

static int extract(struct feature_set *out, const char *path, int batch, struct err *e)
{
	SCOPED(source) struct source *s = NULL;
	SCOPED(extractor) struct extractor *x = NULL;
	struct feature_options o = { .keep = 1u << FEATURE_POOL };
	if (source_open(&s, path, e) || extractor_open(&x, "pixels", &(struct extractor_options){ .batch = batch }, e))
		return -1;
	return feature_set_extract(out, s, x, &o, e);
}

/* The pixels' extractor with moments of its own, and whether it was asked for features. */
struct counter {
	struct extractor *of;
	struct moments seen;
	int asked;
};

static int counter_features(struct extractor *x, float *features, float *logits, float *spatial,
                            const struct image_u8 *images, int n, struct err *e)
{
	struct counter *self = x->self;
	SCOPED(free) float *own = xmalloc(sizeof *own * (size_t)(n * x->dim));
	if (self->of->features(self->of, own, logits, spatial, images, n, e))
		return -1;
	moments_add(&self->seen, own, n);
	self->asked += features != NULL;
	if (features)
		memcpy(features, own, sizeof *own * (size_t)(n * x->dim));
	return 0;
}

static int counter_count(struct extractor *x, struct err *e)
{
	struct counter *self = x->self;
	(void)e;
	moments_release(&self->seen);
	moments_init(&self->seen, x->dim);
	return 0;
}

static int counter_counted(struct extractor *x, struct moments *m, struct err *e)
{
	struct counter *self = x->self;
	(void)e;
	*m = self->seen;
	self->seen = (struct moments){ 0 };
	return 0;
}

Test(feature_set, takes_the_moments_that_its_extractor_counted_and_asks_for_features_only_to_keep_them)
{
	char *dir = tempdir_make();
	struct err e = ERR_INIT;
	SCOPED(free) char *path = pictures(dir, "a", 23, 7);
	struct feature_set want;
	cr_assert_eq(extract(&want, path, 5, &e), 0, "%s", e.msg);
	SCOPED(extractor) struct extractor *pixels = NULL;
	cr_assert_eq(extractor_open(&pixels, "pixels", &(struct extractor_options){ .batch = 5 }, &e), 0, "%s", e.msg);
	for (int keep = 0; keep < 2; keep++) {
		SCOPED(source) struct source *s = NULL;
		struct counter self = { .of = pixels };
		struct extractor x = *pixels;
		struct feature_set got;
		x.features = counter_features;
		x.count = counter_count;
		x.counted = counter_counted;
		x.self = &self;
		for (int again = 0; again < 2; again++) {
			self.asked = 0;
			cr_assert_eq(source_open(&s, path, &e), 0, "%s", e.msg);
			cr_assert_eq(feature_set_extract(&got, s, &x,
			                                 &(struct feature_options){ .keep = keep ? 1u << FEATURE_POOL : 0 }, &e),
			             0, "%s", e.msg);
			cr_assert(keep ? self.asked == 5 : self.asked == 0, "asked %d times", self.asked);
			cr_assert(got.moments[FEATURE_POOL].n == 23 &&
			          got.store[FEATURE_POOL].n == want.store[FEATURE_POOL].n * keep);
			cr_assert_arr_eq(got.moments[FEATURE_POOL].rows, want.moments[FEATURE_POOL].rows,
			                 23 * 192 * sizeof(double));
			feature_set_release(&got);
			source_free(s);
			s = NULL;
		}
	}
	feature_set_release(&want);
	tempdir_remove(dir);
}

/* Zeros, and one value that is none in the batch's last picture. */
static int broken_features(struct extractor *x, float *features, float *logits, float *spatial,
                           const struct image_u8 *images, int n, struct err *e)
{
	(void)logits, (void)spatial, (void)images, (void)e;
	memset(features, 0, sizeof *features * (size_t)(n * x->dim));
	features[n * x->dim - 1] = n < x->batch ? NAN : 0;
	return 0;
}

/* A damaged network's NaN would be the mean of all: the picture is named, and there is no set. */
Test(feature_set, a_network_that_gives_no_number_is_told_with_the_picture)
{
	char *dir = tempdir_make();
	struct err e = ERR_INIT;
	struct feature_set f;
	SCOPED(free) char *path = pictures(dir, "a", 7, 7);
	SCOPED(source) struct source *s = NULL;
	struct extractor x = { .name = "x", .resize = "none", .numerics = "fp32", .dim = 3, .batch = 5 };
	x.features = broken_features;
	cr_assert_eq(source_open(&s, path, &e), 0, "%s", e.msg);
	cr_assert_eq(feature_set_extract(&f, s, &x, &(struct feature_options){ 0 }, &e), -1);
	cr_assert(strstr(e.msg, "006.png: the network gives a value that is not finite"), "%s", e.msg);
	tempdir_remove(dir);
}

/* Two pictures of 8 x 8: in one channel, or in three; `odd`: the last value of the last is another. */
static void identify(char sha256[SHA256_HEX], int c, bool odd)
{
	enum { N = 2, SIDE = 8 };
	uint8_t px[N * SIDE * SIDE * 3];
	struct err e = ERR_INIT;
	struct feature_set f;
	SCOPED(extractor) struct extractor *x = NULL;
	for (int i = 0; i < N * SIDE * SIDE; i++)
		for (int k = 0; k < c; k++)
			px[i * c + k] = (uint8_t)(37 * i % 251);
	px[N * SIDE * SIDE * c - 1] ^= odd;
	struct source s = {
		.kind = &source_memory, .path = (char[]){ "mem" }, .n = N, .h = SIDE, .w = SIDE, .c = c, .self = px
	};
	cr_assert_eq(extractor_open(&x, "pixels", &(struct extractor_options){ .h = SIDE, .w = SIDE, .c = c }, &e), 0, "%s",
	             e.msg);
	cr_assert_eq(feature_set_extract(&f, &s, x, &(struct feature_options){ 0 }, &e), 0, "%s", e.msg);
	memcpy(sha256, f.sha256, SHA256_HEX);
	feature_set_release(&f);
}

/* An .npz of grey pictures and the PNG files made of it were two references once, and their scores two protocols. One
 * channel keeps the hash that records have: SHA-256 of the int32 shape and the bytes of each picture. */
Test(feature_set, grey_pictures_are_one_set_in_one_channel_or_three)
{
	char grey[SHA256_HEX], rgb[SHA256_HEX], tinted[SHA256_HEX], other[SHA256_HEX], want[SHA256_HEX];
	struct sha256 hash;
	uint8_t px[128];
	identify(grey, 1, false);
	identify(rgb, 3, false);
	identify(tinted, 3, true);
	identify(other, 1, true);
	cr_assert_str_eq(grey, rgb);
	cr_assert_str_neq(grey, tinted);
	cr_assert_str_neq(grey, other);
	sha256_init(&hash);
	for (int i = 0; i < 128; i++)
		px[i] = (uint8_t)(37 * i % 251);
	for (int i = 0; i < 2; i++) {
		sha256_add(&hash, (int32_t[]){ 8, 8, 1 }, 12);
		sha256_add(&hash, px + 64 * i, 64);
	}
	sha256_hex(want, &hash);
	cr_assert_str_eq(grey, want);
	uint8_t three[128 * 3]; /* as recorded, too: a set with one colour picture is hashed as it is */
	for (int i = 0; i < 128 * 3; i++)
		three[i] = px[i / 3];
	three[128 * 3 - 1] ^= 1;
	sha256_init(&hash);
	for (int i = 0; i < 2; i++) {
		sha256_add(&hash, (int32_t[]){ 8, 8, 3 }, 12);
		sha256_add(&hash, three + 192 * i, 192);
	}
	sha256_hex(want, &hash);
	cr_assert_str_eq(tinted, want);
}

Test(feature_set, does_not_depend_on_the_batch_and_survives_a_file)
{
	char *dir = tempdir_make();
	struct err e = ERR_INIT;
	SCOPED(free) char *path = pictures(dir, "a", 23, 7);
	SCOPED(free) char *file = xstrfmt("%s/a.npz", dir);
	struct feature_set one, seven, loaded;
	cr_assert_eq(extract(&one, path, 1, &e) || extract(&seven, path, 7, &e), 0, "%s", e.msg);
	cr_assert_str_eq(one.sha256, seven.sha256);
	cr_assert_str_eq(one.protocol, "pixels:none:u8");
	const float *x, *y, *z;
	cr_assert_eq(feature_set_floats(&x, &one, FEATURE_POOL, &e) || feature_set_floats(&y, &seven, FEATURE_POOL, &e), 0);
	cr_assert_arr_eq(x, y, 23 * 192 * sizeof *x);
	cr_assert_eq(feature_set_save(&one, file, true, &e), 0, "%s", e.msg);
	cr_assert(feature_set_is(file));
	cr_assert_eq(feature_set_load(&loaded, file, &e), 0, "%s", e.msg);
	cr_assert(loaded.n == 23 && loaded.dim[FEATURE_POOL] == 192);
	cr_assert_str_eq(loaded.sha256, one.sha256);
	cr_assert_eq(feature_set_floats(&z, &loaded, FEATURE_POOL, &e), 0);
	cr_assert_arr_eq(x, z, 23 * 192 * sizeof *x);
	feature_set_release(&one);
	feature_set_release(&seven);
	feature_set_release(&loaded);
	tempdir_remove(dir);
}

/* mu and sigma alone, as pytorch-fid writes them. */
static char *statistics(const char *dir, const double *mu, const double *sigma, int64_t n_mu, int64_t n_sigma)
{
	char *path = xstrfmt("%s/s.npz", dir);
	struct err e = ERR_INIT;
	struct npz_writer w;
	cr_assert_eq(npz_create(&w, path, &e) || npz_add(&w, "mu", "<f8", &n_mu, 1, mu, &e) ||
	                 npz_add(&w, "sigma", "<f8", (int64_t[]){ n_sigma, n_sigma }, 2, sigma, &e) || npz_commit(&w, &e),
	             0, "%s", e.msg);
	return path;
}

/* As guided-diffusion's reference batches are: pictures, and the statistics of more pictures than these. */
Test(feature_set, statistics_beside_pictures_are_loaded_for_both_frechet_distances)
{
	static const double mu[2] = { 1, 2 }, sigma[4] = { 1.1, 0, 0, 2.2 }, mu_s[3] = { 3, 4, 5 },
						sigma_s[9] = { 1.1, 0, 0, 0, 1.1, 0, 0, 0, 1.1 };
	static const uint8_t px[2 * 8 * 8 * 3] = { 0 };
	char *dir = tempdir_make();
	SCOPED(free) char *path = xstrfmt("%s/VIRTUAL.npz", dir);
	struct err e = ERR_INIT;
	struct npz_writer w;
	SCOPED(feature_set) struct feature_set f = { 0 };
	SCOPED(fid_side) struct fid_side pool = { 0 }, spatial = { 0 };
	cr_assert_eq(npz_create(&w, path, &e) || npz_add(&w, "arr_0", "|u1", (int64_t[]){ 2, 8, 8, 3 }, 4, px, &e) ||
	                 npz_add(&w, "mu", "<f8", (int64_t[]){ 2 }, 1, mu, &e) ||
	                 npz_add(&w, "sigma", "<f8", (int64_t[]){ 2, 2 }, 2, sigma, &e) ||
	                 npz_add(&w, "mu_s", "<f8", (int64_t[]){ 3 }, 1, mu_s, &e) ||
	                 npz_add(&w, "sigma_s", "<f8", (int64_t[]){ 3, 3 }, 2, sigma_s, &e) || npz_commit(&w, &e),
	             0, "%s", e.msg);
	cr_assert(!feature_set_is(path));
	enum feature_content content;
	cr_assert_eq(feature_set_find(&f, &content, path, &e), 0, "%s", e.msg);
	cr_assert_eq(content, CONTENT_BESIDE);
	cr_assert(f.n == 0 && f.dim[FEATURE_POOL] == 2 && f.dim[FEATURE_SPATIAL] == 3, "n is of the pictures alone");
	cr_assert_eq(feature_set_side(&pool, &f, FEATURE_POOL, &e) || feature_set_side(&spatial, &f, FEATURE_SPATIAL, &e),
	             0, "%s", e.msg);
	cr_assert(pool.mu[1] == 2 && spatial.mu[2] == 5 && fabs(spatial.trace - 3.3) < 1e-15);
	cr_assert_str_neq(feature_set_sha256(&f, FEATURE_POOL), feature_set_sha256(&f, FEATURE_SPATIAL));
	tempdir_remove(dir);
}

/* What numpy 2.4, in every pickle protocol, and StyleGAN's FeatureStats write (tests/fixtures/numpy/make.py). */
Test(feature_set, statistics_of_peers)
{
	static const char *const files[] = {
		"dict.npy", "p2.pkl", "p3.pkl", "p4.pkl", "p5.pkl", "sums.pkl", "mean_cov.pkl"
	};
	struct err e = ERR_INIT;
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		SCOPED(free) char *path = xstrfmt(FIXTURES "/numpy/%s", files[i]);
		SCOPED(feature_set) struct feature_set f = { 0 };
		static const double mu[3] = { 1.5, -2, 0.25 }, sigma[9] = { 2, 0.5, 0.125, 0.5, 3, 0, 0.125, 0, 4 };
		enum feature_content content;
		cr_assert(feature_set_is(path), "%s", path);
		cr_assert_eq(feature_set_find(&f, &content, path, &e), 0, "%s", e.msg);
		cr_assert_eq(content, CONTENT_FEATURES, "%s", path);
		cr_assert_eq(f.dim[FEATURE_POOL], 3);
		cr_assert_eq(f.n, strcmp(files[i], "sums.pkl") == 0 ? 8 : 0);
		for (int k = 0; k < 9; k++) /* small binary fractions: exact in float32 and in the sums */
			cr_assert(f.sigma[FEATURE_POOL][k] == sigma[k] && f.mu[FEATURE_POOL][k % 3] == mu[k % 3], "%s: %d", path,
			          k);
	}
}

Test(feature_set, features_of_peers)
{
	static const char *const files[] = { "f.npy",          "feats.npz",     "pool_3.npz", "f_big_endian.npy",
		                                 "f_fortran4.pkl", "f_fortran5.pkl" };
	struct err e = ERR_INIT;
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		SCOPED(free) char *path = xstrfmt(FIXTURES "/numpy/%s", files[i]);
		SCOPED(feature_set) struct feature_set f = { 0 };
		const float *x;
		cr_assert(feature_set_is(path), "%s", path);
		cr_assert_eq(feature_set_load(&f, path, &e) || feature_set_floats(&x, &f, FEATURE_POOL, &e), 0, "%s", e.msg);
		cr_assert(f.n == 4 && f.dim[FEATURE_POOL] == 3 && f.dim[FEATURE_LOGITS] == 0, "%s", path);
		for (int k = 0; k < 12; k++)
			cr_assert_eq(x[k], (float)k - 5, "%s", path);
	}
}

/* Features that do not say of which pictures they are gave scores without ref=, so that a table took those of any two
 * references for comparable: their floats are hashed, and the same floats from another container are one reference. */
Test(feature_set, features_of_unknown_pictures_are_a_reference_by_their_floats)
{
	static const char *const files[] = { "f.npy", "feats.npz", "f_big_endian.npy", "f_fortran4.pkl" };
	static const float other[6] = { 1, 2, 3, 4, 5, 6 };
	struct err e = ERR_INIT;
	char *dir = tempdir_make(), first[SHA256_HEX] = "", wide[SHA256_HEX];
	SCOPED(free) char *path = xstrfmt("%s/o.npz", dir);
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		SCOPED(free) char *name = xstrfmt(FIXTURES "/numpy/%s", files[i]);
		SCOPED(feature_set) struct feature_set f = { 0 };
		struct score_list list = { .n = 0 };
		cr_assert_eq(feature_set_load(&f, name, &e) ||
		                 metric_run(&list, metric_find("fid"), &f, &f, &METRIC_OPTIONS, &e),
		             0, "%s", e.msg);
		cr_expect(strstr(list.v[0].protocol, ":n4:ref="), "%s: %s", name, list.v[0].protocol);
		if (i == 0)
			memcpy(first, f.sha256, sizeof first);
		cr_expect_str_eq(f.sha256, first, "%s", name);
	}
	for (int64_t d = 2; d <= 3; d++) {
		struct npz_writer w;
		SCOPED(feature_set) struct feature_set f = { 0 };
		const int64_t n = 6 / d;
		cr_assert_eq(npz_create(&w, path, &e) || npz_add(&w, "features", "<f4", (int64_t[]){ n, d }, 2, other, &e) ||
		                 npz_add(&w, "spatial", "<f4", (int64_t[]){ n, 1 }, 2, other, &e) || npz_commit(&w, &e) ||
		                 feature_set_load(&f, path, &e),
		             0, "%s", e.msg);
		cr_expect(f.sha256[0] && strcmp(f.sha256, first) != 0, "other floats are another reference");
		cr_expect_str_neq(feature_set_sha256(&f, FEATURE_SPATIAL), f.sha256);
		if (d == 3)
			cr_expect_str_neq(f.sha256, wide, "the shape counts");
		memcpy(wide, f.sha256, sizeof wide);
	}
	tempdir_remove(dir);
}

Test(feature_set, files_of_something_else_are_refused_with_what_they_hold)
{
	static const struct {
		const char *file, *says;
	} bad[] = {
		{ "mixed.pkl", "holds neither features nor statistics: it is a pickle of name" },
		{ "no_sums.pkl", "capture_mean_cov is false" },
		{ "px.npy", "it is a .npy array of uint8 (3, 4, 4, 3)" },
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct err e = ERR_INIT;
		struct feature_set f;
		SCOPED(free) char *path = xstrfmt(FIXTURES "/numpy/%s", bad[i].file);
		cr_assert_eq(feature_set_load(&f, path, &e), -1);
		cr_assert(strstr(e.msg, bad[i].file) && strstr(e.msg, bad[i].says), "%s", e.msg);
	}
}

/* What is no more than rounding in a covariance hangs on it. One computed in float32 may be stored as float64: then no
 * element has more digits than a float. */
Test(feature_set, statistics_know_what_their_numbers_were_rounded_to)
{
	static const double mu[2] = { 0 }, fine[4] = { 1 + 1e-12, 0.5, 0.5, 1 }, coarse[4] = { 1.25, 0.5, 0.5, 1 };
	static const float single[4] = { 1.25F, 0.5F, 0.5F, 1 };
	static const uint16_t half[4] = { 0x3d00, 0x3800, 0x3800, 0x3c00 }; /* the same */
	static const struct {
		const char *descr;
		const void *sigma;
		double unit;
	} cases[] = {
		{ "<f8", fine, 0x1p-53 }, { "<f8", coarse, 0x1p-24 }, { "<f4", single, 0x1p-24 }, { "<f2", half, 0x1p-11 }
	};
	char *dir = tempdir_make();
	SCOPED(free) char *path = xstrfmt("%s/s.npz", dir);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct err e = ERR_INIT;
		struct npz_writer w;
		SCOPED(feature_set) struct feature_set f = { 0 };
		cr_assert_eq(npz_create(&w, path, &e) || npz_add(&w, "mu", "<f8", (int64_t[]){ 2 }, 1, mu, &e) ||
		                 npz_add(&w, "sigma", cases[i].descr, (int64_t[]){ 2, 2 }, 2, cases[i].sigma, &e) ||
		                 npz_commit(&w, &e) || feature_set_load(&f, path, &e),
		             0, "%s", e.msg);
		cr_expect_eq(f.unit[FEATURE_POOL], cases[i].unit, "case %zu: %g", i, f.unit[FEATURE_POOL]);
		cr_expect_eq(f.sigma[FEATURE_POOL][1], 0.5);
	}
	tempdir_remove(dir);
}

Test(feature_set, bad_statistics_are_named)
{
	static const struct {
		double mu[2], sigma[4];
		int64_t n_mu;
		const char *says;
	} cases[] = {
		{ { 0, NAN }, { 1, 0, 0, 1 }, 2, "mu holds NaN at element 1" },
		{ { 0, 0 }, { 1, 0, 0, INFINITY }, 2, "sigma holds infinity at element 3" },
		{ { 0, 0 }, { 1, 0.5, 0, 1 }, 2, "not symmetric" },
		{ { 0, 0 }, { 1, 2, 2, 1 }, 2, "positive semi-definite" },
		{ { 0, 0 }, { 1, 0, 0, 1 }, 1, "shapes (d,) and (d, d)" },
	};
	char *dir = tempdir_make();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct err e = ERR_INIT;
		struct feature_set f = { 0 };
		SCOPED(fid_side) struct fid_side side = { 0 };
		SCOPED(free) char *path = statistics(dir, cases[i].mu, cases[i].sigma, cases[i].n_mu, 2);
		cr_assert(feature_set_load(&f, path, &e) || feature_set_side(&side, &f, FEATURE_POOL, &e), "case %zu", i);
		cr_assert(strstr(e.msg, "s.npz") && strstr(e.msg, cases[i].says), "%s", e.msg);
		feature_set_release(&f);
	}
	tempdir_remove(dir);
}

Test(feature_set, features_that_are_not_finite_are_named)
{
	char *dir = tempdir_make();
	SCOPED(free) char *path = xstrfmt("%s/f.npz", dir);
	struct err e = ERR_INIT;
	struct npz_writer w;
	struct feature_set f;
	float x[6] = { 0, 1, 2, 3, NAN, 5 };
	cr_assert_eq(npz_create(&w, path, &e) || npz_add(&w, "features", "<f4", (int64_t[]){ 3, 2 }, 2, x, &e) ||
	                 npz_commit(&w, &e),
	             0);
	cr_assert_eq(feature_set_load(&f, path, &e), -1);
	cr_assert(strstr(e.msg, "f.npz:features: NaN in row 2"), "%s", e.msg);
	tempdir_remove(dir);
}

Test(feature_set, another_dimension_or_protocol_does_not_compare)
{
	static const double mu[2] = { 0 }, sigma[4] = { 1, 0, 0, 1 };
	char *dir = tempdir_make();
	struct err e = ERR_INIT;
	SCOPED(free) char *path = pictures(dir, "a", 5, 30);
	SCOPED(free) char *stats = statistics(dir, mu, sigma, 2, 2);
	struct feature_set a, b;
	struct score_list list = { .n = 0 };
	struct metric_options o = METRIC_OPTIONS;
	cr_assert_eq(extract(&a, path, 5, &e) || feature_set_load(&b, stats, &e), 0, "%s", e.msg);
	cr_assert_eq(metric_run(&list, metric_find("fid"), &a, &b, &o, &e), -1);
	cr_assert_eq(err_exit_code(&e), EXIT_RECORD);
	cr_assert(strstr(e.msg, "192 dimensions") && strstr(e.msg, "s.npz"), "%s", e.msg);
	memcpy(b.protocol, "inception-2015:clean:u8", 24);
	e = ERR_INIT;
	cr_assert_eq(metric_run(&list, metric_find("fid"), &a, &b, &o, &e), -1);
	cr_assert_eq(err_exit_code(&e), EXIT_RECORD);
	cr_assert(strstr(e.msg, "pixels:none:u8") && strstr(e.msg, "inception-2015:clean:u8"), "%s", e.msg);
	feature_set_release(&a);
	feature_set_release(&b);
	tempdir_remove(dir);
}

/* Pictures of three sizes in one folder. */
static char *mixed(const char *dir)
{
	static const int sizes[][2] = { { 8, 8 }, { 9, 17 }, { 30, 5 }, { 8, 8 }, { 16, 16 } };
	char *path = xstrfmt("%s/mixed", dir);
	struct err e = ERR_INIT;
	cr_assert_eq(io_mkdirs(path, &e), 0);
	for (int i = 0; i < 5; i++) {
		int h = sizes[i][0], w = sizes[i][1];
		SCOPED(free) uint8_t *px = xcalloc((size_t)h * (size_t)w, 3);
		for (int k = 0; k < h * w * 3; k++)
			px[k] = (uint8_t)(37 * i + 11 * k + k * k % 7);
		SCOPED(free) char *file = xstrfmt("%s/%d.png", path, i);
		cr_assert_eq(image_png_write(file, px, h, w, 3, &e), 0, "%s", e.msg);
	}
	return path;
}

/* A picture's features are its own, whatever the sizes of those beside it. */
static void each_by_itself(const char *name, const char *path)
{
	struct err e = ERR_INIT;
	struct feature_set all;
	const float *of_all;
	SCOPED(extractor) struct extractor *x = NULL;
	SCOPED(source) struct source *s = NULL;
	SCOPED(image_u8) struct image_u8 im = { 0 };
	struct feature_options o = { .keep = 1u << FEATURE_POOL };
	cr_assert_eq(extractor_open(&x, name, &(struct extractor_options){ .batch = 3 }, &e) || source_open(&s, path, &e),
	             0, "%s", e.msg);
	s->mixed_sizes = true;
	cr_assert_eq(feature_set_extract(&all, s, x, &o, &e) || feature_set_floats(&of_all, &all, FEATURE_POOL, &e), 0,
	             "%s", e.msg);
	cr_assert_eq(all.n, 5);
	cr_expect(strstr(all.protocol, ":u8-mixed"), "%s", all.protocol);
	SCOPED(free) float *one = xmalloc(sizeof *one * (size_t)x->dim);
	for (int i = 0; i < 5; i++) {
		cr_assert_eq(source_read(s, i, &im, &e) || x->features(x, one, NULL, NULL, &im, 1, &e), 0, "%s", e.msg);
		cr_expect_arr_eq(one, of_all + i * x->dim, sizeof *one * (size_t)x->dim, "%s: picture %d", name, i);
	}
	feature_set_release(&all);
}

Test(feature_set, pictures_of_mixed_sizes_are_each_resized_by_itself)
{
	char *dir = tempdir_make();
	SCOPED(free) char *path = mixed(dir);
	each_by_itself("pixels", path);
	each_by_itself("classifier:b", path);
	struct err e = ERR_INIT;
	struct feature_set f;
	cr_assert_eq(extract(&f, path, 2, &e), -1, "only when it is asked for");
	cr_expect(strstr(e.msg, "1.png: 17 x 9 pixels") && strstr(e.msg, "give --mixed-sizes"), "%s", e.msg);
	SCOPED(extractor) struct extractor *x = NULL;
	struct extractor_options o = { .h = 8, .w = 8, .c = 3, .mixed_sizes = true };
	e = ERR_INIT;
	cr_assert_eq(extractor_open(&x, "all-pixels", &o, &e), -1);
	cr_expect(strstr(e.msg, "pictures of one size") && err_exit_code(&e) == EXIT_USAGE, "%s", e.msg);
	tempdir_remove(dir);
}

/* A set read as mixed compares with one that was not, and the score says so, whichever side it is. */
Test(feature_set, a_score_of_mixed_sizes_says_so)
{
	struct err e = ERR_INIT;
	static const char plain[] = "pixels:none:u8", as_mixed[] = "pixels:none:u8-mixed";
	cr_expect_eq(protocol_check(plain, "a", as_mixed, "b", &e), 0);
	cr_expect_eq(protocol_check("x:clean:u8-mixed:bf16", "a", "x:clean:u8:bf16", "b", &e), 0);
	cr_expect_eq(protocol_check("x:clean:u8-mixed:bf16", "a", "x:clean:u8", "b", &e), -1);
	cr_expect_eq(protocol_check("x:clean:u8-mixed", "a", "x:clean:u8-round", "b", &e), -1);
	cr_expect_eq(protocol_check("x:clean:u8-mixedly", "a", "x:clean:u8ly", "b", &e), -1);
	cr_expect_str_eq(protocol_of_both(plain, as_mixed), as_mixed);
	cr_expect_str_eq(protocol_of_both(as_mixed, plain), as_mixed);
	cr_expect_str_eq(protocol_of_both(plain, plain), plain);
	cr_expect_str_eq(protocol_of_both("", plain), plain);
	cr_expect_str_eq(protocol_of_both(plain, ""), plain);
	char *dir = tempdir_make();
	SCOPED(free) char *path = pictures(dir, "a", 5, 30);
	struct feature_set a, b;
	struct score_list list = { .n = 0 };
	struct metric_options o = METRIC_OPTIONS;
	cr_assert_eq(extract(&a, path, 5, &e) || extract(&b, path, 5, &e), 0, "%s", e.msg);
	memcpy(b.protocol, as_mixed, sizeof as_mixed);
	cr_assert_eq(metric_run(&list, metric_find("fid"), &a, &b, &o, &e), 0, "%s", e.msg);
	cr_expect(strstr(list.v[0].protocol, "fid:pixels:none:u8-mixed:n5:"), "%s", list.v[0].protocol);
	feature_set_release(&a);
	feature_set_release(&b);
	tempdir_remove(dir);
}

Test(feature_set, every_metric_has_a_row_that_runs_on_what_it_asks_for)
{
	char *dir = tempdir_make();
	struct err e = ERR_INIT;
	SCOPED(free) char *pa = pictures(dir, "a", 60, 4), *pb = pictures(dir, "b", 50, 5);
	SCOPED(free) char *pt = pictures(dir, "t", 130, 6);
	struct feature_set a, b, t;
	struct metric_options o = METRIC_OPTIONS;
	o.kid_size = 30;
	cr_assert_eq(extract(&a, pa, 16, &e) || extract(&b, pb, 16, &e) || extract(&t, pt, 16, &e), 0, "%s", e.msg);
	o.train = &t;
	int n;
	const struct metric *rows = metric_rows(&n);
	for (int i = 0; i < n; i++) {
		struct score_list list = { .n = 0 };
		bool can = rows[i].needs == NEEDS_MOMENTS || rows[i].needs == NEEDS_FEATURES;
		e = ERR_INIT;
		cr_assert_eq(metric_run(&list, &rows[i], &a, &b, &o, &e), can ? 0 : -1, "%s: %s", rows[i].name, e.msg);
		for (int k = 0; k < list.n; k++) {
			cr_assert(isfinite(list.v[k].value), "%s", list.v[k].name);
			bool memory = memory_reading(rows[i].name) != NULL;
			cr_assert(strstr(list.v[k].protocol, memory               ? ":pixels:none:u8:n60:train="
			                                     : rows[i].sides == 2 ? ":pixels:none:u8:n60:ref="
			                                                          : ":pixels:none:u8:n60"),
			          "%s", list.v[k].protocol);
			cr_assert(!memory || !strstr(list.v[k].protocol, ":test=") == (rows[i].sides == 2));
			cr_assert_eq(list.v[k].better, rows[i].better);
		}
		cr_assert(!can || list.n, "%s", rows[i].name);
		cr_assert(can || strstr(e.msg, "has no"), "%s", e.msg);
	}
	feature_set_release(&a);
	feature_set_release(&b);
	feature_set_release(&t);
	tempdir_remove(dir);
}
