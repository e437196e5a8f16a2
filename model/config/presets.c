/* presets.c - the papers' settings as rows of values, each with its locus, and the scalings that make them small. A
 * preset lists what differs from the knob table's defaults, which are iCT's on CIFAR-10. Sources are abbreviated as in
 * knobs.c: jcm = openai/consistency_models_cifar10, cm = openai/consistency_models, ect = locuslab/ect, bcm =
 * Mosasaur5526/BCM-iCT-torch, a public reproduction of iCT on ImageNet 64x64; sCT = arXiv:2410.11081; mf =
 * Gsunshine/py-meanflow, by MeanFlow's authors (arXiv:2505.13447). */
#include "model/config/config.h"

#include "model/base/mem.h"

#include <string.h>

#define END \
	{ \
		NULL, NULL, NULL \
	}

static const struct preset_value ct_cifar10[] = { { "data.name", "cifar10", "jcm cfg" },
	                                              { "net.fourier_scale", "16", "jcm cfg:46-74" },
	                                              { "net.dropout", "0", "jcm cfg:46-74" },
	                                              { "teacher.ema", "schedule", "jcm losses.py:925" },
	                                              { "teacher.mu0", "0.9", "jcm cfg:25" },
	                                              { "loss.kind", "lpips", "jcm cfg:20" },
	                                              { "weight.kind", "uniform", "jcm cfg:30" },
	                                              { "noise.dist", "uniform", "jcm losses.py:311" },
	                                              { "disc.kind", "sqrt", "jcm losses.py:916-927" },
	                                              { "disc.s0", "2", "jcm cfg:26" },
	                                              { "disc.s1", "150", "jcm cfg:27" },
	                                              { "optim.lr", "0.0004", "jcm launch.sh:51" },
	                                              { "train.batch", "512", "jcm cfg:19" },
	                                              { "train.steps", "800000", "jcm cfg:15" },
	                                              { "ema.decay", "0.9999", "jcm cfg:50" },
	                                              { "sample.quantize", "truncate", "jcm evaluate.py:345" },
	                                              END };

static const struct preset_value ict_cifar10[] = { { "data.name", "cifar10", "iCT section 4" },
	                                               { "net.dropout", "0.3", "iCT section 3.1" },
	                                               { "ema.decay", "0.99993",
	                                                 "iCT, appendix; train_cm_ct_unconditional.py:637-644" },
	                                               END };

static const struct preset_value ict_deep_cifar10[] = { { "data.name", "cifar10", "iCT section 4" },
	                                                    { "net.dropout", "0.3", "iCT section 3.1" },
	                                                    { "net.blocks", "8", "iCT section 4 (2x depth)" },
	                                                    { "ema.decay", "0.99993",
	                                                      "iCT, appendix; train_cm_ct_unconditional.py:637-644" },
	                                                    END };

#define ADM_IMAGENET64 \
	{ "data.name", "imagenet64", "cm launch.sh:38" }, { "net.kind", "adm", "cm unet.py" }, \
		{ "net.channels", "192", "cm launch.sh:38" }, { "net.mult", "[1, 2, 3, 4]", "cm script_util.py:129-130" }, \
		{ "net.blocks", "3", "cm launch.sh:38" }, { "net.attn", "[32, 16, 8]", "cm launch.sh:38" }, \
		{ "net.classes", "1000", "cm launch.sh:38" }, \
	{ \
		"precond.time_scale", "250", "cm karras_diffusion.py:346" \
	}

