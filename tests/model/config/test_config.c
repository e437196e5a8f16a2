/* test_config.c - the knob table, presets, expressions, canonical JSON and the arm's hash. */
#include "model/base/mem.h"
#include "model/config/config.h"
#include "model/config/expr.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static struct run_config finished(const char *preset)
{
	struct run_config c;
	struct err e = ERR_INIT;
	config_defaults(&c);
	cr_assert(!preset || config_preset(&c, preset, &e) == 0, "%s", e.msg);
	cr_assert_eq(config_finish(&c, &e), 0, "%s", e.msg);
	return c;
}

Test(config, table_is_sorted_and_every_knob_has_help)
{
	int n;
	const struct knob *k = config_knobs(&n);
	for (int i = 0; i < n; i++) {
		cr_assert(i == 0 || strcmp(k[i - 1].key, k[i].key) < 0, "%s is out of order", k[i].key);
		cr_assert(*k[i].text && k[i].def && k[i].source && memchr(k[i].unit, 0, sizeof k[i].unit), "%s", k[i].key);
		cr_assert(config_find(k[i].key) == &k[i] && !config_is_group(k[i].key), "%s", k[i].key);
	}
	cr_assert(config_is_group("loss") && !config_is_group("los") && !config_is_group("loss.") &&
	          !config_is_group("preset"));
}

Test(config, every_preset_and_scaling_finishes_and_survives_json)
{
	int n, m;
	const struct preset *p = config_presets(&n), *s = config_scalings(&m);
	for (int i = 0; i < n; i++)
		for (int j = -1; j < m; j++) {
			SCOPED(free) char *name = xstrfmt("%s%s", p[i].name, j < 0 ? "" : s[j].name);
			struct run_config c = finished(name), back;
			SCOPED(free) char *json = config_json(&c);
			struct err e = ERR_INIT;
			cr_assert_eq(config_from_json(&back, json, &e), 0, "%s: %s", name, e.msg);
			SCOPED(free) char *again = config_json(&back);
			cr_assert_str_eq(json, again);
		}
}

/* Twice over all presets, so that each follows another with other numbers and another network. */
Test(config, a_memo_changes_no_result)
{
	int n, m;
	const struct preset *p = config_presets(&n), *s = config_scalings(&m);
	struct config_memo *memo = config_memo_new();
	struct err e = ERR_INIT;
	for (int i = 0; i < 2 * n * (m + 1); i++) {
		int j = i % (m + 1) - 1;
		SCOPED(free) char *name = xstrfmt("%s%s", p[i / (m + 1) % n].name, j < 0 ? "" : s[j].name);
		struct run_config c = finished(name);
		SCOPED(free) char *without = config_json(&c), *with = config_json_with(&c, memo);
		cr_assert_str_eq(with, without, "%s", name);
		cr_assert_eq(config_finish_with(&c, memo, &e), 0, "%s: %s", name, e.msg);
		cr_assert_eq(config_set_text(&c, "net.channels", "7", &e), 0);
		cr_assert_eq(config_finish_with(&c, memo, &e), -1, "%s with 7 channels", name);
	}
	config_memo_free(memo);
}

Test(config, spelling_of_a_number_does_not_change_the_hash)
{
	struct run_config a = finished(NULL), b = a, c = a;
	struct err e = ERR_INIT;
	char ha[SHA256_HEX], hb[SHA256_HEX];
	cr_assert_eq(config_set_text(&a, "noise.std", "0.5", &e), 0);
	cr_assert_eq(config_set_text(&b, "noise.std", "5e-1", &e), 0);
	config_hash(ha, &a);
	config_hash(hb, &b);
	cr_assert_str_eq(ha, hb);
	cr_assert_eq(config_set_text(&c, "noise.std", "0.50000001", &e), 0);
	config_hash(hb, &c);
	cr_assert_str_neq(ha, hb);
	cr_assert_eq(config_set_text(&a, "noise.std", "2", &e), 0);
	cr_assert_eq(config_set_text(&b, "noise.std", "2.0", &e), 0);
	config_hash(ha, &a);
	config_hash(hb, &b);
	cr_assert_str_eq(ha, hb);
	cr_assert_eq(config_set_text(&a, "noise.mean", "0", &e), 0);
	cr_assert_eq(config_set_text(&b, "noise.mean", "-0.0", &e), 0);
	config_hash(ha, &a);
	config_hash(hb, &b);
	cr_assert_str_eq(ha, hb, "zero has one sign");
}

