/* test_vit.c - vision transformers of formula weights, small ones: against PyTorch's float64 numbers
 * (tests/peers/vit_peer.py numbers), the bytes that Pillow makes of the pictures, the same features on a device, and
 * clear about weights that do not fit. */
#include "tests/common/formula.h"
#include "tests/common/formula_weights.h"
#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/cpu/devices.h"
#include "model/frozen/vit.h"
#include "model/frozen/vit_picture.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct vit_spec small[VIT_FAMILIES] = {
	[VIT_DINOV2] = { VIT_DINOV2, .side = 28, .patch = 7, .table = 6, .width = 32, .blocks = 2, .heads = 4, .mlp = 64,
	                 .dim = 32, .eps = 1e-6 },
	[VIT_CLIP] = { VIT_CLIP, .side = 28, .patch = 7, .table = 4, .width = 32, .blocks = 2, .heads = 4, .mlp = 64,
	               .dim = 24, .eps = 1e-5 },
};

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), k = strlen(end);
	return n >= k && strcmp(s + n - k, end) == 0;
}

/* Formula weights, vectors that scale around 1, so that each part of a block is heard. */
static void weights(struct safetensors *st, const struct vit_spec *s)
{
	char name[96];
	int n_dims;
	int64_t dims[ST_MAX_DIMS];
	for (int i = 0; vit_weight(s, i, name, &n_dims, dims); i++)
		formula_weights_add(st, name, n_dims, dims);
	for (size_t i = 0; i < st->n_tensors; i++) {
		struct st_tensor *t = &st->tensors[i];
		float *v = (float *)(uintptr_t)t->data;
		bool scales = t->n_dims == 1 && (ends_with(t->name, ".weight") || ends_with(t->name, ".gamma"));
		for (size_t k = 0; scales && k < st_count(t); k++)
			v[k] += 1.0f;
	}
}

static struct vit *open_on(struct backend *b, const struct vit_spec *s, int batch)
{
	struct safetensors st = { 0 };
	struct vit *v;
	struct err e = ERR_INIT;
	weights(&st, s);
	cr_assert_eq(vit_open(&v, s, &st, b, batch, &e), 0, "%s", e.msg);
	formula_weights_release(&st);
	return v;
}

/* A picture of noise: every value of a byte, and steps that make a bicubic overshoot. */
static struct image_u8 noise(const char *name, int h, int w)
{
	struct image_u8 im = { .h = h, .w = w, .c = 3, .px = xmalloc((size_t)h * (size_t)w * 3) };
	for (int i = 0; i < h * w * 3; i++)
		im.px[i] = (uint8_t)(formula_hash(name, (uint64_t)i) >> 56);
	return im;
}

/* By vit_peer.py: Pillow's bytes of the prepared picture, every (dim / 8)th feature in float64. */
static const struct expected {
	enum vit_family family;
	const char *name;
	int h, w;
	const char *sha256;
	double v[8];
} expected[] = {
	{ VIT_DINOV2,
	  "vit/small",
	  28,
	  28,
	  "09eb697e6c487abb2d2ff77e4367873330ac540c4a3e5fd3647525a6d117213a",
	  { 1.452936834, -0.2592252955, 0.5330282484, 0.5326608082, 0.9267771734, -0.521421165, -0.3951570755,
	    -0.7216423126 } },
	{ VIT_DINOV2,
	  "vit/wide",
	  41,
	  66,
	  "a13d209f7f753b23590296b10faa1d77eec0b3b17d77634be7752b7d7fd8a2f7",
	  { 1.141300184, -0.1271531645, 0.4956446261, 0.9847251268, 0.5353433875, -0.497449461, 1.350590895,
	    0.4027642657 } },
	{ VIT_DINOV2,
	  "vit/tall",
	  20,
	  11,
	  "7aff371e215cfc77c784d229671f2851a4ea3c3345b19a533945b705526c2868",
	  { 1.512541514, -1.880437282, 1.315304609, -0.2690858581, 1.261695359, -0.1747724223, -0.1016912349,
	    0.3762922608 } },
	{ VIT_CLIP,
	  "vit/small",
	  28,
	  28,
	  "09eb697e6c487abb2d2ff77e4367873330ac540c4a3e5fd3647525a6d117213a",
	  { -0.03747900404, -0.1975908361, 0.5482079355, -0.3021720863, 0.2255269745, 0.1113321976, 0.0827400485,
	    -0.02092376435 } },
	{ VIT_CLIP,
	  "vit/wide",
	  41,
	  66,
	  "1c6e7387c628eee111f74b7623861973f365aa7fd2fea8687a66d3dfcc6513ef",
	  { -0.08110861875, -0.1304985513, 0.5723917716, -0.3247223982, 0.1762109655, 0.2451090243, 0.08288756127,
	    -0.004246132034 } },
	{ VIT_CLIP,
	  "vit/tall",
	  20,
	  11,
	  "f12f6d85704f19f8eeb3bebc14acc9b2d146131dd1962b26eb41a6f65bc66132",
	  { -0.1523820502, -0.1082102857, 0.4993903275, -0.3580475839, 0.1226151306, 0.2779346953, 0.06783586725,
	    -0.07657950686 } },
};
enum { N_EXPECTED = sizeof expected / sizeof *expected };

