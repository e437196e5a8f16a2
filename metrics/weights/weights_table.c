/* weights_table.c - the known weights, one row each (weights.h). Hashes are those of the published files; torchvision
 * and pytorch-fid also carry the first eight digits in the file's name. `content` is there for the files that were at
 * hand when the row was written; the .imported file of an import stands in for the others. */
#include "metrics/weights/weights.h"

#include "model/frozen/inception.h"
#include "model/frozen/lpips.h"
#include "model/frozen/vit.h"
#include "metrics/weights/weights_network.h"

#include <string.h>

static void list_inception(struct weights_list *out, const struct weights_row *row)
{
	enum inception_kind kind = (enum inception_kind)row->net;
	struct cnn net = { 0 };
	struct inception_taps taps;
	struct weights_tensor t = { 0 };
	inception_describe(&net, &taps, kind);
	for (int i = 0; inception_weight(&net, i, t.name, &t.n_dims, t.dims); i++) {
		t.optional = kind == INCEPTION_KERAS && strncmp(t.name, "fc.", 3) == 0;
		if (t.optional)
			t.dims[0] = -1;
		VEC_PUSH(out->v, out->n, out->cap) = t;
	}
	cnn_release(&net);
}

static void list_lpips_backbone(struct weights_list *out, const struct weights_row *row)
{
	struct weights_tensor t = { 0 };
	for (int i = 0; lpips_backbone_weight((enum lpips_net)row->net, i, t.name, &t.n_dims, t.dims); i++)
		VEC_PUSH(out->v, out->n, out->cap) = t;
}

static void list_lpips_heads(struct weights_list *out, const struct weights_row *row)
{
	struct weights_tensor t = { 0 };
	for (int i = 0; lpips_head_weight((enum lpips_net)row->net, i, t.name, &t.n_dims, t.dims); i++)
		VEC_PUSH(out->v, out->n, out->cap) = t;
}

static void list_vit(struct weights_list *out, const struct weights_row *row)
{
	const struct vit_spec *s = row->net == VIT_DINOV2 ? &vit_dinov2_l14 : &vit_clip_l14_336;
	struct weights_tensor t = { 0 };
	for (int i = 0; vit_weight(s, i, t.name, &t.n_dims, t.dims); i++)
		VEC_PUSH(out->v, out->n, out->cap) = t;
}

#define TORCHVISION "https://download.pytorch.org/models/"
#define HEADS \
	"https://raw.githubusercontent.com/richzhang/PerceptualSimilarity/" \
	"082bb24f84c091ea94de2867d34c4544f68e0963/lpips/weights/v0.1/"

