/* statement_check.c - is a statement signed by its key, about this record, and does the record agree? See
 * statement.h. */
#define _GNU_SOURCE
#include "harness/attest/statement.h"
#include "harness/attest/statement_read.h"

#include "harness/text/json_out.h"
#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/base/str.h"

#include <stdlib.h>
#include <string.h>

/* --- what is said --- */

static void set_text(json_t *o, const char *key, const char *text)
{
	if (text)
		(void)json_object_set_new(o, key, json_out_text(text));
}

json_t *statement_facts(const struct sealed_row *r, const char *attempt)
{
	json_t *o = json_object();
	set_text(o, "attempt", attempt);
	set_text(o, "cell", r->cell);
	set_text(o, "arm", r->arm);
	set_text(o, "dataset", r->dataset);
	set_text(o, "training", r->training);
	(void)json_object_set_new(o, "seed", json_integer(r->seed));
	(void)json_object_set_new(o, "numerics", json_integer(r->numerics));
	set_text(o, "fingerprint", r->fingerprint);
	set_text(o, "env", r->env);
	set_text(o, "state", r->state);
	if (r->step >= 0)
		(void)json_object_set_new(o, "step", json_integer(r->step));
	return o;
}

json_t *statement_score(const struct said_score_row *r)
{
	json_t *o = json_pack("{s:s, s:I, s:s, s:I, s:I, s:s, s:s}", "name", r->name, "nfe", (json_int_t)r->nfe, "weights",
	                      r->weights, "step", (json_int_t)r->step, "evalSeed", (json_int_t)r->eval_seed, "protocol",
	                      r->protocol, "hex", r->hex);
	if (r->n >= 0)
		(void)json_object_set_new(o, "n", json_integer(r->n));
	set_text(o, "takenFrom", r->taken_from);
	return o;
}

/* --- reading --- */

static const char *text_in(json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static int take(struct statement *st, struct err *e)
{
	static const char *const kinds[] = { "seal", "verify" };
	json_t *subject = json_object_get(st->document, "subject"), *p = json_object_get(st->document, "predicate");
	json_t *signer = json_object_get(p, "signer");
	const char *type = text_in(st->document, "_type"), *predicate_type = text_in(st->document, "predicateType"),
			   *public = text_in(signer, "publicKey");
	SCOPED(str) struct str key = { 0 };
	if (!type || strcmp(type, STATEMENT_TYPE) != 0 || !predicate_type)
		return err_code(e, EXIT_RECORD, "not an in-toto statement (v1)");
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		SCOPED(free) char *known = xstrfmt(STATEMENT_PREDICATE, kinds[i]);
		if (strcmp(predicate_type, known) == 0)
			(void)snprintf(st->kind, sizeof st->kind, "%s", kinds[i]);
	}
	if (!*st->kind)
		return err_code(e, EXIT_RECORD, "a statement of '%.80s', which this version does not know", predicate_type);
	st->predicate = p;
	st->attempt = text_in(p, "attempt");
	st->created = text_in(p, "createdOn");
	st->name = text_in(signer, "name");
	st->seal = text_in(json_object_get(json_array_get(subject, 0), "digest"), "sha256");
	if (!st->attempt || !st->created || !st->seal || json_array_size(subject) != 1)
		return err_code(e, EXIT_RECORD, "a statement without attempt, createdOn or one subject with its sha256");
	if (!public || dsse_unbase64(&key, public) || key.len != SIGNING_PUBLIC)
		return err_code(e, EXIT_RECORD, "a statement that does not say its signer's public key");
	memcpy(st->public, key.data, SIGNING_PUBLIC);
	return 0;
}

int statement_read(struct statement *out, const char *envelope, struct err *e)
{
	SCOPED(statement) struct statement st = { 0 };
	if (dsse_read(&st.envelope, envelope, strlen(envelope), e))
		return -1;
	st.document = json_loadb(str_text(&st.envelope.payload), st.envelope.payload.len, JSON_REJECT_DUPLICATES, NULL);
	if (take(&st, e))
		return -1;
	*out = st;
	st = (struct statement){ 0 };
	return 0;
}

void statement_release(struct statement *s)
{
	dsse_release(&s->envelope);
	json_decref(s->document);
	*s = (struct statement){ 0 };
}

void scoped_statement(struct statement *s)
{
	statement_release(s);
}

/* --- checking --- */

const char *statement_state_name(enum statement_state state)
{
	static const char *const names[] = { [STATEMENT_VALID] = "valid",
		                                 [STATEMENT_WRONG] = "signature wrong",
		                                 [STATEMENT_ELSEWHERE] = "about another seal",
		                                 [STATEMENT_OTHERWISE] = "the record says otherwise" };
	return names[state];
}