/* But those that say where a cell runs: these must not, or a micro-batch would make another cell. */
Test(config, every_knob_changes_the_hash)
{
	int n;
	const struct knob *k = config_knobs(&n);
	struct run_config base = finished(NULL);
	char h0[SHA256_HEX], h1[SHA256_HEX];
	config_hash(h0, &base);
	for (int i = 0; i < n; i++) {
		struct run_config c = base;
		((unsigned char *)&c)[k[i].offset] ^= 1; /* another bool, another choice, another last bit of a number, ... */
		if (k[i].type == KNOB_STRING)
			memcpy((char *)&c + k[i].offset, "zz", 3);
		if (k[i].type == KNOB_INTS)
			((struct knob_list *)(void *)((char *)&c + k[i].offset))->n = 0;
		config_hash(h1, &c);
		cr_assert_eq(strcmp(h0, h1) == 0, k[i].placed, "%s", k[i].key);
	}
}

/* Another choice, another bool, 2 or 3 for an integer of 0 or 1, the next number inside the range. */
static void change(struct run_config *c, const struct knob *k)
{
	unsigned char *at = (unsigned char *)c + k->offset;
	if (k->type == KNOB_DOUBLE) {
		double *v = (double *)(void *)at;
		*v = nextafter(*v, *v < k->max ? k->max : k->min);
	} else {
		*at ^= k->type == KNOB_INT ? 2 : 1;
	}
}

/* Hashes of before a knob came must stay: at its default it is not written, and a text without it is whole. */
Test(config, later_knobs_at_their_default_leave_the_hash_alone)
{
	int n, later = 0;
	const struct knob *k = config_knobs(&n);
	struct run_config c = finished("ict-cifar10"), back;
	for (int i = 0; i < n; i++) {
		if (!k[i].later)
			continue;
		later++;
		cr_assert(k[i].type != KNOB_CHOICE || strncmp(k[i].choices, k[i].def, strlen(k[i].def)) == 0,
		          "%s: the first choice is the default", k[i].key);
		for (int other = 0; other < 2; other++) {
			struct err e = ERR_INIT;
			const struct run_config before = c;
			if (other)
				change(&c, &k[i]);
			SCOPED(free) char *json = config_json(&c), *value = config_value_text(&c, &k[i]);
			cr_expect_eq(strstr(json, k[i].key) != NULL, other != 0, "%s", json);
			cr_assert_eq(config_from_json(&back, json, &e), 0, "%s", e.msg);
			SCOPED(free) char *read = config_value_text(&back, &k[i]);
			cr_expect_str_eq(read, value, "%s", k[i].key);
			c = before;
		}
	}
	cr_assert_eq(later, 24);
	char hex[SHA256_HEX];
	config_hash(hex, &c);
	cr_expect_str_eq(hex, "0f4129eeeab5efee8a37fe884bfbdb65bd634e5d8e03c40508a2e3d22cd186b9",
	                 "the hash that ict-cifar10 has had");
}

