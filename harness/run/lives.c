/* lives.c - see lives.h. */
#include "harness/run/lives.h"

#include "harness/record/query_attempt.h"
#include "model/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* A life of the chain: what the record says of its beginning. */
struct row {
	struct life life;
	enum record_state state;
	int64_t resumed_step, first;
	bool resumed;
};

static int read_rows(struct row **out, int *n, struct db *db, const char *attempt, struct err *e)
{
	struct db_rows rows;
	struct life_row r;
	int cap = 0;
	if (query_lives(&rows, db, attempt, e))
		return -1;
	while (query_life_next(&r, &rows)) {
		struct row one = {
			.life = { .env = r.env ? xstrdup(r.env) : NULL, .number = *n + 1, .known = r.state != RECORD_PENDING },
			.state = r.state,
			.resumed_step = r.resumed_step,
			.first = r.first,
			.resumed = r.resumed
		};
		(void)snprintf(one.life.attempt, sizeof one.life.attempt, "%s", r.attempt);
		VEC_PUSH(*out, *n, cap) = one;
	}
	return db_done(&rows, e);
}

/* Where it began. Of one that was killed the step may not be on record: then it is that of the last checkpoint before
 * anything that it recorded itself, and one that recorded nothing has no part in what came after it. */
static int find_from(struct row *r, struct db *db, struct err *e)
{
	r->life.from = 0;
	if (!r->life.known || !r->resumed)
		return 0;
	if (r->resumed_step > 0 || r->state == RECORD_DONE) {
		r->life.from = r->resumed_step > 0 ? r->resumed_step : 0;
		return 0;
	}
	r->life.from = INT64_MAX;
	return r->first < 0 ? 0 : query_checkpoint_below(&r->life.from, db, r->life.attempt, r->first, e);
}

/* Takes the rows' texts over. */
static void choose(struct lives *out, struct row *rows, int n)
{
	int64_t end = INT64_MAX;
	out->all = n;
	out->v = xcalloc((size_t)n + 1, sizeof *out->v);
	for (int i = n - 1; i >= 0; i--) {
		struct life *l = &rows[i].life;
		l->to = end;
		if (i == n - 1 || l->from < end) {
			end = l->from;
			memmove(out->v + 1, out->v, (size_t)out->n++ * sizeof *out->v);
			out->v[0] = *l;
		} else
			free(l->env);
	}
}

int lives_read(struct lives *out, struct db *db, const char *attempt, struct err *e)
{
	struct row *rows = NULL;
	int n = 0, rc = read_rows(&rows, &n, db, attempt, e);
	for (int i = 0; i < n && !rc; i++)
		rc = find_from(&rows[i], db, e);
	*out = (struct lives){ 0 };
	if (rc)
		for (int i = 0; i < n; i++)
			free(rows[i].life.env);
	else
		choose(out, rows, n);
	free(rows);
	return rc;
}

void lives_release(struct lives *l)
{
	for (int i = 0; i < l->n; i++)
		free(l->v[i].env);
	free(l->v);
	*l = (struct lives){ 0 };
}

void scoped_lives(struct lives *l)
{
	lives_release(l);
}
