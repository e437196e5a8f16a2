/* query_study.c - see query_study.h. */
#include "harness/record/query_study.h"

int query_identity(struct db_rows *rows, struct db *db, const char *arm, int64_t seed, int64_t numerics,
                   const char *dataset, struct err *e)
{
	return db_query(rows, db, e,
	                "SELECT c.hash, (SELECT count(*) "
	                "FROM attempt a WHERE a.cell = c.hash AND a.state = 'done' AND a.purpose = 'run') "
	                "FROM cell c WHERE c.arm = ? AND c.seed = ? AND c.numerics = ? AND (? = '' OR c.dataset = ?) "
	                "ORDER BY 2 DESC, 1",
	                "siiss", arm, seed, numerics, dataset, dataset);
}

bool query_identity_next(struct identity_row *out, struct db_rows *rows)
{
	if (!db_next(rows))
		return false;
	*out = (struct identity_row){ .cell = db_text(rows, 0), .done = db_int(rows, 1) };
	return true;
}

int query_cells(struct db_rows *rows, struct db *db, int64_t numerics, struct err *e)
{
	return db_query(rows, db, e, "SELECT arm, seed, hash, dataset FROM cell WHERE numerics = ?", "i", numerics);
}

bool query_cell_next(struct cell_row *out, struct db_rows *rows)
{
	if (!db_next(rows))
		return false;
	*out = (struct cell_row){
		.arm = db_text(rows, 0), .seed = db_int(rows, 1), .cell = db_text(rows, 2), .dataset = db_text(rows, 3)
	};
	return true;
}

int query_states(struct db_rows *rows, struct db *db, const char *cell, struct err *e)
{
#define STATES \
	"SELECT cell, state, coalesce(reason, ''), attempt, coalesce(started, ''), coalesce(ended, ''), " \
	"coalesce(step, 0), attempts, " \
	"coalesce((SELECT w.wall_s FROM attempt w WHERE w.id = v_attempt.attempt), " \
	"(julianday(ended) - julianday(started)) * 86400, 0), " \
	"(SELECT w.fingerprint FROM attempt w WHERE w.id = v_attempt.attempt) FROM v_attempt"
	return cell ? db_query(rows, db, e, STATES " WHERE cell = ?", "s", cell) : db_query(rows, db, e, STATES, "");
}

bool query_state_next(struct state_row *out, struct db_rows *rows)
{
	if (!db_next(rows))
		return false;
	*out = (struct state_row){ .cell = db_text(rows, 0),
		                       .state = record_state_of(db_text(rows, 1)),
		                       .reason = db_text(rows, 2),
		                       .attempt = db_text(rows, 3),
		                       .started = db_text(rows, 4),
		                       .ended = db_text(rows, 5),
		                       .step = db_int(rows, 6),
		                       .attempts = db_int(rows, 7),
		                       .seconds = db_real(rows, 8),
		                       .fingerprint = db_text(rows, 9) };
	return true;
}

/* Of a row of metric: do its decimal and its exact form say the same, and do its bounds stand the right way round? */
#define GOOD_SCORE "same_number(value, hex) AND NOT coalesce(lo > hi, 0)"

int query_bad_score(struct err *e, const char *cell, const char *name, int64_t nfe, double value, const char *hex)
{
	return err_code(
		e, EXIT_RECORD,
		"cell %.12s, %s@%lld: %.9g in decimal is not %.40s in hex, or its bounds are the wrong way round: the "
		"database was edited or damaged; `ablate merge --rebuild` makes it again from the journals",
		cell, name, (long long)nfe, value, hex);
}

int query_check_scores(struct db *db, const char *attempt, struct err *e)
{
	struct db_rows rows;
	int rc = 0;
	if (db_query(&rows, db, e,
	             "SELECT a.cell, m.name, m.nfe, m.value, m.hex FROM metric m JOIN attempt a ON a.id = m.attempt "
	             "WHERE NOT (" GOOD_SCORE ") AND (?1 IS NULL OR m.attempt = ?1) LIMIT 1",
	             "s", attempt))
		return -1;
	if (db_next(&rows))
		rc = query_bad_score(e, db_text(&rows, 0), db_text(&rows, 1), db_int(&rows, 2), db_real(&rows, 3),
		                     db_text(&rows, 4));
	return db_done(&rows, rc ? NULL : e) || rc ? -1 : 0;
}

int query_results(struct db_rows *rows, struct db *db, const char *cell, struct err *e)
{
	return db_query(rows, db, e,
	                "SELECT cell, name, nfe, weights, step, protocol, value, n, lo, hi, hex, " GOOD_SCORE ", attempt, "
	                "fingerprint, coalesce(asked, ''), eval_seed FROM v_result WHERE cell = ? "
	                "ORDER BY name, nfe, weights, step, eval_seed, protocol",
	                "s", cell);
}

int query_done_scores(struct db_rows *rows, struct db *db, struct err *e)
{
	return db_query(
		rows, db, e,
		"SELECT a.cell, m.name, m.nfe, m.weights, m.step, m.protocol, m.value, m.n, m.lo, m.hi, m.hex, " GOOD_SCORE ", "
		"a.id, a.fingerprint, coalesce(m.asked, ''), m.eval_seed FROM attempt a JOIN metric m ON m.attempt = a.id "
		"WHERE a.state = 'done' AND a.purpose = 'run'",
		"");
}

int query_done_twice(struct db_rows *rows, struct db *db, struct err *e)
{
	return db_query(rows, db, e,
	                "SELECT cell FROM attempt WHERE state = 'done' AND purpose = 'run' GROUP BY cell HAVING "
	                "count(*) > 1",
	                "");
}

bool query_score_next(struct score_row *out, struct db_rows *rows)
{
	if (!db_next(rows))
		return false;
	*out = (struct score_row){ .cell = db_text(rows, 0),
		                       .name = db_text(rows, 1),
		                       .nfe = db_int(rows, 2),
		                       .weights = db_text(rows, 3),
		                       .step = db_int(rows, 4),
		                       .protocol = db_text(rows, 5),
		                       .value = db_real(rows, 6),
		                       .n = db_int(rows, 7),
		                       .lo = db_real(rows, 8),
		                       .hi = db_real(rows, 9),
		                       .hex = db_text(rows, 10),
		                       .good = db_int(rows, 11),
		                       .attempt = db_text(rows, 12),
		                       .fingerprint = db_text(rows, 13),
		                       .asked = db_text(rows, 14),
		                       .eval_seed = db_int(rows, 15) };
	return true;
}
