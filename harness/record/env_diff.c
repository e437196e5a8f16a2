/* env_diff.c - see env_diff.h. */
#include "harness/record/env_diff.h"

#include "model/base/mem.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* From this numerics version on a training has the same bits on any number of threads
 * (tests/model/train/test_threads.c). */
enum { TRAINS_ALIKE_ON_ANY_THREADS = 4 };

struct pair {
	struct str *out;
	size_t from; /* of our text in out */
	const json_t *a, *b;
};

static void add(const struct pair *p, const char *what, const char *before, const char *after)
{
	str_addf(p->out, "%s%s%s%s, then %s", p->out->len > p->from ? "; " : "", what, *what ? " " : "", before, after);
}

static const char *text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));
	return text ? text : "";
}

/* A text of both; "none" is said for one that is missing. */
static void add_text(const struct pair *p, const char *key, const char *what)
{
	const char *a = text_of(p->a, key), *b = text_of(p->b, key);
	if (strcmp(a, b) != 0)
		add(p, what, *a ? a : "none", *b ? b : "none");
}

static char *count_text(json_int_t n, const char *one, const char *many)
{
	return xstrfmt("%lld %s", (long long)n, n == 1 ? one : many);
}

static json_int_t number_of(const json_t *o, const char *key, json_int_t missing)
{
	const json_t *v = json_object_get(o, key);
	return json_is_integer(v) ? json_integer_value(v) : missing;
}

static bool threads_matter(const struct pair *p, enum env_work work)
{
	return work == ENV_SCORES || number_of(p->a, "numerics", 0) < TRAINS_ALIKE_ON_ANY_THREADS ||
	       number_of(p->b, "numerics", 0) < TRAINS_ALIKE_ON_ANY_THREADS;
}

static void add_split(const struct pair *p, enum env_work work)
{
	json_int_t threads[2] = { number_of(p->a, "threads", 0), number_of(p->b, "threads", 0) };
	json_int_t ranks[2] = { number_of(p->a, "ranks", 1), number_of(p->b, "ranks", 1) };
	json_int_t micro[2] = { number_of(p->a, "microbatch", 0), number_of(p->b, "microbatch", 0) };
	if (threads[0] != threads[1] && threads_matter(p, work)) {
		SCOPED(free) char *a = count_text(threads[0], "thread", "threads");
		SCOPED(free) char *b = xstrfmt("%lld", (long long)threads[1]);
		add(p, "", a, b);
	}
	if (ranks[0] != ranks[1]) {
		SCOPED(free) char *a = count_text(ranks[0], "process", "processes");
		SCOPED(free) char *b = xstrfmt("%lld", (long long)ranks[1]);
		add(p, "", a, b);
	}
	if (micro[0] != micro[1]) {
		SCOPED(free) char *a = xstrfmt("micro-batches of %lld", (long long)micro[0]);
		SCOPED(free) char *b = xstrfmt("micro-batches of %lld", (long long)micro[1]);
		add(p, "", micro[0] > 0 ? a : "whole batches", micro[1] > 0 ? b : "whole batches");
	}
}

/* cuda:0 and cuda:1 are the same kind; whether they are the same card, its facts say. */
static void add_device(const struct pair *p)
{
	const char *a = text_of(p->a, "device"), *b = text_of(p->b, "device");
	size_t n = strcspn(a, ":");
	if (n != strcspn(b, ":") || strncmp(a, b, n) != 0) {
		SCOPED(free) char *before = xstrndup(*a ? a : "unknown", *a ? n : 7);
		SCOPED(free) char *after = xstrndup(*b ? b : "unknown", *b ? strcspn(b, ":") : 7);
		add(p, "device", before, after);
		return;
	}
	const struct pair facts = { p->out, p->from, json_object_get(p->a, "device_facts"),
		                        json_object_get(p->b, "device_facts") };
	add_text(&facts, "device", "");
	add_text(&facts, "libraries", "");
	add_text(&facts, "driver", "driver");
}

static bool lists(const json_t *list, const char *text)
{
	size_t i;
	json_t *v;
	json_array_foreach((json_t *)list, i,
	                   v) if (json_is_string(v) && strcmp(json_string_value(v), text) == 0) return true;
	return false;
}

