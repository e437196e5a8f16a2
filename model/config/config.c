/* config.c - setting knobs (their table is knobs.c) and finishing a config; as text: config_json.c. See config.h. */
#include "model/config/config_private.h"

#include "model/base/mem.h"
#include "model/data/shapes.h"
#include "model/config/expr.h"
#include "model/nets/net.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int config_unknown(const char *key, struct err *e)
{
	int n;
	const struct knob *knobs = config_knobs(&n);
	SCOPED(free) const char **names = xmalloc((size_t)n * sizeof *names);
	for (int i = 0; i < n; i++)
		names[i] = knobs[i].key;
	SCOPED(str) struct str near = { 0 };
	str_suggest(&near, key, names, (size_t)n);
	return err_code(e, EXIT_USAGE, "unknown key '%s'%s", key,
	                *str_text(&near) ? str_text(&near) : " (`ablate explain` lists all)");
}

/* ---- what earlier configs of a grid found ---------------------------------------------------- */

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

static const char *type_name(const struct knob *k)
{
	static const char *const names[] = {
		[KNOB_BOOL] = "true or false",      [KNOB_INT] = "an integer",
		[KNOB_DOUBLE] = "a number",         [KNOB_EXPR] = "a number or an expression in d",
		[KNOB_CHOICE] = "a string",         [KNOB_NUMBER_OR_NAME] = "a number or a name",
		[KNOB_INTS] = "a list of integers", [KNOB_STRING] = "a string",
	};
	return names[k->type];
}

static int wrong_type(const struct knob *k, struct err *e)
{
	return err_code(e, EXIT_USAGE, "%s takes %s%s%s", k->key, type_name(k), k->choices ? ": " : "",
	                k->choices ? k->choices : "");
}

