/* net_names.h - what other people's files call the tensors of our networks. Three ways of naming are known:
 *
 *   field      EDM's and ECT's state dicts, which are our own names: enc.32x32_block0.conv0.weight
 *   openai     guided-diffusion and consistency_models: input_blocks.1.0.in_layers.2.weight
 *   diffusers  UNet2DModel: down_blocks.0.resnets.0.conv1.weight
 *
 *   ours                       openai                              diffusers
 *   map_layer0, map_layer1     time_embed.0, .2                    time_embedding.linear_1, .linear_2
 *   map_label.weight           label_emb.weight, transposed        class_embedding.weight, transposed
 *   enc.RxR_conv               input_blocks.0.0                    conv_in
 *   enc.RxR_block I, level L   input_blocks.N.0                    down_blocks.L.resnets.I
 *   enc.RxR_down, level L      input_blocks.N.0                    down_blocks.(L-1).downsamplers.0
 *   dec.RxR_in0, in1           middle_block.0, .2                  mid_block.resnets.0, .1
 *   dec.RxR_block I, level L   output_blocks.M.0                   up_blocks.(last-L).resnets.I
 *   dec.RxR_up, level L        output_blocks.M.(1, or 2 after attention)   up_blocks.(last-L-1).upsamplers.0
 *   out_norm, out_conv         out.0, out.2                        conv_norm_out, conv_out
 *   .norm0 .conv0 .affine      .in_layers.0 .in_layers.2 .emb_layers.1     .norm1 .conv1 .time_emb_proj
 *   .norm1 .conv1 .skip        .out_layers.0 .out_layers.3 .skip_connection   .norm2 .conv2 .conv_shortcut
 *   .norm2 .qkv .proj          (block).1.norm .qkv .proj_out       attentions.I.group_norm .to_q .to_k .to_v .to_out.0
 *
 * N and M count the encoder's and the decoder's blocks in order. Queries, keys and values are innermost in ours
 * (channel 3i + {q,k,v}); as three blocks of channels in openai's; as three tensors in diffusers'. (diffusers' own
 * scripts/convert_consistency_to_diffusers.py relates the latter two.) NCSN++'s auxiliary image has a name in the
 * field's naming only; DDPM++ follows diffusers' names by the same rule as ADM. */
#ifndef ABLATE_NET_NAMES_H
#define ABLATE_NET_NAMES_H

#include "model/graph/params.h"

#include <stdbool.h>

enum net_naming { NAMING_FIELD, NAMING_OPENAI, NAMING_DIFFUSERS, N_NAMINGS };

enum { NET_NAME_MAX = 128 };

/* Where one of our tensors is in a foreign file. */
struct net_source {
	char name[3][NET_NAME_MAX]; /* one name, or three: queries, keys, values */
	int n;
	bool transposed; /* (in, out) there, (out, in) here */
	bool qkv_blocks; /* n = 1: queries, keys and values one after the other there, innermost here */
};

const char *net_naming_name(enum net_naming naming);
/* False if that naming has no such tensor. */
bool net_source_of(struct net_source *out, enum net_naming naming, const struct params *p, int i);

#endif
