/* weights_table.c - the known weights, one row each (weights.h). Hashes are those of the published files; torchvision
 * and pytorch-fid also carry the first eight digits in the file's name. */
#include "metrics/weights/weights.h"

#include "model/frozen/inception.h"
#include "model/frozen/lpips.h"
#include "metrics/weights/weights_network.h"

#include <string.h>

static bool inception_tensor(enum inception_kind kind, int i, char name[96], int *n_dims, int64_t dims[ST_MAX_DIMS],
                             bool *optional)
{
	struct cnn net = { 0 };
	struct inception_taps taps;
	inception_describe(&net, &taps, kind);
	bool found = inception_weight(&net, i, name, n_dims, dims);
	cnn_release(&net);
	*optional = kind == INCEPTION_KERAS && strncmp(name, "fc.", 3) == 0;
	if (*optional)
		dims[0] = -1;
	return found;
}

static bool inception_2015(int i, char name[96], int *n_dims, int64_t dims[ST_MAX_DIMS], bool *optional)
{
	return inception_tensor(INCEPTION_2015, i, name, n_dims, dims, optional);
}

static bool inception_keras(int i, char name[96], int *n_dims, int64_t dims[ST_MAX_DIMS], bool *optional)
{
	return inception_tensor(INCEPTION_KERAS, i, name, n_dims, dims, optional);
}

#define LPIPS_TENSORS(net, kind) \
	static bool net##_backbone(int i, char name[96], int *n_dims, int64_t dims[ST_MAX_DIMS], bool *optional) \
	{ \
		*optional = false; \
		return lpips_backbone_weight(kind, i, name, n_dims, dims); \
	} \
	static bool net##_head(int i, char name[96], int *n_dims, int64_t dims[ST_MAX_DIMS], bool *optional) \
	{ \
		*optional = false; \
		return lpips_head_weight(kind, i, name, n_dims, dims); \
	}
LPIPS_TENSORS(alex, LPIPS_ALEX)
LPIPS_TENSORS(vgg, LPIPS_VGG)
LPIPS_TENSORS(squeeze, LPIPS_SQUEEZE)

#define NETWORK_TENSORS(of, preset) \
	static bool of##_network(int i, char name[96], int *n_dims, int64_t dims[ST_MAX_DIMS], bool *optional) \
	{ \
		return weights_network_tensor(preset, i, name, n_dims, dims, optional); \
	}
NETWORK_TENSORS(edm_vp, "ect-cifar10")
NETWORK_TENSORS(edm_ve, "cd-cifar10")
NETWORK_TENSORS(adm64, "cd-imagenet64")

#define TORCHVISION "https://download.pytorch.org/models/"
#define HEADS "https://raw.githubusercontent.com/richzhang/PerceptualSimilarity/" \
	"082bb24f84c091ea94de2867d34c4544f68e0963/lpips/weights/v0.1/"

const struct weights_row weights_rows[] = {
	{ "inception-2015", "Inception v3 of the FID, converted from TensorFlow's 2015 graph by pytorch-fid",
	  "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
	  "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2", 95628359, "Apache-2.0", inception_2015, NULL },
	{ "inception-keras", "Inception v3 with Keras' average pool, as safetensors with torchvision's names", NULL, NULL, 0,
	  "as its source says", inception_keras, NULL },
	{ "lpips-alex-backbone", "AlexNet of torchvision, the part that LPIPS reads", TORCHVISION "alexnet-owt-7be5be79.pth",
	  "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02", 0, "BSD-3-Clause", alex_backbone, NULL },
	{ "lpips-vgg-backbone", "VGG16 of torchvision, the part that LPIPS reads", TORCHVISION "vgg16-397923af.pth",
	  "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0", 553433881, "BSD-3-Clause", vgg_backbone, NULL },
	{ "lpips-squeeze-backbone", "SqueezeNet 1.1 of torchvision, the part that LPIPS reads",
	  TORCHVISION "squeezenet1_1-b8a52dc0.pth", "b8a52dc049b60e4b6ab68ad0df457362afab8b6304b2febdc1650a5dab4d7e7b", 4958839,
	  "BSD-3-Clause", squeeze_backbone, NULL },
	{ "lpips-alex", "linear heads of LPIPS v0.1 on AlexNet", HEADS "alex.pth",
	  "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0", 6009, "BSD-2-Clause", alex_head, NULL },
	{ "lpips-vgg", "linear heads of LPIPS v0.1 on VGG16", HEADS "vgg.pth",
	  "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868", 7289, "BSD-2-Clause", vgg_head, NULL },
	{ "lpips-squeeze", "linear heads of LPIPS v0.1 on SqueezeNet", HEADS "squeeze.pth",
	  "4a5350f23600cb79923ce65bb07cbf57dca461329894153e05a1346bd531cf76", 10811, "BSD-2-Clause", squeeze_head, NULL },
	{ "edm-cifar10-uncond-vp", "EDM's DDPM++ of CIFAR-10 (edm-cifar10-32x32-uncond-vp), where ECT starts; save its state dict as .pth or safetensors", NULL,
	  NULL, 0, "CC BY-NC-SA 4.0", edm_vp_network, "ect-cifar10" },
	{ "edm-cifar10-uncond-ve", "EDM's NCSN++ of CIFAR-10 (edm-cifar10-32x32-uncond-ve), a teacher for consistency distillation; save its state dict", NULL,
	  NULL, 0, "CC BY-NC-SA 4.0", edm_ve_network, "cd-cifar10" },
	{ "openai-edm-imagenet64", "OpenAI's EDM of ImageNet 64x64 (edm_imagenet64_ema.pt of consistency_models), or its diffusers port", NULL, NULL, 0, "MIT",
	  adm64_network, "cd-imagenet64" },
	{ 0 },
};
