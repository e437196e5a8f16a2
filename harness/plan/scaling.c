/* scaling.c - see scaling.h. */
#include "harness/plan/scaling.h"

#include "harness/record/host.h"
#include "harness/record/provenance.h"
#include "harness/text/json_out.h"
#include "model/base/env.h"
#include "model/base/io.h"

#include <math.h>
#include <string.h>

enum { FORM = 1, MACHINES_MAX = 32, BYTES_MAX = 1 << 20, PROCESSORS_MAX = 1 << 16 };

const char *scaling_net_name(enum scaling_net net)
{
	static const char *const names[SCALING_NETS] = { "small", "large" };
	return names[net];
}

enum scaling_net scaling_nearest(const struct scaling *s, double gflop)
{
	return gflop > 0 && gflop > sqrt(s->gflop[SCALING_SMALL] * s->gflop[SCALING_LARGE]) ? SCALING_LARGE : SCALING_SMALL;
}

void scaling_init(struct scaling *out, int processors)
{
	*out = (struct scaling){ .processors = processors };
	for (int jobs = 1; jobs <= processors; jobs++) {
		bool last = jobs == processors;
		if (processors % jobs == 0 && (last || out->n < SCALING_MAX - 1))
			out->v[out->n++] = (struct scaling_rate){ .jobs = jobs, .threads = processors / jobs };
	}
}

void scaling_key(struct scaling_key *out)
{
	json_t *facts = provenance_facts();
	const char *cpu = json_string_value(json_object_get(facts, "cpu"));
	const char *fingerprint = json_string_value(json_object_get(facts, "fingerprint"));
	*out = (struct scaling_key){ .processors = host_cpus() };
	(void)snprintf(out->cpu, sizeof out->cpu, "%s", cpu ? cpu : "");
	(void)snprintf(out->fingerprint, sizeof out->fingerprint, "%s", fingerprint ? fingerprint : "");
	json_decref(facts);
}

char *scaling_path(void)
{
	const char *own = env_get(ENV_ABLATE_SCALING);
	if (own && strcmp(own, "none") == 0)
		return NULL;
	if (own && *own)
		return xstrdup(own);
	SCOPED(free) char *cache = io_cache_dir();
	return xstrfmt("%s/scaling.json", cache);
}

/* ---- reading: nothing of the file is believed -------------------------------------------------------------------- */

static bool read_count(int *out, const json_t *o, const char *key, int most)
{
	const json_t *v = json_object_get(o, key);
	json_int_t n = json_integer_value(v);
	if (!json_is_integer(v) || n < 1 || n > most)
		return false;
	*out = (int)n;
	return true;
}

/* An array of SCALING_NETS positive numbers. */
static bool read_numbers(double out[SCALING_NETS], const json_t *o, const char *key)
{
	const json_t *list = json_object_get(o, key);
	bool good = json_array_size(list) == SCALING_NETS;
	for (size_t i = 0; i < SCALING_NETS && good; i++) {
		out[i] = json_number_value(json_array_get(list, i));
		good = isfinite(out[i]) && out[i] > 0;
	}
	return good;
}

static bool read_machine(struct scaling *out, const json_t *o)
{
	struct scaling s = { 0 };
	const json_t *rates = json_object_get(o, "rates");
	size_t n = json_array_size(rates);
	if (!read_count(&s.processors, o, "processors", PROCESSORS_MAX) || !read_numbers(s.gflop, o, "gflop") || n < 1 ||
	    n > SCALING_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		struct scaling_rate *r = &s.v[s.n++];
		const json_t *row = json_array_get(rates, i);
		if (!read_count(&r->jobs, row, "jobs", s.processors) ||
		    !read_count(&r->threads, row, "threads", s.processors / r->jobs) ||
		    !read_numbers(r->steps_per_s, row, "steps_per_s") || (i ? r->jobs <= r[-1].jobs : r->jobs != 1))
			return false;
	}
	*out = s;
	return true;
}

