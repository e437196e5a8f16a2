/* query.c - see query.h. */
#include "harness/record/query.h"

#include "harness/record/query_lives.h"

#include "model/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool query_text_next(const char **out, struct db_rows *rows)
{
	if (!db_next(rows))
		return false;
	*out = db_text(rows, 0);
	return true;
}

/* --- cells --- */

int query_cell_state(enum record_state *out, struct db *db, const char *cell, struct err *e)
{
	SCOPED(free) char *name = NULL;
	if (db_text_of(&name, db, e,
	               "SELECT state FROM attempt WHERE cell = ? AND purpose = 'run' ORDER BY state = 'done' DESC, "
	               "state = 'running' DESC, started DESC, id DESC LIMIT 1",
	               "s", cell))
		return -1;
	*out = record_state_of(name);
	return 0;
}

int query_is_blocked_by(bool *out, struct db *db, const char *cell, const char *reason, struct err *e)
{
	int64_t same;
	if (db_int_of(&same, 0, db, e, "SELECT a.state = 'blocked' AND a.reason = ? FROM v_attempt a WHERE a.cell = ?",
	              "ss", reason, cell))
		return -1;
	*out = same != 0;
	return 0;
}

int query_next_n(int64_t *out, struct db *db, const char *cell, struct err *e)
{
	return db_int_of(out, 1, db, e, "SELECT count(*) + 1 FROM attempt WHERE cell = ?", "s", cell);
}

int query_stopped_idle(int64_t *out, struct db *db, int last, int64_t steps, struct err *e)
{
	struct db_rows rows;
	if (db_query(&rows, db, e,
	             "SELECT count(*) FROM (SELECT * FROM attempt ORDER BY started DESC, id DESC LIMIT ?) WHERE "
	             "state = 'stopped' AND coalesce(step, 0) <= coalesce(resumed_step, 0) AND coalesce(step, 0) < ?",
	             "ii", (int64_t)last, steps))
		return -1;
	*out = db_next(&rows) ? db_int(&rows, 0) : 0;
	return db_done(&rows, e);
}

int query_arm_seconds(double *out, struct db *db, const char *arm, struct err *e)
{
	struct db_rows rows;
	if (db_query(&rows, db, e,
	             "SELECT avg(a.wall_s) FROM cell c JOIN attempt a ON a.cell = c.hash WHERE c.arm = ? AND "
	             "a.state = 'done' AND a.purpose = 'run' AND a.resumed_from IS NULL",
	             "s", arm))
		return -1;
	if (db_next(&rows) && !db_is_null(&rows, 0))
		*out = db_real(&rows, 0);
	return db_done(&rows, e);
}

int query_repeat(struct db_rows *rows, struct db *db, const char *cell, struct err *e)
{
	return db_query(rows, db, e,
	                "SELECT c.arm, r.config, c.dataset, "
	                "coalesce((SELECT min(label) FROM grid_cell WHERE cell = c.hash), 'cell'), c.seed, c.numerics, "
	                "coalesce(json_extract(r.config, '$.\"train.steps\"'), 0) "
	                "FROM cell c JOIN arm r ON r.hash = c.arm WHERE c.hash = ?",
	                "s", cell);
}

bool query_repeat_next(struct repeat_row *out, struct db_rows *rows)
{
	if (!db_next(rows))
		return false;
	*out = (struct repeat_row){ .arm = db_text(rows, 0),
		                        .config = db_text(rows, 1),
		                        .dataset = db_text(rows, 2),
		                        .label = db_text(rows, 3),
		                        .seed = db_int(rows, 4),
		                        .numerics = db_int(rows, 5),
		                        .steps = db_int(rows, 6) };
	return true;
}

int query_done_cells(struct db_rows *rows, struct db *db, struct err *e)
{
	return db_query(rows, db, e,
	                "SELECT a.cell, a.attempt, c.arm, c.seed FROM v_attempt a JOIN cell c ON c.hash = a.cell "
	                "WHERE a.state = 'done' ORDER BY a.cell",
	                "");
}

bool query_done_cell_next(struct done_row *out, struct db_rows *rows)
{
	if (!db_next(rows))
		return false;
	*out = (struct done_row){
		.cell = db_text(rows, 0), .attempt = db_text(rows, 1), .arm = db_text(rows, 2), .seed = db_int(rows, 3)
	};
	return true;
}

/* --- attempts --- */

int query_has_attempt(bool *out, struct db *db, const char *attempt, struct err *e)
{
	int64_t n;
	if (db_int_of(&n, 0, db, e, "SELECT count(*) FROM attempt WHERE id = ?", "s", attempt))
		return -1;
	*out = n > 0;
	return 0;
}

int query_attempt_is_done(bool *out, struct db *db, const char *attempt, struct err *e)
{
	int64_t n;
	if (db_int_of(&n, 0, db, e, "SELECT count(*) FROM attempt WHERE id = ? AND state = 'done'", "s", attempt))
		return -1;
	*out = n > 0;
	return 0;
}

