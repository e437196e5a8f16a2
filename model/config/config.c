/* config.c - the knob table and what follows from it. See config.h; the presets are in presets.c. */
#include "model/config/config.h"
#include "model/config/net_spec.h"

#include "model/base/mem.h"
#include "model/data/shapes.h"
#include "model/config/expr.h"
#include "model/nets/net.h"

#include <jansson.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define AT(field) offsetof(struct run_config, field)
#define NONE 0, 0
#define POSITIVE 1e-300, 1e300

/* Sorted by key; config_find relies on it (a test checks). */
static const struct knob knobs[] = {
	{ "cd.solver", KNOB_CHOICE, AT(cd.solver), NONE, "heun|euler", "heun", "", "ODE step of consistency distillation", "Song 2023, Algorithm 2" },
	{ "cd.teacher", KNOB_STRING, AT(cd.teacher), NONE, NULL, "", "file", "diffusion weights (safetensors) that consistency distillation steps with", "Song 2023, Algorithm 2" },
	{ "data.flip", KNOB_BOOL, AT(data.flip), NONE, NULL, "true", "", "random horizontal flip of training images", "jcm datasets.py:81-88" },
	{ "data.name", KNOB_STRING, AT(data.name), NONE, NULL, "fashion-mnist", "", "data set: a name of `ablate data list`", "" },
	{ "disc.kind", KNOB_CHOICE, AT(disc.kind), NONE, "exp|constant|sqrt|linear|sqrt-short", "exp", "", "discretization curriculum N(k): exp doubles from s0 to s1, sqrt is the 2023 curriculum, sqrt-short the same ending at s1 points instead of s1 + 1 (a public reproduction), constant stays at s0", "iCT section 3.4; Song 2023, appendix C; Kinyugo/consistency_models timesteps_schedule (sqrt-short)" },
	{ "disc.s0", KNOB_INT, AT(disc.s0), 1, 1e6, NULL, "10", "steps", "discretization steps at the start (constant: throughout)", "iCT section 3.4" },
	{ "disc.s1", KNOB_INT, AT(disc.s1), 1, 1e6, NULL, "1280", "steps", "discretization steps at the end", "iCT section 3.4" },
	{ "ect.b", KNOB_DOUBLE, AT(ect.b), -1e3, 1e3, NULL, "1", "", "slope of ECT's sigmoid in r(t)", "ect loss.py:45-50" },
	{ "ect.k", KNOB_DOUBLE, AT(ect.k), 0, 1e6, NULL, "8", "", "height of ECT's sigmoid in r(t); 0 is the constant schedule", "ect loss.py:45-50" },
	{ "ect.q", KNOB_DOUBLE, AT(ect.q), 1, 1e6, NULL, "2", "", "ECT shrinks t - r by q per stage", "ect run_ecm.sh" },
	{ "ect.stage_steps", KNOB_INT, AT(ect.stage_steps), 1, 1e9, NULL, "25000", "steps", "length of an ECT stage", "ect run_ecm.sh: 250 ticks of 12.8 kimg at batch 128" },
	{ "ema.decay", KNOB_DOUBLE, AT(ema.decay), 0, 1, NULL, "0.9999", "", "EMA decay of the student weights that are sampled from", "jcm cfg:50; iCT table 6 (0.99993)" },
	{ "loss.c", KNOB_EXPR, AT(loss.c), 0, 1e6, NULL, "0.00054*sqrt(d)", "", "constant c of Pseudo-Huber; d = channels*height*width", "iCT section 3.3" },
	{ "loss.kind", KNOB_CHOICE, AT(loss.kind), NONE, "pseudo-huber|lpips|l2|l1|lpips-classifier|huber-pixel|lpips-average", "pseudo-huber", "", "metric d(student, teacher); lpips is VGG16 at 224x224, lpips-average the same with average pools (consistency_models); lpips-classifier uses the taps of the in-tree classifier; huber-pixel is the element-wise form of public reproductions", "iCT section 3.3; Song 2023" },
	{ "loss.reduce", KNOB_CHOICE, AT(loss.reduce), NONE, "sum|mean", "sum", "", "l2 and l1 over an image: sum (iCT) or mean (CT code)", "jcm losses.py:350-355" },
	{ "method.kind", KNOB_CHOICE, AT(method.kind), NONE, "ct|ect|cd", "ct", "", "consistency training, easy consistency tuning, or consistency distillation", "Song 2023; ECT" },
	{ "net.attn", KNOB_INTS, AT(net.attn), 1, 1024, NULL, "[16]", "pixels", "resolutions with self-attention", "jcm cfg:46-74" },
	{ "net.blocks", KNOB_INT, AT(net.blocks), 1, 64, NULL, "4", "", "residual blocks per resolution", "jcm cfg:46-74" },
	{ "net.channels", KNOB_INT, AT(net.channels), 1, 4096, NULL, "128", "", "channels at multiplier 1", "jcm cfg:46-74" },
	{ "net.classes", KNOB_INT, AT(net.classes), 0, 100000, NULL, "0", "", "class labels the network is conditioned on; 0 = unconditional", "cm launch.sh:38" },
	{ "net.dropout", KNOB_DOUBLE, AT(net.dropout), 0, 0.999, NULL, "0", "", "dropout probability in residual blocks", "iCT section 3.1" },
	{ "net.fourier_scale", KNOB_DOUBLE, AT(net.fourier_scale), 0, 1e6, NULL, "0.02", "", "scale of the Fourier noise embedding (ncsnpp)", "iCT section 3.1 (0.02); jcm cfg (16)" },
	{ "net.init", KNOB_STRING, AT(net.init), NONE, NULL, "", "file", "weights to start from: safetensors, names as `ablate weights --help` says; empty = random", "ect run_ecm.sh" },
	{ "net.kind", KNOB_CHOICE, AT(net.kind), NONE, "ddpmpp|ncsnpp|adm", "ncsnpp", "", "network family", "EDM networks; jcm models/ncsnpp.py" },
	{ "net.mult", KNOB_INTS, AT(net.mult), 1, 64, NULL, "[2, 2, 2]", "", "channel multiplier per resolution", "jcm cfg:46-74" },
	{ "net.patch", KNOB_INT, AT(net.patch), 1, 16, NULL, "1", "pixels", "space-to-depth of the image before the network: patch*patch pixels become channels", "" },
	{ "noise.dist", KNOB_CHOICE, AT(noise.dist), NONE, "lognormal|uniform", "lognormal", "", "distribution of the discretization index (ECT: of the noise level)", "iCT section 3.5" },
	{ "noise.mean", KNOB_DOUBLE, AT(noise.mean), -100, 100, NULL, "-1.1", "", "mean of ln sigma under lognormal", "iCT section 3.5" },
	{ "noise.std", KNOB_DOUBLE, AT(noise.std), 1e-6, 100, NULL, "2", "", "standard deviation of ln sigma under lognormal", "iCT section 3.5" },
	{ "optim.beta1", KNOB_DOUBLE, AT(optim.beta1), 0, 0.999999999, NULL, "0.9", "", "decay of the first moment", "jcm cfg:79-84" },
	{ "optim.beta2", KNOB_DOUBLE, AT(optim.beta2), 0, 0.999999999, NULL, "0.999", "", "decay of the second moment", "jcm cfg:79-84" },
	{ "optim.eps", KNOB_DOUBLE, AT(optim.eps), 0, 1, NULL, "1e-08", "", "added to the root of the second moment", "torch 1.13 radam.py" },
	{ "optim.kind", KNOB_CHOICE, AT(optim.kind), NONE, "radam|adam", "radam", "", "optimizer", "jcm losses.py:72-82" },
	{ "optim.lr", KNOB_DOUBLE, AT(optim.lr), 0, 10, NULL, "0.0001", "", "learning rate, constant", "iCT table 6" },
	{ "precond.kind", KNOB_CHOICE, AT(precond.kind), NONE, "cm|edm|squared-c-in|diffusers", "cm", "", "c_skip, c_out and c_in of training (sampling is always cm): with sigma_min (cm), EDM's (ect trains so), cm with c_in = 1/(sigma^2 + sigma_data^2), or all of diffusers' training example: that c_in, EDM's c_skip, and c_out without its factor sigma_data", "Song 2023, appendix C; ect networks.py:684; train_cm_ct_unconditional.py:183-195" },
	{ "precond.time_scale", KNOB_DOUBLE, AT(precond.time_scale), 0, 1e6, NULL, "0.25", "", "c_noise = time_scale * ln sigma", "jcm models/utils.py:190 (0.25); cm karras_diffusion.py:346 (250)" },
	{ "sample.clip", KNOB_BOOL, AT(sample.clip), NONE, NULL, "true", "", "clamp the network's answer to [-1,1] at each sampling step", "cm karras_diffusion.py:657-681" },
	{ "sample.quantize", KNOB_CHOICE, AT(sample.quantize), NONE, "round|truncate", "round", "", "uint8 rule of samples", "FID protocols differ: jcm truncates, edm rounds" },
	{ "sample.sigma_mid", KNOB_DOUBLE, AT(sample.sigma_mid), 0, 1e6, NULL, "0.821", "sigma", "noise level of the second step of two-step sampling", "ect ct_train.py:99" },
	{ "sample.weights", KNOB_CHOICE, AT(sample.weights), NONE, "ema|student|teacher", "ema", "", "which weights are sampled from", "jcm eval default" },
	{ "sigma.data", KNOB_DOUBLE, AT(sigma.data), POSITIVE, NULL, "0.5", "sigma", "standard deviation of the data in the preconditioning", "Song 2023, appendix C" },
	{ "sigma.grid", KNOB_CHOICE, AT(sigma.grid), NONE, "double|single|rounded", "double", "", "precision of the noise grid: single computes it in float32 (CT's CIFAR-10 code), rounded rounds it to float32 and takes the probabilities of its intervals from that, in float32 (diffusers' example)", "jcm losses.py:312-320; train_cm_ct_unconditional.py:109-137" },
	{ "sigma.max", KNOB_DOUBLE, AT(sigma.max), POSITIVE, NULL, "80", "sigma", "largest noise level", "Song 2023, appendix C" },
	{ "sigma.min", KNOB_DOUBLE, AT(sigma.min), 0, 1e6, NULL, "0.002", "sigma", "smallest noise level, where the model is the identity", "Song 2023, appendix C" },
	{ "sigma.rho", KNOB_DOUBLE, AT(sigma.rho), 1, 100, NULL, "7", "", "curvature of the Karras grid", "Song 2023, appendix C" },
	{ "teacher.ema", KNOB_NUMBER_OR_NAME, AT(teacher.ema), 0, 1, "schedule", "0", "", "teacher = EMA of the student: 0 = the student itself (iCT), a number = constant decay, schedule = mu(k) of Song 2023", "iCT section 3.2" },
	{ "teacher.mu0", KNOB_DOUBLE, AT(teacher.mu0), 1e-9, 1, NULL, "0.9", "", "mu(k) at the coarsest discretization", "Song 2023, table 3" },
	{ "teacher.mu_exponent", KNOB_CHOICE, AT(teacher.mu_exponent), NONE, "n-1|n", "n-1", "", "mu(k) = exp(s0 ln mu0 / s): s = N-1 as the code has it, or N as the paper prints it", "jcm losses.py:925-927" },
	{ "teacher.shared_dropout", KNOB_BOOL, AT(teacher.shared_dropout), NONE, NULL, "true", "", "teacher and student draw the same dropout masks", "iCT section 3.1; jcm losses.py:324-332" },
	{ "train.batch", KNOB_INT, AT(train.batch), 1, 1e6, NULL, "1024", "images", "global batch size", "iCT table 6" },
	{ "train.dtype", KNOB_CHOICE, AT(train.dtype), NONE, "fp32|tf32|bf16", "fp32", "", "precision of matrix products and convolutions", "" },
	{ "train.steps", KNOB_INT, AT(train.steps), 0, 1e9, NULL, "400000", "steps", "training iterations K; curricula end here", "iCT table 6" },
	{ "weight.kind", KNOB_CHOICE, AT(weight.kind), NONE, "inverse-gap|uniform|snr|snr+1|truncated-snr|snr-pk", "inverse-gap", "", "lambda(sigma_i): inverse-gap is 1/(sigma_{i+1} - sigma_i)", "iCT section 3.1; jcm losses.py:339-348" },
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

int config_unknown(const char *key, struct err *e)
{
	const char *names[N_KNOBS];
	for (int i = 0; i < N_KNOBS; i++)
		names[i] = knobs[i].key;
	SCOPED(str) struct str near = { 0 };
	str_suggest(&near, key, names, N_KNOBS);
	return err_code(e, EXIT_USAGE, "unknown key '%s'%s", key, *str_text(&near) ? str_text(&near) : " (`ablate explain` lists all)");
}

/* ---- what earlier configs of a grid found -------------------------------------------------------------------------- */

enum { NETS_KEPT = 8 };
struct config_memo {
	struct net_spec good[NETS_KEPT]; /* passed net_check lately */
	unsigned next;                   /* of good: what is overwritten next, modulo NETS_KEPT */
	struct memo_number { double x; char text[32]; } *numbers; /* by knob: the last number that was written, and its text */
};

struct config_memo *config_memo_new(void)
{
	int n;
	(void)config_knobs(&n);
	struct config_memo *m = xcalloc(1, sizeof *m);
	m->numbers = xcalloc((size_t)n, sizeof *m->numbers);
	return m;
}

void config_memo_free(struct config_memo *m)
{
	if (m)
		free(m->numbers);
	free(m);
}

/* ---- choices ---------------------------------------------------------------------------------------------------- */

/* Index of `name` in "a|b|c", or -1. */
static int choice_index(const char *choices, const char *name)
{
	size_t len = strlen(name);
	int index = 0;
	for (const char *p = choices; ; p++, index++) {
		size_t n = strcspn(p, "|");
		if (n == len && memcmp(p, name, n) == 0)
			return index;
		p += n;
		if (!*p)
			return -1;
	}
}

/* Where name number `index` of "a|b|c" begins. */
static const char *choice_at(const char *choices, int index)
{
	const char *p = choices;
	while (index-- > 0)
		p += strcspn(p, "|") + 1;
	return p;
}

static int bad_choice(const struct knob *k, const char *given, struct err *e)
{
	const char *names[32];
	char *copies[32];
	int n = 0;
	for (const char *p = k->choices; n < 32; p++) {
		size_t len = strcspn(p, "|");
		names[n] = copies[n] = xstrndup(p, len);
		n++;
		p += len;
		if (!*p)
			break;
	}
	SCOPED(str) struct str near = { 0 };
	str_suggest(&near, given, names, (size_t)n);
	for (int i = 0; i < n; i++)
		free(copies[i]);
	return err_code(e, EXIT_USAGE, "%s: '%s' is not one of %s%s", k->key, given, k->choices, str_text(&near));
}

/* ---- setting ---------------------------------------------------------------------------------------------------- */

static void *field(struct run_config *c, const struct knob *k)
{
	return (char *)c + k->offset;
}

static const void *cfield(const struct run_config *c, const struct knob *k)
{
	return (const char *)c + k->offset;
}

static const char *type_name(const struct knob *k)
{
	static const char *const names[] = {
		[KNOB_BOOL] = "true or false", [KNOB_INT] = "an integer", [KNOB_DOUBLE] = "a number",
		[KNOB_EXPR] = "a number or an expression in d", [KNOB_CHOICE] = "a string", [KNOB_NUMBER_OR_NAME] = "a number or a name",
		[KNOB_INTS] = "a list of integers", [KNOB_STRING] = "a string",
	};
	return names[k->type];
}

static int wrong_type(const struct knob *k, struct err *e)
{
	return err_code(e, EXIT_USAGE, "%s takes %s%s%s", k->key, type_name(k), k->choices ? ": " : "", k->choices ? k->choices : "");
}

static int check_range(const struct knob *k, double x, struct err *e)
{
	char lo[32], hi[32], is[32];
	if (x >= k->min && x <= k->max)
		return 0;
	return err_code(e, EXIT_USAGE, "%s = %s is out of range: %s to %s", k->key, str_double(is, x), str_double(lo, k->min), str_double(hi, k->max));
}

static int set_text(char *dst, const struct knob *k, const char *s, struct err *e)
{
	if (strlen(s) >= KNOB_TEXT_MAX)
		return err_code(e, EXIT_USAGE, "%s: longer than %d characters", k->key, KNOB_TEXT_MAX - 1);
	memset(dst, 0, KNOB_TEXT_MAX);
	memcpy(dst, s, strlen(s));
	return 0;
}

static int set_ints(struct knob_list *dst, const struct knob *k, const struct knob_list *src, struct err *e)
{
	for (int i = 0; i < src->n; i++)
		if (check_range(k, src->v[i], e))
			return -1;
	*dst = (struct knob_list){ .n = src->n };
	for (int i = 0; i < src->n; i++)
		dst->v[i] = src->v[i];
	return 0;
}

int config_set(struct run_config *c, const char *key, const struct knob_value *v, struct err *e)
{
	const struct knob *k = config_find(key);
	if (!k)
		return config_unknown(key, e);
	void *dst = field(c, k);
	bool is_number = v->type == VALUE_INT || v->type == VALUE_DOUBLE;
	double number = v->type == VALUE_INT ? (double)v->i : v->d;
	switch (k->type) {
	case KNOB_BOOL:
		if (v->type != VALUE_BOOL)
			return wrong_type(k, e);
		*(bool *)dst = v->b;
		return 0;
	case KNOB_INT:
		if (v->type != VALUE_INT)
			return wrong_type(k, e);
		if (check_range(k, number, e))
			return -1;
		*(int *)dst = (int)v->i;
		return 0;
	case KNOB_DOUBLE:
		if (!is_number)
			return wrong_type(k, e);
		if (check_range(k, number, e))
			return -1;
		*(double *)dst = number + 0.0; /* -0 is 0: one number, one spelling */
		return 0;
	case KNOB_EXPR:
		if (is_number) {
			if (check_range(k, number, e))
				return -1;
			*(struct knob_expr *)dst = (struct knob_expr){ .value = number + 0.0 };
			return 0;
		}
		if (v->type != VALUE_STRING || !*v->s)
			return wrong_type(k, e);
		{
			double probe;
			if (expr_eval(&probe, v->s, 1, e))
				return err_in(e, "%s", k->key);
		}
		return set_text(((struct knob_expr *)dst)->text, k, v->s, e);
	case KNOB_CHOICE: {
		if (v->type != VALUE_STRING)
			return wrong_type(k, e);
		int index = choice_index(k->choices, v->s);
		if (index < 0)
			return bad_choice(k, v->s, e);
		*(int *)dst = index;
		return 0;
	}
	case KNOB_NUMBER_OR_NAME:
		if (v->type == VALUE_STRING) {
			if (choice_index(k->choices, v->s) < 0)
				return bad_choice(k, v->s, e);
			*(struct knob_number *)dst = (struct knob_number){ .named = true };
			return 0;
		}
		if (!is_number)
			return wrong_type(k, e);
		if (check_range(k, number, e))
			return -1;
		*(struct knob_number *)dst = (struct knob_number){ .value = number + 0.0 };
		return 0;
	case KNOB_INTS:
		return v->type == VALUE_INTS ? set_ints(dst, k, &v->list, e) : wrong_type(k, e);
	case KNOB_STRING:
		return v->type == VALUE_STRING ? set_text(dst, k, v->s, e) : wrong_type(k, e);
	}
	BUG("%s: type %d", k->key, (int)k->type);
}

static int parse_list(struct knob_list *out, const char *text)
{
	*out = (struct knob_list){ 0 };
	const char *p = text + 1;
	for (;;) {
		p += strspn(p, " ");
		if (*p == ']')
			return p[1] == '\0' ? 0 : -1;
		char *end;
		long x = strtol(p, &end, 10);
		if (end == p || out->n == KNOB_LIST_MAX || x < -1000000000 || x > 1000000000)
			return -1;
		out->v[out->n++] = (int)x;
		p = end + strspn(end, " ");
		if (*p == ',')
			p++;
		else if (*p != ']')
			return -1;
	}
}

int config_set_text(struct run_config *c, const char *key, const char *text, struct err *e)
{
	struct knob_value v = { .type = VALUE_STRING, .s = text };
	const struct knob *k = config_find(key);
	char *end;
	if (!k)
		return config_unknown(key, e);
	if (k->type == KNOB_STRING || k->type == KNOB_CHOICE)
		return config_set(c, key, &v, e);
	if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0) {
		v = (struct knob_value){ .type = VALUE_BOOL, .b = *text == 't' };
	} else if (*text == '[') {
		v.type = VALUE_INTS;
		if (parse_list(&v.list, text))
			return err_code(e, EXIT_USAGE, "%s: '%s' is not a list of at most %d integers", key, text, KNOB_LIST_MAX);
	} else {
		long long i = strtoll(text, &end, 10);
		if (end != text && !*end) {
			v = (struct knob_value){ .type = VALUE_INT, .i = i };
		} else {
			double d = strtod(text, &end);
			if (end != text && !*end)
				v = (struct knob_value){ .type = VALUE_DOUBLE, .d = d };
		}
	}
	return config_set(c, key, &v, e);
}

