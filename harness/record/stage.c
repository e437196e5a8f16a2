/* stage.c - see stage.h. The text of an arm is flat and sorted already, so that its members are taken as they stand: a
 * plan of ten thousand cells asks for as many keys. */
#include "harness/record/stage.h"

#include "harness/text/json_out.h"
#include "harness/text/json_writer.h"
#include "model/base/mem.h"
#include "model/config/config.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { MEMBERS_MAX = 512, KEY_MAX = 128 };

/* "KEY":VALUE of an object's text. */
struct member {
	const char *key, *value;
	size_t n_key, n_value;
};

/* ---- the members of a config ------------------------------------------------------------------------------------ */

/* Behind the string that begins here; NULL where it does not end. */
static const char *skip_string(const char *p)
{
	for (p++; *p && *p != '"'; p++)
		if (*p == '\\' && p[1])
			p++;
	return *p ? p + 1 : NULL;
}

/* Behind the value that begins here: at a comma or a closing bracket of what it stands in. NULL: blanks, or no end. */
static const char *skip_value(const char *p)
{
	for (int depth = 0; *p; p++) {
		if (*p == '"') {
			if (!(p = skip_string(p)))
				return NULL;
			p--;
		} else if (*p == '[' || *p == '{') {
			depth++;
		} else if ((*p == ']' || *p == '}' || *p == ',') && depth == 0) {
			return p;
		} else if (*p == ']' || *p == '}') {
			depth--;
		} else if (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r') {
			return NULL;
		}
	}
	return NULL;
}

static bool in_order(const struct member *a, const struct member *b)
{
	size_t n = a->n_key < b->n_key ? a->n_key : b->n_key;
	int order = memcmp(a->key, b->key, n);
	return order < 0 || (order == 0 && a->n_key < b->n_key);
}

/* Of canonical text: no blanks, each key once and in order. The number of members; -1 where it is written otherwise. */
static int split(struct member out[MEMBERS_MAX], const char *text)
{
	int n = 0;
	const char *p = text;
	if (*p++ != '{')
		return -1;
	while (*p == '"' && n < MEMBERS_MAX) {
		struct member *m = &out[n++];
		const char *end = skip_string(p);
		if (!end || *end != ':')
			return -1;
		m->key = p + 1;
		m->n_key = (size_t)(end - p) - 2;
		m->value = end + 1;
		if (!(p = skip_value(end + 1)) || p == end + 1 || (n > 1 && !in_order(&out[n - 2], m)))
			return -1;
		m->n_value = (size_t)(p - m->value);
		if (*p == ',' && p[1] != '"')
			return -1;
		p += *p == ',';
	}
	return strcmp(p, "}") == 0 ? n : -1;
}

/* Any JSON object as canonical text; heap. NULL with e where it is none. */
static char *canonical(const char *config, struct err *e)
{
	json_error_t why;
	json_t *all = json_loads(config, 0, &why), *v;
	if (!json_is_object(all)) {
		(void)err_code(e, EXIT_RECORD, "the settings of an arm are not a JSON object: %s",
		               all ? "another kind of value" : why.text);
		json_decref(all);
		return NULL;
	}
	struct str text = { 0 };
	struct json_writer w = { .to = &text };
	SCOPED(free) const char **keys = xcalloc(json_object_size(all) + 1, sizeof *keys);
	const char *key;
	size_t n = 0;
	json_object_foreach(all, key, v) keys[n++] = key;
	qsort(keys, n, sizeof *keys, str_order);
	json_begin(&w, NULL, '{');
	for (size_t i = 0; i < n; i++) {
		SCOPED(str) struct str value = { 0 };
		json_out(&value, json_object_get(all, keys[i]), 0);
		json_add_raw(&w, keys[i], str_text(&value));
	}
	json_end(&w);
	json_decref(all);
	return str_detach(&text);
}

/* ---- the settings of a stage ------------------------------------------------------------------------------------ */

static bool is_key(const struct member *m, const char *key)
{
	return strlen(key) == m->n_key && memcmp(m->key, key, m->n_key) == 0;
}

/* Are the averaged weights sampled? */
static bool samples_average(const struct member *m, int n)
{
	for (int i = 0; i < n; i++)
		if (is_key(&m[i], "sample.weights"))
			return m[i].n_value == 5 && memcmp(m[i].value, "\"ema\"", 5) == 0;
	return true;
}