/* Sizes and aspects that shrink, grow and crop must give Pillow's bytes, and those the normalisation of each family. */
Test(vit, pictures_are_pillows_bytes_normalised)
{
	static const double mean[VIT_FAMILIES][3] = { { 0.485, 0.456, 0.406 }, { 0.48145466, 0.4578275, 0.40821073 } };
	static const double sd[VIT_FAMILIES][3] = { { 0.229, 0.224, 0.225 }, { 0.26862954, 0.26130258, 0.27577711 } };
	for (int i = 0; i < N_EXPECTED; i++) {
		const struct expected *x = &expected[i];
		struct err e = ERR_INIT;
		float values[28 * 28 * 3];
		uint8_t bytes[28 * 28 * 3];
		char sha256[SHA256_HEX];
		SCOPED(image_u8) struct image_u8 im = noise(x->name, x->h, x->w);
		cr_assert_eq(vit_picture(values, &small[x->family], &im, &e), 0, "%s", e.msg);
		for (size_t k = 0; k < sizeof bytes; k++) {
			double u = ((double)values[k] * sd[x->family][k % 3] + mean[x->family][k % 3]) * 255;
			bytes[k] = (uint8_t)lround(u);
			cr_assert_lt(fabs(u - bytes[k]), 1e-4, "%s %zu: %g", x->name, k, u);
		}
		io_sha256(sha256, bytes, sizeof bytes);
		cr_assert_str_eq(sha256, x->sha256, "family %d, %s", (int)x->family, x->name);
	}
}

/* Four times what PyTorch's own float32 is off by, the worst of 40 pictures: 1.4e-6 and 1.5e-7. */
static const double tolerance[VIT_FAMILIES] = { 5.6e-6, 6e-7 };

static void check_features(const float *f, const struct expected *x)
{
	int dim = small[x->family].dim;
	for (int k = 0; k < 8; k++) {
		double d = fabs((double)f[k * (dim / 8)] - x->v[k]);
		cr_assert(d <= tolerance[x->family], "family %d, %s, feature %d: %.9g, not %.9g", (int)x->family, x->name,
		          k * (dim / 8), (double)f[k * (dim / 8)], x->v[k]);
	}
}

/* Every part of both networks: positions resized or not, norms, heads, scales, both activations, the projection. */
Test(vit, features_are_those_of_pytorch)
{
	for (int family = 0; family < VIT_FAMILIES; family++) {
		struct vit *v = open_on(backend_cpu(), &small[family], 1);
		for (int i = 0; i < N_EXPECTED; i++) {
			if ((int)expected[i].family != family)
				continue;
			struct err e = ERR_INIT;
			float f[32];
			SCOPED(image_u8) struct image_u8 im = noise(expected[i].name, expected[i].h, expected[i].w);
			cr_assert_eq(vit_run(v, f, &im, 1, &e), 0, "%s", e.msg);
			check_features(f, &expected[i]);
		}
		vit_free(v);
	}
}

/* Three pictures in batches of two on the emulated device (or that of ABLATE_TEST_PLUGIN): the order is kept, what the
 * last batch lacks does no harm, and the numbers are PyTorch's again. */
Test(vit, a_device_gives_the_same_features)
{
	const char *plugin = getenv("ABLATE_TEST_PLUGIN");
	cr_assert_eq(setenv("ABLATE_CUDA_PLUGIN", plugin ? plugin : CUDA_EMU, 1), 0);
	for (int family = 0; family < VIT_FAMILIES; family++) {
		struct backend *b;
		struct err e = ERR_INIT;
		cr_assert_eq(backend_open(&b, "cuda", DTYPE_FP32, &e), 0, "%s", e.msg);
		struct vit *v = open_on(b, &small[family], 2);
		struct image_u8 images[3];
		float f[3 * 32];
		const struct expected *x = &expected[3 * family];
		for (int i = 0; i < 3; i++)
			images[i] = noise(x[i].name, x[i].h, x[i].w);
		cr_assert_eq(vit_run(v, f, images, 3, &e), 0, "%s", e.msg);
		for (int i = 0; i < 3; i++) {
			check_features(f + i * small[family].dim, &x[i]);
			image_u8_release(&images[i]);
		}
		vit_free(v);
		backend_free(b);
	}
}

