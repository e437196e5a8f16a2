/* published_stats_table.c - the published statistics; see published_stats.h. Names and numbers of pictures of clean-fid
 * are those of the table in its README, its addresses are built as cleanfid/features.py does (0.1.35). EDM's are in its
 * README, and guided-diffusion's (ADM) in evaluations/README.md: "pre-computed statistics over the whole dataset".
 *
 * The network is that of 2015 in all of them. clean-fid's modes are the resizes of the same names (metrics/README.md);
 * EDM's and ADM's networks resize as TensorFlow 1 did. */
#include "metrics/features/published_stats.h"

#define CLEAN_FID "https://www.cs.cmu.edu/~clean-fid/stats/"
#define EDM       "https://nvlabs-fi-cdn.nvidia.com/edm/fid-refs/"
#define ADM       "https://openaipublic.blob.core.windows.net/diffusion/jul-2021/ref_batches/"

#define CLEAN      "inception-2015:clean:u8"
#define TENSORFLOW "inception-2015:tf-bilinear:u8"
#define PYTORCH    "inception-2015:torch-bilinear:u8"

enum { CIFAR10_TRAIN = 50000, CIFAR10_TEST = 10000, FFHQ_50K = 50000, FFHQ = 70000, IMAGENET_TRAIN = 1281167 };

const struct stats_row stats_rows[] = {
	{ "cifar10-clean-train", "CIFAR-10, training split, by clean-fid", CLEAN_FID "cifar10_clean_train_32.npz", NULL,
	  CLEAN, CIFAR10_TRAIN },
	{ "cifar10-clean-test", "CIFAR-10, test split, by clean-fid", CLEAN_FID "cifar10_clean_test_32.npz", NULL, CLEAN,
	  CIFAR10_TEST },
	{ "cifar10-tensorflow-train", "CIFAR-10, training split, by clean-fid in mode legacy_tensorflow: CT's reference",
	  CLEAN_FID "cifar10_legacy_tensorflow_train_32.npz", NULL, TENSORFLOW, CIFAR10_TRAIN },
	{ "cifar10-tensorflow-test", "CIFAR-10, test split, by clean-fid in mode legacy_tensorflow",
	  CLEAN_FID "cifar10_legacy_tensorflow_test_32.npz", NULL, TENSORFLOW, CIFAR10_TEST },
	{ "cifar10-pytorch-train", "CIFAR-10, training split, by clean-fid in mode legacy_pytorch",
	  CLEAN_FID "cifar10_legacy_pytorch_train_32.npz", NULL, PYTORCH, CIFAR10_TRAIN },
	{ "cifar10-pytorch-test", "CIFAR-10, test split, by clean-fid in mode legacy_pytorch",
	  CLEAN_FID "cifar10_legacy_pytorch_test_32.npz", NULL, PYTORCH, CIFAR10_TEST },
	{ "ffhq256-clean-trainval", "FFHQ at 256x256, the first 50,000, by clean-fid",
	  CLEAN_FID "ffhq_clean_trainval_256.npz", NULL, CLEAN, FFHQ_50K },
	{ "ffhq256-clean-trainval70k", "FFHQ at 256x256, all of it, by clean-fid",
	  CLEAN_FID "ffhq_clean_trainval70k_256.npz", NULL, CLEAN, FFHQ },
	{ "cifar10-edm", "CIFAR-10, training split, by EDM: the reference of EDM and ECT", EDM "cifar10-32x32.npz", NULL,
	  TENSORFLOW, CIFAR10_TRAIN },
	{ "ffhq64-edm", "FFHQ at 64x64, by EDM", EDM "ffhq-64x64.npz", NULL, TENSORFLOW, FFHQ },
	{ "afhqv2-64-edm", "AFHQv2 at 64x64, by EDM", EDM "afhqv2-64x64.npz", NULL, TENSORFLOW, 0 },
	{ "imagenet64-edm", "ImageNet 64x64, training split, by EDM", EDM "imagenet-64x64.npz", NULL, TENSORFLOW,
	  IMAGENET_TRAIN },
	{ "imagenet64-baseline-edm", "ImageNet 64x64 as guided-diffusion made it, by EDM",
	  EDM "imagenet-64x64-baseline.npz", NULL, TENSORFLOW, IMAGENET_TRAIN },
	{ "imagenet64-adm", "ImageNet 64x64, by guided-diffusion: the reference of consistency_models",
	  ADM "imagenet/64/VIRTUAL_imagenet64_labeled.npz", NULL, TENSORFLOW, IMAGENET_TRAIN },
	{ "lsun-bedroom256-adm", "LSUN bedroom at 256x256, by guided-diffusion",
	  ADM "lsun/bedroom/VIRTUAL_lsun_bedroom256.npz", NULL, TENSORFLOW, 0 },
	{ "lsun-cat256-adm", "LSUN cat at 256x256, by guided-diffusion", ADM "lsun/cat/VIRTUAL_lsun_cat256.npz", NULL,
	  TENSORFLOW, 0 },
	{ 0 },
};