static const struct preset_value ct_imagenet64[] = { ADM_IMAGENET64,
	                                                 { "net.dropout", "0", "cm launch.sh:38" },
	                                                 { "teacher.ema", "schedule", "cm launch.sh:38" },
	                                                 { "teacher.mu0", "0.95", "cm launch.sh:38" },
	                                                 { "loss.kind", "lpips-average",
	                                                   "cm launch.sh:38; karras_diffusion.py:52" },
	                                                 { "weight.kind", "uniform", "cm launch.sh:38" },
	                                                 { "noise.dist", "uniform", "cm karras_diffusion.py" },
	                                                 { "disc.kind", "sqrt", "cm script_util.py" },
	                                                 { "disc.s0", "2", "cm launch.sh:38" },
	                                                 { "disc.s1", "200", "cm launch.sh:38" },
	                                                 { "optim.lr", "0.0001", "cm launch.sh:38" },
	                                                 { "train.batch", "2048", "cm launch.sh:38" },
	                                                 { "train.steps", "800000", "cm launch.sh:38" },
	                                                 { "ema.decay", "0.9999432189950708", "cm launch.sh:38" },
	                                                 { "sample.quantize", "truncate", "cm image_sample.py:86" },
	                                                 { "sample.sigma_mid", "1.9128", "cm launch.sh, ts 0,106,200" },
	                                                 END };

/* The recipe without EMA teacher and learned metric is the knob table's; what differs is the network and its scale. */
#define ICT_IMAGENET64 \
	{ "net.scale_shift", "false", "bcm ict_imagenet64.sh" }, \
		{ "net.dropout", "0.2", "bcm unet.py:573 (dropout_lowres)" }, \
		{ "net.dropout_at", "16", "bcm unet.py:627-636,721-726" }, { "optim.lr", "0.0001", "bcm ict_imagenet64.sh" }, \
		{ "train.batch", "4096", "bcm ict_imagenet64.sh" }, { "train.steps", "800000", "bcm ict_imagenet64.sh" }, \
		{ "ema.decay", "0.99997", "bcm ict_imagenet64.sh" }, \
	{ \
		"sample.sigma_mid", "1.526", "ect-in run_imgnet_ecm.sh:5" \
	}

static const struct preset_value ict_imagenet64[] = { ADM_IMAGENET64, ICT_IMAGENET64, END };
static const struct preset_value ict_deep_imagenet64[] = {
	ADM_IMAGENET64, ICT_IMAGENET64, { "net.blocks", "6", "iCT section 4 (2x depth), unconfirmed" }, END
};

/* Consistency distillation (Song et al. 2023): the student starts as the diffusion network that it distils. */
static const struct preset_value cd_cifar10[] = {
	{ "data.name", "cifar10", "jcm configs/cifar10_ve_cd.py" },
	{ "method.kind", "cd", "jcm configs/cifar10_ve_cd.py" },
	{ "cd.teacher", "edm-cifar10-uncond-ve", "jcm configs/cifar10_ve_cd.py (a diffusion model of the same network)" },
	{ "cd.solver", "heun", "jcm configs/cifar10_ve_cd.py" },
	{ "net.init", "edm-cifar10-uncond-ve", "jcm configs/cifar10_ve_cd.py (finetune)" },
	{ "net.fourier_scale", "16", "jcm configs/cifar10_ve_cd.py" },
	{ "net.dropout", "0", "jcm configs/cifar10_ve_cd.py" },
	{ "teacher.ema", "0", "Song 2023, table 3" },
	{ "loss.kind", "lpips", "jcm configs/cifar10_ve_cd.py" },
	{ "weight.kind", "uniform", "jcm configs/cifar10_ve_cd.py" },
	{ "noise.dist", "uniform", "jcm losses.py:311" },
	{ "disc.kind", "constant", "jcm configs/cifar10_ve_cd.py" },
	{ "disc.s0", "17", "jcm configs/cifar10_ve_cd.py (N = 18)" },
	{ "optim.lr", "0.0004", "jcm launch.sh; Song 2023, table 3" },
	{ "train.batch", "512", "jcm configs/cifar10_ve_cd.py" },
	{ "train.steps", "800000", "jcm configs/cifar10_ve_cd.py" },
	{ "ema.decay", "0.9999", "jcm configs/cifar10_ve_cd.py" },
	{ "sample.quantize", "truncate", "jcm evaluate.py:345" },
	END
};

