/* test_net_weights.c - networks read from files in three namings: written here with names spelled out by hand, read
 * back and compared value by value; at full size the names that the published files are known to have. */
#include "model/base/mem.h"
#include "model/config/net_spec.h"
#include "model/nets/net.h"
#include "model/nets/net_weights.h"
#include "model/formats/weights_file.h"
#include "tests/common/formula.h"
#include "tests/common/tempdir.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The smallest ADM with all kinds of layers: two levels, attention at the lower one, one block a level, 4 classes. */
static const struct net_spec tiny_adm = { .kind = NET_ADM,
	                                      .h = 8,
	                                      .w = 8,
	                                      .in_c = 3,
	                                      .out_c = 3,
	                                      .channels = 32,
	                                      .blocks = 1,
	                                      .n_mult = 2,
	                                      .mult = { 1, 2 },
	                                      .n_attn = 1,
	                                      .attn = { 4 },
	                                      .classes = 4,
	                                      .taps = 2,
	                                      .noise_mult = 1,
	                                      .emb_mult = 4 };

static const struct {
	const char *ours, *openai, *diffusers;
} adm_names[] = {
	{ "map_layer0", "time_embed.0", "time_embedding.linear_1" },
	{ "map_layer1", "time_embed.2", "time_embedding.linear_2" },
	{ "map_label", "label_emb", "class_embedding" },
	{ "enc.8x8_conv", "input_blocks.0.0", "conv_in" },
	{ "enc.8x8_block0.conv0", "input_blocks.1.0.in_layers.2", "down_blocks.0.resnets.0.conv1" },
	{ "enc.4x4_down.norm0", "input_blocks.2.0.in_layers.0", "down_blocks.0.downsamplers.0.norm1" },
	{ "enc.4x4_down.conv1", "input_blocks.2.0.out_layers.3", "down_blocks.0.downsamplers.0.conv2" },
	{ "enc.4x4_block0.affine", "input_blocks.3.0.emb_layers.1", "down_blocks.1.resnets.0.time_emb_proj" },
	{ "enc.4x4_block0.skip", "input_blocks.3.0.skip_connection", "down_blocks.1.resnets.0.conv_shortcut" },
	{ "enc.4x4_block0.norm2", "input_blocks.3.1.norm", "down_blocks.1.attentions.0.group_norm" },
	{ "enc.4x4_block0.qkv", "input_blocks.3.1.qkv", "down_blocks.1.attentions.0.to_" },
	{ "enc.4x4_block0.proj", "input_blocks.3.1.proj_out", "down_blocks.1.attentions.0.to_out.0" },
	{ "dec.4x4_in0.norm1", "middle_block.0.out_layers.0", "mid_block.resnets.0.norm2" },
	{ "dec.4x4_in0.qkv", "middle_block.1.qkv", "mid_block.attentions.0.to_" },
	{ "dec.4x4_in1.conv0", "middle_block.2.in_layers.2", "mid_block.resnets.1.conv1" },
	{ "dec.4x4_block0.skip", "output_blocks.0.0.skip_connection", "up_blocks.0.resnets.0.conv_shortcut" },
	{ "dec.4x4_block1.proj", "output_blocks.1.1.proj_out", "up_blocks.0.attentions.1.to_out.0" },
	{ "dec.8x8_up.conv0", "output_blocks.1.2.in_layers.2", "up_blocks.0.upsamplers.0.conv1" },
	{ "dec.8x8_block0.norm0", "output_blocks.2.0.in_layers.0", "up_blocks.1.resnets.0.norm1" },
	{ "dec.8x8_block1.conv1", "output_blocks.3.0.out_layers.3", "up_blocks.1.resnets.1.conv2" },
	{ "out_norm", "out.0", "conv_norm_out" },
	{ "out_conv", "out.2", "conv_out" },
};

static const struct param *param_of(const struct params *p, int *i, const char *ours, const char *leaf)
{
	SCOPED(free) char *name = xstrfmt("%s.%s", ours, leaf);
	for (*i = 0; *i < params_count(p); ++*i)
		if (strcmp(params_get(p, *i)->name, name) == 0)
			return params_get(p, *i);
	return NULL;
}

