/* statement.h - who says so: in-toto statements (v1) about sealed attempts, signed, and their checks.
 *
 * A statement's subject is the attempt's journal, by the SHA-256 in its seal: that of all lines before the seal
 * (`head -n -1 journal.jsonl | sha256sum`). Its predicate is one of
 *
 *     urn:ablate:seal:v1    the maker's: cell, arm, dataset, training, seed, numerics, fingerprint, env (hash),
 *                           state, step, and every score with its exact value (hex) and, where it was computed for
 *                           another cell, by which attempt
 *     urn:ablate:verify:v1  of who repeated it: compared, equal, firstDiff, and the repetition's attempt, seal,
 *                           env (hash) and fingerprint
 *
 * each with attempt, createdOn, tool (name, version, commit) and signer (publicKey: 32 bytes as base64; name where
 * the key has one). No host, user or path is in it. The row of table statement follows from the envelope alone, so that
 * a statement can travel as the envelope. A name is what the signer calls the key; the key's id is what counts. */
#ifndef ABLATE_STATEMENT_H
#define ABLATE_STATEMENT_H

#include "harness/attest/signing_key.h"
#include "harness/record/query_statement.h"
#include "harness/record/store.h"
#include "harness/text/json_keys.h"

/* Signs the seal of an attempt, and records it in the ledger; *made false where this key did so before. EXIT_USAGE for
 * an attempt that is not known, not sealed, or a repetition. */
MUST_CHECK int statement_seal(bool *made, struct store *s, const struct signing_key *k, const char *attempt,
                              struct err *e);

/* What was found when attempt b repeated a. */
struct statement_repeat {
	const char *a, *b, *first_diff; /* first_diff: "" = nothing differs */
	int64_t compared;
	bool equal;
};
MUST_CHECK int statement_verify(struct store *s, const struct signing_key *k, const struct statement_repeat *r,
                                struct err *e);

/* Records an envelope that came from elsewhere; *made false where it is known. EXIT_RECORD for one that is wrong, or
 * about an attempt or seal that is not here. */
MUST_CHECK int statement_import(bool *made, struct store *s, const char *envelope, size_t n, struct err *e);

enum statement_state {
	STATEMENT_VALID,     /* its signature is good, it is about the seal that is recorded, and the record agrees */
	STATEMENT_WRONG,     /* its signature is not of its text by the key that it names, or it is no statement of ours */
	STATEMENT_ELSEWHERE, /* about another seal than the attempt's, or the attempt has none */
	STATEMENT_OTHERWISE, /* the record has other facts or scores than it says */
};
/* "valid", "signature wrong", "about another seal", "the record says otherwise" */
const char *statement_state_name(enum statement_state state);
struct statement_check {
	enum statement_state state;
	char why[240];  /* one sentence, unless valid */
	bool equal;     /* of a repetition that is valid: it was equal */
	char says[160]; /* what it states, where it could be read: "2 scores", "equal, 64 values compared" */
};
MUST_CHECK int statement_check(struct statement_check *out, struct db *db, const struct statement_row *r,
                               struct err *e);

extern const struct json_key statement_keys[]; /* of each object of statement_list */
/* Statements about an attempt (NULL: all) with their checks: array of objects of statement_keys; own: by the user's
 * key. New reference; *valid and *n count (may be NULL). */
MUST_CHECK int statement_list(json_t **out, int *valid, int *n, struct db *db, const char *attempt, struct err *e);

#endif