static const struct preset_value cd_imagenet64[] = {
	ADM_IMAGENET64,
	{ "method.kind", "cd", "cm launch.sh" },
	{ "cd.teacher", "openai-edm-imagenet64", "cm launch.sh (edm_imagenet64_ema.pt)" },
	{ "cd.solver", "heun", "cm karras_diffusion.py" },
	{ "net.init", "openai-edm-imagenet64", "cm cm_train.py:75-92" },
	{ "net.dropout", "0", "cm launch.sh" },
	{ "teacher.ema", "0.95", "cm launch.sh" },
	{ "loss.kind", "lpips-average", "cm launch.sh; karras_diffusion.py:52" },
	{ "weight.kind", "uniform", "cm launch.sh" },
	{ "noise.dist", "uniform", "cm karras_diffusion.py" },
	{ "disc.kind", "constant", "cm launch.sh" },
	{ "disc.s0", "39", "cm launch.sh (start_scales 40)" },
	{ "optim.lr", "8e-06", "cm launch.sh" },
	{ "train.batch", "2048", "cm launch.sh" },
	{ "train.steps", "600000", "cm launch.sh" },
	{ "ema.decay", "0.9999432189950708", "cm launch.sh" },
	{ "sample.quantize", "truncate", "cm image_sample.py:86" },
	{ "sample.sigma_mid", "1.3831", "cm launch.sh, ts 0,22,39 of 40 steps" },
	END
};

/* No published weights fit a smaller network: it starts at random, and distillation waits for a teacher of its size. */
static const struct preset_value from_nothing[] = { { "net.init", "", "scaling" }, END };
static const struct preset_value teacher_of_its_size[] = { { "net.init", "", "scaling" },
	                                                       { "cd.teacher", "scaled-teacher", "scaling" },
	                                                       END };

static const struct preset_value ect_cifar10[] = { { "data.name", "cifar10", "ect run_ecm.sh" },
	                                               { "data.flip", "false", "ect (xflip off)" },
	                                               { "method.kind", "ect", "ect loss.py" },
	                                               { "net.init", "edm-cifar10-uncond-vp", "ect run_ecm.sh" },
	                                               { "net.kind", "ddpmpp", "ect run_ecm.sh" },
	                                               { "net.dropout", "0.2", "ect run_ecm.sh" },
	                                               { "loss.c", "0", "ect loss.py:82-92" },
	                                               { "noise.mean", "-1.1", "ect ct_train.py:65" },
	                                               { "noise.std", "2", "ect ct_train.py:66" },
	                                               { "precond.kind", "edm", "ect networks.py:684" },
	                                               { "sigma.min", "0.003", "ect networks.py:706" },
	                                               { "train.batch", "128", "ect run_ecm.sh" },
	                                               { "train.steps", "200000", "ect run_ecm.sh" },
	                                               { "ema.decay", "0.9999", "ect run_ecm.sh" },
	                                               { "sample.clip", "false", "ect ct_training_loop.py:79-97" },
	                                               END };

/* What the paper changes of the network does not concern DDPM++: its embedding is positional, and is added rather than
 * scaled by. The paper starts from a diffusion network of TrigFlow's, which is not published. sigma_mid is 0.5 tan 1.1,
 * of the angle 1.1. */
static const struct preset_value sct_cifar10[] = {
	{ "data.name", "cifar10", "sCT appendix G" },
	{ "method.kind", "sct", "sCT algorithm 1" },
	{ "net.kind", "ddpmpp", "sCT appendix G" },
	{ "net.dropout", "0.2", "sCT appendix G.2" },
	{ "loss.kind", "l2", "sCT equation 8" },
	{ "loss.reduce", "mean", "sCT equation 8" },
	{ "weight.kind", "learned", "sCT equation 8" },
	{ "noise.mean", "-1", "sCT appendix G.2" },
	{ "noise.std", "1.4", "sCT appendix G.2" },
	{ "precond.kind", "trigflow", "sCT section 3" },
	{ "precond.time_scale", "1", "sCT section 4.1" },
	{ "sigma.min", "0", "sCT section 3 (identity at the angle 0)" },
	{ "tangent.c", "0.1", "sCT appendix G.2" },
	{ "tangent.warmup", "10000", "sCT appendix G.2" },
	{ "optim.lr", "0.0001", "sCT appendix G.2" },
	{ "optim.beta2", "0.99", "sCT appendix G.2" },
	{ "train.batch", "512", "sCT appendix G.2" },
	{ "train.steps", "400000", "sCT appendix G.1 (its diffusion network's), unconfirmed" },
	{ "ema.decay", "0.99929", "sCT appendix G.2 (half-life of 0.5 Mimg)" },
	{ "sample.sigma_mid", "0.9824", "sCT appendix G.2 (angle 1.1)" },
	END
};

