/* net_names.c - the table of net_names.h as code: a parameter's name is split into block and layer, the block is
 * counted, and both are joined again in the other naming. */
#include "model/nets/net_names.h"

#include "model/base/err.h"

#include <stdio.h>
#include <string.h>

const char *net_naming_name(enum net_naming naming)
{
	static const char *const names[] = { "EDM's", "OpenAI's", "diffusers'" };
	return names[naming];
}

/* ---- parameters outside the blocks, and layers within one ------------------------------------ */

struct renamed {
	const char *ours, *theirs[N_NAMINGS];
	bool transposed;
};

static const struct renamed whole[] = {
	{ "map_layer0", { "map_layer0", "time_embed.0", "time_embedding.linear_1" }, false },
	{ "map_layer1", { "map_layer1", "time_embed.2", "time_embedding.linear_2" }, false },
	{ "map_label", { "map_label", "label_emb", "class_embedding" }, true },
	{ "out_norm", { "out_norm", "out.0", "conv_norm_out" }, false },
	{ "out_conv", { "out_conv", "out.2", "conv_out" }, false },
};

static const struct renamed layers[] = {
	{ "norm0", { "norm0", "in_layers.0", "norm1" }, false },
	{ "conv0", { "conv0", "in_layers.2", "conv1" }, false },
	{ "affine", { "affine", "emb_layers.1", "time_emb_proj" }, false },
	{ "norm1", { "norm1", "out_layers.0", "norm2" }, false },
	{ "conv1", { "conv1", "out_layers.3", "conv2" }, false },
	{ "skip", { "skip", "skip_connection", "conv_shortcut" }, false },
};

static const struct renamed attention[] = {
	{ "norm2", { "norm2", "norm", "group_norm" }, false },
	{ "qkv", { "qkv", "qkv", "to_" }, false },
	{ "proj", { "proj", "proj_out", "to_out.0" }, false },
};

static const struct renamed *find(const struct renamed *rows, size_t n, const char *name, size_t len)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(rows[i].ours) == len && memcmp(rows[i].ours, name, len) == 0)
			return &rows[i];
	return NULL;
}

#define FIND(rows, name, len) find(rows, sizeof(rows) / sizeof *(rows), name, len)

/* ---- blocks ---------------------------------------------------------------------------------- */

enum part { PART_CONV, PART_BLOCK, PART_DOWN, PART_UP, PART_IN0, PART_IN1, PART_OTHER };

struct block_name {
	bool decoder;
	int side, index;
	enum part part;
};

/* "enc.32x32_block3" of n characters. */
static bool parse_block(struct block_name *out, const char *name, size_t n)
{
	char text[64];
	int side, twin, used = 0;
	if (n >= sizeof text || (strncmp(name, "enc.", 4) != 0 && strncmp(name, "dec.", 4) != 0))
		return false;
	memcpy(text, name, n);
	text[n] = '\0';
	if (sscanf(text + 4, "%4dx%4d_%n", &side, &twin, &used) != 2 || !used || side != twin)
		return false;
	const char *what = text + 4 + used;
	*out = (struct block_name){ .decoder = *name == 'd', .side = side, .part = PART_OTHER };
	if (sscanf(what, "block%3d", &out->index) == 1)
		out->part = PART_BLOCK;
	static const struct {
		const char *text;
		enum part part;
	} parts[] = {
		{ "conv", PART_CONV }, { "down", PART_DOWN }, { "up", PART_UP }, { "in0", PART_IN0 }, { "in1", PART_IN1 },
	};
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (strcmp(what, parts[i].text) == 0)
			out->part = parts[i].part;
	return true;
}

/* The position of a block: counted from the front of the encoder or decoder, and its level (0 = full resolution). */
struct place {
	int level, last_level, n;
	bool attends_before;
};

/* The block's share of a parameter's name: up to the layer. 0 when it has none. */
static size_t block_length(const char *name)
{
	const char *first = strchr(name, '.'), *second = first ? strchr(first + 1, '.') : NULL;
	return second ? (size_t)(second - name) : 0;
}

static struct place place_of(const struct params *p, const struct block_name *want)
{
	struct place out = { .n = -1 };
	struct block_name b, previous = { .side = -1 };
	int side = -1, level = -1, found_level = -1, n = -1;
	bool attends = false, before = false;
	for (int i = 0; i < params_count(p); i++) {
		const char *name = params_get(p, i)->name;
		size_t len = block_length(name);
		if (!len || !parse_block(&b, name, len) || b.part == PART_OTHER)
			continue;
		bool fresh = b.decoder != previous.decoder || b.side != previous.side || b.part != previous.part ||
		             b.index != previous.index;
		if (!b.decoder && b.side != side)
			side = b.side, level++;
		if (!b.decoder && b.side == want->side)
			found_level = level;
		if (fresh && b.decoder != previous.decoder)
			n = -1;
		if (fresh) {
			before = attends;
			attends = false;
			n += !b.decoder || b.part == PART_BLOCK;
		}
		attends |= strncmp(name + len, ".qkv.", 5) == 0;
		previous = b;
		if (fresh && b.decoder == want->decoder && b.side == want->side && b.part == want->part &&
		    b.index == want->index)
			out.n = n, out.attends_before = before;
	}
	out.level = found_level;
	out.last_level = level;
	return out;
}

