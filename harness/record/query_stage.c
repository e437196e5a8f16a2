/* query_stage.c - see query_stage.h. */
#include "harness/record/query_stage.h"

/* Cells of a training (?1) and a cell (?2) that may have none. */
#define OF_TRAINING "(c.training = ?1 AND ?1 <> '' OR c.hash = ?2)"
#define LABEL       "coalesce((SELECT min(label) FROM grid_cell WHERE cell = c.hash), 'cell')"
#define ROW \
	"SELECT a.id, c.hash, r.config, " LABEL ", a.state, coalesce(a.reason, ''), c.seed " \
	"FROM cell c JOIN attempt a ON a.cell = c.hash JOIN arm r ON r.hash = c.arm WHERE "
/* What others may take. */
#define SEALED "a.state = 'done' AND a.purpose = 'run' AND a.journal IS NOT NULL"

int query_training(struct db_rows *rows, struct db *db, const char *training, const char *cell, struct err *e)
{
	return db_query(rows, db, e,
	                ROW OF_TRAINING " AND a.purpose = 'run' AND a.state <> 'running' "
	                                "ORDER BY c.hash = ?2, a.started, a.id",
	                "ss", training, cell);
}

bool query_training_next(struct training_row *out, struct db_rows *rows)
{
	if (!db_next(rows))
		return false;
	*out = (struct training_row){ .attempt = db_text(rows, 0),
		                          .cell = db_text(rows, 1),
		                          .config = db_text(rows, 2),
		                          .label = db_text(rows, 3),
		                          .state = db_text(rows, 4),
		                          .reason = db_text(rows, 5),
		                          .seed = db_int(rows, 6) };
	return true;
}

int query_training_runs(bool *out, struct db *db, const char *training, const char *cell, struct err *e)
{
	int64_t n;
	if (db_int_of(&n, 0, db, e,
	              "SELECT count(*) FROM cell c JOIN attempt a ON a.cell = c.hash WHERE c.training = ? AND c.hash <> ? "
	              "AND a.state = 'running' AND a.purpose = 'run'",
	              "ss", training, cell))
		return -1;
	*out = n > 0;
	return 0;
}

int query_training_diverged(struct db_rows *rows, struct db *db, const char *training, const char *cell,
                            const char *since, struct err *e)
{
	return db_query(rows, db, e,
	                ROW "c.training = ? AND c.hash <> ? AND a.purpose = 'run' AND a.state = 'diverged' AND "
	                    "a.started >= ? ORDER BY a.started, a.id LIMIT 1",
	                "sss", training, cell, since);
}

int query_samplings(struct db_rows *rows, struct db *db, const char *training, const char *cell, struct err *e)
{
	return db_query(rows, db, e,
	                "SELECT o.sampling, c.hash, a.id, f.name, f.hash, coalesce(f.n_items, 0) FROM cell c "
	                "JOIN attempt a ON a.cell = c.hash JOIN output o ON o.attempt = a.id "
	                "JOIN artifact f ON f.hash = o.artifact "
	                "WHERE " OF_TRAINING " AND " SEALED " AND o.sampling IS NOT NULL AND f.name IS NOT NULL "
	                "ORDER BY o.sampling, f.n_items DESC, coalesce(a.generation, 0) DESC, a.started, a.id",
	                "ss", training, cell);
}

bool query_sampling_next(struct sampling_row *out, struct db_rows *rows)
{
	if (!db_next(rows))
		return false;
	*out = (struct sampling_row){ .key = db_text(rows, 0),
		                          .cell = db_text(rows, 1),
		                          .attempt = db_text(rows, 2),
		                          .name = db_text(rows, 3),
		                          .sha256 = db_text(rows, 4),
		                          .n = db_int(rows, 5) };
	return true;
}

/* Of several the first of the latest generation: min() decides from which row the other columns are. */
int query_known(struct db_rows *rows, struct db *db, const char *training, const char *cell, struct err *e)
{
	return db_query(rows, db, e,
	                "SELECT m.asked, coalesce(m.taken_from, a.id), m.name, m.weights, m.protocol, m.hex, "
	                "m.computed_by, m.lo, m.hi, m.nfe, m.eval_seed, m.step, m.n, "
	                "min(printf('%09d', 999999999 - coalesce(a.generation, 0)) || a.started || a.id) FROM cell c "
	                "JOIN attempt a ON a.cell = c.hash JOIN metric m ON m.attempt = a.id "
	                "WHERE " OF_TRAINING " AND " SEALED " AND m.asked IS NOT NULL "
	                "GROUP BY m.asked, m.name, m.protocol, m.lo IS NULL ORDER BY m.asked, m.name",
	                "ss", training, cell);
}

bool query_known_next(struct known_row *out, struct db_rows *rows)
{
	if (!db_next(rows))
		return false;
	*out = (struct known_row){ .key = db_text(rows, 0),
		                       .attempt = db_text(rows, 1),
		                       .name = db_text(rows, 2),
		                       .weights = db_text(rows, 3),
		                       .protocol = db_text(rows, 4),
		                       .hex = db_text(rows, 5),
		                       .computed_by = db_text(rows, 6),
		                       .lo = db_real(rows, 7),
		                       .hi = db_real(rows, 8),
		                       .nfe = db_int(rows, 9),
		                       .eval_seed = db_int(rows, 10),
		                       .step = db_int(rows, 11),
		                       .n = db_int(rows, 12) };
	return true;
}