/* A quarter of the steps of -small. */
static const struct preset_value sct_scaled[] = { { "tangent.warmup", "5000", "scaling" }, END };

/* mf's first recipe, the paper's. Not built of it: the learning rate's warm-up over 10,000 steps, EDM's augmentation at
 * 0.12, and its network's resampling filter (1, 3, 3, 1) and twice as many waves of each time. sigma.max is where the
 * time s is 1 in single precision. */
static const struct preset_value meanflow_cifar10[] = {
	{ "data.name", "cifar10", "mf scripts/cifar10_v0.sh" },
	{ "method.kind", "meanflow", "mf models/meanflow.py" },
	{ "net.kind", "ddpmpp", "mf models/model_configs.py" },
	{ "net.dropout", "0.2", "mf scripts/cifar10_v0.sh" },
	{ "loss.kind", "l2", "mf models/meanflow.py:59-60" },
	{ "loss.reduce", "sum", "mf models/meanflow.py:59-60" },
	{ "weight.kind", "adaptive", "mf models/meanflow.py:62-64" },
	{ "weight.p", "0.75", "mf scripts/cifar10_v0.sh" },
	{ "weight.eps", "0.001", "mf train_arg_parser.py:65" },
	{ "meanflow.share", "0.75", "mf scripts/cifar10_v0.sh" },
	{ "noise.mean", "-2", "mf scripts/cifar10_v0.sh" },
	{ "noise.std", "2", "mf scripts/cifar10_v0.sh" },
	{ "precond.kind", "flow", "mf models/meanflow.py:43-49" },
	{ "precond.time_scale", "1", "mf models/unet.py:370-372" },
	{ "sigma.min", "0", "mf models/meanflow.py:76" },
	{ "sigma.max", "100000000", "mf models/meanflow.py:75 (the time 1)" },
	{ "optim.kind", "adam", "mf train.py:157" },
	{ "optim.lr", "0.0006", "mf scripts/cifar10_v0.sh" },
	{ "train.batch", "1024", "mf scripts/cifar10_v0.sh (128 on each of 8)" },
	{ "train.steps", "800000", "mf README.md (16,000 epochs)" },
	{ "ema.decay", "0.9999", "mf train_arg_parser.py:24 (applied every 16 steps there)" },
	{ "sample.quantize", "truncate", "mf training/eval_loop.py:70-73" },
	END
};

/* Both stages in one training: the paper trains the first with batch 512 and the second with 1024, and says neither how
 * long each was nor at which level its second step is. */