void config_defaults(struct run_config *c)
{
	*c = (struct run_config){ 0 };
	for (int i = 0; i < N_KNOBS; i++) {
		struct err e = ERR_INIT;
		if (config_set_text(c, knobs[i].key, knobs[i].def, &e))
			BUG("default of %s: %s", knobs[i].key, e.msg);
	}
}

/* ---- finishing -------------------------------------------------------------------------------------------------- */

static int usage(struct err *e, const char *what)
{
	return err_code(e, EXIT_USAGE, "%s", what);
}

/* The grid's levels must differ after rounding, and the draw of an interval needs some probability between its ends. */
static int check_noise(const struct run_config *c, struct err *e)
{
	int points = (c->disc.kind == DISC_CONSTANT ? c->disc.s0 : c->disc.s1) + 1;
	double between = c->sigma.rho * (1 - pow(c->sigma.min / c->sigma.max, 1 / c->sigma.rho)) / points, scale = sqrt(2) * c->noise.std;
	double a = (log(c->sigma.min) - c->noise.mean) / scale, b = (log(c->sigma.max) - c->noise.mean) / scale;
	if (between < (c->sigma.grid == GRID_DOUBLE ? 1e-13 : 1e-5))
		return err_code(e, EXIT_USAGE, "%d levels between sigma.min = %g and sigma.max = %g lie too close to be told apart in %s precision", points,
		                c->sigma.min, c->sigma.max, c->sigma.grid == GRID_DOUBLE ? "double" : "single");
	if (c->noise.dist == NOISE_LOGNORMAL && !(a > 0 ? erfc(a) > erfc(b) : erf(b) > erf(a)))
		return err_code(e, EXIT_USAGE, "noise.mean = %g with noise.std = %g leaves no probability between sigma.min and sigma.max", c->noise.mean, c->noise.std);
	return 0;
}

