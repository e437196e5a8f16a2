/* test_stage.c - the keys of training, sampling and score: what takes part in which. A setting too many and a training
 * is done twice; one too few and a cell gets the result of another. */
#include "harness/record/stage.h"

#include "model/base/mem.h"
#include "model/config/config.h"

#include <criterion/criterion.h>
#include <string.h>

#define DATA "da7a000000000000000000000000000000000000000000000000000000000000"

/* Canonical JSON of a preset with one knob set; heap. */
static char *config_with(const char *key, const char *value)
{
	struct err e = ERR_INIT;
	struct run_config c;
	config_defaults(&c);
	cr_assert(config_preset(&c, "ict-cifar10-small", &e) == 0, "%s", e.msg);
	cr_assert(!key || config_set_text(&c, key, value, &e) == 0, "%s", e.msg);
	cr_assert(config_finish(&c, &e) == 0, "%s", e.msg);
	return config_json(&c);
}

struct keys {
	char training[SHA256_HEX], one[SHA256_HEX], two[SHA256_HEX]; /* one, two: of sampling with so many evaluations */
};

static struct keys keys_of(const char *config)
{
	struct err e = ERR_INIT;
	struct keys k;
	cr_assert(stage_training_key(k.training, config, DATA, 2, 1, &e) == 0, "%s", e.msg);
	cr_assert(stage_sampling_key(k.one, k.training, config, 1, 101, &e) == 0, "%s", e.msg);
	cr_assert(stage_sampling_key(k.two, k.training, config, 2, 101, &e) == 0, "%s", e.msg);
	return k;
}

static struct keys keys_with(const char *key, const char *value)
{
	SCOPED(free) char *config = config_with(key, value);
	return keys_of(config);
}

/* Every knob: one of training changes all keys, one of sampling never that of the training. */
Test(stage, each_knob_changes_the_keys_of_its_stage)
{
	static const struct {
		const char *key, *value;
		bool training, one, two;
	} cases[] = {
		{ "train.steps", "7", true, true, true },
		{ "optim.lr", "0.5", true, true, true },
		{ "net.channels", "96", true, true, true },
		{ "teacher.shared_dropout", "false", true, true, true },
		{ "data.flip", "false", true, true, true },
		{ "ema.decay", "0.5", false, true, true },
		{ "sample.weights", "student", false, true, true },
		{ "sample.clip", "false", false, true, true },
		{ "sample.quantize", "truncate", false, true, true },
		{ "sample.sigma_mid", "0.5", false, false, true },
		{ "train.microbatch", "2", false, false, false },
	};
	struct keys base = keys_with(NULL, NULL);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct keys k = keys_with(cases[i].key, cases[i].value);
		cr_expect((strcmp(k.training, base.training) != 0) == cases[i].training, "%s: training", cases[i].key);
		cr_expect((strcmp(k.one, base.one) != 0) == cases[i].one, "%s: one evaluation", cases[i].key);
		cr_expect((strcmp(k.two, base.two) != 0) == cases[i].two, "%s: two evaluations", cases[i].key);
	}
}

/* The stage of every row is one that this test knows: a new knob of sampling needs a look at who samples. */
Test(stage, five_knobs_are_of_sampling)
{
	static const char *const known = " ema.decay sample.clip sample.quantize sample.sigma_mid sample.weights ";
	int n, found = 0;
	const struct knob *knobs = config_knobs(&n);
	for (int i = 0; i < n; i++) {
		SCOPED(free) char *word = xstrfmt(" %s ", knobs[i].key);
		found += knobs[i].stage == STAGE_SAMPLE;
		cr_expect((knobs[i].stage == STAGE_SAMPLE) == (strstr(known, word) != NULL), "%s", knobs[i].key);
	}
	cr_assert_eq(found, 5);
}