int query_count_in_state(int64_t *out, struct db *db, enum record_state state, struct err *e)
{
	return db_int_of(out, 0, db, e, "SELECT count(*) FROM attempt WHERE state = ?", "s", record_state_name(state));
}

int query_end(enum record_state *state, char reason[512], struct db *db, const char *attempt, struct err *e)
{
	struct db_rows rows;
	if (db_query(&rows, db, e, "SELECT state, reason FROM attempt WHERE id = ?", "s", attempt))
		return -1;
	if (db_next(&rows)) {
		*state = record_state_of(db_text(&rows, 0));
		(void)snprintf(reason, 512, "%s", db_text(&rows, 1) ? db_text(&rows, 1) : "");
	}
	return db_done(&rows, e);
}

int query_over(struct db_rows *rows, struct db *db, const char *cell, struct err *e)
{
	return db_query(rows, db, e,
	                "SELECT id FROM attempt WHERE cell = ? AND purpose = 'run' AND state <> 'running' ORDER BY "
	                "started, id",
	                "s", cell);
}

int query_running_of(char **out, struct db *db, const char *attempt, const char *cell, struct err *e)
{
	return db_text_of(out, db, e,
	                  "SELECT id FROM attempt WHERE state = 'running' AND (id = ? OR cell = ?) ORDER BY started "
	                  "DESC",
	                  "ss", attempt, cell);
}

int query_running(struct db_rows *rows, struct db *db, struct err *e)
{
	return db_query(rows, db, e,
	                "SELECT a.id, a.cell, a.host, a.boot_id, a.heartbeat, "
	                "coalesce((SELECT min(label) FROM grid_cell WHERE cell = a.cell), ''), a.purpose, a.pid, "
	                "coalesce(a.step, 0), coalesce(json_extract(r.config, '$.\"train.steps\"'), 0), c.seed, "
	                "a.heartbeat_boot_s FROM attempt a JOIN cell c ON c.hash = a.cell JOIN arm r ON r.hash = c.arm "
	                "WHERE a.state = 'running' ORDER BY a.started, a.id",
	                "");
}

bool query_running_next(struct running_row *out, struct db_rows *rows)
{
	if (!db_next(rows))
		return false;
	*out = (struct running_row){ .attempt = db_text(rows, 0),
		                         .cell = db_text(rows, 1),
		                         .host = db_text(rows, 2),
		                         .boot_id = db_text(rows, 3),
		                         .heartbeat = db_text(rows, 4),
		                         .label = db_text(rows, 5),
		                         .purpose = db_text(rows, 6),
		                         .pid = db_int(rows, 7),
		                         .step = db_int(rows, 8),
		                         .steps = db_int(rows, 9),
		                         .seed = db_int(rows, 10),
		                         .heartbeat_boot_s = db_real(rows, 11) };
	return true;
}

int query_has_checkpoint(bool *out, struct db *db, const char *attempt, int64_t step, struct err *e)
{
	int64_t n;
	if (db_int_of(&n, 0, db, e,
	              WITH_LIVES "SELECT count(*) FROM checkpoint WHERE step = ? AND attempt IN (SELECT id FROM life)",
	              "si", attempt, step))
		return -1;
	*out = n > 0;
	return 0;
}

int query_checkpoint_place(char **out, struct db *db, const char *beginning, struct err *e)
{
	SCOPED(free) char *pattern = xstrfmt("%s%%", beginning);
	return db_text_of(out, db, e,
	                  "WITH RECURSIVE life(own, done, id, age) AS (SELECT id, state = 'done', id, 0 FROM attempt "
	                  "WHERE id LIKE ?1 OR cell LIKE ?1 UNION ALL SELECT l.own, l.done, t.resumed_from, l.age + 1 "
	                  "FROM life l JOIN attempt t ON t.id = l.id WHERE t.resumed_from IS NOT NULL AND l.age < 1000) "
	                  "SELECT substr(t.cell, 1, 12) || '/' || t.id || '/' || a.name FROM life l "
	                  "JOIN attempt t ON t.id = l.id JOIN checkpoint c ON c.attempt = t.id "
	                  "JOIN artifact a ON a.hash = c.artifact "
	                  "LEFT JOIN pruned p ON p.attempt = t.id AND p.name = a.name "
	                  "ORDER BY p.name IS NULL DESC, l.done DESC, c.step DESC, t.purpose = 'run' DESC, l.age, "
	                  "l.own LIMIT 1",
	                  "s", pattern);
}

int query_config_named(char **out, struct db *db, const char *beginning, struct err *e)
{
	SCOPED(free) char *pattern = xstrfmt("%s%%", beginning);
	return db_text_of(out, db, e,
	                  "SELECT r.config FROM attempt t JOIN cell c ON c.hash = t.cell JOIN arm r ON r.hash = c.arm "
	                  "WHERE t.id LIKE ?1 OR t.cell LIKE ?1 ORDER BY t.state = 'done' DESC, t.id LIMIT 1",
	                  "s", pattern);
}