static const struct knob *knob_of(const struct member *m)
{
	char key[KEY_MAX];
	if (m->n_key >= sizeof key)
		return NULL;
	memcpy(key, m->key, m->n_key);
	key[m->n_key] = '\0';
	return config_find(key);
}

/* Those of sampling with nfe evaluations; nfe < 1: those of training. Heap; NULL with e. */
static char *settings(const char *config, int nfe, struct err *e)
{
	SCOPED(free) char *rewritten = NULL;
	SCOPED(free) struct member *m = xcalloc(MEMBERS_MAX, sizeof *m);
	int n = split(m, config);
	if (n < 0) {
		if (!(rewritten = canonical(config, e)))
			return NULL;
		if ((n = split(m, rewritten)) < 0) {
			(void)err_code(e, EXIT_RECORD, "the settings of an arm are more than %d", MEMBERS_MAX);
			return NULL;
		}
	}
	struct str out = { 0 };
	bool average = samples_average(m, n), observed = false;
	for (int i = 0; i < n; i++)
		observed |= is_key(&m[i], "eval.every"); /* it is there where it is not 0 */
	for (int i = 0; i < n; i++) {
		const struct knob *k = knob_of(&m[i]);
		bool sample = k && k->stage == STAGE_SAMPLE && (nfe > 0 || !observed);
		if (sample != (nfe > 0) || (is_key(&m[i], "ema.decay") && nfe > 0 && !average) ||
		    (is_key(&m[i], "sample.sigma_mid") && nfe == 1))
			continue;
		str_addc(&out, out.len ? ',' : '{');
		str_addn(&out, m[i].key - 1, (size_t)(m[i].value + m[i].n_value - (m[i].key - 1)));
	}
	str_add(&out, out.len ? "}" : "{}");
	return str_detach(&out);
}

char *stage_train_settings(const char *config, struct err *e)
{
	return settings(config, 0, e);
}

/* ---- keys ------------------------------------------------------------------------------------------------------- */

void stage_training_of(char hex[SHA256_HEX], const char *settings_of_it, const char *dataset, int64_t numerics,
                       int64_t seed)
{
	SCOPED(str) struct str text = { 0 };
	struct json_writer w = { .to = &text };
	json_begin(&w, NULL, '{');
	json_add_text(&w, "dataset", dataset);
	json_add_int(&w, "numerics", numerics);
	json_add_int(&w, "seed", seed);
	json_add_raw(&w, "train", settings_of_it);
	json_end(&w);
	io_sha256(hex, text.data, text.len);
}

int stage_training_key(char hex[SHA256_HEX], const char *config, const char *dataset, int64_t numerics, int64_t seed,
                       struct err *e)
{
	SCOPED(free) char *train = stage_train_settings(config, e);
	if (!train)
		return -1;
	stage_training_of(hex, train, dataset, numerics, seed);
	return 0;
}

int stage_sampling_key(char hex[SHA256_HEX], const char *training, const char *config, int nfe, int64_t eval_seed,
                       struct err *e)
{
	SCOPED(free) char *sample = settings(config, nfe > 0 ? nfe : 1, e);
	SCOPED(str) struct str text = { 0 };
	struct json_writer w = { .to = &text };
	if (!sample)
		return -1;
	json_begin(&w, NULL, '{');
	json_add_int(&w, "eval_seed", eval_seed);
	json_add_int(&w, "nfe", nfe);
	json_add_raw(&w, "sample", sample);
	json_add_text(&w, "training", training);
	json_end(&w);
	io_sha256(hex, text.data, text.len);
	return 0;
}

void stage_score_key(char hex[SHA256_HEX], const char *sampling, const char *metric, const char *ref,
                     const char *extractor, int64_t n)
{
	SCOPED(str) struct str text = { 0 };
	struct json_writer w = { .to = &text };
	json_begin(&w, NULL, '{');
	json_add_text(&w, "extractor", extractor);
	json_add_text(&w, "metric", metric);
	json_add_int(&w, "n", n);
	json_add_text(&w, "ref", ref);
	json_add_text(&w, "sampling", sampling);
	json_end(&w);
	io_sha256(hex, text.data, text.len);
}
