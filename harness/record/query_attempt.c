/* query_attempt.c - see query_attempt.h. */
#include "harness/record/query_attempt.h"

#include "harness/record/query_lives.h"

#include "model/base/mem.h"

#include <stdlib.h>

/* --- curves --- */

int query_curve(struct db_rows *rows, struct db *db, const char *attempt, const char *name, struct err *e)
{
#define CURVES WITH_LIVES "SELECT c.name, c.step, c.value, min(l.age) FROM life l JOIN curve c ON c.attempt = l.id "
	return name ? db_query(rows, db, e, CURVES "WHERE c.name = ? GROUP BY c.step ORDER BY c.step", "ss", attempt, name)
	            : db_query(rows, db, e, CURVES "GROUP BY c.name, c.step ORDER BY c.name, c.step", "s", attempt);
}

int query_curve_by_step(struct db_rows *rows, struct db *db, const char *attempt, struct err *e)
{
	return db_query(rows, db, e, "SELECT name, step, value FROM v_curve WHERE attempt = ? ORDER BY step, name", "s",
	                attempt);
}

int query_curve_names(struct db_rows *rows, struct db *db, const char *grid, struct err *e)
{
	return db_query(
		rows, db, e,
		"SELECT DISTINCT name FROM curve WHERE attempt IN (SELECT a.attempt FROM v_attempt a JOIN grid_cell gc "
		"ON gc.cell = a.cell JOIN grid g ON g.hash = gc.grid WHERE g.name = ?) ORDER BY name",
		"s", grid);
}

bool query_curve_next(struct curve_row *out, struct db_rows *rows)
{
	if (!db_next(rows))
		return false;
	*out = (struct curve_row){ .name = db_text(rows, 0), .step = db_int(rows, 1), .value = db_real(rows, 2) };
	return true;
}

/* --- what it ran on --- */

int query_env(char **json, struct db *db, const char *attempt, struct err *e)
{
	return db_text_of(json, db, e, "SELECT v.json FROM attempt a JOIN env v ON v.hash = a.env WHERE a.id = ?", "s",
	                  attempt);
}

int query_env_of_hash(char **json, struct db *db, const char *hash, struct err *e)
{
	return db_text_of(json, db, e, "SELECT json FROM env WHERE hash = ?", "s", hash);
}

int query_origin(char **env, char **commit, struct db *db, const char *attempt, struct err *e)
{
	return db_text_of(env, db, e, "SELECT env FROM attempt WHERE id = ?", "s", attempt) ||
	               db_text_of(commit, db, e,
	                          "SELECT json_extract(e.json, '$.commit') FROM attempt a JOIN env e ON e.hash "
	                          "= a.env WHERE a.id = ?",
	                          "s", attempt)
	           ? -1
	           : 0;
}

int query_ran_on(struct db_rows *rows, struct db *db, const char *attempt, struct err *e)
{
	return db_query(rows, db, e, "SELECT coalesce(host, ''), coalesce(env, '') FROM attempt WHERE id = ?", "s",
	                attempt);
}

bool query_ran_on_next(struct ran_on_row *out, struct db_rows *rows)
{
	if (!db_next(rows))
		return false;
	*out = (struct ran_on_row){ .host = db_text(rows, 0), .env = db_text(rows, 1) };
	return true;
}

/* --- lives --- */

int query_lives(struct db_rows *rows, struct db *db, const char *attempt, struct err *e)
{
	return db_query(rows, db, e,
	                WITH_LIVES "SELECT l.id, v.json, a.state, coalesce(a.resumed_step, -1), "
	                           "coalesce((SELECT min(step) FROM (SELECT step FROM curve WHERE attempt = l.id "
	                           "UNION ALL SELECT step FROM checkpoint WHERE attempt = l.id)), -1), "
	                           "a.resumed_from IS NOT NULL FROM life l LEFT JOIN attempt a ON a.id = l.id "
	                           "LEFT JOIN env v ON v.hash = a.env ORDER BY l.age DESC",
	                "s", attempt);
}

bool query_life_next(struct life_row *out, struct db_rows *rows)
{
	if (!db_next(rows))
		return false;
	*out = (struct life_row){ .attempt = db_text(rows, 0),
		                      .env = db_text(rows, 1),
		                      .state = record_state_of(db_text(rows, 2)),
		                      .resumed_step = db_int(rows, 3),
		                      .first = db_int(rows, 4),
		                      .resumed = db_int(rows, 5) != 0 };
	return true;
}