/* The block itself, and its attention, in the other naming. */
static bool block_in(char *block, char *attends, enum net_naming naming, const struct params *p,
                     const struct block_name *b)
{
	struct place at = place_of(p, b);
	bool openai = naming == NAMING_OPENAI;
	*attends = '\0';
	switch (b->part) {
	case PART_CONV: (void)snprintf(block, NET_NAME_MAX, "%s", openai ? "input_blocks.0.0" : "conv_in"); return true;
	case PART_DOWN:
		(void)(openai ? snprintf(block, NET_NAME_MAX, "input_blocks.%d.0", at.n)
		              : snprintf(block, NET_NAME_MAX, "down_blocks.%d.downsamplers.0", at.level - 1));
		return true;
	case PART_UP: /* both append it to the level before, whose last block it follows */
		(void)(openai ? snprintf(block, NET_NAME_MAX, "output_blocks.%d.%d", at.n, at.attends_before ? 2 : 1)
		              : snprintf(block, NET_NAME_MAX, "up_blocks.%d.upsamplers.0", at.last_level - at.level - 1));
		return true;
	case PART_IN0:
	case PART_IN1:
		(void)(openai ? snprintf(block, NET_NAME_MAX, "middle_block.%d", b->part == PART_IN0 ? 0 : 2)
		              : snprintf(block, NET_NAME_MAX, "mid_block.resnets.%d", b->part == PART_IN1));
		(void)snprintf(attends, NET_NAME_MAX, "%s", openai ? "middle_block.1" : "mid_block.attentions.0");
		return true;
	case PART_BLOCK: {
		int level = b->decoder ? at.last_level - at.level : at.level;
		const char *side = openai ? (b->decoder ? "output" : "input") : b->decoder ? "up" : "down";
		for (int k = 0; k < 2; k++)
			(void)(openai ? snprintf(k ? attends : block, NET_NAME_MAX, "%s_blocks.%d.%d", side, at.n, k)
			              : snprintf(k ? attends : block, NET_NAME_MAX, "%s_blocks.%d.%s.%d", side, level,
			                         k ? "attentions" : "resnets", b->index));
		return true;
	}
	case PART_OTHER: return false;
	}
	BUG("part %d", (int)b->part);
}

/* ---- the whole name -------------------------------------------------------------------------- */

static void put(struct net_source *out, int k, const char *block, const char *layer, const char *suffix,
                const char *leaf)
{
	(void)snprintf(out->name[k], NET_NAME_MAX, "%s%s%s%s%s", block, *block && *layer ? "." : "", layer, suffix, leaf);
}

/* Names that SongUNet gives to what DhariwalUNet calls out_norm and out_conv. */
static const char *last_layer(const char *name)
{
	return strstr(name, "_aux_norm.") ? "out_norm" : strstr(name, "_aux_conv.") ? "out_conv" : NULL;
}

bool net_source_of(struct net_source *out, enum net_naming naming, const struct params *p, int i)
{
	const struct param *q = params_get(p, i);
	const char *leaf = strrchr(q->name, '.');
	*out = (struct net_source){ .n = 1 };
	REQUIRE(leaf && strlen(q->name) < NET_NAME_MAX);
	if (naming == NAMING_FIELD) {
		put(out, 0, q->name, "", "", "");
		return true;
	}
	const char *last = last_layer(q->name);
	const struct renamed *row = last ? FIND(whole, last, strlen(last)) : FIND(whole, q->name, (size_t)(leaf - q->name));
	if (row) {
		out->transposed = row->transposed;
		put(out, 0, row->theirs[naming], "", "", leaf);
		return !row->transposed || strcmp(leaf, ".weight") == 0;
	}
	size_t len = block_length(q->name);
	struct block_name b;
	char block[NET_NAME_MAX], attends[NET_NAME_MAX];
	bool plain = len == (size_t)(leaf - q->name); /* the first convolution has no layer within its block */
	if (!len || !parse_block(&b, q->name, len) || !block_in(block, attends, naming, p, &b))
		return false;
	if (plain) {
		put(out, 0, block, "", "", leaf);
		return b.part == PART_CONV;
	}
	const char *layer = q->name + len + 1;
	size_t n = (size_t)(leaf - layer);
	row = FIND(layers, layer, n);
	if (row) {
		put(out, 0, block, row->theirs[naming], "", leaf);
		return true;
	}
	row = FIND(attention, layer, n);
	if (!row || !*attends)
		return false;
	bool qkv = strcmp(row->ours, "qkv") == 0, split = qkv && naming == NAMING_DIFFUSERS;
	out->n = split ? 3 : 1;
	out->qkv_blocks = qkv && !split;
	for (int k = 0; k < out->n; k++)
		put(out, k, attends, row->theirs[naming], split ? (const char *[]){ "q", "k", "v" }[k] : "", leaf);
	return true;
}
