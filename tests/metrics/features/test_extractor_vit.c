/* test_extractor_vit.c - vision transformers as extractors: the protocol that their numbers carry, what they refuse,
 * and, on a small network, a feature set that equals the network's own answers. */
#include "tests/common/formula_weights.h"
#include "metrics/features/extractor_vit.h"
#include "metrics/features/protocol.h"
#include "model/base/mem.h"
#include "model/cpu/devices.h"
#include "tests/common/tempdir.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static const struct vit_spec small = { VIT_CLIP,    .side = 28, .patch = 7, .table = 4, .width = 32,
	                                   .blocks = 1, .heads = 2, .mlp = 48,  .dim = 24,  .eps = 1e-5 };

static void weights(struct safetensors *st)
{
	char name[96];
	int n_dims;
	int64_t dims[ST_MAX_DIMS];
	for (int i = 0; vit_weight(&small, i, name, &n_dims, dims); i++)
		formula_weights_add(st, name, n_dims, dims);
}

/* More pictures than a call of the network takes on the CPU, in order; the protocol names network and resize. */
Test(extractor_vit, features_are_the_networks_and_the_protocol_says_how)
{
	struct safetensors st = { 0 };
	struct extractor_options o = { .device = "cpu", .batch = 3 };
	struct extractor *x;
	struct vit *net;
	struct err e = ERR_INIT;
	uint8_t px[2][16 * 16 * 3];
	float f[2 * 24], own[2 * 24];
	char text[PROTOCOL_TEXT];
	weights(&st);
	cr_assert_eq(extractor_vit_open(&x, "clip", &small, &st, &o, &e), 0, "%s", e.msg);
	cr_assert_eq(vit_open(&net, &small, &st, backend_cpu(), 1, &e), 0, "%s", e.msg);
	formula_weights_release(&st);
	cr_assert(x->dim == 24 && x->logits_dim == 0 && x->spatial_dim == 0 && x->batch == 3 && !x->device &&
	          !x->published);
	for (int i = 0; i < 2 * 16 * 16 * 3; i++)
		px[i / 768][i % 768] = (uint8_t)(i * 37 % 251);
	struct image_u8 images[2] = { { .h = 16, .w = 16, .c = 3, .px = px[0] },
		                          { .h = 16, .w = 16, .c = 3, .px = px[1] } };
	cr_assert_eq(x->features(x, f, NULL, NULL, images, 2, &e) || vit_run(net, own, images, 2, &e), 0, "%s", e.msg);
	cr_assert_arr_eq(f, own, sizeof f);
	memcpy(x->weights_sha256, "0123456789abcdef", 17);
	cr_assert_str_eq(protocol_features(text, x, "u8"), "clip@01234567:square-pillow-bicubic:u8");
	vit_free(net);
	extractor_free(x);
}

static void refused(const char *name, const struct extractor_options *o, int code, const char *why)
{
	struct extractor *x = NULL;
	struct err e = ERR_INIT;
	cr_assert_eq(extractor_open(&x, name, o, &e), -1);
	cr_assert(strstr(e.msg, why) && (!code || e.code == code), "%s", e.msg);
}

/* Another resize or precision would be another protocol; weights that are missing are told with what gets them, and
 * those of another network by the tensor that they lack. */
Test(extractor_vit, what_they_are_not_is_refused)
{
	char *cache = tempdir_make();
	cr_assert_eq(setenv("ABLATE_CACHE", cache, 1), 0);
	refused("dinov2", &(struct extractor_options){ .resize = "clean" }, EXIT_USAGE, "only its own, pillow-bicubic");
	refused("clip", &(struct extractor_options){ .bf16 = true }, EXIT_USAGE, "has no bf16");
	refused("dinov2", &(struct extractor_options){ .resize = "pillow-bicubic" }, 0, "ablate weights fetch dinov2");
	refused("clip", &(struct extractor_options){ 0 }, 0, "ablate weights import clip FILE");
	struct safetensors st = { 0 };
	struct err e = ERR_INIT;
	weights(&st);
	SCOPED(free) char *file = xstrfmt("%s/small.safetensors", cache);
	cr_assert_eq(safetensors_write(file, st.tensors, st.n_tensors, NULL, 0, NULL, &e), 0, "%s", e.msg);
	formula_weights_release(&st);
	refused("clip", &(struct extractor_options){ .weights = file }, 0, "visual.class_embedding");
	refused("dinov2", &(struct extractor_options){ .weights = file }, 0, "cls_token");
	tempdir_remove(cache);
}
