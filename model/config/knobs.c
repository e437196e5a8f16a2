/* knobs.c - the table of the knobs: every setting of struct run_config, one row each. config.h says what follows from a
 * row. Sources are abbreviated: jcm = openai/consistency_models_cifar10, cm = openai/consistency_models, ect =
 * locuslab/ect; train_cm_ct_unconditional.py is diffusers' training example. */
#include "model/config/config.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define AT(field) offsetof(struct run_config, field)

/* Sorted by key; config_find relies on it (a test checks). */
static const struct knob knobs[] = {
	{ .key = "cd.solver", .type = KNOB_CHOICE, .offset = AT(cd.solver), .choices = "heun|euler", .def = "heun",
	  .text = "ODE step of consistency distillation",
	  .source = "Song 2023, Algorithm 2" },
	{ .key = "cd.teacher", .type = KNOB_STRING, .offset = AT(cd.teacher), .def = "", .unit = "file",
	  .text = "diffusion weights (safetensors) that consistency distillation steps with",
	  .source = "Song 2023, Algorithm 2" },
	{ .key = "data.flip", .type = KNOB_BOOL, .offset = AT(data.flip), .def = "true",
	  .text = "random horizontal flip of training images",
	  .source = "jcm datasets.py:81-88" },
	{ .key = "data.name", .type = KNOB_STRING, .offset = AT(data.name), .def = "fashion-mnist",
	  .text = "data set: a name of `ablate data list`",
	  .source = "" },
	{ .key = "disc.kind", .type = KNOB_CHOICE, .offset = AT(disc.kind),
	  .choices = "exp|constant|sqrt|linear|sqrt-short", .def = "exp",
	  .text = "discretization curriculum N(k): exp doubles from s0 to s1, sqrt is the 2023 curriculum, sqrt-short "
	          "the same ending at s1 points instead of s1 + 1 (a public reproduction), constant stays at s0",
	  .source = "iCT section 3.4; Song 2023, appendix C; Kinyugo/consistency_models timesteps_schedule "
	            "(sqrt-short)" },
	{ .key = "disc.s0", .type = KNOB_INT, .offset = AT(disc.s0), .min = 1, .max = 1e6, .def = "10", .unit = "steps",
	  .text = "discretization steps at the start (constant: throughout)",
	  .source = "iCT section 3.4" },
	{ .key = "disc.s1", .type = KNOB_INT, .offset = AT(disc.s1),
	  .min = 1, .max = 1e6, .def = "1280", .unit = "steps",
	  .text = "discretization steps at the end",
	  .source = "iCT section 3.4" },
	{ .key = "ect.b", .type = KNOB_DOUBLE, .offset = AT(ect.b), .min = -1e3, .max = 1e3, .def = "1",
	  .text = "slope of ECT's sigmoid in r(t)",
	  .source = "ect loss.py:45-50" },
	{ .key = "ect.k", .type = KNOB_DOUBLE, .offset = AT(ect.k), .min = 0, .max = 1e6, .def = "8",
	  .text = "height of ECT's sigmoid in r(t); 0 is the constant schedule",
	  .source = "ect loss.py:45-50" },
	{ .key = "ect.q", .type = KNOB_DOUBLE, .offset = AT(ect.q), .min = 1, .max = 1e6, .def = "2",
	  .text = "ECT shrinks t - r by q per stage",
	  .source = "ect run_ecm.sh" },
	{ .key = "ect.stage_steps", .type = KNOB_INT, .offset = AT(ect.stage_steps),
	  .min = 1, .max = 1e9, .def = "25000", .unit = "steps",
	  .text = "length of an ECT stage",
	  .source = "ect run_ecm.sh: 250 ticks of 12.8 kimg at batch 128" },
	{ .key = "ema.decay", .type = KNOB_DOUBLE, .offset = AT(ema.decay), .min = 0, .max = 1, .def = "0.9999",
	  .text = "EMA decay of the student weights that are sampled from",
	  .source = "jcm cfg:50; iCT table 6 (0.99993)" },
	{ .key = "loss.c", .type = KNOB_EXPR, .offset = AT(loss.c), .min = 0, .max = 1e6, .def = "0.00054*sqrt(d)",
	  .text = "constant c of Pseudo-Huber; d = channels*height*width",
	  .source = "iCT section 3.3" },
	{ .key = "loss.kind", .type = KNOB_CHOICE, .offset = AT(loss.kind),
	  .choices = "pseudo-huber|lpips|l2|l1|lpips-classifier|huber-pixel|lpips-average", .def = "pseudo-huber",
	  .text = "metric d(student, teacher); lpips is VGG16 at 224x224, lpips-average the same with average pools "
	          "(consistency_models); lpips-classifier uses the taps of the in-tree classifier; huber-pixel is the "
	          "element-wise form of public reproductions",
	  .source = "iCT section 3.3; Song 2023" },
	{ .key = "loss.reduce", .type = KNOB_CHOICE, .offset = AT(loss.reduce), .choices = "sum|mean", .def = "sum",
	  .text = "l2 and l1 over an image: sum (iCT) or mean (CT code)",
	  .source = "jcm losses.py:350-355" },
	{ .key = "method.kind", .type = KNOB_CHOICE, .offset = AT(method.kind), .choices = "ct|ect|cd", .def = "ct",
	  .text = "consistency training, easy consistency tuning, or consistency distillation",
	  .source = "Song 2023; ECT" },
	{ .key = "net.attn", .type = KNOB_INTS, .offset = AT(net.attn),
	  .min = 1, .max = 1024, .def = "[16]", .unit = "pixels",
	  .text = "resolutions with self-attention",
	  .source = "jcm cfg:46-74" },
	{ .key = "net.blocks", .type = KNOB_INT, .offset = AT(net.blocks), .min = 1, .max = 64, .def = "4",
	  .text = "residual blocks per resolution",
	  .source = "jcm cfg:46-74" },
	{ .key = "net.channels", .type = KNOB_INT, .offset = AT(net.channels), .min = 1, .max = 4096, .def = "128",
	  .text = "channels at multiplier 1",
	  .source = "jcm cfg:46-74" },
	{ .key = "net.classes", .type = KNOB_INT, .offset = AT(net.classes), .min = 0, .max = 100000, .def = "0",
	  .text = "class labels the network is conditioned on; 0 = unconditional",
	  .source = "cm launch.sh:38" },
	{ .key = "net.dropout", .type = KNOB_DOUBLE, .offset = AT(net.dropout), .min = 0, .max = 0.999, .def = "0",
	  .text = "dropout probability in residual blocks",
	  .source = "iCT section 3.1" },
	{ .key = "net.fourier_scale", .type = KNOB_DOUBLE, .offset = AT(net.fourier_scale),
	  .min = 0, .max = 1e6, .def = "0.02",
	  .text = "scale of the Fourier noise embedding (ncsnpp)",
	  .source = "iCT section 3.1 (0.02); jcm cfg (16)" },
	{ .key = "net.init", .type = KNOB_STRING, .offset = AT(net.init), .def = "", .unit = "file",
	  .text = "weights to start from: safetensors, names as `ablate weights --help` says; empty = random",
	  .source = "ect run_ecm.sh" },
	{ .key = "net.kind", .type = KNOB_CHOICE, .offset = AT(net.kind),
	  .choices = "ddpmpp|ncsnpp|adm", .def = "ncsnpp",
	  .text = "network family",
	  .source = "EDM networks; jcm models/ncsnpp.py" },
	{ .key = "net.mult", .type = KNOB_INTS, .offset = AT(net.mult), .min = 1, .max = 64, .def = "[2, 2, 2]",
	  .text = "channel multiplier per resolution",
	  .source = "jcm cfg:46-74" },
	{ .key = "net.patch", .type = KNOB_INT, .offset = AT(net.patch),
	  .min = 1, .max = 16, .def = "1", .unit = "pixels",
	  .text = "space-to-depth of the image before the network: patch*patch pixels become channels",
	  .source = "" },
	{ .key = "noise.dist", .type = KNOB_CHOICE, .offset = AT(noise.dist),
	  .choices = "lognormal|uniform", .def = "lognormal",
	  .text = "distribution of the discretization index (ECT: of the noise level)",
	  .source = "iCT section 3.5" },
	{ .key = "noise.mean", .type = KNOB_DOUBLE, .offset = AT(noise.mean), .min = -100, .max = 100, .def = "-1.1",
	  .text = "mean of ln sigma under lognormal",
	  .source = "iCT section 3.5" },
	{ .key = "noise.std", .type = KNOB_DOUBLE, .offset = AT(noise.std), .min = 1e-6, .max = 100, .def = "2",
	  .text = "standard deviation of ln sigma under lognormal",
	  .source = "iCT section 3.5" },
	{ .key = "optim.beta1", .type = KNOB_DOUBLE, .offset = AT(optim.beta1),
	  .min = 0, .max = 0.999999999, .def = "0.9",
	  .text = "decay of the first moment",
	  .source = "jcm cfg:79-84" },
	{ .key = "optim.beta2", .type = KNOB_DOUBLE, .offset = AT(optim.beta2),
	  .min = 0, .max = 0.999999999, .def = "0.999",
	  .text = "decay of the second moment",
	  .source = "jcm cfg:79-84" },
	{ .key = "optim.eps", .type = KNOB_DOUBLE, .offset = AT(optim.eps), .min = 0, .max = 1, .def = "1e-08",
	  .text = "added to the root of the second moment",
	  .source = "torch 1.13 radam.py" },
	{ .key = "optim.kind", .type = KNOB_CHOICE, .offset = AT(optim.kind), .choices = "radam|adam", .def = "radam",
	  .text = "optimizer",
	  .source = "jcm losses.py:72-82" },
	{ .key = "optim.lr", .type = KNOB_DOUBLE, .offset = AT(optim.lr), .min = 0, .max = 10, .def = "0.0001",
	  .text = "learning rate, constant",
	  .source = "iCT table 6" },
	{ .key = "precond.kind", .type = KNOB_CHOICE, .offset = AT(precond.kind),
	  .choices = "cm|edm|squared-c-in|diffusers", .def = "cm",
	  .text = "c_skip, c_out and c_in of training (sampling is always cm): with sigma_min (cm), EDM's (ect trains "
	          "so), cm with c_in = 1/(sigma^2 + sigma_data^2), or all of diffusers' training example: that c_in, "
	          "EDM's c_skip, and c_out without its factor sigma_data",
	  .source = "Song 2023, appendix C; ect networks.py:684; train_cm_ct_unconditional.py:183-195" },
	{ .key = "precond.time_scale", .type = KNOB_DOUBLE, .offset = AT(precond.time_scale),
	  .min = 0, .max = 1e6, .def = "0.25",
	  .text = "c_noise = time_scale * ln sigma",
	  .source = "jcm models/utils.py:190 (0.25); cm karras_diffusion.py:346 (250)" },
	{ .key = "sample.clip", .type = KNOB_BOOL, .offset = AT(sample.clip), .def = "true",
	  .text = "clamp the network's answer to [-1,1] at each sampling step",
	  .source = "cm karras_diffusion.py:657-681" },
	{ .key = "sample.quantize", .type = KNOB_CHOICE, .offset = AT(sample.quantize),
	  .choices = "round|truncate", .def = "round",
	  .text = "uint8 rule of samples",
	  .source = "FID protocols differ: jcm truncates, edm rounds" },
	{ .key = "sample.sigma_mid", .type = KNOB_DOUBLE, .offset = AT(sample.sigma_mid),
	  .min = 0, .max = 1e6, .def = "0.821", .unit = "sigma",
	  .text = "noise level of the second step of two-step sampling",
	  .source = "ect ct_train.py:99" },
	{ .key = "sample.weights", .type = KNOB_CHOICE, .offset = AT(sample.weights),
	  .choices = "ema|student|teacher", .def = "ema",
	  .text = "which weights are sampled from",
	  .source = "jcm eval default" },
	{ .key = "sigma.data", .type = KNOB_DOUBLE, .offset = AT(sigma.data),
	  .min = 1e-300, .max = 1e300, .def = "0.5", .unit = "sigma",
	  .text = "standard deviation of the data in the preconditioning",
	  .source = "Song 2023, appendix C" },
	{ .key = "sigma.grid", .type = KNOB_CHOICE, .offset = AT(sigma.grid),
	  .choices = "double|single|rounded", .def = "double",
	  .text = "precision of the noise grid: single computes it in float32 (CT's CIFAR-10 code), rounded rounds it "
	          "to float32 and takes the probabilities of its intervals from that, in float32 (diffusers' example)",
	  .source = "jcm losses.py:312-320; train_cm_ct_unconditional.py:109-137" },
	{ .key = "sigma.max", .type = KNOB_DOUBLE, .offset = AT(sigma.max),
	  .min = 1e-300, .max = 1e300, .def = "80", .unit = "sigma",
	  .text = "largest noise level",
	  .source = "Song 2023, appendix C" },
	{ .key = "sigma.min", .type = KNOB_DOUBLE, .offset = AT(sigma.min),
	  .min = 0, .max = 1e6, .def = "0.002", .unit = "sigma",
	  .text = "smallest noise level, where the model is the identity",
	  .source = "Song 2023, appendix C" },
	{ .key = "sigma.rho", .type = KNOB_DOUBLE, .offset = AT(sigma.rho), .min = 1, .max = 100, .def = "7",
	  .text = "curvature of the Karras grid",
	  .source = "Song 2023, appendix C" },
	{ .key = "teacher.ema", .type = KNOB_NUMBER_OR_NAME, .offset = AT(teacher.ema),
	  .min = 0, .max = 1, .choices = "schedule", .def = "0",
	  .text = "teacher = EMA of the student: 0 = the student itself (iCT), a number = constant decay, schedule = "
	          "mu(k) of Song 2023",
	  .source = "iCT section 3.2" },
	{ .key = "teacher.mu0", .type = KNOB_DOUBLE, .offset = AT(teacher.mu0), .min = 1e-9, .max = 1, .def = "0.9",
	  .text = "mu(k) at the coarsest discretization",
	  .source = "Song 2023, table 3" },
	{ .key = "teacher.mu_exponent", .type = KNOB_CHOICE, .offset = AT(teacher.mu_exponent),
	  .choices = "n-1|n", .def = "n-1",
	  .text = "mu(k) = exp(s0 ln mu0 / s): s = N-1 as the code has it, or N as the paper prints it",
	  .source = "jcm losses.py:925-927" },
	{ .key = "teacher.shared_dropout", .type = KNOB_BOOL, .offset = AT(teacher.shared_dropout), .def = "true",
	  .text = "teacher and student draw the same dropout masks",
	  .source = "iCT section 3.1; jcm losses.py:324-332" },
	{ .key = "train.batch", .type = KNOB_INT, .offset = AT(train.batch),
	  .min = 1, .max = 1e6, .def = "1024", .unit = "images",
	  .text = "global batch size",
	  .source = "iCT table 6" },
	{ .key = "train.dtype", .type = KNOB_CHOICE, .offset = AT(train.dtype),
	  .choices = DTYPE_CHOICES, .def = "fp32",
	  .text = "precision of matrix products and convolutions",
	  .source = "" },
	{ .key = "train.steps", .type = KNOB_INT, .offset = AT(train.steps),
	  .min = 0, .max = 1e9, .def = "400000", .unit = "steps",
	  .text = "training iterations K; curricula end here",
	  .source = "iCT table 6" },
	{ .key = "weight.kind", .type = KNOB_CHOICE, .offset = AT(weight.kind),
	  .choices = "inverse-gap|uniform|snr|snr+1|truncated-snr|snr-pk", .def = "inverse-gap",
	  .text = "lambda(sigma_i): inverse-gap is 1/(sigma_{i+1} - sigma_i)",
	  .source = "iCT section 3.1; jcm losses.py:339-348" },
};
enum { N_KNOBS = sizeof knobs / sizeof *knobs };

const struct knob *config_knobs(int *n)
{
	*n = N_KNOBS;
	return knobs;
}

static int by_key(const void *key, const void *row)
{
	return strcmp(key, ((const struct knob *)row)->key);
}

const struct knob *config_find(const char *key)
{
	return bsearch(key, knobs, N_KNOBS, sizeof *knobs, by_key);
}

bool config_is_group(const char *name)
{
	size_t len = strlen(name);
	for (int i = 0; i < N_KNOBS; i++)
		if (strncmp(knobs[i].key, name, len) == 0 && knobs[i].key[len] == '.')
			return true;
	return false;
}
