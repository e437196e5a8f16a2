/* runner_training.c - what cells that share a training have to do with each other: they wait for it, begin with it, and
 * give it up together. See runner_private.h. */
#include "harness/record/query_stage.h"
#include "harness/run/runner_private.h"

#include "model/base/mem.h"

#include <stdio.h>
#include <string.h>

static bool share_training(const struct run_cell *a, const struct run_cell *b)
{
	return a->training && b->training && strcmp(a->training, b->training) == 0;
}

static bool makes_training_of(const struct run_cell *c, const struct slot *slot)
{
	return slot->cell && slot->trains && share_training(slot->cell, c);
}

/* What ended, but is not in the database yet, is not found there: it counts as under way. */
static bool waits(const struct run_cell *c, const struct run *r)
{
	bool yes = false;
	for (int i = 0; i < r->n_slots; i++)
		yes = yes || makes_training_of(c, &r->slots[i]);
	for (int i = 0; i < r->wait.n; i++)
		yes = yes || makes_training_of(c, &r->wait.ended[i].slot);
	return yes;
}

bool training_turn(int *todo, int n, const struct run *r)
{
	int at = 0;
	while (at < n && waits(&r->plan->cells[todo[at]], r))
		at++;
	if (at == n)
		return false;
	int index = todo[at];
	memmove(todo + 1, todo, (size_t)at * sizeof *todo);
	todo[0] = index;
	return true;
}

int training_waits(const int *todo, int n, const struct run_plan *plan, const struct run_cell *c)
{
	int count = 0;
	for (int i = 0; i < n; i++)
		count += &plan->cells[todo[i]] != c && share_training(&plan->cells[todo[i]], c);
	return count;
}

int training_diverged(char reason[512], struct store *s, const struct run_cell *c, const char *since, struct err *e)
{
	struct db_rows rows;
	struct training_row other;
	*reason = '\0';
	if (!c->training)
		return 0;
	if (query_training_diverged(&rows, s->db, c->training, c->cell, since, e))
		return -1;
	if (query_training_next(&other, &rows))
		(void)snprintf(reason, 512, "its training is that of %.100s seed %lld (%.12s), which diverged: %.200s",
		               other.label, (long long)other.seed, other.cell, other.reason);
	return db_done(&rows, e);
}

char *training_text(const struct slot *slot, const struct earlier *from)
{
	if (!from || strcmp(from->cell, slot->cell->cell) == 0)
		return xstrdup("");
	return xstrfmt(", %s the training of %s seed %lld (%.12s)", slot->trains ? "continuing" : "with", from->label,
	               (long long)from->seed, from->cell);
}
