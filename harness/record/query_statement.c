/* query_statement.c - see query_statement.h. */
#include "harness/record/query_statement.h"

int query_statements(struct db_rows *rows, struct db *db, const char *attempt, struct err *e)
{
#define STATEMENTS "SELECT id, attempt, kind, key, name, envelope, created FROM statement "
	return attempt ? db_query(rows, db, e, STATEMENTS "WHERE attempt = ? ORDER BY created, id", "s", attempt)
	               : db_query(rows, db, e, STATEMENTS "ORDER BY attempt, created, id", "");
}

bool query_statement_next(struct statement_row *out, struct db_rows *rows)
{
	if (!db_next(rows))
		return false;
	*out = (struct statement_row){ .id = db_text(rows, 0),
		                           .attempt = db_text(rows, 1),
		                           .kind = db_text(rows, 2),
		                           .key = db_text(rows, 3),
		                           .name = db_text(rows, 4),
		                           .envelope = db_text(rows, 5),
		                           .created = db_text(rows, 6) };
	return true;
}

int query_has_statements(bool *out, struct db *db, struct err *e)
{
	int64_t n;
	if (db_int_of(&n, 0, db, e, "SELECT count(*) FROM (SELECT id FROM statement LIMIT 1)", ""))
		return -1;
	*out = n > 0;
	return 0;
}

int query_has_statement(bool *out, struct db *db, const char *id, struct err *e)
{
	int64_t n;
	if (db_int_of(&n, 0, db, e, "SELECT count(*) FROM statement WHERE id = ?", "s", id))
		return -1;
	*out = n > 0;
	return 0;
}

int query_is_signed(bool *out, struct db *db, const char *attempt, const char *key, struct err *e)
{
	int64_t n;
	if (db_int_of(&n, 0, db, e, "SELECT count(*) FROM statement WHERE attempt = ? AND key = ? AND kind = 'seal'", "ss",
	              attempt, key))
		return -1;
	*out = n > 0;
	return 0;
}

int query_sealed(struct db_rows *rows, struct db *db, struct err *e)
{
	return db_query(rows, db, e,
	                "SELECT id FROM attempt WHERE journal IS NOT NULL AND purpose = 'run' AND state <> 'blocked' "
	                "ORDER BY started, id",
	                "");
}

int query_sealed_facts(struct db_rows *rows, struct db *db, const char *attempt, struct err *e)
{
	return db_query(
		rows, db, e,
		"SELECT a.cell, c.arm, c.dataset, c.training, a.journal, a.state, a.purpose, a.env, a.fingerprint, "
		"json_extract(v.json, '$.ablate'), json_extract(v.json, '$.commit'), c.seed, c.numerics, "
		"coalesce(a.step, -1) FROM attempt a JOIN cell c ON c.hash = a.cell LEFT JOIN env v ON v.hash = a.env "
		"WHERE a.id = ?",
		"s", attempt);
}

bool query_sealed_fact_next(struct sealed_row *out, struct db_rows *rows)
{
	if (!db_next(rows))
		return false;
	*out = (struct sealed_row){ .cell = db_text(rows, 0),
		                        .arm = db_text(rows, 1),
		                        .dataset = db_text(rows, 2),
		                        .training = db_text(rows, 3),
		                        .journal = db_text(rows, 4),
		                        .state = db_text(rows, 5),
		                        .purpose = db_text(rows, 6),
		                        .env = db_text(rows, 7),
		                        .fingerprint = db_text(rows, 8),
		                        .version = db_text(rows, 9),
		                        .commit = db_text(rows, 10),
		                        .seed = db_int(rows, 11),
		                        .numerics = db_int(rows, 12),
		                        .step = db_int(rows, 13) };
	return true;
}

int query_seal(char **out, struct db *db, const char *attempt, struct err *e)
{
	return db_text_of(out, db, e, "SELECT journal FROM attempt WHERE id = ?", "s", attempt);
}

int query_said_scores(struct db_rows *rows, struct db *db, const char *attempt, struct err *e)
{
	return db_query(
		rows, db, e,
		"SELECT name, weights, protocol, hex, nfe, step, eval_seed, coalesce(n, -1), taken_from, value, lo, hi "
		"FROM metric WHERE attempt = ? ORDER BY name, nfe, weights, step, eval_seed, protocol",
		"s", attempt);
}

bool query_said_score_next(struct said_score_row *out, struct db_rows *rows)
{
	if (!db_next(rows))
		return false;
	*out = (struct said_score_row){ .name = db_text(rows, 0),
		                            .weights = db_text(rows, 1),
		                            .protocol = db_text(rows, 2),
		                            .hex = db_text(rows, 3),
		                            .nfe = db_int(rows, 4),
		                            .step = db_int(rows, 5),
		                            .eval_seed = db_int(rows, 6),
		                            .n = db_int(rows, 7),
		                            .taken_from = db_text(rows, 8),
		                            .value = db_real(rows, 9),
		                            .lo = db_real(rows, 10),
		                            .hi = db_real(rows, 11) };
	return true;
}