static const struct preset_value tcm_cifar10[] = {
	{ "data.name", "cifar10", "TCM, NVlabs/TCM README.md" },
	{ "data.flip", "false", "as ect (xflip off), unconfirmed" },
	{ "method.kind", "tcm", "TCM (arXiv:2410.14895)" },
	{ "net.init", "edm-cifar10-uncond-vp", "TCM, NVlabs/TCM README.md (stage 1 from EDM)" },
	{ "net.kind", "ddpmpp", "TCM, NVlabs/TCM README.md" },
	{ "net.dropout", "0.2", "TCM, NVlabs/TCM README.md" },
	{ "loss.c", "1e-08", "TCM, NVlabs/TCM README.md" },
	{ "noise.mean", "-1.1", "TCM, NVlabs/TCM README.md (stage 1)" },
	{ "noise.std", "2", "TCM, NVlabs/TCM README.md (stage 1)" },
	{ "precond.kind", "edm", "as ect networks.py:684, unconfirmed" },
	{ "sigma.min", "0.003", "as ect networks.py:706, unconfirmed" },
	{ "ect.ratio_max", "0.999", "TCM, NVlabs/TCM README.md" },
	{ "tcm.first", "0.5", "unconfirmed: the stages' lengths are not published" },
	{ "tcm.ema", "0.9999", "TCM, NVlabs/TCM README.md" },
	{ "tcm.lr", "5e-05", "TCM, NVlabs/TCM README.md (stage 2)" },
	{ "optim.lr", "0.0001", "TCM, NVlabs/TCM README.md (stage 1)" },
	{ "train.batch", "1024", "TCM, NVlabs/TCM README.md (stage 2; 512 in stage 1)" },
	{ "train.steps", "800000", "unconfirmed: the code allows 3M" },
	{ "ema.decay", "0.9999", "TCM, NVlabs/TCM README.md" },
	{ "sample.clip", "false", "as ect ct_training_loop.py:79-97, unconfirmed" },
	{ "sample.sigma_mid", "1", "unconfirmed: the lowest level of the second stage" },
	END
};

/* The averages follow a short training. */
static const struct preset_value tcm_scaled[] = { { "net.init", "", "scaling" },
	                                              { "tcm.ema", "0.99", "scaling" },
	                                              END };

/* Ours: the recipe of iCT at the size of a laptop CPU, for the generated data of the CI gate. */
static const struct preset_value ict_shapes8_ci[] = { { "data.name", "shapes8", "" },
	                                                  { "data.flip", "false", "" },
	                                                  { "net.kind", "ddpmpp", "" },
	                                                  { "net.channels", "16", "" },
	                                                  { "net.mult", "[1, 2]", "" },
	                                                  { "net.blocks", "1", "" },
	                                                  { "net.attn", "[]", "" },
	                                                  { "optim.lr", "0.001", "" },
	                                                  { "disc.s1", "40", "" },
	                                                  { "train.batch", "64", "" },
	                                                  { "train.steps", "400", "" },
	                                                  { "ema.decay", "0.98", "" },
	                                                  END };

static const struct preset presets[] = {
	{ .name = "cd-cifar10",
	  .values = cd_cifar10,
	  .scaled = teacher_of_its_size,
	  .text = "consistency distillation of a diffusion model (Song et al. 2023), CIFAR-10" },
	{ .name = "cd-imagenet64",
	  .values = cd_imagenet64,
	  .scaled = teacher_of_its_size,
	  .text = "consistency distillation of a diffusion model (Song et al. 2023), ImageNet 64x64" },
	{ .name = "ct-cifar10",
	  .values = ct_cifar10,
	  .text = "consistency training as first published (Song et al. 2023), CIFAR-10" },
	{ .name = "ct-imagenet64",
	  .values = ct_imagenet64,
	  .text = "consistency training as first published (Song et al. 2023), ImageNet 64x64" },
	{ .name = "ect-cifar10",
	  .values = ect_cifar10,
	  .scaled = from_nothing,
	  .text = "easy consistency tuning (Geng et al. 2024), CIFAR-10" },
	{ .name = "ict-cifar10",
	  .values = ict_cifar10,
	  .text = "improved consistency training (Song & Dhariwal 2023), CIFAR-10" },
	{ .name = "ict-deep-cifar10", .values = ict_deep_cifar10, .text = "the same with twice the blocks" },
	{ .name = "ict-deep-imagenet64",
	  .values = ict_deep_imagenet64,
	  .text = "improved consistency training on ImageNet 64x64 with twice the blocks" },
	{ .name = "ict-imagenet64",
	  .values = ict_imagenet64,
	  .text = "improved consistency training (Song & Dhariwal 2023), ImageNet 64x64" },
	{ .name = "ict-shapes8-ci",
	  .values = ict_shapes8_ci,
	  .text = "iCT's recipe on generated 8x8 shapes, for gates in CI" },
	{ .name = "meanflow-cifar10", .values = meanflow_cifar10, .text = "MeanFlow (Geng et al. 2025), CIFAR-10" },
	{ .name = "sct-cifar10",
	  .values = sct_cifar10,
	  .scaled = sct_scaled,
	  .text = "continuous-time consistency training with TrigFlow (Lu and Song 2024), CIFAR-10" },
	{ .name = "tcm-cifar10",
	  .values = tcm_cifar10,
	  .scaled = tcm_scaled,
	  .text = "truncated consistency training (Lee et al. 2024), CIFAR-10" },
};