Test(net_weights, names_of_the_two_other_namings)
{
	struct params *p = net_params(&tiny_adm);
	for (size_t r = 0; r < sizeof adm_names / sizeof *adm_names; r++)
		for (int leaf = 0; leaf < 2; leaf++) {
			int i;
			const char *leaf_name = leaf ? "bias" : "weight";
			const struct param *q = param_of(p, &i, adm_names[r].ours, leaf_name);
			if (!q && leaf)
				continue; /* map_label has none */
			cr_assert(q, "%s", adm_names[r].ours);
			for (int naming = NAMING_OPENAI; naming < N_NAMINGS; naming++) {
				struct net_source s;
				const char *theirs = naming == NAMING_OPENAI ? adm_names[r].openai : adm_names[r].diffusers;
				cr_assert(net_source_of(&s, (enum net_naming)naming, p, i), "%s", q->name);
				bool split = naming == NAMING_DIFFUSERS && strstr(q->name, "qkv");
				SCOPED(free) char *want = xstrfmt("%s%s.%s", theirs, split ? "v" : "", leaf_name);
				cr_expect_str_eq(s.name[split ? 2 : 0], want);
			}
		}
	params_free(p);
}

struct file {
	struct st_tensor *t;
	size_t n;
	struct arena own;
};

static float *add_tensor(struct file *f, const char *prefix, const char *name, int n_dims, const int64_t *dims)
{
	size_t count = 1;
	struct st_tensor t = { .name = arena_strfmt(&f->own, "%s%s", prefix, name), .dtype = ST_F32, .n_dims = n_dims };
	for (int i = 0; i < n_dims; i++) {
		t.dims[i] = dims[i];
		count *= (size_t)dims[i];
	}
	float *v = arena_alloc(&f->own, count * sizeof *v);
	for (size_t k = 0; k < count; k++)
		v[k] = (float)formula_u(name, k);
	t.data = v;
	f->t[f->n++] = t;
	return v;
}

/* The network as that program would save it: shapes of its own, and weights that follow from its own names. */
static struct file file_of(const struct params *p, enum net_naming naming, const char *prefix)
{
	struct file f = { .t = xcalloc(3 * (size_t)params_count(p) + 1, sizeof *f.t) };
	for (int i = 0; i < params_count(p); i++) {
		const struct param *q = params_get(p, i);
		struct net_source s;
		cr_assert(net_source_of(&s, naming, p, i), "%s", q->name);
		int64_t dims[4] = { q->dims[0], q->dims[1], q->dims[2], q->dims[3] };
		int n_dims = q->ndim;
		bool attends = strstr(q->name, ".qkv.") || strstr(q->name, ".proj.");
		if (attends && n_dims == 4) /* a convolution over a sequence, a linear layer */
			n_dims = naming == NAMING_OPENAI ? 3 : naming == NAMING_DIFFUSERS ? 2 : 4;
		if (s.transposed)
			dims[0] = q->dims[1], dims[1] = q->dims[0];
		dims[0] /= s.n;
		for (int k = 0; k < s.n; k++)
			(void)add_tensor(&f, prefix, s.name[k], n_dims, dims);
	}
	return f;
}

static void file_release(struct file *f)
{
	free(f->t);
	arena_release(&f->own);
}

/* The value of ours at (row, column) by where it lies in theirs, told here as model/README.md, "Attention", tells
 * it. */
static double expected(const struct param *q, const struct net_source *s, enum net_naming naming, size_t at)
{
	size_t rows = (size_t)q->dims[0], row = q->count / rows, r = at / row, column = at % row;
	if (strstr(q->name, "map_label") && naming != NAMING_FIELD)
		return formula_u(s->name[0], column * rows + r); /* an embedding: one row per class */
	if (!strstr(q->name, ".qkv.") || naming == NAMING_FIELD)
		return formula_u(s->name[0], at);
	size_t channel = r / 3, which = r % 3; /* q, k, v innermost */
	if (naming == NAMING_DIFFUSERS)
		return formula_u(s->name[which], channel * row + column);
	return formula_u(s->name[0], (which * rows / 3 + channel) * row + column);
}

