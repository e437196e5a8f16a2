/* stage.c - see stage.h. */
#include "harness/record/stage.h"

#include "harness/text/json_out.h"
#include "harness/text/json_writer.h"
#include "model/base/mem.h"
#include "model/config/config.h"

#include <jansson.h>
#include <string.h>

/* Does a setting take part in sampling with nfe evaluations? */
static bool samples(const struct knob *k, const json_t *config, int nfe)
{
	const char *weights = json_string_value(json_object_get(config, "sample.weights"));
	if (!k || k->stage != STAGE_SAMPLE)
		return false;
	if (strcmp(k->key, "ema.decay") == 0)
		return !weights || strcmp(weights, "ema") == 0;
	return strcmp(k->key, "sample.sigma_mid") != 0 || nfe > 1;
}

/* The settings of a stage; nfe < 1: of training. A key that is no knob of this version decided something once, and is
 * counted to training. NULL with e where it is no object. */
static json_t *settings(const char *config, int nfe, struct err *e)
{
	json_error_t why;
	json_t *all = json_loads(config, 0, &why), *out, *v;
	const char *key;
	if (!json_is_object(all)) {
		json_decref(all);
		(void)err_code(e, EXIT_RECORD, "the settings of an arm are not a JSON object: %s", why.text);
		return NULL;
	}
	out = json_object();
	json_object_foreach(all, key, v)
	{
		const struct knob *k = config_find(key);
		if (nfe > 0 ? samples(k, all, nfe) : !k || k->stage == STAGE_TRAIN)
			(void)json_object_set(out, key, v);
	}
	json_decref(all);
	return out;
}

/* Takes the settings over. */
static void hash_stage(char hex[SHA256_HEX], json_t *o)
{
	SCOPED(str) struct str text = { 0 };
	REQUIRE(json_record(&text, o, JSON_COMPACT | JSON_SORT_KEYS) == 0);
	io_sha256(hex, text.data, text.len);
	json_decref(o);
}

int stage_training_key(char hex[SHA256_HEX], const char *config, const char *dataset, int64_t numerics, int64_t seed,
                       struct err *e)
{
	json_t *train = settings(config, 0, e);
	if (!train)
		return -1;
	hash_stage(hex, json_pack("{s:s, s:I, s:I, s:o}", "dataset", dataset, "numerics", (json_int_t)numerics, "seed",
	                          (json_int_t)seed, "train", train));
	return 0;
}

int stage_sampling_key(char hex[SHA256_HEX], const char *training, const char *config, int nfe, int64_t eval_seed,
                       struct err *e)
{
	json_t *sample = settings(config, nfe > 0 ? nfe : 1, e);
	if (!sample)
		return -1;
	hash_stage(hex, json_pack("{s:I, s:i, s:o, s:s}", "eval_seed", (json_int_t)eval_seed, "nfe", nfe, "sample", sample,
	                          "training", training));
	return 0;
}

void stage_score_key(char hex[SHA256_HEX], const char *sampling, const char *metric, const char *ref,
                     const char *extractor, int64_t n)
{
	hash_stage(hex, json_pack("{s:s, s:s, s:I, s:s, s:s}", "extractor", extractor, "metric", metric, "n", (json_int_t)n,
	                          "ref", ref, "sampling", sampling));
}