/* Instruction sets of one that the other lacks: " avx512f avx512bw". */
static void add_more(struct str *out, const json_t *has, const json_t *lacks)
{
	size_t i;
	json_t *v;
	json_array_foreach((json_t *)has, i, v) if (json_is_string(v) && !lists(lacks, json_string_value(v)))
		str_addf(out, " %s", json_string_value(v));
}

static void add_processor(const struct pair *p)
{
	const json_t *a = json_object_get(p->a, "isa"), *b = json_object_get(p->b, "isa");
	SCOPED(str) struct str gone = { 0 }, come = { 0 };
	add_text(p, "machine", "machine");
	add_text(p, "cpu", "processor");
	add_more(&gone, a, b);
	add_more(&come, b, a);
	if (gone.len)
		str_addf(p->out, "%sno longer%s", p->out->len > p->from ? "; " : "", gone.data);
	if (come.len)
		str_addf(p->out, "%snow with%s", p->out->len > p->from ? "; " : "", come.data);
}

static void add_libraries(const struct pair *p)
{
	static const char *const counted[] = { "oneDNN", "oneDNN isa", "OpenBLAS", "OpenBLAS core", "libc" };
	const struct pair libs = { p->out, p->from, json_object_get(p->a, "libraries"),
		                       json_object_get(p->b, "libraries") };
	for (size_t i = 0; i < sizeof counted / sizeof *counted; i++)
		add_text(&libs, counted[i], counted[i]);
}

/* Of hashes, the first digits. */
static bool add_short(const struct pair *p, const char *what, const char *a, const char *b)
{
	SCOPED(free) char *before = xstrfmt("%.12s", *a ? a : "unknown");
	SCOPED(free) char *after = xstrfmt("%.12s", *b ? b : "unknown");
	bool other = strcmp(before, after) != 0;
	if (other)
		add(p, what, before, after);
	return other;
}

/* The program: by its fingerprint where both have one, else by what it was built from. */
static void add_build(const struct pair *p)
{
	const json_t *of_a = json_object_get(p->a, "fingerprint_of"), *of_b = json_object_get(p->b, "fingerprint_of");
	const char *a = text_of(of_a, "build"), *b = text_of(of_b, "build");
	json_int_t numerics[2] = { number_of(p->a, "numerics", 0), number_of(p->b, "numerics", 0) };
	if (numerics[0] != numerics[1]) {
		SCOPED(free) char *before = xstrfmt("%lld", (long long)numerics[0]);
		SCOPED(free) char *after = xstrfmt("%lld", (long long)numerics[1]);
		add(p, "numerics", before, after);
	}
	if (*a && *b) {
		const struct pair kernels = { p->out, p->from, json_object_get(of_a, "device"),
			                          json_object_get(of_b, "device") };
		(void)add_short(p, "build", a, b);
		add_text(&kernels, "kernels", "kernels");
		return;
	}
	a = text_of(p->a, "build_id");
	b = text_of(p->b, "build_id");
	if (*a && strcmp(a, b) == 0)
		return;
	const char *commit = text_of(p->a, "commit");
	bool other = add_short(p, "program of commit", commit, text_of(p->b, "commit"));
	if (!other && strcmp(text_of(p->a, "diff"), text_of(p->b, "diff")) != 0)
		str_addf(p->out, "%sprogram with other changes", p->out->len > p->from ? "; " : "");
	else if (!other && strcmp(commit, "unknown") == 0)
		(void)add_short(p, "program", a, b);
	add_text(p, "compiler", "compiler");
	add_text(p, "flags", "flags");
}

void env_diff(struct str *out, enum env_work work, const char *before, const char *after)
{
	json_t *a = before ? json_loads(before, 0, NULL) : NULL, *b = after ? json_loads(after, 0, NULL) : NULL;
	if (!json_is_object(a) || !json_is_object(b))
		str_add(out, "its environment is not on record");
	else {
		const struct pair p = { out, out->len, a, b };
		add_split(&p, work);
		add_device(&p);
		add_processor(&p);
		add_libraries(&p);
		add_build(&p);
	}
	json_decref(a);
	json_decref(b);
}