/* The machines of the file, an array: a new reference, or NULL. */
static json_t *read_file(const char *path)
{
	SCOPED(str) struct str text = { 0 };
	if (io_read(&text, path, BYTES_MAX, NULL))
		return NULL;
	json_t *all = json_loadb(str_text(&text), text.len, JSON_REJECT_DUPLICATES, NULL), *list = NULL;
	if (json_integer_value(json_object_get(all, "schema")) == FORM)
		list = json_incref(json_object_get(all, "machines"));
	json_decref(all);
	if (json_is_array(list))
		return list;
	json_decref(list);
	return NULL;
}

static bool is_text(const json_t *o, const char *key, const char *wanted)
{
	const char *text = json_string_value(json_object_get(o, key));
	return text && strcmp(text, wanted) == 0;
}

static bool is_machine(const json_t *o, const struct scaling_key *key)
{
	return is_text(o, "cpu", key->cpu) && is_text(o, "fingerprint", key->fingerprint) &&
	       json_integer_value(json_object_get(o, "processors")) == key->processors;
}

bool scaling_recall(struct scaling *out, const char *path, const struct scaling_key *key)
{
	json_t *list = read_file(path);
	const json_t *o;
	size_t i;
	bool found = false;
	json_array_foreach(list, i, o)
	{
		if (!found && is_machine(o, key))
			found = read_machine(out, o);
	}
	json_decref(list);
	return found;
}

char *scaling_told(void)
{
	struct scaling s;
	struct scaling_key key;
	struct str text = { 0 };
	SCOPED(free) char *path = scaling_path();
	scaling_key(&key);
	if (!path || !scaling_recall(&s, path, &key))
		return xstrdup(path ? "not measured yet (`ablate bench scaling` does it)"
		                    : "not measured (ABLATE_SCALING=none)");
	for (int i = 1; i < s.n; i++) {
		const struct scaling_rate *r = &s.v[i];
		str_addf(&text, "%s%d jobs of %d thread%s:", i > 1 ? "; " : "", r->jobs, r->threads, str_plural(r->threads));
		for (int k = 0; k < SCALING_NETS; k++)
			str_addf(&text, "%s %.2f (%s%s)", k ? "," : "", r->steps_per_s[k] / s.v[0].steps_per_s[k],
			         scaling_net_name((enum scaling_net)k), k ? "" : " network");
	}
	str_addf(&text, "%s one job of %d thread%s", s.n > 1 ? " times" : "", s.processors, str_plural(s.processors));
	return str_detach(&text);
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static json_t *numbers(const double v[SCALING_NETS])
{
	json_t *list = json_array();
	for (int i = 0; i < SCALING_NETS; i++)
		(void)json_array_append_new(list, json_real(v[i]));
	return list;
}

static json_t *machine(const struct scaling_key *key, const struct scaling *s)
{
	json_t *rates = json_array();
	for (int i = 0; i < s->n; i++)
		(void)json_array_append_new(rates, json_pack("{s:i, s:i, s:o}", "jobs", s->v[i].jobs, "threads",
		                                             s->v[i].threads, "steps_per_s", numbers(s->v[i].steps_per_s)));
	return json_pack("{s:o, s:i, s:s, s:o, s:o}", "cpu", json_out_text(key->cpu), "processors", key->processors,
	                 "fingerprint", key->fingerprint, "gflop", numbers(s->gflop), "rates", rates);
}

int scaling_keep(const char *path, const struct scaling_key *key, const struct scaling *s, struct err *e)
{
	SCOPED(str) struct str text = { 0 };
	const char *name = strrchr(path, '/');
	SCOPED(free) char *folder = name && name > path ? xstrndup(path, (size_t)(name - path)) : NULL;
	json_t *list = read_file(path);
	list = list ? list : json_array();
	for (size_t i = json_array_size(list); i-- > 0;)
		if (is_machine(json_array_get(list, i), key))
			(void)json_array_remove(list, i);
	(void)json_array_append_new(list, machine(key, s));
	while (json_array_size(list) > MACHINES_MAX)
		(void)json_array_remove(list, 0);
	json_t *all = json_pack("{s:i, s:o}", "schema", FORM, "machines", list);
	int rc = json_record(&text, all, JSON_INDENT(1));
	json_decref(all);
	if (rc)
		return err_set(e, "%s: what was measured is not JSON", path);
	str_addc(&text, '\n');
	return (folder && io_mkdirs(folder, e)) || io_write_atomic(path, str_text(&text), text.len, e) ? -1 : 0;
}