int query_checkpoint_below(int64_t *out, struct db *db, const char *attempt, int64_t below, struct err *e)
{
	return db_int_of(out, 0, db, e,
	                 WITH_LIVES "SELECT max(step) FROM checkpoint WHERE step < ? AND attempt IN "
	                            "(SELECT id FROM life WHERE age > 0)",
	                 "si", attempt, below);
}

/* --- files --- */

int query_files(struct db_rows *rows, struct db *db, const char *attempt, struct err *e)
{
	return db_query(rows, db, e,
	                "SELECT i.role, coalesce(a.name, ''), a.hash "
	                "FROM input i JOIN artifact a ON a.hash = i.artifact "
	                "WHERE i.attempt = ?1 UNION ALL SELECT 'checkpoint at step ' || k.step, coalesce(a.name, ''), "
	                "a.hash FROM checkpoint k JOIN artifact a ON a.hash = k.artifact "
	                "WHERE k.attempt = ?1 UNION ALL SELECT o.role, coalesce(a.name, ''), a.hash "
	                "FROM output o JOIN artifact a ON a.hash = o.artifact "
	                "WHERE o.attempt = ?1 ORDER BY 1, 2",
	                "s", attempt);
}

bool query_file_next(struct file_row *out, struct db_rows *rows)
{
	if (!db_next(rows))
		return false;
	*out = (struct file_row){ .role = db_text(rows, 0), .name = db_text(rows, 1), .hash = db_text(rows, 2) };
	return true;
}

int query_during(struct db_rows *rows, struct db *db, const char *attempt, struct err *e)
{
	return db_query(rows, db, e,
	                WITH_LIVES
	                "SELECT o.role, f.name, f.hash, l.id, t.cell, min(l.age) FROM life l "
	                "JOIN output o ON o.attempt = l.id JOIN artifact f ON f.hash = o.artifact "
	                "JOIN attempt t ON t.id = l.id WHERE o.role LIKE 'during@%' GROUP BY o.role ORDER BY o.role",
	                "s", attempt);
}

bool query_during_next(struct during_row *out, struct db_rows *rows)
{
	if (!db_next(rows))
		return false;
	*out = (struct during_row){ db_text(rows, 0), db_text(rows, 1), db_text(rows, 2), db_text(rows, 3),
		                        db_text(rows, 4) };
	return true;
}

int query_picture(char **name, struct db *db, const char *attempt, int nfe, struct err *e)
{
	SCOPED(free) char *role = nfe < 0 ? xstrdup("picture@%") : xstrfmt("picture@%d", nfe);
	return db_text_of(name, db, e,
	                  "SELECT a.name FROM output o JOIN artifact a ON a.hash = o.artifact "
	                  "WHERE o.attempt = ? AND o.role LIKE ? AND a.name LIKE '%.png' "
	                  "ORDER BY o.role LIMIT 1",
	                  "ss", attempt, role);
}

int query_last_picture(char **place, struct db *db, const char *grid, struct err *e)
{
	return db_text_of(
		place, db, e,
		"SELECT substr(t.cell, 1, 12) || '/' || t.id || '/' || a.name FROM output o "
		"JOIN artifact a ON a.hash = o.artifact JOIN attempt t ON t.id = o.attempt "
		"WHERE o.role LIKE 'picture@%' AND a.name LIKE '%.png' AND t.purpose = 'run' AND "
		"(?1 IS NULL OR t.cell IN (SELECT gc.cell FROM grid_cell gc JOIN grid g ON g.hash = gc.grid WHERE "
		"g.name = ?1 OR substr(g.hash, 1, length(?1)) = ?1)) "
		"ORDER BY coalesce(t.ended, t.heartbeat) DESC, t.id, o.role LIMIT 1",
		"s", grid);
}

/* --- scores and comparisons --- */

int query_used(struct db_rows *rows, struct db *db, struct err *e)
{
	return db_query(rows, db, e,
	                "SELECT a.attempt, a.started, c.hash, c.seed, coalesce((SELECT min(label) "
	                "FROM grid_cell WHERE cell = c.hash), substr(c.arm, 1, 12)) "
	                "FROM v_attempt a JOIN cell c ON c.hash = a.cell "
	                "WHERE a.state <> 'blocked' ORDER BY c.hash",
	                "");
}

bool query_used_next(struct used_row *out, struct db_rows *rows)
{
	if (!db_next(rows))
		return false;
	*out = (struct used_row){ .attempt = db_text(rows, 0),
		                      .started = db_text(rows, 1),
		                      .cell = db_text(rows, 2),
		                      .seed = db_int(rows, 3),
		                      .label = db_text(rows, 4) };
	return true;
}