static const struct preset_value small[] = { { "net.channels", "64", "scaling" }, { "net.blocks", "2", "scaling" },
	                                         { "train.batch", "128", "scaling" }, { "train.steps", "20000", "scaling" },
	                                         { "ema.decay", "0.999", "scaling" }, END };

static const struct preset_value tiny[] = { { "net.channels", "32", "scaling" }, { "net.mult", "[1, 2]", "scaling" },
	                                        { "net.blocks", "1", "scaling" },    { "net.attn", "[]", "scaling" },
	                                        { "train.batch", "16", "scaling" },  { "train.steps", "40", "scaling" },
	                                        { "ema.decay", "0.9", "scaling" },   END };

static const struct preset scalings[] = {
	{ .name = "-small",
	  .values = small,
	  .text = "64 channels, 2 blocks, batch 128, 20,000 steps: one GPU and an afternoon" },
	{ .name = "-tiny",
	  .values = tiny,
	  .text = "32 channels, 2 levels, batch 16, 40 steps: a test of the whole path on a CPU" },
};

const struct preset *config_presets(int *n)
{
	*n = sizeof presets / sizeof *presets;
	return presets;
}

const struct preset *config_scalings(int *n)
{
	*n = sizeof scalings / sizeof *scalings;
	return scalings;
}

const struct preset *config_find_preset(const char *name, const struct preset **scaling)
{
	size_t len = strlen(name);
	if (scaling)
		*scaling = NULL;
	for (size_t i = 0; i < sizeof presets / sizeof *presets; i++) {
		const struct preset *p = &presets[i];
		size_t n = strlen(p->name);
		if (len < n || memcmp(name, p->name, n) != 0)
			continue;
		if (len == n)
			return p;
		for (size_t j = 0; j < sizeof scalings / sizeof *scalings; j++)
			if (strcmp(name + n, scalings[j].name) == 0) {
				if (scaling)
					*scaling = &scalings[j];
				return p;
			}
	}
	return NULL;
}

static void apply(struct run_config *c, const struct preset_value *values, const char *name)
{
	for (const struct preset_value *v = values; v && v->key; v++) {
		struct err e = ERR_INIT;
		if (config_set_text(c, v->key, v->value, &e))
			BUG("preset %s: %s", name, e.msg);
	}
}

void config_scale(struct run_config *c, const char *preset)
{
	const struct preset *scaling = NULL, *p = config_find_preset(preset, &scaling);
	if (!scaling)
		return;
	apply(c, scaling->values, scaling->name);
	apply(c, p->scaled, p->name);
}

int config_preset(struct run_config *c, const char *name, struct err *e)
{
	const struct preset *p = config_find_preset(name, NULL);
	if (p) {
		apply(c, p->values, p->name);
		config_scale(c, name);
		return 0;
	}
	const char *names[sizeof presets / sizeof *presets];
	for (size_t i = 0; i < sizeof presets / sizeof *presets; i++)
		names[i] = presets[i].name;
	SCOPED(str) struct str near = { 0 };
	str_suggest(&near, name, names, sizeof presets / sizeof *presets);
	if (!*str_text(&near)) {
		str_add(&near, "; known are");
		for (size_t i = 0; i < sizeof presets / sizeof *presets; i++)
			str_addf(&near, " %s", presets[i].name);
		str_add(&near, ", each also with -small or -tiny");
	}
	return err_code(e, EXIT_USAGE, "unknown preset '%s'%s", name, str_text(&near));
}