static void expect_round_trip(const struct net_spec *net, enum net_naming naming, const char *prefix)
{
	struct params *p = net_params(net);
	struct file f = file_of(p, naming, prefix);
	char *dir = tempdir_make();
	SCOPED(free) char *path = xstrfmt("%s/net.safetensors", dir);
	SCOPED(free) float *values = xcalloc(params_floats(p), sizeof *values);
	struct err e = ERR_INIT;
	cr_assert_eq(safetensors_write(path, f.t, f.n, NULL, 0, NULL, &e), 0, "%s", e.msg);
	cr_assert_eq(net_weights_load(values, p, path, &e), 0, "%s", e.msg);
	for (int i = 0; i < params_count(p); i++) {
		const struct param *q = params_get(p, i);
		struct net_source s;
		cr_assert(net_source_of(&s, naming, p, i));
		for (size_t k = 0; k < q->count; k++)
			cr_assert((double)values[q->at + k] == expected(q, &s, naming, k), "%s %s[%zu]", prefix, q->name, k);
	}
	file_release(&f);
	params_free(p);
	tempdir_remove(dir);
}

Test(net_weights, adm_from_each_naming)
{
	for (int naming = 0; naming < N_NAMINGS; naming++)
		expect_round_trip(&tiny_adm, (enum net_naming)naming,
		                  naming == NAMING_FIELD    ? "model."
		                  : naming == NAMING_OPENAI ? ""
		                                            : "unet.");
	struct net_spec added = tiny_adm; /* the public reproduction of iCT on ImageNet 64x64 */
	added.added = true;
	expect_round_trip(&added, NAMING_OPENAI, "");
}

Test(net_weights, songunets_from_the_fields_names)
{
	struct net_spec s = { .kind = NET_NCSNPP,
		                  .h = 8,
		                  .w = 8,
		                  .in_c = 3,
		                  .out_c = 3,
		                  .channels = 16,
		                  .blocks = 1,
		                  .n_mult = 2,
		                  .mult = { 1, 2 },
		                  .n_attn = 1,
		                  .attn = { 4 },
		                  .fourier = true,
		                  .residual = true,
		                  .taps = 4,
		                  .noise_mult = 2,
		                  .emb_mult = 4,
		                  .fourier_scale = 16 };
	expect_round_trip(&s, NAMING_FIELD, "module.model.");
	s = (struct net_spec){ .kind = NET_DDPMPP,
		                   .h = 8,
		                   .w = 8,
		                   .in_c = 3,
		                   .out_c = 3,
		                   .channels = 16,
		                   .blocks = 2,
		                   .n_mult = 2,
		                   .mult = { 1, 2 },
		                   .taps = 2,
		                   .noise_mult = 1,
		                   .emb_mult = 4 };
	expect_round_trip(&s, NAMING_FIELD, "");
	expect_round_trip(&s, NAMING_DIFFUSERS, "");
}

/* OpenAI's 64x64 network and its diffusers port are public: their names, by layer, and how many there are. */
Test(net_weights, names_at_full_size)
{
	struct run_config c;
	struct err e = ERR_INIT;
	config_defaults(&c);
	cr_assert_eq(config_preset(&c, "ict-imagenet64", &e), 0);
	cr_assert_eq(config_finish(&c, &e), 0);
	struct net_spec net = net_spec_of(&c);
	struct params *p = net_params(&net);
	static const char *const known[][3] = {
		{ "enc.32x32_down.conv0.weight", "input_blocks.4.0.in_layers.2.weight",
		  "down_blocks.0.downsamplers.0.conv1.weight" },
		{ "enc.16x16_block2.qkv.bias", "input_blocks.11.1.qkv.bias", "down_blocks.2.attentions.2.to_q.bias" },
		{ "enc.8x8_block0.skip.weight", "input_blocks.13.0.skip_connection.weight",
		  "down_blocks.3.resnets.0.conv_shortcut.weight" },
		{ "dec.8x8_block3.proj.weight", "output_blocks.3.1.proj_out.weight",
		  "up_blocks.0.attentions.3.to_out.0.weight" },
		{ "dec.16x16_up.norm0.bias", "output_blocks.3.2.in_layers.0.bias", "up_blocks.0.upsamplers.0.norm1.bias" },
		{ "dec.64x64_up.conv1.bias", "output_blocks.11.2.out_layers.3.bias", "up_blocks.2.upsamplers.0.conv2.bias" },
		{ "dec.64x64_block3.affine.weight", "output_blocks.15.0.emb_layers.1.weight",
		  "up_blocks.3.resnets.3.time_emb_proj.weight" },
	};
	int found = 0, heads = 0, missing[N_NAMINGS] = { 0 };
	for (int i = 0; i < params_count(p); i++) {
		struct net_source s[N_NAMINGS];
		for (int k = 0; k < N_NAMINGS; k++)
			missing[k] += !net_source_of(&s[k], (enum net_naming)k, p, i);
		heads += s[NAMING_DIFFUSERS].n == 3;
		for (size_t r = 0; r < sizeof known / sizeof *known; r++)
			if (strcmp(params_get(p, i)->name, known[r][0]) == 0) {
				cr_expect_str_eq(s[NAMING_OPENAI].name[0], known[r][1]);
				cr_expect_str_eq(s[NAMING_DIFFUSERS].name[0], known[r][2]);
				found++;
			}
	}
	cr_expect_eq(found, (int)(sizeof known / sizeof *known));
	cr_expect_eq(params_count(p), 541);
	cr_expect_eq(heads, 2 * (3 * 3 + 1 + 3 * 4)); /* weights and biases of attention at three levels */
	for (int k = 0; k < N_NAMINGS; k++)
		cr_expect_eq(missing[k], 0);
	params_free(p);
}

