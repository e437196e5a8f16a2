/* test_extractors.c - what an extractor makes of a picture's bytes, by hand: the pixels' means, a classifier's input,
 * and the protocol that says which extractor it was. Features that are off by a channel or a scale still compare well
 * with each other, so no score shows it. */
#include "metrics/features/extractor.h"
#include "metrics/features/extractor_pixels.h"
#include "metrics/features/protocol.h"
#include "model/base/mem.h"
#include "model/cpu/devices.h"
#include "model/nets/classifier.h"
#include "tests/common/formula.h"
#include "tests/common/ok.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct err e;

static uint8_t *noise(const char *name, int n)
{
	uint8_t *px = xmalloc((size_t)n);
	for (int i = 0; i < n; i++)
		px[i] = (uint8_t)(formula_hash(name, (uint64_t)i) >> 56);
	return px;
}

/* Cells of 2 x 3 pixels, in colour and in grey. */
Test(extractors, pixels_are_the_means_of_cells_channel_by_channel)
{
	enum { SIDE = EXTRACTOR_PIXELS_SIDE, H = 2 * SIDE, W = 3 * SIDE };
	SCOPED(extractor) struct extractor *x = NULL;
	OK(extractor_open(&x, "pixels", &(struct extractor_options){ 0 }, &e));
	cr_assert_eq(x->dim, SIDE * SIDE * 3);
	for (int channels = 1; channels <= 3; channels += 2) {
		SCOPED(free) uint8_t *px = noise("cells", H * W * channels);
		float f[SIDE * SIDE * 3];
		OK(x->features(x, f, NULL, NULL, &(struct image_u8){ .h = H, .w = W, .c = channels, .px = px }, 1, &e));
		for (int i = 0; i < SIDE * SIDE * 3; i++) {
			int c = channels == 3 ? i % 3 : 0, row = i / 3 / SIDE * 2, column = i / 3 % SIDE * 3;
			double sum = 0;
			for (int k = 0; k < 6; k++)
				sum += px[((row + k / 3) * W + column + k % 3) * channels + c];
			cr_assert(fabs((double)f[i] - sum / 6 / 255) < 1e-7, "%d of %d channels", i, channels);
		}
	}
}

Test(extractors, all_pixels_are_the_bytes_as_shares_of_255)
{
	enum { H = 5, W = 4, C = 3 };
	SCOPED(extractor) struct extractor *x = NULL;
	SCOPED(free) uint8_t *px = noise("all", H * W * C);
	float f[H * W * C];
	struct image_u8 im = { .h = H, .w = W, .c = C, .px = px };
	px[3] = 255;
	OK(extractor_open(&x, "all-pixels", &(struct extractor_options){ .h = H, .w = W, .c = C }, &e));
	OK(x->features(x, f, NULL, NULL, &im, 1, &e));
	for (int i = 0; i < H * W * C; i++)
		cr_assert_eq(f[i], (float)px[i] / 255);
	im.h = W, im.w = H; /* as many values in another order */
	cr_assert_eq(x->features(x, f, NULL, NULL, &im, 1, &e), -1);
	cr_expect(strstr(e.msg, "a picture of 4x5x3"), "%s", e.msg);
}

/* The network's answer to a picture in [-1, 1], which is what it was trained on. */
static void answer(float *features, float *logits, const struct classifier *net, const uint8_t *grey)
{
	struct backend *b;
	size_t n = (size_t)net->h * (size_t)net->w;
	SCOPED(free) float *px = xmalloc(sizeof *px * n);
	OK(backend_open(&b, "cpu", DTYPE_FP32, &e));
	struct graph *g = graph_new_on(b);
	struct tensor *x = graph_input(g, "x", 1, net->h, net->w, 1);
	struct classifier_out out = classifier_forward(g, net->params, STORE_FROZEN, x, net->classes);
	graph_keep(out.features);
	graph_keep(out.logits);
	OK(graph_try_plan(g, &e));
	graph_bind(g, STORE_FROZEN, net->weights);
	for (size_t i = 0; i < n; i++)
		px[i] = (float)grey[i] * (2.0f / 255.0f) - 1.0f;
	graph_write(g, x, 0, px, n);
	graph_run(g);
	graph_read(g, features, out.features, 0, CLASSIFIER_DIM);
	graph_read(g, logits, out.logits, 0, (size_t)net->classes);
	graph_free(g);
	backend_free(b);
}