int query_means(struct db_rows *rows, struct db *db, const char *attempt, struct err *e)
{
	return db_query(rows, db, e,
	                "SELECT name, nfe, step, avg(value), weights, CASE WHEN (SELECT count(DISTINCT o.protocol) "
	                "FROM metric o WHERE o.attempt = m.attempt AND o.name = m.name) > 1 THEN protocol ELSE '' END "
	                "FROM metric m WHERE attempt = ? GROUP BY name, nfe, weights, step, protocol "
	                "ORDER BY step, name, nfe, weights, protocol",
	                "s", attempt);
}

bool query_mean_next(struct mean_row *out, struct db_rows *rows)
{
	if (!db_next(rows))
		return false;
	*out = (struct mean_row){ .name = db_text(rows, 0),
		                      .nfe = db_int(rows, 1),
		                      .step = db_int(rows, 2),
		                      .value = db_real(rows, 3),
		                      .weights = db_text(rows, 4),
		                      .protocol = db_text(rows, 5) };
	return true;
}

int query_same_checkpoints(struct db_rows *rows, struct db *db, const char *a, const char *b, int64_t above,
                           int64_t upto, struct err *e)
{
	return db_query(rows, db, e,
	                "SELECT x.step, x.artifact, y.artifact FROM checkpoint x JOIN checkpoint y ON y.step = x.step "
	                "AND y.attempt = ? JOIN attempt a ON a.id = x.attempt JOIN attempt b ON b.id = y.attempt "
	                "AND b.cell = a.cell WHERE x.attempt = ? AND x.step > ? AND x.step <= ? ORDER BY x.step",
	                "ssii", b, a, above, upto);
}

bool query_same_checkpoint_next(struct same_checkpoint_row *out, struct db_rows *rows)
{
	if (!db_next(rows))
		return false;
	*out = (struct same_checkpoint_row){ .step = db_int(rows, 0), .a = db_text(rows, 1), .b = db_text(rows, 2) };
	return true;
}

int query_measured(struct db_rows *rows, struct db *db, const char *attempt, struct err *e)
{
	return db_query(
		rows, db, e,
		"SELECT name, protocol, nfe, eval_seed, coalesce(n, 0), lo IS NOT NULL FROM metric WHERE attempt = ? "
		"ORDER BY name, nfe, eval_seed, protocol",
		"s", attempt);
}

bool query_measured_next(struct measured_row *out, struct db_rows *rows)
{
	if (!db_next(rows))
		return false;
	*out = (struct measured_row){ .name = db_text(rows, 0),
		                          .protocol = db_text(rows, 1),
		                          .nfe = db_int(rows, 2),
		                          .eval_seed = db_int(rows, 3),
		                          .n = db_int(rows, 4),
		                          .interval = db_int(rows, 5) != 0 };
	return true;
}

int query_same_scores(struct db_rows *rows, struct db *db, const char *a, const char *b, struct err *e)
{
	return db_query(
		rows, db, e,
		"SELECT x.name || '@' || x.nfe || ' of seed ' || x.eval_seed, x.hex, y.hex, x.value, y.value, "
		"x.taken_from, x.protocol, (SELECT min(z.protocol) FROM metric z WHERE y.hex IS NULL AND z.attempt = ? "
		"AND z.name = x.name AND z.nfe = x.nfe AND z.weights = x.weights AND z.step = x.step AND z.eval_seed "
		"= x.eval_seed) "
		"FROM metric x LEFT JOIN metric y ON y.attempt = ? AND y.name = x.name AND y.nfe = x.nfe "
		"AND y.weights = x.weights AND y.step = x.step AND y.eval_seed = x.eval_seed "
		"AND y.protocol = x.protocol WHERE x.attempt = ?",
		"sss", b, b, a);
}

bool query_same_score_next(struct same_score_row *out, struct db_rows *rows)
{
	if (!db_next(rows))
		return false;
	*out = (struct same_score_row){ .what = db_text(rows, 0),
		                            .hex_a = db_text(rows, 1),
		                            .hex_b = db_text(rows, 2),
		                            .a = db_real(rows, 3),
		                            .b = db_real(rows, 4),
		                            .taken_from = db_text(rows, 5),
		                            .protocol = db_text(rows, 6),
		                            .other = db_text(rows, 7) };
	return true;
}