/* On the CPU a picture's features are the same bits whatever is beside it, and grey is its own RGB copy. */
Test(vit, a_picture_does_not_hear_the_others)
{
	struct vit *v = open_on(backend_cpu(), &small[VIT_DINOV2], 4);
	struct image_u8 images[3] = { noise("vit/a", 30, 30), noise("vit/b", 50, 20), noise("vit/a", 30, 30) };
	uint8_t grey[900];
	struct image_u8 one = { .h = 30, .w = 30, .c = 1, .px = grey };
	struct err e = ERR_INIT;
	float f[4 * 32];
	for (int i = 0; i < 900; i++) {
		grey[i] = images[2].px[3 * i];
		images[2].px[3 * i + 1] = images[2].px[3 * i + 2] = grey[i];
	}
	cr_assert_eq(vit_run(v, f, images, 3, &e) || vit_run(v, f + 96, &one, 1, &e), 0, "%s", e.msg);
	cr_assert_arr_eq(f + 64, f + 96, 32 * sizeof *f);
	cr_assert_eq(vit_run(v, f + 96, images, 1, &e), 0, "%s", e.msg);
	cr_assert_arr_eq(f, f + 96, 32 * sizeof *f);
	cr_assert_neq(memcmp(f, f + 32, 32 * sizeof *f), 0, "two pictures have one feature");
	for (int i = 0; i < 3; i++)
		image_u8_release(&images[i]);
	vit_free(v);
}

/* DINOv2's table of 37 x 37 at 16 x 16, as PyTorch's interpolate makes it with the scale 16.1 / 37: corners, whose taps
 * repeat the edge, and the middle. */
Test(vit, positions_are_resized_as_dinov2_does)
{
	static const struct {
		int at;
		double v;
	} want[] = { { 0, -0.05438628048 },  { 1, -0.03285188834 },  { 2, 0.04989446067 },  { 16, -0.006072385766 },
		         { 17, -0.08633449919 }, { 120, 0.01793585366 }, { 256, 0.09629232961 } };
	SCOPED(free) float *table = xcalloc(1370, sizeof *table), *other = xcalloc(1370, sizeof *other);
	formula_weight(table, "pos_embed", (int64_t[]){ 1, 1370, 1 }, 3);
	vit_resize_table(other, 16, table, 37, 1);
	for (size_t i = 0; i < sizeof want / sizeof *want; i++)
		cr_assert(fabs((double)other[want[i].at] - want[i].v) <= 1e-8, "%d: %.9g", want[i].at,
		          (double)other[want[i].at]);
	vit_resize_table(other, 37, table, 37, 1);
	cr_assert_arr_eq(other, table, 1370 * sizeof *table);
}

static void refuses(struct safetensors *st, enum vit_family family, const char *why)
{
	struct vit *v = NULL;
	struct err e = ERR_INIT;
	cr_assert_eq(vit_open(&v, &small[family], st, backend_cpu(), 1, &e), -1);
	cr_assert(strstr(e.msg, why), "%s", e.msg);
}

/* Weights of the other family, of another size, and those that give a picture no direction. */
Test(vit, weights_that_do_not_fit_are_told)
{
	struct safetensors st = { 0 };
	struct err e = ERR_INIT;
	weights(&st, &small[VIT_CLIP]);
	refuses(&st, VIT_DINOV2, "patch_embed.proj.weight");
	struct st_tensor *last = NULL;
	for (size_t i = 0; i < st.n_tensors; i++)
		if (strcmp(st.tensors[i].name, "visual.transformer.resblocks.1.mlp.c_proj.weight") == 0)
			last = &st.tensors[i];
	cr_assert(last);
	last->dims[1] = 60;
	refuses(&st, VIT_CLIP, "visual.transformer.resblocks.1.mlp.c_proj.weight");
	last->dims[1] = 64;
	const struct st_tensor *proj = safetensors_find(&st, "visual.proj");
	memset((void *)(uintptr_t)proj->data, 0, st_bytes(proj));
	struct vit *v;
	SCOPED(image_u8) struct image_u8 im = noise("vit/a", 30, 30);
	float f[24];
	cr_assert_eq(vit_open(&v, &small[VIT_CLIP], &st, backend_cpu(), 1, &e), 0, "%s", e.msg);
	cr_assert_eq(vit_run(v, f, &im, 1, &e), -1);
	cr_assert(strstr(e.msg, "no direction"), "%s", e.msg);
	vit_free(v);
	formula_weights_release(&st);
}

/* The published networks have as many parameters as their authors' code makes: 304,368,640 of dinov2_vitl14, of which
 * the mask token's 1024 are not used here, and 304,293,888 of the picture half of ViT-L/14@336px. */
Test(vit, the_published_sizes)
{
	static const struct {
		const struct vit_spec *s;
		int64_t n;
	} nets[] = { { &vit_dinov2_l14, 304368640 - 1024 }, { &vit_clip_l14_336, 304293888 } };
	for (size_t k = 0; k < 2; k++) {
		int64_t total = 0, dims[ST_MAX_DIMS];
		char name[96];
		int n_dims;
		for (int i = 0; vit_weight(nets[k].s, i, name, &n_dims, dims); i++) {
			int64_t n = 1;
			for (int j = 0; j < n_dims; j++)
				n *= dims[j];
			total += n;
		}
		cr_assert_eq(total, nets[k].n, "%lld", (long long)total);
	}
}
