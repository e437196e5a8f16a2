/* fingerprint.c - see fingerprint.h. */
#define _GNU_SOURCE
#include "harness/record/fingerprint.h"

#include "harness/record/numerics.h"
#include "harness/record/query_build.h"
#include "harness/text/json_out.h"
#include "metrics/math/blas.h"
#include "model/base/mem.h"

#include <gnu/libc-version.h>
#include <oneapi/dnnl/dnnl_types.h>
#include <stdlib.h>
#include <string.h>

extern const dnnl_version_t *dnnl_version(void);

static json_t *libraries(void)
{
	const dnnl_version_t *v = dnnl_version();
	SCOPED(free) char *dnnl = xstrfmt("%d.%d.%d", v->major, v->minor, v->patch);
	return json_pack("{s:s, s:s, s:s}", "oneDNN", dnnl, "OpenBLAS", blas_version(), "libc", gnu_get_libc_version());
}

static const char *fact(const json_t *facts, const char *key)
{
	const char *text = json_string_value(json_object_get(facts, key));
	return text ? text : "";
}

json_t *fingerprint_parts(char fingerprint[SHA256_HEX], const char *device, const json_t *facts)
{
	json_t *o = json_pack("{s:s, s:o}", "build", numerics_build(), "libraries", libraries());
	if (strcmp(device, "cpu") != 0)
		(void)json_object_set_new(
			o, "device",
			json_pack("{s:s, s:s}", "kernels", fact(facts, "kernels"), "libraries", fact(facts, "libraries")));
	SCOPED(str) struct str text = { 0 };
	if (json_record(&text, o, JSON_COMPACT | JSON_SORT_KEYS))
		BUG("the parts of a fingerprint are not JSON");
	io_sha256(fingerprint, text.data, text.len);
	return o;
}

/* --- which recorded numbers are of this build --- */

/* An attempt whose numbers come from several builds, or a fingerprint and whether it is ours. */
struct known {
	const char *key, *all;
	bool ours;
};

struct builds {
	struct known *mixed, *stale, *prints; /* attempts and cells: sorted by key; prints: in order of appearance */
	int n_mixed, cap_mixed, n_stale, cap_stale, n_prints, cap_prints;
	struct arena arena;
};

void builds_free(struct builds *b)
{
	if (!b)
		return;
	free(b->mixed);
	free(b->stale);
	free(b->prints);
	arena_release(&b->arena);
	free(b);
}

void scoped_builds(struct builds **b)
{
	builds_free(*b);
}

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct known *)a)->key, ((const struct known *)b)->key);
}

/* Rows come by attempt, then fingerprint. */
static int read_mixed(struct builds *b, struct db *db, struct err *e)
{
	struct db_rows rows;
	struct mixed_row r;
	if (query_mixed_builds(&rows, db, e))
		return -1;
	while (query_mixed_build_next(&r, &rows)) {
		struct known *last = b->n_mixed ? &b->mixed[b->n_mixed - 1] : NULL;
		if (last && strcmp(last->key, r.attempt) == 0)
			last->all = arena_strfmt(&b->arena, "%s+%s", last->all, r.fingerprint);
		else
			VEC_PUSH(b->mixed, b->n_mixed,
			         b->cap_mixed) = (struct known){ .key = arena_strdup(&b->arena, r.attempt),
				                                     .all = arena_strdup(&b->arena, r.fingerprint) };
	}
	return db_done(&rows, e);
}

/* A device's libraries are known to whoever opens it; without it, the same sources and compilers must do. */
static bool parts_are_ours(const struct build_row *r, const char *here)
{
	if (strcmp(r->fingerprint, here) == 0)
		return true;
	size_t n = strlen(numerics_kernels());
	return *r->kernels && strcmp(r->build, numerics_build()) == 0 && strncmp(r->kernels, numerics_kernels(), n) == 0;
}