Test(extractors, a_classifier_sees_grey_pictures_from_minus_one_to_one)
{
	SCOPED(extractor) struct extractor *x = NULL;
	struct classifier net;
	OK(classifier_load(&net, CLASSIFIER_DATA, "b", &e));
	int n = net.h * net.w;
	SCOPED(free) uint8_t *rgb = noise("rgb", 3 * n), *grey = xmalloc((size_t)n);
	for (int i = 0; i < n; i++) /* ITU-R 601-2 luma, as Pillow rounds it */
		grey[i] = (uint8_t)floor((19595 * rgb[3 * i] + 38470 * rgb[3 * i + 1] + 7471 * rgb[3 * i + 2]) / 65536.0 + 0.5);
	float want[CLASSIFIER_DIM], got[2 * CLASSIFIER_DIM], want_logits[32], got_logits[64];
	cr_assert(net.classes <= 32 && net.channels == 1);
	answer(want, want_logits, &net, grey);
	OK(extractor_open(&x, "classifier:b", &(struct extractor_options){ .batch = 2 }, &e));
	const struct image_u8 both[] = { { .h = net.h, .w = net.w, .c = 1, .px = grey },
		                             { .h = net.h, .w = net.w, .c = 3, .px = rgb } };
	OK(x->features(x, got, got_logits, NULL, both, 2, &e));
	for (int k = 0; k < 2; k++) {
		for (int i = 0; i < CLASSIFIER_DIM; i++)
			cr_assert(fabsf(got[k * CLASSIFIER_DIM + i] - want[i]) <= 1e-5F * (1 + fabsf(want[i])), "%d of %d", i, k);
		for (int i = 0; i < net.classes; i++)
			cr_assert(fabsf(got_logits[k * net.classes + i] - want_logits[i]) <= 1e-4F, "class %d of %d", i, k);
	}
	classifier_release(&net);
}

/* Two numbers are compared if their protocols are equal: whatever makes other features has to be in the text. */
Test(extractors, a_protocol_says_weights_and_numerics_that_are_not_the_published_ones)
{
	struct extractor x = { .name = "net:a", .resize = "clean", .numerics = "fp32" };
	char text[PROTOCOL_TEXT];
	cr_expect_str_eq(protocol_features(text, &x, "u8"), "net-a:clean:u8");
	x.numerics = "bf16";
	cr_expect_str_eq(protocol_features(text, &x, "u8-round"), "net-a:clean:u8-round:bf16");
	memcpy(x.weights_sha256, "0123456789abcdef", 17);
	cr_expect_str_eq(protocol_features(text, &x, "u8"), "net-a@01234567:clean:u8:bf16");
	x.published = true;
	cr_expect_str_eq(protocol_features(text, &x, "u8"), "net-a:clean:u8:bf16");
	cr_expect_str_eq(protocol_text_of(text, "fid", "net:u8", 7, "of9-seed1", "0123456789abcdef"),
	                 "fid:net:u8:n7of9-seed1:ref=0123456789ab");
	cr_expect_str_eq(protocol_text(text, "is", "", 0, NULL), "is:unknown:n?");
	cr_expect_str_eq(protocol_drawn(text, 1000, 3), "of1000-seed3");
}

/* Any size is taken, and what the network sees is the picture: one of a single level is the same at every size, one
 * that is not is another picture. */
Test(extractor_classifier, pictures_of_another_size_are_resized)
{
	SCOPED(extractor) struct extractor *x = NULL;
	cr_assert_eq(extractor_open(&x, "classifier:b", &(struct extractor_options){ .batch = 3 }, &e), 0, "%s", e.msg);
	uint8_t small[64], own[28 * 28], slope[64];
	memset(small, 90, sizeof small);
	memset(own, 90, sizeof own);
	for (int i = 0; i < 64; i++)
		slope[i] = (uint8_t)(4 * i);
	const struct image_u8 pictures[] = { { .h = 8, .w = 8, .c = 1, .px = small },
		                                 { .h = 28, .w = 28, .c = 1, .px = own },
		                                 { .h = 8, .w = 8, .c = 1, .px = slope } };
	SCOPED(free) float *f = xcalloc(3, (size_t)x->dim * sizeof *f);
	cr_assert_eq(x->features(x, f, NULL, NULL, pictures, 3, &e), 0, "%s", e.msg);
	size_t bytes = (size_t)x->dim * sizeof *f;
	cr_expect_eq(memcmp(f, f + x->dim, bytes), 0, "one level is one level at every size");
	cr_expect_neq(memcmp(f, f + 2 * x->dim, bytes), 0);
}