static void expect_refused(struct file *f, const struct params *p, const char *want)
{
	char *dir = tempdir_make();
	SCOPED(free) char *path = xstrfmt("%s/net.safetensors", dir);
	SCOPED(free) float *values = xcalloc(params_floats(p), sizeof *values);
	struct err e = ERR_INIT;
	cr_assert_eq(safetensors_write(path, f->t, f->n, NULL, 0, NULL, &e), 0, "%s", e.msg);
	cr_assert_eq(net_weights_load(values, p, path, &e), -1);
	cr_expect(strstr(e.msg, want), "%s", e.msg);
	tempdir_remove(dir);
	file_release(f);
}

Test(net_weights, what_does_not_fit_is_refused_by_name)
{
	struct params *p = net_params(&tiny_adm);
	struct file f = file_of(p, NAMING_OPENAI, "");
	f.t[7].name = "renamed";
	expect_refused(&f, p, "is missing");
	f = file_of(p, NAMING_OPENAI, "");
	f.t[2].dims[0]--; /* the data hold more than the file then says */
	expect_refused(&f, p, "network of this config needs");
	struct net_spec added = tiny_adm; /* a checkpoint without scale and shift, and the other way round */
	added.added = true;
	struct params *half = net_params(&added);
	f = file_of(half, NAMING_OPENAI, "");
	expect_refused(&f, p, "network of this config needs");
	f = file_of(p, NAMING_OPENAI, "");
	expect_refused(&f, half, "network of this config needs");
	params_free(half);
	f = file_of(p, NAMING_FIELD, "");
	((float *)(uintptr_t)f.t[9].data)[1] = NAN;
	expect_refused(&f, p, "value 1 is not finite");
	f = (struct file){ .t = xcalloc(1, sizeof *f.t) };
	(void)add_tensor(&f, "", "something.else", 1, (int64_t[]){ 4 });
	expect_refused(&f, p, "not the weights of a known network");
	struct net_spec ncsnpp = { .kind = NET_NCSNPP,
		                       .h = 8,
		                       .w = 8,
		                       .in_c = 3,
		                       .out_c = 3,
		                       .channels = 16,
		                       .blocks = 1,
		                       .n_mult = 2,
		                       .mult = { 1, 2 },
		                       .fourier = true,
		                       .residual = true,
		                       .taps = 4,
		                       .noise_mult = 2,
		                       .emb_mult = 4 };
	struct params *q = net_params(&ncsnpp);
	f = (struct file){ .t = xcalloc(1, sizeof *f.t) };
	(void)add_tensor(&f, "", "time_embedding.linear_1.weight", 2, (int64_t[]){ 64, 32 });
	expect_refused(&f, q, "cannot start from it");
	params_free(p);
	params_free(q);
}

Test(net_weights, a_bare_name_lies_in_the_users_cache)
{
	char *dir = tempdir_make();
	cr_assert_eq(setenv("ABLATE_CACHE", dir, 1), 0);
	SCOPED(free) char *named = weights_file_path("edm"), *path = weights_file_path("./edm.pth");
	SCOPED(free) char *want = xstrfmt("%s/weights/edm.safetensors", dir);
	cr_expect_str_eq(named, want);
	cr_expect_str_eq(path, "./edm.pth");
	tempdir_remove(dir);
}
