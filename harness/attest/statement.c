/* statement.c - see statement.h: making, taking in and listing. The check is in statement_check.c. */
#define _GNU_SOURCE
#include "harness/attest/statement.h"

#include "harness/attest/dsse.h"
#include "harness/attest/statement_read.h"
#include "harness/record/host.h"
#include "harness/record/provenance.h"
#include "harness/text/json_out.h"
#include "model/base/io.h"
#include "model/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* --- making --- */

static void set_text(json_t *o, const char *key, const char *text)
{
	if (text)
		(void)json_object_set_new(o, key, json_out_text(text));
}

static json_t *signer_of(const struct signing_key *k)
{
	SCOPED(str) struct str public = { 0 };
	dsse_base64(&public, k->public, SIGNING_PUBLIC);
	json_t *o = json_pack("{s:s}", "publicKey", str_text(&public));
	if (*k->name)
		set_text(o, "name", k->name);
	return o;
}

/* Around the predicate, whose reference is taken. */
static int sign_and_record(struct store *s, const struct signing_key *k, const char *attempt, const char *seal,
                           const char *kind, json_t *predicate, struct err *e)
{
	SCOPED(free) char *subject = xstrfmt("journal of attempt %s", attempt);
	SCOPED(free) char *type = xstrfmt(STATEMENT_PREDICATE, kind);
	SCOPED(str) struct str payload = { 0 };
	SCOPED(str) struct str envelope = { 0 };
	char now[HOST_TIME];
	set_text(predicate, "createdOn", host_now(now));
	(void)json_object_set_new(predicate, "signer", signer_of(k));
	json_t *statement = json_pack("{s:s, s:[{s:s, s:{s:s}}], s:s, s:o}", "_type", STATEMENT_TYPE, "subject", "name",
	                              subject, "digest", "sha256", seal, "predicateType", type, "predicate", predicate);
	int rc = json_record(&payload, statement, JSON_COMPACT);
	json_decref(statement);
	if (rc)
		return err_code(e, EXIT_RECORD, "attempt %s: a text that is not UTF-8 cannot be signed", attempt);
	dsse_seal(&envelope, k, payload.data, payload.len);
	bool made;
	return statement_import(&made, s, envelope.data, envelope.len, e);
}

static json_t *scores_of(struct db *db, const char *attempt, struct err *e)
{
	struct db_rows rows;
	struct said_score_row r;
	if (query_said_scores(&rows, db, attempt, e))
		return NULL;
	json_t *list = json_array();
	while (query_said_score_next(&r, &rows)) {
		json_t *o = statement_score(&r);
		(void)json_array_append_new(list, o);
	}
	if (db_done(&rows, e)) {
		json_decref(list);
		return NULL;
	}
	return list;
}

/* Facts of the attempt; *seal is heap. */
static int predicate_of(json_t **out, char **seal, struct db *db, const char *attempt, struct err *e)
{
	struct db_rows rows;
	struct sealed_row r;
	json_t *o = NULL;
	int rc = 0;
	if (query_sealed_facts(&rows, db, attempt, e))
		return -1;
	if (!query_sealed_fact_next(&r, &rows))
		rc = err_code(e, EXIT_USAGE, "no attempt %s", attempt);
	else if (strcmp(r.purpose, "run") != 0)
		rc = err_code(e, EXIT_USAGE, "attempt %.8s is a repetition: `ablate verify --attest` signs what it showed",
		              attempt);
	else if (!r.journal)
		rc = err_code(e, EXIT_USAGE, "attempt %.8s is not sealed yet; only what is over can be signed", attempt);
	else {
		*seal = xstrdup(r.journal);
		o = statement_facts(&r, attempt);
		json_t *tool = json_pack("{s:s}", "name", "ablate");
		set_text(tool, "version", r.version);
		set_text(tool, "commit", r.commit);
		(void)json_object_set_new(o, "tool", tool);
	}
	if (db_done(&rows, rc ? NULL : e) || rc) {
		json_decref(o);
		return -1;
	}
	json_t *scores = scores_of(db, attempt, e);
	if (!scores) {
		json_decref(o);
		return -1;
	}
	(void)json_object_set_new(o, "scores", scores);
	*out = o;
	return 0;
}

int statement_seal(bool *made, struct store *s, const struct signing_key *k, const char *attempt, struct err *e)
{
	SCOPED(free) char *seal = NULL;
	json_t *predicate = NULL;
	bool before;
	*made = false;
	if (query_is_signed(&before, s->db, attempt, k->id, e))
		return -1;
	if (before)
		return 0;
	if (predicate_of(&predicate, &seal, s->db, attempt, e) ||
	    sign_and_record(s, k, attempt, seal, "seal", predicate, e))
		return -1;
	*made = true;
	return 0;
}