static void found(struct statement_check *out, enum statement_state state, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void found(struct statement_check *out, enum statement_state state, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	out->state = state;
	(void)vsnprintf(out->why, sizeof out->why, fmt, ap);
	va_end(ap);
}

static bool same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static void check_signature(struct statement_check *out, const struct statement *st, const struct statement_row *r)
{
	char id[SHA256_HEX];
	io_sha256(id, r->envelope, strlen(r->envelope));
	if (!dsse_check(&st->envelope, st->public))
		found(out, STATEMENT_WRONG, "its signature is not of its text by key %.12s, which it names", st->envelope.key);
	else if (!same(id, r->id) || !same(st->attempt, r->attempt) || !same(st->kind, r->kind) ||
	         !same(st->envelope.key, r->key) || !same(st->name, r->name) || !same(st->created, r->created))
		found(out, STATEMENT_WRONG, "its row in the database is not what its envelope says");
}

/* Facts that the statement has and the record has otherwise; what only one of them knows is no contradiction. */
static void check_facts(struct statement_check *out, const struct statement *st, json_t *ours)
{
	const char *key;
	json_t *v;
	json_object_foreach(ours, key, v)
	{
		json_t *said = json_object_get(st->predicate, key);
		if (said && !json_equal(said, v) && out->state == STATEMENT_VALID)
			found(out, STATEMENT_OTHERWISE, "the record has another %s than was signed", key);
	}
}

/* Every signed score is in the record, as it was signed; and no other one is. */
static int check_scores(struct statement_check *out, const struct statement *st, struct db *db, struct err *e)
{
	struct db_rows rows;
	struct said_score_row r;
	json_t *said = json_object_get(st->predicate, "scores");
	size_t n = json_array_size(said), i = 0;
	if (query_said_scores(&rows, db, st->attempt, e))
		return -1;
	while (query_said_score_next(&r, &rows)) {
		json_t *ours = statement_score(&r);
		if (!json_equal(ours, json_array_get(said, i++)) && out->state == STATEMENT_VALID)
			found(out, STATEMENT_OTHERWISE, "the record's %.40s@%lld of seed %lld is not what was signed", r.name,
			      (long long)r.nfe, (long long)r.eval_seed);
		json_decref(ours);
	}
	if (i < n && out->state == STATEMENT_VALID)
		found(out, STATEMENT_OTHERWISE, "the record has %zu scores of the %zu that were signed", i, n);
	return db_done(&rows, e);
}

static int check_sealed(struct statement_check *out, const struct statement *st, struct db *db, struct err *e)
{
	struct db_rows rows;
	struct sealed_row r;
	size_t n = json_array_size(json_object_get(st->predicate, "scores"));
	(void)snprintf(out->says, sizeof out->says, "sealed with %zu score%s", n, str_plural((int64_t)n));
	if (query_sealed_facts(&rows, db, st->attempt, e))
		return -1;
	if (query_sealed_fact_next(&r, &rows)) {
		json_t *ours = statement_facts(&r, st->attempt);
		check_facts(out, st, ours);
		json_decref(ours);
	}
	return db_done(&rows, e) ? -1 : check_scores(out, st, db, e);
}

/* The repetition need not be here; if it is, it has to be the one that was signed. */
static int check_repeated(struct statement_check *out, const struct statement *st, struct db *db, struct err *e)
{
	json_t *equal = json_object_get(st->predicate, "equal"), *b = json_object_get(st->predicate, "repetition");
	const char *attempt = text_in(b, "attempt"), *signed_seal = text_in(b, "seal");
	SCOPED(free) char *seal = NULL;
	(void)snprintf(out->says, sizeof out->says, "repeated: %s, %lld values compared",
	               json_is_true(equal) ? "equal" : "not equal",
	               (long long)json_integer_value(json_object_get(st->predicate, "compared")));
	out->equal = json_is_true(equal);
	if (attempt && query_seal(&seal, db, attempt, e))
		return -1;
	if (seal && signed_seal && !same(seal, signed_seal) && out->state == STATEMENT_VALID)
		found(out, STATEMENT_OTHERWISE, "the repetition %.8s has another seal than was signed", attempt);
	return 0;
}

int statement_check(struct statement_check *out, struct db *db, const struct statement_row *r, struct err *e)
{
	SCOPED(statement) struct statement st = { 0 };
	SCOPED(free) char *seal = NULL;
	struct err why = ERR_INIT;
	*out = (struct statement_check){ .state = STATEMENT_VALID };
	if (statement_read(&st, r->envelope, &why)) {
		found(out, STATEMENT_WRONG, "%.200s", why.msg);
		return 0;
	}
	check_signature(out, &st, r);
	if (out->state != STATEMENT_VALID)
		return 0; /* what it says is nobody's word */
	if (query_seal(&seal, db, st.attempt, e))
		return -1;
	if (!seal)
		found(out, STATEMENT_ELSEWHERE, "attempt %.8s is not here, or not sealed", st.attempt);
	else if (!same(seal, st.seal))
		found(out, STATEMENT_ELSEWHERE,
		      "it is about a journal with another seal (%.12s) than that of attempt %.8s (%.12s)", st.seal, st.attempt,
		      seal);
	return (strcmp(st.kind, "seal") == 0 ? check_sealed : check_repeated)(out, &st, db, e);
}