/* Each would train at one noise level or divide by nothing. */
Test(config, noise_without_levels_or_probability_is_refused)
{
	static const struct {
		const char *key, *value, *key2, *value2, *want;
	} cases[] = {
		{ "noise.mean", "100", "noise.std", "2", "no probability between" },
		{ "noise.mean", "-100", "noise.std", "1e-6", "no probability between" },
		{ "sigma.min", "79.99999999999", "sigma.max", "80", "too close to be distinguished in double" },
		{ "sigma.grid", "single", "disc.s1", "1000000", "too close to be distinguished in single" },
		{ "disc.kind", "sqrt-short", "disc.s0", "1", "give at least 2" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct run_config c = finished(NULL);
		struct err e = ERR_INIT;
		cr_assert_eq(config_set_text(&c, cases[i].key, cases[i].value, &e), 0, "%s", e.msg);
		cr_assert_eq(config_set_text(&c, cases[i].key2, cases[i].value2, &e), 0, "%s", e.msg);
		cr_assert_eq(config_finish(&c, &e), -1, "%s", cases[i].want);
		cr_assert(strstr(e.msg, cases[i].want), "%s", e.msg);
		cr_assert_eq(e.code, EXIT_USAGE);
		c.method.kind = METHOD_ECT; /* draws no index */
		cr_expect_eq(config_finish(&c, &e), i < 4 ? 0 : -1, "%s", e.msg);
	}
}

/* Each ended in the middle of a run, or in NaN. */
Test(config, a_network_that_cannot_be_built_is_refused)
{
	static const struct {
		const char *kind, *channels, *mult, *attn, *want;
	} cases[] = {
		{ "ncsnpp", "6", "[1, 2]", "[]", "would have 18 channels, not a multiple of the groups" },
		{ "ddpmpp", "36", "[1, 2]", "[]", "would have 144 channels, not a multiple of the groups" },
		{ "ddpmpp", "2", "[1, 2]", "[]", "the noise embedding would have 2 channels" },
		{ "adm", "7", "[1, 1]", "[]", "the noise embedding would have 7 channels" },
		{ "adm", "32", "[7]", "[28]", "would have 224 channels, not a multiple of its heads" },
		{ "adm", "32", "[6]", "[28]", NULL },
		{ "ncsnpp", "1", "[1, 2]", "[]", NULL },
		{ "ddpmpp", "160", "[2, 2]", "[]", NULL },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct run_config c = finished(NULL);
		struct err e = ERR_INIT;
		cr_assert_eq(config_set_text(&c, "net.kind", cases[i].kind, &e) |
		                 config_set_text(&c, "net.channels", cases[i].channels, &e) |
		                 config_set_text(&c, "net.mult", cases[i].mult, &e) |
		                 config_set_text(&c, "net.attn", cases[i].attn, &e),
		             0, "%s", e.msg);
		cr_assert_eq(config_finish(&c, &e), cases[i].want ? -1 : 0, "case %zu: %s", i, e.msg);
		cr_assert_eq(config_finish(&c, NULL), cases[i].want ? -1 : 0, "without a place for the reason");
		cr_assert(!cases[i].want || (strstr(e.msg, cases[i].want) && e.code == EXIT_USAGE), "%s", e.msg);
	}
}

Test(config, mistakes_are_usage_errors_that_name_the_knob)
{
	static const struct {
		const char *key, *value, *want;
	} cases[] = {
		{ "loss.knd", "l2", "unknown key 'loss.knd'; did you mean loss.kind" },
		{ "loss.kind", "huber", "loss.kind: 'huber' is not one of" },
		{ "net.dropout", "1.5", "net.dropout = 1.5 is out of range" },
		{ "net.blocks", "2.5", "net.blocks takes an integer" },
		{ "data.flip", "1", "data.flip takes true or false" },
		{ "teacher.ema", "constant", "'constant' is not one of schedule" },
		{ "noise.mean", "nan", "out of range" },
		{ "loss.c", "0.1*x", "expected a number" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct run_config c = finished(NULL), before = c;
		struct err e = ERR_INIT;
		cr_assert_eq(config_set_text(&c, cases[i].key, cases[i].value, &e), -1, "%s", cases[i].key);
		cr_assert(strstr(e.msg, cases[i].want), "%s", e.msg);
		cr_assert_eq(e.code, EXIT_USAGE);
		cr_assert_eq(memcmp(&c, &before, sizeof c), 0, "%s", cases[i].key);
	}
}

/* What no knob can tell by itself: each would train something else than it says, or nothing. */
Test(config, settings_that_contradict_each_other_are_refused)
{
	static const struct {
		const char *key, *value, *also, *and, *want;
	} cases[] = {
		{ "teacher.ema", "1", NULL, NULL, "never moves the teacher" },
		{ "net.mult", "[1, 1, 1, 1]", NULL, NULL, "4 levels, but 28 pixels cannot be halved 3 times" },
		{ "net.mult", "[]", NULL, NULL, "net.mult is empty" },
		{ "net.patch", "3", NULL, NULL, "net.patch = 3 does not divide 28" },
		{ "method.kind", "cd", NULL, NULL, "needs cd.teacher" },
		{ "disc.s1", "9", "disc.s0", "10", "disc.s1 is below disc.s0" },
		{ "sigma.min", "5", "sigma.max", "5", "sigma.min is not below sigma.max" },
		{ "loss.kind", "cauchy", "loss.c", "0", "loss.kind = \"cauchy\" divides by loss.c" },
		{ "loss.kind", "l2", "loss.c_schedule", "slct", "loss.c_schedule is of loss.kind = \"pseudo-huber\"" },
		{ "loss.kind", "huber-pixel", "loss.c_schedule", "slct-relative", "loss.c_schedule is of loss.kind" },
		{ "multistep.segments", "11", "disc.kind", "constant", "= 11 are more than the 10 steps of disc.s0" },
		{ "coupling.generator_share", "1", "multistep.segments", "2", "coupling.generator_share is of one segment" },
		{ "target.references", "8", "multistep.segments", "2", "target.references is of one segment" },
		{ "target.references", "8", "coupling.generator_share", "0.5", "leave one of them at 0" },
		{ "coupling.generator_share", "0.5", "teacher.ema", "0.9", "leave teacher.ema at 0" },
		{ "target.references", "60000", NULL, NULL, "but fashion-mnist has 60000 training pictures: give fewer" },
		{ "method.kind", "ect", "loss.c_schedule", "slct", "which method.kind = \"ect\" does not have" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct run_config c = finished(NULL);
		struct err e = ERR_INIT;
		cr_assert_eq(config_set_text(&c, "data.name", "fashion-mnist", &e), 0, "%s", e.msg);
		cr_assert_eq(config_set_text(&c, cases[i].key, cases[i].value, &e), 0, "%s", e.msg);
		if (cases[i].also)
			cr_assert_eq(config_set_text(&c, cases[i].also, cases[i].and, &e), 0, "%s", e.msg);
		cr_expect_eq(config_finish(&c, &e), -1, "%s = %s", cases[i].key, cases[i].value);
		cr_expect(strstr(e.msg, cases[i].want) && e.code == EXIT_USAGE, "%s", e.msg);
	}
}

Test(config, huber_constant_follows_the_data)
{
	struct run_config cifar = finished("ict-cifar10"), imagenet = finished("ict-imagenet64");
	cr_assert_float_eq(cifar.loss.c.value, 0.02993, 1e-5);
	cr_assert_float_eq(imagenet.loss.c.value, 0.05986, 1e-5);
}

Test(expr, evaluates_and_refuses)
{
	struct err e = ERR_INIT;
	double x;
	cr_assert_eq(expr_eval(&x, "0.00054*sqrt(d)", 3072, &e), 0);
	cr_assert_eq(x, 0.00054 * sqrt(3072));
	cr_assert_eq(expr_eval(&x, " ( 2 * d ) / 4", 6, &e), 0);
	cr_assert_eq(x, 3);
	static const char *const bad[] = {
		"", "1+", "sqrt d", "(1", "1/0", "1e999", "d d", "exp(1)", "1*", "-1", "((((((((((((((((((((((((((((((((((1"
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		cr_assert_eq(expr_eval(&x, bad[i], 3, &e), -1, "%s", bad[i]);
}
