/* test_statement.c - what a signed statement is checked against: its own row, the seal, the facts and the scores that
 * are recorded. A statement that its signer signed is refused all the same where the record says otherwise. */
#define _GNU_SOURCE
#include "harness/attest/dsse.h"
#include "harness/attest/signers.h"
#include "harness/attest/statement.h"
#include "harness/attest/statement_read.h"
#include "harness/record/host.h"
#include "harness/text/json_out.h"
#include "model/base/io.h"
#include "tests/common/ok.h"
#include "tests/common/tmpdir.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static struct err e;
static struct store s = STORE_INIT;
static struct signing_key *key;
static char a[HOST_UUID], b[HOST_UUID], open_one[HOST_UUID]; /* a result, its repetition, one that has no end */
static const char arm[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

static void attempt(char id[HOST_UUID], int64_t seed, const char *purpose, bool ended)
{
	char cell[SHA256_HEX];
	io_sha256(cell, &seed, sizeof seed);
	const struct journal_head head = { .attempt = host_uuid(id),
		                               .cell = cell,
		                               .arm = arm,
		                               .config = "{}",
		                               .dataset = "none",
		                               .seed = seed,
		                               .numerics = 4,
		                               .n = 1,
		                               .purpose = purpose };
	struct journal *j;
	struct journal_scan scan = { 0 };
	char *dir = tmpdir_keep(store_attempt_dir(&s, cell, id)), *path = tmpdir_keep(store_journal(&s, cell, id));
	OK(io_mkdirs(dir, &e));
	OK(journal_create(&j, path, &head, &e));
	for (int nfe = 1; nfe <= 2; nfe++)
		OK(journal_metric(j,
		                  &(struct journal_metric){ .name = "fid",
		                                            .weights = "ema",
		                                            .protocol = "p",
		                                            .nfe = nfe,
		                                            .step = 10,
		                                            .eval_seed = 101,
		                                            .n = 100,
		                                            .value = 0.5,
		                                            .lo = NAN,
		                                            .hi = NAN },
		                  &e));
	struct journal_end end = JOURNAL_END_INIT;
	end.state = RECORD_DONE;
	end.step = 10;
	if (ended)
		OK(journal_end(j, &end, &e));
	journal_close(j);
	OK(store_take_journal(&s, &scan, id, path, NULL, &e));
}

static void setup(void)
{
	static const uint8_t seed[SIGNING_SEED] = { 7 };
	key = signing_key_of_seed(seed);
	OK(store_open(&s, TMP("a.db"), STORE_WRITE, "test", &e));
	attempt(a, 1, "run", true);
	attempt(b, 1, "verify", true);
	attempt(open_one, 2, "run", false);
}

static void leave(void)
{
	signing_key_free(key);
	store_close(&s);
}
TestSuite(statement, .init = setup, .fini = leave);

static char *text_of(const char *sql)
{
	char *text = NULL;
	OK(db_text_of(&text, s.db, &e, sql, ""));
	return tmpdir_keep(text);
}

static char *sealed(void)
{
	bool made;
	OK(statement_seal(&made, &s, key, a, &e));
	cr_assert(made);
	return text_of("SELECT envelope FROM statement WHERE kind = 'seal'");
}

static char *repeated(bool equal)
{
	const struct statement_repeat r = { .a = a, .b = b, .first_diff = "", .compared = 7, .equal = equal };
	OK(statement_verify(&s, key, &r, &e));
	return text_of("SELECT envelope FROM statement WHERE kind = 'verify'");
}

/* The envelope with one value in another's place, signed by the same key. */
typedef void edit_fn(json_t *document, json_t *predicate);
static char *edited(const char *envelope, edit_fn *edit)
{
	SCOPED(statement) struct statement st = { 0 };
	SCOPED(str) struct str payload = { 0 };
	struct str out = { 0 };
	OK(statement_read(&st, envelope, &e));
	edit(st.document, st.predicate);
	cr_assert_eq(json_record(&payload, st.document, JSON_COMPACT), 0);
	dsse_seal(&out, key, payload.data, payload.len);
	return tmpdir_keep(str_detach(&out));
}

static struct statement_row row_of(const char *envelope, struct statement *st)
{
	static char id[SHA256_HEX];
	io_sha256(id, envelope, strlen(envelope));
	OK(statement_read(st, envelope, &e));
	return (struct statement_row){ .id = id,
		                           .attempt = st->attempt,
		                           .kind = st->kind,
		                           .key = st->envelope.key,
		                           .name = st->name,
		                           .envelope = envelope,
		                           .created = st->created };
}

static struct statement_check checked(const char *envelope)
{
	SCOPED(statement) struct statement st = { 0 };
	struct statement_check out;
	const struct statement_row row = row_of(envelope, &st);
	OK(statement_check(&out, s.db, &row, &e));
	return out;
}

static void other_seed(json_t *document, json_t *predicate)
{
	(void)document;
	(void)json_object_set_new(predicate, "seed", json_integer(2));
}
static void other_score(json_t *document, json_t *predicate)
{
	(void)document;
	json_t *score = json_array_get(json_object_get(predicate, "scores"), 1);
	(void)json_object_set_new(score, "hex", json_string("0x1p-2"));
}
static void score_less(json_t *document, json_t *predicate)
{
	(void)document;
	(void)json_array_remove(json_object_get(predicate, "scores"), 1);
}
static void score_more(json_t *document, json_t *predicate)
{
	(void)document;
	json_t *scores = json_object_get(predicate, "scores");
	(void)json_array_append(scores, json_array_get(scores, 0));
}
static void other_seal(json_t *document, json_t *predicate)
{
	(void)predicate;
	json_t *digest = json_object_get(json_array_get(json_object_get(document, "subject"), 0), "digest");
	(void)json_object_set_new(digest, "sha256", json_string(arm));
}
static void unknown_attempt(json_t *document, json_t *predicate)
{
	(void)document;
	(void)json_object_set_new(predicate, "attempt", json_string("11111111-2222-4333-8444-555555555555"));
}
static void other_repetition(json_t *document, json_t *predicate)
{
	(void)document;
	(void)json_object_set_new(json_object_get(predicate, "repetition"), "seal", json_string(arm));
}

static void refused(const char *envelope, enum statement_state state, const char *why)
{
	bool made = true;
	struct statement_check c = checked(envelope);
	cr_expect_eq(c.state, state, "%s, although %s", statement_state_name(c.state), why);
	cr_expect_not_null(strstr(c.why, why), "'%s' does not say '%s'", c.why, why);
	e = ERR_INIT;
	cr_expect_eq(statement_import(&made, &s, envelope, strlen(envelope), &e), -1, "taken in, although %s", why);
	cr_expect(!made && err_exit_code(&e) == EXIT_RECORD, "%s", e.msg);
}

Test(statement, what_its_signer_signed_is_held_against_the_record)
{
	char *seal = sealed(), *repeat = repeated(true);
	cr_assert_eq(checked(seal).state, STATEMENT_VALID, "%s", checked(seal).why);
	cr_assert(checked(repeat).state == STATEMENT_VALID && checked(repeat).equal, "%s", checked(repeat).why);
	refused(edited(seal, other_seed), STATEMENT_OTHERWISE, "another seed");
	refused(edited(seal, other_score), STATEMENT_OTHERWISE, "fid@2 of seed 101 is not what was signed");
	refused(edited(seal, score_less), STATEMENT_OTHERWISE, "fid@2 of seed 101 is not what was signed");
	refused(edited(seal, score_more), STATEMENT_OTHERWISE, "2 scores of the 3 that were signed");
	refused(edited(seal, other_seal), STATEMENT_ELSEWHERE, "another seal");
	refused(edited(seal, unknown_attempt), STATEMENT_ELSEWHERE, "is not here");
	refused(edited(repeat, other_repetition), STATEMENT_OTHERWISE, "another seal than was signed");
}

/* The envelope is what is signed; a row that says something else beside it would be shown in its name. */
Test(statement, its_row_says_what_its_envelope_does)
{
	SCOPED(statement) struct statement st = { 0 };
	struct statement_check c;
	struct statement_row row = row_of(sealed(), &st);
	const struct statement_row good = row;
	const char **const fields[] = { &row.id, &row.attempt, &row.kind, &row.key, &row.name, &row.created };
	OK(statement_check(&c, s.db, &row, &e));
	cr_assert_eq(c.state, STATEMENT_VALID, "%s", c.why);
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		*fields[i] = "another";
		OK(statement_check(&c, s.db, &row, &e));
		cr_expect_eq(c.state, STATEMENT_WRONG, "field %zu", i);
		row = good;
	}
}

