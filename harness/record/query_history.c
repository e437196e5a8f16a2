/* query_history.c - see query_history.h. */
#include "harness/record/query_history.h"

int query_history(struct db_rows *rows, struct db *db, struct err *e)
{
	return db_query(rows, db, e,
	                "WITH built AS MATERIALIZED (SELECT hash, coalesce(json_extract(json, '$.commit'), '') AS revision "
	                "FROM env) SELECT a.id, c.arm, coalesce(b.revision, ''), coalesce(a.fingerprint, ''), a.started, "
	                "m.name, m.weights, m.protocol, c.seed, m.nfe, m.step, avg(m.value) FROM attempt a "
	                "JOIN cell c ON c.hash = a.cell LEFT JOIN built b ON b.hash = a.env JOIN metric m ON m.attempt = "
	                "a.id WHERE a.state = 'done' AND m.taken_from IS NULL "
	                "GROUP BY a.id, m.name, m.nfe, m.weights, m.step, m.protocol "
	                "ORDER BY a.started, a.id, m.name, m.nfe, m.weights, m.step, m.protocol",
	                "");
}

bool query_history_next(struct history_row *out, struct db_rows *rows)
{
	if (!db_next(rows))
		return false;
	*out = (struct history_row){ .attempt = db_text(rows, 0),
		                         .arm = db_text(rows, 1),
		                         .commit = db_text(rows, 2),
		                         .fingerprint = db_text(rows, 3),
		                         .started = db_text(rows, 4),
		                         .name = db_text(rows, 5),
		                         .weights = db_text(rows, 6),
		                         .protocol = db_text(rows, 7),
		                         .seed = db_int(rows, 8),
		                         .nfe = db_int(rows, 9),
		                         .step = db_int(rows, 10),
		                         .value = db_real(rows, 11) };
	return true;
}