static int read_prints(struct builds *b, struct db *db, struct err *e)
{
	struct db_rows rows;
	struct build_row r;
	char here[SHA256_HEX] = "";
	if (query_builds(&rows, db, e))
		return -1;
	while (query_build_next(&r, &rows)) {
		/* the libraries are asked only where they decide */
		if (!*here && (!*r.build || strcmp(r.build, numerics_build()) == 0))
			json_decref(fingerprint_parts(here, "cpu", NULL));
		VEC_PUSH(b->prints, b->n_prints, b->cap_prints) = (struct known){ .key = arena_strdup(&b->arena, r.fingerprint),
			                                                              .ours = parts_are_ours(&r, here) };
	}
	return db_done(&rows, e);
}

int builds_read(struct builds **out, struct db *db, struct err *e)
{
	struct builds *b = xcalloc(1, sizeof *b);
	if (db && (read_mixed(b, db, e) || read_prints(b, db, e))) {
		builds_free(b);
		return -1;
	}
	*out = b;
	return 0;
}

const char *builds_of(struct builds *b, const char *attempt, const char *fingerprint)
{
	const struct known want = { .key = attempt };
	const struct known *hit = b->n_mixed ? bsearch(&want, b->mixed, (size_t)b->n_mixed, sizeof want, by_key) : NULL;
	if (hit)
		return hit->all;
	if (!fingerprint || !*fingerprint)
		return "";
	for (int i = 0; i < b->n_prints; i++)
		if (strcmp(b->prints[i].key, fingerprint) == 0)
			return b->prints[i].key;
	VEC_PUSH(b->prints, b->n_prints, b->cap_prints) = (struct known){ .key = arena_strdup(&b->arena, fingerprint) };
	return b->prints[b->n_prints - 1].key;
}

bool builds_is_ours(const struct builds *b, const char *fingerprint)
{
	for (int i = 0; i < b->n_prints && *fingerprint; i++)
		if (strcmp(b->prints[i].key, fingerprint) == 0)
			return b->prints[i].ours;
	return false;
}

int builds_read_cells(struct builds *b, struct db *db, struct err *e)
{
	struct db_rows rows;
	struct used_build_row r;
	if (query_used_builds(&rows, db, e))
		return -1;
	while (query_used_build_next(&r, &rows)) {
		const char *all = builds_of(b, r.attempt, r.fingerprint);
		if (!builds_is_ours(b, all))
			VEC_PUSH(b->stale, b->n_stale, b->cap_stale) = (struct known){ .key = arena_strdup(&b->arena, r.cell),
				                                                           .all = all };
	}
	if (b->n_stale)
		qsort(b->stale, (size_t)b->n_stale, sizeof *b->stale, by_key);
	return db_done(&rows, e);
}

const char *builds_stale(const struct builds *b, const char *cell)
{
	const struct known want = { .key = cell };
	const struct known *hit = b->n_stale ? bsearch(&want, b->stale, (size_t)b->n_stale, sizeof want, by_key) : NULL;
	return hit ? hit->all : NULL;
}

int builds_made_it(bool *out, struct builds *b, struct db *db, const char *attempt, struct err *e)
{
	SCOPED(free) char *own = NULL;
	if (query_fingerprint(&own, db, attempt, e))
		return -1;
	*out = builds_is_ours(b, builds_of(b, attempt, own));
	return 0;
}

char *builds_text(const char *fingerprint)
{
	struct str s = { 0 };
	if (!*fingerprint)
		str_add(&s, "not recorded");
	for (const char *at = fingerprint; *at;) {
		size_t n = strcspn(at, "+"), past = n + (at[n] == '+');
		str_addf(&s, "%s%.*s",
		         at == fingerprint ? ""
		         : at[past]        ? ", "
		                           : " and ",
		         (int)(n < FINGERPRINT_SHOWN ? n : FINGERPRINT_SHOWN), at);
		at += past;
	}
	return str_detach(&s);
}