const struct weights_row weights_rows[] = {
	{ .name = "inception-2015",
	  .text = "Inception v3 of the FID, converted from TensorFlow's 2015 graph by pytorch-fid",
	  .url =
	      "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
	  .sha256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
	  .bytes = 95628359,
	  .licence = "Apache-2.0",
	  .list = list_inception,
	  .net = INCEPTION_2015 },
	{ .name = "inception-keras",
	  .text = "Inception v3 with Keras' average pool, as safetensors with torchvision's names",
	  .licence = "as its source says",
	  .list = list_inception,
	  .net = INCEPTION_KERAS },
	{ .name = "lpips-alex-backbone",
	  .text = "AlexNet of torchvision, the part that LPIPS reads",
	  .url = TORCHVISION "alexnet-owt-7be5be79.pth",
	  .sha256 = "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
	  .licence = "BSD-3-Clause",
	  .list = list_lpips_backbone,
	  .net = LPIPS_ALEX },
	{ .name = "lpips-vgg-backbone",
	  .text = "VGG16 of torchvision, the part that LPIPS reads",
	  .url = TORCHVISION "vgg16-397923af.pth",
	  .sha256 = "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
	  .bytes = 553433881,
	  .licence = "BSD-3-Clause",
	  .list = list_lpips_backbone,
	  .net = LPIPS_VGG },
	{ .name = "lpips-squeeze-backbone",
	  .text = "SqueezeNet 1.1 of torchvision, the part that LPIPS reads",
	  .url = TORCHVISION "squeezenet1_1-b8a52dc0.pth",
	  .sha256 = "b8a52dc049b60e4b6ab68ad0df457362afab8b6304b2febdc1650a5dab4d7e7b",
	  .bytes = 4958839,
	  .licence = "BSD-3-Clause",
	  .list = list_lpips_backbone,
	  .net = LPIPS_SQUEEZE },
	{ .name = "lpips-alex",
	  .text = "linear heads of LPIPS v0.1 on AlexNet",
	  .url = HEADS "alex.pth",
	  .sha256 = "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
	  .content = "85caddc4fa7caa0abf915424be90721b852fa2f8a70850b3d5e8c50aec3a656c",
	  .bytes = 6009,
	  .licence = "BSD-2-Clause",
	  .list = list_lpips_heads,
	  .net = LPIPS_ALEX },
	{ .name = "lpips-vgg",
	  .text = "linear heads of LPIPS v0.1 on VGG16",
	  .url = HEADS "vgg.pth",
	  .sha256 = "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
	  .content = "4664ca23433724134563d67c759dd9ef97af2a545d1d59740b6b8ffd556783bd",
	  .bytes = 7289,
	  .licence = "BSD-2-Clause",
	  .list = list_lpips_heads,
	  .net = LPIPS_VGG },
	{ .name = "lpips-squeeze",
	  .text = "linear heads of LPIPS v0.1 on SqueezeNet",
	  .url = HEADS "squeeze.pth",
	  .sha256 = "4a5350f23600cb79923ce65bb07cbf57dca461329894153e05a1346bd531cf76",
	  .content = "5dbcbc4272cd0b9c17fc5db46e2e67a677d5f7ce15280de1feee894668fd6fdc",
	  .bytes = 10811,
	  .licence = "BSD-2-Clause",
	  .list = list_lpips_heads,
	  .net = LPIPS_SQUEEZE },
	{ .name = "dinov2",
	  .text =
	      "DINOv2 ViT-L/14 without registers, 1.2 GB; its authors publish no hash, so a number names the file's own",
	  .url = "https://dl.fbaipublicfiles.com/dinov2/dinov2_vitl14/dinov2_vitl14_pretrain.pth",
	  .bytes = 1217586395,
	  .licence = "Apache-2.0",
	  .list = list_vit,
	  .net = VIT_DINOV2 },
	{ .name = "clip",
	  .text = "the picture half of OpenAI's CLIP ViT-L/14@336px; save the state dict of ViT-L-14-336px.pt, a program, "
	          "as .pth or safetensors",
	  .licence = "MIT",
	  .list = list_vit,
	  .net = VIT_CLIP },
	{ .name = "edm-cifar10-uncond-vp",
	  .text = "EDM's DDPM++ of CIFAR-10 (edm-cifar10-32x32-uncond-vp), where ECT starts; save its state "
	          "dict as .pth or safetensors",
	  .licence = "CC BY-NC-SA 4.0",
	  .list = weights_network_list,
	  .preset = "ect-cifar10" },
	{ .name = "edm-cifar10-uncond-ve",
	  .text = "EDM's NCSN++ of CIFAR-10 (edm-cifar10-32x32-uncond-ve), a teacher for consistency "
	          "distillation; save its state dict",
	  .licence = "CC BY-NC-SA 4.0",
	  .list = weights_network_list,
	  .preset = "cd-cifar10" },
	{ .name = "openai-edm-imagenet64",
	  .text = "OpenAI's EDM of ImageNet 64x64 (edm_imagenet64_ema.pt of consistency_models), or its diffusers port",
	  .licence = "MIT",
	  .list = weights_network_list,
	  .preset = "cd-imagenet64" },
	{ 0 },
};