static int check_range(const struct knob *k, double x, struct err *e)
{
	char lo[32], hi[32], is[32];
	if (x >= k->min && x <= k->max)
		return 0;
	return err_code(e, EXIT_USAGE, "%s = %s is out of range: %s to %s", k->key, str_double(is, x),
	                str_double(lo, k->min), str_double(hi, k->max));
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
		int index = choice_index(k->choices, v->s, strlen(v->s));
		if (index < 0)
			return bad_choice(k, v->s, e);
		*(int *)dst = index;
		return 0;
	}
	case KNOB_NUMBER_OR_NAME:
		if (v->type == VALUE_STRING) {
			if (choice_index(k->choices, v->s, strlen(v->s)) < 0)
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
	case KNOB_INTS: return v->type == VALUE_INTS ? set_ints(dst, k, &v->list, e) : wrong_type(k, e);
	case KNOB_STRING: return v->type == VALUE_STRING ? set_text(dst, k, v->s, e) : wrong_type(k, e);
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
	int n;
	const struct knob *knobs = config_knobs(&n);
	*c = (struct run_config){ 0 };
	for (int i = 0; i < n; i++) {
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

/* The grid's levels must differ after rounding. */
static int check_levels(const struct run_config *c, struct err *e)
{
	int points = (c->disc.kind == DISC_CONSTANT ? c->disc.s0 : c->disc.s1) + 1;
	double between = c->sigma.rho * (1 - pow(c->sigma.min / c->sigma.max, 1 / c->sigma.rho)) / points;
	if (between < (c->sigma.grid == GRID_DOUBLE ? 1e-13 : 1e-5))
		return err_code(
			e, EXIT_USAGE,
			"%d levels between sigma.min = %g and sigma.max = %g are too close to be distinguished in %s precision",
			points, c->sigma.min, c->sigma.max, c->sigma.grid == GRID_DOUBLE ? "double" : "single");
	return 0;
}

/* A level is drawn between the ends of the noise, which needs some probability there. */
static int check_probability(const struct run_config *c, struct err *e)
{
	double scale = sqrt(2) * c->noise.std;
	double a = (log(c->sigma.min) - c->noise.mean) / scale, b = (log(c->sigma.max) - c->noise.mean) / scale;
	if (c->noise.dist == NOISE_LOGNORMAL && !(a > 0 ? erfc(a) > erfc(b) : erf(b) > erf(a)))
		return err_code(e, EXIT_USAGE,
		                "noise.mean = %g with noise.std = %g leaves no probability between sigma.min and sigma.max",
		                c->noise.mean, c->noise.std);
	return 0;
}

/* What each method whose target is the change of its own answer cannot be combined with, or NULL. */
static const char *not_meanflow(const struct run_config *c)
{
	if (c->precond.kind != PRECOND_FLOW)
		return "learns velocities on the straight line to noise: set precond.kind = \"flow\"";
	if (c->noise.dist != NOISE_LOGNORMAL)
		return "draws its noise levels: set noise.dist = \"lognormal\"";
	if (c->loss.kind != LOSS_L2)
		return "compares velocities: set loss.kind = \"l2\"";
	if (c->weight.kind != WEIGHT_ADAPTIVE && c->weight.kind != WEIGHT_UNIFORM)
		return "weights no noise levels by weight.kind: \"adaptive\" or \"uniform\"";
	if (c->sigma.max > 1e30)
		return "begins samples at sigma.max in single precision: give at most 1e30 (from 1e8 on it is the time 1)";
	return NULL;
}

static const char *not_sct(const struct run_config *c)
{
	if (c->precond.kind != PRECOND_TRIGFLOW)
		return "has the noise levels of TrigFlow: set precond.kind = \"trigflow\"";
	if (c->noise.dist != NOISE_LOGNORMAL)
		return "draws its noise level: set noise.dist = \"lognormal\"";
	if (c->loss.kind != LOSS_L2)
		return "compares the network's answer with a direction: set loss.kind = \"l2\"";
	if (c->weight.kind != WEIGHT_LEARNED && c->weight.kind != WEIGHT_ADAPTIVE && c->weight.kind != WEIGHT_UNIFORM)
		return "has no second noise level for weight.kind: \"adaptive\", \"learned\" or \"uniform\"";
	return NULL;
}

static const char *not_ct_continuous(const struct run_config *c)
{
	if (c->precond.kind == PRECOND_TRIGFLOW || c->precond.kind == PRECOND_FLOW)
		return "is CT on a grid without end: set precond.kind = \"cm\", or \"edm\"";
	if (!(c->sigma.min > 0))
		return "has levels down to sigma.min: give a number above 0";
	if (c->loss.kind != LOSS_L2 && c->loss.kind != LOSS_PSEUDO_HUBER)
		return "needs a metric that is a square where answers agree: set loss.kind = \"l2\" or \"pseudo-huber\"";
	if (c->loss.kind == LOSS_PSEUDO_HUBER && !(c->loss.c.value > 0))
		return "divides by loss.c: give a number above 0";
	return NULL;
}

static int check_continuous(const struct run_config *c, struct err *e)
{
	const char *why = c->method.kind == METHOD_MEANFLOW ? not_meanflow(c)
	                  : c->method.kind == METHOD_SCT    ? not_sct(c)
	                                                    : not_ct_continuous(c);
	if (!why && (c->teacher.ema.named || c->teacher.ema.value > 0))
		why = "has no teacher beside the student: leave teacher.ema at 0";
	if (!why && c->multistep.segments > 1)
		why = "has one segment: leave multistep.segments at 1";
	if (!why && c->train.dtype == DTYPE_BF16)
		why = "trains in fp32 or tf32: in bf16 the change of an answer is mostly rounding";
	SCOPED(free) char *name = config_method_name(c->method.kind);
	return why ? err_code(e, EXIT_USAGE, "method.kind = \"%s\" %s", name, why) : 0;
}

/* What truncated training needs, and what it has no place for. */
static int check_truncated(const struct run_config *c, struct err *e)
{
	if (c->teacher.ema.named || c->teacher.ema.value > 0)
		return usage(e, "method.kind = \"tcm\" has no teacher beside the student: leave teacher.ema at 0");
	if (c->multistep.segments > 1)
		return usage(e, "method.kind = \"tcm\" has one segment: leave multistep.segments at 1");
	if (c->tcm.first >= 1)
		return usage(e, "tcm.first = 1 leaves no second stage: give a share below 1");
	if (!(c->tcm.first > 0) && !c->net.init[0])
		return usage(e, "tcm.first = 0 begins with the second stage: net.init must name the first stage's weights");
	if (c->tcm.split <= c->sigma.min || c->tcm.split >= c->sigma.max)
		return usage(e, "tcm.split is not between sigma.min and sigma.max");
	if (c->train.batch < 2)
		return usage(e, "method.kind = \"tcm\" has boundary samples beside others: train.batch must be at least 2");
	return 0;
}

/* All costs of a batch's pairs are in memory at once, a double each: 2 GiB for the largest batch. */
static int check_pairing(const struct run_config *c, struct err *e)
{
	enum { PAIRED_MOST = 16384 };
	if (c->noise.pairing == PAIRING_INDEPENDENT || c->train.batch <= PAIRED_MOST)
		return 0;
	return err_code(e, EXIT_USAGE, "noise.pairing = \"transport\" pairs at most %d images: train.batch is %d",
	                PAIRED_MOST, c->train.batch);
}

/* What a loss with a constant c asks of it. */
static int check_c(const struct run_config *c, struct err *e)
{
	if (c->loss.kind == LOSS_CAUCHY && !(c->loss.c.value > 0))
		return usage(e, "loss.kind = \"cauchy\" divides by loss.c: give a number above 0");
	if (c->loss.c_schedule == C_CONSTANT)
		return 0;
	if (c->loss.kind != LOSS_PSEUDO_HUBER && c->loss.kind != LOSS_CAUCHY)
		return usage(e,
		             "loss.c_schedule is of loss.kind = \"pseudo-huber\" and \"cauchy\": leave it \"constant\" here");
	if (!config_has_grid(c)) {
		SCOPED(free) char *method = config_method_name(c->method.kind);
		return err_code(e, EXIT_USAGE,
		                "loss.c_schedule follows N(k), which method.kind = \"%s\" does not have: leave it \"constant\"",
		                method);
	}
	return 0;
}

/* What changes the pair that a step compares: two noise levels of one picture, compared there. */
static int check_pair(const struct run_config *c, int n_train, struct err *e)
{
	bool share = config_generator_share(c) > 0;
	int references = config_references(c);
	if (!share && !references)
		return 0;
	if (c->multistep.segments > 1)
		return err_code(e, EXIT_USAGE, "%s is of one segment: leave it at 0, or multistep.segments at 1",
		                references ? "target.references" : "coupling.generator_share");
	if (share && references)
		return usage(e, "target.references are what a picture of the training set may be, coupling.generator_share has "
		                "pictures of the network: leave one of them at 0");
	if (share && (c->teacher.ema.named || c->teacher.ema.value > 0))
		return usage(e, "coupling.generator_share has an average of its own, coupling.ema: leave teacher.ema at 0");
	if (n_train && references >= n_train)
		return err_code(e, EXIT_USAGE, "target.references = %d, but %s has %d training pictures: give fewer",
		                references, c->data.name, n_train);
	return 0;
}

/* Every segment needs a level of the grid at the end of the training. */
static int check_segments(const struct run_config *c, struct err *e)
{
	int intervals = c->disc.kind == DISC_CONSTANT ? c->disc.s0 : c->disc.s1;
	if (!config_has_grid(c) || intervals >= c->multistep.segments)
		return 0;
	return err_code(e, EXIT_USAGE, "multistep.segments = %d are more than the %d steps of %s", c->multistep.segments,
	                intervals, c->disc.kind == DISC_CONSTANT ? "disc.s0" : "disc.s1");
}

static bool same_layers(const struct net_spec *a, const struct net_spec *b)
{
	return a->kind == b->kind && a->h == b->h && a->in_c == b->in_c && a->channels == b->channels &&
	       a->blocks == b->blocks && a->n_mult == b->n_mult && a->n_attn == b->n_attn &&
	       memcmp(a->mult, b->mult, sizeof a->mult) == 0 && memcmp(a->attn, b->attn, sizeof a->attn) == 0;
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
			return err_code(e, EXIT_USAGE, "net.mult has %d levels, but %d pixels cannot be halved %d times",
			                c->net.mult.n, shape.h / c->net.patch, c->net.mult.n - 1);
	if (c->disc.kind != DISC_CONSTANT && c->disc.s1 < c->disc.s0)
		return usage(e, "disc.s1 is below disc.s0");
	if (c->disc.kind == DISC_SQRT_SHORT && c->disc.s0 < 2)
		return usage(e, "disc.kind = \"sqrt-short\" begins with disc.s0 points: give at least 2");
	if (c->sigma.min >= c->sigma.max)
		return usage(e, "sigma.min is not below sigma.max");
	if (config_is_continuous(c) && check_continuous(c, e))
		return -1;
	if (c->method.kind == METHOD_TCM && check_truncated(c, e))
		return -1;
	if (config_has_grid(c) && check_levels(c, e))
		return -1;
	if ((config_has_grid(c) || c->method.kind == METHOD_CT_CONTINUOUS) && check_probability(c, e))
		return -1;
	if (c->teacher.ema.named == false && c->teacher.ema.value >= 1)
		return usage(e, "teacher.ema = 1 never moves the teacher: give a number below 1");
	if (check_c(c, e) || check_segments(c, e) || check_pairing(c, e) || check_pair(c, shape.n_train, e))
		return -1;
	if (c->method.kind == METHOD_CD && !c->cd.teacher[0])
		return usage(e, "method.kind = \"cd\" needs cd.teacher, the diffusion weights to distil");
	return check_net(c, memo, e);
}

bool config_has_grid(const struct run_config *c)
{
	return c->method.kind == METHOD_CT || c->method.kind == METHOD_CD;
}

bool config_is_continuous(const struct run_config *c)
{
	return c->method.kind == METHOD_SCT || c->method.kind == METHOD_MEANFLOW || c->method.kind == METHOD_CT_CONTINUOUS;
}

/* Does the method take x and x + r z for its pair, or what the knobs make of them? */
static bool has_pair(const struct run_config *c)
{
	return c->method.kind == METHOD_CT || c->method.kind == METHOD_ECT;
}

double config_generator_share(const struct run_config *c)
{
	return has_pair(c) ? c->coupling.generator_share : 0;
}

int config_references(const struct run_config *c)
{
	return has_pair(c) ? c->target.references : 0;
}

bool config_needs_lpips(const struct run_config *c)
{
	return c->loss.kind == LOSS_LPIPS || c->loss.kind == LOSS_LPIPS_AVERAGE;
}