/* The decay of an average that nobody samples decides nothing. */
Test(stage, the_decay_counts_only_where_the_average_is_sampled)
{
	struct keys a, b;
	SCOPED(free) char *one = config_with("sample.weights", "student");
	SCOPED(free) char *at = xstrdup(one);
	char *decay = strstr(at, "\"ema.decay\":");
	cr_assert(decay);
	decay[strlen("\"ema.decay\":0.")] ^= 1; /* another digit */
	a = keys_of(one);
	b = keys_of(at);
	cr_expect_str_neq(one, at);
	cr_expect_str_eq(a.training, b.training);
	cr_expect_str_eq(a.one, b.one);
}

Test(stage, data_numerics_and_seed_count)
{
	struct err e = ERR_INIT;
	char a[SHA256_HEX], b[SHA256_HEX];
	SCOPED(free) char *config = config_with(NULL, NULL);
	SCOPED(free) char *train = stage_train_settings(config, &e);
	stage_training_of(a, train, DATA, 2, 1);
	cr_assert(stage_training_key(b, config, DATA, 2, 1, &e) == 0);
	cr_expect_str_eq(a, b, "an arm's settings at once or cell by cell");
	stage_training_of(b, train, "", 2, 1);
	cr_expect_str_neq(a, b);
	stage_training_of(b, train, DATA, 3, 1);
	cr_expect_str_neq(a, b);
	stage_training_of(b, train, DATA, 2, 2);
	cr_expect_str_neq(a, b);
}

/* However it is written, it is the same configuration: both ways of reading it must agree. */
Test(stage, the_order_of_keys_and_blanks_do_not_count)
{
	static const char canonical[] = "{\"a.b\":0.1,\"ema.decay\":0.99,\"net.attn\":[16,8],\"net.init\":\"x, \\\"y\\\"\","
									"\"sample.sigma_mid\":0.8,\"train.steps\":100}";
	static const char other[] = "{ \"train.steps\": 100, \"net.init\": \"x, \\\"y\\\"\", \"net.attn\": [16, 8],\n"
								"\"sample.sigma_mid\": 0.80, \"a.b\": 1e-1, \"ema.decay\": 0.99 }";
	struct keys a = keys_of(canonical), b = keys_of(other);
	cr_expect_str_eq(a.training, b.training);
	cr_expect_str_eq(a.one, b.one);
	cr_expect_str_eq(a.two, b.two);
}

/* A later knob is left out of the text at its default, and so of the key: a record of before it keeps its training. */
Test(stage, a_config_of_before_a_knob_has_the_key_of_its_default)
{
	SCOPED(free) char *now = config_with("sigma.grid", "double");
	cr_expect(!strstr(now, "sigma.grid"), "%s", now);
	struct keys a = keys_of(now), b = keys_with(NULL, NULL);
	cr_expect_str_eq(a.training, b.training);
}

/* Keys are kept in databases: what they are made of cannot change without notice. */
Test(stage, keys_of_a_fixed_case)
{
	struct keys k = keys_of(
		"{\"ema.decay\":0.99,\"sample.sigma_mid\":0.8,\"sample.weights\":\"ema\",\"train.steps\":100}");
	char score[SHA256_HEX];
	stage_score_key(score, k.one, "fid", "cifar10", "inception", 50000);
	cr_expect_str_eq(k.training, "c9349b06fe92eda505858d428f09c977077105fdc487e4108ad493b63e0247a0");
	cr_expect_str_eq(k.one, "57e75bdb2b257bd7d11eb63f416139290501e41a26fb87e4804abdf4d2319188");
	cr_expect_str_eq(k.two, "d7555fd18a29b7307d3a0c789b9fe23f893633e2cf9cd083fafb0ad428a87324");
	cr_expect_str_eq(score, "05016ebedf6030c1abd58124815bceef1d5cbac12cbe607d1135ee7cf2d75d48");
}

Test(stage, what_is_no_object_is_refused)
{
	static const char *const bad[] = { "", "[]", "7", "{", "{\"a\":1", "{\"a\":1,}", "{\"a\" 1}" };
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct err e = ERR_INIT;
		char hex[SHA256_HEX];
		cr_expect(stage_training_key(hex, bad[i], DATA, 2, 1, &e) == -1, "%s", bad[i]);
		cr_expect_eq(e.code, EXIT_RECORD, "%s", bad[i]);
	}
}