static bool same_layers(const struct net_spec *a, const struct net_spec *b)
{
	return a->kind == b->kind && a->h == b->h && a->in_c == b->in_c && a->channels == b->channels && a->blocks == b->blocks && a->n_mult == b->n_mult &&
	       a->n_attn == b->n_attn && memcmp(a->mult, b->mult, sizeof a->mult) == 0 && memcmp(a->attn, b->attn, sizeof a->attn) == 0;
}

/* The arms of a grid share a few networks: one that was found good lately is not walked again. */
static int check_net(const struct run_config *c, struct config_memo *memo, struct err *e)
{
	struct net_spec s = net_spec_of(c);
	for (int i = 0; memo && i < NETS_KEPT; i++)
		if (same_layers(&s, &memo->good[i]))
			return 0;
	if (net_check(&s, e))
		return -1;
	if (memo)
		memo->good[memo->next++ % NETS_KEPT] = s;
	return 0;
}

int config_finish(struct run_config *c, struct err *e)
{
	return config_finish_with(c, NULL, e);
}

int config_finish_with(struct run_config *c, struct config_memo *memo, struct err *e)
{
	struct data_shape shape;
	if (data_shape_find(&shape, c->data.name, e))
		return err_in(e, "data.name");
	if (c->loss.c.text[0]) {
		double value;
		if (expr_eval(&value, c->loss.c.text, (double)(shape.c * shape.h * shape.w), e))
			return err_in(e, "loss.c");
		if (check_range(config_find("loss.c"), value, e))
			return -1;
		c->loss.c = (struct knob_expr){ .value = value };
	}
	if (c->net.mult.n == 0)
		return usage(e, "net.mult is empty: give one multiplier per resolution");
	if (shape.h % c->net.patch || shape.w % c->net.patch)
		return err_code(e, EXIT_USAGE, "net.patch = %d does not divide %d", c->net.patch, shape.h);
	int side = shape.h / c->net.patch;
	for (int l = 0; l + 1 < c->net.mult.n; l++, side /= 2)
		if (side % 2)
			return err_code(e, EXIT_USAGE, "net.mult has %d levels, but %d pixels cannot be halved %d times", c->net.mult.n,
			                shape.h / c->net.patch, c->net.mult.n - 1);
	if (c->disc.kind != DISC_CONSTANT && c->disc.s1 < c->disc.s0)
		return usage(e, "disc.s1 is below disc.s0");
	if (c->disc.kind == DISC_SQRT_SHORT && c->disc.s0 < 2)
		return usage(e, "disc.kind = \"sqrt-short\" begins with disc.s0 points: give at least 2");
	if (c->sigma.min >= c->sigma.max)
		return usage(e, "sigma.min is not below sigma.max");
	if (c->method.kind != METHOD_ECT && check_noise(c, e))
		return -1;
	if (c->teacher.ema.named == false && c->teacher.ema.value >= 1)
		return usage(e, "teacher.ema = 1 never moves the teacher: give a number below 1");
	if (c->method.kind == METHOD_CD && !c->cd.teacher[0])
		return usage(e, "method.kind = \"cd\" needs cd.teacher, the diffusion weights to distil");
	return check_net(c, memo, e);
}