Test(statement, what_is_over_is_signed_once)
{
	bool made;
	(void)sealed();
	OK(statement_seal(&made, &s, key, a, &e));
	cr_expect_not(made);
	cr_expect_str_eq(text_of("SELECT count(*) FROM statement"), "1");
	cr_assert_eq(statement_seal(&made, &s, key, b, &e), -1);
	cr_expect(strstr(e.msg, "is a repetition"), "%s", e.msg);
	e = ERR_INIT;
	cr_assert_eq(statement_seal(&made, &s, key, open_one, &e), -1);
	cr_expect(strstr(e.msg, "not sealed yet"), "%s", e.msg);
}

static void open_attempt(json_t *document, json_t *predicate)
{
	(void)document;
	(void)json_object_set_new(predicate, "attempt", json_string(open_one));
}

/* One that does not hold counts for nothing, and is told. */
Test(statement, the_sentence_below_a_table_counts_what_holds)
{
	SCOPED(str) struct str text = { 0 };
	SCOPED(statement) struct statement st = { 0 };
	const char *const attempts[] = { a, "", open_one };
	const struct statement_row wrong = row_of(edited(sealed(), open_attempt), &st);
	(void)repeated(false);
	OK(db_exec(s.db, &e,
	           "INSERT INTO statement(id, attempt, kind, key, name, envelope, created) VALUES(?, ?, ?, ?, ?, ?, ?)",
	           "sssssss", wrong.id, wrong.attempt, wrong.kind, wrong.key, wrong.name, wrong.envelope, wrong.created));
	OK(signers_text(&text, s.db, attempts, 3, &e));
	cr_expect_str_eq(str_text(&text),
	                 FMT("1 of 2 attempts is signed by key %.12s; 1 repeated by key %.12s (0 equal); 1 statement about "
	                     "them does not hold (`ablate attest --check`)",
	                     key->id, key->id));
}