int statement_verify(struct store *s, const struct signing_key *k, const struct statement_repeat *r, struct err *e)
{
	SCOPED(free) char *seal = NULL;
	struct db_rows rows;
	struct sealed_row b;
	if (query_seal(&seal, s->db, r->a, e))
		return -1;
	if (!seal)
		return err_code(e, EXIT_USAGE, "attempt %.8s is not sealed; only what is over can be signed", r->a);
	if (query_sealed_facts(&rows, s->db, r->b, e))
		return -1;
	json_t *o = json_pack("{s:s, s:b, s:I}", "attempt", r->a, "equal", (int)r->equal, "compared",
	                      (json_int_t)r->compared);
	if (query_sealed_fact_next(&b, &rows)) {
		json_t *repetition = json_pack("{s:s}", "attempt", r->b);
		set_text(o, "cell", b.cell);
		set_text(repetition, "seal", b.journal);
		set_text(repetition, "env", b.env);
		set_text(repetition, "fingerprint", b.fingerprint);
		(void)json_object_set_new(o, "repetition", repetition);
	}
	if (*r->first_diff)
		set_text(o, "firstDiff", r->first_diff);
	(void)json_object_set_new(
		o, "tool",
		json_pack("{s:s, s:s, s:s}", "name", "ablate", "version", ABLATE_VERSION, "commit", provenance_commit()));
	if (db_done(&rows, e)) {
		json_decref(o);
		return -1;
	}
	return sign_and_record(s, k, r->a, seal, "verify", o, e);
}

/* --- taking in --- */

int statement_import(bool *made, struct store *s, const char *envelope, size_t n, struct err *e)
{
	SCOPED(statement) struct statement st = { 0 };
	char id[SHA256_HEX];
	bool known;
	struct statement_check check;
	SCOPED(free) char *text = xstrndup(envelope, n);
	*made = false;
	io_sha256(id, envelope, n);
	if (query_has_statement(&known, s->db, id, e))
		return -1;
	if (known)
		return 0;
	if (statement_read(&st, text, e))
		return -1;
	const struct statement_row row = { .id = id,
		                               .attempt = st.attempt,
		                               .kind = st.kind,
		                               .key = st.envelope.key,
		                               .name = st.name,
		                               .envelope = text,
		                               .created = st.created };
	if (statement_check(&check, s->db, &row, e))
		return -1;
	if (check.state != STATEMENT_VALID)
		return err_code(e, EXIT_RECORD, "statement %.12s: %s", id, check.why);
	json_t *line = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "t", "statement", "id", id, "attempt", st.attempt,
	                         "kind", st.kind, "key", st.envelope.key, "envelope", text, "created", st.created);
	if (st.name)
		set_text(line, "name", st.name);
	json_t *lines = json_pack("[o]", line);
	int rc = store_record(s, lines, e);
	json_decref(lines);
	*made = !rc;
	return rc;
}

/* --- listing --- */

const struct json_key statement_keys[] = {
	JSON_KEY("state", "string", "valid, signature wrong, about another seal, or the record says otherwise"),
	JSON_KEY("kind", "string", "seal: of what an attempt recorded; verify: of a repetition"),
	JSON_KEY("says", "string", "what it says, in words; empty where the signature is wrong"),
	JSON_KEY("key", "string", "id of the key that signed it: the SHA-256 of the public key"),
	JSON_KEY("name", "string", "what its owner calls the key", .absent = "where the key has no name"),
	JSON_KEY("own", "boolean", "signed by your own key"),
	JSON_KEY("created", "string", "when: UTC, ISO 8601"),
	JSON_KEY("attempt", "string", "the attempt that it is about"),
	JSON_KEY("why", "string", "why it is not valid", .absent = "where it is"),
	{ 0 },
};

int statement_list(json_t **out, int *valid, int *n, struct db *db, const char *attempt, struct err *e)
{
	SCOPED(signing_key) struct signing_key *own = NULL;
	struct db_rows rows;
	struct statement_row r;
	int rc = 0, all = 0, good = 0;
	if (signing_key_find(&own, NULL)) /* a key that cannot be used is no reason to show nothing */
		own = NULL;
	if (query_statements(&rows, db, attempt, e))
		return -1;
	json_t *list = json_array();
	while (!rc && query_statement_next(&r, &rows)) {
		struct statement_check c;
		if ((rc = statement_check(&c, db, &r, e)))
			break;
		json_t *o = json_pack("{s:s, s:s, s:s, s:s}", "state", statement_state_name(c.state), "kind", r.kind, "says",
		                      c.says, "key", r.key);
		set_text(o, "name", r.name);
		(void)json_object_set_new(o, "own", json_boolean(own && strcmp(own->id, r.key) == 0));
		set_text(o, "created", r.created);
		set_text(o, "attempt", r.attempt);
		if (*c.why)
			set_text(o, "why", c.why);
		(void)json_array_append_new(list, o);
		all++;
		good += c.state == STATEMENT_VALID;
	}
	if (db_done(&rows, rc ? NULL : e) || rc) {
		json_decref(list);
		return -1;
	}
	if (valid)
		*valid = good;
	if (n)
		*n = all;
	*out = list;
	return 0;
}