bool config_needs_lpips(const struct run_config *c)
{
	return c->loss.kind == LOSS_LPIPS || c->loss.kind == LOSS_LPIPS_AVERAGE;
}

/* ---- text, JSON, hash ------------------------------------------------------------------------------------------- */

static void add_number(struct str *s, double x)
{
	char buf[32];
	str_add(s, str_double(buf, x));
}

static void add_string(struct str *s, const char *text, size_t n)
{
	json_t *v = json_stringn_nocheck(text, n);
	SCOPED(free) char *quoted = json_dumps(v, JSON_ENCODE_ANY);
	json_decref(v);
	REQUIRE(quoted);
	str_add(s, quoted);
}

/* The shortest text takes several tries to find, and the arms of a grid share most of their numbers. */
static void add_number_of(struct str *s, const struct knob *k, double x, struct config_memo *memo)
{
	if (!memo) {
		add_number(s, x);
		return;
	}
	int n;
	struct memo_number *last = &memo->numbers[k - config_knobs(&n)];
	if (!last->text[0] || memcmp(&last->x, &x, sizeof x) != 0) {
		last->x = x;
		(void)str_double(last->text, x);
	}
	str_add(s, last->text);
}

/* One knob's value as JSON, numbers as shortest round-trip (jansson would print 17 digits). */
static void add_value(struct str *s, const struct run_config *c, const struct knob *k, struct config_memo *memo)
{
	const void *p = cfield(c, k);
	switch (k->type) {
	case KNOB_BOOL:
		str_add(s, *(const bool *)p ? "true" : "false");
		return;
	case KNOB_INT:
		add_number(s, *(const int *)p);
		return;
	case KNOB_DOUBLE:
		add_number_of(s, k, *(const double *)p, memo);
		return;
	case KNOB_EXPR: {
		const struct knob_expr *x = p;
		if (*x->text)
			add_string(s, x->text, strlen(x->text));
		else
			add_number_of(s, k, x->value, memo);
		return;
	}
	case KNOB_CHOICE: {
		const char *name = choice_at(k->choices, *(const int *)p);
		str_addc(s, '"');
		str_addn(s, name, strcspn(name, "|"));
		str_addc(s, '"');
		return;
	}
	case KNOB_NUMBER_OR_NAME: {
		const struct knob_number *x = p;
		if (x->named)
			str_addf(s, "\"%s\"", k->choices);
		else
			add_number_of(s, k, x->value, memo);
		return;
	}
	case KNOB_INTS: {
		const struct knob_list *list = p;
		str_addc(s, '[');
		for (int i = 0; i < list->n; i++)
			str_addf(s, "%s%d", i ? "," : "", list->v[i]);
		str_addc(s, ']');
		return;
	}
	case KNOB_STRING:
		add_string(s, p, strlen(p));
		return;
	}
	BUG("%s: type %d", k->key, (int)k->type);
}

bool config_is_later(const struct knob *k)
{
	static const char *const later[] = { "sigma.grid" };
	for (size_t i = 0; i < sizeof later / sizeof *later; i++)
		if (strcmp(k->key, later[i]) == 0)
			return true;
	return false;
}

char *config_json(const struct run_config *c)
{
	return config_json_with(c, NULL);
}

char *config_json_with(const struct run_config *c, struct config_memo *memo)
{
	struct str s = { 0 };
	for (int i = 0; i < N_KNOBS; i++) {
		if (config_is_later(&knobs[i]) && *(const int *)cfield(c, &knobs[i]) == 0)
			continue;
		str_add(&s, s.len ? ",\"" : "{\"");
		str_add(&s, knobs[i].key);
		str_add(&s, "\":");
		add_value(&s, c, &knobs[i], memo);
	}
	str_addc(&s, '}');
	return str_detach(&s);
}

char *config_value_text(const struct run_config *c, const struct knob *k)
{
	struct str s = { 0 };
	add_value(&s, c, k, NULL);
	return str_detach(&s);
}

static int value_of_json(struct knob_value *out, const char *key, const json_t *j, struct err *e)
{
	switch (json_typeof(j)) {
	case JSON_TRUE:
	case JSON_FALSE:
		*out = (struct knob_value){ .type = VALUE_BOOL, .b = json_is_true(j) };
		return 0;
	case JSON_INTEGER:
		*out = (struct knob_value){ .type = VALUE_INT, .i = json_integer_value(j) };
		return 0;
	case JSON_REAL:
		*out = (struct knob_value){ .type = VALUE_DOUBLE, .d = json_real_value(j) };
		return 0;
	case JSON_STRING:
		*out = (struct knob_value){ .type = VALUE_STRING, .s = json_string_value(j) };
		return 0;
	case JSON_ARRAY:
		*out = (struct knob_value){ .type = VALUE_INTS };
		for (size_t i = 0; i < json_array_size(j); i++) {
			const json_t *item = json_array_get(j, i);
			if (!json_is_integer(item) || out->list.n == KNOB_LIST_MAX || llabs(json_integer_value(item)) > 1000000000)
				return err_code(e, EXIT_USAGE, "%s: not a list of at most %d integers", key, KNOB_LIST_MAX);
			out->list.v[out->list.n++] = (int)json_integer_value(item);
		}
		return 0;
	default:
		return err_code(e, EXIT_USAGE, "%s: not a value of a knob", key);
	}
}

int config_from_json(struct run_config *c, const char *text, struct err *e)
{
	json_error_t at;
	json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &at);
	if (!json_is_object(root)) {
		json_decref(root);
		return err_code(e, EXIT_USAGE, "config: not a JSON object: %s", at.text);
	}
	struct run_config read;
	config_defaults(&read);
	int rc = 0;
	size_t missing = N_KNOBS;
	const char *key;
	json_t *j;
	json_object_foreach(root, key, j) {
		struct knob_value v;
		rc = value_of_json(&v, key, j, e);
		if (!rc)
			rc = config_set(&read, key, &v, e);
		if (rc)
			break;
	}
	for (int i = 0; i < N_KNOBS; i++)
		missing -= config_is_later(&knobs[i]) || json_object_get(root, knobs[i].key);
	if (!rc && missing)
		rc = err_code(e, EXIT_USAGE, "config: %zu of %d keys given", json_object_size(root), (int)N_KNOBS);
	json_decref(root);
	if (rc || config_finish(&read, e))
		return -1;
	*c = read;
	return 0;
}

void config_hash(char hex[SHA256_HEX], const struct run_config *c)
{
	SCOPED(free) char *json = config_json(c);
	io_sha256(hex, json, strlen(json));
}
